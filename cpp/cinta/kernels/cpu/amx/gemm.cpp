// float32 and bfloat16 products on the tile unit: when they pay, in how many parts, and what is done where parts would
// not be exact.
#include "cinta/kernels/cpu/amx/product.h"
#include "cinta/kernels/precision.h"

namespace cinta::kernels::amx {
namespace {

constexpr int64_t kLeastRange = 128; // a range of fewer rows or columns packs more than it multiplies
constexpr double kMultipliesPerNs = 0.15;

// Of the level below.
GemmFn fma_gemm;
GemmBatchFn fma_gemm_batch;
GemmPacking fma_packing;
GemmPackedBytes fma_packed_bytes;
GemmPack fma_pack;

// False: out of range, C is to be computed again. Threads say who computes a range, never how.
template <int parts, class Element = float> bool run_product(const Gemm &g, int64_t threads) {
  Product<parts, Element> p(g);
  p.row_ranges = p.column_ranges = 1;
  while (threads > 1 && p.row_ranges * p.column_ranges < 4 * threads) {
    const int64_t rows = g.M / p.row_ranges, columns = g.N / p.column_ranges;
    if ((rows < columns ? columns : rows) < 2 * kLeastRange)
      break;
    ++(rows < columns ? p.column_ranges : p.row_ranges);
  }
  const int64_t multiplies = ceil_div(g.M, kTileLanes) * ceil_div(g.N, kTileLanes) * p.k_blocks * kProducts[parts];
  const auto body = [](void *context, int64_t range) {
    RangeOfProduct<parts, Element>(*static_cast<Product<parts, Element> *>(context), range).run();
  };
  parallel_for(p.row_ranges * p.column_ranges, double(multiplies) / kMultipliesPerNs, body, &p);
  return in_range(p.largest_a, p.largest_b);
}

int parts_of(Precision precision, bool bfloat16) {
  return precision == Precision::strict    ? 0
         : bfloat16                        ? 1
         : precision == Precision::highest ? 3
         : precision == Precision::high    ? 2
                                           : 1;
}

// Short sums and few rows leave the tile unit nothing to win; packing takes operands with a contiguous side. Fewer rows
// will do where B's packing is shared, but three parts of 32 rows packed by a single product would lose a fifth to FMA.
bool pays(const Gemm &g, int parts) {
  const int64_t rows = parts < 3 && g.b_is_weight ? 12 : 33, size = parts < 3 ? 64 * 64 * 64 : 64 * 64 * 128;
  return (g.a_row == 1 || g.a_col == 1) && (g.b_row == 1 || g.b_col == 1) && g.M >= rows && g.N >= 32 && g.K >= 32 &&
         g.M * g.N * g.K >= size;
}

bool run_in_parts(const Gemm &g, int parts, int64_t threads) {
  if (g.accumulate &&
      !in_range(largest_of(g.A, g.M, g.K, g.a_row, g.a_col), largest_of(g.B, g.K, g.N, g.b_row, g.b_col)))
    return false; // looked at first: what is added to C cannot be taken back
  return parts == 3 ? run_product<3>(g, threads) : parts == 2 ? run_product<2>(g, threads) : run_product<1>(g, threads);
}

void gemm(const Gemm &g) {
  const int parts = parts_of(matmul_precision(), g.bfloat16);
  Gemm plain = g;
  if (parts && pays(g, parts)) {
    if (g.packed_b && g.packed_b->packing != Packing(parts))
      plain.packed_b = nullptr;
    if (run_in_parts(plain, parts, num_threads())) {
      count(matmul_paths().split);
      return;
    }
    count(matmul_paths().out_of_range);
  } else {
    count(matmul_paths().fma);
  }
  if (g.packed_b && g.packed_b->packing != Packing::panels)
    plain.packed_b = nullptr;
  fma_gemm(plain);
}

// Products of a batch, several to a block of work; one that is out of range goes by FMA alone.
struct Batch {
  const Gemm &g;
  int64_t size, a_batch, b_batch, c_batch, per_block;
  int parts;
  uint32_t out_of_range = 0;

