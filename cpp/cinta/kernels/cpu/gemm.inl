// The matrix product: what is multiplied how, sums of no products, integers, batches.
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/gemm/ahead.inl"
#include "cinta/kernels/cpu/gemm/dot.inl"
#include "cinta/kernels/cpu/gemm/product.inl"
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

// C before any product: what it holds or zero, and the bias.
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

// Dot products pay where sums are long enough for the adding up of their lanes, and for packing the short side if that
// does not lie along k. Few rows are held against packing B, few columns against lanes left empty.
template <class T> bool rows_as_dots(const Gemm &g) {
  const bool b_along_k = g.b_row == 1 || (g.b_row == 2 && g.b_col != 1);
  return b_along_k && g.M <= Vec<T>::width && (g.K >= 16 * g.M || g.M * g.N <= 32) && (g.a_col == 1 || g.M <= g.N);
}
template <class T> bool columns_as_dots(const Gemm &g) {
  constexpr int64_t W = Vec<T>::width;
  const bool a_along_k = g.a_col == 1 || (g.a_col == 2 && g.a_row != 1);
  return a_along_k && g.a_col * g.N * (g.K + 5 * W) <= g.K * W &&
         (g.b_row == 1 || g.b_col != 1 || g.N == 1 || g.M >= 8 * g.N);
}

// A column that is contiguous: C' = B'A' is a row, which is better to store.
CINTA_FN bool is_row_transposed(const Gemm &g) { return g.N == 1 && g.ldc == 1 && g.M > 1; }

// Few columns of an A that lies by columns: in C' = B'A' the lanes are full.
template <class T> bool better_transposed(const Gemm &g) {
  constexpr int64_t W = Vec<T>::width;
  return !is_row_transposed(g) && g.a_row == 1 && g.a_col != 1 && 2 * g.N <= W && g.M >= 2 * W && g.K >= 12 * g.N;
}
template <class T> void run_transposed(const Gemm &g) {
  T *const sums = static_cast<T *>(scratch(Scratch::tile, size_t(g.N * g.M) * sizeof(T)));
  run_product<T>({g.N, g.M, g.K, g.B, g.b_col, g.b_row, g.A, g.a_col, 1, sums, g.M, false, nullptr, nullptr});
  if (!g.accumulate || g.bias_m || g.bias_n)
    store_bias<T>(g);
  for (int64_t i = 0; i < g.M; ++i)
    for (int64_t j = 0; j < g.N; ++j)
      static_cast<T *>(g.C)[i * g.ldc + j] += sums[j * g.M + i];
}

// An outer product: C is written row by row, as fast as memory takes it.
template <class T> bool is_outer(const Gemm &g) {
  return g.K == 1 && g.b_col == 1 && g.N >= 2 * Vec<T>::width && !g.accumulate && !g.bias_m && !g.bias_n;
}
template <class T> void run_outer(const Gemm &g) {
  constexpr int64_t kRows = 64; // per block
  const auto body = [](void *context, int64_t block) {
    const Gemm &p = *static_cast<const Gemm *>(context);
    const T *const b = static_cast<const T *>(p.B);
    for (int64_t i = block * kRows; i < least(p.M, (block + 1) * kRows); ++i) {
      const Vec<T> a(static_cast<const T *>(p.A)[i * p.a_row]);
      T *const c = static_cast<T *>(p.C) + i * p.ldc;
      for_vectors<T>(0, p.N, [&](int64_t j, int64_t lanes) {
        store_some(multiply_add(a, load_some(b + j, lanes), Vec<T>(T(0))), c + j, lanes);
      });
    }
  };
  Gemm job = g;
  parallel_for(ceil_div(g.M, kRows), double(g.M * g.N) * double(sizeof(T)) / 64, body, &job);
}

// Small results, which are activated as a whole; false: not this shape.
template <class T> bool run_small(const Gemm &g) {
  if (g.K <= 0) {
    store_bias<T>(g);
    return true;
  }
  if (Vec<T>::width >= 4 && g.K >= 2 * Vec<T>::width) {
    const T *A = static_cast<const T *>(g.A), *B = static_cast<const T *>(g.B);
    const T *bias_m = static_cast<const T *>(g.bias_m), *bias_n = static_cast<const T *>(g.bias_n);
    T *C = static_cast<T *>(g.C);
    const bool columns = columns_as_dots<T>(g);
    if (rows_as_dots<T>(g) && (g.M <= g.N || !columns)) {
      run_dots<T>({g.M, g.N, g.K, A, g.a_row, g.a_col, B, g.b_col, g.b_row, C, g.ldc, 1, g.accumulate, bias_m, bias_n});
      return true;
    }
    if (columns) {
      run_dots<T>({g.N, g.M, g.K, B, g.b_col, g.b_row, A, g.a_row, g.a_col, C, 1, g.ldc, g.accumulate, bias_n, bias_m});
      return true;
    }
  }
  if (!is_outer<T>(g) && !better_transposed<T>(g))
    return false;
  g.K == 1 ? run_outer<T>(g) : run_transposed<T>(g);
  return true;
}

template <class T> void gemm(const Gemm &g) {
  if (g.M <= 0 || g.N <= 0)
    return;
  if (run_small<T>(g))
    return activate<T>(g, 0, g.M, 0, g.N);
  if (!is_row_transposed(g))
    return run_product<T>(g);
  Gemm row = g;
  row.M = 1, row.N = row.ldc = g.M;
  row.A = g.B, row.a_row = g.b_col, row.a_col = g.b_row;
  row.B = g.A, row.b_row = g.a_col, row.b_col = g.a_row;
  row.bias_m = g.bias_n, row.bias_n = g.bias_m;
  run_product<T>(row);
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
  activate<uint64_t>(g, 0, g.M, 0, g.N);
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
      if (g.bias_n)
        one.bias_n = advance<T>(g.bias_n, item * g.bias_n_batch);
      if (g.activated)
        one.activated = const_cast<void *>(advance<T>(g.activated, item * c_batch));
      multiply(one);
    }
  };
  // The same B for all, rows of A and C evenly spaced over the batch: one taller product.
  if (b_batch == 0 && !g.bias_m && !g.bias_n_batch && a_batch == g.M * g.a_row && c_batch == g.M * g.ldc) {
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
  if (Vec<float>::width > 1) {
    table.gemm_packing = packing<float>;
    table.gemm_packed_bytes = packed_bytes<float>;
    table.gemm_pack = pack_ahead<float>;
  }
  table.gemm_batch[int(Compute::f32)] = gemm_batch<float, gemm<float>>;
  table.gemm_batch[int(Compute::f64)] = gemm_batch<double, gemm<double>>;
  table.gemm_batch[int(Compute::i64)] = table.gemm_batch[int(Compute::u64)] = gemm_batch<uint64_t, gemm_integer>;
}

} // namespace cinta::kernels::CINTA_ISA
