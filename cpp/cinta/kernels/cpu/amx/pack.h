// Packing: lanes (rows of A, columns of B, images) of a float32 operand become tiles of bfloat16 parts. A row of a tile
// is a lane with its 16 pairs of k (for A), or a pair of k with its 16 lanes (for B). A panel of 32 lanes lies as
//     [k-block of 32][part][lanes 0..15, 16..31][16 rows of 64 bytes]
// unless the job says otherwise.
#pragma once
#include "cinta/kernels/cpu/amx/shadow.h"
#include "cinta/kernels/cpu/amx/split.h"

namespace cinta::kernels::amx {

inline constexpr int64_t kPanelLanes = 2 * kTileLanes;

template <int parts> inline constexpr int64_t kBlockBytes = parts * 2 * kTileBytes; // one k-block of a panel

enum class TileRows { lanes, pairs };

CINTA_FN void transpose_pairs(__m512i (&r)[16]) { // 16 x 16 lanes of 32 bits
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      r[4 * i + 2 * j] = _mm512_unpacklo_epi64(t[4 * i + j], t[4 * i + 2 + j]);
      r[4 * i + 2 * j + 1] = _mm512_unpackhi_epi64(t[4 * i + j], t[4 * i + 2 + j]);
    }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      t[i + 8 * j] = _mm512_shuffle_i32x4(r[i + 8 * j], r[i + 4 + 8 * j], 0x88);
      t[i + 4 + 8 * j] = _mm512_shuffle_i32x4(r[i + 8 * j], r[i + 4 + 8 * j], 0xdd);
    }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
  }
}

CINTA_FN __m512 load_lanes(__mmask16 present, const float *at, int64_t step) {
  if (step == 1)
    return _mm512_maskz_loadu_ps(present, at);
  const __m512i iota = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i index = _mm512_mullo_epi32(iota, _mm512_set1_epi32(int(step)));
  return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), present, index, at, sizeof(float));
}

CINTA_FN __m512i load_pairs(__mmask16 present, const Bfloat16 *at) { // in the low halves
  return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(present, at));
}

