// dw = x correlated with dy: runs of tiles of both go to their points, where their products are summed over all tiles;
// the sums come back as weights once, at the end. Many tiles are summed in parts, each by one thread from end to end:
// what it brings to the points stays in its cache. The parts depend on the shape only and are added in their order.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int64_t kRunFloats = 1 << 18; // of points of pixels and gradients in a run of tiles
constexpr int64_t kShortestRun = 128;   // of tiles: sums come from far away where there are many of them

constexpr Sums kWeightSums{32, 128};

template <class Down, class Across> struct WeightSum {
  static constexpr int points = Down::points * Across::points;
  Sized x, dy;
  int64_t N, pad_h, pad_w;
  float *dw;
  KernelBlocks<Down, Across> kernel;
  Panels panels;                                      // of dy's channels
  int64_t tile_rows, tile_columns;                    // of an image
  int64_t part_begin = 0, run_begin = 0, run_end = 0; // rows of tiles: where a part begins, what is under way
  int64_t parts = 1;
  float *pixels = nullptr, *gradients = nullptr, *sums = nullptr;
  PointStrides x_strides{}, dy_strides{};
  uint32_t largest_x = 0, largest_dy = 0;
  int refused = 0; // a part's first run was out of range: nothing more is computed

  int64_t lanes(int64_t panel) const { return (panels.begin(panel + 1) - panels.begin(panel)) * Vec<float>::width; }
  int64_t sums_before(int64_t panel) const { // [panel][point][input channel][lanes]
    return points * kernel.depth() * panels.begin(panel) * Vec<float>::width;
  }
};

// Some rows of tiles of the run: of x in an even block, of dy in an odd one.
template <class Down, class Across> void run_to_points(void *context, int64_t block) {
  using X = PixelsToPoints<Across>;
  using DY = OutputsToPoints<Across>;
  WeightSum<Down, Across> &job = *static_cast<WeightSum<Down, Across> *>(context);
  const int64_t i = block / 2 * kRowsAtOnce, begin = job.run_begin + i;
  const int64_t end = at_most(job.run_end, begin + kRowsAtOnce), tile = i * job.tile_columns;
  float *ring = static_cast<float *>(
      scratch(Scratch::conv, sizeof(float) * size_t(ring_floats<PixelsToPoints<Down>, X>(job.tile_columns))));
  Largest largest;
  if (block % 2 == 0) {
    for (int64_t b = 0; b < job.kernel.count(); ++b) {
      const int64_t top = job.kernel.top(b) - job.pad_h, left = job.kernel.left(b) - job.pad_w;
      rows_to_points<PixelsToPoints<Down>, X>(job.x, {begin, end, job.tile_rows, job.tile_columns, top, left}, ring,
                                              job.pixels + tile * job.x_strides.tile + b * job.kernel.channels,
                                              job.x_strides, largest);
    }
    largest.raise(job.largest_x);
  } else {
    const TileRows rows{begin, end, job.tile_rows, job.tile_columns, 0, 0};
    rows_to_points<OutputsToPoints<Down>, DY>(job.dy, rows, ring, job.gradients + tile * job.dy_strides.tile,
                                              job.dy_strides, largest);
    largest.raise(job.largest_dy);
  }
}

// Adds the sums over the run at point p for a panel.
template <class Down, class Across>
void sum_panel(const WeightSum<Down, Across> &job, int64_t p, int64_t panel, float *sums) {
  constexpr int64_t W = Vec<float>::width;
  const int64_t lanes = job.lanes(panel), depth = job.kernel.depth(), height = strip_rows(lanes / W);
  const int64_t tiles = (job.run_end - job.run_begin) * job.tile_columns;
  job.kernel.at_point(p, [&](int64_t first, int64_t channels, int) {
    for (int64_t c = first; c < first + channels; c += height) // all tiles for a strip: its sums stay near
      multiply(kWeightSums, {job.pixels + p * job.x_strides.point + c, 1, job.x_strides.tile},
               job.gradients + p * job.dy_strides.point + job.panels.begin(panel) * W, job.dy_strides.tile,
               sums + (p * depth + c) * lanes, lanes, at_most(height, first + channels - c), lanes / W, tiles,
               job.run_begin > job.part_begin);
  });
}

template <class Down, class Across> void sum_run(void *context, int64_t block) {
  const auto &job = *static_cast<const WeightSum<Down, Across> *>(context);
  const int64_t panel = block / job.points;
  sum_panel(job, block % job.points, panel, job.sums + job.sums_before(panel));
}

// The sums of a panel back to weights.
template <class Down, class Across>
void points_to_weights(const WeightSum<Down, Across> &job, int64_t panel, const float *sums) {
  using V = Vec<float>;
  constexpr int W = V::width;
  const KernelBlocks<Down, Across> &k = job.kernel;
  const int64_t lanes = job.lanes(panel), C = job.x.C, taps = k.taps(), at_once = kTapRows / taps;
  const BlockTaps<Down, Across> blocks(k);
  alignas(64) float transposed[kTapRows * W];
  for (int64_t v = 0; v < lanes; v += W)
    for (int64_t c = 0; c < C; c += at_once) {
      const int64_t channels = at_most(at_once, C - c), o = job.panels.begin(panel) * W + v;
      for (int64_t l = 0; l < channels; ++l)
        for (int64_t block = 0; block < k.count(); ++block) {
          const float *from = sums + (block * k.channels + c + l) * lanes + v;
          V p[Down::points][Across::points], w[Down::taps][Across::taps];
          for (int i = 0; i < k.points; ++i)
            p[i / Across::points][i % Across::points] =
                blocks.empty_at(block, i) ? V(0.0f) : V::load(from + i * k.depth() * lanes);
          transform<PointsToWeights<Down>, PointsToWeights<Across>>(p, w);
          blocks.store(block, w, transposed + l * taps * W);
        }
      transpose_floats(at_most(W, job.dy.C - o), channels * taps, transposed, W, job.dw + (o * C + c) * taps, C * taps);
    }
}

