#include "cinta/ops/norm.h"

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

// (x - mean) / sqrt(var + eps), then the affine map where given; `shape`: how weight and bias lie against x
Tensor normalized(const Tensor &centred, const Tensor &variance, double eps, const Tensor &weight, const Tensor &bias,
                  const Shape &shape) {
  Tensor scale = rsqrt(add(variance, eps));
  Tensor y = multiply(centred, scale);
  if (weight)
    y = multiply(y, reshape(weight, shape));
  return bias ? add(y, reshape(bias, shape)) : y;
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
  const Tensor z = widened(x);
  Shape shape = per_channel(x);
  if (!options.training && running_mean && running_var)
    return narrowed(normalized(subtract(z, reshape(running_mean, shape)), reshape(running_var, shape), options.eps,
                               weight, bias, shape),
                    x.dtype());
  if (options.training && per <= 1)
    fail<ValueError>("[batch_norm] training needs more than one value per channel, got input shape ", x.shape(),
                     ": use a larger batch, or call .eval()");
  Axes axes;
  for (int i = 0; i < x.ndim(); ++i)
    if (i != 1)
      axes.push_back(i);
  Tensor centre = mean(z, axes, true), centred = subtract(z, centre), variance = mean(square(centred), axes, true);
  if (options.training && running_mean)
    blend(running_mean, centre, options.momentum);
  if (options.training && running_var) {
    Tensor v = detach(variance); // the running variance is the unbiased one
    blend(running_var, multiply(v, double(per) / double(per - 1)), options.momentum);
  }
  return narrowed(normalized(centred, variance, options.eps, weight, bias, shape), x.dtype());
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
  Axes axes;
  for (int i = lead; i < x.ndim(); ++i)
    axes.push_back(i);
  Tensor z = widened(x), centred = subtract(z, mean(z, axes, true));
  return narrowed(normalized(centred, mean(square(centred), axes, true), eps, weight, bias, normalized_shape),
                  x.dtype());
}

Tensor group_norm(const Tensor &x, int64_t groups, const Tensor &weight, const Tensor &bias, double eps) {
  check_floating(x, "group_norm");
  if (x.ndim() < 2 || groups < 1 || x.shape()[1] % groups)
    fail<ValueError>("[group_norm] input has shape ", x.shape(),
                     ", expected [N,C,...] with C divisible by num_groups = ", groups);
  check_channels(weight, "weight", x.shape()[1], "group_norm");
  check_channels(bias, "bias", x.shape()[1], "group_norm");
  const int64_t rows = x.shape()[0] * groups;
  Tensor z = reshape(widened(x), {rows, rows ? x.size() / rows : 0});
  Tensor centred = subtract(z, mean(z, Axes{1}, true));
  Tensor y = reshape(normalized(centred, mean(square(centred), Axes{1}, true), eps, {}, {}, {}), x.shape());
  if (weight)
    y = multiply(y, reshape(weight, per_channel(x)));
  return narrowed(bias ? add(y, reshape(bias, per_channel(x))) : y, x.dtype());
}

} // namespace cinta::ops
