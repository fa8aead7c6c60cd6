// AVX-512 F, BW, VL and DQ: sixteen floats or eight doubles, masks in registers of their own.
#pragma once
#include <cstdint>

#if defined(__GNUC__) && !defined(__clang__) // GCC 12 warns of its own _mm512_undefined_* (GCC bug 105593)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

#define CINTA_ISA avx512
#define CINTA_FN [[gnu::always_inline]] inline

namespace cinta::kernels::avx512 {

template <class T> struct Mask;
template <class T> struct Vec;
template <class I> struct IntVec; // bits of the lanes, as wide as the lanes

template <> struct Mask<float> {
  __mmask16 m;
  CINTA_FN friend Mask operator&(Mask a, Mask b) { return {_kand_mask16(a.m, b.m)}; }
  CINTA_FN friend Mask operator|(Mask a, Mask b) { return {_kor_mask16(a.m, b.m)}; }
  CINTA_FN friend Mask operator!(Mask a) { return {_knot_mask16(a.m)}; }
  CINTA_FN bool any() const { return m != 0; }
  CINTA_FN bool all() const { return m == 0xffff; }
  CINTA_FN static Mask first_lanes(int64_t n) { return {__mmask16((1u << n) - 1)}; } // n in [0, 16]
  // One byte per lane, stored as 0 or 1, true where it is not 0.
  CINTA_FN static Mask load_bytes(const uint8_t *p) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
    return {_mm_test_epi8_mask(bytes, bytes)};
  }
  CINTA_FN void store_bytes(uint8_t *p) const {
    _mm_storeu_si128(reinterpret_cast<__m128i *>(p), _mm_maskz_set1_epi8(m, 1));
  }
};
template <> struct Mask<double> {
  __mmask8 m;
  CINTA_FN friend Mask operator&(Mask a, Mask b) { return {_kand_mask8(a.m, b.m)}; }
  CINTA_FN friend Mask operator|(Mask a, Mask b) { return {_kor_mask8(a.m, b.m)}; }
  CINTA_FN friend Mask operator!(Mask a) { return {_knot_mask8(a.m)}; }
  CINTA_FN bool any() const { return m != 0; }
  CINTA_FN bool all() const { return m == 0xff; }
  CINTA_FN static Mask first_lanes(int64_t n) { return {__mmask8((1u << n) - 1)}; } // n in [0, 8]
  CINTA_FN static Mask load_bytes(const uint8_t *p) {
    __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(p));
    return {__mmask8(_mm_test_epi8_mask(bytes, bytes))};
  }
  CINTA_FN void store_bytes(uint8_t *p) const {
    _mm_storel_epi64(reinterpret_cast<__m128i *>(p), _mm_maskz_set1_epi8(m, 1));
  }
};

