// Tensors [N,C,d1,..] whose channels are contiguous in memory: what convolutions on the tile unit give, and like best.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

bool lies_channels_last(const Tensor &x); // and does not lie contiguous as well
Tensor empty_channels_last(const Shape &shape, Dtype dtype);
Tensor channels_last(const Tensor &x); // itself, or a copy; not recorded

// Views, not recorded: [N,C,d1,..] as [N,d1,..,C], and back.
Tensor channels_moved(const Tensor &x);
Tensor channels_back(const Tensor &x);

// A tensor as kernels take it: contiguous memory in its compute type, channels second or last.
struct Laid {
  bool channels_last;
  Tensor memory;
  Laid(const Tensor &x, bool last);                 // x's own memory where it lies so, else a copy
  Laid(const Shape &shape, Dtype dtype, bool last); // fresh memory
  Tensor take(Dtype dtype);                         // in the shape that users see; nothing is left here
};

} // namespace cinta::ops
