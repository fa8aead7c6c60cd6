// What the formulas say about themselves: names, what backward saves, documentation, and the derivative as recorded
// ops.
#pragma once
#include "cinta/ops/elementwise.h"

namespace cinta::ops {

struct Rule {
  const char *name; // in Python
  const char *doc;
  uint32_t saves;       // for all gradients
  uint32_t saves_of[2]; // for that of each operand
};
const Rule &rule(UnaryOp op);
const Rule &rule(BinaryOp op);
const Rule &rule(CompareOp op);

// The same formulas with tensors for numbers: recorded, so differentiable again. x or y may be empty where not saved.
Tensor recorded_vjp(UnaryOp op, const Tensor &x, const Tensor &y, const Tensor &dy, const Parameters &parameters);
Tensor recorded_vjp(BinaryOp op, int operand, const Tensor &a, const Tensor &b, const Tensor &y, const Tensor &dy);

} // namespace cinta::ops
