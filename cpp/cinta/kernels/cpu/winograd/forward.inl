// y = x correlated with w, and dx = dy correlated with w turned round. Rows of tiles go to their points, meet a panel
// of weights there, and come back as outputs.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int64_t kBandFloats = 1 << 17;  // of points of pixels and outputs: in L2
constexpr int64_t kLeastTiles = 64;       // of a band: weights come from far away where there are many of them
constexpr int64_t kManyWeights = 1 << 19; // floats of their points: too many to be written once and read later

constexpr Sums kOutputSums{16, 64}; // what the transforms lose in digits, short chains win back

template <class Down, class Across> struct Correlation {
  static constexpr int points = Down::points * Across::points;
  Sized x, y;
  int64_t N, pad_h, pad_w;
  const float *w, *bias;
  int64_t w_out, w_in; // strides between output and input channels; taps are contiguous
  bool flip;
  KernelBlocks<Down, Across> kernel;
  Panels panels;
  int64_t tile_rows, tile_columns; // of an image
  int64_t band = 0, splits = 0;    // rows of tiles of a block; blocks that share a band, each with its panels
  float *weights = nullptr;        // at their points, [panel][point][input channel][lanes]; null: each block its own
  float *pixels = nullptr;         // at their points, of all tiles; null: each block its own
  uint32_t largest_x = 0, largest_w = 0;

  int64_t rows() const { return N * tile_rows; }
  int64_t depth() const { return kernel.depth(); }
  int64_t lanes(int64_t panel) const { return (panels.begin(panel + 1) - panels.begin(panel)) * Vec<float>::width; }
  int64_t weights_before(int64_t panel) const { return points * depth() * panels.begin(panel) * Vec<float>::width; }
  PointStrides strides(int64_t tiles) const { return {odd_lines(tiles * odd_lines(depth())), odd_lines(depth())}; }
  int64_t ring_floats() const {
    return CINTA_ISA::ring_floats<PixelsToPoints<Down>, PixelsToPoints<Across>>(tile_columns);
  }
};

// The panel's weights for input channels [begin, end) at their points, those beyond the last one zero.
template <class Down, class Across>
void weights_to_points(Correlation<Down, Across> &job, int64_t panel, int64_t begin, int64_t end, float *points) {
  using V = Vec<float>;
  constexpr int W = V::width;
  const KernelBlocks<Down, Across> &k = job.kernel;
  const int64_t first = job.panels.begin(panel) * W, lanes = job.lanes(panel), taps = k.taps();
  alignas(64) float transposed[kTapRows * W] = {};
  const BlockTaps<Down, Across> blocks(k);
  Largest largest;
  const auto take = [&](int64_t c, int64_t v, const float *of_channel) {
    for (int64_t t = 0; t < taps; ++t)
      largest.see(V::load(of_channel + t * W));
    for (int64_t block = 0; block < k.count(); ++block) {
      V w[Down::taps][Across::taps], p[Down::points][Across::points];
      blocks.load(block, of_channel, w);
      transform<WeightsToPoints<Down>, WeightsToPoints<Across>>(w, p);
      float *to = points + (block * k.channels + c) * lanes + v;
      for (int i = 0; i < k.points; ++i)
        p[i / Across::points][i % Across::points].store(to + i * k.depth() * lanes);
    }
  };
  const int64_t last = at_most(end, job.x.C);
  if (job.flip) { // in the order in which they lie in memory: a channel's taps are together
    for (int64_t c = begin; c < last; ++c)
      for (int64_t v = 0; v < lanes; v += W) {
        const int64_t o = first + v;
        transpose_floats(taps, at_most(W, job.y.C - o), job.w + o * job.w_out + c * job.w_in, job.w_out,
                         transposed + (taps - 1) * W, -W);
        take(c, v, transposed);
      }
  } else {
    const int64_t at_once = kTapRows / taps;
    for (int64_t v = 0; v < lanes; v += W)
      for (int64_t c = begin; c < last; c += at_once) {
        const int64_t o = first + v, channels = at_most(at_once, last - c);
        transpose_floats(channels * taps, at_most(W, job.y.C - o), job.w + o * job.w_out + c * job.w_in, job.w_out,
                         transposed, W);
        for (int64_t i = 0; i < channels; ++i)
          take(c + i, v, transposed + i * taps * W);
      }
  }
  for (int64_t i = 0; last < end && i < k.points * k.count(); ++i)
    zero_floats((end - last) * lanes, points + (i * k.channels + last) * lanes);
  largest.raise(job.largest_w);
}

