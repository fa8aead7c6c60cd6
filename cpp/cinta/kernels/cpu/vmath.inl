// Functions on vectors.
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

#define CINTA_LIBM(name)                                                                                               \
  CINTA_FN Vec<float> name(Vec<float> x) {                                                                             \
    return by_lane(x, [](float v) { return __builtin_##name##f(v); });                                                 \
  }                                                                                                                    \
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
CINTA_LIBM(exp) CINTA_LIBM(exp2) CINTA_LIBM(expm1) CINTA_LIBM(log) CINTA_LIBM(log2) CINTA_LIBM(log10) CINTA_LIBM(log1p)
CINTA_LIBM(sin) CINTA_LIBM(cos) CINTA_LIBM(tan) CINTA_LIBM(asin) CINTA_LIBM(acos) CINTA_LIBM(atan) CINTA_LIBM(sinh)
CINTA_LIBM(cosh) CINTA_LIBM(asinh) CINTA_LIBM(acosh) CINTA_LIBM(atanh) CINTA_LIBM(tanh) CINTA_LIBM(erf)
CINTA_LIBM2(pow) CINTA_LIBM2(atan2) CINTA_LIBM2(hypot) CINTA_LIBM2(fmod)
// clang-format on
template <class T> CINTA_FN Vec<T> sigmoid(Vec<T> x) { return Vec<T>(T(1)) / (Vec<T>(T(1)) + exp(-x)); }

// As NumPy's: the remainder has the sign of b, the quotient is the integer that belongs to it.
template <class T> CINTA_FN Mask<T> signs_differ(Vec<T> a, Vec<T> b) {
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
