// Convolution in float32 with an implicit im2col: what every level of instruction sets shares, compiled once for each.
#include "cinta/base/parallel.h"
#include "cinta/kernels/kernels.h"

// Each builds on those above it.
// clang-format off
#include "cinta/kernels/cpu/conv/planes.inl"
#include "cinta/kernels/cpu/conv/tiles.inl"
#include "cinta/kernels/cpu/conv/weight_tiles.inl"
#include "cinta/kernels/cpu/conv/forward.inl"
#include "cinta/kernels/cpu/conv/woven.inl"
#include "cinta/kernels/cpu/conv/run.inl"
#include "cinta/kernels/cpu/conv/weight.inl"
#include "cinta/kernels/cpu/conv/depthwise_strips.inl"
#include "cinta/kernels/cpu/conv/depthwise_images.inl"
#include "cinta/kernels/cpu/conv/depthwise_planes.inl"
#include "cinta/kernels/cpu/conv/depthwise_runs.inl"
#include "cinta/kernels/cpu/conv/depthwise.inl"
#include "cinta/kernels/cpu/conv/sparse_woven.inl"
#include "cinta/kernels/cpu/conv/sparse.inl"
// clang-format on

namespace cinta::kernels::CINTA_ISA {
namespace {

inline double lanes_share(const Conv2d &g) {
  return lanes_along_images(g) ? lanes_used(g.N) : lanes_along_rows(g) ? lanes_used(g.OW) : lanes_used(g.O);
}

// Whether enough lanes are busy to beat im2col + gemm. A stride leaves no such way back to dx.
inline bool conv2d_fits(const Conv2d &g, Direction direction) {
  if (g.y_channels_last && (direction == Direction::backward_data || lanes_along_images(g) || lanes_along_rows(g)))
    return false;
  if (g.stride_h > 1 || g.stride_w > 1)
    return direction != Direction::backward_data && g.KH * g.KW > 1 && g.KH >= g.stride_h && g.KW >= g.stride_w &&
           Planes(g).image < 1 << 30 && lanes_share(g) >= 0.6;
  const bool no_cropping = (g.KH - 1) * g.dilation_h >= g.pad_h && (g.KW - 1) * g.dilation_w >= g.pad_w;
  const int64_t floats = at_least(Planes(g).image, Planes(adjoint(g)).image); // taps hold 32-bit offsets
  return g.KH * g.KW > 1 && no_cropping && floats < 1 << 30 && lanes_share(g) >= 0.4 && lanes_share(adjoint(g)) >= 0.4;
}

} // namespace

void fill_conv(Table &table) {
  table.conv2d_fits = conv2d_fits;
  table.conv2d_forward = conv2d_forward;
  table.conv2d_backward_data = conv2d_backward_data;
  table.conv2d_backward_weight = conv2d_backward_weight;
  table.depthwise_forward = depthwise_forward;
  table.depthwise_backward_data = depthwise_backward_data;
  table.depthwise_backward_weight = depthwise_backward_weight;
  table.sparse_share = sparse_share;
  table.sparse_filter = sparse_filter;
  table.sparse_weight = sparse_weight;
}

} // namespace cinta::kernels::CINTA_ISA
