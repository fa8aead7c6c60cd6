// Matrix product. Blocks of K keep sums short and panels in cache; K is never split over threads, and every element of
// C is summed in an order that only the shape decides: the same bits on any number of threads.
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/gemm_dot.inl"
#include "cinta/kernels/cpu/gemm_micro.inl"
#include "cinta/kernels/cpu/gemm_pack.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

CINTA_FN int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
CINTA_FN int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
// Where part i of `parts` even parts of n begins.
CINTA_FN int64_t part_begin(int64_t n, int64_t parts, int64_t i) { return n / parts * i + least(i, n % parts); }

template <class T> struct Blocking {
  static constexpr int64_t KC = 2048 / sizeof(T); // shorter blocks would pass over C more often
  static constexpr int64_t group_rows = 1024;     // a panel of B, 48 x 512 floats, meets up to so many rows from L2
  static constexpr int64_t group_cols = 64 * Vec<T>::width;
  static constexpr int64_t shared_depth = 2048;      // B is packed for all blocks in chunks of at most
  static constexpr int64_t shared_cols = 4096;       // this much, to be read from L3
  static constexpr int64_t direct_rows = 40;         // up to here B is read in place: packing would not pay
  static constexpr int64_t direct_cols = 96;         // likewise A: its columns,
  static constexpr int64_t direct_cols_by_row = 640; // or its rows, which are read in order
  static constexpr int64_t direct_size = 32 * 32;    // operands this small are read in place too
  static constexpr double flops_per_ns = 4 * Vec<T>::width;
};

// Where tiles read B: in place, or packed by the block that uses it, or packed once for several row groups.
enum class PackB { none, own, shared };

// One product under way: what a block needs to know. A is cut into strips of rows and B into panels of columns, both
// evenly; a strip and a panel make a tile of C.
template <class T> struct Product {
  static constexpr int W = Vec<T>::width;
  const Gemm *g;
  int64_t strips, row_groups, column_groups;
  bool pack_a;
  PackB pack_b;
  int64_t k0, depth, k_parts, j0, nc, panels; // the current chunk
  T *shared_b;

  int64_t row(int64_t strip) const { return part_begin(g->M, strips, strip); }
  int64_t column(int64_t panel) const { return part_begin(ceil_div(nc, W), panels, panel) * W; } // of the chunk
  int64_t k(int64_t part) const { return part_begin(depth, k_parts, part); }                     // of the chunk
  T *shared_panel(int64_t part, int64_t panel) const {
    const int64_t kc = k(part + 1) - k(part);
    return shared_b + k(part) * column(panels) + column(panel) * kc;
  }
  const T *b_at(int64_t part, int64_t panel) const {
    return static_cast<const T *>(g->B) + (k0 + k(part)) * g->b_row + (j0 + column(panel)) * g->b_col;
  }
  const T *a_at(int64_t part, int64_t i) const {
    return static_cast<const T *>(g->A) + i * g->a_row + (k0 + k(part)) * g->a_col;
  }
  void pack_panel(int64_t part, int64_t panel, T *to) const {
    const int64_t width = column(panel + 1) - column(panel), kc = k(part + 1) - k(part);
    pack_strip(kc, least(width, nc - column(panel)), width, b_at(part, panel), g->b_col, g->b_row, to);
  }
};

template <class T> void pack_shared_panel(void *context, int64_t block) {
  const Product<T> &p = *static_cast<const Product<T> *>(context);
  const int64_t part = block / p.panels, panel = block % p.panels;
  p.pack_panel(part, panel, p.shared_panel(part, panel));
}

