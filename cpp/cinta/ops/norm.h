// Normalisation over the batch, the features, groups of channels, or the channels around each.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

struct BatchNormOptions {
  bool training = false;
  double momentum = 0.1, eps = 1e-5;
};
// x [N,C,..]; running_mean, running_var [C] or empty are updated in training; weight, bias [C] or empty
Tensor batch_norm(const Tensor &x, const Tensor &running_mean, const Tensor &running_var, const Tensor &weight,
                  const Tensor &bias, const BatchNormOptions &options);
Tensor layer_norm(const Tensor &x, const Shape &normalized_shape, const Tensor &weight, const Tensor &bias, double eps);
Tensor group_norm(const Tensor &x, int64_t groups, const Tensor &weight, const Tensor &bias, double eps);
Tensor local_response_norm(const Tensor &x, int64_t size, double alpha, double beta, double k);

} // namespace cinta::ops
