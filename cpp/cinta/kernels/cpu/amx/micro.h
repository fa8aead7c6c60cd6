// The micro-kernel: up to 2 x 2 tiles of C from panels of split operands.
#pragma once
#include "cinta/kernels/cpu/amx/pack.h"

namespace cinta::kernels::amx {

inline constexpr int64_t kRowBytes = kPanelLanes * int64_t(sizeof(float)); // of a block's scratch
// k-blocks of both operands that follow each other at even steps.
struct Run {
  const char *a, *b;
  int64_t k_blocks, a_step, b_step; // in bytes
};

// A tile store that comes after a few hundred multiplies without one takes 700 cycles longer; one now and then, of
// whatever tile, keeps it quick. So many k-blocks make 24 multiplies or more.
template <int parts> inline constexpr int64_t kWakeful = parts == 3 ? 2 : parts == 2 ? 4 : 6;
inline constexpr int kProducts[4] = {0, 1, 3, 6}; // for each number of parts

// c = A B over all runs, from zero. Of the nine products of three parts the six largest are taken, small ones first;
// of the four of two parts, three.
// Tiles: 0..3 are C, 4 and 5 of A, 6 and 7 of B.
template <int parts, int rows, int columns>
void multiply(const Run *runs, int64_t count, Shadow &shadow, float *c, int64_t row_bytes) {
#define CINTA_LOAD_A(part)                                                                                             \
  _tile_loadd(4, a + (part)*2 * kTileBytes, 64);                                                                       \
  if constexpr (rows == 2)                                                                                             \
  _tile_loadd(5, a + (part)*2 * kTileBytes + kTileBytes, 64)
#define CINTA_LOAD_B(part)                                                                                             \
  _tile_loadd(6, b + (part)*2 * kTileBytes, 64);                                                                       \
  if constexpr (columns == 2)                                                                                          \
  _tile_loadd(7, b + (part)*2 * kTileBytes + kTileBytes, 64)
#define CINTA_MULTIPLY                                                                                                 \
  _tile_dpbf16ps(0, 4, 6);                                                                                             \
  if constexpr (columns == 2)                                                                                          \
    _tile_dpbf16ps(1, 4, 7);                                                                                           \
  if constexpr (rows == 2)                                                                                             \
    _tile_dpbf16ps(2, 5, 6);                                                                                           \
  if constexpr (rows == 2 && columns == 2)                                                                             \
    _tile_dpbf16ps(3, 5, 7);                                                                                           \
  Shadow::step(shadow)

  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  alignas(64) char idle[kTileBytes];
  int64_t wakeful = 0;
  for (const Run *run = runs; run < runs + count; ++run) {
    const char *a = run->a, *b = run->b;
    for (int64_t k = 0; k < run->k_blocks; ++k, a += run->a_step, b += run->b_step) {
      if constexpr (parts == 3) {
        CINTA_LOAD_A(2);
        CINTA_LOAD_B(0);
        CINTA_MULTIPLY;
        CINTA_LOAD_A(1);
        CINTA_MULTIPLY;
        CINTA_LOAD_B(1);
        CINTA_MULTIPLY;
        CINTA_LOAD_A(0);
        CINTA_MULTIPLY;
        CINTA_LOAD_B(2);
        CINTA_MULTIPLY;
        CINTA_LOAD_B(0);
        CINTA_MULTIPLY;
      } else if constexpr (parts == 2) {
        CINTA_LOAD_A(1);
        CINTA_LOAD_B(0);
        CINTA_MULTIPLY;
        CINTA_LOAD_A(0);
        CINTA_MULTIPLY;
        CINTA_LOAD_B(1);
        CINTA_MULTIPLY;
      } else {
        CINTA_LOAD_A(0);
        CINTA_LOAD_B(0);
        CINTA_MULTIPLY;
      }
      if (++wakeful % kWakeful<parts> == 0)
        _tile_stored(6, idle, 64);
    }
  }
  _tile_stored(0, c, row_bytes);
  if constexpr (columns == 2)
    _tile_stored(1, c + kTileLanes, row_bytes);
  char *lower = reinterpret_cast<char *>(c) + kTileLanes * row_bytes;
  if constexpr (rows == 2)
    _tile_stored(2, lower, row_bytes);
  if constexpr (rows == 2 && columns == 2)
    _tile_stored(3, lower + 64, row_bytes);
#undef CINTA_LOAD_A
#undef CINTA_LOAD_B
#undef CINTA_MULTIPLY
}

// The same with as many tiles as a block of m x n needs.
template <int parts> CINTA_FN void multiply(int64_t m, int64_t n, const Run *runs, int64_t count, Shadow &shadow,
                                            float *c, int64_t row_bytes = kRowBytes) {
  if (m > kTileLanes && n > kTileLanes)
    multiply<parts, 2, 2>(runs, count, shadow, c, row_bytes);
  else if (m > kTileLanes)
    multiply<parts, 2, 1>(runs, count, shadow, c, row_bytes);
  else if (n > kTileLanes)
    multiply<parts, 1, 2>(runs, count, shadow, c, row_bytes);
  else
    multiply<parts, 1, 1>(runs, count, shadow, c, row_bytes);
}

// A finished block on its way from scratch, a row a unit: to = from + added + biases, or `rounded` is it.
struct StoreJob : Job {
  const float *from;
  float *to;
  const float *added;          // or null
  int64_t to_step, added_step; // from row to row
  int64_t columns;
  const float *bias_n, *bias_m; // or null
  Bfloat16 *rounded = nullptr;  // or null
  int64_t rounded_step;

  StoreJob() { unit = store_row<false>; }
  void start(int64_t rows) {
    unit = rounded ? store_row<true> : store_row<false>;
    left = rows;
  }

private:
  CINTA_FN __m256i nearest(__m512 x) { // half to even; nan stays nan, and quiet
    const __m512i bits = _mm512_castps_si512(x), high = _mm512_srli_epi32(bits, 16);
    const __m512i half = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), _mm512_and_si512(high, _mm512_set1_epi32(1)));
    const __m512i up = _mm512_srli_epi32(_mm512_add_epi32(bits, half), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(up, nan, high, _mm512_set1_epi32(0x40)));
  }

  template <bool rounds> static void store_row(Job &job) {
    StoreJob &j = static_cast<StoreJob &>(job);
    const __m512 bias = _mm512_set1_ps(j.bias_m ? *j.bias_m++ : 0.0f);
#pragma GCC unroll 2
    for (int64_t n = 0; n < kPanelLanes; n += 16) {
      const __mmask16 present = first_lanes(j.columns - n);
      __m512 sum = _mm512_load_ps(j.from + n);
      if (j.added)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(present, j.added + n));
      sum = _mm512_add_ps(sum, bias);
      if (j.bias_n)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(present, j.bias_n + n));
      if constexpr (rounds)
        _mm256_mask_storeu_epi16(j.rounded + n, present, nearest(sum));
      else
        _mm512_mask_storeu_ps(j.to + n, present, sum);
    }
    j.from += kPanelLanes;
    if constexpr (rounds)
      j.rounded += j.rounded_step;
    else
      j.to += j.to_step;
    if (j.added)
      j.added += j.added_step;
  }
};

} // namespace cinta::kernels::amx
