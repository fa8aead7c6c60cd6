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

// A range of rows and columns of C, computed by one thread: chunk of columns by chunk of K by block of rows by panel of
// columns. While a block is multiplied, the one before is stored, and the next rows of A are packed; B's panels are
// packed when their chunk meets its first rows, each while the one before is multiplied.
template <int parts, class Element = float> class RangeOfProduct {
public:
  RangeOfProduct(Product<parts, Element> &product, int64_t range) : p_(product), g_(*product.g), packed_(g_.packed_b) {
    const int64_t row_range = range / p_.column_ranges, column_range = range % p_.column_ranges;
    i_begin_ = border(g_.M, p_.row_ranges, row_range);
    i_end_ = border(g_.M, p_.row_ranges, row_range + 1);
    j_begin_ = border(g_.N, p_.column_ranges, column_range);
    j_end_ = border(g_.N, p_.column_ranges, column_range + 1);
    panel_bytes_ = ceil_div(p_.k_blocks, p_.k_chunks) * kBlockBytes<parts>;
    const int64_t b_panels = packed_ ? 0 : least(kPanels, ceil_div(j_end_ - j_begin_, kPanelLanes));
    const size_t panels_bytes = size_t((2 + b_panels) * panel_bytes_);
    const bool partial = kRounds && p_.k_chunks > 1;
    partial_step_ = least(kPanels * kPanelLanes, j_end_ - j_begin_);
    const size_t partial_bytes = partial ? size_t((i_end_ - i_begin_) * partial_step_) * sizeof(float) : 0;
    // One block of memory: on huge pages if it is large.
    char *memory = static_cast<char *>(scratch(Scratch::pack_a, panels_bytes + partial_bytes));
    a_[0] = memory;
    a_[1] = memory + panel_bytes_;
    b_ = memory + 2 * panel_bytes_;
    partial_ = reinterpret_cast<float *>(memory + panels_bytes);
    pack_a_.lane_step = g_.a_row;
    pack_a_.k_step = g_.a_col;
    pack_a_.along_k = g_.a_col == 1;
    pack_b_.lane_step = g_.b_col;
    pack_b_.k_step = g_.b_row;
    pack_b_.along_k = g_.b_row == 1;
    store_.to_step = store_.added_step = kRounds ? partial_step_ : g_.ldc;
    store_.rounded_step = g_.ldc;
  }

  void run() {
    const TileScope tiles;
    const int64_t column_chunks = ceil_div(j_end_ - j_begin_, kPanels * kPanelLanes);
    start_a(i_begin_, 0, a_[0]);
    pack_a_.finish();
    for (int64_t chunk = 0; chunk < column_chunks; ++chunk) {
      const int64_t j = j_begin_ + border(j_end_ - j_begin_, column_chunks, chunk);
      const int64_t end = j_begin_ + border(j_end_ - j_begin_, column_chunks, chunk + 1);
      for (int64_t k_chunk = 0; k_chunk < p_.k_chunks; ++k_chunk) {
        if (!packed_) {
          start_b(j, k_chunk, b_);
          pack_b_.finish();
        }
        const bool last_chunk = chunk + 1 == column_chunks && k_chunk + 1 == p_.k_chunks;
        for (int64_t i = i_begin_; i < i_end_; i += kPanelLanes) {
          const bool last_rows = i + kPanelLanes >= i_end_;
          const int64_t next_k_chunk = last_rows ? (k_chunk + 1) % p_.k_chunks : k_chunk;
          const bool same = last_rows && i == i_begin_ && next_k_chunk == k_chunk; // these rows, for other columns
          if (!same && !(last_rows && last_chunk))
            start_a(last_rows ? i_begin_ : i + kPanelLanes, next_k_chunk, a_[1]);
          run_rows(i, j, end, k_chunk);
          pack_a_.finish();
          if (!same) {
            char *packed = a_[1];
            a_[1] = a_[0];
            a_[0] = packed;
          }
        }
      }
    }
    store_.finish();
    raise(p_.largest_a, pack_a_.largest.bits());
    raise(p_.largest_b, packed_ ? packed_->largest : pack_b_.largest.bits());
  }

private:
  static constexpr bool kRounds = sizeof(Element) < sizeof(float);
  static constexpr int64_t kPanels = kChunkPanels<Element>;

  Product<parts, Element> &p_;
  const Gemm &g_;
  const PackedB *packed_; // or null
  int64_t i_begin_, i_end_, j_begin_, j_end_, panel_bytes_;
  char *a_[2], *b_; // panels of A: in use, and being packed; all panels of B of a chunk
  float *partial_;  // sums of a chunk of columns, where C is rounded and K takes several chunks
  int64_t partial_step_;
  PackJob<parts, Element> pack_a_, pack_b_;
  StoreJob store_;
  int blocks_done_ = 0;
  alignas(64) float finished_[2][kPanelLanes * kPanelLanes];

  // Where range i of even ranges of whole panels begins.
  static int64_t border(int64_t n, int64_t ranges, int64_t i) {
    return least(n, ceil_div(n, kPanelLanes) * i / ranges * kPanelLanes);
  }
  void start_a(int64_t i, int64_t k_chunk, char *to) {
    const int64_t k = p_.k(k_chunk);
    pack_a_.start(TileRows::lanes, static_cast<const Element *>(g_.A) + i * g_.a_row + k * g_.a_col,
                  least(kPanelLanes, i_end_ - i), p_.k(k_chunk + 1) - k, to);
  }
  void start_b(int64_t j, int64_t k_chunk, char *to) {
    const int64_t k = p_.k(k_chunk);
    pack_b_.start(TileRows::pairs, static_cast<const Element *>(g_.B) + j * g_.b_col + k * g_.b_row,
                  least(kPanelLanes, j_end_ - j), p_.k(k_chunk + 1) - k, to);
  }

  // 32 rows by a chunk of columns and of K.
  void run_rows(int64_t i, int64_t j_begin, int64_t j_end, int64_t k_chunk) {
    const int64_t k_block = p_.k_block(k_chunk), blocks = p_.k_block(k_chunk + 1) - k_block;
    const int64_t rows = least(kPanelLanes, i_end_ - i);
    const bool first = k_chunk == 0, packs_b = !packed_ && i == i_begin_;
    char *own = b_;
    for (int64_t j = j_begin; j < j_end; j += kPanelLanes, own += panel_bytes_) {
      const int64_t panels_left = ceil_div(j_end - j, kPanelLanes), columns = least(kPanelLanes, j_end - j);
      if (packs_b && panels_left > 1)
        start_b(j + kPanelLanes, k_chunk, own + panel_bytes_);
      Shadow shadow{&store_, &pack_b_, &pack_a_, 0};
      shadow.plan(store_.left + pack_b_.left + ceil_div(pack_a_.left, panels_left), blocks * kProducts[parts]);
      const char *b = packed_ ? packed_at<parts>(packed_, j / kPanelLanes, k_block) : own;
      float *sums = finished_[blocks_done_++ % 2];
      float *c = kRounds ? partial_ + (i - i_begin_) * partial_step_ + (j - j_begin)
                         : static_cast<float *>(g_.C) + i * g_.ldc + j;
      const Run run{a_[0], b, blocks, kBlockBytes<parts>, kBlockBytes<parts>};
      const bool rounds = kRounds && k_chunk + 1 == p_.k_chunks;
      const bool as_they_are = first && !rounds && !g_.accumulate && !g_.bias_n && !g_.bias_m;
      if (as_they_are && rows == kPanelLanes && columns == kPanelLanes) { // the tiles are C
        multiply<parts>(rows, columns, &run, 1, shadow, c, store_.to_step * int64_t(sizeof(float)));
        pack_b_.finish();
        store_.finish();
        continue;
      }
      multiply<parts>(rows, columns, &run, 1, shadow, sums);
      pack_b_.finish();
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
  }
};

} // namespace cinta::kernels::amx
