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
  static constexpr int64_t KC = 384;    // a strip of A (14 x 384 floats) and a row of B panels share the L1
  static constexpr int64_t NC = 2048;   // columns of B packed at once: at most 3 MB, read from L3 once per row group
  static constexpr int64_t strips = 6;  // of A per block: 84 x 384 floats in L2
  static constexpr int64_t blocks = 16; // aimed at per product, so that many threads find work
  static constexpr int64_t direct_rows = 3 * TileShape<T>::MR; // up to here B is read in place: packing would not pay
  static constexpr int64_t direct_cols = 2 * TileShape<T>::NR; // likewise A
  static constexpr int64_t direct_size = 32 * 32;              // operands this small are read in place too
  static constexpr double flops_per_ns = 4 * Vec<T>::width;
};

// One product under way: what a block needs to know.
template <class T> struct Product {
  const Gemm *g;
  int64_t row_strips, row_groups, column_groups;
  bool pack_a, pack_b;
  int64_t k0, kc, j0, nc; // the current chunk
  const T *b;             // packed panels of the chunk, or B itself at (k0, j0)

  const T *a_at(int64_t i) const { return static_cast<const T *>(g->A) + i * g->a_row + k0 * g->a_col; }
  int64_t row_begin(int64_t strip) const { return part_begin(g->M, row_strips, strip); }
};

template <class T> void pack_b_panel(void *context, int64_t panel) {
  constexpr int NR = TileShape<T>::NR;
  const Product<T> &p = *static_cast<const Product<T> *>(context);
  const int64_t j = panel * NR;
  const T *from = static_cast<const T *>(p.g->B) + p.k0 * p.g->b_row + (p.j0 + j) * p.g->b_col;
  pack_strip(p.kc, least(NR, p.nc - j), NR, from, p.g->b_col, p.g->b_row, const_cast<T *>(p.b) + j * p.kc);
}

// Block (row group, column group) of the current chunk.
template <class T> void product_block(void *context, int64_t block) {
  constexpr int NR = TileShape<T>::NR;
  const Product<T> &p = *static_cast<const Product<T> *>(context);
  const Gemm &g = *p.g;
  const int64_t row_group = block / p.column_groups, column_group = block % p.column_groups;
  const int64_t strip_begin = part_begin(p.row_strips, p.row_groups, row_group);
  const int64_t strip_end = part_begin(p.row_strips, p.row_groups, row_group + 1);
  const int64_t panels = ceil_div(p.nc, NR);
  const int64_t j_begin = part_begin(panels, p.column_groups, column_group) * NR;
  const int64_t j_end = least(p.nc, part_begin(panels, p.column_groups, column_group + 1) * NR);
  const int64_t i0 = p.row_begin(strip_begin);

  T *packed = nullptr;
  if (p.pack_a) {
    packed = static_cast<T *>(scratch(Scratch::pack_a, size_t(p.row_begin(strip_end) - i0) * size_t(p.kc) * sizeof(T)));
    for (int64_t s = strip_begin; s < strip_end; ++s) {
      const int64_t i = p.row_begin(s), rows = p.row_begin(s + 1) - i;
      pack_strip(p.kc, rows, rows, p.a_at(i), g.a_row, g.a_col, packed + (i - i0) * p.kc);
    }
  }
  const bool first = p.k0 == 0, add = g.accumulate || !first;
  const T *bias_n = static_cast<const T *>(first ? g.bias_n : nullptr);
  const T *bias_m = static_cast<const T *>(first ? g.bias_m : nullptr);
  const bool wide = !p.pack_b && p.row_strips == 1;
  const int64_t step = wide ? j_end - j_begin : NR;
  for (int64_t j = j_begin; j < j_end; j += step)
    for (int64_t s = strip_begin; s < strip_end; ++s) {
      const int64_t i = p.row_begin(s), rows = p.row_begin(s + 1) - i;
      Tile<T> t;
      t.k = p.kc;
      t.a = p.pack_a ? packed + (i - i0) * p.kc : p.a_at(i);
      t.a_row = p.pack_a ? 1 : g.a_row;
      t.a_col = p.pack_a ? rows : g.a_col;
      t.b = p.pack_b ? p.b + j * p.kc : p.b + j;
      t.b_row = p.pack_b ? NR : g.b_row;
      t.c = static_cast<T *>(g.C) + i * g.ldc + p.j0 + j;
      t.ldc = g.ldc;
      t.last = 0;
      t.add = add;
      t.bias_n = bias_n ? bias_n + p.j0 + j : nullptr;
      t.bias_m = bias_m ? bias_m + i : nullptr;
      run_tiles(t, rows, least(step, j_end - j), wide);
    }
}

template <class T> void run_product(const Gemm &g) {
  using Limits = Blocking<T>;
  constexpr int NR = TileShape<T>::NR;
  Product<T> p;
  p.g = &g;
  p.row_strips = ceil_div(g.M, TileShape<T>::MR);
  p.pack_b = g.N > 1 && g.b_col != 1;
  p.pack_b = p.pack_b || (g.M > Limits::direct_rows && g.K * g.N > Limits::direct_size);
  p.pack_a = g.N > Limits::direct_cols && g.M * g.K > Limits::direct_size;
  const int64_t k_chunks = ceil_div(g.K, Limits::KC), j_chunks = p.pack_b ? ceil_div(g.N, Limits::NC) : 1;
  for (int64_t jc = 0; jc < j_chunks; ++jc) {
    const int64_t panels = ceil_div(g.N, NR);
    p.j0 = part_begin(panels, j_chunks, jc) * NR;
    p.nc = least(g.N, part_begin(panels, j_chunks, jc + 1) * NR) - p.j0;
    for (int64_t pc = 0; pc < k_chunks; ++pc) {
      p.k0 = part_begin(g.K, k_chunks, pc);
      p.kc = part_begin(g.K, k_chunks, pc + 1) - p.k0;
      const int64_t chunk_panels = ceil_div(p.nc, NR);
      p.b = static_cast<const T *>(g.B) + p.k0 * g.b_row + p.j0 * g.b_col;
      if (p.pack_b) {
        p.b = static_cast<T *>(scratch(Scratch::pack_b, size_t(chunk_panels * NR * p.kc) * sizeof(T)));
        parallel_for(chunk_panels, double(p.kc * p.nc) * 0.3, pack_b_panel<T>, &p);
      }
      const double cost = double(g.M) * double(p.nc) * double(p.kc) * 2 / Limits::flops_per_ns;
      const int64_t wanted = cost < 1e5 ? 1 + int64_t(cost / 1e4) : Limits::blocks;
      p.row_groups = ceil_div(p.row_strips, Limits::strips);
      p.row_groups = least(p.row_strips, p.row_groups < wanted ? wanted : p.row_groups);
      p.column_groups = least(ceil_div(wanted, p.row_groups), ceil_div(p.nc, p.pack_a ? 512 : 4 * NR));
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
