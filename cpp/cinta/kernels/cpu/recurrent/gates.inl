// What a cell does with the sums of its gates, and the gradient of that, row by row of one step. Null pointers: zero.
#pragma once
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/cpu/vmath/vmath.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

template <class T> CINTA_FN Vec<T> load_or_zero(const T *p, int64_t j, int64_t n) {
  return p ? load_some(p + j, n) : Vec<T>(T(0));
}
template <class T> CINTA_FN Vec<T> one_minus(Vec<T> x) { return Vec<T>(T(1)) - x; }

// h = tanh(z) or relu(z); dz = dh (1 - h^2), dz = dh where h > 0
template <class T> CINTA_FN void simple_row(Cell cell, int64_t hidden, T *h) {
  for_vectors<T>(0, hidden, [&](int64_t j, int64_t n) {
    const Vec<T> z = load_some(h + j, n);
    store_some(cell == Cell::tanh ? tanh(z) : select(z < Vec<T>(T(0)), Vec<T>(T(0)), z), h + j, n); // NaN stays
  });
}
template <class T> CINTA_FN void simple_row_vjp(Cell cell, int64_t hidden, const T *h, const T *dh, T *dz) {
  for_vectors<T>(0, hidden, [&](int64_t j, int64_t n) {
    const Vec<T> y = load_some(h + j, n), d = load_some(dh + j, n);
    store_some(cell == Cell::tanh ? d * fma(-y, y, Vec<T>(T(1))) : select(y > Vec<T>(T(0)), d, Vec<T>(T(0))), dz + j,
               n);
  });
}

// i f g o = sigmoid sigmoid tanh sigmoid of z [4 hidden], in place; c = f c' + i g, y = o tanh(c)
template <class T> CINTA_FN void lstm_row(int64_t hidden, T *z, const T *before, T *c, T *y) {
  T *const zf = z + hidden, *const zg = zf + hidden, *const zo = zg + hidden;
  for_vectors<T>(0, hidden, [&](int64_t j, int64_t n) {
    const Vec<T> i = sigmoid(load_some(z + j, n)), f = sigmoid(load_some(zf + j, n));
    const Vec<T> g = tanh(load_some(zg + j, n)), o = sigmoid(load_some(zo + j, n));
    const Vec<T> state = fma(f, load_or_zero(before, j, n), i * g);
    store_some(i, z + j, n);
    store_some(f, zf + j, n);
    store_some(g, zg + j, n);
    store_some(o, zo + j, n);
    store_some(state, c + j, n);
    store_some(o * tanh(state), y + j, n);
  });
}
template <class T>
CINTA_FN void lstm_row_vjp(int64_t hidden, const T *z, const T *before, const T *c, const T *dy, T *dc, T *dz) {
  const T *const zf = z + hidden, *const zg = zf + hidden, *const zo = zg + hidden;
  T *const df = dz + hidden, *const dg = df + hidden, *const d_o = dg + hidden;
  for_vectors<T>(0, hidden, [&](int64_t j, int64_t n) {
    const Vec<T> i = load_some(z + j, n), f = load_some(zf + j, n), g = load_some(zg + j, n), o = load_some(zo + j, n);
    const Vec<T> t = tanh(load_some(c + j, n)), d = load_some(dy + j, n);
    const Vec<T> dstate = fma(d * o, fma(-t, t, Vec<T>(T(1))), load_some(dc + j, n));
    store_some(dstate * g * (i * one_minus(i)), dz + j, n);
    store_some(dstate * load_or_zero(before, j, n) * (f * one_minus(f)), df + j, n);
    store_some(dstate * i * fma(-g, g, Vec<T>(T(1))), dg + j, n);
    store_some(d * t * (o * one_minus(o)), d_o + j, n);
    store_some(dstate * f, dc + j, n);
  });
}

// r u = sigmoid of z [3 hidden], n = tanh(z_n + r q), q = W_hn h' + b_hn; h = n + u (h' - n)
template <class T> CINTA_FN void gru_row(int64_t hidden, T *z, const T *q, const T *before, T *h) {
  T *const zu = z + hidden, *const zn = zu + hidden;
  for_vectors<T>(0, hidden, [&](int64_t j, int64_t count) {
    const Vec<T> r = sigmoid(load_some(z + j, count)), u = sigmoid(load_some(zu + j, count));
    const Vec<T> n = tanh(fma(r, load_some(q + j, count), load_some(zn + j, count)));
    store_some(r, z + j, count);
    store_some(u, zu + j, count);
    store_some(n, zn + j, count);
    store_some(fma(u, load_or_zero(before, j, count) - n, n), h + j, count);
  });
}
// dbefore += dh u: what goes back past the gates; or null
template <class T> CINTA_FN void gru_row_vjp(int64_t hidden, const T *z, const T *q, const T *before, const T *dh,
                                             T *dz, T *dq, T *dbefore) {
  const T *const zu = z + hidden, *const zn = zu + hidden;
  T *const du = dz + hidden, *const dn = du + hidden;
  for_vectors<T>(0, hidden, [&](int64_t j, int64_t count) {
    const Vec<T> r = load_some(z + j, count), u = load_some(zu + j, count), n = load_some(zn + j, count);
    const Vec<T> d = load_some(dh + j, count);
    const Vec<T> inside = d * one_minus(u) * fma(-n, n, Vec<T>(T(1)));
    store_some(inside * load_some(q + j, count) * (r * one_minus(r)), dz + j, count);
    store_some(d * (load_or_zero(before, j, count) - n) * (u * one_minus(u)), du + j, count);
    store_some(inside, dn + j, count);
    store_some(inside * r, dq + j, count);
    if (dbefore)
      store_some(fma(d, u, load_some(dbefore + j, count)), dbefore + j, count);
  });
}

} // namespace cinta::kernels::CINTA_ISA