// The tiles of all blocks of the kernel at their points.
template <class Down, class Across> void pixels_to_points(const Correlation<Down, Across> &job, int64_t begin,
                                                          int64_t end, float *ring, float *points,
                                                          const PointStrides &strides, Largest &largest) {
  for (int64_t block = 0; block < job.kernel.count(); ++block) {
    const int64_t top = job.kernel.top(block) - job.pad_h, left = job.kernel.left(block) - job.pad_w;
    rows_to_points<PixelsToPoints<Down>, PixelsToPoints<Across>>(
        job.x, {begin, end, job.tile_rows, job.tile_columns, top, left}, ring, points + block * job.kernel.channels,
        strides, largest);
  }
}

// Rows of tiles [begin, end) at the points of one panel, and back: y.
template <class Down, class Across>
void outputs_of_panel(const Correlation<Down, Across> &job, int64_t begin, int64_t end, const float *pixels,
                      const PointStrides &from, int64_t panel, const float *weights, float *sums, float *rows) {
  const int64_t tiles = (end - begin) * job.tile_columns, lanes = job.lanes(panel);
  const PointStrides strides{odd_lines(tiles * lanes), lanes};
  for (int64_t p = 0; p < job.points; ++p) {
    float *const to = sums + p * strides.point;
    const auto add = [&](int64_t first, int64_t depth, int run) {
      multiply(kOutputSums, {pixels + p * from.point + first, from.tile, 1},
               weights + (p * job.depth() + first) * lanes, lanes, to, lanes, tiles, lanes / Vec<float>::width, depth,
               run > 0);
    };
    if (job.kernel.at_point(p, add) == 0)
      zero_floats(tiles * lanes, to);
  }
  for (int64_t row = begin; row < end; ++row)
    points_to_row<Down, Across>(sums + (row - begin) * job.tile_columns * lanes, strides, job.tile_columns, job.y,
                                row / job.tile_rows, row % job.tile_rows * Down::outputs,
                                job.panels.begin(panel) * Vec<float>::width, lanes / Vec<float>::width, job.bias, rows);
}

// A band of rows of tiles, and the panels of a split.
template <class Down, class Across> void correlate_block(void *context, int64_t block) {
  using Job = Correlation<Down, Across>;
  constexpr int64_t W = Vec<float>::width, points = Job::points, widest_panel = kPanelVectors * W;
  Job &job = *static_cast<Job *>(context);
  const int64_t begin = block / job.splits * job.band, end = at_most(job.rows(), begin + job.band);
  const int64_t split = block % job.splits, tiles = (end - begin) * job.tile_columns;
  const PointStrides strides = job.strides(tiles);
  const int64_t pixel_floats = job.pixels ? 0 : points * strides.point;
  const int64_t weight_floats = job.weights ? 0 : points * job.depth() * widest_panel;
  const int64_t sum_floats = points * odd_lines(tiles * widest_panel);
  const int64_t row_floats = at_least(job.ring_floats(), Down::outputs * job.y.W * widest_panel);
  float *const own = static_cast<float *>(
      scratch(Scratch::conv, sizeof(float) * size_t(pixel_floats + weight_floats + sum_floats + row_floats)));
  float *const weights = own + pixel_floats, *const sums = weights + weight_floats, *const rows = sums + sum_floats;
  if (!job.pixels) {
    Largest largest;
    pixels_to_points(job, begin, end, rows, own, strides, largest);
    largest.raise(job.largest_x);
  }
  for (int64_t panel = part_of(job.panels.count, job.splits, split);
       panel < part_of(job.panels.count, job.splits, split + 1); ++panel) {
    if (!job.weights)
      weights_to_points(job, panel, 0, job.kernel.channels, weights);
    outputs_of_panel(job, begin, end, job.pixels ? job.pixels : own, strides, panel,
                     job.weights ? job.weights + job.weights_before(panel) : weights, sums, rows);
  }
}

