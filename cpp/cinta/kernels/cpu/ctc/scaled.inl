// Probabilities m 2^e with an exponent of their own: sums and products of any size with the relative error of their
// roundings. Where logarithms are added, the error grows with the logarithm instead, and every sum costs exp and log.
#pragma once
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/cpu/vmath/vmath.inl"

namespace cinta::kernels::CINTA_ISA {

template <class T> struct Scaled { Vec<T> m, e; }; // m in [1, 2) where normalized, e integral; 0 is 0 2^kNoExponent
template <class T> constexpr T kNoExponent = T(-0x1p120);
template <class T> constexpr T kLeastExponent = sizeof(T) == 4 ? T(-126) : T(-1022); // of a normal number

CINTA_FN Vec<float> exp_near_zero(Vec<float> x) { return normal_exp(x); }
CINTA_FN Vec<double> exp_near_zero(Vec<double> x) { return exp(x); }

// e^x, x = e ln 2 + r; what lies below e^-1e20 is 0, NaN and inf are NaN.
template <class T> CINTA_FN Scaled<T> scaled_exp(Vec<T> given) {
  const Vec<T> least(T(-1e20)), zero(T(0)), x = max(least, given);
  const Vec<T> e = round(x * Vec<T>(T(0x1.71547652b82fep0)));
  // Both products are exact up to |e| = 2^20 and beyond that r says nothing.
  const Vec<T> r = fma(e, Vec<T>(T(-kLn2Low<T>)), fma(e, Vec<T>(T(-kLn2High<T>)), x));
  const Mask<T> none = given < least;
  return {select(none, zero, exp_near_zero(min(Vec<T>(T(1)), max(Vec<T>(T(-1)), r)))), select(none, zero, e)};
}

template <class T> CINTA_FN Scaled<T> operator+(Scaled<T> a, Scaled<T> b) { // of a size like theirs, not normalized
  const Vec<T> top = max(a.e, b.e), least(kLeastExponent<T>); // below that they do not matter beside the other one
  return {scale_by_power(a.m, max(least, a.e - top)) + scale_by_power(b.m, max(least, b.e - top)), top};
}
template <class T> CINTA_FN Scaled<T> normalized(Vec<T> m, Vec<T> e) {
  Vec<T> exponent(T(0));
  const Vec<T> mantissa = split_exponent(m, exponent);
  const Mask<T> some = m > Vec<T>(T(0)); // neither 0 nor NaN
  return {select(some, mantissa, m), select(some, e + exponent, Vec<T>(kNoExponent<T>))};
}
template <class T> CINTA_FN Scaled<T> operator*(Scaled<T> a, Scaled<T> b) { return normalized(a.m * b.m, a.e + b.e); }
template <class T> CINTA_FN Scaled<T> select(Mask<T> mask, Scaled<T> a, Scaled<T> b) {
  return {select(mask, a.m, b.m), select(mask, a.e, b.e)};
}

template <class T> struct ScaledRow { // in memory
  T *m, *e;
  ScaledRow(T *memory, int64_t width) : m(memory), e(memory + width) {}
  CINTA_FN Scaled<T> get(int64_t i, int64_t n) const { return {load_some(m + i, n), load_some(e + i, n)}; }
  CINTA_FN void set(int64_t i, int64_t n, Scaled<T> x) const {
    store_some(x.m, m + i, n);
    store_some(x.e, e + i, n);
  }
  CINTA_FN Scaled<T> everywhere(int64_t i) const { return {Vec<T>(m[i]), Vec<T>(e[i])}; }
  void put(int64_t i, bool one) const { // a probability of 0 or 1
    m[i] = T(one);
    e[i] = one ? T(0) : kNoExponent<T>;
  }
};

} // namespace cinta::kernels::CINTA_ISA