// Lanes [0, lanes) and k in [0, depth) of x, at most a panel; k up to the block's end becomes zero. bfloat16 elements
// have step 1 in one direction.
template <int parts, class Element = float> struct PackJob : Job {
  int64_t lane_step, k_step; // in elements
  bool along_k;              // which of them vectors of the source run along; best where its step is 1
  int64_t lane_bytes = 64,
          block_bytes = kBlockBytes<parts>; // of the target: from lane to lane, from k-block to k-block
  Largest largest;                          // of everything since the job was made

  // `rows`: what the tiles' rows are. The order of units follows the source's memory.
  void start(TileRows rows, const Element *x, int64_t lanes, int64_t depth, char *to) {
    x_ = x;
    lanes_ = lanes;
    depth_ = depth;
    to_ = to;
    k_block_ = row_ = 0;
    k_blocks_ = ceil_div(depth, kTileDepth);
    const int64_t halves = ceil_div(lanes, kTileLanes);
    // Whole vectors need neither masks nor gathers: a third of the instructions.
    const bool whole = (along_k ? k_step : lane_step) == 1 && depth % kTileDepth == 0 && lanes % kTileLanes == 0;
    if (along_k && rows == TileRows::lanes) {
      unit = whole ? pack_lane<true> : pack_lane<false>;
      left = lanes * ceil_div(k_blocks_, kLaneBlocks);
    } else if (!along_k && rows == TileRows::pairs) {
      unit = whole && halves == 2 ? pack_pair<true> : pack_pair<false>;
      left = kTileLanes / kPairRows * k_blocks_;
    } else {
      unit = along_k ? (whole ? stage<true, true> : stage<true, false>)
                     : (whole ? stage<false, true> : stage<false, false>);
      left = halves * kStageUnits * k_blocks_;
    }
  }

  // Of a unit: k-blocks of a lane, rows of pairs. Copies are quick.
  static constexpr bool kSplits = sizeof(Element) == sizeof(float);
  static constexpr int kLaneBlocks = kSplits ? 2 : 4, kPairRows = kSplits ? 1 : 2;
  static constexpr int kStageRows = 4, kStageUnits = kTileLanes / kStageRows + parts; // for 16 lanes of a k-block

private:
  const Element *x_;
  int64_t lanes_, depth_, k_block_, row_, k_blocks_;
  char *to_;
  alignas(64) __m512i staged_[parts][16];

  template <bool along, bool whole>
  CINTA_FN void split_at(const PackJob &j, int64_t lane, int64_t k, __m512i (&pairs)[parts], Largest::Seen &seen) {
    if constexpr (kSplits)
      split_floats<along, whole>(j, lane, k, pairs, seen);
    else
      pairs[0] = along ? lane_as_it_is(j, lane, k) : woven(j, lane, k);
  }

  // Pairs of neighbours, k and k + 1: both operands agree, and one of them needs no work.
  CINTA_FN __m512i lane_as_it_is(const PackJob &j, int64_t lane, int64_t k) {
    const int64_t present = lane < j.lanes_ ? j.depth_ - k : 0;
    const __mmask32 mask = present >= 32 ? ~__mmask32(0) : present <= 0 ? 0 : (__mmask32(1) << present) - 1;
    return _mm512_maskz_loadu_epi16(mask, j.x_ + lane * j.lane_step + k);
  }
  CINTA_FN __m512i woven(const PackJob &j, int64_t lane, int64_t k) {
    k += k % kTileDepth; // the pair's first
    const __mmask16 present = first_lanes(j.lanes_ - lane);
    const Element *at = j.x_ + lane + k * j.k_step;
    const __m512i low = load_pairs(k < j.depth_ ? present : 0, at);
    return _mm512_or_si512(low, _mm512_slli_epi32(load_pairs(k + 1 < j.depth_ ? present : 0, at + j.k_step), 16));
  }

  template <bool along, bool whole>
  CINTA_FN void split_floats(const PackJob &j, int64_t lane, int64_t k, __m512i (&pairs)[parts], Largest::Seen &seen) {
    const Element *at = j.x_ + lane * j.lane_step + k * j.k_step;
    __m512 low, high;
    if constexpr (whole) {
      low = _mm512_loadu_ps(at);
      high = _mm512_loadu_ps(along ? at + 16 : at + 16 * j.k_step);
    } else if constexpr (along) { // one lane, k .. k + 31
      const int64_t present = lane < j.lanes_ ? j.depth_ - k : 0;
      low = load_lanes(first_lanes(present), at, j.k_step);
      high = load_lanes(first_lanes(present - 16), at + 16 * j.k_step, j.k_step);
    } else { // 16 lanes, k and k + 16
      const __mmask16 present = first_lanes(j.lanes_ - lane);
      low = load_lanes(k < j.depth_ ? present : 0, at, j.lane_step);
      high = load_lanes(k + 16 < j.depth_ ? present : 0, at + 16 * j.k_step, j.lane_step);
    }
    seen.meet(low, high);
    split(low, high, pairs);
  }

  char *tile(int64_t half, int64_t part) const {
    return to_ + k_block_ * block_bytes + part * 2 * kTileBytes + half * kTileLanes * lane_bytes;
  }

  // Units work on copies: what they store through could be the job itself, for all the compiler knows.
  template <bool whole> static void pack_lane(Job &job) { // k-blocks innermost
    PackJob &j = static_cast<PackJob &>(job);
    Largest::Seen seen(j.largest);
    const int64_t begin = j.k_block_, end = least(begin + kLaneBlocks, j.k_blocks_), row = j.row_, step = j.block_bytes;
    char *to = j.to_ + begin * step + row * j.lane_bytes;
#pragma GCC unroll 4
    for (int64_t k = begin; k < end; ++k, to += step) {
      __m512i pairs[parts];
      split_at<true, whole>(j, row, k * kTileDepth, pairs, seen);
#pragma GCC unroll 3
      for (int p = 0; p < parts; ++p)
        _mm512_store_si512(to + p * 2 * kTileBytes, pairs[p]);
    }
    const bool done = end == j.k_blocks_;
    j.k_block_ = done ? 0 : end;
    j.row_ = row + done;
  }

  template <bool whole> static void pack_pair(Job &job) {
    PackJob &j = static_cast<PackJob &>(job);
    Largest::Seen seen(j.largest);
    const int64_t first = j.row_, k = j.k_block_;
    char *to = j.to_ + k * j.block_bytes + first * 64;
#pragma GCC unroll 4
    for (int i = 0; i < 2 * kPairRows; ++i) {
      const int64_t half = i % 2, row = i / 2;
      __m512i pairs[parts];
      split_at<false, whole>(j, half * kTileLanes, k * kTileDepth + first + row, pairs, seen);
#pragma GCC unroll 3
      for (int p = 0; p < parts; ++p)
        _mm512_store_si512(to + p * 2 * kTileBytes + half * kTileBytes + row * 64, pairs[p]);
    }
    const bool done = first + kPairRows == kTileLanes;
    j.row_ = done ? 0 : first + kPairRows;
    j.k_block_ = k + done;
  }

  // Half a panel's k-block goes through `staged_`: some units split its rows, then one for each part transposes.
  template <bool along, bool whole> static void stage(Job &job) {
    PackJob &j = static_cast<PackJob &>(job);
    const int64_t half = j.row_ / kStageUnits, unit = j.row_ % kStageUnits;
    if (unit < kTileLanes / kStageRows) {
      const int64_t lane = half * kTileLanes, k = j.k_block_ * kTileDepth;
      Largest::Seen seen(j.largest);
#pragma GCC unroll 4
      for (int i = 0; i < kStageRows; ++i) {
        const int64_t row = unit * kStageRows + i;
        __m512i pairs[parts];
        split_at<along, whole>(j, along ? lane + row : lane, along ? k : k + row, pairs, seen);
#pragma GCC unroll 3
        for (int p = 0; p < parts; ++p)
          j.staged_[p][row] = pairs[p];
      }
    } else {
      const int64_t part = unit - kTileLanes / kStageRows;
      __m512i rows[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i)
        rows[i] = j.staged_[part][i];
      transpose_pairs(rows);
      char *out = j.tile(half, part);
      const int64_t row_bytes = along ? 64 : j.lane_bytes; // rows are pairs, or lanes: those that there are
      const int64_t present = along ? kTileLanes : j.lanes_ - half * kTileLanes;
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i)
        if (whole || i < present)
          _mm512_store_si512(out + i * row_bytes, rows[i]);
    }
    if (++j.row_ == ceil_div(j.lanes_, kTileLanes) * kStageUnits) {
      j.row_ = 0;
      ++j.k_block_;
    }
  }
};

} // namespace cinta::kernels::amx
