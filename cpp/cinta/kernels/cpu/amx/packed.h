// B packed ahead, for weights that many products share, and the range of numbers that may go in parts at all.
#pragma once
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/amx/pack.h"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::amx {

// All panels of B, each over all of K, follow the header.
template <int parts> CINTA_FN const char *packed_at(const PackedB *packed, int64_t panel, int64_t k_block) {
  const char *panels = reinterpret_cast<const char *>(packed + 1);
  return panels + (panel * ceil_div(packed->K, kTileDepth) + k_block) * kBlockBytes<parts>;
}

inline size_t packed_bytes(int64_t K, int64_t N, int parts) {
  return sizeof(PackedB) + size_t(ceil_div(N, kPanelLanes) * ceil_div(K, kTileDepth) * parts * 2 * kTileBytes);
}

CINTA_FN void raise(uint32_t &largest, uint32_t seen) { // from several threads
  uint32_t now = __atomic_load_n(&largest, __ATOMIC_RELAXED);
  while (now < seen && !__atomic_compare_exchange_n(&largest, &now, seen, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

constexpr int64_t kPanelsPacked = 4; // by one block of work

template <int parts> struct Packer {
  const Gemm &g;
  PackedB *packed;

  static void pack_panels(void *context, int64_t block) {
    const Packer &p = *static_cast<const Packer *>(context);
    const Gemm &g = p.g;
    PackJob<parts> job;
    job.lane_step = g.b_col;
    job.k_step = g.b_row;
    job.along_k = g.b_row == 1;
    const int64_t end = least(ceil_div(g.N, kPanelLanes), (block + 1) * kPanelsPacked);
    for (int64_t panel = block * kPanelsPacked; panel < end; ++panel) {
      const int64_t j = panel * kPanelLanes;
      job.start(TileRows::pairs, static_cast<const float *>(g.B) + j * g.b_col, least(kPanelLanes, g.N - j), g.K,
                const_cast<char *>(packed_at<parts>(p.packed, panel, 0)));
      job.finish();
    }
    raise(p.packed->largest, job.largest.bits());
  }
};

template <int parts> void pack_b(const Gemm &g, PackedB *packed) {
  *packed = {Packing(parts), 0, g.K, g.N};
  Packer<parts> packer{g, packed};
  const int64_t panels = ceil_div(g.N, kPanelLanes);
  parallel_for(ceil_div(panels, kPanelsPacked), double(g.K) * double(g.N) * 0.2, Packer<parts>::pack_panels, &packer);
}

// Of a matrix whose rows or columns are contiguous.
inline uint32_t largest_of(const void *matrix, int64_t rows, int64_t columns, int64_t row_step, int64_t column_step) {
  const float *x = static_cast<const float *>(matrix);
  const bool by_row = column_step == 1;
  const int64_t lines = by_row ? rows : columns, length = by_row ? columns : rows;
  const int64_t step = by_row ? row_step : column_step;
  Largest largest;
  for (int64_t i = 0; i < lines; ++i) {
    Largest::Seen seen(largest);
    for (int64_t j = 0; j < length; j += 32)
      seen.meet(_mm512_maskz_loadu_ps(first_lanes(length - j), x + i * step + j),
                _mm512_maskz_loadu_ps(first_lanes(length - j - 16), x + i * step + j + 16));
  }
  return largest.bits();
}

} // namespace cinta::kernels::amx
