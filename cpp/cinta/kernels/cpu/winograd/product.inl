// The products at the points: matrices of tiles and channels, multiplied by gemm's micro-kernels. Their sums are kept
// short and added up in memory that is near: what the transforms lose in accuracy, that wins back.
#include "cinta/kernels/cpu/gemm/micro.inl"

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int kPanelVectors = Vec<float>::width == 16 ? 4 : 2; // of a panel of B

// Where part i of n begins.
constexpr int64_t part_of(int64_t n, int64_t parts, int64_t i) { return n * i / parts; }

// Vectors in panels of at most kPanelVectors, evenly.
struct Panels {
  int64_t vectors, count;
  explicit Panels(int64_t channels)
      : vectors(ceil_div(channels, Vec<float>::width)), count(ceil_div(vectors, kPanelVectors)) {}
  int64_t begin(int64_t panel) const { return part_of(vectors, count, panel); } // in vectors
};

// The tallest micro-kernel of so many vectors.
constexpr int64_t strip_rows(int64_t vectors) {
  const int64_t rows = (TileShape<float>::registers - 1) / vectors - 1;
  return rows < TileShape<float>::most_rows ? rows : TileShape<float>::most_rows;
}

// For B packed as panels of the widest kind.
template <int MR = int(strip_rows(kPanelVectors))> MicroKernel<float> panel_kernel(int64_t rows) {
  if constexpr (MR == 1)
    return micro_kernel<float, 1, kPanelVectors, false, ReadB::panel>;
  else
    return rows == MR ? micro_kernel<float, MR, kPanelVectors, false, ReadB::panel> : panel_kernel<MR - 1>(rows);
}

struct Operand {
  const float *data;
  int64_t row, column; // strides
};

// How products are added up: so many to a chain, the chains of so many products to a group, the groups to the total.
struct Sums {
  int64_t chain, group;
};

// C[rows, vectors] = or += A[rows, k] B[k, vectors]: for groups of k, for strips of rows, for the chains of a group.
inline void multiply(const Sums &sums, const Operand &a, const float *b, int64_t b_row, float *c, int64_t ldc,
                     int64_t rows, int64_t vectors, int64_t k, bool add) {
  using V = Vec<float>;
  constexpr int64_t W = V::width;
  static constexpr MicroKernels<float> kernels = micro_kernels<float>();
  const bool panel = vectors == kPanelVectors && b_row == vectors * W;
  const int64_t strips = ceil_div(rows, strip_rows(vectors)), groups = ceil_div(k, sums.group);
  alignas(64) float of_group[TileShape<float>::most_rows * kPanelVectors * W];
  Tile<float> t{};
  t.a_row = a.row, t.a_col = a.column, t.b_row = b_row;
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t first = part_of(k, groups, group), depth = part_of(k, groups, group + 1) - first;
    const bool joins = add || group > 0;
    const int64_t chains = ceil_div(depth, sums.chain);
    for (int64_t strip = 0; strip < strips; ++strip) {
      const int64_t row = part_of(rows, strips, strip), height = part_of(rows, strips, strip + 1) - row;
      float *const to = c + row * ldc;
      t.c = joins ? of_group : to;
      t.ldc = joins ? vectors * W : ldc;
      for (int64_t chain = 0, begin = first, end; chain < chains; ++chain, begin = end) {
        end = first + part_of(depth, chains, chain + 1);
        t.k = end - begin;
        t.a = a.data + row * a.row + begin * a.column;
        t.b = b + begin * b_row;
        t.add = chain > 0;
        (panel ? panel_kernel(height) : kernels.of[height - 1][vectors - 1][0])(t);
      }
      if (joins)
        for (int64_t i = 0; i < height; ++i)
          for (int64_t j = 0; j < vectors * W; j += W)
            (V::load(to + i * ldc + j) + V::load(of_group + i * vectors * W + j)).store(to + i * ldc + j);
    }
  }
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
