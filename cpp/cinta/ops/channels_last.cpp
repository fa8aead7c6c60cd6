#include "cinta/ops/channels_last.h"

#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

Strides channels_last_strides(const Shape &shape) {
  return {shape[1] * shape[2] * shape[3], 1, shape[3] * shape[1], shape[1]};
}

} // namespace

bool lies_channels_last(const Tensor &x) {
  return x.ndim() == 4 && !x.contiguous() && x.strides() == channels_last_strides(x.shape());
}

Tensor empty_channels_last(const Shape &shape, Dtype dtype) {
  return view(empty(shape, dtype), shape, channels_last_strides(shape));
}

Tensor channels_last(const Tensor &x) {
  if (x.strides() == channels_last_strides(x.shape()))
    return x;
  Tensor y = empty_channels_last(x.shape(), x.dtype());
  copy(x, y);
  return y;
}

} // namespace cinta::ops
