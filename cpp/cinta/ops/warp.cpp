#include "cinta/ops/warp.h"

#include <cstring>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

using kernels::Border, kernels::Warp;

struct WarpAttributes {
  Warp g;
  Tensor matrices, displacement; // float64 [N,2,3]; of the images' native dtype, or none
};

struct WarpWork { // in: images or their gradient, matrices, perhaps displacement
  Warp g;
  bool displaced, adjoint;
  void operator()(const Tensor *in, const Tensor *out) const {
    const int f = floating_index(in[0].dtype());
    const auto run = adjoint ? kernel().warp_vjp[f] : kernel().warp[f];
    run(g, in[1].data<double>(), displaced ? in[2].data() : nullptr, in[0].data(), out[0].data());
  }
};

Tensor run(const char *name, const WarpAttributes &a, const Tensor &from, const Shape &to, bool adjoint) {
  const Tensor x = contiguous_native(from), y = empty(to, x.dtype());
  const WarpWork work{a.g, bool(a.displacement), adjoint};
  if (y.size()) {
    if (a.displacement)
      compute(name, {x, a.matrices, a.displacement}, {y}, work);
    else
      compute(name, {x, a.matrices}, {y}, work);
  }
  return from_native(y, from.dtype());
}

Tensor apply_warp(const WarpAttributes &a, const Tensor &x);
Tensor apply_adjoint(const WarpAttributes &a, const Tensor &dy);

struct WarpOp final : OpWith<WarpAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "warp"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = run(name(), *this, in[0], {g.N, g.C, g.OH, g.OW}, false);
  }
  void vjp(Vjp &v) const override { v.dx(0, apply_adjoint(*this, v.dy())); }
};

struct WarpAdjoint final : OpWith<WarpAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "warp_backward"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = run(name(), *this, in[0], {g.N, g.C, g.H, g.W}, true);
  }
  void vjp(Vjp &v) const override { // the fill is no part of what is linear
    WarpAttributes a = *this;
    a.g.fill = 0;
    v.dx(0, apply_warp(a, v.dy()));
  }
};

Tensor apply_warp(const WarpAttributes &a, const Tensor &x) { return apply(make_op<WarpOp>(a), {x}); }
Tensor apply_adjoint(const WarpAttributes &a, const Tensor &dy) { return apply(make_op<WarpAdjoint>(a), {dy}); }

void check_constant(const Tensor &x, const char *what) {
  if (x.requires_grad())
    fail<ValueError>("[warp] ", what,
                     " got a tensor that requires a gradient, expected one without: only the images "
                     "have one, pass it with .detach()");
  if (!is_floating(x.dtype()))
    fail<TypeError>("[warp] ", what, " has dtype ", x.dtype(), ", expected a floating dtype");
}

// Constants that an op keeps for its gradient are its own: nobody writes into them meanwhile.
Tensor kept(const Tensor &x, bool for_gradient) { return for_gradient ? clone(x) : contiguous(x); }

Tensor matrices_of(const Tensor &given, int64_t images, bool for_gradient) {
  const GradMode off(false);
  const Shape expected{images, 2, 3};
  if (!given) {
    const Tensor identity = empty({2, 3}, Dtype::float64);
    compute("identity", {}, {identity}, [](const Tensor *, const Tensor *out) {
      const double values[] = {1, 0, 0, 0, 1, 0};
      std::memcpy(out[0].data(), values, sizeof values);
    });
    return contiguous(broadcast_to(identity, expected));
  }
  check_constant(given, "matrices");
  if (!(given.shape() == Shape{2, 3}) && !(given.shape() == expected))
    fail<ValueError>("[warp] matrices have shape ", given.shape(), ", expected [2,3] or ", expected, ", one per image");
  return kept(broadcast_to(astype(given, Dtype::float64), expected), for_gradient);
}

Tensor displacement_of(const Tensor &given, const Shape &expected, Dtype dtype, bool for_gradient) {
  const GradMode off(false);
  check_constant(given, "displacement");
  if (!(given.shape() == expected))
    fail<ValueError>("[warp] displacement has shape ", given.shape(), ", expected ", expected,
                     ", (dx, dy) for every pixel of the result");
  return kept(astype(given, dtype), for_gradient);
}

} // namespace

Border border_of(const std::string &padding_mode, const char *op) {
  const char *names[] = {"constant", "edge", "reflect", "symmetric"};
  for (int i = 0; i < 4; ++i)
    if (padding_mode == names[i])
      return Border(i);
  fail<ValueError>("[", op, "] padding_mode is '", padding_mode,
                   "', expected 'constant', 'edge', 'reflect' or 'symmetric'");
}

Tensor warp(const Tensor &x, const Tensor &matrices, const Tensor &displacement, const WarpOptions &options) {
  check_floating(x, "warp");
  if (x.ndim() != 4)
    fail<ValueError>("[warp] images have shape ", x.shape(), ", expected [N,C,H,W]");
  const Shape s = x.shape();
  const Dims size = options.size.empty() ? Dims{s[2], s[3]} : options.size;
  if (size.size() != 2 || size[0] < 0 || size[1] < 0)
    fail<ValueError>("[warp] size is ", size, ", expected (height, width)");
  if (s[2] * s[3] == 0 && s[0] * s[1] * size[0] * size[1] > 0)
    fail<ValueError>("[warp] images have shape ", s, ", expected at least one pixel to make ", size, " of");
  // Pixels of a plane are counted in lanes of its numbers, and a float counts no further than 2^24.
  const bool large = s[2] * s[3] > 1 << 24 && x.dtype() != Dtype::float64;
  const Dtype native = large || x.dtype() == Dtype::float64 ? Dtype::float64 : Dtype::float32;
  WarpAttributes a{{s[0], s[1], s[2], s[3], size[0], size[1], options.border, options.nearest, options.fill}, {}, {}};
  a.matrices = matrices_of(matrices, s[0], x.requires_grad());
  if (displacement)
    a.displacement = displacement_of(displacement, {s[0], 2, size[0], size[1]}, native, x.requires_grad());
  return large ? astype(apply_warp(a, astype(x, native)), x.dtype()) : apply_warp(a, x);
}

} // namespace cinta::ops
