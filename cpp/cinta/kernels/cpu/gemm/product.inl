// Products too large for registers: C is cut into strips of rows and panels of columns, K into parts that keep panels
// in cache. K is never split over threads, and every element of C is summed in an order that only the shape decides:
// the same bits on any number of threads.
#pragma once
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/gemm/micro.inl"
#include "cinta/kernels/cpu/gemm/pack.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

CINTA_FN int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
CINTA_FN int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
// Where part i of `parts` even parts of n begins.
CINTA_FN int64_t part_begin(int64_t n, int64_t parts, int64_t i) { return n / parts * i + least(i, n % parts); }

template <class T> struct Blocking {
  static constexpr int64_t KC = 2048 / sizeof(T); // shorter parts would pass over C more often
  static constexpr int64_t group_vectors = 30;    // of columns: so much of B, KC deep, stays in L2 while A passes by
  static constexpr int64_t shared_depth = 2048;   // A that several groups need packed is packed in chunks of at most
  static constexpr int64_t shared_rows = 2048;    // this much, to be read from L3
  static constexpr int64_t direct_rows = 32;      // up to here B is read in place: packing would not pay
  static constexpr int64_t direct_cols = 96;      // likewise A, which is read in order where its rows are contiguous,
  static constexpr int64_t strip_cols = 320;      // and well enough where a strip's rows lie side by side,
  static constexpr int64_t strip_depth = 256;     // for any number of columns where it stays in L1 that way
  static constexpr int64_t near_strips = 16;      // up to here A and a panel both stay near
  static constexpr int64_t direct_size = 32 * 32; // operands this small are read in place too
  static constexpr double flops_per_ns = 4 * Vec<T>::width;
};

// Where tiles read A: in place, or a strip packed by the block that comes to it, or all strips packed beforehand.
enum class PackA { none, strip, shared };

// One product under way: what a block needs to know. A strip and a panel make a tile of C.
template <class T> struct Product {
  static constexpr int W = Vec<T>::width;
  const Gemm *g;
  int64_t strips, row_groups, panels, column_groups;
  PackA pack_a;
  bool pack_b;
  int64_t i0, rows, k0, depth, k_parts; // the current chunk of A
  T *shared_a;
  const PackedB *packed; // all panels of B, packed ahead, or null

  int64_t row(int64_t strip) const { return part_begin(rows, strips, strip); }                     // of the chunk
  int64_t k(int64_t part) const { return part_begin(depth, k_parts, part); }                       // of the chunk
  int64_t column(int64_t panel) const { return part_begin(ceil_div(g->N, W), panels, panel) * W; } // padded
  const T *a_at(int64_t part, int64_t i) const {
    return static_cast<const T *>(g->A) + (i0 + i) * g->a_row + (k0 + k(part)) * g->a_col;
  }
  const T *b_at(int64_t part, int64_t j) const {
    return static_cast<const T *>(g->B) + (k0 + k(part)) * g->b_row + j * g->b_col;
  }
  const T *ahead(int64_t part, int64_t j) const {
    return reinterpret_cast<const T *>(packed + 1) + k(part) * column(panels) + j * (k(part + 1) - k(part));
  }
  T *shared_strip(int64_t part, int64_t i) const { return shared_a + k(part) * rows + i * (k(part + 1) - k(part)); }
};

// Strips or panels side by side, in memory as in the operand. Rows of the source that run along them are read whole.
template <class Border, class T> void pack_neighbours(int64_t begin, int64_t end, Border border, int64_t present,
                                                      int64_t k, const T *from, int64_t lane_step, int64_t k_step,
                                                      T *to) {
  const int64_t unit = lane_step == 1 || lane_step == 2 ? 16 : k, origin = border(begin);
  for (int64_t p = 0; p < k; p += unit)
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = border(i), width = border(i + 1) - at;
      pack_strip(least(unit, k - p), least(width, present - at), width, from + (at - origin) * lane_step + p * k_step,
                 lane_step, k_step, to + (at - origin) * k + p * width);
    }
}

