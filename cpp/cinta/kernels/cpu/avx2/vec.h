// AVX2 + FMA + F16C: eight floats or four doubles.
#pragma once
#include <cstdint>
#include <immintrin.h>

#define CINTA_ISA avx2
#define CINTA_FN [[gnu::always_inline]] inline

namespace cinta::kernels::avx2 {

template <class T> struct Mask;
template <class T> struct Vec;
template <class I> struct IntVec; // bits of the lanes, as wide as the lanes

// All ones in the first n lanes.
CINTA_FN __m256i first_lanes32(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
CINTA_FN __m256i first_lanes64(int64_t n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

template <> struct Mask<float> {
  __m256 m;
  CINTA_FN friend Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.m, b.m)}; }
  CINTA_FN friend Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.m, b.m)}; }
  CINTA_FN friend Mask operator!(Mask a) { return {_mm256_xor_ps(a.m, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))}; }
  CINTA_FN bool any() const { return _mm256_movemask_ps(m) != 0; }
  CINTA_FN bool all() const { return _mm256_movemask_ps(m) == 0xff; }
  CINTA_FN static Mask first_lanes(int64_t n) { return {_mm256_castsi256_ps(first_lanes32(n))}; }
  // One byte per lane, stored as 0 or 1, true where it is not 0.
  CINTA_FN static Mask load_bytes(const uint8_t *p) {
    __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p)));
    return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(wide, _mm256_setzero_si256()))};
  }
  CINTA_FN void store_bytes(uint8_t *p) const {
    __m256i lanes = _mm256_castps_si256(m);
    __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    __m128i bytes = _mm_and_si128(_mm_packs_epi16(half, half), _mm_set1_epi8(1));
    _mm_storel_epi64(reinterpret_cast<__m128i *>(p), bytes);
  }
};
template <> struct Mask<double> {
  __m256d m;
  CINTA_FN friend Mask operator&(Mask a, Mask b) { return {_mm256_and_pd(a.m, b.m)}; }
  CINTA_FN friend Mask operator|(Mask a, Mask b) { return {_mm256_or_pd(a.m, b.m)}; }
  CINTA_FN friend Mask operator!(Mask a) { return {_mm256_xor_pd(a.m, _mm256_castsi256_pd(_mm256_set1_epi32(-1)))}; }
  CINTA_FN bool any() const { return _mm256_movemask_pd(m) != 0; }
  CINTA_FN bool all() const { return _mm256_movemask_pd(m) == 0xf; }
  CINTA_FN static Mask first_lanes(int64_t n) { return {_mm256_castsi256_pd(first_lanes64(n))}; }
  CINTA_FN static Mask load_bytes(const uint8_t *p) {
    int32_t bytes;
    __builtin_memcpy(&bytes, p, 4);
    __m256i wide = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(bytes));
    return {_mm256_castsi256_pd(_mm256_cmpgt_epi64(wide, _mm256_setzero_si256()))};
  }
  CINTA_FN void store_bytes(uint8_t *p) const {
    __m256i bits = _mm256_srli_epi64(_mm256_castpd_si256(m), 63);
    int64_t lane[4];
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(lane), bits);
    for (int i = 0; i < 4; ++i)
      p[i] = uint8_t(lane[i]);
  }
};

