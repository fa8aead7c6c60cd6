// Operations that only look at the same values in another shape (views), and those that lay values out anew.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

// views
Tensor reshape(const Tensor &x, const Shape &shape); // one size may be -1; copies where strides demand it
Tensor transpose(const Tensor &x, const Axes &axes); // empty: reversed
Tensor swapaxes(const Tensor &x, int64_t a, int64_t b);
Tensor moveaxis(const Tensor &x, const Axes &source, const Axes &destination);
Tensor matrix_transpose(const Tensor &x); // the last two axes
Tensor squeeze(const Tensor &x, const std::optional<Axes> &axes);
Tensor expand_dims(const Tensor &x, const Axes &axes);
Tensor flatten(const Tensor &x, int64_t start_axis, int64_t end_axis);
Tensor broadcast_to(const Tensor &x, const Shape &shape);
// Every axis: elements start, start + step, ... (count of them); steps may be negative.
struct Range {
  int64_t start, step, count;
};
Tensor slice(const Tensor &x, const std::vector<Range> &ranges);
// `fill` everywhere, x at the ranges
Tensor embed(const Tensor &x, const Shape &shape, const std::vector<Range> &ranges, double fill = 0);
Tensor narrow(const Tensor &x, int axis, int64_t start, int64_t count);
Tensor flip(const Tensor &x, const std::optional<Axes> &axes);
Tensor diagonal(const Tensor &x, int64_t offset, int64_t axis1, int64_t axis2);

// the adjoint of broadcasting: sums over the axes that were repeated
Tensor sum_to(const Tensor &x, const Shape &shape);

// copies
Tensor clone(const Tensor &x);
Tensor contiguous(const Tensor &x);
Tensor detach(const Tensor &x);

} // namespace cinta::ops
