#include "cinta/ops/pool.h"

#include <algorithm>

#include "cinta/ops/adaptive.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/index.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

using kernels::Pool2d;

struct PoolAttributes {
  Pool2d g;
  Shape x_shape, y_shape;
  bool hollow = false; // the maximum of some windows is -inf at position -1, and has no gradient
};

Tensor average(const PoolAttributes &a, const Tensor &x);
Tensor average_adjoint(const PoolAttributes &a, const Tensor &dy);

struct AveragePool final : OpWith<PoolAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "avg_pool2d"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor x = contiguous_native(in[0]), z = empty(y_shape, x.dtype());
    if (z.size())
      kernel().avg_pool[floating_index(x.dtype())](g, x.data(), z.data());
    *out = from_native(z, in[0].dtype());
  }
  void vjp(Vjp &v) const override { v.dx(0, average_adjoint(*this, v.dy())); }
};

struct AveragePoolAdjoint final : OpWith<PoolAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "avg_pool2d_backward"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor dy = contiguous_native(in[0]), z = empty(x_shape, dy.dtype());
    if (z.size())
      kernel().avg_pool_vjp[floating_index(dy.dtype())](g, dy.data(), z.data());
    *out = from_native(z, in[0].dtype());
  }
  void vjp(Vjp &v) const override { v.dx(0, average(*this, v.dy())); }
};

Tensor average(const PoolAttributes &a, const Tensor &x) { return apply(make_op<AveragePool>(a), {x}); }
Tensor average_adjoint(const PoolAttributes &a, const Tensor &dy) {
  return apply(make_op<AveragePoolAdjoint>(a), {dy});
}

struct ScatterAttributes : PoolAttributes {
  Tensor index; // into the plane
};
struct MaxPoolScatter final : OpWith<ScatterAttributes> { // the gradient goes where the maximum was
  using OpWith::OpWith;
  const char *name() const override { return "max_pool2d_backward"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor dy = contiguous_native(in[0]), z = empty(x_shape, dy.dtype());
    if (z.size())
      kernel().max_pool_vjp[floating_index(dy.dtype())](g, index.data<int64_t>(), dy.data(), z.data());
    *out = from_native(z, in[0].dtype());
  }
  void vjp(Vjp &v) const override { // back from there: a gather
    Tensor planes = reshape(v.dy(), {g.planes, g.H * g.W}), at = reshape(index, {g.planes, g.OH * g.OW});
    if (!hollow)
      return v.dx(0, reshape(take_along_axis(planes, at, 1), y_shape));
    const Tensor nowhere = less(at, number(0, at)), d = take_along_axis(planes, where(nowhere, number(0, at), at), 1);
    v.dx(0, reshape(where(nowhere, number(0, d), d), y_shape));
  }
};

struct MaxPool final : OpWith<PoolAttributes> { // values, positions
  using OpWith::OpWith;
  const char *name() const override { return "max_pool2d"; }
  int outputs() const override { return 2; }
  uint32_t saves() const override { return saves::output(1); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor x = contiguous_native(in[0]), z = empty(y_shape, x.dtype());
    out[1] = empty(y_shape, Dtype::int64);
    if (z.size())
      kernel().max_pool[floating_index(x.dtype())](g, x.data(), z.data(), out[1].data<int64_t>());
    out[0] = from_native(z, in[0].dtype());
  }
  void vjp(Vjp &v) const override {
    if (v.dy(0))
      v.dx(0, apply(make_op<MaxPoolScatter>({{*this}, alias(v.out(1))}), {v.dy(0)}));
  }
};

// ---- arguments

struct Spatial { // an argument for both axes; pooling a line is pooling a plane of height 1
  int64_t h, w;
};
Spatial spatial(const Dims &given, int axes, int64_t h, int64_t least, const char *what, const char *op) {
  if (given.size() != 1 && given.size() != axes)
    fail<ValueError>("[", op, "] ", what, " is ", given, ", expected one number or ", axes);
  for (int64_t v : given)
    if (v < least)
      fail<ValueError>("[", op, "] ", what, " is ", v, ", expected at least ", least);
  return {axes == 1 ? h : given[0], given.back()};
}

// PyTorch's rule: with ceil_mode the last window must begin inside the input or the padding before it.
int64_t places(int64_t size, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation, bool ceil_mode,
               const char *op) {
  if (2 * pad > kernel)
    fail<ValueError>("[", op, "] padding is ", pad, ", expected at most half of the kernel's size ", kernel);
  const int64_t left = size + 2 * pad - (kernel - 1) * dilation - 1;
  if (left < 0 && !(ceil_mode && left > -stride && size > 0))
    fail<ValueError>("[", op, "] window of size ", kernel, " with dilation ", dilation, " covers ",
                     (kernel - 1) * dilation + 1, " elements, expected at most the input's ", size, " + 2 * ", pad,
                     " of padding");
  int64_t n = (left >= 0 ? (left + (ceil_mode ? stride - 1 : 0)) / stride : 0) + 1;
  return ceil_mode && (n - 1) * stride >= size + pad ? n - 1 : n;
}

void check_input(const Tensor &x, int axes, const char *op) {
  check_floating(x, op);
  if (x.ndim() != axes + 1 && x.ndim() != axes + 2)
    fail<ValueError>("[", op, "] input has shape ", x.shape(), ", expected ",
                     axes == 1 ? "[N,C,L] or [C,L]" : "[N,C,H,W] or [C,H,W]");
}

Shape with_size(const Tensor &x, int axes, Spatial size) {
  Shape shape = x.shape();
  shape[shape.size() - 1] = size.w;
  if (axes == 2)
    shape[shape.size() - 2] = size.h;
  return shape;
}

