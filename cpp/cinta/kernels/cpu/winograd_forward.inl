// y = x correlated with w, and dx = dy correlated with w turned round: bands of rows of tiles go to their points, meet
// the weights there, and come back, before the next band.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int64_t kBandFloats = 3 << 16; // of points of pixels and outputs: in L2
constexpr int64_t kLeastTiles = 64;      // of a band: weights come from far away where there are many of them
constexpr int64_t kWeightChannels = 32;  // of a block of weights on its way to the points

struct Correlation {
  Sized x, y;
  int64_t N, pad_h, pad_w;
  const float *w, *bias;
  int64_t w_out, w_in; // strides between output and input channels; taps are contiguous
  bool flip;
  Panels panels;
  int64_t tile_rows, tile_columns; // of an image
  int64_t band = 0, splits = 0;    // rows of tiles of a block; blocks that share a band, each with its panels
  float *points = nullptr;         // of the weights: [point][panel][input channel][output channel]
  int64_t point = 0;               // floats from one point to the next
  uint32_t largest_x = 0, largest_w = 0;

  float *panel_points(int64_t panel) const { return points + panels.begin(panel) * Vec<float>::width * x.C; }
};

inline void weights_to_points(void *context, int64_t block) {
  using V = Vec<float>;
  constexpr int W = V::width, kTaps = kTileTaps * kTileTaps;
  Correlation &job = *static_cast<Correlation *>(context);
  const int64_t chunks = ceil_div(job.x.C, kWeightChannels), panel = block / chunks, first = job.panels.begin(panel);
  const int64_t begin = block % chunks * kWeightChannels, end = at_most(job.x.C, begin + kWeightChannels);
  const int64_t lanes = (job.panels.begin(panel + 1) - first) * W;
  alignas(64) float taps[kTaps * W] = {};
  Largest largest;
  for (int64_t v = 0; v < lanes; v += W) {
    const int64_t o = first * W + v;
    for (int64_t c = begin; c < end; ++c) {
      transpose_floats(kTaps, at_most(W, job.y.C - o), job.w + o * job.w_out + c * job.w_in, job.w_out,
                       job.flip ? taps + (kTaps - 1) * W : taps, job.flip ? -W : W);
      V w[kTileTaps][kTileTaps], p[kPoints][kPoints];
      for (int i = 0; i < kTaps; ++i) {
        w[i / kTileTaps][i % kTileTaps] = V::load(taps + i * W);
        largest.see(w[i / kTileTaps][i % kTileTaps]);
      }
      transform<WeightsToPoints>(w, p);
      float *to = job.panel_points(panel) + c * lanes + v;
      for (int i = 0; i < kPoints * kPoints; ++i)
        p[i / kPoints][i % kPoints].store(to + i * job.point);
    }
  }
  largest.raise(job.largest_w);
}

inline void correlate_band(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  Correlation &job = *static_cast<Correlation *>(context);
  const int64_t begin = block / job.splits * job.band, end = at_most(job.N * job.tile_rows, begin + job.band);
  const int64_t split = block % job.splits, first_panel = part_of(job.panels.count, job.splits, split),
                last_panel = part_of(job.panels.count, job.splits, split + 1);
  const int64_t first = job.panels.begin(first_panel), vectors = job.panels.begin(last_panel) - first;
  const int64_t tiles = (end - begin) * job.tile_columns;
  const int64_t x_tile = odd_lines(job.x.C);
  const PointStrides from{odd_lines(tiles * x_tile), x_tile};
  const int64_t sums_point = odd_lines(tiles * vectors * W);
  const int64_t rows_floats = at_least(4 * (2 * job.tile_columns + 2) * W, 2 * job.y.W * kPanelVectors * W);
  float *pixels = static_cast<float *>(
      scratch(Scratch::conv, sizeof(float) * size_t(kPoints * kPoints * (from.point + sums_point) + rows_floats)));
  float *sums = pixels + kPoints * kPoints * from.point, *rows = sums + kPoints * kPoints * sums_point;
  Largest largest;
  for (int64_t row = begin; row < end; ++row)
    row_to_points<PixelsToPoints>(job.x, row / job.tile_rows, row % job.tile_rows * 2 - job.pad_h, -job.pad_w,
                                  job.tile_columns, rows, pixels + (row - begin) * job.tile_columns * from.tile, from,
                                  largest);
  largest.raise(job.largest_x);
  for (int64_t p = 0; p < kPoints * kPoints; ++p)
    for (int64_t panel = first_panel; panel < last_panel; ++panel) {
      const int64_t at = job.panels.begin(panel), width = job.panels.begin(panel + 1) - at;
      multiply({pixels + p * from.point, from.tile, 1}, job.panel_points(panel) + p * job.point, width * W,
               sums + p * sums_point + (at - first) * W * tiles, width * W, tiles, width, job.x.C, false);
    }
  for (int64_t row = begin; row < end; ++row)
    for (int64_t panel = first_panel; panel < last_panel; ++panel) {
      const int64_t at = job.panels.begin(panel), width = job.panels.begin(panel + 1) - at;
      points_to_row(sums + ((at - first) * tiles + (row - begin) * job.tile_columns * width) * W,
                    {sums_point, width * W}, job.tile_columns, job.y, row / job.tile_rows, row % job.tile_rows * 2,
                    at * W, width, job.bias, rows);
    }
}

inline bool correlate(Correlation &job) {
  constexpr int W = Vec<float>::width;
  const int64_t C = job.x.C, rows = job.N * job.tile_rows;
  job.point = odd_lines(job.panels.vectors * W * C);
  job.points = static_cast<float *>(scratch(Scratch::pack_b, sizeof(float) * size_t(kPoints * kPoints * job.point)));
  const double products = double(kPoints * kPoints * C * job.panels.vectors * W);
  parallel_for(job.panels.count * ceil_div(C, kWeightChannels), products / 8, weights_to_points, &job);
  const int64_t tiles = at_least(kLeastTiles, kBandFloats / (kPoints * kPoints * (C + job.panels.vectors * W)));
  job.band = at_most(rows, ceil_div(tiles, job.tile_columns));
  // Shared out so that every thread has a few blocks: who computes what has no part in the result.
  const int64_t bands = ceil_div(rows, job.band), wanted = num_threads() == 1 ? 1 : 4 * num_threads();
  job.splits = at_most(job.panels.count, ceil_div(wanted, bands));
  parallel_for(bands * job.splits, products * double(rows * job.tile_columns) / (3.5 * W), correlate_band, &job);
  return in_range(job.largest_x, job.largest_w);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
