// What every optimizer update is made of: vectors of arrays that may be absent, and the gradient as its options want
// it.
#pragma once
#include "cinta/kernels/cpu/vector/blocks.inl"
#include "cinta/kernels/cpu/vmath/vmath.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

constexpr int64_t kUpdateBlock = 16384;

// One vector of an array that may be absent, and may be partial.
template <class T> struct Lanes {
  T *p;
  int64_t n;
  CINTA_FN Lanes(void *array, int64_t i, int64_t count) : p(static_cast<T *>(array) + i), n(count) {}
  CINTA_FN Vec<T> load() const { return n == Vec<T>::width ? Vec<T>::load(p) : Vec<T>::load_partial(p, n); }
  CINTA_FN void store(Vec<T> x) const {
    if (n == Vec<T>::width)
      x.store(p);
    else
      x.store_partial(p, n);
  }
};

// update(i, n) for each vector [i, i + n) of the arrays
template <class T, class F> void update_each(int64_t count, double ns_per_element, F update) {
  constexpr int W = Vec<T>::width;
  for_blocks(count, kUpdateBlock, double(count) * ns_per_element, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + W <= end; i += W)
      update(i, int64_t(W));
    if (i < end)
      update(i, end - i);
  });
}

// The gradient with its sign and, where asked for, the weights' pull to zero.
template <class T> CINTA_FN Vec<T> gradient(const void *g, int64_t i, int64_t n, bool maximize, T decay, Vec<T> p) {
  Vec<T> d = Lanes<T>(const_cast<void *>(g), i, n).load();
  if (maximize)
    d = -d;
  return decay != T(0) ? fma(Vec<T>(decay), p, d) : d;
}

// The running mean of x, which moves by the share `fresh`.
template <class T> CINTA_FN Vec<T> average(Vec<T> mean, T fresh, Vec<T> x) {
  return fma(Vec<T>(fresh), x - mean, mean);
}
// The running mean of x^2, of which the share `keep` stays.
template <class T> CINTA_FN Vec<T> average_square(Vec<T> mean, T keep, T fresh, Vec<T> x) {
  return fma(Vec<T>(fresh) * x, x, mean * Vec<T>(keep));
}

} // namespace cinta::kernels::CINTA_ISA
