// B packed ahead, for weights that many products share, and the range of numbers that may go in parts at all.
#pragma once
#include "cinta/kernels/cpu/amx/pack.h"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::amx {

// All panels of B, each over all of K; they follow this header.
struct alignas(64) PackedB {
  int64_t k_blocks, parts;
  uint32_t largest;

  template <int parts> const char *at(int64_t panel, int64_t k_block) const {
    return reinterpret_cast<const char *>(this + 1) + (panel * k_blocks + k_block) * kBlockBytes<parts>;
  }
};

inline size_t packed_bytes(int64_t K, int64_t N, int64_t parts) {
  return sizeof(PackedB) + size_t(ceil_div(N, kPanelLanes) * ceil_div(K, kTileDepth) * parts * 2 * kTileBytes);
}

template <int parts> void pack_b(const Gemm &g, PackedB &packed) {
  packed.k_blocks = ceil_div(g.K, kTileDepth);
  packed.parts = parts;
  PackJob<parts> job;
  job.lane_step = g.b_col;
  job.k_step = g.b_row;
  job.along_k = g.b_row == 1;
  for (int64_t j = 0; j < g.N; j += kPanelLanes) {
    job.start(TileRows::pairs, static_cast<const float *>(g.B) + j * g.b_col, least(kPanelLanes, g.N - j), g.K,
              const_cast<char *>(packed.at<parts>(j / kPanelLanes, 0)));
    job.finish();
  }
  packed.largest = job.largest.bits();
}

CINTA_FN void raise(uint32_t &largest, uint32_t seen) { // from several threads
  uint32_t now = __atomic_load_n(&largest, __ATOMIC_RELAXED);
  while (now < seen && !__atomic_compare_exchange_n(&largest, &now, seen, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

// Of a matrix whose rows or columns are contiguous.
inline uint32_t largest_of(const void *matrix, int64_t rows, int64_t columns, int64_t row_step, int64_t column_step) {
  const float *x = static_cast<const float *>(matrix);
  const bool by_row = column_step == 1;
  const int64_t lines = by_row ? rows : columns, length = by_row ? columns : rows;
  const int64_t step = by_row ? row_step : column_step;
  Largest largest;
  for (int64_t i = 0; i < lines; ++i)
    for (int64_t j = 0; j < length; j += 32)
      largest.meet(_mm512_maskz_loadu_ps(first_lanes(length - j), x + i * step + j),
                   _mm512_maskz_loadu_ps(first_lanes(length - j - 16), x + i * step + j + 16));
  return largest.bits();
}

} // namespace cinta::kernels::amx
