#include "cinta/ops/pool.h"

#include <algorithm>

#include "cinta/ops/channels_last.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/index.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

using kernels::Pool2d;

struct PoolAttributes {
  Pool2d g;
  bool channels_last; // x and y lie so, with their gradients
  Shape x_shape, y_shape;
  bool hollow = false; // the maximum of some windows is -inf at position -1, and has no gradient
  Tensor windows;      // one by one, as Pool2d takes them, or none: [1, 2 (OH + OW)], or for every plane
};
// What a maximum reads, and g with the windows that come last among it.
Tensors reads(const PoolAttributes &a, Tensors in) {
  if (a.windows)
    in.push_back(a.windows);
  return in;
}
Pool2d with_windows(Pool2d g, const Tensor *windows) {
  if (windows)
    g.windows = windows->data<int64_t>(), g.window_step = windows->shape()[0] > 1 ? windows->shape()[1] : 0;
  return g;
}

// to = kernel(from) in the memory order of the op; both in the shapes that users see
template <class Work>
Tensor run(const char *name, const PoolAttributes &a, const Tensor &from, const Shape &to, const Work &work) {
  const Laid x(from, a.channels_last);
  Laid y(to, x.memory.dtype(), a.channels_last);
  if (y.memory.size())
    compute(name, {x.memory}, {y.memory}, work);
  return y.take(from.dtype());
}

struct AveragePoolWork {
  Pool2d g;
  bool adjoint;
  void operator()(const Tensor *in, const Tensor *out) const {
    const int f = floating_index(in[0].dtype());
    (adjoint ? kernel().avg_pool_vjp : kernel().avg_pool)[f](g, in[0].data(), out[0].data());
  }
};
struct MaxPoolWork { // in: x, perhaps windows; out: the values and their places in the windows
  Pool2d g;
  bool given;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().max_pool[floating_index(in[0].dtype())](with_windows(g, given ? in + 1 : nullptr), in[0].data(),
                                                     out[0].data(), out[1].data());
  }
};
struct MaxPoolVjpWork { // in: places, dy, perhaps windows; out: dx
  Pool2d g;
  bool given;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().max_pool_vjp[floating_index(in[1].dtype())](with_windows(g, given ? in + 2 : nullptr), in[0].data(),
                                                         in[1].data(), out[0].data());
  }
};
const char *maximum_name(const PoolAttributes &a) {
  return a.windows ? "fractional_max_pool2d" : a.g.adaptive ? "adaptive_max_pool2d" : "max_pool2d";
}

Tensor average(const PoolAttributes &a, const Tensor &x);
Tensor average_adjoint(const PoolAttributes &a, const Tensor &dy);

struct AveragePool final : OpWith<PoolAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return g.adaptive ? "adaptive_avg_pool2d" : "avg_pool2d"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = run(name(), *this, in[0], y_shape, AveragePoolWork{g, false});
  }
  void vjp(Vjp &v) const override { v.dx(0, average_adjoint(*this, v.dy())); }
};

struct AveragePoolAdjoint final : OpWith<PoolAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return g.adaptive ? "adaptive_avg_pool2d_backward" : "avg_pool2d_backward"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = run(name(), *this, in[0], x_shape, AveragePoolWork{g, true});
  }
  void vjp(Vjp &v) const override { v.dx(0, average(*this, v.dy())); }
};

Tensor average(const PoolAttributes &a, const Tensor &x) { return apply(make_op<AveragePool>(a), {x}); }
Tensor average_adjoint(const PoolAttributes &a, const Tensor &dy) {
  return apply(make_op<AveragePoolAdjoint>(a), {dy});
}

