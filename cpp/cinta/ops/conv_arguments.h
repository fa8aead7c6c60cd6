// Spatial arguments of what slides kernels over images: one number for every axis, or one each.
#pragma once
#include "cinta/ops/conv.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {

struct Spatial { // an argument for both axes; one axis is two with H = 1
  int64_t h, w;
};
// h: what stands for the missing axis where there is one
Spatial spatial(const Dims &given, int axes, int64_t h, int64_t least, const char *what, const char *op);
void check_mode(const Padding &padding, const char *op);
// Output size and the padding before, along one axis.
void place(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, const std::string &mode, const char *op,
           int64_t &pad, int64_t &out);

// One image without its axis, as PyTorch takes it.
template <class F> Tensor batched(const Tensor &x, int axes, F run) {
  return x.ndim() == axes + 1 ? squeeze(run(expand_dims(x, {0})), Axes{0}) : run(x);
}

} // namespace cinta::ops