constexpr int64_t kRowsAtOnce = 4;      // of tiles, in a parallel block that takes them to their points
constexpr int64_t kWeightChannels = 32; // of a parallel block of weights

template <class Down, class Across> void pixels_of_block(void *context, int64_t block) {
  Correlation<Down, Across> &job = *static_cast<Correlation<Down, Across> *>(context);
  const int64_t begin = block * kRowsAtOnce, end = at_most(job.rows(), begin + kRowsAtOnce);
  const PointStrides strides = job.strides(job.rows() * job.tile_columns);
  float *ring = static_cast<float *>(scratch(Scratch::conv, sizeof(float) * size_t(job.ring_floats())));
  Largest largest;
  pixels_to_points(job, begin, end, ring, job.pixels + begin * job.tile_columns * strides.tile, strides, largest);
  largest.raise(job.largest_x);
}

template <class Down, class Across> void weights_of_block(void *context, int64_t block) {
  Correlation<Down, Across> &job = *static_cast<Correlation<Down, Across> *>(context);
  const int64_t chunks = ceil_div(job.kernel.channels, kWeightChannels), panel = block / chunks;
  const int64_t begin = block % chunks * kWeightChannels;
  weights_to_points(job, panel, begin, at_most(job.kernel.channels, begin + kWeightChannels),
                    job.weights + job.weights_before(panel));
}

// Weights go to their points first and bands of tiles follow; where there are more weights than pixels, pixels go first
// and panels of weights follow. Who computes what has no part in the result.
template <class Down, class Across> bool correlate(Correlation<Down, Across> &job) {
  constexpr int64_t W = Vec<float>::width, points = Correlation<Down, Across>::points;
  const int64_t depth = job.depth(), lanes = job.panels.vectors * W, tiles = job.rows() * job.tile_columns;
  const double products = double(points * depth * lanes) * double(tiles);
  if (lanes > tiles && points * depth * lanes > kManyWeights) {
    job.band = job.rows(), job.splits = job.panels.count;
    job.pixels =
        static_cast<float *>(scratch(Scratch::pack_a, sizeof(float) * size_t(points * job.strides(tiles).point)));
    parallel_for(ceil_div(job.rows(), kRowsAtOnce), double(tiles * depth) / 2, pixels_of_block<Down, Across>, &job);
  } else {
    const int64_t most = at_least(kLeastTiles, kBandFloats / (points * (depth + lanes)));
    job.band = at_most(job.rows(), ceil_div(most, job.tile_columns));
    const int64_t bands = ceil_div(job.rows(), job.band), wanted = num_threads() == 1 ? 1 : 4 * num_threads();
    job.splits = at_most(job.panels.count, ceil_div(wanted, bands));
    job.weights = static_cast<float *>(scratch(Scratch::pack_b, sizeof(float) * size_t(points * depth * lanes)));
    parallel_for(job.panels.count * ceil_div(job.kernel.channels, kWeightChannels), double(depth * lanes) * 2,
                 weights_of_block<Down, Across>, &job);
  }
  parallel_for(ceil_div(job.rows(), job.band) * job.splits, products / (3.5 * W), correlate_block<Down, Across>, &job);
  return in_range(job.largest_x, job.largest_w);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