template <> struct Vec<float> {
  using Scalar = float;
  static constexpr int width = 8;
  __m256 v;

  Vec() = default;
  CINTA_FN Vec(__m256 x) : v(x) {}
  CINTA_FN Vec(float x) : v(_mm256_set1_ps(x)) {}
  CINTA_FN static Vec load(const float *p) { return _mm256_loadu_ps(p); }
  CINTA_FN static Vec load_partial(const float *p, int64_t n) { return _mm256_maskload_ps(p, first_lanes32(n)); }
  CINTA_FN static Vec load_masked(const float *p, Mask<float> m) {
    return _mm256_maskload_ps(p, _mm256_castps_si256(m.m));
  }
  CINTA_FN void store(float *p) const { _mm256_storeu_ps(p, v); }
  CINTA_FN void stream(float *p) const { _mm256_stream_ps(p, v); } // past the caches, p aligned
  CINTA_FN void store_partial(float *p, int64_t n) const { _mm256_maskstore_ps(p, first_lanes32(n), v); }

  CINTA_FN friend Vec operator+(Vec a, Vec b) { return _mm256_add_ps(a.v, b.v); }
  CINTA_FN friend Vec operator-(Vec a, Vec b) { return _mm256_sub_ps(a.v, b.v); }
  CINTA_FN friend Vec operator*(Vec a, Vec b) { return _mm256_mul_ps(a.v, b.v); }
  CINTA_FN friend Vec operator/(Vec a, Vec b) { return _mm256_div_ps(a.v, b.v); }
  CINTA_FN Vec operator-() const { return _mm256_xor_ps(v, _mm256_set1_ps(-0.0f)); }
  CINTA_FN Vec &operator+=(Vec b) { return *this = *this + b; }
  CINTA_FN Vec &operator-=(Vec b) { return *this = *this - b; }
  CINTA_FN Vec &operator*=(Vec b) { return *this = *this * b; }
  CINTA_FN friend Mask<float> operator<(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
  CINTA_FN friend Mask<float> operator<=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
  CINTA_FN friend Mask<float> operator>(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
  CINTA_FN friend Mask<float> operator>=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
  CINTA_FN friend Mask<float> operator==(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
  CINTA_FN friend Mask<float> operator!=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
};

template <> struct Vec<double> {
  using Scalar = double;
  static constexpr int width = 4;
  __m256d v;

  Vec() = default;
  CINTA_FN Vec(__m256d x) : v(x) {}
  CINTA_FN Vec(double x) : v(_mm256_set1_pd(x)) {}
  CINTA_FN static Vec load(const double *p) { return _mm256_loadu_pd(p); }
  CINTA_FN static Vec load_partial(const double *p, int64_t n) { return _mm256_maskload_pd(p, first_lanes64(n)); }
  CINTA_FN static Vec load_masked(const double *p, Mask<double> m) {
    return _mm256_maskload_pd(p, _mm256_castpd_si256(m.m));
  }
  CINTA_FN void store(double *p) const { _mm256_storeu_pd(p, v); }
  CINTA_FN void stream(double *p) const { _mm256_stream_pd(p, v); }
  CINTA_FN void store_partial(double *p, int64_t n) const { _mm256_maskstore_pd(p, first_lanes64(n), v); }

  CINTA_FN friend Vec operator+(Vec a, Vec b) { return _mm256_add_pd(a.v, b.v); }
  CINTA_FN friend Vec operator-(Vec a, Vec b) { return _mm256_sub_pd(a.v, b.v); }
  CINTA_FN friend Vec operator*(Vec a, Vec b) { return _mm256_mul_pd(a.v, b.v); }
  CINTA_FN friend Vec operator/(Vec a, Vec b) { return _mm256_div_pd(a.v, b.v); }
  CINTA_FN Vec operator-() const { return _mm256_xor_pd(v, _mm256_set1_pd(-0.0)); }
  CINTA_FN Vec &operator+=(Vec b) { return *this = *this + b; }
  CINTA_FN Vec &operator-=(Vec b) { return *this = *this - b; }
  CINTA_FN Vec &operator*=(Vec b) { return *this = *this * b; }
  CINTA_FN friend Mask<double> operator<(Vec a, Vec b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ)}; }
  CINTA_FN friend Mask<double> operator<=(Vec a, Vec b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_LE_OQ)}; }
  CINTA_FN friend Mask<double> operator>(Vec a, Vec b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ)}; }
  CINTA_FN friend Mask<double> operator>=(Vec a, Vec b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_GE_OQ)}; }
  CINTA_FN friend Mask<double> operator==(Vec a, Vec b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_EQ_OQ)}; }
  CINTA_FN friend Mask<double> operator!=(Vec a, Vec b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_NEQ_UQ)}; }
};