constexpr int64_t kStripsPacked = 16; // by one block

template <class T> void pack_shared_strips(void *context, int64_t block) {
  const Product<T> &p = *static_cast<const Product<T> *>(context);
  const int64_t blocks = ceil_div(p.strips, kStripsPacked), part = block / blocks;
  const int64_t begin = part_begin(p.strips, blocks, block % blocks);
  const int64_t end = part_begin(p.strips, blocks, block % blocks + 1), i = p.row(begin);
  pack_neighbours(
      begin, end, [&](int64_t strip) { return p.row(strip); }, p.rows, p.k(part + 1) - p.k(part), p.a_at(part, i),
      p.g->a_row, p.g->a_col, p.shared_strip(part, i));
}

// Activates rows [i, i + rows) and columns [j, j + columns) of C, which are complete and near.
template <class T> void activate(const Gemm &g, int64_t i, int64_t rows, int64_t j, int64_t columns) {
  if (!g.activation)
    return;
  if (columns == g.ldc) // one run
    columns *= rows, rows = 1;
  const T *c = static_cast<const T *>(g.C) + i * g.ldc + j;
  T *y = static_cast<T *>(g.activated ? g.activated : g.C) + i * g.ldc + j;
  for (int64_t r = 0; r < rows; ++r)
    g.activation(columns, c + r * g.ldc, y + r * g.ldc, g.activation_params);
}

// Panels [begin, end) of one part of K against all strips of a row group. B is packed beforehand or, where the first
// strip's micro-kernel can do it, by that strip as it reads B in place.
template <class T> void multiply_panels(const Product<T> &p, int64_t part, int64_t strip_begin, int64_t strip_end,
                                        int64_t begin, int64_t end, bool activates, T *a, T *b) {
  const Gemm &g = *p.g;
  const bool first = p.k0 + part == 0;
  const int64_t chain = chain_of(g.K);
  const int64_t origin = p.column(begin), first_rows = p.row(strip_begin + 1) - p.row(strip_begin);
  Tile<T> t;
  t.k = p.k(part + 1) - p.k(part);
  t.ldc = g.ldc;
  t.add = g.accumulate || !first;
  const auto woven = [&](int64_t panel) {
    return p.pack_b && g.b_col == 1 && p.column(panel + 1) <= g.N &&
           has_woven_kernel<T>(first_rows, p.column(panel + 1) - p.column(panel));
  };
  const auto column = [&](int64_t panel) { return p.column(panel); };
  if (p.pack_b)
    for (int64_t from = begin, to; from < end; from = to) {
      for (to = from; to < end && !woven(to);)
        ++to;
      pack_neighbours(from, to, column, g.N, t.k, p.b_at(part, p.column(from)), g.b_col, g.b_row,
                      b + (p.column(from) - origin) * t.k);
      while (to < end && woven(to))
        ++to;
    }
  for (int64_t s = strip_begin; s < strip_end; ++s) {
    const int64_t i = p.row(s), height = p.row(s + 1) - i;
    if (p.pack_a == PackA::strip)
      pack_strip(t.k, height, height, p.a_at(part, i), g.a_row, g.a_col, a);
    t.a = p.pack_a == PackA::none ? p.a_at(part, i) : p.pack_a == PackA::strip ? a : p.shared_strip(part, i);
    t.a_row = p.pack_a == PackA::none ? g.a_row : 1;
    t.a_col = p.pack_a == PackA::none ? g.a_col : height;
    t.bias_m = first && g.bias_m ? static_cast<const T *>(g.bias_m) + p.i0 + i : nullptr;
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t j = p.column(panel), width = p.column(panel + 1) - j;
      T *const packed = p.pack_b ? b + (j - origin) * t.k : nullptr;
      t.weave = s == strip_begin && woven(panel) ? packed : nullptr;
      const bool in_place = !p.packed && (!p.pack_b || t.weave);
      t.b = in_place ? p.b_at(part, j) : p.packed ? p.ahead(part, j) : packed;
      t.b_row = in_place ? g.b_row : width;
      t.bias_n = first && g.bias_n ? static_cast<const T *>(g.bias_n) + j : nullptr;
      t.c = static_cast<T *>(g.C) + (p.i0 + i) * g.ldc + j;
      run_tile(t, chain, height, least(width, g.N - j));
    }
    if (activates)
      activate<T>(g, p.i0 + i, height, origin, least(p.column(end), g.N) - origin);
  }
}

