// Adaptive windows of any size: output i covers [floor(i size / out), ceil((i + 1) size / out)).
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

struct AdaptiveAttributes {
  int64_t planes, H, W, OH, OW;
  Shape x_shape, y_shape;
};

Tensor adaptive_average(const AdaptiveAttributes &a, const Tensor &x);
Tensor adaptive_max_positions(const AdaptiveAttributes &a, const Tensor &x); // h W + w of each maximum, not recorded

} // namespace cinta::ops