template <> struct IntVec<int32_t> {
  __m256i v;
  CINTA_FN IntVec(__m256i x) : v(x) {}
  CINTA_FN IntVec(int32_t x) : v(_mm256_set1_epi32(x)) {}
  CINTA_FN friend IntVec operator+(IntVec a, IntVec b) { return _mm256_add_epi32(a.v, b.v); }
  CINTA_FN friend IntVec operator-(IntVec a, IntVec b) { return _mm256_sub_epi32(a.v, b.v); }
  CINTA_FN friend IntVec operator&(IntVec a, IntVec b) { return _mm256_and_si256(a.v, b.v); }
  CINTA_FN friend IntVec operator|(IntVec a, IntVec b) { return _mm256_or_si256(a.v, b.v); }
  CINTA_FN friend IntVec operator^(IntVec a, IntVec b) { return _mm256_xor_si256(a.v, b.v); }
};
template <> struct IntVec<int64_t> {
  __m256i v;
  IntVec() = default;
  CINTA_FN IntVec(__m256i x) : v(x) {}
  CINTA_FN IntVec(int64_t x) : v(_mm256_set1_epi64x(x)) {}
  CINTA_FN friend IntVec operator+(IntVec a, IntVec b) { return _mm256_add_epi64(a.v, b.v); }
  CINTA_FN friend IntVec operator-(IntVec a, IntVec b) { return _mm256_sub_epi64(a.v, b.v); }
  CINTA_FN friend IntVec operator&(IntVec a, IntVec b) { return _mm256_and_si256(a.v, b.v); }
  CINTA_FN friend IntVec operator|(IntVec a, IntVec b) { return _mm256_or_si256(a.v, b.v); }
  CINTA_FN friend IntVec operator^(IntVec a, IntVec b) { return _mm256_xor_si256(a.v, b.v); }
};
template <int kBits> CINTA_FN IntVec<int32_t> shift_left(IntVec<int32_t> a) { return _mm256_slli_epi32(a.v, kBits); }
template <int kBits> CINTA_FN IntVec<int64_t> shift_left(IntVec<int64_t> a) { return _mm256_slli_epi64(a.v, kBits); }
template <int kBits> CINTA_FN IntVec<int32_t> shift_right(IntVec<int32_t> a) { return _mm256_srli_epi32(a.v, kBits); }
template <int kBits> CINTA_FN IntVec<int64_t> shift_right(IntVec<int64_t> a) { return _mm256_srli_epi64(a.v, kBits); }
// The products of the low halves, taken as unsigned.
CINTA_FN IntVec<int64_t> multiply_low(IntVec<int64_t> a, IntVec<int64_t> b) { return _mm256_mul_epu32(a.v, b.v); }

CINTA_FN IntVec<int32_t> as_int(Vec<float> x) { return _mm256_castps_si256(x.v); }
CINTA_FN IntVec<int64_t> as_int(Vec<double> x) { return _mm256_castpd_si256(x.v); }
CINTA_FN Vec<float> as_float(IntVec<int32_t> x) { return _mm256_castsi256_ps(x.v); }
CINTA_FN Vec<double> as_float(IntVec<int64_t> x) { return _mm256_castsi256_pd(x.v); }
// x: integral, |x| < 2^31 (float), 2^51 (double: adding 1.5 * 2^52 leaves the integer in the low bits)
CINTA_FN IntVec<int32_t> to_int(Vec<float> x) { return _mm256_cvttps_epi32(x.v); }
CINTA_FN IntVec<int64_t> to_int(Vec<double> x) {
  Vec<double> magic(0x1.8p52);
  return as_int(x + magic) - as_int(magic);
}
CINTA_FN Mask<float> is_zero(IntVec<int32_t> x) {
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(x.v, _mm256_setzero_si256()))};
}
CINTA_FN Mask<double> is_zero(IntVec<int64_t> x) {
  return {_mm256_castsi256_pd(_mm256_cmpeq_epi64(x.v, _mm256_setzero_si256()))};
}

