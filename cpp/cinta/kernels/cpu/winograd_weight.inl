// dw = x correlated with dy: runs of tiles of both go to their points, where their products are summed over all tiles;
// the sums come back as weights once, at the end.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int64_t kRunFloats = 1 << 18; // of points of pixels and gradients in a run of tiles
constexpr int64_t kShortestRun = 128;   // of tiles: sums come from far away where there are many of them

struct WeightSum {
  Sized x, dy;
  int64_t N, pad_h, pad_w;
  float *dw;
  Panels panels;                      // of dy's channels
  int64_t tile_rows, tile_columns;    // of an image
  int64_t run_begin = 0, run_end = 0; // rows of tiles under way
  float *pixels = nullptr, *gradients = nullptr, *sums = nullptr;
  PointStrides x_strides{}, dy_strides{};
  int64_t sums_point = 0; // floats between points of the sums, [point][panel][C][lanes]
  uint32_t largest_x = 0, largest_dy = 0;
};

// Row of tiles number block / 2 of the run: of x or of dy.
inline void run_to_points(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  WeightSum &job = *static_cast<WeightSum *>(context);
  const int64_t i = block / 2, row = job.run_begin + i, n = row / job.tile_rows, top = row % job.tile_rows * 2;
  float *rows =
      static_cast<float *>(scratch(Scratch::conv, sizeof(float) * size_t(4 * (2 * job.tile_columns + 2) * W)));
  Largest largest;
  if (block % 2 == 0) {
    row_to_points<PixelsToPoints>(job.x, n, top - job.pad_h, -job.pad_w, job.tile_columns, rows,
                                  job.pixels + i * job.tile_columns * job.x_strides.tile, job.x_strides, largest);
    largest.raise(job.largest_x);
  } else {
    row_to_points<OutputsToPoints>(job.dy, n, top, 0, job.tile_columns, rows,
                                   job.gradients + i * job.tile_columns * job.dy_strides.tile, job.dy_strides, largest);
    largest.raise(job.largest_dy);
  }
}

inline void sum_run(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  WeightSum &job = *static_cast<WeightSum *>(context);
  const int64_t p = block / job.panels.count, panel = block % job.panels.count;
  const int64_t at = job.panels.begin(panel), width = job.panels.begin(panel + 1) - at, C = job.x.C;
  const int64_t tiles = (job.run_end - job.run_begin) * job.tile_columns, height = strip_rows(width);
  for (int64_t c = 0; c < C; c += height) // all tiles for a strip: its sums stay near
    multiply({job.pixels + p * job.x_strides.point + c, 1, job.x_strides.tile},
             job.gradients + p * job.dy_strides.point + at * W, job.dy_strides.tile,
             job.sums + p * job.sums_point + (at * C + c * width) * W, width * W, at_most(height, C - c), width, tiles,
             job.run_begin > 0);
}

// The weights of a vector of output channels.
inline void points_to_weights(void *context, int64_t vector) {
  using V = Vec<float>;
  constexpr int W = V::width, kTaps = kTileTaps * kTileTaps;
  const WeightSum &job = *static_cast<const WeightSum *>(context);
  int64_t panel = 0;
  while (job.panels.begin(panel + 1) <= vector)
    ++panel;
  const int64_t at = job.panels.begin(panel), lanes = (job.panels.begin(panel + 1) - at) * W, C = job.x.C;
  const float *from = job.sums + at * W * C + (vector - at) * W;
  alignas(64) float taps[W * kTaps * W];
  for (int64_t c = 0; c < C; c += W) {
    const int64_t channels = at_most(W, C - c);
    for (int64_t l = 0; l < channels; ++l) {
      V p[kPoints][kPoints], w[kTileTaps][kTileTaps];
      for (int i = 0; i < kPoints * kPoints; ++i)
        p[i / kPoints][i % kPoints] = V::load(from + i * job.sums_point + (c + l) * lanes);
      transform<PointsToWeights>(p, w);
      for (int i = 0; i < kTaps; ++i)
        w[i / kTileTaps][i % kTileTaps].store(taps + (l * kTaps + i) * W);
    }
    transpose_floats(at_most(W, job.dy.C - vector * W), channels * kTaps, taps, W,
                     job.dw + (vector * W * C + c) * kTaps, C * kTaps);
  }
}

inline bool sum_weights(WeightSum &job) {
  constexpr int W = Vec<float>::width;
  constexpr int64_t points = kPoints * kPoints;
  const int64_t C = job.x.C, lanes = job.panels.vectors * W, rows = job.N * job.tile_rows;
  const int64_t tiles = at_least(kShortestRun, kRunFloats / (points * (C + lanes)));
  const int64_t run = at_most(rows, ceil_div(tiles, job.tile_columns)), most = run * job.tile_columns;
  job.x_strides.tile = odd_lines(C), job.dy_strides.tile = odd_lines(lanes);
  job.x_strides.point = odd_lines(most * job.x_strides.tile),
  job.dy_strides.point = odd_lines(most * job.dy_strides.tile);
  job.sums_point = odd_lines(C * lanes);
  job.pixels = static_cast<float *>(
      scratch(Scratch::pack_a, sizeof(float) * size_t(points * (job.x_strides.point + job.dy_strides.point))));
  job.gradients = job.pixels + points * job.x_strides.point;
  job.sums = static_cast<float *>(scratch(Scratch::pack_b, sizeof(float) * size_t(points * job.sums_point)));
  const double products = double(points * C * lanes);
  for (job.run_begin = 0; job.run_begin < rows; job.run_begin = job.run_end) {
    job.run_end = at_most(rows, job.run_begin + run);
    const double count = double((job.run_end - job.run_begin) * job.tile_columns);
    parallel_for(2 * (job.run_end - job.run_begin), count * double(C + lanes) / 2, run_to_points, &job);
    parallel_for(points * job.panels.count, products * count / (3.5 * W), sum_run, &job);
  }
  parallel_for(job.panels.vectors, products / 8, points_to_weights, &job);
  return in_range(job.largest_x, job.largest_dy);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
