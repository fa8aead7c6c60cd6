// Pooling over planes. Windows of 2x2 side by side, the common case, have code of their own; the rest is in
// pool_rows.inl.
#include "cinta/kernels/cpu/blocks.inl"
#include "cinta/kernels/kernels.h"

// clang-format off
#define CINTA_QUOTE(path) #path
#define CINTA_HEADER(path) CINTA_QUOTE(path)
#include CINTA_HEADER(cinta/kernels/cpu/CINTA_ISA/pairs.h)
#undef CINTA_HEADER
#undef CINTA_QUOTE
// clang-format on

namespace cinta::kernels::CINTA_ISA {
namespace {

// 2x2 windows side by side, all inside the plane.
inline bool is_halving(const Pool2d &g) {
  return g.KH == 2 && g.KW == 2 && g.stride_h == 2 && g.stride_w == 2 && !g.pad_h && !g.pad_w && g.dilation_h == 1 &&
         g.dilation_w == 1 && 2 * g.OH <= g.H && 2 * g.OW <= g.W;
}

template <class F> void for_planes(const Pool2d &g, double ns_per_element, const F &f) {
  const int64_t area = g.H * g.W + g.OH * g.OW, block = area > 0 && area < 1 << 14 ? (1 << 14) / area : 1;
  for_blocks(g.planes, block, double(g.planes * area) * ns_per_element, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      f(p);
  });
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

// visit(output row, first output column, number of columns <= width)
template <class T, class F> CINTA_FN void for_vectors(const Pool2d &g, const F &visit) {
  constexpr int64_t W = Vec<T>::width;
  for (int64_t i = 0; i < g.OH; ++i)
    for (int64_t j = 0; j < g.OW; j += W)
      visit(i, j, g.OW - j < W ? g.OW - j : W);
}

// The window of output i along one axis: [begin, end) inside the plane, `counted` with its padding.
struct Window {
  int64_t begin, end, counted;
};
inline Window window(int64_t i, int64_t size, int64_t kernel, int64_t stride, int64_t pad) {
  const int64_t begin = i * stride - pad, end = begin + kernel < size + pad ? begin + kernel : size + pad;
  return {begin > 0 ? begin : 0, end < size ? end : size, end - begin};
}
inline double divisor(const Pool2d &g, const Window &h, const Window &w) {
  return double(g.divisor_override    ? g.divisor_override
                : g.count_include_pad ? h.counted * w.counted
                                      : (h.end - h.begin) * (w.end - w.begin));
}

// The first of equals, NaN above all.
template <class T> CINTA_FN void keep_larger(Vec<T> x, Vec<T> at, Vec<T> &largest, Vec<T> &where) {
  const Mask<T> wins = (x > largest) | (x != x);
  largest = select(wins, x, largest);
  where = select(wins, at, where);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA

#include "cinta/kernels/cpu/pool_rows.inl"

namespace cinta::kernels::CINTA_ISA {
namespace {

// ---- average

template <class T> void average(const Pool2d &g, const void *x, void *y) {
  const T *from = static_cast<const T *>(x);
  T *to = static_cast<T *>(y);
  if (is_halving(g)) {
    const Vec<T> scale(T(1) / T(g.divisor_override ? g.divisor_override : 4));
    return for_planes(g, 0.15, [&](int64_t p) {
      const T *in = from + p * g.H * g.W;
      T *out = to + p * g.OH * g.OW;
      for_vectors<T>(g, [&](int64_t i, int64_t j, int64_t n) {
        Vec<T> a, b, c, d;
        load_pairs(in + 2 * i * g.W + 2 * j, n, a, b);
        load_pairs(in + (2 * i + 1) * g.W + 2 * j, n, c, d);
        (((a + b) + (c + d)) * scale).store_partial(out + i * g.OW + j, n);
      });
    });
  }
  const Shared<T> shared = with_divisors<T>(g);
  for_planes(g, 0.1 * double(g.KH * g.KW),
             [&](int64_t p) { average_of_rows(g, shared, from + p * g.H * g.W, to + p * g.OH * g.OW); });
}

template <class T> void average_vjp(const Pool2d &g, const void *dy, void *dx) {
  const T *from = static_cast<const T *>(dy);
  T *to = static_cast<T *>(dx);
  const bool halving = is_halving(g), covered = halving && 2 * g.OH == g.H && 2 * g.OW == g.W;
  const Vec<T> scale(T(1) / T(g.divisor_override ? g.divisor_override : 4));
  if (!halving) {
    const Shared<T> shared = with_divisors<T>(g);
    return for_planes(g, 0.1 * double(g.KH * g.KW),
                      [&](int64_t p) { average_of_rows_vjp(g, shared, from + p * g.OH * g.OW, to + p * g.H * g.W); });
  }
  for_planes(g, 0.15, [&](int64_t p) {
    const T *in = from + p * g.OH * g.OW;
    T *out = to + p * g.H * g.W;
    if (!covered)
      __builtin_memset(out, 0, sizeof(T) * size_t(g.H * g.W));
    for_vectors<T>(g, [&](int64_t i, int64_t j, int64_t n) {
      const Vec<T> d = Vec<T>::load_partial(in + i * g.OW + j, n) * scale;
      store_pairs(out + 2 * i * g.W + 2 * j, n, d, d);
      store_pairs(out + (2 * i + 1) * g.W + 2 * j, n, d, d);
    });
  });
}

// ---- maximum. A window of nothing but padding, which dilation can bring about, gives -inf at position -1.

template <class T> void maximum_of_halves(const Pool2d &g, const T *in, T *out, int64_t *index) {
  constexpr int64_t W = Vec<T>::width;
  T lanes[W];
  for (int64_t l = 0; l < W; ++l)
    lanes[l] = T(2 * l);
  const Vec<T> twice = Vec<T>::load(lanes);
  for_vectors<T>(g, [&](int64_t i, int64_t j, int64_t n) {
    const int64_t corner = 2 * i * g.W + 2 * j;
    Vec<T> a, b, c, d;
    load_pairs(in + corner, n, a, b);
    load_pairs(in + corner + g.W, n, c, d);
    const Vec<T> at = twice + Vec<T>(T(corner));
    Vec<T> where = at;
    keep_larger(b, at + Vec<T>(T(1)), a, where);
    keep_larger(c, at + Vec<T>(T(g.W)), a, where);
    keep_larger(d, at + Vec<T>(T(g.W + 1)), a, where);
    a.store_partial(out + i * g.OW + j, n);
    if (index) {
      where.store(lanes);
      for (int64_t l = 0; l < n; ++l)
        index[i * g.OW + j + l] = int64_t(lanes[l]);
    }
  });
}

template <class T> void maximum_of_windows(const Pool2d &g, const T *in, T *out, int64_t *index) {
  for (int64_t i = 0; i < g.OH; ++i)
    for (int64_t j = 0; j < g.OW; ++j) {
      int64_t where = -1;
      T largest = T(-__builtin_inf());
      for (int64_t kh = 0; kh < g.KH; ++kh) {
        const int64_t h = i * g.stride_h - g.pad_h + kh * g.dilation_h;
        if (h < 0 || h >= g.H)
          continue;
        for (int64_t kw = 0; kw < g.KW; ++kw) {
          const int64_t w = j * g.stride_w - g.pad_w + kw * g.dilation_w;
          if (w < 0 || w >= g.W)
            continue;
          const T x = in[h * g.W + w];
          if (where < 0 || x > largest || x != x) {
            largest = x;
            where = h * g.W + w;
          }
        }
      }
      *out++ = largest;
      if (index)
        *index++ = where;
    }
}

template <class T> void maximum(const Pool2d &g, const void *x, void *y, int64_t *index) {
  const bool counts = g.H * g.W < 1 << 24, halving = counts && is_halving(g); // positions are counted in floats
  const Shared<T> shared = with_first_columns<T>(g);
  for_planes(g, halving ? 0.3 : (counts ? 0.2 : 1) * double(g.KH * g.KW), [&](int64_t p) {
    const T *in = static_cast<const T *>(x) + p * g.H * g.W;
    T *out = static_cast<T *>(y) + p * g.OH * g.OW;
    int64_t *at = index ? index + p * g.OH * g.OW : nullptr;
    halving  ? maximum_of_halves(g, in, out, at)
    : counts ? maximum_of_rows(g, shared, in, out, at)
             : maximum_of_windows(g, in, out, at);
  });
}

template <class T> void maximum_vjp(const Pool2d &g, const int64_t *index, const void *dy, void *dx) {
  const int64_t places = g.OH * g.OW;
  for_planes(g, 0.5, [&](int64_t p) {
    const T *in = static_cast<const T *>(dy) + p * places;
    const int64_t *at = index + p * places;
    T *out = static_cast<T *>(dx) + p * g.H * g.W;
    __builtin_memset(out, 0, sizeof(T) * size_t(g.H * g.W));
    for (int64_t i = 0; i < places; ++i)
      if (at[i] >= 0)
        out[at[i]] += in[i];
  });
}

} // namespace

void fill_pool(Table &table) {
  table.avg_pool[0] = average<float>, table.avg_pool[1] = average<double>;
  table.avg_pool_vjp[0] = average_vjp<float>, table.avg_pool_vjp[1] = average_vjp<double>;
  table.max_pool[0] = maximum<float>, table.max_pool[1] = maximum<double>;
  table.max_pool_vjp[0] = maximum_vjp<float>, table.max_pool_vjp[1] = maximum_vjp<double>;
}

} // namespace cinta::kernels::CINTA_ISA