template <> struct Vec<float> {
  using Scalar = float;
  static constexpr int width = 16;
  __m512 v;

  Vec() = default;
  CINTA_FN Vec(__m512 x) : v(x) {}
  CINTA_FN Vec(float x) : v(_mm512_set1_ps(x)) {}
  CINTA_FN static Vec load(const float *p) { return _mm512_loadu_ps(p); }
  CINTA_FN static Vec load_partial(const float *p, int64_t n) {
    return _mm512_maskz_loadu_ps(Mask<float>::first_lanes(n).m, p);
  }
  CINTA_FN static Vec load_masked(const float *p, Mask<float> m) { return _mm512_maskz_loadu_ps(m.m, p); }
  CINTA_FN void store(float *p) const { _mm512_storeu_ps(p, v); }
  CINTA_FN void stream(float *p) const { _mm512_stream_ps(p, v); } // past the caches, p aligned
  CINTA_FN void store_partial(float *p, int64_t n) const { _mm512_mask_storeu_ps(p, Mask<float>::first_lanes(n).m, v); }

  CINTA_FN friend Vec operator+(Vec a, Vec b) { return _mm512_add_ps(a.v, b.v); }
  CINTA_FN friend Vec operator-(Vec a, Vec b) { return _mm512_sub_ps(a.v, b.v); }
  CINTA_FN friend Vec operator*(Vec a, Vec b) { return _mm512_mul_ps(a.v, b.v); }
  CINTA_FN friend Vec operator/(Vec a, Vec b) { return _mm512_div_ps(a.v, b.v); }
  CINTA_FN Vec operator-() const { return _mm512_xor_ps(v, _mm512_set1_ps(-0.0f)); }
  CINTA_FN Vec &operator+=(Vec b) { return *this = *this + b; }
  CINTA_FN Vec &operator-=(Vec b) { return *this = *this - b; }
  CINTA_FN Vec &operator*=(Vec b) { return *this = *this * b; }
  CINTA_FN friend Mask<float> operator<(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
  CINTA_FN friend Mask<float> operator<=(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
  CINTA_FN friend Mask<float> operator>(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
  CINTA_FN friend Mask<float> operator>=(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
  CINTA_FN friend Mask<float> operator==(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
  CINTA_FN friend Mask<float> operator!=(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
};

template <> struct Vec<double> {
  using Scalar = double;
  static constexpr int width = 8;
  __m512d v;

  Vec() = default;
  CINTA_FN Vec(__m512d x) : v(x) {}
  CINTA_FN Vec(double x) : v(_mm512_set1_pd(x)) {}
  CINTA_FN static Vec load(const double *p) { return _mm512_loadu_pd(p); }
  CINTA_FN static Vec load_partial(const double *p, int64_t n) {
    return _mm512_maskz_loadu_pd(Mask<double>::first_lanes(n).m, p);
  }
  CINTA_FN static Vec load_masked(const double *p, Mask<double> m) { return _mm512_maskz_loadu_pd(m.m, p); }
  CINTA_FN void store(double *p) const { _mm512_storeu_pd(p, v); }
  CINTA_FN void stream(double *p) const { _mm512_stream_pd(p, v); }
  CINTA_FN void store_partial(double *p, int64_t n) const {
    _mm512_mask_storeu_pd(p, Mask<double>::first_lanes(n).m, v);
  }

  CINTA_FN friend Vec operator+(Vec a, Vec b) { return _mm512_add_pd(a.v, b.v); }
  CINTA_FN friend Vec operator-(Vec a, Vec b) { return _mm512_sub_pd(a.v, b.v); }
  CINTA_FN friend Vec operator*(Vec a, Vec b) { return _mm512_mul_pd(a.v, b.v); }
  CINTA_FN friend Vec operator/(Vec a, Vec b) { return _mm512_div_pd(a.v, b.v); }
  CINTA_FN Vec operator-() const { return _mm512_xor_pd(v, _mm512_set1_pd(-0.0)); }
  CINTA_FN Vec &operator+=(Vec b) { return *this = *this + b; }
  CINTA_FN Vec &operator-=(Vec b) { return *this = *this - b; }
  CINTA_FN Vec &operator*=(Vec b) { return *this = *this * b; }
  CINTA_FN friend Mask<double> operator<(Vec a, Vec b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)}; }
  CINTA_FN friend Mask<double> operator<=(Vec a, Vec b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LE_OQ)}; }
  CINTA_FN friend Mask<double> operator>(Vec a, Vec b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ)}; }
  CINTA_FN friend Mask<double> operator>=(Vec a, Vec b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GE_OQ)}; }
  CINTA_FN friend Mask<double> operator==(Vec a, Vec b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ)}; }
  CINTA_FN friend Mask<double> operator!=(Vec a, Vec b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
};

template <> struct IntVec<int32_t> {
  __m512i v;
  CINTA_FN IntVec(__m512i x) : v(x) {}
  CINTA_FN IntVec(int32_t x) : v(_mm512_set1_epi32(x)) {}
  CINTA_FN friend IntVec operator+(IntVec a, IntVec b) { return _mm512_add_epi32(a.v, b.v); }
  CINTA_FN friend IntVec operator-(IntVec a, IntVec b) { return _mm512_sub_epi32(a.v, b.v); }
  CINTA_FN friend IntVec operator&(IntVec a, IntVec b) { return _mm512_and_si512(a.v, b.v); }
  CINTA_FN friend IntVec operator|(IntVec a, IntVec b) { return _mm512_or_si512(a.v, b.v); }
  CINTA_FN friend IntVec operator^(IntVec a, IntVec b) { return _mm512_xor_si512(a.v, b.v); }
};
template <> struct IntVec<int64_t> {
  __m512i v;
  IntVec() = default;
  CINTA_FN IntVec(__m512i x) : v(x) {}
  CINTA_FN IntVec(int64_t x) : v(_mm512_set1_epi64(x)) {}
  CINTA_FN friend IntVec operator+(IntVec a, IntVec b) { return _mm512_add_epi64(a.v, b.v); }
  CINTA_FN friend IntVec operator-(IntVec a, IntVec b) { return _mm512_sub_epi64(a.v, b.v); }
  CINTA_FN friend IntVec operator&(IntVec a, IntVec b) { return _mm512_and_si512(a.v, b.v); }
  CINTA_FN friend IntVec operator|(IntVec a, IntVec b) { return _mm512_or_si512(a.v, b.v); }
  CINTA_FN friend IntVec operator^(IntVec a, IntVec b) { return _mm512_xor_si512(a.v, b.v); }
};
template <int kBits> CINTA_FN IntVec<int32_t> shift_left(IntVec<int32_t> a) { return _mm512_slli_epi32(a.v, kBits); }
template <int kBits> CINTA_FN IntVec<int64_t> shift_left(IntVec<int64_t> a) { return _mm512_slli_epi64(a.v, kBits); }
template <int kBits> CINTA_FN IntVec<int32_t> shift_right(IntVec<int32_t> a) { return _mm512_srli_epi32(a.v, kBits); }
template <int kBits> CINTA_FN IntVec<int64_t> shift_right(IntVec<int64_t> a) { return _mm512_srli_epi64(a.v, kBits); }
// The products of the low halves, taken as unsigned.
CINTA_FN IntVec<int64_t> multiply_low(IntVec<int64_t> a, IntVec<int64_t> b) { return _mm512_mul_epu32(a.v, b.v); }

