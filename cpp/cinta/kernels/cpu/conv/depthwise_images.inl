// Depthwise convolution of images with channels last, by strips of pixels; and of planes that are woven into such
// images, as many channels as there are lanes: strided or narrow ones, whose rows would leave lanes idle.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int64_t kDepthwiseBlock = 32 << 10; // floats of outputs of one parallel block
constexpr int64_t kDepthwiseRows = 6 << 10;   // floats of x that a row of outputs reads: they and the sums stay in L1
constexpr int64_t kDepthwiseBlocks = 16; // of weight gradients, at the least; fixed, so threads never change results

struct DepthwiseJob {
  Conv2d g;                        // all channels of x; O / C times as many of y, of which every (O / C)th is taken
  bool adjoint;                    // from dy to dx
  const float *x, *w, *bias, *dy;  // w and bias: [tap][pitch] and [pitch], whole vectors; of planes as they came
  float *y;                        // or the sums of dw: [images][tap][pitch], of planes [images][C][tap]
  int64_t pitch = 0, channels = 0; // channels: of one block
  int64_t rows = 0;                // of one block
  int64_t images = 1;              // blocks of images that have sums of dw of their own
  const Strips *strips = nullptr;

  int64_t x_image() const { return adjoint ? g.y_batch : g.x_batch; }
  int64_t y_image() const { return adjoint ? g.x_batch : g.y_batch; }
  int64_t inputs() const { return adjoint ? g.OH * g.OW : g.H * g.W; }
  int64_t outputs() const { return adjoint ? g.H * g.W : g.OH * g.OW; }
  int64_t dy_plane() const { return g.O / g.C * g.OH * g.OW; } // from one channel taken to the next
  int64_t x_plane() const { return adjoint ? dy_plane() : g.H * g.W; }
  int64_t y_plane() const { return adjoint ? g.H * g.W : dy_plane(); }
  int64_t taps() const { return g.KH * g.KW; }
  int64_t channel_blocks() const { return ceil_div(g.C, channels); }
};

// f(image) for the images of a block.
template <class F> CINTA_FN void for_images_of(const DepthwiseJob &job, int64_t block, F f) {
  for (int64_t n = block * job.g.N / job.images; n < (block + 1) * job.g.N / job.images; ++n)
    f(n);
}

// ---- channels last

inline void filter_channels_last(void *context, int64_t block) {
  const DepthwiseJob &job = *static_cast<const DepthwiseJob *>(context);
  const Conv2d &g = job.g;
  const Strips &s = *job.strips;
  const int64_t bands = ceil_div(s.rows.outputs, job.rows), n = block / bands, first = block % bands * job.rows;
  const int64_t last = at_most(first + job.rows, s.rows.outputs);
  for (int64_t c = 0; c < g.C; c += job.channels)
    filter_rows(s, first, last, c, at_most(g.C, c + job.channels), job.x + n * job.x_image(), job.w, job.bias,
                job.y + n * job.y_image());
}

inline void correlate_channels_last(void *context, int64_t block) {
  const DepthwiseJob &job = *static_cast<const DepthwiseJob *>(context);
  const Conv2d &g = job.g;
  const int64_t images = block / job.channel_blocks(), c = block % job.channel_blocks() * job.channels;
  const int64_t end = at_most(g.C, c + job.channels), lanes = at_most(job.pitch, c + job.channels) - c;
  float *sums = job.y + images * job.taps() * job.pitch;
  for (int64_t t = 0; t < job.taps(); ++t)
    zero_floats(lanes, sums + t * job.pitch + c);
  for_images_of(job, images, [&](int64_t n) {
    correlate_rows(*job.strips, 0, g.OH, c, end, job.x + n * g.x_batch, job.dy + n * g.y_batch, sums);
  });
}

// ---- woven planes

// [pixel][lane] of up to as many planes as there are lanes.
inline void weave_planes(int64_t pixels, int64_t planes, const float *x, int64_t plane, float *woven) {
  constexpr int W = Vec<float>::width;
  if (planes < W)
    zero_floats(pixels * W, woven);
  transpose_floats(pixels, planes, x, plane, woven, W);
}

inline void filter_woven(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  const DepthwiseJob &job = *static_cast<const DepthwiseJob *>(context);
  const Strips &s = *job.strips;
  const int64_t bands = ceil_div(s.rows.outputs, job.rows), first = block % bands * job.rows;
  const int64_t last = at_most(first + job.rows, s.rows.outputs), groups = job.channel_blocks();
  const int64_t n = block / bands / groups, c = block / bands % groups * W, lanes = at_most(W, job.g.C - c);
  int64_t low = s.rows.inputs, high = 0; // rows of x that these outputs read
  for (int64_t o = first; o < last; ++o)
    if (const Taps t = s.rows.taps_of(o); t.count) {
      const int64_t other = t.source + (t.count - 1) * s.rows.apart;
      low = at_most(low, at_most(t.source, other));
      high = at_least(high, at_least(t.source, other) + 1);
    }
  const int64_t read = at_least(0, high - low) * s.columns.inputs, written = (last - first) * s.columns.outputs;
  float *x = static_cast<float *>(scratch(Scratch::conv, sizeof(float) * size_t((read + written) * W)));
  float *y = x + read * W;
  weave_planes(read, lanes, job.x + n * job.x_image() + c * job.x_plane() + low * s.columns.inputs, job.x_plane(), x);
  filter_rows(s, first, last, 0, W, x - low * s.columns.inputs * W, job.w + c, job.bias ? job.bias + c : nullptr,
              y - first * s.columns.outputs * W);
  transpose_floats(lanes, written, y, W, job.y + n * job.y_image() + c * job.y_plane() + first * s.columns.outputs,
                   job.y_plane());
}

inline void correlate_woven(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  const DepthwiseJob &job = *static_cast<const DepthwiseJob *>(context);
  const Conv2d &g = job.g;
  const int64_t images = block / job.channel_blocks(), c = block % job.channel_blocks() * W;
  const int64_t lanes = at_most(W, g.C - c);
  float *sums = job.y + images * job.taps() * job.pitch + c;
  float *x = static_cast<float *>(scratch(Scratch::conv, sizeof(float) * size_t((job.inputs() + job.outputs()) * W)));
  float *dy = x + job.inputs() * W;
  for (int64_t t = 0; t < job.taps(); ++t)
    zero_floats(W, sums + t * job.pitch);
  for_images_of(job, images, [&](int64_t n) {
    weave_planes(job.inputs(), lanes, job.x + n * g.x_batch + c * job.inputs(), job.inputs(), x);
    weave_planes(job.outputs(), lanes, job.dy + n * g.y_batch + c * job.dy_plane(), job.dy_plane(), dy);
    correlate_rows(*job.strips, 0, g.OH, 0, W, x, dy, sums);
  });
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
