// Tiles: any dtype and stride in memory from and to a contiguous tile of the compute type.
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

struct Bfloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};
struct Bool {
  uint8_t byte;
};

// The ends of a 64-bit integer type.
template <class I> constexpr I highest = I(-1) < I(0) ? I(~uint64_t(0) >> 1) : I(~uint64_t(0));
template <class I> constexpr I lowest = I(-1) < I(0) ? I(-highest<I> - 1) : I(0);

// ---- one value
CINTA_FN float widen(Bfloat16 x) { return __builtin_bit_cast(float, uint32_t(x.bits) << 16); }
CINTA_FN Bfloat16 narrow(float x, Bfloat16) {
  uint32_t bits = __builtin_bit_cast(uint32_t, x);
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16; // half to even
  return {uint16_t(x != x ? bits >> 16 | 0x40 : rounded)};     // NaN stays NaN, and quiet
}
#ifdef __F16C__
CINTA_FN float widen(Float16 x) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(x.bits))); }
CINTA_FN Float16 narrow(float x, Float16) {
  return {uint16_t(_mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT)))};
}
#else
CINTA_FN float widen(Float16 x) {
  uint32_t sign = uint32_t(x.bits & 0x8000) << 16, rest = uint32_t(x.bits & 0x7fff) << 13;
  if (rest >= 0x7c00u << 13) // inf, NaN
    return __builtin_bit_cast(float, sign | rest | 0x7f800000 | ((rest & 0x7fffff) != 0) << 22);
  return __builtin_bit_cast(float, sign | __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, rest) * 0x1p112f));
}
CINTA_FN Float16 narrow(float x, Float16) {
  uint32_t bits = __builtin_bit_cast(uint32_t, x), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  if (rest > 0x7f800000)
    return {uint16_t(sign | 0x7e00 | (rest >> 13 & 0x3ff))};
  if (rest >= 0x477ff000) // rounds to 2^16 or more
    return {uint16_t(sign | 0x7c00)};
  if (rest < 0x38800000) { // below the normal halves: the sum with 0.5 rounds at 2^-24, the last bit of a half
    float sum = __builtin_bit_cast(float, rest) + 0.5f;
    return {uint16_t(sign | (__builtin_bit_cast(uint32_t, sum) - 0x3f000000))};
  }
  return {uint16_t(sign | ((rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13))};
}
#endif
CINTA_FN int64_t widen(Bool x) { return x.byte != 0; }
CINTA_FN Bool narrow(int64_t x, Bool) { return {uint8_t(x != 0)}; }
template <class S> CINTA_FN S widen(S x) { return x; }
template <class T, class S> CINTA_FN S narrow(T x, S) { return S(x); } // integers wrap

// Between compute types. A float outside of an integer's range gives its nearest end, NaN gives 0.
template <class To, class From> CINTA_FN To convert(From x) {
  if constexpr (From(0.5) == From(0) || To(0.5) != To(0)) { // from an integer, or to a float
    return To(x);
  } else {
    constexpr From end = From(highest<To> / 2 + 1) * From(2); // highest + 1, exact
    return x >= end ? highest<To> : x > From(lowest<To>) ? To(x) : x == x ? lowest<To> : To(0);
  }
}

// ---- tiles
template <class S, class T> CINTA_FN void load_contiguous(int64_t n, const S *x, T *y) {
  for (int64_t i = 0; i < n; ++i)
    y[i] = T(widen(x[i]));
}
template <class S, class T> CINTA_FN void store_contiguous(int64_t n, const T *x, S *y) {
  for (int64_t i = 0; i < n; ++i)
    y[i] = narrow(x[i], S());
}
#ifdef __F16C__ // compilers do not vectorize these by themselves
CINTA_FN void load_contiguous(int64_t n, const Float16 *x, float *y) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(x + i))));
  load_contiguous<Float16, float>(n - i, x + i, y + i);
}
CINTA_FN void store_contiguous(int64_t n, const float *x, Float16 *y) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i *>(y + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
  store_contiguous<Float16, float>(n - i, x + i, y + i);
}
#endif

