// The product of every step, [rows of a block, K] by weights that stay the same: packed once into panels as wide as the
// rows leave registers for. An element's sum does not depend on what tile it is in, so threads may choose the blocks.
#pragma once
#include "cinta/kernels/cpu/gemm/micro.inl"
#include "cinta/kernels/cpu/gemm/pack.inl"

namespace cinta::kernels::CINTA_ISA {

template <class T> struct StepWeights {
  static constexpr int64_t W = Vec<T>::width;
  int64_t K, N, height, width; // height: most rows of a tile; width: columns of a panel
  T *panels = nullptr;         // [panel][k][width]

  CINTA_FN static int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b; }
  // For products of up to so many rows, which are cut into tiles of even height.
  CINTA_FN StepWeights(int64_t K, int64_t N, int64_t rows)
      : K(K), N(N), height(up(rows, up(rows, TileShape<T>::most_rows))), width(widest<T>(int(height)) * W) {}
  CINTA_FN int64_t elements() const { return K * up(N, width) * width; }

  // Element (k, n) of the operand lies at from[k * k_step + n * n_step].
  void pack(const T *from, int64_t k_step, int64_t n_step) const {
    const auto body = [](void *context, int64_t panel) {
      const Source &s = *static_cast<const Source *>(context);
      const StepWeights &w = *s.weights;
      const int64_t j = panel * w.width, present = w.N - j < w.width ? w.N - j : w.width;
      pack_strip(w.K, present, w.width, s.from + j * s.n_step, s.n_step, s.k_step, w.panels + j * w.K);
    };
    Source source{this, from, k_step, n_step};
    parallel_for(up(N, width), double(K * N) * 0.3, body, &source);
  }

  // c (+)= a B + bias, rows of a and c apart by lda and ldc
  CINTA_FN void multiply(int64_t rows, const T *a, int64_t lda, T *c, int64_t ldc, bool add, const T *bias) const {
    const int64_t tiles = up(rows, height), chain = chain_of(K);
    Tile<T> t;
    t.k = K, t.a_row = lda, t.a_col = 1, t.b_row = width, t.ldc = ldc, t.add = add;
    t.weave = nullptr, t.bias_m = nullptr;
    for (int64_t j = 0; j < N; j += width) {
      t.b = panels + j * K;
      t.bias_n = bias ? bias + j : nullptr;
      for (int64_t i = 0; i < tiles; ++i) {
        const int64_t first = rows * i / tiles, end = rows * (i + 1) / tiles;
        t.a = a + first * lda;
        t.c = c + first * ldc + j;
        run_tile(t, chain, end - first, N - j < width ? N - j : width);
      }
    }
  }

private:
  struct Source {
    const StepWeights *weights;
    const T *from;
    int64_t k_step, n_step;
  };
};

} // namespace cinta::kernels::CINTA_ISA
