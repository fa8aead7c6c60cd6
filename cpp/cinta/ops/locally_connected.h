// Locally connected layers: convolutions whose kernel is another one at every place of the output. The operation, its
// gradient by the input and its gradient by the weight are closed under differentiation, as those of conv2d.
#pragma once
#include "cinta/ops/conv.h"

namespace cinta::ops {

// x [N,C,L], weight [L',O,K,C/groups], bias [O,L'] or empty -> [N,O,L']
Tensor locally_connected1d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride,
                           const Padding &padding, const Dims &dilation, int64_t groups);
// x [N,C,H,W], weight [H',W',O,KH,KW,C/groups], bias [O,H',W'] or empty -> [N,O,H',W']
Tensor locally_connected2d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride,
                           const Padding &padding, const Dims &dilation, int64_t groups);

} // namespace cinta::ops