CINTA_FN IntVec<int32_t> as_int(Vec<float> x) { return _mm512_castps_si512(x.v); }
CINTA_FN IntVec<int64_t> as_int(Vec<double> x) { return _mm512_castpd_si512(x.v); }
CINTA_FN Vec<float> as_float(IntVec<int32_t> x) { return _mm512_castsi512_ps(x.v); }
CINTA_FN Vec<double> as_float(IntVec<int64_t> x) { return _mm512_castsi512_pd(x.v); }
// x: integral, |x| < 2^31 (float), 2^51 (double)
CINTA_FN IntVec<int32_t> to_int(Vec<float> x) { return _mm512_cvttps_epi32(x.v); }
CINTA_FN IntVec<int64_t> to_int(Vec<double> x) { return _mm512_cvttpd_epi64(x.v); }
CINTA_FN Mask<float> is_zero(IntVec<int32_t> x) { return {_mm512_testn_epi32_mask(x.v, x.v)}; }
CINTA_FN Mask<double> is_zero(IntVec<int64_t> x) { return {_mm512_testn_epi64_mask(x.v, x.v)}; }

CINTA_FN Vec<float> select(Mask<float> m, Vec<float> a, Vec<float> b) { return _mm512_mask_blend_ps(m.m, b.v, a.v); }
CINTA_FN Vec<double> select(Mask<double> m, Vec<double> a, Vec<double> b) {
  return _mm512_mask_blend_pd(m.m, b.v, a.v);
}
CINTA_FN Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }
CINTA_FN Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return _mm512_fmadd_pd(a.v, b.v, c.v); }
// The second operand where either is NaN, as the instructions do.
CINTA_FN Vec<float> min(Vec<float> a, Vec<float> b) { return _mm512_maskz_min_ps(0xffff, a.v, b.v); }
CINTA_FN Vec<double> min(Vec<double> a, Vec<double> b) { return _mm512_maskz_min_pd(0xff, a.v, b.v); }
CINTA_FN Vec<float> max(Vec<float> a, Vec<float> b) { return _mm512_maskz_max_ps(0xffff, a.v, b.v); }
CINTA_FN Vec<double> max(Vec<double> a, Vec<double> b) { return _mm512_maskz_max_pd(0xff, a.v, b.v); }
// NaN where either is NaN.
template <class T> CINTA_FN Vec<T> minimum(Vec<T> a, Vec<T> b) { return select(a != a, a, min(a, b)); }
template <class T> CINTA_FN Vec<T> maximum(Vec<T> a, Vec<T> b) { return select(a != a, a, max(a, b)); }
CINTA_FN Vec<float> sqrt(Vec<float> x) { return _mm512_maskz_sqrt_ps(0xffff, x.v); }
CINTA_FN Vec<double> sqrt(Vec<double> x) { return _mm512_maskz_sqrt_pd(0xff, x.v); }
CINTA_FN Vec<float> abs(Vec<float> x) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), x.v); }
CINTA_FN Vec<double> abs(Vec<double> x) { return _mm512_andnot_pd(_mm512_set1_pd(-0.0), x.v); }
CINTA_FN Vec<float> copysign(Vec<float> x, Vec<float> sign) {
  return _mm512_or_ps(abs(x).v, _mm512_and_ps(_mm512_set1_ps(-0.0f), sign.v));
}
CINTA_FN Vec<double> copysign(Vec<double> x, Vec<double> sign) {
  return _mm512_or_pd(abs(x).v, _mm512_and_pd(_mm512_set1_pd(-0.0), sign.v));
}
CINTA_FN Vec<float> floor(Vec<float> x) { return _mm512_maskz_roundscale_ps(0xffff, x.v, 9); }
CINTA_FN Vec<double> floor(Vec<double> x) { return _mm512_maskz_roundscale_pd(0xff, x.v, 9); }
CINTA_FN Vec<float> ceil(Vec<float> x) { return _mm512_maskz_roundscale_ps(0xffff, x.v, 10); }
CINTA_FN Vec<double> ceil(Vec<double> x) { return _mm512_maskz_roundscale_pd(0xff, x.v, 10); }
CINTA_FN Vec<float> round(Vec<float> x) { return _mm512_maskz_roundscale_ps(0xffff, x.v, 8); } // half to even, quiet
CINTA_FN Vec<double> round(Vec<double> x) { return _mm512_maskz_roundscale_pd(0xff, x.v, 8); }
CINTA_FN Vec<float> trunc(Vec<float> x) { return _mm512_maskz_roundscale_ps(0xffff, x.v, 11); }
CINTA_FN Vec<double> trunc(Vec<double> x) { return _mm512_maskz_roundscale_pd(0xff, x.v, 11); }

