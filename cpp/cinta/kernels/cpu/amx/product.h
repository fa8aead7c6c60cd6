// A matrix product in bfloat16 parts. Blocks of 32 x 32 of C are summed over chunks of K from zero, and the chunks in
// order in float32: the order depends on the shape alone.
#pragma once
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/amx/micro.h"
#include "cinta/kernels/cpu/amx/packed.h"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::amx {

// A chunk of packed B stays in L2 (three parts: 1.2 MB), and sums of 320 are short enough to stay ahead of float32's
// own. Sums that end as bfloat16 may be longer.
template <class Element> inline constexpr int64_t kChunkBlocks = 10;
template <class Element> inline constexpr int64_t kChunkPanels = 20;
template <> inline constexpr int64_t kChunkBlocks<Bfloat16> = 32;
template <> inline constexpr int64_t kChunkPanels<Bfloat16> = 16;

// Of A, B and C of float32 or bfloat16.
template <int parts, class Element = float> struct Product {
  const Gemm *g;
  int64_t k_blocks, k_chunks, row_ranges, column_ranges;
  uint32_t largest_a = 0, largest_b = 0;

  explicit Product(const Gemm &gemm)
      : g(&gemm), k_blocks(ceil_div(gemm.K, kTileDepth)), k_chunks(ceil_div(k_blocks, kChunkBlocks<Element>)) {}
  int64_t k_block(int64_t chunk) const { return k_blocks * chunk / k_chunks; } // where the chunk begins
  int64_t k(int64_t chunk) const { return least(g->K, k_block(chunk) * kTileDepth); }
};

// One operand of a range: its lanes are rows of A or columns of B.
template <int parts, class Element> struct Side {
  TileRows rows;
  const Element *x;
  int64_t begin, end; // of lanes
  PackJob<parts, Element> pack;

  Side(TileRows tile_rows, const void *operand, int64_t lane_step, int64_t k_step, int64_t first, int64_t last)
      : rows(tile_rows), x(static_cast<const Element *>(operand)), begin(first), end(last) {
    pack.lane_step = lane_step;
    pack.k_step = k_step;
    pack.along_k = k_step == 1;
  }
  int64_t panels() const { return ceil_div(end - begin, kPanelLanes); }
  void start(int64_t lane, int64_t k, int64_t depth, char *to) { // packs a panel
    pack.start(rows, x + lane * pack.lane_step + k * pack.k_step, least(kPanelLanes, end - lane), depth, to);
  }
};

// A range of rows and columns of C, computed by one thread. A chunk of the shorter side stays packed in L2 while the
// other side moves past, a panel at a time: while one is multiplied, the next is packed and the last block of C is
// stored. The panels that stay are packed when they first meet the other side, each while the one before is multiplied.
template <int parts, class Element = float> class RangeOfProduct {
public:
  RangeOfProduct(Product<parts, Element> &product, int64_t range)
      : p_(product), g_(*product.g), packed_(g_.packed_b),
        a_(TileRows::lanes, g_.A, g_.a_row, g_.a_col, border(g_.M, p_.row_ranges, range / p_.column_ranges),
           border(g_.M, p_.row_ranges, range / p_.column_ranges + 1)),
        b_(TileRows::pairs, g_.B, g_.b_col, g_.b_row, border(g_.N, p_.column_ranges, range % p_.column_ranges),
           border(g_.N, p_.column_ranges, range % p_.column_ranges + 1)),
        rows_stay_(!packed_ && a_.panels() < b_.panels()), stay_(rows_stay_ ? a_ : b_), move_(rows_stay_ ? b_ : a_) {
    panel_bytes_ = ceil_div(p_.k_blocks, p_.k_chunks) * kBlockBytes<parts>;
    const int64_t stay_panels = packed_ ? 0 : least(kPanels, stay_.panels());
    const size_t panels_bytes = size_t((2 + stay_panels) * panel_bytes_);
    const int64_t stay_lanes = least(kPanels * kPanelLanes, stay_.end - stay_.begin);
    partial_step_ = rows_stay_ ? b_.end - b_.begin : stay_lanes;
    const int64_t partial_rows = rows_stay_ ? stay_lanes : a_.end - a_.begin;
    const size_t partial_bytes = kRounds && p_.k_chunks > 1 ? size_t(partial_rows * partial_step_) * sizeof(float) : 0;
    // One block of memory: on huge pages if it is large.
    char *memory = static_cast<char *>(scratch(Scratch::pack_a, panels_bytes + partial_bytes));
    moving_ = memory;
    next_ = memory + panel_bytes_;
    staying_ = memory + 2 * panel_bytes_;
    partial_ = reinterpret_cast<float *>(memory + panels_bytes);
    store_.to_step = store_.added_step = kRounds ? partial_step_ : g_.ldc;
    store_.rounded_step = g_.ldc;
  }

  void run() {
    const TileScope tiles;
    const int64_t chunks = ceil_div(stay_.panels(), kPanels);
    move_.start(move_.begin, 0, depth(0), moving_);
    move_.pack.finish();
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const int64_t begin = stay_.begin + border(stay_.end - stay_.begin, chunks, chunk);
      const int64_t end = stay_.begin + border(stay_.end - stay_.begin, chunks, chunk + 1);
      for (int64_t k_chunk = 0; k_chunk < p_.k_chunks; ++k_chunk) {
        if (!packed_) {
          stay_.start(begin, p_.k(k_chunk), depth(k_chunk), staying_);
          stay_.pack.finish();
        }
        const bool last_chunk = chunk + 1 == chunks && k_chunk + 1 == p_.k_chunks;
        for (int64_t lane = move_.begin; lane < move_.end; lane += kPanelLanes) {
          const bool last = lane + kPanelLanes >= move_.end;
          const int64_t next_k_chunk = last ? (k_chunk + 1) % p_.k_chunks : k_chunk;
          const bool same = last && lane == move_.begin && next_k_chunk == k_chunk; // this panel again
          if (!same && !(last && last_chunk))
            move_.start(last ? move_.begin : lane + kPanelLanes, p_.k(next_k_chunk), depth(next_k_chunk), next_);
          pass(lane, begin, end, k_chunk);
          move_.pack.finish();
          if (!same) {
            char *packed = next_;
            next_ = moving_;
            moving_ = packed;
          }
        }
      }
    }
    store_.finish();
    raise(p_.largest_a, a_.pack.largest.bits());
    raise(p_.largest_b, packed_ ? packed_->largest : b_.pack.largest.bits());
  }

