// Convolution. conv2d, its gradient by the input and its gradient by the weight are three operations closed under
// differentiation: each is linear in both of its inputs, and its rules are the other two.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

// Spatial arguments: one number for every axis, or one each.
struct Padding {
  std::string mode; // "same" (ceil(size / stride) outputs, the odd one padded after), "valid", or empty: `sizes`
  Dims sizes;
};

// What [KH,KW] makes of images [N,C,H,W]: sizes, strides and paddings, checked; O and groups are the caller's to set.
struct ConvGeometry;
ConvGeometry conv2d_geometry(const Shape &x, int64_t KH, int64_t KW, const Dims &stride, const Padding &padding,
                             const Dims &dilation, const char *op);

// x [N,C,L], weight [O,C/groups,K], bias [O] or empty -> [N,O,L']
Tensor conv1d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride, const Padding &padding,
              const Dims &dilation, int64_t groups);
// x [N,C,H,W], weight [O,C/groups,KH,KW], bias [O] or empty -> [N,O,H',W']
Tensor conv2d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride, const Padding &padding,
              const Dims &dilation, int64_t groups);
// x [N,C,L], weight [C,O/groups,K], bias [O] or empty -> [N,O,L']
Tensor conv_transpose1d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride,
                        const Dims &padding, const Dims &output_padding, int64_t groups, const Dims &dilation);
// x [N,C,H,W], weight [C,O/groups,KH,KW], bias [O] or empty -> [N,O,H',W']
Tensor conv_transpose2d(const Tensor &x, const Tensor &weight, const Tensor &bias, const Dims &stride,
                        const Dims &padding, const Dims &output_padding, int64_t groups, const Dims &dilation);

} // namespace cinta::ops
