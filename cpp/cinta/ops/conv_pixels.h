// Convolution by the im2col matrix that has a row for every output pixel: for images with many channels, whose rows are
// long runs of memory once channels are contiguous. Results lie as the images that they are computed from.
#pragma once
#include "cinta/ops/conv_run.h"

namespace cinta::ops {

Tensor pixels_forward(const ConvGeometry &g, const Tensor &x, const Tensor &w, const Tensor &bias, const Tensor &into);
Tensor pixels_backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &w, const Tensor &into);
Tensor pixels_backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy, const Tensor &into);

} // namespace cinta::ops
