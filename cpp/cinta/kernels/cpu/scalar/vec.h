// The scalar level: a "vector" of one lane. Every kernel body compiles against it, which makes it the reference.
#pragma once
#include <cstdint>

#define CINTA_ISA scalar
#define CINTA_FN [[gnu::always_inline]] inline

namespace cinta::kernels::scalar {

template <class T> struct Mask {
  bool m;
  CINTA_FN friend Mask operator&(Mask a, Mask b) { return {a.m && b.m}; }
  CINTA_FN friend Mask operator|(Mask a, Mask b) { return {a.m || b.m}; }
  CINTA_FN friend Mask operator!(Mask a) { return {!a.m}; }
  CINTA_FN bool any() const { return m; }
  CINTA_FN bool all() const { return m; }
  CINTA_FN static Mask first_lanes(int64_t n) { return {n > 0}; }
  // One byte per lane, stored as 0 or 1, true where it is not 0.
  CINTA_FN static Mask load_bytes(const uint8_t *p) { return {*p != 0}; }
  CINTA_FN void store_bytes(uint8_t *p) const { *p = m; }
};

template <class T> struct Vec {
  using Scalar = T;
  static constexpr int width = 1;
  T v;

  Vec() = default;
  CINTA_FN Vec(T x) : v(x) {}
  CINTA_FN static Vec load(const T *p) { return *p; }
  CINTA_FN static Vec load_partial(const T *p, int64_t n) { return n > 0 ? *p : T(0); }
  CINTA_FN static Vec load_masked(const T *p, Mask<T> m) { return m.m ? *p : T(0); }
  CINTA_FN void store(T *p) const { *p = v; }
  CINTA_FN void stream(T *p) const { *p = v; } // past the caches where there is an instruction for it
  CINTA_FN void store_partial(T *p, int64_t n) const {
    if (n > 0)
      *p = v;
  }

  CINTA_FN friend Vec operator+(Vec a, Vec b) { return a.v + b.v; }
  CINTA_FN friend Vec operator-(Vec a, Vec b) { return a.v - b.v; }
  CINTA_FN friend Vec operator*(Vec a, Vec b) { return a.v * b.v; }
  CINTA_FN friend Vec operator/(Vec a, Vec b) { return a.v / b.v; }
  CINTA_FN Vec operator-() const { return -v; }
  CINTA_FN Vec &operator+=(Vec b) { return *this = *this + b; }
  CINTA_FN Vec &operator-=(Vec b) { return *this = *this - b; }
  CINTA_FN Vec &operator*=(Vec b) { return *this = *this * b; }
  CINTA_FN friend Mask<T> operator<(Vec a, Vec b) { return {a.v < b.v}; }
  CINTA_FN friend Mask<T> operator<=(Vec a, Vec b) { return {a.v <= b.v}; }
  CINTA_FN friend Mask<T> operator>(Vec a, Vec b) { return {a.v > b.v}; }
  CINTA_FN friend Mask<T> operator>=(Vec a, Vec b) { return {a.v >= b.v}; }
  CINTA_FN friend Mask<T> operator==(Vec a, Vec b) { return {a.v == b.v}; }
  CINTA_FN friend Mask<T> operator!=(Vec a, Vec b) { return {!(a.v == b.v)}; }
};

// Bits of a lane, as wide as the lane.
template <class I> struct IntVec {
  I v;
  IntVec() = default;
  CINTA_FN IntVec(I x) : v(x) {}
  CINTA_FN friend IntVec operator+(IntVec a, IntVec b) { return I(uint64_t(a.v) + uint64_t(b.v)); }
  CINTA_FN friend IntVec operator-(IntVec a, IntVec b) { return I(uint64_t(a.v) - uint64_t(b.v)); }
  CINTA_FN friend IntVec operator&(IntVec a, IntVec b) { return a.v & b.v; }
  CINTA_FN friend IntVec operator|(IntVec a, IntVec b) { return a.v | b.v; }
  CINTA_FN friend IntVec operator^(IntVec a, IntVec b) { return a.v ^ b.v; }
};
template <int kBits, class I> CINTA_FN IntVec<I> shift_left(IntVec<I> a) { return I(uint64_t(a.v) << kBits); }
template <int kBits> CINTA_FN IntVec<int32_t> shift_right(IntVec<int32_t> a) { return int32_t(uint32_t(a.v) >> kBits); }
template <int kBits> CINTA_FN IntVec<int64_t> shift_right(IntVec<int64_t> a) { return int64_t(uint64_t(a.v) >> kBits); }
// The products of the low halves, taken as unsigned.
CINTA_FN IntVec<int64_t> multiply_low(IntVec<int64_t> a, IntVec<int64_t> b) {
  return int64_t(uint64_t(uint32_t(a.v)) * uint32_t(b.v));
}

CINTA_FN IntVec<int32_t> as_int(Vec<float> x) { return __builtin_bit_cast(int32_t, x.v); }
CINTA_FN IntVec<int64_t> as_int(Vec<double> x) { return __builtin_bit_cast(int64_t, x.v); }
CINTA_FN Vec<float> as_float(IntVec<int32_t> x) { return __builtin_bit_cast(float, x.v); }
CINTA_FN Vec<double> as_float(IntVec<int64_t> x) { return __builtin_bit_cast(double, x.v); }
// x: integral, |x| < 2^31 (float), 2^51 (double)
CINTA_FN IntVec<int32_t> to_int(Vec<float> x) { return int32_t(x.v); }
CINTA_FN IntVec<int64_t> to_int(Vec<double> x) { return int64_t(x.v); }
CINTA_FN Mask<float> is_zero(IntVec<int32_t> x) { return {x.v == 0}; }
CINTA_FN Mask<double> is_zero(IntVec<int64_t> x) { return {x.v == 0}; }

template <class T> CINTA_FN Vec<T> select(Mask<T> m, Vec<T> a, Vec<T> b) { return m.m ? a : b; }
// One rounding. Without FMA instructions this is libm's, slow and exact: the reference has the same bits as the rest.
CINTA_FN Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return __builtin_fmaf(a.v, b.v, c.v); }
CINTA_FN Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return __builtin_fma(a.v, b.v, c.v); }
// The second operand where either is NaN, as the instructions do.
template <class T> CINTA_FN Vec<T> min(Vec<T> a, Vec<T> b) { return a.v < b.v ? a : b; }
template <class T> CINTA_FN Vec<T> max(Vec<T> a, Vec<T> b) { return a.v > b.v ? a : b; }
// NaN where either is NaN.
template <class T> CINTA_FN Vec<T> minimum(Vec<T> a, Vec<T> b) { return a.v != a.v || a.v < b.v ? a : b; }
template <class T> CINTA_FN Vec<T> maximum(Vec<T> a, Vec<T> b) { return a.v != a.v || a.v > b.v ? a : b; }
CINTA_FN Vec<float> sqrt(Vec<float> x) { return __builtin_sqrtf(x.v); }
CINTA_FN Vec<double> sqrt(Vec<double> x) { return __builtin_sqrt(x.v); }
CINTA_FN Vec<float> abs(Vec<float> x) { return __builtin_fabsf(x.v); }
CINTA_FN Vec<double> abs(Vec<double> x) { return __builtin_fabs(x.v); }
CINTA_FN Vec<float> copysign(Vec<float> x, Vec<float> sign) { return __builtin_copysignf(x.v, sign.v); }
CINTA_FN Vec<double> copysign(Vec<double> x, Vec<double> sign) { return __builtin_copysign(x.v, sign.v); }
CINTA_FN Vec<float> floor(Vec<float> x) { return __builtin_floorf(x.v); }
CINTA_FN Vec<double> floor(Vec<double> x) { return __builtin_floor(x.v); }
CINTA_FN Vec<float> ceil(Vec<float> x) { return __builtin_ceilf(x.v); }
CINTA_FN Vec<double> ceil(Vec<double> x) { return __builtin_ceil(x.v); }
CINTA_FN Vec<float> round(Vec<float> x) { return __builtin_rintf(x.v); } // half to even
CINTA_FN Vec<double> round(Vec<double> x) { return __builtin_rint(x.v); }
CINTA_FN Vec<float> trunc(Vec<float> x) { return __builtin_truncf(x.v); }
CINTA_FN Vec<double> trunc(Vec<double> x) { return __builtin_trunc(x.v); }

