#include "cinta/ops/channels_last.h"

#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

Dims moved(Dims dims) { // the second to the end
  const int64_t channels = dims[1];
  dims.erase(1);
  dims.push_back(channels);
  return dims;
}
Dims back(Dims dims) { // the last to the second place
  const int64_t channels = dims.back();
  dims.erase(dims.size() - 1);
  dims.insert(1, channels);
  return dims;
}
Strides channels_last_strides(const Shape &shape) { return back(contiguous_strides(moved(shape))); }

} // namespace

bool lies_channels_last(const Tensor &x) {
  return x.ndim() > 2 && !x.contiguous() && x.strides() == channels_last_strides(x.shape());
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

Tensor channels_moved(const Tensor &x) { return view(x, moved(x.shape()), moved(x.strides())); }
Tensor channels_back(const Tensor &x) { return view(x, back(x.shape()), back(x.strides())); }

Laid::Laid(const Tensor &x, bool last) : channels_last(last), memory(contiguous_native(last ? channels_moved(x) : x)) {}
Laid::Laid(const Shape &shape, Dtype dtype, bool last)
    : channels_last(last), memory(empty(last ? moved(shape) : shape, dtype)) {}
Tensor Laid::take(Dtype dtype) {
  Tensor y = from_native(std::exchange(memory, Tensor()), dtype);
  return channels_last ? channels_back(y) : y;
}

} // namespace cinta::ops
