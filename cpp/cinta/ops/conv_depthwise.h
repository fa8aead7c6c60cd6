// Convolution with filters of its own for every channel, float32, in either memory order.
#pragma once
#include "cinta/ops/conv_run.h"

namespace cinta::ops {

bool depthwise(const ConvGeometry &g, const Tensor &x); // whether it is one that these take

// Images lie as [N,C,H,W] or with channels last.
Tensor depthwise_forward(const ConvGeometry &g, const Tensor &x, const Tensor &w, const Tensor &bias);
Tensor depthwise_backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &w);
Tensor depthwise_backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy);

} // namespace cinta::ops
