#include "cinta/ops/locally_connected.h"

#include "cinta/ops/channels_last.h"
#include "cinta/ops/conv_arguments.h"
#include "cinta/ops/reduce.h"

namespace cinta::ops {
namespace {

using Geometry = kernels::LocallyConnected;

Tensor forward(const Geometry &g, const Tensor &x, const Tensor &weight, const Tensor &bias = {});
Tensor backward_data(const Geometry &g, const Tensor &dy, const Tensor &weight);
Tensor backward_weight(const Geometry &g, const Tensor &x, const Tensor &dy);

Shape weight_shape(const Geometry &g) { return {g.OH, g.OW, g.O, g.KH, g.KW, g.C / g.groups}; }
Label label(const char *name, const Geometry &g) {
  return {name, Effect::none, 2.0 * double(g.N * g.OH * g.OW * g.O) * double(g.KH * g.KW * (g.C / g.groups))};
}

struct ForwardWork { // in: x, weight, perhaps bias
  Geometry g;
  bool biased;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().locally_connected_forward[floating_index(in[0].dtype())](g, in[0].data(), in[1].data(),
                                                                      biased ? in[2].data() : nullptr, out[0].data());
  }
};
struct BackwardDataWork { // in: dy, weight
  Geometry g;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().locally_connected_backward_data[floating_index(in[0].dtype())](g, in[0].data(), in[1].data(),
                                                                            out[0].data());
  }
};
struct BackwardWeightWork { // in: x, dy
  Geometry g;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().locally_connected_backward_weight[floating_index(in[0].dtype())](g, in[0].data(), in[1].data(),
                                                                              out[0].data());
  }
};

struct LocallyConnected final : OpWith<Geometry> {
  using OpWith::OpWith;
  const char *name() const override { return "locally_connected2d"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1); }
  void forward(const Tensor *in, int n, Tensor *out) const override {
    const Laid x(in[0], true);
    const Tensor w = contiguous_native(in[1]), bias = n > 2 ? contiguous_native(in[2]) : Tensor();
    Laid y({N, O, OH, OW}, x.memory.dtype(), true);
    if (y.memory.size()) {
      if (bias)
        compute(label(name(), *this), {x.memory, w, bias}, {y.memory}, ForwardWork{*this, true});
      else
        compute(label(name(), *this), {x.memory, w}, {y.memory}, ForwardWork{*this, false});
    }
    *out = y.take(in[0].dtype());
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, backward_data(*this, v.dy(), v.in(1)));
    if (v.needs(1))
      v.dx(1, backward_weight(*this, v.in(0), v.dy()));
    if (v.inputs() > 2 && v.needs(2))
      v.dx(2, sum(v.dy(), Axes{0}));
  }
};

struct LocallyConnectedBackwardData final : OpWith<Geometry> { // dx of dy and weight
  using OpWith::OpWith;
  const char *name() const override { return "locally_connected2d_backward_data"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    const Laid dy(in[0], true);
    const Tensor w = contiguous_native(in[1]);
    Laid dx({N, C, H, W}, dy.memory.dtype(), true);
    if (dx.memory.size())
      compute(label(name(), *this), {dy.memory, w}, {dx.memory}, BackwardDataWork{*this});
    *out = dx.take(in[0].dtype());
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, ops::forward(*this, v.dy(), v.in(1)));
    if (v.needs(1))
      v.dx(1, backward_weight(*this, v.dy(), v.in(0)));
  }
};

struct LocallyConnectedBackwardWeight final : OpWith<Geometry> { // dweight of x and dy
  using OpWith::OpWith;
  const char *name() const override { return "locally_connected2d_backward_weight"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    if (N == 0) {
      *out = zeros(weight_shape(*this), in[0].dtype());
      return;
    }
    const Laid x(in[0], true), dy(in[1], true);
    const Tensor dw = empty(weight_shape(*this), x.memory.dtype());
    compute(label(name(), *this), {x.memory, dy.memory}, {dw}, BackwardWeightWork{*this});
    *out = from_native(dw, in[0].dtype());
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, backward_data(*this, v.in(1), v.dy()));
    if (v.needs(1))
      v.dx(1, ops::forward(*this, v.in(0), v.dy()));
  }
};

Tensor forward(const Geometry &g, const Tensor &x, const Tensor &weight, const Tensor &bias) {
  Tensor in[3] = {x, weight, bias}, y;
  apply(make_op<LocallyConnected>(g), in, bias ? 3 : 2, &y);
  return y;
}
Tensor backward_data(const Geometry &g, const Tensor &dy, const Tensor &weight) {
  return apply(make_op<LocallyConnectedBackwardData>(g), {dy, weight});
}
Tensor backward_weight(const Geometry &g, const Tensor &x, const Tensor &dy) {
  return apply(make_op<LocallyConnectedBackwardWeight>(g), {x, dy});
}

// ---- arguments; one axis is two with H = 1

struct Names { // of the axes, in errors
  const char *op, *input, *weight, *bias;
};
constexpr Names kNames[] = {
    {"locally_connected1d", "[N,C,L] or [C,L]", "[L',O,K,C/groups]", "[O,L']"},
    {"locally_connected2d", "[N,C,H,W] or [C,H,W]", "[H',W',O,KH,KW,C/groups]", "[O,H',W']"},
};

