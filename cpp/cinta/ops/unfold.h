// The im2col matrix as a tensor, and its adjoint.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

// x [N,C,H,W] -> [N, C KH KW, places of the window]
Tensor unfold(const Tensor &x, const Dims &kernel_size, const Dims &dilation, const Dims &padding, const Dims &stride);
// [N, C KH KW, places] -> [N,C,H,W], windows that overlap are summed
Tensor fold(const Tensor &x, const Dims &output_size, const Dims &kernel_size, const Dims &dilation,
            const Dims &padding, const Dims &stride);

} // namespace cinta::ops
