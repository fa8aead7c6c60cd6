#include "cinta/ops/conv.h"

#include <algorithm>
#include <tuple>

#include "cinta/ops/conv_arguments.h"
#include "cinta/ops/conv_run.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

Tensor backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &weight);
Tensor backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy);
Tensor forward(const ConvGeometry &g, const Tensor &x, const Tensor &weight, const Tensor &bias = {});

// Runs a direction. Which kernel does, and so in which memory order the result lies, is known when it has run; a replay
// finds the memory there, and copies where numbers out of range made another kernel take over.
template <class F> struct ConvWork {
  ConvGeometry g;
  int operands;
  F run; // (g, in, into) -> result
  void operator()(const Tensor *in, const Tensor *out) const {
    const Tensor operand[3] = {in[0], in[1], operands > 2 ? in[2] : Tensor()};
    const Tensor y = run(g, operand, out[0]);
    if (y.body() != out[0].body())
      copy(y, out[0]);
  }
};
template <class F> Tensor computed(const char *name, const ConvGeometry &g, const Tensor *in, int n, const F &run) {
  const Tensor operand[3] = {in[0], in[1], n > 2 ? in[2] : Tensor()};
  if (!recorder())
    return run(g, operand, Tensor());
  Tensor y;
  {
    const RecorderScope off(nullptr);
    y = run(g, operand, Tensor());
  }
  const double flops = 2.0 * double(g.N * g.O * g.OH * g.OW) * double(g.C / g.groups * g.KH * g.KW);
  compute({name, Effect::none, flops, true}, Operands(in, size_t(n)), Operands(&y, 1), ConvWork<F>{g, n, run});
  return y;
}

struct Conv final : OpWith<ConvGeometry> {
  using OpWith::OpWith;
  const char *name() const override { return "conv2d"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1); }
  void forward(const Tensor *in, int n, Tensor *out) const override {
    *out = computed(name(), *this, in, n, [](const ConvGeometry &g, const Tensor *in, const Tensor &into) {
      return run_conv(g, in[0], in[1], in[2], into);
    });
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, backward_data(*this, v.dy(), v.in(1)));
    if (v.needs(1))
      v.dx(1, backward_weight(*this, v.in(0), v.dy()));
    if (v.inputs() > 2 && v.needs(2))
      v.dx(2, sum(v.dy(), Axes{0, 2, 3}));
  }
};

struct ConvBackwardData final : OpWith<ConvGeometry> { // dx of dy and weight
  using OpWith::OpWith;
  const char *name() const override { return "conv2d_backward_data"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1); }
  void forward(const Tensor *in, int n, Tensor *out) const override {
    *out = computed(name(), *this, in, n, [](const ConvGeometry &g, const Tensor *in, const Tensor &into) {
      return run_backward_data(g, in[0], in[1], into);
    });
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, ops::forward(*this, v.dy(), v.in(1)));
    if (v.needs(1))
      v.dx(1, backward_weight(*this, v.dy(), v.in(0)));
  }
};

struct ConvBackwardWeight final : OpWith<ConvGeometry> { // dweight of x and dy
  using OpWith::OpWith;
  const char *name() const override { return "conv2d_backward_weight"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1); }
  void forward(const Tensor *in, int n, Tensor *out) const override {
    *out = computed(name(), *this, in, n, [](const ConvGeometry &g, const Tensor *in, const Tensor &into) {
      return run_backward_weight(g, in[0], in[1], into);
    });
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, backward_data(*this, v.in(1), v.dy()));
    if (v.needs(1))
      v.dx(1, ops::forward(*this, v.in(0), v.dy()));
  }
};

Tensor backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &weight) {
  return apply(make_op<ConvBackwardData>(g), {dy, weight});
}
Tensor backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy) {
  return apply(make_op<ConvBackwardWeight>(g), {x, dy});
}
Tensor forward(const ConvGeometry &g, const Tensor &x, const Tensor &weight, const Tensor &bias) {
  Tensor in[3] = {x, weight, bias}, y;
  apply(make_op<Conv>(g), in, bias ? 3 : 2, &y);
  return y;
}