// x * 2^floor(n) for 2^-90 < |x| < 2^90: right down to the denormals and up to inf.
CINTA_FN Vec<float> scale_by_power(Vec<float> x, Vec<float> n) {
  return __builtin_ldexpf(x.v, int(floor(min(max(n, Vec<float>(-400)), Vec<float>(400))).v));
}
CINTA_FN Vec<double> scale_by_power(Vec<double> x, Vec<double> n) {
  return __builtin_ldexp(x.v, int(floor(min(max(n, Vec<double>(-3000)), Vec<double>(3000))).v));
}
// x = mantissa * 2^exponent with mantissa in [1, 2), for finite x > 0, denormals too. Elsewhere without meaning.
template <class T> CINTA_FN Vec<T> split_exponent(Vec<T> x, Vec<T> &exponent) {
  int e = 0;
  T fraction = T(__builtin_frexp(double(x.v), &e));
  exponent = T(e - 1);
  return fraction * T(2);
}
// y where 0 < x < inf, and what a logarithm of x is elsewhere.
template <class T> CINTA_FN Vec<T> log_limits(Vec<T> x, Vec<T> y) {
  if (x.v > 0 && x.v < T(__builtin_inf()))
    return y;
  return x.v == 0 ? T(-__builtin_inf()) : x.v < 0 ? T(__builtin_nan("")) : x.v;
}
// table[the low four bits of index]
CINTA_FN Vec<float> lookup16(const float *table, IntVec<int32_t> index) { return table[index.v & 15]; }

// Lane l is p[index l].
template <class T, class I> CINTA_FN Vec<T> gather(const T *p, IntVec<I> index) { return p[index.v]; }

// Lane l is x[l - 1], before its first lane the last one of before; or x[l + 1], after its last the first of after.
CINTA_FN Vec<float> lanes_before(Vec<float> before, Vec<float>) { return before; }
CINTA_FN Vec<float> lanes_after(Vec<float>, Vec<float> after) { return after; }

CINTA_FN void finish_streams() {} // what was streamed is there for others to read

template <class T> CINTA_FN T reduce_add(Vec<T> x) { return x.v; }
template <class T> CINTA_FN T reduce_max(Vec<T> x) { return x.v; }

} // namespace cinta::kernels::scalar
