// B packed ahead into the panels that tiles read, for products of few rows: to them packing costs a third of the time.
#pragma once
#include "cinta/kernels/cpu/gemm/product.inl"

namespace cinta::kernels::CINTA_ISA {

constexpr int64_t kMostRowsAhead = 256; // more rows hide the packing of a call
constexpr int64_t kPanelsAtOnce = 4;

// Only where tiles, and so the bits, are the same without. Rows of B that are contiguous are as well read in place.
template <class T> Packing packing(const Gemm &g) {
  constexpr int64_t W = Vec<T>::width, most_rows = TileShape<T>::most_rows;
  const int64_t rows = W > most_rows ? W : most_rows; // up to here panels are wider, or sums are dot products
  const bool pays = g.M > rows && g.M <= kMostRowsAhead && g.N >= 2 * W && g.K * g.N >= 64 * 64;
  return pays && g.a_col == 1 && g.b_col != 1 ? Packing::panels : Packing::none;
}

template <class T> size_t packed_bytes(const Gemm &g, Packing) {
  constexpr int64_t W = Vec<T>::width;
  return sizeof(PackedB) + size_t(g.K * ceil_div(g.N, W) * W) * sizeof(T);
}

template <class T> void pack_ahead(const Gemm &g, Packing packing, PackedB *packed) {
  *packed = {packing, 0, g.K, g.N};
  Product<T> p;
  p.g = &g;
  p.packed = packed;
  p.panels = ceil_div(ceil_div(g.N, Vec<T>::width), panel_vectors<T>(g.N));
  p.i0 = p.k0 = 0;
  p.depth = g.K;
  p.k_parts = ceil_div(g.K, Blocking<T>::KC);
  const auto body = [](void *context, int64_t block) {
    const Product<T> &p = *static_cast<const Product<T> *>(context);
    const int64_t groups = ceil_div(p.panels, kPanelsAtOnce), part = block / groups;
    const int64_t begin = block % groups * kPanelsAtOnce, end = least(p.panels, begin + kPanelsAtOnce);
    const int64_t j = p.column(begin);
    pack_neighbours(
        begin, end, [&](int64_t panel) { return p.column(panel); }, p.g->N, p.k(part + 1) - p.k(part), p.b_at(part, j),
        p.g->b_col, p.g->b_row, const_cast<T *>(p.ahead(part, j)));
  };
  parallel_for(p.k_parts * ceil_div(p.panels, kPanelsAtOnce), double(g.K) * double(g.N) * 0.3, body, &p);
}

} // namespace cinta::kernels::CINTA_ISA
