#include "cinta/ops/norm.h"

#include "cinta/ops/channels_last.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

void check_channels(const Tensor &t, const char *what, int64_t channels, const char *op) {
  if (t && !(t.shape() == Shape{channels}))
    fail<ValueError>("[", op, "] ", what, " has shape ", t.shape(), ", expected [", channels, "] (one per channel)");
}

Shape per_channel(const Tensor &x) { // [1,C,1,..]
  Shape shape(x.ndim(), 1);
  shape[1] = x.shape()[1];
  return shape;
}

// What is normalised together: each channel over the batch, each example's groups of channels, or its last axes.
enum class Over : uint8_t { batch, groups, features };

const void *data_or_null(const Tensor &t) { return t ? t.data() : nullptr; }
void *memory_or_null(const Tensor &t) { return t ? t.data() : nullptr; }

struct NormWork { // in: x, weight, bias, and the mean and variance where they are given; out: y, else those two as well
  kernels::Norm problem;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernels::Norm g = problem;
    g.weight = data_or_null(in[1]), g.bias = data_or_null(in[2]);
    const Tensor &mean = g.fixed ? in[3] : out[1], &var = g.fixed ? in[4] : out[2];
    kernel().norm[floating_index(in[0].dtype())](g, in[0].data(), out[0].data(), mean.data(), var.data());
  }
};
struct NormVjpWork { // in: x, dy, weight, mean, variance; out: dx, dweight, dbias, those that are asked for
  kernels::Norm problem;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernels::Norm g = problem;
    g.weight = data_or_null(in[2]);
    kernel().norm_vjp[floating_index(in[0].dtype())](g, in[0].data(), in[1].data(), in[3].data(), in[4].data(),
                                                     memory_or_null(out[0]), memory_or_null(out[1]),
                                                     memory_or_null(out[2]));
  }
};

struct NormAttributes {
  Over over;
  int64_t groups; // of channels, or of features: 1
  double eps;
  Shape normalized_shape; // of features
  Tensor mean, var;       // given, or empty: x's own
};
// y of x, weight (may be empty) and bias (may be empty); where mean and variance are not given, they, biased, too
struct Norm final : OpWith<NormAttributes> {
  using OpWith::OpWith;
  const char *name() const override {
    return over == Over::batch ? "batch_norm" : over == Over::groups ? "group_norm" : "layer_norm";
  }
  int outputs() const override { return mean ? 1 : 3; } // an op that held its own outputs would never go
  uint32_t saves() const override {
    return saves::input(0) | saves::input(1) | (mean ? saves::none : saves::output(1) | saves::output(2));
  }

  kernels::Norm problem(const Tensor &x, bool channels_last) const {
    const int64_t channels = over == Over::features ? count(normalized_shape) : x.shape()[1];
    const int64_t outer = over != Over::features ? x.shape()[0] : channels ? x.size() / channels : 0;
    const int64_t inner = x.size() ? x.size() / (outer * channels) : 0;
    return {outer, channels, inner, channels_last, over == Over::batch ? 0 : groups, bool(mean), eps, nullptr, nullptr};
  }
  void forward(const Tensor *in, int, Tensor *out) const override {
    const Laid x(in[0], over != Over::features && lies_channels_last(in[0]));
    const Dtype dtype = x.memory.dtype();
    Laid y(in[0].shape(), dtype, x.channels_last);
    const Tensor weight = in[1] ? contiguous_native(in[1]) : in[1], bias = in[2] ? contiguous_native(in[2]) : in[2];
    const kernels::Norm g = problem(in[0], x.channels_last);
    const Shape shape = over == Over::batch ? Shape{g.channels} : Shape{g.outer * g.groups};
    if (mean) {
      compute(name(), {x.memory, weight, bias, mean, var}, {y.memory}, NormWork{g});
    } else {
      out[1] = empty(shape, dtype), out[2] = empty(shape, dtype);
      compute(name(), {x.memory, weight, bias}, {y.memory, out[1], out[2]}, NormWork{g});
    }
    out[0] = y.take(in[0].dtype());
  }

