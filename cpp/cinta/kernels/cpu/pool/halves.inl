// Pooling of planes by windows of 2x2 side by side, the common case: neighbours are taken apart in registers.
namespace cinta::kernels::CINTA_ISA {
namespace {

// All inside the plane.
inline bool is_halving(const Pool2d &g) {
  return g.KH == 2 && g.KW == 2 && g.stride_h == 2 && g.stride_w == 2 && !g.pad_h && !g.pad_w && g.dilation_h == 1 &&
         g.dilation_w == 1 && 2 * g.OH <= g.H && 2 * g.OW <= g.W;
}

// Neighbours of a row: 2n elements as n even and n odd ones.
template <class T> CINTA_FN void load_pairs(const T *x, int64_t n, Vec<T> &even, Vec<T> &odd) {
  constexpr int64_t W = Vec<T>::width;
  if (n == W)
    split_pairs(Vec<T>::load(x), Vec<T>::load(x + W), even, odd);
  else if (2 * n <= W)
    split_pairs(Vec<T>::load_partial(x, 2 * n), Vec<T>(T(0)), even, odd);
  else
    split_pairs(Vec<T>::load(x), Vec<T>::load_partial(x + W, 2 * n - W), even, odd);
}
template <class T> CINTA_FN void store_pairs(T *x, int64_t n, Vec<T> even, Vec<T> odd) {
  constexpr int64_t W = Vec<T>::width;
  Vec<T> a, b;
  join_pairs(even, odd, a, b);
  if (n == W) {
    a.store(x);
    b.store(x + W);
  } else if (2 * n <= W) {
    a.store_partial(x, 2 * n);
  } else {
    a.store(x);
    b.store_partial(x + W, 2 * n - W);
  }
}

// visit(corner of the first window in the plane, its output, number of windows side by side <= width)
template <class T, class F> CINTA_FN void for_corners(const Pool2d &g, const F &visit) {
  for (int64_t i = 0; i < g.OH; ++i)
    for_vectors<T>(0, g.OW, [&](int64_t j, int64_t n) { visit(2 * i * g.W + 2 * j, i * g.OW + j, n); });
}
// What no window covers has no gradient.
template <class T> CINTA_FN void clear_uncovered(const Pool2d &g, T *dx) {
  if (2 * g.OH != g.H || 2 * g.OW != g.W)
    __builtin_memset(dx, 0, sizeof(T) * size_t(g.H * g.W));
}

template <class T> void average_of_halves(const Pool2d &g, const T *in, T *out) {
  const Vec<T> scale(T(1) / T(g.divisor_override ? g.divisor_override : 4));
  for_corners<T>(g, [&](int64_t corner, int64_t to, int64_t n) {
    Vec<T> a, b, c, d;
    load_pairs(in + corner, n, a, b);
    load_pairs(in + corner + g.W, n, c, d);
    store_some(((a + b) + (c + d)) * scale, out + to, n);
  });
}
template <class T> void average_of_halves_vjp(const Pool2d &g, const T *dy, T *dx) {
  const Vec<T> scale(T(1) / T(g.divisor_override ? g.divisor_override : 4));
  clear_uncovered(g, dx);
  for_corners<T>(g, [&](int64_t corner, int64_t from, int64_t n) {
    const Vec<T> d = load_some(dy + from, n) * scale;
    store_pairs(dx + corner, n, d, d);
    store_pairs(dx + corner + g.W, n, d, d);
  });
}

template <class T> void maximum_of_halves(const Pool2d &g, const T *in, T *out, T *place) {
  for_corners<T>(g, [&](int64_t corner, int64_t to, int64_t n) {
    Vec<T> a, b, c, d, where(T(0));
    load_pairs(in + corner, n, a, b);
    load_pairs(in + corner + g.W, n, c, d);
    keep_larger(b, Vec<T>(T(1)), a, where);
    keep_larger(c, Vec<T>(T(2)), a, where);
    keep_larger(d, Vec<T>(T(3)), a, where);
    store_some(a, out + to, n);
    if (place)
      store_some(where, place + to, n);
  });
}
template <class T> void maximum_of_halves_vjp(const Pool2d &g, const T *place, const T *dy, T *dx) {
  clear_uncovered(g, dx);
  for_corners<T>(g, [&](int64_t corner, int64_t from, int64_t n) {
    const Vec<T> d = load_some(dy + from, n), where = load_some(place + from, n), zero(T(0));
    const auto at = [&](int tap) { return select(where == Vec<T>(T(tap)), d, zero); };
    store_pairs(dx + corner, n, at(0), at(1));
    store_pairs(dx + corner + g.W, n, at(2), at(3));
  });
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