template <class S, class T> static void load_tile(int64_t n, const void *from, int64_t stride, void *tile) {
  const S *x = static_cast<const S *>(from);
  T *y = static_cast<T *>(tile);
  if (stride == 1)
    return load_contiguous(n, x, y);
  if (stride == 2) { // known, it lets compilers vectorize
    for (int64_t i = 0; i < n; ++i)
      y[i] = T(widen(x[i * 2]));
    return;
  }
  for (int64_t i = 0; i < n; ++i)
    y[i] = T(widen(x[i * stride]));
}
template <class S, class T>
static void load_rows(int64_t rows, int64_t n, const void *from, int64_t row_stride, int64_t stride, void *tiles) {
  const S *x = static_cast<const S *>(from);
  T *y = static_cast<T *>(tiles);
  if constexpr (__is_same(S, T) && (__is_same(T, float) || __is_same(T, double)))
    if (stride == 1) { // rows may be shorter than a vector
      for (int64_t r = 0; r < rows; ++r, x += row_stride, y += n)
        for_vectors<T>(0, n, [&](int64_t i, int64_t lanes) { store_some(load_some(x + i, lanes), y + i, lanes); });
      return;
    }
  for (int64_t r = 0; r < rows; ++r, x += row_stride, y += n)
    load_tile<S, T>(n, x, stride, y);
}
template <class S, class T> static void store_tile(int64_t n, const void *tile, void *to, int64_t stride) {
  const T *x = static_cast<const T *>(tile);
  S *y = static_cast<S *>(to);
  if (stride == 1)
    return store_contiguous(n, x, y);
  for (int64_t i = 0; i < n; ++i)
    y[i * stride] = narrow(x[i], S());
}
template <class From, class To> static void convert_tile(int64_t n, const void *from, void *to) {
  const From *x = static_cast<const From *>(from);
  To *y = static_cast<To *>(to);
  for (int64_t i = 0; i < n; ++i)
    y[i] = convert<To>(x[i]);
}

template <class S, class T> static void fill_dtype(Table &table, int dtype) {
  table.load_tile[dtype] = load_tile<S, T>;
  table.load_rows[dtype] = load_rows<S, T>;
  table.store_tile[dtype] = store_tile<S, T>;
}
template <class From> static void fill_conversions(Table &table, Compute from) {
  ConvertTile *row = table.convert_tile[int(from)];
  row[int(Compute::f32)] = convert_tile<From, float>;
  row[int(Compute::f64)] = convert_tile<From, double>;
  row[int(Compute::i64)] = convert_tile<From, int64_t>;
  row[int(Compute::u64)] = convert_tile<From, uint64_t>;
}

// In the order of cinta::Dtype.
void fill_tiles(Table &table) {
  fill_dtype<float, float>(table, 0);
  fill_dtype<double, double>(table, 1);
  fill_dtype<Bfloat16, float>(table, 2);
  fill_dtype<Float16, float>(table, 3);
  fill_dtype<int8_t, int64_t>(table, 4);
  fill_dtype<int16_t, int64_t>(table, 5);
  fill_dtype<int32_t, int64_t>(table, 6);
  fill_dtype<int64_t, int64_t>(table, 7);
  fill_dtype<uint8_t, int64_t>(table, 8);
  fill_dtype<uint16_t, int64_t>(table, 9);
  fill_dtype<uint32_t, int64_t>(table, 10);
  fill_dtype<uint64_t, uint64_t>(table, 11);
  fill_dtype<Bool, int64_t>(table, 12);
  fill_conversions<float>(table, Compute::f32);
  fill_conversions<double>(table, Compute::f64);
  fill_conversions<int64_t>(table, Compute::i64);
  fill_conversions<uint64_t>(table, Compute::u64);
}

} // namespace cinta::kernels::CINTA_ISA