// x * 2^floor(n) for 2^-90 < |x| < 2^90: right down to the denormals and up to inf.
CINTA_FN Vec<float> scale_by_power(Vec<float> x, Vec<float> n) { return _mm512_maskz_scalef_ps(0xffff, x.v, n.v); }
CINTA_FN Vec<double> scale_by_power(Vec<double> x, Vec<double> n) { return _mm512_maskz_scalef_pd(0xff, x.v, n.v); }
// x = mantissa * 2^exponent with mantissa in [1, 2), for finite x > 0, denormals too. Elsewhere without meaning.
CINTA_FN Vec<float> split_exponent(Vec<float> x, Vec<float> &exponent) {
  exponent = _mm512_maskz_getexp_ps(0xffff, x.v);
  return _mm512_maskz_getmant_ps(0xffff, x.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
}
CINTA_FN Vec<double> split_exponent(Vec<double> x, Vec<double> &exponent) {
  exponent = _mm512_maskz_getexp_pd(0xff, x.v);
  return _mm512_maskz_getmant_pd(0xff, x.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
}
// y where 0 < x < inf, and what a logarithm of x is elsewhere.
// Four bits per class of x (quiet NaN, signalling NaN, 0, 1, -inf, inf, negative, positive): keep y, NaN, -inf or inf.
CINTA_FN Vec<float> log_limits(Vec<float> x, Vec<float> y) {
  return _mm512_fixupimm_ps(y.v, x.v, _mm512_set1_epi32(0x03530422), 0);
}
CINTA_FN Vec<double> log_limits(Vec<double> x, Vec<double> y) {
  return _mm512_fixupimm_pd(y.v, x.v, _mm512_set1_epi64(0x03530422), 0);
}
// table[the low four bits of index]
CINTA_FN Vec<float> lookup16(const float *table, IntVec<int32_t> index) {
  return _mm512_maskz_permutexvar_ps(0xffff, index.v, _mm512_loadu_ps(table));
}

// Lane l is p[index l].
CINTA_FN Vec<float> gather(const float *p, IntVec<int32_t> index) {
  return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, index.v, p, 4);
}
CINTA_FN Vec<double> gather(const double *p, IntVec<int64_t> index) {
  return _mm512_mask_i64gather_pd(_mm512_setzero_pd(), 0xff, index.v, p, 8);
}

// Lane l is x[l - 1], before its first lane the last one of before; or x[l + 1], after its last the first of after.
CINTA_FN Vec<float> lanes_before(Vec<float> before, Vec<float> x) {
  return _mm512_castsi512_ps(
      _mm512_maskz_alignr_epi32(0xffff, _mm512_castps_si512(x.v), _mm512_castps_si512(before.v), 15));
}
CINTA_FN Vec<float> lanes_after(Vec<float> x, Vec<float> after) {
  return _mm512_castsi512_ps(
      _mm512_maskz_alignr_epi32(0xffff, _mm512_castps_si512(after.v), _mm512_castps_si512(x.v), 1));
}

CINTA_FN void finish_streams() { _mm_sfence(); } // what was streamed is there for others to read

CINTA_FN float reduce_add(Vec<float> x) {
  __m256 half = _mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_maskz_extractf32x8_ps(0xff, x.v, 1));
  __m128 a = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
CINTA_FN double reduce_add(Vec<double> x) {
  __m256d half = _mm256_add_pd(_mm512_castpd512_pd256(x.v), _mm512_maskz_extractf64x4_pd(0xf, x.v, 1));
  __m128d a = _mm_add_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
  return _mm_cvtsd_f64(_mm_add_sd(a, _mm_unpackhi_pd(a, a)));
}
CINTA_FN float reduce_max(Vec<float> x) {
  __m256 half = _mm256_max_ps(_mm512_castps512_ps256(x.v), _mm512_maskz_extractf32x8_ps(0xff, x.v, 1));
  __m128 a = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  a = _mm_max_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}
CINTA_FN double reduce_max(Vec<double> x) {
  __m256d half = _mm256_max_pd(_mm512_castpd512_pd256(x.v), _mm512_maskz_extractf64x4_pd(0xf, x.v, 1));
  __m128d a = _mm_max_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
  return _mm_cvtsd_f64(_mm_max_sd(a, _mm_unpackhi_pd(a, a)));
}

} // namespace cinta::kernels::avx512
