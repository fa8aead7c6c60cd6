#include "cinta/ops/adaptive.h"

#include <cmath>

#include "cinta/base/parallel.h"

namespace cinta::ops {
namespace {

Tensor average_adjoint(const AdaptiveAttributes &a, const Tensor &dy);

// visit(output place, [top, bottom), [left, right)) for every window of a plane
template <class F> void for_windows(const AdaptiveAttributes &a, F visit) {
  for (int64_t i = 0; i < a.OH; ++i)
    for (int64_t j = 0; j < a.OW; ++j)
      visit(i * a.OW + j, i * a.H / a.OH, ((i + 1) * a.H + a.OH - 1) / a.OH, j * a.W / a.OW,
            ((j + 1) * a.W + a.OW - 1) / a.OW);
}

// f(plane of x, plane of y), in the dtype of x
template <class F> void for_planes(const AdaptiveAttributes &a, const Tensor &x, const Tensor &y, F f) {
  auto run = [&](auto t) {
    using T = decltype(t);
    auto one = [&](int64_t p) { f(x.data<T>() + p * a.H * a.W, y.data<char>(), p * a.OH * a.OW); };
    parallel_for(
        a.planes, 2.0 * double(a.planes * (a.H * a.W + a.OH * a.OW)),
        [](void *c, int64_t p) { (*static_cast<decltype(one) *>(c))(p); }, &one);
  };
  x.dtype() == Dtype::float64 ? run(double()) : run(float());
}

struct AdaptiveAverage final : OpWith<AdaptiveAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "adaptive_avg_pool2d"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor x = contiguous_native(in[0]), z = empty(y_shape, x.dtype());
    for_planes(*this, x, z, [this]<class T>(T *plane, char *to, int64_t first) {
      for_windows(*this, [&](int64_t place, int64_t top, int64_t bottom, int64_t left, int64_t right) {
        T sum = 0;
        for (int64_t h = top; h < bottom; ++h)
          for (int64_t w = left; w < right; ++w)
            sum += plane[h * W + w];
        reinterpret_cast<T *>(to)[first + place] = sum / T((bottom - top) * (right - left));
      });
    });
    *out = from_native(z, in[0].dtype());
  }
  void vjp(Vjp &v) const override { v.dx(0, average_adjoint(*this, v.dy())); }
};

struct AdaptiveAverageAdjoint final : OpWith<AdaptiveAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "adaptive_avg_pool2d_backward"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor dy = contiguous_native(in[0]), z = zeros(x_shape, dy.dtype());
    for_planes(*this, z, dy, [this]<class T>(T *plane, char *from, int64_t first) {
      for_windows(*this, [&](int64_t place, int64_t top, int64_t bottom, int64_t left, int64_t right) {
        const T d = reinterpret_cast<T *>(from)[first + place] / T((bottom - top) * (right - left));
        for (int64_t h = top; h < bottom; ++h)
          for (int64_t w = left; w < right; ++w)
            plane[h * W + w] += d;
      });
    });
    *out = from_native(z, in[0].dtype());
  }
  void vjp(Vjp &v) const override { v.dx(0, adaptive_average(*this, v.dy())); }
};

Tensor average_adjoint(const AdaptiveAttributes &a, const Tensor &dy) {
  return apply(make_op<AdaptiveAverageAdjoint>(a), {dy});
}

} // namespace

Tensor adaptive_average(const AdaptiveAttributes &a, const Tensor &x) {
  return apply(make_op<AdaptiveAverage>(a), {x});
}

Tensor adaptive_max_positions(const AdaptiveAttributes &a, const Tensor &given) {
  Tensor x = contiguous_native(given), at = empty(a.y_shape, Dtype::int64);
  for_planes(a, x, at, [&a]<class T>(T *plane, char *to, int64_t first) {
    for_windows(a, [&](int64_t place, int64_t top, int64_t bottom, int64_t left, int64_t right) {
      int64_t best = top * a.W + left;
      for (int64_t h = top; h < bottom; ++h)
        for (int64_t w = left; w < right; ++w)
          if (const T v = plane[h * a.W + w]; v > plane[best] || std::isnan(v))
            best = h * a.W + w;
      reinterpret_cast<int64_t *>(to)[first + place] = best;
    });
  });
  return at;
}

} // namespace cinta::ops