CINTA_FN Vec<float> select(Mask<float> m, Vec<float> a, Vec<float> b) { return _mm256_blendv_ps(b.v, a.v, m.m); }
CINTA_FN Vec<double> select(Mask<double> m, Vec<double> a, Vec<double> b) { return _mm256_blendv_pd(b.v, a.v, m.m); }
CINTA_FN Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }
CINTA_FN Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return _mm256_fmadd_pd(a.v, b.v, c.v); }
// The second operand where either is NaN, as the instructions do.
CINTA_FN Vec<float> min(Vec<float> a, Vec<float> b) { return _mm256_min_ps(a.v, b.v); }
CINTA_FN Vec<double> min(Vec<double> a, Vec<double> b) { return _mm256_min_pd(a.v, b.v); }
CINTA_FN Vec<float> max(Vec<float> a, Vec<float> b) { return _mm256_max_ps(a.v, b.v); }
CINTA_FN Vec<double> max(Vec<double> a, Vec<double> b) { return _mm256_max_pd(a.v, b.v); }
// NaN where either is NaN.
template <class T> CINTA_FN Vec<T> minimum(Vec<T> a, Vec<T> b) { return select(a != a, a, min(a, b)); }
template <class T> CINTA_FN Vec<T> maximum(Vec<T> a, Vec<T> b) { return select(a != a, a, max(a, b)); }
CINTA_FN Vec<float> sqrt(Vec<float> x) { return _mm256_sqrt_ps(x.v); }
CINTA_FN Vec<double> sqrt(Vec<double> x) { return _mm256_sqrt_pd(x.v); }
CINTA_FN Vec<float> abs(Vec<float> x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x.v); }
CINTA_FN Vec<double> abs(Vec<double> x) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), x.v); }
CINTA_FN Vec<float> copysign(Vec<float> x, Vec<float> sign) {
  return _mm256_or_ps(abs(x).v, _mm256_and_ps(_mm256_set1_ps(-0.0f), sign.v));
}
CINTA_FN Vec<double> copysign(Vec<double> x, Vec<double> sign) {
  return _mm256_or_pd(abs(x).v, _mm256_and_pd(_mm256_set1_pd(-0.0), sign.v));
}
CINTA_FN Vec<float> floor(Vec<float> x) { return _mm256_floor_ps(x.v); }
CINTA_FN Vec<double> floor(Vec<double> x) { return _mm256_floor_pd(x.v); }
CINTA_FN Vec<float> ceil(Vec<float> x) { return _mm256_ceil_ps(x.v); }
CINTA_FN Vec<double> ceil(Vec<double> x) { return _mm256_ceil_pd(x.v); }
CINTA_FN Vec<float> round(Vec<float> x) { return _mm256_round_ps(x.v, 8); } // half to even, quiet
CINTA_FN Vec<double> round(Vec<double> x) { return _mm256_round_pd(x.v, 8); }
CINTA_FN Vec<float> trunc(Vec<float> x) { return _mm256_round_ps(x.v, 11); }
CINTA_FN Vec<double> trunc(Vec<double> x) { return _mm256_round_pd(x.v, 11); }

