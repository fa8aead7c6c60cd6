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
GemmPacking fma_packing;
GemmPackedBytes fma_packed_bytes;
GemmPack fma_pack;

// False: out of range, C is to be computed again.
template <int parts, class Element = float> bool run_product(const Gemm &g) {
  Product<parts, Element> p(g);
  p.row_ranges = p.column_ranges = 1;
  const int64_t threads = num_threads(); // they say who computes a range, never how
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

// Short sums and few rows leave the tile unit nothing to win; packing takes operands with a contiguous side.
bool pays(const Gemm &g) {
  return (g.a_row == 1 || g.a_col == 1) && (g.b_row == 1 || g.b_col == 1) && g.M > 32 && g.N >= 32 && g.K >= 32 &&
         g.M * g.N * g.K >= 64 * 64 * 64;
}

bool run_in_parts(const Gemm &g, int parts) {
  if (g.accumulate &&
      !in_range(largest_of(g.A, g.M, g.K, g.a_row, g.a_col), largest_of(g.B, g.K, g.N, g.b_row, g.b_col)))
    return false; // looked at first: what is added to C cannot be taken back
  return parts == 3 ? run_product<3>(g) : parts == 2 ? run_product<2>(g) : run_product<1>(g);
}

void gemm(const Gemm &g) {
  const int parts = parts_of(matmul_precision(), g.bfloat16);
  Gemm plain = g;
  if (parts && pays(g)) {
    if (g.packed_b && g.packed_b->packing != Packing(parts))
      plain.packed_b = nullptr;
    if (run_in_parts(plain, parts)) {
      ++matmul_paths().split;
      return;
    }
    ++matmul_paths().out_of_range;
  } else {
    ++matmul_paths().fma;
  }
  if (g.packed_b && g.packed_b->packing != Packing::panels)
    plain.packed_b = nullptr;
  fma_gemm(plain);
}

Packing packing(const Gemm &g) {
  const int parts = parts_of(matmul_precision(), g.bfloat16);
  return parts && pays(g) ? Packing(parts) : fma_packing ? fma_packing(g) : Packing::none;
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
  if (!parts_of(matmul_precision(), true) || !pays(g))
    return false;
  run_product<1, Bfloat16>(g);
  ++matmul_paths().split;
  return true;
}

} // namespace

void fill_gemm(Table &table) {
  fma_gemm = table.gemm[int(Compute::f32)];
  fma_packing = table.gemm_packing;
  fma_packed_bytes = table.gemm_packed_bytes;
  fma_pack = table.gemm_pack;
  table.gemm[int(Compute::f32)] = gemm;
  table.gemm_packing = packing;
  table.gemm_packed_bytes = bytes_packed;
  table.gemm_pack = pack;
  table.gemm_bfloat16 = gemm_bfloat16;
}

} // namespace cinta::kernels::amx
