// Picking and placing elements by integer index, and NumPy's indexing in full.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

Tensor take(const Tensor &x, const Tensor &indices, std::optional<int64_t> axis);
Tensor take_along_axis(const Tensor &x, const Tensor &indices, int64_t axis);
Tensor scatter_add(const Tensor &x, const Tensor &indices, const Tensor &src, int64_t axis);
// sparse: the weight, where it is a leaf, gets a row-sparse gradient from backward()
Tensor embedding(const Tensor &indices, const Tensor &weight, std::optional<int64_t> padding_idx, bool sparse = false);
Tensor one_hot(const Tensor &indices, int64_t classes, Dtype dtype);
Tensors nonzero(const Tensor &x); // an int64 index tensor per axis

// One item of x[...]: an integer, a slice, None, an ellipsis, or an array of integers or booleans.
struct Item {
  enum Kind { integer, slice, new_axis, ellipsis, array } kind;
  int64_t start = 0, stop = 0, step = 1; // integer: start
  bool has_start = false, has_stop = false;
  Tensor index; // array
};
Tensor get_item(const Tensor &x, const std::vector<Item> &items);
// x[items] = value over x's memory; the result is x's new value.
Tensor set_item(const Tensor &x, const std::vector<Item> &items, const Tensor &value);

} // namespace cinta::ops
