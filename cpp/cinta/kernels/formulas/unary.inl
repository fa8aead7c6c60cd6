// Functions of one number: each with its derivative, once, for every ISA level, for CUDA and for higher orders.
// What T offers and how this text is included: formula.h.

struct Neg {
  static constexpr auto doc = "y = -x";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves = kSavesNothing;
  template <class T> CINTA_FN static T forward(T x) { return -x; }
  template <class T> CINTA_FN static T vjp(T, T, T dy) { return -dy; }
};

struct Sign {
  static constexpr auto doc = "y = -1, 0 or 1, as x is below, at or above zero";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves = kSavesNothing;
  template <class T> CINTA_FN static T forward(T x) {
    return select(x > T(0), T(1), select(x < T(0), T(-1), select(x == T(0), T(0), x)));
  }
  template <class T> CINTA_FN static T vjp(T, T, T) { return T(0); }
};

struct Abs {
  static constexpr auto doc = "y = |x|";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return abs(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy * Sign::forward(x); }
};

struct Square {
  static constexpr auto doc = "y = x^2";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return x * x; }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy * (x + x); }
};

struct Reciprocal {
  static constexpr auto doc = "y = 1 / x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesY;
  template <class T> CINTA_FN static T forward(T x) { return T(1) / x; }
  template <class T> CINTA_FN static T vjp(T, T y, T dy) { return -dy * y * y; }
};

struct Sqrt {
  static constexpr auto doc = "y = x^(1/2)";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesY;
  template <class T> CINTA_FN static T forward(T x) { return sqrt(x); }
  template <class T> CINTA_FN static T vjp(T, T y, T dy) { return dy * T(0.5) / y; }
};

struct Rsqrt {
  static constexpr auto doc = "y = x^(-1/2)";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesY;
  template <class T> CINTA_FN static T forward(T x) { return T(1) / sqrt(x); }
  template <class T> CINTA_FN static T vjp(T, T y, T dy) { return dy * T(-0.5) * y * y * y; }
};

struct Exp {
  static constexpr auto doc = "y = e^x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesY;
  template <class T> CINTA_FN static T forward(T x) { return exp(x); }
  template <class T> CINTA_FN static T vjp(T, T y, T dy) { return dy * y; }
};

struct Exp2 {
  static constexpr auto doc = "y = 2^x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesY;
  template <class T> CINTA_FN static T forward(T x) { return exp2(x); }
  template <class T> CINTA_FN static T vjp(T, T y, T dy) { return dy * y * T(kLn2); }
};

struct Expm1 {
  static constexpr auto doc = "y = e^x - 1, exact near zero";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesY;
  template <class T> CINTA_FN static T forward(T x) { return expm1(x); }
  template <class T> CINTA_FN static T vjp(T, T y, T dy) { return dy * (y + T(1)); }
};

struct Log {
  static constexpr auto doc = "y = ln x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return log(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy / x; }
};

struct Log2 {
  static constexpr auto doc = "y = log2 x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return log2(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy / (x * T(kLn2)); }
};

struct Log10 {
  static constexpr auto doc = "y = log10 x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return log10(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy / (x * T(kLn10)); }
};

struct Log1p {
  static constexpr auto doc = "y = ln(1 + x), exact near zero";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return log1p(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy / (x + T(1)); }
};

struct Sin {
  static constexpr auto doc = "y = sin x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return sin(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy * cos(x); }
};

struct Cos {
  static constexpr auto doc = "y = cos x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return cos(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return -dy * sin(x); }
};

struct Tan {
  static constexpr auto doc = "y = tan x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesY;
  template <class T> CINTA_FN static T forward(T x) { return tan(x); }
  template <class T> CINTA_FN static T vjp(T, T y, T dy) { return dy * (T(1) + y * y); }
};

struct Asin {
  static constexpr auto doc = "y = arcsin x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return asin(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy / sqrt((T(1) - x) * (T(1) + x)); }
};

struct Acos {
  static constexpr auto doc = "y = arccos x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return acos(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return -dy / sqrt((T(1) - x) * (T(1) + x)); }
};

struct Atan {
  static constexpr auto doc = "y = arctan x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return atan(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy / (T(1) + x * x); }
};

struct Sinh {
  static constexpr auto doc = "y = (e^x - e^-x) / 2";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return sinh(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy * cosh(x); }
};

struct Cosh {
  static constexpr auto doc = "y = (e^x + e^-x) / 2";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return cosh(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy * sinh(x); }
};

struct Asinh {
  static constexpr auto doc = "y = arsinh x = ln(x + (x^2 + 1)^(1/2))";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return asinh(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy / sqrt(x * x + T(1)); }
};

struct Acosh {
  static constexpr auto doc = "y = arcosh x = ln(x + (x^2 - 1)^(1/2))";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return acosh(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy / sqrt((x - T(1)) * (x + T(1))); }
};

struct Atanh {
  static constexpr auto doc = "y = artanh x = ln((1 + x) / (1 - x)) / 2";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return atanh(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy / ((T(1) - x) * (T(1) + x)); }
};

struct Erf {
  static constexpr auto doc = "y = 2 pi^(-1/2) times the integral of e^(-t^2) for t from 0 to x";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return erf(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) { return dy * T(2 * kRsqrtPi) * exp(-x * x); }
};

struct Floor {
  static constexpr auto doc = "y = the largest integer <= x; its derivative is 0";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesNothing;
  template <class T> CINTA_FN static T forward(T x) { return floor(x); }
  template <class T> CINTA_FN static T vjp(T, T, T) { return T(0); }
};

struct Ceil {
  static constexpr auto doc = "y = the smallest integer >= x; its derivative is 0";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesNothing;
  template <class T> CINTA_FN static T forward(T x) { return ceil(x); }
  template <class T> CINTA_FN static T vjp(T, T, T) { return T(0); }
};

struct Round {
  static constexpr auto doc = "y = the nearest integer, halves to even; its derivative is 0";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesNothing;
  template <class T> CINTA_FN static T forward(T x) { return round(x); }
  template <class T> CINTA_FN static T vjp(T, T, T) { return T(0); }
};

struct Trunc {
  static constexpr auto doc = "y = x without its fraction; its derivative is 0";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesNothing;
  template <class T> CINTA_FN static T forward(T x) { return trunc(x); }
  template <class T> CINTA_FN static T vjp(T, T, T) { return T(0); }
};

struct Invert {
  static constexpr auto doc = "y = x with every bit flipped";
  static constexpr unsigned computes = kIntegers;
  template <class T> CINTA_FN static T forward(T x) { return ~x; }
};

struct Clip {
  static constexpr auto doc = "y = min(max(x, lo), hi), the derivative being 1 inside and on the border";
  static constexpr unsigned computes = kFloats;
  static constexpr Param params[] = {{"min", -__builtin_inf()}, {"max", __builtin_inf()}};
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x, const double *p) {
    T low = select(x < T(p[0]), T(p[0]), x);
    return select(low > T(p[1]), T(p[1]), low);
  }
  template <class T> CINTA_FN static T vjp(T x, T, T dy, const double *p) {
    return select((x < T(p[0])) | (x > T(p[1])), T(0), dy);
  }
};

#include "cinta/kernels/formulas/activation.inl"
