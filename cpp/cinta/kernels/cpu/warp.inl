// Warping: images sampled where a matrix and a displacement say, and the adjoint, which adds to the pixels it met.
// A place is found once for all channels, a vector of places at a time, with the same bits on every level.
#include "cinta/kernels/cpu/vector/blocks.inl"
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {
namespace {

template <class T> struct PlaceOf;
template <> struct PlaceOf<float> { using type = int32_t; };
template <> struct PlaceOf<double> { using type = int64_t; };
template <class T> using Place = typename PlaceOf<T>::type; // of a pixel in its plane, in a lane of T
template <class T> using Places = IntVec<Place<T>>;

// One axis of an image: which of its pixels stands for pixel i, a whole number that may lie outside.
template <class T> struct Extent {
  T last, period;
  Border border;
  Extent(int64_t n, Border b) : last(T(n - 1)), border(b) {
    const int64_t once = b == Border::symmetric ? 2 * n : 2 * n - 2;
    period = T(once > 0 ? once : 1);
  }
  CINTA_FN Vec<T> pixel(Vec<T> i) const {
    const Vec<T> zero(T(0)), one(T(1)), whole = period;
    if (border == Border::reflect || border == Border::symmetric) {
      const bool twice = border == Border::symmetric; // the pixel at the edge comes twice
      i = select(i < zero, twice ? -i - one : -i, i);
      i = i - floor(i / whole) * whole;
      i = min(i, twice ? whole - one - i : whole - i);
    }
    return min(max(i, zero), Vec<T>(last)); // NaN: 0
  }
  CINTA_FN Mask<T> counts(Vec<T> i) const {
    const Mask<T> inside = (i >= Vec<T>(T(0))) & (i <= Vec<T>(last));
    return border == Border::constant ? inside : (inside | !inside);
  }
};

// The pixels whose weighted sum is the value at a place: four around it, or the first alone, the nearest.
template <class T> struct Corners {
  Places<T> at[4]; // from the plane's first
  Vec<T> weight[4];
  Mask<T> inside[4]; // else the fill value stands there
};

template <class T, bool kNearest> struct Sampler {
  static constexpr int corners = kNearest ? 1 : 4;
  const Warp &g;
  Extent<T> rows, columns;
  explicit Sampler(const Warp &g) : g(g), rows(g.H, g.border), columns(g.W, g.border) {}

  CINTA_FN Corners<T> around(Vec<T> x, Vec<T> y) const {
    const Vec<T> one(T(1)), pitch = T(g.W);
    if constexpr (kNearest) {
      x = floor(x + Vec<T>(T(0.5))), y = floor(y + Vec<T>(T(0.5)));
      const Places<T> at = to_int(fma(rows.pixel(y), pitch, columns.pixel(x)));
      const Mask<T> inside = rows.counts(y) & columns.counts(x);
      return {{at, at, at, at}, {one, one, one, one}, {inside, inside, inside, inside}};
    } else {
      const Vec<T> left = floor(x), top = floor(y), right = left + one, bottom = top + one;
      const Vec<T> l = columns.pixel(left), r = columns.pixel(right);
      const Vec<T> t = rows.pixel(top), b = rows.pixel(bottom);
      const Vec<T> u = x - left, v = y - top, u1 = one - u, v1 = one - v;
      const Mask<T> in_l = columns.counts(left), in_r = columns.counts(right);
      const Mask<T> in_t = rows.counts(top), in_b = rows.counts(bottom);
      return {{to_int(fma(t, pitch, l)), to_int(fma(t, pitch, r)), to_int(fma(b, pitch, l)), to_int(fma(b, pitch, r))},
              {u1 * v1, u * v1, u1 * v, u * v},
              {in_t & in_l, in_t & in_r, in_b & in_l, in_b & in_r}};
    }
  }

  // use(first column, count, corners) along row i of image n
  template <class F>
  CINTA_FN void along(const double *matrices, const T *displacement, int64_t n, int64_t i, const F &use) const {
    constexpr int W = Vec<T>::width;
    T lane[W];
    for (int l = 0; l < W; ++l)
      lane[l] = T(l);
    const Vec<T> lanes = Vec<T>::load(lane);
    const double *m = matrices + 6 * n;
    const T *dx = displacement ? displacement + (2 * n * g.OH + i) * g.OW : nullptr;
    const Vec<T> base_x = T(m[1] * double(i) + m[2]), base_y = T(m[4] * double(i) + m[5]);
    for_vectors<T>(0, g.OW, [&](int64_t j, int64_t count) {
      Vec<T> px = Vec<T>(T(j)) + lanes, x = base_x, y = base_y;
      if (dx) {
        const Vec<T> down = load_some(dx + g.OH * g.OW + j, count);
        px += load_some(dx + j, count);
        x = fma(Vec<T>(T(m[1])), down, x);
        y = fma(Vec<T>(T(m[4])), down, y);
      }
      use(j, count, around(fma(Vec<T>(T(m[0])), px, x), fma(Vec<T>(T(m[3])), px, y)));
    });
  }
};

template <class T, bool kNearest>
void forward(const Warp &g, const double *matrices, const T *displacement, const T *x, T *y) {
  const Sampler<T, kNearest> sampler(g);
  const int64_t in = g.H * g.W, out = g.OH * g.OW, block = 1 + (1 << 13) / (1 + g.OW * g.C);
  const Vec<T> fill = T(g.fill);
  for_blocks(g.N * g.OH, block, double(g.N * out) * (1 + 2 * double(g.C)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t n = row / g.OH, i = row % g.OH;
      sampler.along(matrices, displacement, n, i, [&](int64_t j, int64_t count, const Corners<T> &corners) {
        const T *plane = x + n * g.C * in;
        T *to = y + n * g.C * out + i * g.OW + j;
        for (int64_t c = 0; c < g.C; ++c, plane += in, to += out) {
          Vec<T> value = select(corners.inside[0], gather(plane, corners.at[0]), fill);
          if constexpr (!kNearest) {
            value = value * corners.weight[0];
            for (int k = 1; k < 4; ++k)
              value = fma(corners.weight[k], select(corners.inside[k], gather(plane, corners.at[k]), fill), value);
          }
          store_some(value, to, count);
        }
      });
    }
  });
}

template <class T, bool kNearest>
void adjoint(const Warp &g, const double *matrices, const T *displacement, const T *dy, T *dx) {
  constexpr int W = Vec<T>::width, corners = Sampler<T, kNearest>::corners;
  const Sampler<T, kNearest> sampler(g);
  const int64_t in = g.H * g.W, out = g.OH * g.OW, block = 1 + (1 << 13) / (1 + out * g.C);
  for_blocks(g.N, block, double(g.N * out * g.C) * 5, [&](int64_t begin, int64_t end) {
    __builtin_memset(dx + begin * g.C * in, 0, size_t((end - begin) * g.C * in) * sizeof(T));
    for (int64_t row = begin * g.OH; row < end * g.OH; ++row) {
      const int64_t n = row / g.OH, i = row % g.OH;
      sampler.along(matrices, displacement, n, i, [&](int64_t j, int64_t count, const Corners<T> &found) {
        for (int k = 0; k < corners; ++k) {
          T weight[W], bits[W];
          Place<T> at[W];
          select(found.inside[k], found.weight[k], Vec<T>(T(0))).store(weight);
          as_float(found.at[k]).store(bits);
          __builtin_memcpy(at, bits, sizeof at);
          const T *from = dy + n * g.C * out + i * g.OW + j;
          T *plane = dx + n * g.C * in;
          for (int64_t c = 0; c < g.C; ++c, from += out, plane += in)
            for (int64_t l = 0; l < count; ++l)
              if (weight[l] != T(0))
                plane[at[l]] += weight[l] * from[l];
        }
      });
    }
  });
}

template <class T> void warp(const Warp &g, const double *matrices, const void *displacement, const void *x, void *y) {
  const auto run = g.nearest ? forward<T, true> : forward<T, false>;
  run(g, matrices, static_cast<const T *>(displacement), static_cast<const T *>(x), static_cast<T *>(y));
}
template <class T>
void warp_vjp(const Warp &g, const double *matrices, const void *displacement, const void *dy, void *dx) {
  const auto run = g.nearest ? adjoint<T, true> : adjoint<T, false>;
  run(g, matrices, static_cast<const T *>(displacement), static_cast<const T *>(dy), static_cast<T *>(dx));
}

} // namespace

void fill_warp(Table &table) {
  table.warp[0] = warp<float>, table.warp[1] = warp<double>;
  table.warp_vjp[0] = warp_vjp<float>, table.warp_vjp[1] = warp_vjp<double>;
}

} // namespace cinta::kernels::CINTA_ISA