  void vjp(Vjp &v) const override {
    if (!v.dy(0))
      return;
    if (grad_enabled())
      return recorded_vjp(v);
    const Tensor &given = v.in(0), none;
    const Laid x(given, over != Over::features && lies_channels_last(given)), dy(v.dy(0), x.channels_last);
    const Dtype dtype = x.memory.dtype();
    const Tensor weight = v.in(1) ? contiguous_native(v.in(1)) : none;
    const kernels::Norm g = problem(given, x.channels_last);
    const bool sums = v.needs(1) || v.needs(2);
    const Shape shape = over == Over::features ? normalized_shape : Shape{g.channels};
    Laid dx = v.needs(0) ? Laid(given.shape(), dtype, x.channels_last) : x;
    Tensor dw = sums ? empty(shape, dtype) : none, db = sums ? empty(shape, dtype) : none;
    compute(name(), {x.memory, dy.memory, weight, mean ? mean : v.out(1), mean ? var : v.out(2)},
            {v.needs(0) ? dx.memory : none, dw, db}, NormVjpWork{g});
    if (v.needs(0))
      v.dx(0, dx.take(given.dtype()));
    if (v.needs(1))
      v.dx(1, std::move(dw)); // weight and bias come in the compute type
    if (v.needs(2))
      v.dx(2, std::move(db));
  }

  // The same in ops: with z = (x - mean) r, r = (var + eps)^(-1/2) and g = dy weight,
  // dx = r (g - mean g - z mean(g z)), dweight = sum dy z, dbias = sum dy.
  void recorded_vjp(Vjp &v) const {
    const Tensor x = widened(v.in(0)), dy = widened(v.dy(0));
    Shape sets = x.shape(), weights = over == Over::features ? normalized_shape : per_channel(x);
    Axes axes;
    if (over == Over::batch) {
      for (int i = 0; i < x.ndim(); ++i)
        if (i != 1)
          axes.push_back(i);
    } else {
      const int64_t each = over == Over::features ? count(normalized_shape) : x.shape()[0] * groups;
      const int64_t other = each ? x.size() / each : 0;
      sets = over == Over::features ? Shape{other, each} : Shape{each, other};
      axes = Axes{1};
    }
    const auto average = [&](const Tensor &t) { return ops::mean(t, axes, true); };
    const Tensor z = reshape(x, sets), g = v.in(1) ? multiply(dy, reshape(widened(v.in(1)), weights)) : dy;
    const Tensor set_g = reshape(g, sets);
    Tensor r, normal, dx;
    if (mean) {
      r = rsqrt(add(reshape(var, weights), eps));
      normal = multiply(subtract(z, reshape(mean, weights)), r);
      dx = multiply(set_g, r);
    } else {
      const Tensor centred = subtract(z, average(z));
      r = rsqrt(add(average(square(centred)), eps));
      normal = multiply(centred, r);
      dx = multiply(r, subtract(subtract(set_g, average(set_g)), multiply(normal, average(multiply(set_g, normal)))));
    }
    if (v.needs(0))
      v.dx(0, narrowed(reshape(dx, x.shape()), v.in(0).dtype()));
    if (v.needs(1))
      v.dx(1, narrowed(reshape(sum_to(multiply(dy, reshape(normal, x.shape())), weights), v.in(1).shape()),
                       v.in(1).dtype()));
    if (v.needs(2))
      v.dx(2, reshape(sum_to(dy, weights), over == Over::features ? weights : Shape{x.shape()[1]}));
  }
};

