// Convolution by the im2col matrix that has a row for every tap of every channel: for images with few channels, whose
// rows of pixels are the longer runs of memory. Everything lies as [N,C,H,W].
#pragma once
#include "cinta/ops/conv_run.h"

namespace cinta::ops {

// Whether columns of the matrix are images side by side, pixel by pixel: with many images whose rows fill no vectors, or
// lie in memory in steps that no vector load takes.
bool planes_weave(const ConvGeometry &g);

Tensor planes_forward(const ConvGeometry &g, const Tensor &x, const Tensor &w, const Tensor &bias);
Tensor planes_backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &w);
Tensor planes_backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy);

} // namespace cinta::ops
