// Functions on vectors. Those that networks use are our own; the rest goes through libm lane by lane. The largest
// errors found, in units of the last place, on every level:
//   float: exp 0.8, exp2 log tanh 0.9, sin cos 1.3, erf 1.4, log2 expm1 1.5, log1p log10 1.7, sigmoid 2.0
//     (exp, log, tanh, sigmoid, erf over all 2^32 floats, on avx512: tests/cpp/vmath_ulp_test.cpp)
//   double: log 0.9, exp 1.0, expm1 1.4, log1p 1.6, sigmoid 2.4, tanh 2.6
namespace cinta::kernels::CINTA_ISA {

template <class T, class F> CINTA_FN Vec<T> by_lane(Vec<T> x, F f) {
  T lane[Vec<T>::width];
  x.store(lane);
  for (T &v : lane)
    v = f(v);
  return Vec<T>::load(lane);
}
template <class T, class F> CINTA_FN Vec<T> by_lane(Vec<T> a, Vec<T> b, F f) {
  T lane[Vec<T>::width], other[Vec<T>::width];
  a.store(lane);
  b.store(other);
  for (int i = 0; i < Vec<T>::width; ++i)
    lane[i] = f(lane[i], other[i]);
  return Vec<T>::load(lane);
}

// c0 + c1 x + c2 x^2 + ...
template <class T> CINTA_FN Vec<T> polynomial(Vec<T>, double c0) { return Vec<T>(T(c0)); }
template <class T, class... C> CINTA_FN Vec<T> polynomial(Vec<T> x, double c0, C... rest) {
  return fma(x, polynomial(x, rest...), Vec<T>(T(c0)));
}

} // namespace cinta::kernels::CINTA_ISA

#include "cinta/kernels/cpu/vmath/exp.inl"
#include "cinta/kernels/cpu/vmath/log.inl"
#include "cinta/kernels/cpu/vmath/saturating.inl"
#include "cinta/kernels/cpu/vmath/trig.inl"

namespace cinta::kernels::CINTA_ISA {

#define CINTA_LIBM_F32(name)                                                                                           \
  CINTA_FN Vec<float> name(Vec<float> x) {                                                                             \
    return by_lane(x, [](float v) { return __builtin_##name##f(v); });                                                 \
  }
#define CINTA_LIBM_F64(name)                                                                                           \
  CINTA_FN Vec<double> name(Vec<double> x) {                                                                           \
    return by_lane(x, [](double v) { return __builtin_##name(v); });                                                   \
  }
#define CINTA_LIBM2(name)                                                                                              \
  CINTA_FN Vec<float> name(Vec<float> a, Vec<float> b) {                                                               \
    return by_lane(a, b, [](float u, float v) { return __builtin_##name##f(u, v); });                                  \
  }                                                                                                                    \
  CINTA_FN Vec<double> name(Vec<double> a, Vec<double> b) {                                                            \
    return by_lane(a, b, [](double u, double v) { return __builtin_##name(u, v); });                                   \
  }
// clang-format off
CINTA_LIBM_F32(tan) CINTA_LIBM_F32(asin) CINTA_LIBM_F32(acos) CINTA_LIBM_F32(atan) CINTA_LIBM_F32(sinh)
CINTA_LIBM_F32(cosh) CINTA_LIBM_F32(asinh) CINTA_LIBM_F32(acosh) CINTA_LIBM_F32(atanh)
CINTA_LIBM_F64(exp2) CINTA_LIBM_F64(log2) CINTA_LIBM_F64(log10) CINTA_LIBM_F64(sin) CINTA_LIBM_F64(cos)
CINTA_LIBM_F64(tan) CINTA_LIBM_F64(asin) CINTA_LIBM_F64(acos) CINTA_LIBM_F64(atan) CINTA_LIBM_F64(sinh)
CINTA_LIBM_F64(cosh) CINTA_LIBM_F64(asinh) CINTA_LIBM_F64(acosh) CINTA_LIBM_F64(atanh) CINTA_LIBM_F64(erf)
CINTA_LIBM2(pow) CINTA_LIBM2(atan2) CINTA_LIBM2(hypot) CINTA_LIBM2(fmod)
    // clang-format on

    // As NumPy's: the remainder has the sign of b, the quotient is the integer that belongs to it.
    template <class T>
    CINTA_FN Mask<T> signs_differ(Vec<T> a, Vec<T> b) {
  Vec<T> zero(T(0));
  return ((a < zero) & (b > zero)) | ((a > zero) & (b < zero));
}
template <class T> CINTA_FN Vec<T> remainder(Vec<T> a, Vec<T> b) {
  Vec<T> zero(T(0)), r = fmod(a, b);
  return select(r == zero, copysign(zero, b), select(signs_differ(r, b), r + b, r));
}
template <class T> CINTA_FN Vec<T> floor_divide(Vec<T> a, Vec<T> b) {
  Vec<T> zero(T(0)), r = fmod(a, b), q = round((a - r) / b); // integral already, but for rounding
  q = select(signs_differ(r, b), q - Vec<T>(T(1)), q);
  q = select(q == zero, copysign(zero, a / b), q);
  return select(b == zero, a / b, q);
}

} // namespace cinta::kernels::CINTA_ISA