PoolAttributes attributes(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding,
                          const Dims &dilation, bool ceil_mode, int axes, const char *op) {
  check_input(x, axes, op);
  const Spatial k = spatial(kernel_size, axes, 1, 1, "kernel_size", op);
  const Spatial s = stride.empty() ? k : spatial(stride, axes, 1, 1, "stride", op);
  const Spatial p = spatial(padding, axes, 0, 0, "padding", op), d = spatial(dilation, axes, 1, 1, "dilation", op);
  const int64_t h = axes == 1 ? 1 : x.shape(-2), w = x.shape(-1);
  Pool2d g{};
  g.H = h, g.W = w, g.KH = k.h, g.KW = k.w, g.stride_h = s.h, g.stride_w = s.w, g.pad_h = p.h, g.pad_w = p.w;
  g.dilation_h = d.h, g.dilation_w = d.w;
  g.OH = places(h, k.h, s.h, p.h, d.h, ceil_mode, op), g.OW = places(w, k.w, s.w, p.w, d.w, ceil_mode, op);
  g.planes = h > 0 && w > 0 ? x.size() / (h * w) : 0;
  return {g, x.shape(), with_size(x, axes, {g.OH, g.OW})};
}

// Whether some window holds nothing but padding: dilation can step over a short axis.
bool hollow(int64_t size, int64_t out, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation) {
  for (int64_t i = 0; i < out; ++i) {
    bool inside = false;
    for (int64_t k = 0; k < kernel && !inside; ++k)
      inside = i * stride - pad + k * dilation >= 0 && i * stride - pad + k * dilation < size;
    if (!inside)
      return true;
  }
  return false;
}

Values max_pool(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding, const Dims &dilation,
                bool ceil_mode, int axes, const char *op) {
  PoolAttributes a = attributes(x, kernel_size, stride, padding, dilation, ceil_mode, axes, op);
  const Pool2d &g = a.g;
  a.hollow = (g.dilation_h > 1 && hollow(g.H, g.OH, g.KH, g.stride_h, g.pad_h, g.dilation_h)) ||
             (g.dilation_w > 1 && hollow(g.W, g.OW, g.KW, g.stride_w, g.pad_w, g.dilation_w));
  Tensor y[2];
  apply(make_op<MaxPool>(a), &x, 1, y);
  return {y[0], y[1]};
}

Tensor avg_pool(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding, bool ceil_mode,
                bool count_include_pad, std::optional<int64_t> divisor_override, int axes, const char *op) {
  PoolAttributes a = attributes(x, kernel_size, stride, padding, {1}, ceil_mode, axes, op);
  if (divisor_override && *divisor_override == 0)
    fail<ValueError>("[", op, "] divisor_override is 0, expected another number, or None");
  a.g.count_include_pad = count_include_pad;
  a.g.divisor_override = divisor_override.value_or(0);
  return average(a, x);
}

// Adaptive windows: output i covers [floor(i size / out), ceil((i + 1) size / out)).
AdaptiveAttributes adaptive(const Tensor &x, const Dims &output_size, int axes, const char *op) {
  check_input(x, axes, op);
  const Spatial out = spatial(output_size, axes, 1, 1, "output_size", op);
  const int64_t h = axes == 1 ? 1 : x.shape(-2), w = x.shape(-1);
  if (h < 1 || w < 1)
    fail<ValueError>("[", op, "] input has shape ", x.shape(), ", expected no empty plane");
  return {x.size() / (h * w), h, w, out.h, out.w, x.shape(), with_size(x, axes, out)};
}
bool is_even(const AdaptiveAttributes &a) {
  return a.H % a.OH == 0 && a.W % a.OW == 0;
} // all windows alike, side by side

Tensor adaptive_average(const Tensor &x, const Dims &output_size, int axes, const char *op) {
  AdaptiveAttributes a = adaptive(x, output_size, axes, op);
  if (!is_even(a))
    return adaptive_average(a, x);
  const Dims kernel = axes == 1 ? Dims{a.W / a.OW} : Dims{a.H / a.OH, a.W / a.OW};
  return avg_pool(x, kernel, kernel, {0}, false, true, {}, axes, op);
}

} // namespace

Values max_pool1d(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding,
                  const Dims &dilation, bool ceil_mode) {
  return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, 1, "max_pool1d");
}
Values max_pool2d(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding,
                  const Dims &dilation, bool ceil_mode) {
  return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, 2, "max_pool2d");
}
Tensor avg_pool1d(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding, bool ceil_mode,
                  bool count_include_pad, std::optional<int64_t> divisor_override) {
  return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, 1, "avg_pool1d");
}
Tensor avg_pool2d(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding, bool ceil_mode,
                  bool count_include_pad, std::optional<int64_t> divisor_override) {
  return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, 2, "avg_pool2d");
}
Tensor adaptive_avg_pool1d(const Tensor &x, const Dims &output_size) {
  return adaptive_average(x, output_size, 1, "adaptive_avg_pool1d");
}
Tensor adaptive_avg_pool2d(const Tensor &x, const Dims &output_size) {
  return adaptive_average(x, output_size, 2, "adaptive_avg_pool2d");
}
Values adaptive_max_pool2d(const Tensor &x, const Dims &output_size) {
  AdaptiveAttributes a = adaptive(x, output_size, 2, "adaptive_max_pool2d");
  Tensor planes = reshape(x, {a.planes, a.H * a.W}), at = adaptive_max_positions(a, x);
  return {reshape(take_along_axis(planes, reshape(at, {a.planes, a.OH * a.OW}), 1), a.y_shape), at};
}

} // namespace cinta::ops