// Block (row group, column group) of the current chunk.
template <class T> void product_block(void *context, int64_t block) {
  const Product<T> &p = *static_cast<const Product<T> *>(context);
  const int64_t row_group = block / p.column_groups, column_group = block % p.column_groups;
  const int64_t strip_begin = part_begin(p.strips, p.row_groups, row_group);
  const int64_t strip_end = part_begin(p.strips, p.row_groups, row_group + 1);
  const int64_t panel_begin = part_begin(p.panels, p.column_groups, column_group);
  const int64_t panel_end = part_begin(p.panels, p.column_groups, column_group + 1);
  const size_t longest = size_t(ceil_div(p.depth, p.k_parts)) * sizeof(T);
  T *a = nullptr, *b = nullptr;
  if (p.pack_a == PackA::strip)
    a = static_cast<T *>(scratch(Scratch::pack_a, size_t(TileShape<T>::most_rows) * longest));
  if (p.pack_b)
    b = static_cast<T *>(scratch(Scratch::pack_b, size_t(p.column(panel_end) - p.column(panel_begin)) * longest));
  // A few strips meet one panel after another; many would not stay near, so there each meets all panels.
  const bool few = strip_end - strip_begin <= Blocking<T>::near_strips && p.pack_a != PackA::strip;
  const int64_t panels = panel_end - panel_begin, at_once = p.pack_b && (!few || p.g->b_col == 2) ? panels : 1;
  const bool last_chunk = p.k0 + p.depth == p.g->K;
  for (int64_t part = 0; part < p.k_parts; ++part) {
    const bool activates = at_once == panels && last_chunk && part == p.k_parts - 1;
    for (int64_t panel = panel_begin; panel < panel_end; panel += at_once)
      multiply_panels(p, part, strip_begin, strip_end, panel, panel + at_once, activates, a, b);
  }
  if (at_once < panels && last_chunk) { // rows of one panel are too short to be worth a call
    const int64_t i = p.row(strip_begin), j = p.column(panel_begin);
    activate<T>(*p.g, p.i0 + i, p.row(strip_end) - i, j, least(p.column(panel_end), p.g->N) - j);
  }
}

// In a panel, unless all rows fit one tile.
template <class T> CINTA_FN int64_t panel_vectors(int64_t columns) {
  const int64_t vectors = ceil_div(columns, Vec<T>::width);
  return ceil_div(vectors, ceil_div(vectors, TileShape<T>::vectors));
}

