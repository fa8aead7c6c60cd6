// The formulas once more, with tensors for numbers: their operators record, and that is what higher derivatives are.
#include "cinta/ops/elementwise_rules.h"

#include <type_traits>

#include "cinta/kernels/formulas/formula.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

// A number of a formula: a tensor, or a constant that takes the dtype of what it meets.
class Recorded {
public:
  Recorded(double constant) : constant_(constant) {}
  Recorded(Tensor t) : tensor_(std::move(t)) {}
  bool is_tensor() const { return bool(tensor_); }
  const Tensor &tensor() const { return tensor_; }
  Tensor as_tensor(const Tensor &like) const { return tensor_ ? tensor_ : number(constant_, like); }
  double constant() const { return constant_; }

private:
  Tensor tensor_;
  double constant_ = 0;
};

const Tensor &either(const Recorded &a, const Recorded &b) { return a.is_tensor() ? a.tensor() : b.tensor(); }

Recorded call(UnaryOp op, const Recorded &x) { return unary(op, x.tensor()); }
Recorded call(BinaryOp op, const Recorded &a, const Recorded &b) {
  if (!a.is_tensor() && !b.is_tensor()) // constants of a formula meet each other
    return op == BinaryOp::Add   ? a.constant() + b.constant()
           : op == BinaryOp::Sub ? a.constant() - b.constant()
           : op == BinaryOp::Mul ? a.constant() * b.constant()
                                 : a.constant() / b.constant();
  const Tensor &like = either(a, b);
  return binary(op, a.as_tensor(like), b.as_tensor(like));
}
Recorded call(CompareOp op, const Recorded &a, const Recorded &b) {
  const Tensor &like = either(a, b);
  return compare(op, a.as_tensor(like), b.as_tensor(like));
}

#define CINTA_FN inline
// Found by name from within the formulas.
#define CINTA_UNARY(Op, function)                                                                                      \
  [[maybe_unused]] Recorded function(const Recorded &x) { return call(UnaryOp::Op, x); }
CINTA_UNARY(Sqrt, sqrt)
CINTA_UNARY(Exp, exp)
CINTA_UNARY(Exp2, exp2)
CINTA_UNARY(Expm1, expm1)
CINTA_UNARY(Log, log)
CINTA_UNARY(Log2, log2)
CINTA_UNARY(Log10, log10)
CINTA_UNARY(Log1p, log1p)
CINTA_UNARY(Sin, sin)
CINTA_UNARY(Cos, cos)
CINTA_UNARY(Tan, tan)
CINTA_UNARY(Asin, asin)
CINTA_UNARY(Acos, acos)
CINTA_UNARY(Atan, atan)
CINTA_UNARY(Sinh, sinh)
CINTA_UNARY(Cosh, cosh)
CINTA_UNARY(Asinh, asinh)
CINTA_UNARY(Acosh, acosh)
CINTA_UNARY(Atanh, atanh)
CINTA_UNARY(Tanh, tanh)
CINTA_UNARY(Sigmoid, sigmoid)
CINTA_UNARY(Erf, erf)
CINTA_UNARY(Abs, abs)
CINTA_UNARY(Floor, floor)
CINTA_UNARY(Ceil, ceil)
CINTA_UNARY(Round, round)
CINTA_UNARY(Trunc, trunc)
CINTA_UNARY(Neg, operator-)
#undef CINTA_UNARY
#define CINTA_BINARY(Op, function)                                                                                     \
  [[maybe_unused]] Recorded function(const Recorded &a, const Recorded &b) { return call(Op, a, b); }
CINTA_BINARY(BinaryOp::Add, operator+)
CINTA_BINARY(BinaryOp::Sub, operator-)
CINTA_BINARY(BinaryOp::Mul, operator*)
CINTA_BINARY(BinaryOp::Div, operator/)
CINTA_BINARY(BinaryOp::Minimum, minimum)
CINTA_BINARY(BinaryOp::Maximum, maximum)
CINTA_BINARY(BinaryOp::Pow, pow)
CINTA_BINARY(BinaryOp::Atan2, atan2)
CINTA_BINARY(BinaryOp::Hypot, hypot)
CINTA_BINARY(BinaryOp::FloorDivide, floor_divide)
CINTA_BINARY(BinaryOp::Remainder, remainder)
CINTA_BINARY(BinaryOp::Fmod, fmod)
CINTA_BINARY(BinaryOp::BitwiseAnd, operator&)
CINTA_BINARY(BinaryOp::BitwiseOr, operator|)
CINTA_BINARY(CompareOp::Less, operator<)
CINTA_BINARY(CompareOp::LessEqual, operator<=)
CINTA_BINARY(CompareOp::Greater, operator>)
CINTA_BINARY(CompareOp::GreaterEqual, operator>=)
CINTA_BINARY(CompareOp::Equal, operator==)
CINTA_BINARY(CompareOp::NotEqual, operator!=)
#undef CINTA_BINARY
[[maybe_unused]] Recorded operator!(const Recorded &mask) { return logical_not(mask.tensor()); }
[[maybe_unused]] Recorded select(const Recorded &mask, const Recorded &a, const Recorded &b) {
  if (!a.is_tensor() && !b.is_tensor()) // of two constants nothing tells the dtype: the mask's caller multiplies later
    return where(mask.tensor(), scalar(a.constant(), Dtype::float64), scalar(b.constant(), Dtype::float64));
  const Tensor &like = either(a, b);
  return where(mask.tensor(), a.as_tensor(like), b.as_tensor(like));
}