// ---- arguments

const char *layout(bool transposed, int axes) {
  return transposed ? (axes == 1 ? "[I,O,K]" : "[I,O,KH,KW]") : axes == 1 ? "[O,I,K]" : "[O,I,KH,KW]";
}

// What forward and transposed convolution check alike.
void check(const Tensor &x, const Tensor &weight, const Tensor &bias, int axes, int64_t groups, bool transposed,
           const char *op) {
  check_floating(x, op);
  const char *input = axes == 1 ? "[N,C,L] or [C,L]" : "[N,C,H,W] or [C,H,W]";
  if (x.ndim() != axes + 2)
    fail<ValueError>("[", op, "] input has shape ", x.shape(), ", expected ", input);
  if (weight.ndim() != axes + 2)
    fail<ValueError>("[", op, "] weight has shape ", weight.shape(), ", expected ", layout(transposed, axes));
  for (const Tensor *t : {&weight, &bias})
    if (*t && t->dtype() != x.dtype())
      fail<TypeError>("[", op, "] ", t == &bias ? "bias" : "weight", " is ", t->dtype(), ", expected ", x.dtype(),
                      " as the input: convert one with .astype");
  if (x.shape()[1] < 1)
    fail<ValueError>("[", op, "] input has shape ", x.shape(), ", expected at least one channel (", input, ")");
  const int64_t channels = x.shape()[1], given = weight.shape()[0],
                outputs = transposed ? weight.shape()[1] * groups : given;
  if (groups < 1 || channels % groups || (!transposed && outputs % groups))
    fail<ValueError>("[", op, "] groups is ", groups, ", expected a divisor of the ", channels,
                     " input channels and of the ", outputs, " output channels");
  const int64_t expected = transposed ? channels : channels / groups, got = weight.shape()[transposed ? 0 : 1];
  if (got != expected)
    fail<ValueError>("[", op, "] weight has ", got, " input channels, expected ", expected, " (input ", input, " = ",
                     x.shape(), ", weight ", layout(transposed, axes), " = ", weight.shape(),
                     groups > 1 ? join(", groups ", groups) : std::string(), ")");
  if (bias && !(bias.shape() == Shape{outputs}))
    fail<ValueError>("[", op, "] bias has shape ", bias.shape(), ", expected [", outputs, "] (one per output channel)");
}

// Of x [N,C,H,W] or [N,C,L] under a kernel of KH by KW.
ConvGeometry geometry(const Shape &xs, int64_t KH, int64_t KW, const Dims &stride, const Padding &padding,
                      const Dims &dilation, int axes, const char *op) {
  check_mode(padding, op);
  const Spatial s = spatial(stride, axes, 1, 1, "stride", op), d = spatial(dilation, axes, 1, 1, "dilation", op);
  const Spatial p = padding.mode.empty() ? spatial(padding.sizes, axes, 0, 0, "padding", op) : Spatial{0, 0};
  ConvGeometry g{};
  g.N = xs[0], g.C = xs[1], g.H = axes == 1 ? 1 : xs[2], g.W = xs.back();
  g.KH = KH, g.KW = KW;
  g.stride_h = s.h, g.stride_w = s.w, g.dilation_h = d.h, g.dilation_w = d.w, g.pad_h = p.h, g.pad_w = p.w;
  place(g.H, g.KH, s.h, d.h, padding.mode, op, g.pad_h, g.OH);
  place(g.W, g.KW, s.w, d.w, padding.mode, op, g.pad_w, g.OW);
  return g;
}

Tensor conv(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride, const Padding &padding,
            const Dims &dilation, int64_t groups, int axes, const char *op) {
  check(x, weight, bias, axes, groups, false, op);
  const Shape xs = x.shape(), ws = weight.shape();
  ConvGeometry g = geometry(xs, axes == 1 ? 1 : ws[2], ws.back(), stride, padding, dilation, axes, op);
  g.O = ws[0], g.groups = groups;
  if (axes == 2)
    return forward(g, x, weight, bias);
  Tensor y = forward(g, reshape(x, {g.N, g.C, 1, g.W}), reshape(weight, {g.O, ws[1], 1, g.KW}), bias);
  return reshape(y, {g.N, g.O, g.OW});
}

