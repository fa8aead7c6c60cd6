// What elementwise operations compute, by name: replay's passes recognise them and run chains of them tile by tile.
#pragma once
#include "cinta/ops/elementwise.h"
#include "cinta/tape/compute.h"

namespace cinta::ops {

// Few elements, next to each other, as kernels take them: one call and no loop.
inline bool is_simple(const Tensor &t) {
  return t.contiguous() && is_native(t.dtype()) && t.size() <= int64_t(1) << 14;
}

double cost(UnaryOp op); // ns per element, for deciding on threads
double cost(BinaryOp op);

// `elementwise`: an element of the result depends on the same element of the operands alone, so it may be written over
// it.
struct UnaryWork { // y = f(x)
  UnaryOp op;
  Parameters parameters;
  static constexpr bool elementwise = true;
  void operator()(const Tensor *in, const Tensor *out) const;
  bool operator==(const UnaryWork &) const = default;
};
struct UnaryVjpWork { // dx = f'(x, y) dy; in: x, y, dy, where dy stands for what the rule does not read
  UnaryOp op;
  Parameters parameters;
  static constexpr bool elementwise = true;
  void operator()(const Tensor *in, const Tensor *out) const;
  bool operator==(const UnaryVjpWork &) const = default;
};
struct BinaryWork { // y = f(a, b), operands of y's shape or constants
  BinaryOp op;
  static constexpr bool elementwise = true;
  void operator()(const Tensor *in, const Tensor *out) const;
  bool operator==(const BinaryWork &) const = default;
};
struct BinaryVjpWork { // the gradient of operand `which`; in: a, b, y, dy, where dy stands for what is not read
  BinaryOp op;
  int which;
  static constexpr bool elementwise = true;
  void operator()(const Tensor *in, const Tensor *out) const;
  bool operator==(const BinaryVjpWork &) const = default;
};
struct CompareWork { // y = a < b ..., boolean
  CompareOp op;
  static constexpr bool elementwise = true;
  void operator()(const Tensor *in, const Tensor *out) const;
  bool operator==(const CompareWork &) const = default;
};
struct SelectWork { // y = a where the mask is set, else b; in: mask, a, b
  static constexpr bool elementwise = true;
  void operator()(const Tensor *in, const Tensor *out) const;
};
struct CopyWork { // y = x in other memory, another order or another dtype
  void operator()(const Tensor *in, const Tensor *out) const;
};

} // namespace cinta::ops