struct PositionsWork { // in: places, perhaps windows
  Pool2d g;
  bool given;
  void operator()(const Tensor *in, const Tensor *out) const {
    const Pool2d p = with_windows(g, given ? in + 1 : nullptr);
    const auto begin = [&](const int64_t *begins, int64_t i, int64_t size, int64_t out, int64_t stride, int64_t pad) {
      return begins ? begins[i] : p.adaptive ? i * size / out : i * stride - pad;
    };
    for (int64_t k = 0; k < out[0].size(); ++k) {
      const int64_t i = k / p.OW % p.OH, j = k % p.OW, tap = int64_t(in[0].data<double>()[k]);
      const int64_t *rows = p.windows ? p.windows + k / (p.OH * p.OW) * p.window_step : nullptr;
      const int64_t *columns = rows ? rows + p.OH : nullptr;
      const int64_t h = begin(rows, i, p.H, p.OH, p.stride_h, p.pad_h) + tap / p.KW * p.dilation_h;
      const int64_t w = begin(columns, j, p.W, p.OW, p.stride_w, p.pad_w) + tap % p.KW * p.dilation_w;
      out[0].data<int64_t>()[k] = tap < 0 ? -1 : h * p.W + w;
    }
  }
};

// Where in the plane (h W + w) the maxima stood whose places in their windows are given, as int64; -1: nowhere.
Tensor positions(const PoolAttributes &a, const Tensor &place) {
  const Tensor where = contiguous(astype(detach(place), Dtype::float64)), at = empty(a.y_shape, Dtype::int64);
  const PositionsWork work{a.g, bool(a.windows)};
  compute("positions", reads(a, {where}), Tensors{at}, work);
  return at;
}

struct ScatterAttributes : PoolAttributes {
  Tensor place;
};
struct MaxPoolScatter final : OpWith<ScatterAttributes> { // the gradient goes where the maximum was
  using OpWith::OpWith;
  const char *name() const override { return "max_pool2d_backward"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    const GradMode off(false);
    const Laid places(place, channels_last);
    const Laid dy(astype(in[0], place.dtype()), channels_last);
    Laid dx(x_shape, dy.memory.dtype(), channels_last);
    if (dx.memory.size())
      compute(name(), reads(*this, {places.memory, dy.memory}), Tensors{dx.memory}, MaxPoolVjpWork{g, bool(windows)});
    *out = dx.take(in[0].dtype());
  }
  void vjp(Vjp &v) const override { // back from there: a gather
    const Shape inputs{count(y_shape) / (g.OH * g.OW), g.H * g.W}, outputs{inputs[0], g.OH * g.OW};
    const Tensor planes = reshape(v.dy(), inputs), at = reshape(positions(*this, place), outputs);
    if (!hollow)
      return v.dx(0, reshape(take_along_axis(planes, at, 1), y_shape));
    const Tensor nowhere = less(at, number(0, at)), d = take_along_axis(planes, where(nowhere, number(0, at), at), 1);
    v.dx(0, reshape(where(nowhere, number(0, d), d), y_shape));
  }
};

struct MaxPool final : OpWith<PoolAttributes> { // values, and their places in the windows
  using OpWith::OpWith;
  const char *name() const override { return maximum_name(*this); }
  int outputs() const override { return 2; }
  uint32_t saves() const override { return saves::output(1); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    const GradMode off(false);
    const bool wide = g.KH * g.KW > 1 << 24; // floats count places no further
    const Laid x(wide ? astype(in[0], Dtype::float64) : in[0], channels_last);
    const Dtype dtype = x.memory.dtype();
    Laid y(y_shape, dtype, channels_last), place(y_shape, dtype, channels_last);
    if (y.memory.size())
      compute(name(), reads(*this, {x.memory}), Tensors{y.memory, place.memory}, MaxPoolWork{g, bool(windows)});
    out[0] = y.take(in[0].dtype());
    out[1] = place.take(dtype);
  }
  void vjp(Vjp &v) const override {
    if (v.dy(0))
      v.dx(0, apply(make_op<MaxPoolScatter>({{*this}, alias(v.out(1))}), {v.dy(0)}));
  }
};
Values maximum(const PoolAttributes &a, const Tensor &x, bool with_positions) {
  Tensor y[2];
  apply(make_op<MaxPool>(a), &x, 1, y);
  return {y[0], with_positions ? positions(a, y[1]) : Tensor()};
}

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

