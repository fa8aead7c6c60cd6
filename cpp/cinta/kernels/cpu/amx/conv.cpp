// float32 convolution on the tile unit, in every direction: when it pays, how the work is shared out, and the weights'
// panels.
#include "cinta/kernels/cpu/amx/conv_weight.h"
#include "cinta/kernels/cpu/amx/correlate.h"
#include "cinta/kernels/precision.h"

namespace cinta::kernels::amx {
namespace {

constexpr double kMultipliesPerNs = 0.15;

double lanes_used(int64_t n, int64_t of) { return double(n) / double(ceil_div(n, of) * of); }

// Of the level below.
Conv2dStridedFits fma_fits;
Conv2dStrided fma_conv2d;

// Whether enough of every tile is data: images are its rows, or what is summed over.
bool fills_tiles(const Conv2d &g, Direction direction) {
  const bool weights = direction == Direction::backward_weight;
  const double images = lanes_used(g.N, weights ? kTileDepth : kTileLanes);
  const double channels = weights ? lanes_used(g.C, kTileLanes) : lanes_used(g.C, kTileDepth);
  return matmul_precision() != Precision::strict && g.KH * g.KW <= kMostTaps &&
         images * channels * lanes_used(g.O, kTileLanes) >= 0.55;
}

// Work in ranges, cut by `rows` where weights are small and by `panels` where they are large.
void share(int64_t batches, int64_t rows, int64_t panels, bool large_weights, int64_t &row_ranges,
           int64_t &panel_ranges) {
  row_ranges = panel_ranges = 1;
  const int64_t wanted = num_threads() == 1 ? 1 : ceil_div(3 * num_threads(), batches);
  if (large_weights)
    panel_ranges = least(panels, wanted);
  else
    row_ranges = least(ceil_div(rows, 4), wanted);
}

template <int parts> struct PanelOfWeights { // packed once for all ranges
  const Weights &weights;
  char *to;
  uint32_t largest = 0;

  static void pack(void *context, int64_t panel) {
    PanelOfWeights &p = *static_cast<PanelOfWeights *>(context);
    PackWeights<parts> job(p.weights);
    job.begin(panel, panel + 1, p.to + panel * p.weights.template panel_bytes<parts>());
    job.finish();
    raise(p.largest, job.largest().bits());
  }
};

template <int parts>
bool correlate(const Conv2d &g, bool forward, const Images &from, const float *w, const float *bias, const Images &to) {
  const auto axis = forward ? forward_axis : backward_axis;
  Correlation<parts> c;
  c.x = from;
  c.y = to;
  c.N = g.N;
  c.C = forward ? g.C : g.O;
  c.O = forward ? g.O : g.C;
  c.rows = axis(g.H, g.OH, g.KH, g.stride_h, g.pad_h, g.dilation_h);
  c.columns = axis(g.W, g.OW, g.KW, g.stride_w, g.pad_w, g.dilation_w);
  c.bias = bias;
  const int64_t taps = g.KH * g.KW;
  c.weights = {w, taps, c.O, forward ? g.C * taps : taps, c.C, forward ? taps : g.C * taps};
  const int64_t bytes = c.weights.panels() * c.weights.template panel_bytes<parts>();
  c.packed = nullptr;
  if (bytes <= kPassBytes) {
    PanelOfWeights<parts> pack{c.weights, static_cast<char *>(scratch(Scratch::conv, size_t(bytes)))};
    parallel_for(c.weights.panels(), double(g.O * g.C * taps) / 3, PanelOfWeights<parts>::pack, &pack);
    c.packed = pack.to;
    c.largest_weight = pack.largest;
  }
  share(c.batches(), c.rows.out, c.weights.panels(), !c.packed, c.row_ranges, c.panel_ranges);
  const double multiplies =
      double(ceil_div(g.N, kTileLanes) * c.weights.blocks() * ceil_div(c.O, kTileLanes) * kProducts[parts]) *
      double(g.OH * g.OW * taps);
  const auto body = [](void *context, int64_t range) {
    CorrelationRange<parts>(*static_cast<Correlation<parts> *>(context), range).run();
  };
  parallel_for(c.ranges(), multiplies / kMultipliesPerNs, body, &c);
  return in_range(c.largest, c.largest_weight);
}

template <int parts> bool weight_gradient(const Conv2d &g, const Images &x, const Images &dy, float *dw) {
  WeightGradient<parts> v;
  v.x = x;
  v.dy = dy;
  v.dw = dw;
  v.N = g.N;
  v.C = g.C;
  v.O = g.O;
  v.rows = forward_axis(g.H, g.OH, g.KH, g.stride_h, g.pad_h, g.dilation_h);
  v.columns = forward_axis(g.W, g.OW, g.KW, g.stride_w, g.pad_w, g.dilation_w);
  const int64_t wanted = num_threads() == 1 ? 1 : 2 * num_threads();
  v.o_ranges = least(ceil_div(g.O, kPanelLanes), wanted);
  v.c_ranges = least(ceil_div(g.C, kPanelLanes), ceil_div(wanted, v.o_ranges));
  const double multiplies = double(ceil_div(g.N, kTileDepth) * ceil_div(g.O, kTileLanes) * ceil_div(g.C, kTileLanes)) *
                            double(kProducts[parts] * g.OH * g.OW * g.KH * g.KW);
  const auto body = [](void *context, int64_t range) {
    WeightGradientRange<parts>(*static_cast<WeightGradient<parts> *>(context), range).run();
  };
  parallel_for(v.o_ranges * v.c_ranges, multiplies / kMultipliesPerNs, body, &v);
  return in_range(v.largest_x, v.largest_dy);
}

template <int parts>
bool conv2d_in(const Conv2d &g, Direction direction, const Images &x, float *w, const float *bias, const Images &y) {
  if (direction == Direction::backward_weight)
    return weight_gradient<parts>(g, x, y, w);
  return direction == Direction::forward ? correlate<parts>(g, true, x, w, bias, y)
                                         : correlate<parts>(g, false, y, w, nullptr, x);
}

ResultOrder fits(const Conv2d &g, Direction direction) {
  return fills_tiles(g, direction) ? ResultOrder::channels_last : fma_fits(g, direction);
}

bool conv2d(const Conv2d &g, Direction direction, const Images &x, float *w, const float *bias, const Images &y) {
  if (!fills_tiles(g, direction))
    return fma_conv2d(g, direction, x, w, bias, y);
  const Precision precision = g.bfloat16 ? Precision::medium : matmul_precision(); // strict does not come here
  const bool done = precision == Precision::highest ? conv2d_in<3>(g, direction, x, w, bias, y)
                    : precision == Precision::high  ? conv2d_in<2>(g, direction, x, w, bias, y)
                                                    : conv2d_in<1>(g, direction, x, w, bias, y);
  count(done ? matmul_paths().split : matmul_paths().out_of_range);
  return done;
}

} // namespace

void fill_conv(Table &table) {
  fma_fits = table.conv2d_strided_fits;
  fma_conv2d = table.conv2d_strided;
  table.conv2d_strided_fits = fits;
  table.conv2d_strided = conv2d;
}

} // namespace cinta::kernels::amx
