// Convolution by a table of connections: which planes of the input an output plane sees.
#pragma once
#include "cinta/ops/conv.h"

namespace cinta::ops {

// x [N,C,H,W] or [C,H,W], weight [P,1,KH,KW], connections [O,C] of bool, P of them true, bias [O] or empty ->
// [N,O,H',W']
Tensor sparse_conv2d(const Tensor &x, const Tensor &weight, const Tensor &connections, const Tensor &bias,
                     const Dims &stride, const Padding &padding, const Dims &dilation);

} // namespace cinta::ops
