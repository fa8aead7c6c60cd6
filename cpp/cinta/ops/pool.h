// Pooling over windows. Spatial arguments: one number for every axis, or one each; an empty stride is the kernel's
// size.
#pragma once
#include <utility>

#include "cinta/ops/op.h"

namespace cinta::ops {

// Values, and, where asked for, where in the plane (h W + w) each was found, as int64.
using Values = std::pair<Tensor, Tensor>;

// x [N,C,L] or [C,L]
Values max_pool1d(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding,
                  const Dims &dilation, bool ceil_mode, bool with_positions);
Tensor avg_pool1d(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding, bool ceil_mode,
                  bool count_include_pad, std::optional<int64_t> divisor_override);
Tensor adaptive_avg_pool1d(const Tensor &x, const Dims &output_size);
Values adaptive_max_pool1d(const Tensor &x, const Dims &output_size, bool with_positions);
// The inverse of max pooling with indices: y[indices] = x and 0 elsewhere, the last of equal indices.
Tensor max_unpool1d(const Tensor &x, const Tensor &indices, const Dims &output_size);
// x [N,C,H,W] or [C,H,W]
Values max_pool2d(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding,
                  const Dims &dilation, bool ceil_mode, bool with_positions);
Tensor avg_pool2d(const Tensor &x, const Dims &kernel_size, const Dims &stride, const Dims &padding, bool ceil_mode,
                  bool count_include_pad, std::optional<int64_t> divisor_override);
Tensor adaptive_avg_pool2d(const Tensor &x, const Dims &output_size);
Values adaptive_max_pool2d(const Tensor &x, const Dims &output_size, bool with_positions);
Tensor max_unpool2d(const Tensor &x, const Tensor &indices, const Dims &output_size);

// Maxima over windows [begin, end) that are given one by one, for all planes or for each: int64 [1 or planes,
// 2 (OH + OW)], the begins of rows and of columns, then their ends, none larger than KH x KW.
struct MaxWindows {
  int64_t OH, OW, KH, KW;
};
Values max_pool2d_windows(const Tensor &x, const Tensor &windows, const MaxWindows &of, bool with_positions);

} // namespace cinta::ops