Tensor conv_transpose(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride,
                      const Dims &padding, const Dims &output_padding, int64_t groups, const Dims &dilation, int axes,
                      const char *op) {
  check(x, weight, bias, axes, groups, true, op);
  const Spatial s = spatial(stride, axes, 1, 1, "stride", op), d = spatial(dilation, axes, 1, 1, "dilation", op);
  const Spatial p = spatial(padding, axes, 0, 0, "padding", op);
  const Spatial extra = spatial(output_padding, axes, 0, 0, "output_padding", op);
  for (auto [e, step, dilated] : {std::tuple(extra.h, s.h, d.h), std::tuple(extra.w, s.w, d.w)})
    if (e && e >= std::max(step, dilated))
      fail<ValueError>("[", op, "] output_padding is ", e, ", expected less than the stride ", step,
                       " or the dilation ", dilated);
  const Shape xs = x.shape(), ws = weight.shape();
  ConvGeometry g{}; // of the convolution whose gradient this is: its output is our input
  g.N = xs[0], g.O = xs[1], g.OH = axes == 1 ? 1 : xs[2], g.OW = xs.back();
  g.C = ws[1] * groups, g.KH = axes == 1 ? 1 : ws[2], g.KW = ws.back();
  g.stride_h = s.h, g.stride_w = s.w, g.dilation_h = d.h, g.dilation_w = d.w, g.pad_h = p.h, g.pad_w = p.w;
  g.groups = groups;
  g.H = (g.OH - 1) * s.h - 2 * p.h + (g.KH - 1) * d.h + 1 + extra.h;
  g.W = (g.OW - 1) * s.w - 2 * p.w + (g.KW - 1) * d.w + 1 + extra.w;
  if (g.H < 1 || g.W < 1)
    fail<ValueError>("[", op, "] output would have size ", Shape{g.H, g.W}, ", expected at least 1: take less padding");
  Tensor y = axes == 2 ? backward_data(g, x, weight)
                       : backward_data(g, reshape(x, {g.N, g.O, 1, g.OW}), reshape(weight, {g.O, ws[1], 1, g.KW}));
  if (bias)
    y = add(y, reshape(bias, {1, g.C, 1, 1}));
  return axes == 2 ? y : reshape(y, {g.N, g.C, g.W});
}

} // namespace

ConvGeometry conv2d_geometry(const Shape &x, int64_t KH, int64_t KW, const Dims &stride, const Padding &padding,
                             const Dims &dilation, const char *op) {
  return geometry(x, KH, KW, stride, padding, dilation, 2, op);
}

Tensor conv1d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride, const Padding &padding,
              const Dims &dilation, int64_t groups) {
  return batched(
      x, 1, [&](const Tensor &z) { return conv(z, weight, bias, stride, padding, dilation, groups, 1, "conv1d"); });
}
Tensor conv2d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride, const Padding &padding,
              const Dims &dilation, int64_t groups) {
  return batched(
      x, 2, [&](const Tensor &z) { return conv(z, weight, bias, stride, padding, dilation, groups, 2, "conv2d"); });
}
Tensor conv_transpose1d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride,
                        const Dims &padding, const Dims &output_padding, int64_t groups, const Dims &dilation) {
  return batched(x, 1, [&](const Tensor &z) {
    return conv_transpose(z, weight, bias, stride, padding, output_padding, groups, dilation, 1, "conv_transpose1d");
  });
}
Tensor conv_transpose2d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride,
                        const Dims &padding, const Dims &output_padding, int64_t groups, const Dims &dilation) {
  return batched(x, 2, [&](const Tensor &z) {
    return conv_transpose(z, weight, bias, stride, padding, output_padding, groups, dilation, 2, "conv_transpose2d");
  });
}

} // namespace cinta::ops
