// The three directions of conv2d, computed; nothing here is recorded.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

struct ConvGeometry : kernels::Conv2d { // C and O over all groups
  int64_t groups;
};

// Memory for a result, contiguous or channels last: `into` where it lies so, else fresh.
Tensor result_memory(const Shape &shape, Dtype dtype, bool channels_last, const Tensor &into);

// into: memory for the result, taken where it lies as the result does; may be empty.
Tensor run_conv(const ConvGeometry &g, const Tensor &x, const Tensor &weight, const Tensor &bias, const Tensor &into);
Tensor run_backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &weight, const Tensor &into);
Tensor run_backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy, const Tensor &into);

} // namespace cinta::ops
