// Winograd's minimal filtering F(2x2, 3x3): a tile of 4x4 pixels and 3x3 weights meet at 16 points, where one product
// each does what 36 do otherwise. Of one dimension, y = A'[(G w) * (B'x)]; a gradient is the adjoint of that:
// dw = G'[(A dy) * (B'x)]. Taps are never read from a pixel that they do not meet, so padding stays padding.
// S. Winograd, "Arithmetic complexity of computations", 1980; A. Lavin and S. Gray, "Fast algorithms for convolutional
// neural networks", 2016.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int kPoints = 4; // of one dimension
constexpr int kTileOutputs = 2, kTileTaps = 3;

struct PixelsToPoints { // B'
  static constexpr int from = 4, to = kPoints;
  template <class V> CINTA_FN static void apply(const V (&x)[from], V (&p)[to]) {
    p[0] = x[0] - x[2];
    p[1] = x[1] + x[2];
    p[2] = x[2] - x[1];
    p[3] = x[1] - x[3];
  }
};

struct PointsToOutputs { // A'
  static constexpr int from = kPoints, to = kTileOutputs;
  template <class V> CINTA_FN static void apply(const V (&p)[from], V (&y)[to]) {
    y[0] = p[0] + (p[1] + p[2]);
    y[1] = (p[1] - p[2]) - p[3];
  }
};

struct WeightsToPoints { // G
  static constexpr int from = kTileTaps, to = kPoints;
  template <class V> CINTA_FN static void apply(const V (&w)[from], V (&p)[to]) {
    const V half(0.5f), outer = w[0] + w[2];
    p[0] = w[0];
    p[1] = half * (outer + w[1]);
    p[2] = half * (outer - w[1]);
    p[3] = w[2];
  }
};

struct OutputsToPoints { // A
  static constexpr int from = kTileOutputs, to = kPoints;
  template <class V> CINTA_FN static void apply(const V (&y)[from], V (&p)[to]) {
    p[0] = y[0];
    p[1] = y[0] + y[1];
    p[2] = y[0] - y[1];
    p[3] = -y[1];
  }
};

struct PointsToWeights { // G'
  static constexpr int from = kPoints, to = kTileTaps;
  template <class V> CINTA_FN static void apply(const V (&p)[from], V (&w)[to]) {
    const V half(0.5f);
    w[0] = p[0] + half * (p[1] + p[2]);
    w[1] = half * (p[1] - p[2]);
    w[2] = half * (p[1] + p[2]) + p[3];
  }
};

// Along rows and columns: to = F from F'.
template <class F, class V> CINTA_FN void transform(const V (&from)[F::from][F::from], V (&to)[F::to][F::to]) {
  V half_way[F::from][F::to];
#pragma GCC unroll 4
  for (int i = 0; i < F::from; ++i)
    F::apply(from[i], half_way[i]);
#pragma GCC unroll 4
  for (int j = 0; j < F::to; ++j) {
    V column[F::from], result[F::to];
#pragma GCC unroll 4
    for (int i = 0; i < F::from; ++i)
      column[i] = half_way[i][j];
    F::apply(column, result);
#pragma GCC unroll 4
    for (int i = 0; i < F::to; ++i)
      to[i][j] = result[i];
  }
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