// What does not depend on where kernels stand.
void check(const Tensor &x, const Tensor &weight, const Tensor &bias, int axes, int64_t groups) {
  const auto [op, input, layout, places] = kNames[axes - 1];
  check_floating(x, op);
  if (x.ndim() != axes + 2)
    fail<ValueError>("[", op, "] input has shape ", x.shape(), ", expected ", input);
  if (weight.ndim() != 2 * axes + 2)
    fail<ValueError>("[", op, "] weight has shape ", weight.shape(), ", expected ", layout);
  for (const Tensor *t : {&weight, &bias})
    if (*t && t->dtype() != x.dtype())
      fail<TypeError>("[", op, "] ", t == &bias ? "bias" : "weight", " is ", t->dtype(), ", expected ", x.dtype(),
                      " as the input: convert one with .astype");
  const int64_t channels = x.shape()[1], outputs = weight.shape()[axes], got = weight.shape(-1);
  if (channels < 1 || outputs < 1)
    fail<ValueError>("[", op, "] got ", channels, " input channels and ", outputs,
                     " output channels, expected at least one of each (input ", input, " = ", x.shape(), ", weight ",
                     layout, " = ", weight.shape(), ")");
  if (groups < 1 || channels % groups || outputs % groups)
    fail<ValueError>("[", op, "] groups is ", groups, ", expected a divisor of the ", channels,
                     " input channels and of the ", outputs, " output channels");
  if (got != channels / groups)
    fail<ValueError>("[", op, "] weight has ", got, " input channels, expected ", channels / groups, " (input ", input,
                     " = ", x.shape(), ", weight ", layout, " = ", weight.shape(),
                     groups > 1 ? join(", groups ", groups) : std::string(), ")");
}

Geometry geometry(const Tensor &x, const Tensor &weight, const Dims &stride, const Padding &padding,
                  const Dims &dilation, int64_t groups, int axes) {
  const char *op = kNames[axes - 1].op;
  check_mode(padding, op);
  const Spatial s = spatial(stride, axes, 1, 1, "stride", op), d = spatial(dilation, axes, 1, 1, "dilation", op);
  const Spatial p = padding.mode.empty() ? spatial(padding.sizes, axes, 0, 0, "padding", op) : Spatial{0, 0};
  const Shape &xs = x.shape(), &ws = weight.shape();
  Geometry g{};
  g.N = xs[0], g.C = xs[1], g.H = axes == 1 ? 1 : xs[2], g.W = xs.back();
  g.O = ws[axes], g.KH = axes == 1 ? 1 : ws[3], g.KW = ws[ws.size() - 2], g.groups = groups;
  g.stride_h = s.h, g.stride_w = s.w, g.dilation_h = d.h, g.dilation_w = d.w, g.pad_h = p.h, g.pad_w = p.w;
  place(g.H, g.KH, s.h, d.h, padding.mode, op, g.pad_h, g.OH);
  place(g.W, g.KW, s.w, d.w, padding.mode, op, g.pad_w, g.OW);
  return g;
}

Tensor locally_connected(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride,
                         const Padding &padding, const Dims &dilation, int64_t groups, int axes) {
  const auto [op, input, layout, places] = kNames[axes - 1];
  check(x, weight, bias, axes, groups);
  const Geometry g = geometry(x, weight, stride, padding, dilation, groups, axes);
  const Shape out = axes == 1 ? Shape{g.OW} : Shape{g.OH, g.OW};
  for (int i = 0; i < axes; ++i)
    if (weight.shape()[i] != out[i])
      fail<ValueError>("[", op, "] weight has shape ", layout, " = ", weight.shape(),
                       ", kernels for another number of ", "places than the ", out, " that an input of ", x.shape(),
                       " has: expected the input_size that ", "the weight was made for");
  const Shape bias_shape = axes == 1 ? Shape{g.O, g.OW} : Shape{g.O, g.OH, g.OW};
  if (bias && !(bias.shape() == bias_shape))
    fail<ValueError>("[", op, "] bias has shape ", bias.shape(), ", expected ", places, " = ", bias_shape,
                     " (one per output channel and place)");
  if (axes == 2)
    return forward(g, x, weight, bias);
  const Tensor y = forward(g, reshape(x, {g.N, g.C, 1, g.W}), reshape(weight, weight_shape(g)),
                           bias ? reshape(bias, {g.O, 1, g.OW}) : bias);
  return reshape(y, {g.N, g.O, g.OW});
}

} // namespace

Tensor locally_connected1d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride,
                           const Padding &padding, const Dims &dilation, int64_t groups) {
  return batched(
      x, 1, [&](const Tensor &z) { return locally_connected(z, weight, bias, stride, padding, dilation, groups, 1); });
}
Tensor locally_connected2d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride,
                           const Padding &padding, const Dims &dilation, int64_t groups) {
  return batched(
      x, 2, [&](const Tensor &z) { return locally_connected(z, weight, bias, stride, padding, dilation, groups, 2); });
}

} // namespace cinta::ops
