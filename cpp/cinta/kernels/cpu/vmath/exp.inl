// exp, exp2, expm1, sigmoid.
#include "cinta/kernels/formulas/formula.h"

namespace cinta::kernels::CINTA_ISA {

// x = n log(b) + r for the base b = e or 2, n a multiple of 1/16, |r| <= log(b) / 32. Adding 1.5 * 2^19 rounds to such
// multiples and leaves 16 n in the low bits.
struct ReducedExp {
  Vec<float> n, r;
  IntVec<int32_t> sixteenths;
};
// 2^(i/16) as the sum of two floats.
constexpr float kExpTable[16] = {1.f,         1.04427373f, 1.09050775f, 1.13878858f, 1.18920708f, 1.24185777f,
                                 1.29683959f, 1.35425556f, 1.41421354f, 1.47682619f, 1.54221082f, 1.61049032f,
                                 1.68179286f, 1.75625217f, 1.8340081f,  1.91520655f};
constexpr float kExpTableLow[16] = {0.f,
                                    4.83347016e-08f,
                                    -1.30775399e-08f,
                                    5.38622231e-08f,
                                    3.79763527e-08f,
                                    4.4968381e-08f,
                                    -4.01899953e-08f,
                                    -1.01233493e-08f,
                                    2.4203235e-08f,
                                    -4.50089885e-08f,
                                    8.07090483e-09f,
                                    9.83621717e-09f,
                                    -2.47553267e-08f,
                                    -9.23577037e-09f,
                                    -1.1239278e-08f,
                                    9.84532811e-09f};

CINTA_FN ReducedExp reduce_exp(Vec<float> x) {
  Vec<float> magic(0x1.8p19f), t = fma(x, Vec<float>(0x1.715476p0f), magic), n = t - magic;
  Vec<float> r = fma(n, Vec<float>(-0x1.62e43p-1f), x); // exact
  return {n, fma(n, Vec<float>(0x1.05c61p-29f), r), as_int(t)};
}
CINTA_FN ReducedExp reduce_exp2(Vec<float> x) {
  Vec<float> magic(0x1.8p19f), t = x + magic, n = t - magic;
  return {n, x - n, as_int(t)};
}
// b^r - 1, and 2^n (1 + p) from it
CINTA_FN Vec<float> small_exp(Vec<float> r) {
  return fma(r * r, fma(r, Vec<float>(0.166670099f), Vec<float>(0.500016272f)), r);
}
CINTA_FN Vec<float> small_exp2(Vec<float> r) { return r * polynomial(r, 0.693147182, 0.240234286, 0.0555029064); }
// x 2^floor(n) for x in [1, 2) and n >= -151. Below the normal numbers the bits are rounded as an integer: a denormal
// result of an arithmetic instruction costs an assist of the CPU, a hundred times the rest.
CINTA_FN Vec<float> scale_to_denormals(Vec<float> x, Vec<float> n) {
  const Vec<float> least(-126.f), one_bit(0x1p23f);
  const Mask<float> denormal = n < least;
  if (!denormal.any()) [[likely]]
    return scale_by_power(x, n);
  const Vec<float> normal = scale_by_power(x, max(least, n)); // where n is NaN, max gives it
  const Vec<float> multiple = scale_by_power(x, min(n, least) + Vec<float>(149.f)) + one_bit;
  return select(denormal, as_float(as_int(multiple) - as_int(one_bit)), normal);
}
// exp where the result is a normal number.
CINTA_FN Vec<float> normal_exp(Vec<float> x) {
  const ReducedExp d = reduce_exp(x);
  const Vec<float> high = lookup16(kExpTable, d.sixteenths), low = lookup16(kExpTableLow, d.sixteenths);
  return scale_by_power(high + fma(high, small_exp(d.r), low), d.n);
}
CINTA_FN Vec<float> finish_exp(ReducedExp x, Vec<float> p) {
  Vec<float> high = lookup16(kExpTable, x.sixteenths), low = lookup16(kExpTableLow, x.sixteenths);
  return scale_to_denormals(high + fma(high, p, low), x.n);
}
// Beyond these bounds the result is 0 or inf; NaN passes, being the second operand.
CINTA_FN Vec<float> clamp(float low, float high, Vec<float> x) {
  return min(Vec<float>(high), max(Vec<float>(low), x));
}
CINTA_FN Vec<double> clamp(double low, double high, Vec<double> x) {
  return min(Vec<double>(high), max(Vec<double>(low), x));
}

CINTA_FN Vec<float> exp(Vec<float> x) {
  ReducedExp reduced = reduce_exp(clamp(-105.f, 90.f, x));
  return finish_exp(reduced, small_exp(reduced.r));
}
CINTA_FN Vec<float> exp2(Vec<float> x) {
  ReducedExp reduced = reduce_exp2(clamp(-151.f, 129.f, x));
  return finish_exp(reduced, small_exp2(reduced.r));
}
// 2^n high - 1 is exact wherever it cancels. In halves, so that 2^n does not overflow before the end.
CINTA_FN Vec<float> expm1(Vec<float> x) {
  ReducedExp d = reduce_exp(clamp(-105.f, 89.f, x));
  Vec<float> high = lookup16(kExpTable, d.sixteenths), low = lookup16(kExpTableLow, d.sixteenths);
  Vec<float> p = fma(d.r * d.r, polynomial(d.r, 0.5, 0.16666992, 0.0416672379), d.r);
  Vec<float> half(0.5f), n = d.n - Vec<float>(1.f);
  Vec<float> y = (scale_by_power(high, n) - half) + scale_by_power(fma(high, p, low), n);
  return select(abs(x) < Vec<float>(0x1p-60f), x, y + y);
}

// x = n ln 2 + r, |r| <= ln(2) / 2, n integral; and (e^r - 1 - r) / r^2.
struct ReducedExp64 {
  Vec<double> n, r, r_low;
};
CINTA_FN ReducedExp64 reduce_exp(Vec<double> x) {
  Vec<double> magic(0x1.8p52), n = fma(x, Vec<double>(0x1.71547652b82fep0), magic) - magic;
  Vec<double> high = fma(n, Vec<double>(-0x1.62e42fefa38p-1), x), low = n * Vec<double>(-0x1.ef35793c7673p-45);
  Vec<double> r = high + low;
  return {n, r, low - (r - high)};
}
CINTA_FN Vec<double> small_exp(Vec<double> r) {
  return polynomial(r, 0x1.000000000000ap-1, 0x1.5555555555504p-3, 0x1.55555555506a5p-5, 0x1.1111111125550p-7,
                    0x1.6c16c1847ece7p-10, 0x1.a01a0136df5cdp-13, 0x1.a0199944ca60ep-16, 0x1.71df0a271aab1p-19,
                    0x1.28ae18a3313ddp-22, 0x1.ada983cb48bd8p-26);
}
CINTA_FN Vec<double> exp(Vec<double> x) {
  ReducedExp64 d = reduce_exp(clamp(-750., 720., x));
  return scale_by_power(Vec<double>(1.) + (d.r + fma(d.r * d.r, small_exp(d.r), d.r_low)), d.n);
}
// In halves, so that 2^n does not overflow before the end.
CINTA_FN Vec<double> expm1(Vec<double> x) {
  ReducedExp64 d = reduce_exp(clamp(-750., 709.9, x));
  Vec<double> half = scale_by_power(Vec<double>(0.5), d.n), rest = fma(d.r * d.r, small_exp(d.r), d.r_low);
  Vec<double> y = ((half - Vec<double>(0.5)) + half * d.r) + half * rest;
  return select(abs(x) < Vec<double>(0x1p-60), x, y + y);
}

// e^-|x| or 1 over 1 + e^-|x|, which never overflows. The last line gives back what rounding the sum lost.
template <class T> CINTA_FN Vec<T> sigmoid_of(Vec<T> x, Vec<T> e) { // e = exp(-|x|)
  const Vec<T> one(T(1)), sum = one + e, lost = e - (sum - one);
  const Vec<T> y = select(x < Vec<T>(T(0)), e, one) / sum;
  return fma(-lost, y, y);
}
CINTA_FN Vec<double> sigmoid(Vec<double> x) { return sigmoid_of(x, exp(-abs(x))); }
CINTA_FN Vec<float> sigmoid(Vec<float> x) {
  const Vec<float> least(-87.f); // from here on e may be denormal; for positive x it no longer matters
  if ((x < least).any()) [[unlikely]]
    return sigmoid_of(x, exp(-abs(x)));
  const IntVec<int32_t> sign(int32_t(0x80000000));
  return sigmoid_of(x, normal_exp(max(least, as_float(as_int(x) | sign))));
}
template <class T> CINTA_FN WithRest<Vec<T>> sigmoid_and_rest(Vec<T> x) {
  const Vec<T> one(T(1)), e = exp(-abs(x)), large = one / (one + e), small = e * large;
  const Mask<T> negative = x < Vec<T>(T(0));
  return {select(negative, small, large), select(negative, large, small)};
}

} // namespace cinta::kernels::CINTA_ISA