// Block (row group, column group) of the current chunk.
template <class T> void product_block(void *context, int64_t block) {
  const Product<T> &p = *static_cast<const Product<T> *>(context);
  const Gemm &g = *p.g;
  const int64_t row_group = block / p.column_groups, column_group = block % p.column_groups;
  const int64_t strip_begin = part_begin(p.strips, p.row_groups, row_group);
  const int64_t strip_end = part_begin(p.strips, p.row_groups, row_group + 1);
  const int64_t panel_begin = part_begin(p.panels, p.column_groups, column_group);
  const int64_t panel_end = part_begin(p.panels, p.column_groups, column_group + 1);
  const int64_t i0 = p.row(strip_begin), rows = p.row(strip_end) - i0;
  const size_t longest = size_t(ceil_div(p.depth, p.k_parts)) * sizeof(T);
  T *a = p.pack_a ? static_cast<T *>(scratch(Scratch::pack_a, size_t(rows) * longest)) : nullptr;
  T *b = nullptr;
  if (p.pack_b == PackB::own)
    b = static_cast<T *>(scratch(Scratch::pack_b, size_t(8 * Vec<T>::width) * longest));

  Tile<T> t;
  t.ldc = g.ldc;
  for (int64_t part = 0; part < p.k_parts; ++part) {
    t.k = p.k(part + 1) - p.k(part);
    const bool first = p.k0 + part == 0;
    t.add = g.accumulate || !first;
    if (p.pack_a)
      for (int64_t s = strip_begin; s < strip_end; ++s) {
        const int64_t i = p.row(s), height = p.row(s + 1) - i;
        pack_strip(t.k, height, height, p.a_at(part, i), g.a_row, g.a_col, a + (i - i0) * t.k);
      }
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const int64_t j = p.column(panel), end = p.column(panel + 1), columns = least(end, p.nc) - j;
      t.b_row = p.pack_b == PackB::none ? g.b_row : end - j;
      t.b = p.pack_b == PackB::none ? p.b_at(part, panel) : p.pack_b == PackB::own ? b : p.shared_panel(part, panel);
      if (p.pack_b == PackB::own)
        p.pack_panel(part, panel, b);
      t.bias_n = first && g.bias_n ? static_cast<const T *>(g.bias_n) + p.j0 + j : nullptr;
      for (int64_t s = strip_begin; s < strip_end; ++s) {
        const int64_t i = p.row(s), height = p.row(s + 1) - i;
        t.a = p.pack_a ? a + (i - i0) * t.k : p.a_at(part, i);
        t.a_row = p.pack_a ? 1 : g.a_row;
        t.a_col = p.pack_a ? height : g.a_col;
        t.c = static_cast<T *>(g.C) + i * g.ldc + p.j0 + j;
        t.bias_m = first && g.bias_m ? static_cast<const T *>(g.bias_m) + i : nullptr;
        run_tile(t, height, columns);
      }
    }
  }
}

