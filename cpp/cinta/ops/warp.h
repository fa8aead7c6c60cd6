// Images sampled elsewhere: one resampling for whatever moves pixels.
#pragma once
#include <string>

#include "cinta/ops/op.h"

namespace cinta::ops {

kernels::Border border_of(const std::string &padding_mode, const char *op);

struct WarpOptions {
  Dims size; // of the result's planes; empty: as the images'
  bool nearest;
  kernels::Border border;
  double fill;
};
// y[n,c,i,j] = x[n,c] at matrix_n (j + dx, i + dy, 1); matrices [2,3] or [N,2,3], or none: the identity; displacement
// (dx, dy) [N,2,OH,OW], or none
Tensor warp(const Tensor &x, const Tensor &matrices, const Tensor &displacement, const WarpOptions &options);

} // namespace cinta::ops