// The problem g, its images and channels as x lies.
PoolAttributes in_memory_order(const Tensor &x, int axes, Pool2d g, bool planes = false) {
  const bool last = !planes && x.ndim() == axes + 2 && lies_channels_last(x);
  g.channels = last ? x.shape()[1] : 1;
  g.images = x.size() ? x.size() / (g.channels * g.H * g.W) : 0;
  return {g, last, x.shape(), with_size(x, axes, {g.OH, g.OW}), false, Tensor()};
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
  return in_memory_order(x, axes, g);
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
                bool ceil_mode, bool with_positions, int axes, const char *op) {
  PoolAttributes a = attributes(x, kernel_size, stride, padding, dilation, ceil_mode, axes, op);
  const Pool2d &g = a.g;
  a.hollow = (g.dilation_h > 1 && hollow(g.H, g.OH, g.KH, g.stride_h, g.pad_h, g.dilation_h)) ||
             (g.dilation_w > 1 && hollow(g.W, g.OW, g.KW, g.stride_w, g.pad_w, g.dilation_w));
  return maximum(a, x, with_positions);
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

// Adaptive windows: output i covers [floor(i size / out), ceil((i + 1) size / out)). Where they are all alike they are
// ordinary ones, side by side.
PoolAttributes adaptive(const Tensor &x, const Dims &output_size, int axes, const char *op) {
  check_input(x, axes, op);
  const Spatial out = spatial(output_size, axes, 1, 1, "output_size", op);
  Pool2d g{};
  g.H = axes == 1 ? 1 : x.shape(-2), g.W = x.shape(-1), g.OH = out.h, g.OW = out.w;
  if (g.H < 1 || g.W < 1)
    fail<ValueError>("[", op, "] input has shape ", x.shape(), ", expected no empty plane");
  g.adaptive = g.H % g.OH != 0 || g.W % g.OW != 0;
  g.KH = g.H / g.OH + (g.adaptive ? 2 : 0), g.KW = g.W / g.OW + (g.adaptive ? 2 : 0);
  g.stride_h = g.KH, g.stride_w = g.KW, g.dilation_h = g.dilation_w = 1;
  return in_memory_order(x, axes, g);
}

} // namespace

Values max_pool1d(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding,
                  const Dims &dilation, bool ceil_mode, bool with_positions) {
  return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, with_positions, 1, "max_pool1d");
}
Values max_pool2d(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding,
                  const Dims &dilation, bool ceil_mode, bool with_positions) {
  return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, with_positions, 2, "max_pool2d");
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
  return average(adaptive(x, output_size, 1, "adaptive_avg_pool1d"), x);
}
Tensor adaptive_avg_pool2d(const Tensor &x, const Dims &output_size) {
  return average(adaptive(x, output_size, 2, "adaptive_avg_pool2d"), x);
}
Values adaptive_max_pool1d(const Tensor &x, const Dims &output_size, bool with_positions) {
  return maximum(adaptive(x, output_size, 1, "adaptive_max_pool1d"), x, with_positions);
}
Values adaptive_max_pool2d(const Tensor &x, const Dims &output_size, bool with_positions) {
  return maximum(adaptive(x, output_size, 2, "adaptive_max_pool2d"), x, with_positions);
}
Values max_pool2d_windows(const Tensor &x, const Tensor &windows, const MaxWindows &of, bool with_positions) {
  Pool2d g{};
  g.H = x.shape(-2), g.W = x.shape(-1), g.OH = of.OH, g.OW = of.OW, g.KH = of.KH, g.KW = of.KW;
  g.dilation_h = g.dilation_w = 1;
  PoolAttributes a = in_memory_order(x, 2, g, windows.shape()[0] > 1);
  a.windows = windows;
  return maximum(a, x, with_positions);
}

} // namespace cinta::ops
