// One filter for every channel is one call of a kernel. Where each channel has several, the kernel is called for the
// first of each, the second, and so on: filter m of channel c makes channel c * filters + m of y.
#include "cinta/ops/conv_depthwise.h"

#include <algorithm>

#include "cinta/ops/channels_last.h"

namespace cinta::ops {
namespace {

using kernels::Conv2d, kernels::Compute, kernels::Direction;

Conv2d in_order(const ConvGeometry &g, bool last) {
  Conv2d p = g;
  p.x_batch = g.C * g.H * g.W, p.y_batch = g.O * g.OH * g.OW;
  p.channels_last = last;
  return p;
}

// [filter][channel][n] of [channel][filter][n], or back.
void swap(int64_t channels, int64_t filters, int64_t n, const Tensor &from, const Tensor &to) {
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t m = 0; m < filters; ++m)
      std::copy_n(from.data<float>() + (c * filters + m) * n, n, to.data<float>() + (m * channels + c) * n);
}
Tensor swapped(int64_t channels, int64_t filters, int64_t n, const Tensor &x) {
  const Tensor y = empty({channels * filters * n}, Dtype::float32);
  swap(channels, filters, n, x, y);
  return y;
}

// How often each channel is filtered, and how images are taken: several filters want planes.
struct Filters {
  int64_t count, taps;
  bool last;
  Filters(const ConvGeometry &g, const Tensor &x)
      : count(g.O / g.C), taps(g.KH * g.KW), last(count == 1 && lies_channels_last(x)) {}
  Tensor laid(const Tensor &x) const { return last ? channels_last(x) : contiguous_native(x); }
};

} // namespace

bool depthwise(const ConvGeometry &g, Direction direction, const Tensor &x) {
  if (g.groups == 1 || g.C != g.groups || compute_type(x.dtype()) != Compute::f32)
    return false;
  if (g.O == g.C)
    return true;
  // Several filters read the images as often: worth it where lanes are busy along rows, or along channels.
  const int64_t row = std::min(g.W, g.OW);
  const bool strides = g.stride_h > 1 || g.stride_w > 1, sums = direction == Direction::backward_weight && row < 24;
  const bool busy = g.C >= 64 || (!strides && row >= 16);
  return busy && g.H > 1 && g.OH * g.OW >= 8 && g.KH * g.KW <= 25 && g.O <= (strides || sums ? 2 : 4) * g.C;
}

Tensor depthwise_forward(const ConvGeometry &g, const Tensor &x, const Tensor &w, const Tensor &bias,
                         const Tensor &into) {
  const Filters f(g, x);
  const Tensor from = f.laid(x), y = result_memory({g.N, g.O, g.OH, g.OW}, Dtype::float32, f.last, into);
  const Tensor weights = f.count > 1 ? swapped(g.C, f.count, f.taps, w) : w;
  const Tensor start = bias && f.count > 1 ? swapped(g.C, f.count, 1, bias) : bias;
  for (int64_t m = 0; m < f.count; ++m)
    kernel().depthwise_forward(in_order(g, f.last), from.data<float>(), weights.data<float>() + m * g.C * f.taps,
                               start ? start.data<float>() + m * g.C : nullptr, y.data<float>() + m * g.OH * g.OW);
  return y;
}

Tensor depthwise_backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &w, const Tensor &into) {
  const Filters f(g, dy);
  const Tensor from = f.laid(dy), dx = result_memory({g.N, g.C, g.H, g.W}, Dtype::float32, f.last, into);
  const Tensor weights = f.count > 1 ? swapped(g.C, f.count, f.taps, w) : w;
  const Tensor part = f.count > 1 ? empty(dx.shape(), Dtype::float32) : dx;
  for (int64_t m = 0; m < f.count; ++m) {
    const Tensor &to = m ? part : dx;
    kernel().depthwise_backward_data(in_order(g, f.last), from.data<float>() + m * g.OH * g.OW,
                                     weights.data<float>() + m * g.C * f.taps, to.data<float>());
    if (m)
      kernel().accumulate[int(Compute::f32)](dx.size(), part.data<float>(), dx.data<float>());
  }
  return dx;
}

Tensor depthwise_backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy, const Tensor &into) {
  const Filters f(g, x);
  const Tensor from = f.laid(x), to = f.laid(dy);
  const Tensor dw = result_memory({g.O, 1, g.KH, g.KW}, Dtype::float32, false, into);
  const Tensor by_filter = f.count > 1 ? empty(dw.shape(), Dtype::float32) : dw;
  for (int64_t m = 0; m < f.count; ++m)
    kernel().depthwise_backward_weight(in_order(g, f.last), from.data<float>(), to.data<float>() + m * g.OH * g.OW,
                                       by_filter.data<float>() + m * g.C * f.taps);
  if (f.count > 1)
    swap(f.count, g.C, f.taps, by_filter, dw);
  return dw;
}

} // namespace cinta::ops
