// What a formula says about itself. The formulas (unary.inl, binary.inl, compare.inl) are included inside a namespace,
// once per ISA level and once wherever else their text is needed, after `#define CINTA_FN` (how their functions are
// declared: inline, always_inline, __device__). They use of their type T nothing but
//   T(number), + - * / and unary -, < <= > >= == != giving a mask, & | ! of masks, select(mask, a, b), and by name
//   sqrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh asinh acosh atanh tanh sigmoid erf
//   abs floor ceil round trunc minimum maximum pow atan2 hypot floor_divide remainder fmod
// and, for integers alone, & | ^ ~ << >>. So T may be a number, a vector, or a tensor whose operators record, which is
// what higher derivatives are. A vjp is written in operations of the list only, and may return a constant.
#pragma once

namespace cinta::kernels {

// What a derivative reads besides dy.
enum Saves : unsigned { kSavesNothing = 0, kSavesX = 1, kSavesA = 1, kSavesB = 2, kSavesY = 4 };

// The compute types a formula exists for, as a set of 1 << Compute.
inline constexpr unsigned kFloats = 0b0011, kIntegers = 0b1100, kNumbers = 0b1111;

inline constexpr double kLn2 = 0x1.62e42fefa39efp-1, kLn10 = 0x1.26bb1bbb55516p1;
inline constexpr double kRsqrt2 = 0x1.6a09e667f3bcdp-1, kRsqrtPi = 0x1.20dd750429b6dp-1; // 2^(-1/2), pi^(-1/2)

// y in [0, 1] and 1 - y.
template <class T> struct WithRest { T y, rest; };

// A constant of an operation: its name and default. Formulas get the values as `const double *p`.
struct Param {
  const char *name;
  double value;
};

} // namespace cinta::kernels