  Gemm item(int64_t i) const {
    Gemm one = g;
    one.A = static_cast<const float *>(g.A) + i * a_batch;
    one.B = static_cast<const float *>(g.B) + i * b_batch;
    one.C = static_cast<float *>(g.C) + i * c_batch;
    if (g.bias_n)
      one.bias_n = static_cast<const float *>(g.bias_n) + i * g.bias_n_batch;
    return one;
  }
  static void run_block(void *context, int64_t block) {
    Batch &b = *static_cast<Batch *>(context);
    const int64_t end = least(b.size, (block + 1) * b.per_block);
    for (int64_t i = block * b.per_block; i < end; ++i) {
      const Gemm one = b.item(i);
      if (!run_in_parts(one, b.parts, 1)) {
        fma_gemm(one);
        raise(b.out_of_range, 1);
      }
    }
  }
};

constexpr double kBlockNs = 2e4, kSharedNs = 2e6; // work of a block; from here on a product's own ranges are shared out

void gemm_batch(const Gemm &g, int64_t batch, int64_t a_batch, int64_t b_batch, int64_t c_batch) {
  if (b_batch == 0 && !g.bias_m && !g.bias_n_batch && a_batch == g.M * g.a_row && c_batch == g.M * g.ldc) {
    Gemm tall = g; // the same B for all, rows of A and C evenly spaced over the batch
    tall.M *= batch;
    return gemm(tall);
  }
  const int parts = parts_of(matmul_precision(), g.bfloat16);
  if (!parts || !pays(g, parts)) {
    count(matmul_paths().fma);
    return fma_gemm_batch(g, batch, a_batch, b_batch, c_batch);
  }
  const double cost = double(g.M) * double(g.N) * double(g.K) / (kMultipliesPerNs * 16 * 16 * 32) * kProducts[parts];
  const int64_t per_block = 1 + int64_t(kBlockNs / cost);
  Batch work{g, batch, a_batch, b_batch, c_batch, per_block, parts};
  if (batch == 1 || (cost > kSharedNs && batch < 64)) {
    for (int64_t i = 0; i < batch; ++i)
      gemm(work.item(i));
    return;
  }
  parallel_for(ceil_div(batch, per_block), cost * double(batch), Batch::run_block, &work);
  count(work.out_of_range ? matmul_paths().out_of_range : matmul_paths().split);
}

Packing packing(const Gemm &g) {
  const int parts = parts_of(matmul_precision(), g.bfloat16);
  return parts && pays(g, parts) ? Packing(parts) : fma_packing ? fma_packing(g) : Packing::none;
}

size_t bytes_packed(const Gemm &g, Packing packing) {
  return packing == Packing::panels ? fma_packed_bytes(g, packing) : packed_bytes(g.K, g.N, int(packing));
}

void pack(const Gemm &g, Packing packing, PackedB *packed) {
  switch (packing) {
  case Packing::one_part:
    return pack_b<1>(g, packed);
  case Packing::two_parts:
    return pack_b<2>(g, packed);
  case Packing::three_parts:
    return pack_b<3>(g, packed);
  default:
    return fma_pack(g, packing, packed);
  }
}

// Infinities and nan go through tiles unharmed, denormals count as zero.
bool gemm_bfloat16(const Gemm &g) {
  if (!parts_of(matmul_precision(), true) || !pays(g, 1))
    return false;
  run_product<1, Bfloat16>(g, num_threads());
  count(matmul_paths().split);
  return true;
}

} // namespace

void fill_gemm(Table &table) {
  fma_gemm = table.gemm[int(Compute::f32)];
  fma_gemm_batch = table.gemm_batch[int(Compute::f32)];
  fma_packing = table.gemm_packing;
  fma_packed_bytes = table.gemm_packed_bytes;
  fma_pack = table.gemm_pack;
  table.gemm[int(Compute::f32)] = gemm;
  table.gemm_batch[int(Compute::f32)] = gemm_batch;
  table.gemm_packing = packing;
  table.gemm_packed_bytes = bytes_packed;
  table.gemm_pack = pack;
  table.gemm_bfloat16 = gemm_bfloat16;
}

} // namespace cinta::kernels::amx
