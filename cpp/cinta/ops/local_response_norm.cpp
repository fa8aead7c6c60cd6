#include "cinta/ops/channels_last.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/join.h"
#include "cinta/ops/norm.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

struct LocalResponseAttributes {
  int64_t size;
  double alpha, beta, k;
};
struct LocalResponseWork {
  kernels::LocalResponse problem;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().local_response[floating_index(in[0].dtype())](problem, in[0].data(), out[0].data());
  }
};
struct LocalResponseVjpWork { // in: x, dy; out: dx
  kernels::LocalResponse problem;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().local_response_vjp[floating_index(in[0].dtype())](problem, in[0].data(), in[1].data(), out[0].data());
  }
};

struct LocalResponseNorm final : OpWith<LocalResponseAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "local_response_norm"; }
  uint32_t saves() const override { return saves::input(0); }

  kernels::LocalResponse problem(const Tensor &x, bool channels_last) const {
    const int64_t outer = x.shape()[0], channels = x.shape()[1];
    return {outer, channels, x.size() ? x.size() / (outer * channels) : 0, channels_last, size, alpha, beta, k};
  }
  void forward(const Tensor *in, int, Tensor *out) const override {
    const Laid x(in[0], lies_channels_last(in[0]));
    Laid y(in[0].shape(), x.memory.dtype(), x.channels_last);
    if (y.memory.size())
      compute(name(), {x.memory}, {y.memory}, LocalResponseWork{problem(in[0], x.channels_last)});
    out[0] = y.take(in[0].dtype());
  }
  void vjp(Vjp &v) const override {
    if (grad_enabled())
      return recorded_vjp(v);
    const Laid x(v.in(0), lies_channels_last(v.in(0))), dy(v.dy(0), x.channels_last);
    Laid dx(v.in(0).shape(), x.memory.dtype(), x.channels_last);
    if (dx.memory.size())
      compute("local_response_norm_backward", {x.memory, dy.memory}, {dx.memory},
              LocalResponseVjpWork{problem(v.in(0), x.channels_last)});
    v.dx(0, dx.take(v.in(0).dtype()));
  }

  // The sum over channels from `before` in front to `after` behind, of what lies there.
  static Tensor around(const Tensor &x, int64_t before, int64_t after) {
    std::vector<std::pair<int64_t, int64_t>> width(size_t(x.ndim()), {0, 0});
    width[1] = {before, after};
    const Tensor padded = pad(x, width, "constant", 0);
    Tensor sum = narrow(padded, 1, 0, x.shape()[1]);
    for (int64_t i = 1; i <= before + after; ++i)
      sum = add(sum, narrow(padded, 1, i, x.shape()[1]));
    return sum;
  }
  // The same in ops: dx = dy d^-beta - 2 beta alpha / size x around'(dy x d^(-beta - 1)).
  void recorded_vjp(Vjp &v) const {
    const Tensor x = widened(v.in(0)), dy = widened(v.dy(0));
    const int64_t before = size / 2, after = (size - 1) / 2;
    const Tensor d = add(multiply(around(square(x), before, after), alpha / double(size)), k);
    const Tensor direct = multiply(dy, power(d, number(-beta, d)));
    const Tensor others = around(divide(multiply(direct, x), d), after, before);
    const Tensor dx = subtract(direct, multiply(multiply(x, others), 2 * beta * alpha / double(size)));
    v.dx(0, narrowed(dx, v.in(0).dtype()));
  }
};

} // namespace

Tensor local_response_norm(const Tensor &x, int64_t size, double alpha, double beta, double k) {
  check_floating(x, "local_response_norm");
  if (x.ndim() < 3)
    fail<ValueError>("[local_response_norm] input has shape ", x.shape(), ", expected [N,C,L] or [N,C,...]");
  if (size < 1)
    fail<ValueError>("[local_response_norm] size is ", size, ", expected at least 1 channel");
  return apply(make_op<LocalResponseNorm>({size, alpha, beta, k}), {x});
}

} // namespace cinta::ops