// How strips and panels are shared out has no part in what a tile computes: here threads may count. Of the cuts that
// give every thread one block, two or three, the one that is done first. A strip by one vector takes 1; a block also
// packs its panels, half a strip's time each vector, and fetches its strips or packs them, one or three vectors' time.
template <class T> void share_out(Product<T> &p, int64_t groups, double cost) {
  p.column_groups = groups, p.row_groups = 1;
  if (cost < 1e4 || num_threads() == 1)
    return;
  const int64_t most = 1 + int64_t(cost / 1e4), threads = least(num_threads(), most);
  const double of_vector = p.pack_b ? 0.5 : 0, of_strip = p.pack_a == PackA::strip ? 3 : 1;
  const auto time_of = [&](double strips, double vectors) {
    return strips * vectors + of_vector * vectors + of_strip * strips;
  };
  const int64_t vectors = p.column(p.panels) / Vec<T>::width;
  double shortest = 1e300;
  for (int64_t rows = least(threads, p.strips); rows > 0; --rows) {
    const int64_t step = ceil_div(threads, rows), first = ceil_div(groups, step);
    for (int64_t steps = first; steps < first + 3; ++steps) {
      const int64_t columns = least(p.panels, steps * step), rounds = ceil_div(rows * columns, threads);
      if (rows * columns > most)
        break;
      const int64_t widest_block = p.column(part_begin(p.panels, columns, 1)) / Vec<T>::width;
      const double largest = time_of(double(part_begin(p.strips, rows, 1)), double(widest_block));
      const double average = time_of(double(p.strips) / double(rows), double(vectors) / double(columns));
      const double time = largest + average * double(rounds - 1); // largest blocks come first
      if (time < shortest)
        shortest = time, p.row_groups = rows, p.column_groups = columns;
    }
  }
}

template <class T> void run_product(const Gemm &g) {
  using Limits = Blocking<T>;
  using Shape = TileShape<T>;
  Product<T> p;
  p.g = &g;
  p.packed = g.packed_b;
  p.pack_b = !p.packed && ((g.N > 1 && g.b_col != 1) || (g.M > Limits::direct_rows && g.K * g.N > Limits::direct_size));
  const int64_t vectors = ceil_div(g.N, Vec<T>::width);
  p.column_groups = ceil_div(vectors, Limits::group_vectors);
  const int64_t direct_cols = g.a_row != 1                 ? Limits::direct_cols
                              : g.K <= Limits::strip_depth ? g.N
                                                           : Limits::strip_cols;
  p.pack_a = g.a_col == 1 || g.N <= direct_cols || g.M * g.K <= Limits::direct_size ? PackA::none
             : p.column_groups == 1                                                 ? PackA::strip
                                                                                    : PackA::shared;

  // Columns decide how tall a tile may be, unless all rows fit one: then they decide how wide.
  int64_t wide = panel_vectors<T>(g.N), height = Shape::rows(wide);
  if (g.M <= Shape::most_rows) {
    height = g.M;
    wide = widest<T>(int(g.M));
  }
  p.panels = ceil_div(vectors, wide);
  p.column_groups = least(p.column_groups, p.panels);
  const int64_t i_chunks = p.pack_a == PackA::shared ? ceil_div(g.M, Limits::shared_rows) : 1;
  const int64_t k_chunks = p.pack_a == PackA::shared ? ceil_div(g.K, Limits::shared_depth) : 1;
  const int64_t groups = p.column_groups;
  for (int64_t ic = 0; ic < i_chunks; ++ic) {
    p.i0 = part_begin(g.M, i_chunks, ic);
    p.rows = part_begin(g.M, i_chunks, ic + 1) - p.i0;
    p.strips = ceil_div(p.rows, height);
    for (int64_t kc = 0; kc < k_chunks; ++kc) {
      p.k0 = part_begin(g.K, k_chunks, kc);
      p.depth = part_begin(g.K, k_chunks, kc + 1) - p.k0;
      p.k_parts = ceil_div(p.depth, Limits::KC);
      if (p.pack_a == PackA::shared) {
        p.shared_a = static_cast<T *>(scratch(Scratch::pack_a, size_t(p.rows * p.depth) * sizeof(T)));
        parallel_for(p.k_parts * ceil_div(p.strips, kStripsPacked), double(p.depth * p.rows) * 0.3,
                     pack_shared_strips<T>, &p);
      }
      const double cost = double(p.rows) * double(g.N) * double(p.depth) * 2 / Limits::flops_per_ns;
      share_out(p, groups, cost);
      parallel_for(p.row_groups * p.column_groups, cost, product_block<T>, &p);
    }
  }
}

} // namespace cinta::kernels::CINTA_ISA
