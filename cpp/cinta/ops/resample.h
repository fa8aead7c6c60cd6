// Images in another size: every axis by itself, a weighted sum of neighbours for each new element.
#pragma once
#include <string>

#include "cinta/ops/op.h"

namespace cinta::ops {

struct ResampleOptions {
  Dims size;                                // of the last axes
  std::optional<std::vector<double>> scale; // how much longer each axis becomes, where not size / old size
  std::string mode;                         // "nearest", "nearest-exact", "linear", "bilinear", "bicubic" or "area"
  bool align_corners;
  bool antialias;
};
// x [N,C,L] or [N,C,H,W]
Tensor resample(const Tensor &x, const ResampleOptions &options);

} // namespace cinta::ops
