// The elementwise and reduction operations, by name: everything else about them is derived from
// kernels/formulas/*.inl (the formula and its derivative) and from these lists.
#pragma once

// X(Struct, python_name)
// clang-format off
#define CINTA_UNARY_OPS(X)                                                                                             \
  X(Neg, neg) X(Abs, abs) X(Sign, sign) X(Square, square) X(Reciprocal, reciprocal) X(Sqrt, sqrt) X(Rsqrt, rsqrt)      \
  X(Exp, exp) X(Exp2, exp2) X(Expm1, expm1) X(Log, log) X(Log2, log2) X(Log10, log10) X(Log1p, log1p)                  \
  X(Sin, sin) X(Cos, cos) X(Tan, tan) X(Asin, asin) X(Acos, acos) X(Atan, atan)                                        \
  X(Sinh, sinh) X(Cosh, cosh) X(Asinh, asinh) X(Acosh, acosh) X(Atanh, atanh)                                          \
  X(Tanh, tanh) X(Sigmoid, sigmoid) X(Softplus, softplus) X(Relu, relu) X(Gelu, gelu) X(GeluTanh, gelu_tanh)           \
  X(Silu, silu) X(Erf, erf) X(Floor, floor) X(Ceil, ceil) X(Round, round) X(Trunc, trunc)                              \
  X(LeakyRelu, leaky_relu) X(Elu, elu) X(Clip, clip) X(Invert, invert)

#define CINTA_BINARY_OPS(X)                                                                                            \
  X(Add, add) X(Sub, subtract) X(Mul, multiply) X(Div, divide) X(Pow, power) X(Minimum, minimum)                       \
  X(Maximum, maximum) X(Atan2, arctan2) X(Hypot, hypot) X(FloorDivide, floor_divide) X(Remainder, remainder)           \
  X(Fmod, fmod) X(BitwiseAnd, bitwise_and) X(BitwiseOr, bitwise_or) X(BitwiseXor, bitwise_xor)                         \
  X(LeftShift, left_shift) X(RightShift, right_shift)

#define CINTA_COMPARE_OPS(X)                                                                                           \
  X(Equal, equal) X(NotEqual, not_equal) X(Less, less) X(LessEqual, less_equal) X(Greater, greater)                    \
  X(GreaterEqual, greater_equal)

#define CINTA_REDUCE_OPS(X) X(Sum, sum) X(Prod, prod) X(Max, max) X(Min, min)
// clang-format on

namespace cinta::kernels {
#define CINTA_NAME(Struct, name) Struct,
enum class UnaryOp : int { CINTA_UNARY_OPS(CINTA_NAME) count };
enum class BinaryOp : int { CINTA_BINARY_OPS(CINTA_NAME) count };
enum class CompareOp : int { CINTA_COMPARE_OPS(CINTA_NAME) count };
enum class ReduceOp : int { CINTA_REDUCE_OPS(CINTA_NAME) count };
#undef CINTA_NAME
} // namespace cinta::kernels