template <class T> void run_product(const Gemm &g) {
  using Limits = Blocking<T>;
  using Shape = TileShape<T>;
  constexpr int W = Vec<T>::width;
  Product<T> p;
  p.g = &g;
  p.pack_a = g.N > (g.a_col == 1 ? Limits::direct_cols_by_row : Limits::direct_cols) && g.M * g.K > Limits::direct_size;
  p.row_groups = ceil_div(g.M, Limits::group_rows);
  p.pack_b = PackB::none;
  if ((g.N > 1 && g.b_col != 1) || (g.M > Limits::direct_rows && g.K * g.N > Limits::direct_size))
    p.pack_b = p.row_groups == 1 ? PackB::own : PackB::shared;

  // Columns decide how tall a tile may be, unless all rows fit one: then they decide how wide.
  const int64_t all_vectors = ceil_div(g.N, W);
  int64_t panel_vectors = ceil_div(all_vectors, ceil_div(all_vectors, Shape::vectors));
  p.strips = ceil_div(g.M, Shape::rows(panel_vectors));
  if (g.M <= Shape::most_rows) {
    p.strips = 1;
    panel_vectors = widest<T>(int(g.M));
  }
  p.row_groups = least(p.row_groups, p.strips);

  const bool shared = p.pack_b == PackB::shared;
  const int64_t threads = num_threads();
  const int64_t k_chunks = shared ? ceil_div(g.K, Limits::shared_depth) : 1;
  const int64_t j_chunks = shared ? ceil_div(g.N, Limits::shared_cols) : 1;
  for (int64_t jc = 0; jc < j_chunks; ++jc) {
    p.j0 = part_begin(all_vectors, j_chunks, jc) * W;
    p.nc = least(g.N, part_begin(all_vectors, j_chunks, jc + 1) * W) - p.j0;
    p.panels = ceil_div(ceil_div(p.nc, W), panel_vectors);
    for (int64_t kc = 0; kc < k_chunks; ++kc) {
      p.k0 = part_begin(g.K, k_chunks, kc);
      p.depth = part_begin(g.K, k_chunks, kc + 1) - p.k0;
      p.k_parts = ceil_div(p.depth, Limits::KC);
      if (shared) {
        p.shared_b = static_cast<T *>(scratch(Scratch::pack_b, size_t(p.column(p.panels) * p.depth) * sizeof(T)));
        parallel_for(p.k_parts * p.panels, double(p.depth * p.nc) * 0.3, pack_shared_panel<T>, &p);
      }
      // How strips and panels are shared out has no part in what a tile computes: here threads may count.
      const double cost = double(g.M) * double(p.nc) * double(p.depth) * 2 / Limits::flops_per_ns;
      const int64_t pieces = threads == 1 ? 1 : least(3 * threads, 1 + int64_t(cost / 1e4));
      p.column_groups = ceil_div(p.nc, Limits::group_cols);
      if (p.row_groups * p.column_groups < pieces)
        p.column_groups = least(ceil_div(pieces, p.row_groups), ceil_div(p.panels, 2));
      parallel_for(p.row_groups * p.column_groups, cost, product_block<T>, &p);
    }
  }
}

// K = 0: the empty sum, and the bias.
template <class T> void store_bias(const Gemm &g) {
  for (int64_t i = 0; i < g.M; ++i) {
    T *c = static_cast<T *>(g.C) + i * g.ldc;
    for (int64_t j = 0; j < g.N; ++j) {
      T sum = g.accumulate ? c[j] : T(0);
      if (g.bias_m)
        sum += static_cast<const T *>(g.bias_m)[i];
      if (g.bias_n)
        sum += static_cast<const T *>(g.bias_n)[j];
      c[j] = sum;
    }
  }
}

// Whether both operands are contiguous along k and one side is short; fills `d` then, with the short side as x.
template <class T> bool as_dots(const Gemm &g, Dots<T> &d) {
  constexpr int W = Vec<T>::width;
  const int64_t shorter = least(g.M, g.N);
  if (W < 4 || g.a_col != 1 || g.b_row != 1 || shorter > W || g.K < 2 * W)
    return false;
  const T *A = static_cast<const T *>(g.A), *B = static_cast<const T *>(g.B);
  const T *bias_m = static_cast<const T *>(g.bias_m), *bias_n = static_cast<const T *>(g.bias_n);
  T *C = static_cast<T *>(g.C);
  if (g.M <= g.N)
    d = {g.M, g.N, g.K, A, g.a_row, B, g.b_col, C, g.ldc, 1, g.accumulate, bias_m, bias_n};
  else
    d = {g.N, g.M, g.K, B, g.b_col, A, g.a_row, C, 1, g.ldc, g.accumulate, bias_n, bias_m};
  return true;
}

template <class T> void gemm(const Gemm &g) {
  if (g.M <= 0 || g.N <= 0)
    return;
  if (g.K <= 0)
    return store_bias<T>(g);
  Dots<T> dots;
  if (as_dots(g, dots))
    return run_dots(dots);
  if (g.N == 1 && g.ldc == 1 && g.M > 1) { // one row of C' = B'A' is better to store than one column
    return run_product<T>(
        {1, g.M, g.K, g.B, g.b_col, g.b_row, g.A, g.a_col, g.a_row, g.C, g.M, g.accumulate, g.bias_m, g.bias_n});
  }
  run_product<T>(g);
}