template <class Down, class Across> void weights_of_panel(void *context, int64_t panel) {
  const auto &job = *static_cast<const WeightSum<Down, Across> *>(context);
  constexpr int W = Vec<float>::width;
  float *sums = job.sums + job.sums_before(panel);
  const int64_t size = job.sums_before(panel + 1) - job.sums_before(panel), all = job.sums_before(job.panels.count);
  for (int64_t part = 1; part < job.parts; ++part)
    for (int64_t i = 0; i < size; i += W)
      (Vec<float>::load(sums + i) + Vec<float>::load(sums + part * all + i)).store(sums + i);
  points_to_weights(job, panel, sums);
}

// Where one run is all: the sums of a panel go back as soon as they are there.
template <class Down, class Across> void sum_and_weights_of_panel(void *context, int64_t panel) {
  const auto &job = *static_cast<const WeightSum<Down, Across> *>(context);
  float *sums = static_cast<float *>(
      scratch(Scratch::conv, sizeof(float) * size_t(job.points * job.kernel.depth() * job.lanes(panel))));
  for (int64_t p = 0; p < job.points; ++p)
    sum_panel(job, p, panel, sums);
  points_to_weights(job, panel, sums);
}

constexpr int64_t kMostParts = 8;

template <class Down, class Across>
void place_run(WeightSum<Down, Across> &job) { // its pixels and gradients at their points: in this thread's scratch
  constexpr int64_t points = WeightSum<Down, Across>::points;
  job.pixels = static_cast<float *>(
      scratch(Scratch::pack_a, sizeof(float) * size_t(points * (job.x_strides.point + job.dy_strides.point))));
  job.gradients = job.pixels + points * job.x_strides.point;
}

template <class Down, class Across> void sum_part(void *context, int64_t part) {
  using Job = WeightSum<Down, Across>;
  Job &all = *static_cast<Job *>(context);
  Job job = all;
  const int64_t rows = job.N * job.tile_rows, run = job.run_end, end = part_of(rows, job.parts, part + 1);
  place_run(job);
  job.sums += part * job.sums_before(job.panels.count);
  job.part_begin = part_of(rows, job.parts, part);
  for (job.run_begin = job.part_begin; job.run_begin < end; job.run_begin = job.run_end) {
    job.run_end = at_most(end, job.run_begin + run);
    for (int64_t i = 0; i < 2 * ceil_div(job.run_end - job.run_begin, kRowsAtOnce); ++i)
      run_to_points<Down, Across>(&job, i);
    if (job.run_begin == job.part_begin && !in_range(job.largest_x, job.largest_dy)) {
      __atomic_store_n(&all.refused, 1, __ATOMIC_RELAXED);
      return;
    }
    for (int64_t i = 0; i < job.points * job.panels.count; ++i)
      sum_run<Down, Across>(&job, i);
  }
  raise_bits(all.largest_x, job.largest_x);
  raise_bits(all.largest_dy, job.largest_dy);
}

template <class Down, class Across> bool sum_weights(WeightSum<Down, Across> &job) {
  constexpr int64_t W = Vec<float>::width, points = WeightSum<Down, Across>::points;
  const int64_t depth = job.kernel.depth(), lanes = job.panels.vectors * W, rows = job.N * job.tile_rows;
  const int64_t tiles = at_least(kShortestRun, kRunFloats / (points * (depth + lanes)));
  const int64_t run = at_most(rows, ceil_div(tiles, job.tile_columns)), most = run * job.tile_columns;
  job.x_strides = {odd_lines(most * odd_lines(depth)), odd_lines(depth)};
  job.dy_strides = {odd_lines(most * odd_lines(lanes)), odd_lines(lanes)};
  const double cost = double(rows * job.tile_columns) * double(points * depth * lanes) / (3.5 * W);
  job.parts = at_least(1, at_most(kMostParts, rows / (2 * run)));
  job.run_end = run;
  if (job.parts == 1 && run == rows && points * depth * lanes > kManyWeights) {
    place_run(job);
    parallel_for(2 * ceil_div(rows, kRowsAtOnce), double(rows * job.tile_columns * (depth + lanes)) / 2,
                 run_to_points<Down, Across>, &job);
    if (!in_range(job.largest_x, job.largest_dy))
      return false;
    parallel_for(job.panels.count, cost, sum_and_weights_of_panel<Down, Across>, &job);
    return true;
  }
  job.sums = static_cast<float *>(scratch(Scratch::pack_b, sizeof(float) * size_t(job.parts * points * depth * lanes)));
  if (job.parts > 1) {
    parallel_for(job.parts, cost, sum_part<Down, Across>, &job);
    if (job.refused)
      return false;
  } else {
    place_run(job);
    for (job.run_begin = 0; job.run_begin < rows; job.run_begin = job.run_end) {
      job.run_end = at_most(rows, job.run_begin + run);
      const double share = double(job.run_end - job.run_begin) / double(rows);
      parallel_for(2 * ceil_div(job.run_end - job.run_begin, kRowsAtOnce),
                   share * double(rows * job.tile_columns * (depth + lanes)) / 2, run_to_points<Down, Across>, &job);
      if (job.run_begin == 0 && !in_range(job.largest_x, job.largest_dy))
        return false;
      parallel_for(points * job.panels.count, share * cost, sum_run<Down, Across>, &job);
    }
  }
  parallel_for(job.panels.count, double(job.parts * depth * lanes) * 2, weights_of_panel<Down, Across>, &job);
  return in_range(job.largest_x, job.largest_dy);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
