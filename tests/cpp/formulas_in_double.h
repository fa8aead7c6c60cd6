// The elementwise formulas on plain doubles: what the kernels are compared with.
#pragma once
#include <cmath>

#include "cinta/kernels/formulas/formula.h"
#include "cinta/kernels/op_list.h"

#define CINTA_FN inline
namespace in_double {
using namespace cinta::kernels;
using std::abs, std::floor, std::ceil, std::trunc, std::sqrt, std::pow, std::hypot, std::fmod, std::atan2;
using std::exp, std::exp2, std::expm1, std::log, std::log2, std::log10, std::log1p, std::erf, std::tanh;
using std::sin, std::cos, std::tan, std::asin, std::acos, std::atan;
using std::sinh, std::cosh, std::asinh, std::acosh, std::atanh;

inline double round(double x) { return std::nearbyint(x); }
inline double select(bool m, double a, double b) { return m ? a : b; }
inline double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
inline double minimum(double a, double b) { return std::isnan(a) || a < b ? a : b; }
inline double maximum(double a, double b) { return std::isnan(a) || a > b ? a : b; }
inline double remainder(double a, double b) {
  const double r = fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
inline double floor_divide(double a, double b) {
  const double r = fmod(a, b), q = (a - r) / b;
  return b == 0 ? a / b : std::nearbyint(r != 0 && (r < 0) != (b < 0) ? q - 1 : q);
}

#include "cinta/kernels/formulas/binary.inl"
#include "cinta/kernels/formulas/unary.inl"
} // namespace in_double