// x * 2^floor(n) for 2^-90 < |x| < 2^90: right down to the denormals and up to inf. Where 2^n alone does not fit, in
// steps of which only the last one rounds.
CINTA_FN Vec<float> scale_by_power(Vec<float> x, Vec<float> n) {
  IntVec<int32_t> bias(127), i = to_int(floor(min(max(n, Vec<float>(-250)), Vec<float>(250))));
  if ((abs(n) <= Vec<float>(126)).all()) [[likely]]
    return x * as_float(shift_left<23>(i + bias));
  IntVec<int32_t> quarter = _mm256_srai_epi32(i.v, 2);
  Vec<float> step = as_float(shift_left<23>(quarter + bias));
  Vec<float> rest = as_float(shift_left<23>(i - quarter - quarter - quarter + bias));
  return x * rest * (step * step) * step;
}
CINTA_FN Vec<double> scale_by_power(Vec<double> x, Vec<double> n) {
  IntVec<int64_t> bias(1023);
  Vec<double> i = floor(min(max(n, Vec<double>(-2000)), Vec<double>(2000)));
  if ((abs(n) <= Vec<double>(1022)).all()) [[likely]]
    return x * as_float(shift_left<52>(to_int(i) + bias));
  Vec<double> quarter = floor(i * Vec<double>(0.25));
  Vec<double> step = as_float(shift_left<52>(to_int(quarter) + bias));
  Vec<double> rest = as_float(shift_left<52>(to_int(i - quarter * Vec<double>(3)) + bias));
  return x * rest * (step * step) * step;
}
// x = mantissa * 2^exponent with mantissa in [1, 2), for finite x > 0, denormals too. Elsewhere without meaning.
CINTA_FN Vec<float> split_exponent(Vec<float> x, Vec<float> &exponent) {
  Mask<float> tiny = x < Vec<float>(0x1p-126f);
  IntVec<int32_t> bits = as_int(select(tiny, x * Vec<float>(0x1p24f), x));
  exponent = Vec<float>(_mm256_cvtepi32_ps(shift_right<23>(bits).v)) - select(tiny, Vec<float>(151), Vec<float>(127));
  return as_float((bits & IntVec<int32_t>(0x007fffff)) | IntVec<int32_t>(0x3f800000));
}
CINTA_FN Vec<double> split_exponent(Vec<double> x, Vec<double> &exponent) {
  Mask<double> tiny = x < Vec<double>(0x1p-1022);
  IntVec<int64_t> bits = as_int(select(tiny, x * Vec<double>(0x1p54), x));
  Vec<double> magic(0x1p52); // its low bits take the biased exponent
  Vec<double> biased = as_float(shift_right<52>(bits) | as_int(magic)) - magic;
  exponent = biased - select(tiny, Vec<double>(1077), Vec<double>(1023));
  return as_float((bits & IntVec<int64_t>(0x000fffffffffffff)) | IntVec<int64_t>(0x3ff0000000000000));
}
// y where 0 < x < inf, and what a logarithm of x is elsewhere.
template <class T> CINTA_FN Vec<T> log_limits(Vec<T> x, Vec<T> y) {
  Vec<T> zero(T(0)), inf = T(__builtin_inf());
  Mask<T> ordinary = (x > zero) & (x < inf);
  if (ordinary.all()) [[likely]]
    return y;
  Vec<T> limit = select(x == zero, -inf, select(x < zero, Vec<T>(T(__builtin_nan(""))), x));
  return select(ordinary, y, limit);
}
// table[the low four bits of index]
CINTA_FN Vec<float> lookup16(const float *table, IntVec<int32_t> index) {
  __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index.v);
  __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index.v);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index.v, 28)));
}

// Lane l is p[index l].
CINTA_FN Vec<float> gather(const float *p, IntVec<int32_t> index) { return _mm256_i32gather_ps(p, index.v, 4); }
CINTA_FN Vec<double> gather(const double *p, IntVec<int64_t> index) { return _mm256_i64gather_pd(p, index.v, 8); }

// Lane l is x[l - 1], before its first lane the last one of before; or x[l + 1], after its last the first of after.
CINTA_FN Vec<float> lanes_before(Vec<float> before, Vec<float> x) {
  __m256 across = _mm256_permute2f128_ps(before.v, x.v, 0x21); // the upper half of before, the lower of x
  return _mm256_castsi256_ps(_mm256_alignr_epi8(_mm256_castps_si256(x.v), _mm256_castps_si256(across), 12));
}
CINTA_FN Vec<float> lanes_after(Vec<float> x, Vec<float> after) {
  __m256 across = _mm256_permute2f128_ps(x.v, after.v, 0x21);
  return _mm256_castsi256_ps(_mm256_alignr_epi8(_mm256_castps_si256(across), _mm256_castps_si256(x.v), 4));
}

CINTA_FN void finish_streams() { _mm_sfence(); } // what was streamed is there for others to read

CINTA_FN float reduce_add(Vec<float> x) {
  __m128 a = _mm_add_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
CINTA_FN double reduce_add(Vec<double> x) {
  __m128d a = _mm_add_pd(_mm256_castpd256_pd128(x.v), _mm256_extractf128_pd(x.v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(a, _mm_unpackhi_pd(a, a)));
}
CINTA_FN float reduce_max(Vec<float> x) {
  __m128 a = _mm_max_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
  a = _mm_max_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}
CINTA_FN double reduce_max(Vec<double> x) {
  __m128d a = _mm_max_pd(_mm256_castpd256_pd128(x.v), _mm256_extractf128_pd(x.v, 1));
  return _mm_cvtsd_f64(_mm_max_sd(a, _mm_unpackhi_pd(a, a)));
}

} // namespace cinta::kernels::avx2
