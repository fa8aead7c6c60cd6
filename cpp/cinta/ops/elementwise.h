// Elementwise operations: one result per element, operands broadcast against each other.
// The formulas and their derivatives stand in kernels/formulas/; everything here is derived from them.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

using kernels::BinaryOp;
using kernels::CompareOp;
using kernels::UnaryOp;

const char *name_of(UnaryOp op);
const char *name_of(BinaryOp op);
const char *name_of(CompareOp op);

struct Parameters { // an op's constants: a slope, bounds
  double value[2] = {0, 0};
  bool operator==(const Parameters &) const = default;
};
Tensor unary(UnaryOp op, const Tensor &x, const Parameters &parameters = {});
Tensor binary(BinaryOp op, const Tensor &a, const Tensor &b);
Tensor compare(CompareOp op, const Tensor &a, const Tensor &b);
Tensor where(const Tensor &condition, const Tensor &a, const Tensor &b);
Tensor astype(const Tensor &x, Dtype dtype); // recorded between floating dtypes; the same tensor where nothing changes

// self = op(self, other) over self's memory; the result is self's new value.
Tensor binary_inplace(BinaryOp op, const Tensor &self, const Tensor &other);
Tensor copy_inplace(const Tensor &self, const Tensor &source, const char *op = "copy_"); // op: whom errors name
// x's value with x's history but in memory of its own: what an in-place write must keep for the gradient.
Tensor keep_value(const Tensor &x);

// by name
#define CINTA_DECLARE(Struct, name)                                                                                    \
  inline Tensor name(const Tensor &x) { return unary(UnaryOp::Struct, x); }
CINTA_DECLARE(Neg, neg)
CINTA_DECLARE(Abs, abs)
CINTA_DECLARE(Sign, sign)
CINTA_DECLARE(Square, square)
CINTA_DECLARE(Sqrt, sqrt)
CINTA_DECLARE(Rsqrt, rsqrt)
CINTA_DECLARE(Exp, exp)
CINTA_DECLARE(Log, log)
CINTA_DECLARE(Log1p, log1p)
CINTA_DECLARE(Sigmoid, sigmoid)
CINTA_DECLARE(Tanh, tanh)
#undef CINTA_DECLARE
#define CINTA_DECLARE(Struct, name)                                                                                    \
  inline Tensor name(const Tensor &a, const Tensor &b) { return binary(BinaryOp::Struct, a, b); }
CINTA_BINARY_OPS(CINTA_DECLARE)
#undef CINTA_DECLARE
#define CINTA_DECLARE(Struct, name)                                                                                    \
  inline Tensor name(const Tensor &a, const Tensor &b) { return compare(CompareOp::Struct, a, b); }
CINTA_COMPARE_OPS(CINTA_DECLARE)
#undef CINTA_DECLARE

Tensor leaky_relu(const Tensor &x, double negative_slope);
Tensor elu(const Tensor &x, double alpha);
Tensor softplus(const Tensor &x, double beta, double threshold);
Tensor clip(const Tensor &x, std::optional<double> low, std::optional<double> high);
Tensor relu(const Tensor &x);
Tensor gelu(const Tensor &x, bool tanh_form);

// with a number on one side
Tensor number(double value, const Tensor &like); // 0-d, of like's dtype
inline Tensor add(const Tensor &a, double b) { return add(a, number(b, a)); }
inline Tensor multiply(const Tensor &a, double b) { return multiply(a, number(b, a)); }
inline Tensor subtract(double a, const Tensor &b) { return subtract(number(a, b), b); }
inline Tensor divide(double a, const Tensor &b) { return divide(number(a, b), b); }

Tensor logical_not(const Tensor &x);
Tensor logical(const char *name, const Tensor &a, const Tensor &b); // "logical_and", "logical_or", "logical_xor"
Tensor isnan(const Tensor &x);
Tensor isinf(const Tensor &x);
Tensor isfinite(const Tensor &x);
Tensor logaddexp(const Tensor &a, const Tensor &b);

} // namespace cinta::ops