namespace formulas {
using kernels::kFloats, kernels::kIntegers, kernels::kNumbers, kernels::Param, kernels::WithRest;
using kernels::kLn10, kernels::kLn2, kernels::kRsqrt2, kernels::kRsqrtPi;
using kernels::kSavesA, kernels::kSavesB, kernels::kSavesNothing, kernels::kSavesX, kernels::kSavesY;
#include "cinta/kernels/formulas/binary.inl"
#include "cinta/kernels/formulas/compare.inl"
#include "cinta/kernels/formulas/unary.inl"
} // namespace formulas

template <class F> constexpr uint32_t unary_saves() {
  if constexpr (requires { F::saves; })
    return (F::saves & kernels::kSavesX ? saves::input(0) : 0) | (F::saves & kernels::kSavesY ? saves::output() : 0);
  else
    return saves::none;
}
constexpr uint32_t binary_saves(unsigned s) {
  return (s & kernels::kSavesA ? saves::input(0) : 0) | (s & kernels::kSavesB ? saves::input(1) : 0) |
         (s & kernels::kSavesY ? saves::output() : 0);
}
template <class F> constexpr Rule binary_rule_of(const char *name) {
  if constexpr (requires { F::saves_a; }) {
    constexpr uint32_t a = binary_saves(F::saves_a), b = binary_saves(F::saves_b);
    return {name, F::doc, a | b, {a, b}};
  } else {
    return {name, F::doc, saves::none, {saves::none, saves::none}};
  }
}

// A rule's result in the dtype and shape of dy (a rule may return a constant, or pick between constants).
Tensor finish(const Recorded &r, const Tensor &dy) {
  if (!r.is_tensor())
    return broadcast_to(number(r.constant(), dy), dy.shape());
  return broadcast_to(astype(r.tensor(), dy.dtype()), dy.shape());
}

template <class F>
Tensor unary_rule(const Recorded &x, const Recorded &y, const Tensor &dy, const Parameters &parameters) {
  if constexpr (requires { F::params; })
    return finish(F::vjp(x, y, Recorded(dy), parameters.value), dy);
  else if constexpr (requires { F::saves; })
    return finish(F::vjp(x, y, Recorded(dy)), dy);
  else
    return Tensor();
}

template <class F>
Tensor binary_rule(int which, const Recorded &a, const Recorded &b, const Recorded &y, const Tensor &dy) {
  if constexpr (requires { F::saves_a; })
    return finish(which == 0 ? F::vjp_a(a, b, y, Recorded(dy)) : F::vjp_b(a, b, y, Recorded(dy)), dy);
  else
    return Tensor();
}

} // namespace

const Rule &rule(UnaryOp op) {
#define CINTA_RULE(Struct, name) {#name, formulas::Struct::doc, unary_saves<formulas::Struct>(), {}},
  static const Rule rules[] = {CINTA_UNARY_OPS(CINTA_RULE)};
#undef CINTA_RULE
  return rules[int(op)];
}
const Rule &rule(BinaryOp op) {
#define CINTA_RULE(Struct, name) binary_rule_of<formulas::Struct>(#name),
  static const Rule rules[] = {CINTA_BINARY_OPS(CINTA_RULE)};
#undef CINTA_RULE
  return rules[int(op)];
}
const Rule &rule(CompareOp op) {
#define CINTA_RULE(Struct, name) {#name, formulas::Struct::doc, saves::none, {}},
  static const Rule rules[] = {CINTA_COMPARE_OPS(CINTA_RULE)};
#undef CINTA_RULE
  return rules[int(op)];
}

Tensor recorded_vjp(UnaryOp op, const Tensor &x, const Tensor &y, const Tensor &dy, const Parameters &parameters) {
  switch (op) {
#define CINTA_CASE(Struct, name)                                                                                       \
  case UnaryOp::Struct:                                                                                                \
    return unary_rule<formulas::Struct>(x, y, dy, parameters);
    CINTA_UNARY_OPS(CINTA_CASE)
#undef CINTA_CASE
  case UnaryOp::count:
    break;
  }
  return Tensor();
}

Tensor recorded_vjp(BinaryOp op, int operand, const Tensor &a, const Tensor &b, const Tensor &y, const Tensor &dy) {
  switch (op) {
#define CINTA_CASE(Struct, name)                                                                                       \
  case BinaryOp::Struct:                                                                                               \
    return binary_rule<formulas::Struct>(operand, a, b, y, dy);
    CINTA_BINARY_OPS(CINTA_CASE)
#undef CINTA_CASE
  case BinaryOp::count:
    break;
  }
  return Tensor();
}

} // namespace cinta::ops
