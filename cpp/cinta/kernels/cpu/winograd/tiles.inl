// Winograd's minimal filtering F(m, r): m outputs of r taps, of m + r - 1 pixels that meet the taps at as many points,
// where one product each does what m r do otherwise. Of one dimension, y = A'[(G w) * (B'x)]; a gradient is the adjoint
// of that: dw = G'[(A dy) * (B'x)]. Two dimensions have one each, F(1, 1) where the kernel has one row. Taps are never
// read from a pixel that they do not meet, so padding stays padding.
// S. Winograd, "Arithmetic complexity of computations", 1980; A. Lavin and S. Gray, "Fast algorithms for convolutional
// neural networks", 2016. The points 0, 1, -1, 1/2, -2 and infinity: B. Barabasz et al., "Error analysis and improving
// the accuracy of Winograd convolution for deep neural networks", 2020.

namespace cinta::kernels::CINTA_ISA {
namespace {

template <int kOutputs, int kTaps> struct Filtering;

template <> struct Filtering<1, 1> { // a product
  static constexpr int outputs = 1, taps = 1, points = 1;
  template <class V> CINTA_FN static void copy(const V (&from)[1], V (&to)[1]) { to[0] = from[0]; }
  template <class V> CINTA_FN static void pixels_to_points(const V (&x)[1], V (&p)[1]) { copy(x, p); }
  template <class V> CINTA_FN static void points_to_outputs(const V (&p)[1], V (&y)[1]) { copy(p, y); }
  template <class V> CINTA_FN static void weights_to_points(const V (&w)[1], V (&p)[1]) { copy(w, p); }
  template <class V> CINTA_FN static void outputs_to_points(const V (&y)[1], V (&p)[1]) { copy(y, p); }
  template <class V> CINTA_FN static void points_to_weights(const V (&p)[1], V (&w)[1]) { copy(p, w); }
};

template <> struct Filtering<2, 3> { // at 0, 1, -1 and infinity
  static constexpr int outputs = 2, taps = 3, points = 4;
  template <class V> CINTA_FN static void pixels_to_points(const V (&x)[points], V (&p)[points]) { // B'
    p[0] = x[0] - x[2];
    p[1] = x[1] + x[2];
    p[2] = x[2] - x[1];
    p[3] = x[1] - x[3];
  }
  template <class V> CINTA_FN static void points_to_outputs(const V (&p)[points], V (&y)[outputs]) { // A'
    y[0] = p[0] + (p[1] + p[2]);
    y[1] = (p[1] - p[2]) - p[3];
  }
  template <class V> CINTA_FN static void weights_to_points(const V (&w)[taps], V (&p)[points]) { // G
    const V half(0.5f), outer = w[0] + w[2];
    p[0] = w[0];
    p[1] = half * (outer + w[1]);
    p[2] = half * (outer - w[1]);
    p[3] = w[2];
  }
  template <class V> CINTA_FN static void outputs_to_points(const V (&y)[outputs], V (&p)[points]) { // A
    p[0] = y[0];
    p[1] = y[0] + y[1];
    p[2] = y[0] - y[1];
    p[3] = -y[1];
  }
  template <class V> CINTA_FN static void points_to_weights(const V (&p)[points], V (&w)[taps]) { // G'
    const V half(0.5f);
    w[0] = p[0] + half * (p[1] + p[2]);
    w[1] = half * (p[1] - p[2]);
    w[2] = half * (p[1] + p[2]) + p[3];
  }
};

// At 0, 1, -1, 1/2, -2 and infinity: what F(4, 3) and F(3, 4) share.
struct SixPoints {
  static constexpr int points = 6;
  template <class V> CINTA_FN static void pixels_to_points(const V (&x)[points], V (&p)[points]) {
    const V half(0.5f), more(1.5f), two(2.0f), even = x[4] - x[2], odd = x[3] - x[1];
    p[0] = fma(more, odd, fma(-two, x[2], x[0]) + x[4]);
    p[1] = fma(more, x[2] + x[3], even + odd);
    p[2] = fma(more, x[3] - x[2], even - odd);
    p[3] = fma(two, odd, even);
    p[4] = fma(-half, odd, even);
    p[5] = fma(more, even, fma(-two, x[3], x[1]) + x[5]);
  }
};

template <> struct Filtering<4, 3> : SixPoints {
  static constexpr int outputs = 4, taps = 3;
  template <class V> CINTA_FN static void points_to_outputs(const V (&p)[points], V (&y)[outputs]) {
    const V sum = p[1] + p[2], difference = p[1] - p[2];
    y[0] = (p[0] + sum) + (p[3] + p[4]);
    y[1] = fma(V(0.5f), p[3], fma(V(-2.0f), p[4], difference));
    y[2] = fma(V(0.25f), p[3], fma(V(4.0f), p[4], sum));
    y[3] = fma(V(0.125f), p[3], fma(V(-8.0f), p[4], difference)) + p[5];
  }
  template <class V> CINTA_FN static void weights_to_points(const V (&w)[taps], V (&p)[points]) {
    const V third(1 / 3.0f), outer = w[0] + w[2];
    p[0] = w[0];
    p[1] = third * (outer + w[1]);
    p[2] = third * (w[1] - outer);
    p[3] = V(-16 / 15.0f) * fma(V(0.25f), w[2], fma(V(0.5f), w[1], w[0]));
    p[4] = V(1 / 15.0f) * fma(V(4.0f), w[2], fma(V(-2.0f), w[1], w[0]));
    p[5] = w[2];
  }
  template <class V> CINTA_FN static void outputs_to_points(const V (&y)[outputs], V (&p)[points]) {
    const V even = y[0] + y[2], odd = y[1] + y[3];
    p[0] = y[0];
    p[1] = even + odd;
    p[2] = even - odd;
    p[3] = fma(V(0.125f), y[3], fma(V(0.25f), y[2], fma(V(0.5f), y[1], y[0])));
    p[4] = fma(V(-8.0f), y[3], fma(V(4.0f), y[2], fma(V(-2.0f), y[1], y[0])));
    p[5] = y[3];
  }
  template <class V> CINTA_FN static void points_to_weights(const V (&p)[points], V (&w)[taps]) {
    const V third(1 / 3.0f), sum = p[1] + p[2], difference = p[1] - p[2];
    const V half = V(-16 / 15.0f) * p[3], two = V(1 / 15.0f) * p[4];
    w[0] = fma(third, difference, p[0]) + (half + two);
    w[1] = fma(third, sum, fma(V(0.5f), half, V(-2.0f) * two));
    w[2] = fma(third, difference, fma(V(0.25f), half, V(4.0f) * two)) + p[5];
  }
};

template <> struct Filtering<3, 4> : SixPoints {
  static constexpr int outputs = 3, taps = 4;
  template <class V> CINTA_FN static void points_to_outputs(const V (&p)[points], V (&y)[outputs]) {
    const V sum = p[1] + p[2], difference = p[1] - p[2];
    y[0] = (p[0] + sum) + (p[3] + p[4]);
    y[1] = fma(V(0.5f), p[3], fma(V(-2.0f), p[4], difference));
    y[2] = fma(V(0.25f), p[3], fma(V(4.0f), p[4], sum)) + p[5];
  }
  template <class V> CINTA_FN static void weights_to_points(const V (&w)[taps], V (&p)[points]) {
    const V third(1 / 3.0f), even = w[0] + w[2], odd = w[1] + w[3];
    p[0] = w[0];
    p[1] = third * (even + odd);
    p[2] = third * (odd - even);
    p[3] = V(-16 / 15.0f) * fma(V(0.125f), w[3], fma(V(0.25f), w[2], fma(V(0.5f), w[1], w[0])));
    p[4] = V(1 / 15.0f) * fma(V(-8.0f), w[3], fma(V(4.0f), w[2], fma(V(-2.0f), w[1], w[0])));
    p[5] = w[3];
  }
};

// The transforms by what they take, of one dimension: `from` numbers a tile, the next one `step` further.
template <class F> struct PixelsToPoints {
  static constexpr int from = F::points, to = F::points, step = F::outputs;
  template <class V> CINTA_FN static void apply(const V (&x)[from], V (&p)[to]) { F::pixels_to_points(x, p); }
};
template <class F> struct OutputsToPoints {
  static constexpr int from = F::outputs, to = F::points, step = F::outputs;
  template <class V> CINTA_FN static void apply(const V (&y)[from], V (&p)[to]) { F::outputs_to_points(y, p); }
};
template <class F> struct PointsToOutputs {
  static constexpr int from = F::points, to = F::outputs;
  template <class V> CINTA_FN static void apply(const V (&p)[from], V (&y)[to]) { F::points_to_outputs(p, y); }
};
template <class F> struct WeightsToPoints {
  static constexpr int from = F::taps, to = F::points;
  template <class V> CINTA_FN static void apply(const V (&w)[from], V (&p)[to]) { F::weights_to_points(w, p); }
};
template <class F> struct PointsToWeights {
  static constexpr int from = F::points, to = F::taps;
  template <class V> CINTA_FN static void apply(const V (&p)[from], V (&w)[to]) { F::points_to_weights(p, w); }
};

// Along rows and then columns.
template <class Down, class Across, class V>
CINTA_FN void transform(const V (&from)[Down::from][Across::from], V (&to)[Down::to][Across::to]) {
  V half_way[Down::from][Across::to];
#pragma GCC unroll 6
  for (int i = 0; i < Down::from; ++i)
    Across::apply(from[i], half_way[i]);
#pragma GCC unroll 6
  for (int j = 0; j < Across::to; ++j) {
    V column[Down::from], result[Down::to];
#pragma GCC unroll 6
    for (int i = 0; i < Down::from; ++i)
      column[i] = half_way[i][j];
    Down::apply(column, result);
#pragma GCC unroll 6
    for (int i = 0; i < Down::to; ++i)
      to[i][j] = result[i];
  }
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