struct Normalized {
  Tensor y, mean, var;
};
Normalized normalized(const Tensor &x, const Tensor &weight, const Tensor &bias, NormAttributes attributes) {
  const Dtype dtype = x.dtype() == Dtype::float64 ? Dtype::float64 : Dtype::float32;
  const auto fitted = [=](const Tensor &t) { return t ? astype(t, dtype) : t; };
  attributes.mean = fitted(attributes.mean), attributes.var = fitted(attributes.var);
  const Tensor in[3] = {x, fitted(weight), fitted(bias)};
  Tensor out[3];
  apply(make_op<Norm>(std::move(attributes)), in, 3, out);
  return {out[0], out[1], out[2]};
}

void blend(const Tensor &running, const Tensor &now, double momentum) { // running += momentum (now - running)
  GradMode off(false);
  Tensor r = detach(running), n = reshape(detach(now), running.shape());
  copy_inplace(running, add(r, multiply(subtract(astype(n, r.dtype()), r), momentum)));
}

} // namespace

Tensor batch_norm(const Tensor &x, const Tensor &running_mean, const Tensor &running_var, const Tensor &weight,
                  const Tensor &bias, const BatchNormOptions &options) {
  const char *op = "batch_norm";
  check_floating(x, op);
  if (x.ndim() < 2)
    fail<ValueError>("[batch_norm] input has shape ", x.shape(), ", expected [N,C] or [N,C,...]");
  const int64_t channels = x.shape()[1], per = channels ? x.size() / channels : 0;
  check_channels(running_mean, "running_mean", channels, op);
  check_channels(running_var, "running_var", channels, op);
  check_channels(weight, "weight", channels, op);
  check_channels(bias, "bias", channels, op);
  if (!options.training && running_mean && running_var)
    return normalized(x, weight, bias,
                      {Over::batch, 0, options.eps, {}, clone(detach(running_mean)), clone(detach(running_var))})
        .y;
  if (options.training && per <= 1)
    fail<ValueError>("[batch_norm] training needs more than one value per channel, got input shape ", x.shape(),
                     ": use a larger batch, or call .eval()");
  const Normalized result = normalized(x, weight, bias, {Over::batch, 0, options.eps, {}, {}, {}});
  if (options.training && running_mean)
    blend(running_mean, result.mean, options.momentum);
  if (options.training && running_var) { // the running variance is the unbiased one
    GradMode off(false);
    blend(running_var, multiply(result.var, double(per) / double(per - 1)), options.momentum);
  }
  return result.y;
}

Tensor layer_norm(const Tensor &x, const Shape &normalized_shape, const Tensor &weight, const Tensor &bias,
                  double eps) {
  check_floating(x, "layer_norm");
  int lead = x.ndim() - normalized_shape.size();
  bool fits = lead >= 0 && !normalized_shape.empty();
  for (int i = 0; fits && i < normalized_shape.size(); ++i)
    fits = x.shape()[lead + i] == normalized_shape[i];
  if (!fits)
    fail<ValueError>("[layer_norm] input has shape ", x.shape(), ", expected it to end in ", normalized_shape);
  for (const auto &[t, what] : {std::pair(&weight, "weight"), std::pair(&bias, "bias")})
    if (*t && !((*t).shape() == normalized_shape))
      fail<ValueError>("[layer_norm] ", what, " has shape ", (*t).shape(), ", expected ", normalized_shape);
  return normalized(x, weight, bias, {Over::features, 1, eps, normalized_shape, {}, {}}).y;
}

Tensor group_norm(const Tensor &x, int64_t groups, const Tensor &weight, const Tensor &bias, double eps) {
  check_floating(x, "group_norm");
  if (x.ndim() < 2 || groups < 1 || x.shape()[1] % groups)
    fail<ValueError>("[group_norm] input has shape ", x.shape(),
                     ", expected [N,C,...] with C divisible by num_groups = ", groups);
  check_channels(weight, "weight", x.shape()[1], "group_norm");
  check_channels(bias, "bias", x.shape()[1], "group_norm");
  return normalized(x, weight, bias, {Over::groups, groups, eps, {}, {}, {}}).y;
}

} // namespace cinta::ops
