// Fractional max pooling: maxima over windows whose borders are drawn, so that a plane shrinks by any ratio.
#pragma once
#include "cinta/ops/pool.h"

namespace cinta::ops {

struct FractionalPool {
  std::optional<Dims> kernel_size;                 // of windows of one size; none: each reaches as far as the next
  std::optional<Dims> output_size;                 // or
  std::optional<std::vector<double>> output_ratio; // of the input's, below 1
  Tensor samples;     // the offsets u of columns and rows in [0, 1), [2] or [N,C,2], or none
  bool pseudo_random; // borders at multiples of a fraction, else of steps in random order
  bool overlapping;   // windows share borders
  bool shared;        // one set of windows for all planes
  bool training;      // draws anew, else u = 1/2
};
// x [N,C,H,W] or [C,H,W]
Values fractional_max_pool2d(const Tensor &x, const FractionalPool &how, bool with_positions);

} // namespace cinta::ops