private:
  static constexpr bool kRounds = sizeof(Element) < sizeof(float);
  static constexpr int64_t kPanels = kChunkPanels<Element>;

  Product<parts, Element> &p_;
  const Gemm &g_;
  const PackedB *packed_; // or null
  Side<parts, Element> a_, b_;
  bool rows_stay_;
  Side<parts, Element> &stay_, &move_;
  int64_t panel_bytes_;
  char *moving_, *next_, *staying_; // panels: in use, being packed, all of a chunk
  float *partial_;                  // sums of a chunk, where C is rounded and K takes several chunks
  int64_t partial_step_;
  StoreJob store_;
  int blocks_done_ = 0;
  alignas(64) float finished_[2][kPanelLanes * kPanelLanes];

  // Where range i of even ranges of whole panels begins.
  static int64_t border(int64_t n, int64_t ranges, int64_t i) {
    return least(n, ceil_div(n, kPanelLanes) * i / ranges * kPanelLanes);
  }
  int64_t depth(int64_t k_chunk) const { return p_.k(k_chunk + 1) - p_.k(k_chunk); }

  // A panel of the moving side meets all panels of a chunk.
  void pass(int64_t lane, int64_t begin, int64_t end, int64_t k_chunk) {
    const int64_t blocks = p_.k_block(k_chunk + 1) - p_.k_block(k_chunk);
    const bool packs = !packed_ && lane == move_.begin;
    char *panel = staying_;
    for (int64_t s = begin; s < end; s += kPanelLanes, panel += panel_bytes_) {
      const int64_t panels_left = ceil_div(end - s, kPanelLanes);
      if (packs && panels_left > 1)
        stay_.start(s + kPanelLanes, p_.k(k_chunk), depth(k_chunk), panel + panel_bytes_);
      Shadow shadow{&store_, &stay_.pack, &move_.pack, 0};
      shadow.plan(store_.left + stay_.pack.left + ceil_div(move_.pack.left, panels_left), blocks * kProducts[parts]);
      if (rows_stay_)
        run_block(s, lane, panel, moving_, s - begin, lane - b_.begin, k_chunk, shadow);
      else
        run_block(lane, s, moving_, packed_ ? packed_at<parts>(packed_, s / kPanelLanes, p_.k_block(k_chunk)) : panel,
                  lane - a_.begin, s - begin, k_chunk, shadow);
      stay_.pack.finish();
    }
  }

  // 32 x 32 of C at (i, j), and at (partial_i, partial_j) of the partial sums.
  void run_block(int64_t i, int64_t j, const char *a, const char *b, int64_t partial_i, int64_t partial_j,
                 int64_t k_chunk, Shadow &shadow) {
    const int64_t rows = least(kPanelLanes, a_.end - i), columns = least(kPanelLanes, b_.end - j);
    const bool first = k_chunk == 0, rounds = kRounds && k_chunk + 1 == p_.k_chunks;
    float *c = kRounds ? partial_ + partial_i * partial_step_ + partial_j : static_cast<float *>(g_.C) + i * g_.ldc + j;
    const Run run{a, b, p_.k_block(k_chunk + 1) - p_.k_block(k_chunk), kBlockBytes<parts>, kBlockBytes<parts>};
    const bool as_they_are = first && !rounds && !g_.accumulate && !g_.bias_n && !g_.bias_m;
    if (as_they_are && rows == kPanelLanes && columns == kPanelLanes) { // the tiles are C
      multiply<parts>(rows, columns, &run, 1, shadow, c, store_.to_step * int64_t(sizeof(float)));
      store_.finish();
      return;
    }
    float *sums = finished_[blocks_done_++ % 2];
    multiply<parts>(rows, columns, &run, 1, shadow, sums);
    store_.finish();
    store_.from = sums;
    store_.to = c;
    store_.rounded = rounds ? static_cast<Bfloat16 *>(g_.C) + i * g_.ldc + j : nullptr;
    store_.columns = columns;
    store_.added = g_.accumulate || !first ? store_.to : nullptr;
    store_.bias_n = first && g_.bias_n ? static_cast<const float *>(g_.bias_n) + j : nullptr;
    store_.bias_m = first && g_.bias_m ? static_cast<const float *>(g_.bias_m) + i : nullptr;
    store_.start(rows);
  }
};

} // namespace cinta::kernels::amx
