// Elementwise work over tensors of any stride and dtype: cut into contiguous tiles, converted on the way in and out.
#pragma once
#include "cinta/tensor/tensor.h"

namespace cinta::ops {

struct Operand {
  char *data;
  Strides strides; // in elements, broadcast axes 0
  Dtype dtype;
  bool scalar_ok = false; // the kernel takes one value for a whole tile (step 0)
  bool raw = false;       // handed over as bytes in its own dtype (a mask), never converted
};

inline Operand operand(const Tensor &t) { return {t.data<char>(), t.strides(), t.dtype()}; }
inline Operand scalar_operand(const Tensor &t) { return {t.data<char>(), t.strides(), t.dtype(), true}; }
inline Operand raw_operand(const Tensor &t) { return {t.data<char>(), t.strides(), t.dtype(), false, true}; }

// Calls tile(context, n, pointers, steps) until every element is done. Operands [0, inputs) are read, the rest written.
// A step is 1, or 0 where one value serves the whole tile (inputs that say scalar_ok).
inline constexpr int kMaxOperands = 12;
using Tile = void (*)(const void *context, int64_t n, void *const *pointers, const int *steps);
void tile_loop(const Shape &shape, const Operand *operands, int inputs, int outputs, Tile tile, const void *context,
               double ns_per_element);

// The shape without axes of size 1 and with neighbours merged that all operands walk in one stride; strides follow.
Shape collapse(const Shape &shape, Strides *const *strides, int operands);

// y = x with any dtypes and strides; shapes equal (x may be broadcast by strides of 0).
void copy(const Tensor &x, const Tensor &y);

} // namespace cinta::ops