// Wrapping 64-bit integers, signed and unsigned alike.
void gemm_integer(const Gemm &g) {
  const uint64_t *A = static_cast<const uint64_t *>(g.A), *B = static_cast<const uint64_t *>(g.B);
  for (int64_t i = 0; i < g.M; ++i) {
    uint64_t *c = static_cast<uint64_t *>(g.C) + i * g.ldc;
    for (int64_t j = 0; j < g.N; ++j) {
      uint64_t sum = g.accumulate ? c[j] : 0;
      if (g.bias_m)
        sum += static_cast<const uint64_t *>(g.bias_m)[i];
      if (g.bias_n)
        sum += static_cast<const uint64_t *>(g.bias_n)[j];
      c[j] = sum;
    }
    for (int64_t p = 0; p < g.K; ++p) {
      const uint64_t a = A[i * g.a_row + p * g.a_col];
      const uint64_t *b = B + p * g.b_row;
      for (int64_t j = 0; j < g.N; ++j)
        c[j] += a * b[j * g.b_col];
    }
  }
}

template <class T> CINTA_FN const void *advance(const void *p, int64_t elements) {
  return static_cast<const T *>(p) + elements;
}

// Products small against a block go several to a block, large ones one after another, each with all threads.
template <class T, GemmFn multiply>
void gemm_batch(const Gemm &g, int64_t batch, int64_t a_batch, int64_t b_batch, int64_t c_batch) {
  struct Batch {
    const Gemm &g;
    int64_t a_batch, b_batch, c_batch, size, per_block;
    void run(int64_t item) const {
      Gemm one = g;
      one.A = advance<T>(g.A, item * a_batch);
      one.B = advance<T>(g.B, item * b_batch);
      one.C = const_cast<void *>(advance<T>(g.C, item * c_batch));
      multiply(one);
    }
  };
  // The same B for all, rows of A and C evenly spaced over the batch: one taller product.
  if (b_batch == 0 && !g.bias_m && a_batch == g.M * g.a_row && c_batch == g.M * g.ldc) {
    Gemm tall = g;
    tall.M *= batch;
    return multiply(tall);
  }
  const double cost = double(g.M) * double(g.N) * double(g.K) * 2 / Blocking<float>::flops_per_ns + 50;
  const int64_t per_block = cost >= 2e4 ? 1 : 1 + int64_t(2e4 / cost);
  Batch work{g, a_batch, b_batch, c_batch, batch, per_block};
  if (batch == 1 || (cost > 2e6 && batch < 64)) {
    for (int64_t item = 0; item < batch; ++item)
      work.run(item);
    return;
  }
  const auto body = [](void *context, int64_t block) {
    const Batch &b = *static_cast<const Batch *>(context);
    const int64_t end = least(b.size, (block + 1) * b.per_block);
    for (int64_t item = block * b.per_block; item < end; ++item)
      b.run(item);
  };
  parallel_for(ceil_div(batch, per_block), cost * double(batch), body, &work);
}

void fill_gemm(Table &table) {
  table.gemm[int(Compute::f32)] = gemm<float>;
  table.gemm[int(Compute::f64)] = gemm<double>;
  table.gemm[int(Compute::i64)] = table.gemm[int(Compute::u64)] = gemm_integer;
  table.gemm_batch[int(Compute::f32)] = gemm_batch<float, gemm<float>>;
  table.gemm_batch[int(Compute::f64)] = gemm_batch<double, gemm<double>>;
  table.gemm_batch[int(Compute::i64)] = table.gemm_batch[int(Compute::u64)] = gemm_batch<uint64_t, gemm_integer>;
}

} // namespace cinta::kernels::CINTA_ISA
