// dw[o, c, kh, kw] = sum over images and pixels of dy[o] * shifted x[c]. The batch is cut into blocks by shape alone;
// their sums are added in order, so the bits do not depend on the threads.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int64_t kWeightPixelFloats = 6 << 10; // of dy in L1 while all input channels pass over it

struct WeightJob {
  Conv2d g;
  Planes planes;
  bool along_rows;
  int64_t lanes;                        // output channels of a block
  int64_t run;                          // taps side by side that share a pointer: KW, or 1
  int64_t rows_per_channel;             // of taps: KH, or KH * KW
  int64_t images;                       // of a batch block
  int64_t images_at_once, rows_at_once; // of a pass
  int64_t batch_blocks;
  const float *x, *dy;
  float *dw;
  float *partial; // [batch block][channels: o * K + k * lanes + lane | rows: (o * K + k) * width + lane]
  int64_t partial_floats;
};

// All taps of one block of output channels over the pixels of a pass.
inline void weight_pass(const WeightJob &job, const WeightKernel &kernel, const Pass &pass, const float *x,
                        const float *const *dy, int64_t channels, float *sums) {
  const Conv2d &g = job.g;
  const int64_t rows = g.C * job.rows_per_channel, K = g.C * g.KH * g.KW;
  const int64_t step = job.run * (job.along_rows ? Vec<float>::width : job.lanes);
  for (int64_t q = 0; q < rows; q += kernel.tap_rows) {
    const float *at[kTapRows];
    for (int r = 0; r < kernel.tap_rows; ++r) {
      const int64_t c = at_most(q + r, rows - 1) / job.rows_per_channel,
                    t = at_most(q + r, rows - 1) % job.rows_per_channel;
      const int64_t kh = job.run > 1 ? t : t / g.KW, kw = job.run > 1 ? 0 : t % g.KW;
      at[r] = x + c * job.planes.plane + job.planes.tap(kh, kw);
    }
    kernel.run(pass, at, dy, at_most(kernel.tap_rows, rows - q), channels, sums + q * step, K * Vec<float>::width);
  }
}

// `outs` channels of so many pixels of dy, side by side.
inline void gather_pixels(const Conv2d &g, int64_t pixels, int64_t outs, const float *dy, float *to, int64_t lanes) {
  if (!g.y_channels_last)
    return transpose_floats(pixels, outs, dy, g.OH * g.OW, to, lanes);
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    copy_floats(outs, dy + pixel * g.O, to + pixel * lanes);
}

inline void weight_block(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  const WeightJob &job = *static_cast<const WeightJob *>(context);
  const Conv2d &g = job.g;
  const int64_t o_blocks = ceil_div(g.O, job.lanes), b = block / o_blocks, o = block % o_blocks * job.lanes;
  const int64_t begin = b * job.images, end = at_most(g.N, begin + job.images), K = g.C * g.KH * g.KW,
                pixels = g.OH * g.OW;
  const int64_t outs = at_most(job.lanes, g.O - o);
  float *sums = job.partial + b * job.partial_floats + o * K * (job.along_rows ? W : 1);
  zero_floats(K * (job.along_rows ? outs * W : job.lanes), sums);
  const int64_t image_floats = job.images_at_once * job.planes.image + kSlack;
  const int64_t dy_floats = job.along_rows ? 0 : job.images_at_once * job.rows_at_once * g.OW * job.lanes;
  float *images = static_cast<float *>(scratch(Scratch::conv, sizeof(float) * size_t(image_floats + dy_floats)));
  float *dy_pixels = images + image_floats;
  zero_floats(image_floats + dy_floats, images);
  const WeightKernel kernel = weight_kernel(job.along_rows, job.lanes, job.run);
  for (int64_t n = begin; n < end; n += job.images_at_once) {
    const int64_t count = at_most(job.images_at_once, end - n);
    for (int64_t i = 0; i < count; ++i)
      fill_planes(g, job.planes, job.x + (n + i) * g.x_batch, images + i * job.planes.image);
    for (int64_t row = 0; row < g.OH; row += job.rows_at_once) {
      const int64_t rows = at_most(job.rows_at_once, g.OH - row);
      const float *dy = job.dy + n * g.y_batch + (g.y_channels_last ? row * g.OW * g.O + o : o * pixels + row * g.OW);
      const Pass pass{count, rows, g.OW, job.planes.image, job.planes.step, g.y_batch, g.OW};
      const float *from[kWeightRowChannels] = {dy_pixels};
      if (job.along_rows)
        for (int64_t m = 0; m < job.lanes; ++m)
          from[m] = dy + at_most(m, outs - 1) * pixels;
      else
        for (int64_t i = 0; i < count; ++i)
          gather_pixels(g, rows * g.OW, outs, dy + i * g.y_batch, dy_pixels + i * rows * g.OW * job.lanes, job.lanes);
      weight_pass(job, kernel, pass, images + row * job.planes.step, from, outs, sums);
    }
  }
}

// Adds the batch blocks' sums of one block of output channels.
inline void finish_weight_block(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  using V = Vec<float>;
  const WeightJob &job = *static_cast<const WeightJob *>(context);
  const Conv2d &g = job.g;
  const int64_t K = g.C * g.KH * g.KW, o = block * job.lanes, outs = at_most(job.lanes, g.O - o);
  float *sums = job.partial + o * K * (job.along_rows ? W : 1), *dw = job.dw + o * K;
  const int64_t n = K * (job.along_rows ? outs * W : job.lanes);
  for (int64_t b = 1; b < job.batch_blocks; ++b)
    for (int64_t i = 0; i < n; i += W)
      (V::load(sums + i) + V::load(sums + b * job.partial_floats + i)).store(sums + i);
  if (!job.along_rows)
    return transpose_floats(outs, K, sums, job.lanes, dw, K);
  for (int64_t i = 0; i < outs * K; ++i)
    dw[i] = reduce_add(V::load(sums + i * W));
}

void conv2d_backward_weight(const Conv2d &g, const void *x, const void *dy, void *dw) {
  constexpr int W = Vec<float>::width;
  const int64_t K = g.C * g.KH * g.KW, pixels = g.OH * g.OW;
  WeightJob job{};
  job.g = g;
  job.planes = Planes(g);
  job.along_rows = lanes_along_rows(g);
  const int64_t vectors = ceil_div(g.O, W);
  job.lanes = job.along_rows ? ceil_div(g.O, ceil_div(g.O, kWeightRowChannels))
                             : W * (vectors < kWeightVectors ? (vectors < 2 ? 1 : 2) : kWeightVectors);
  const bool side_by_side =
      g.dilation_w == 1 && g.stride_w == 1 && g.KW <= kLongestRun && weight_kernel(job.along_rows, job.lanes, g.KW).run;
  job.run = side_by_side ? g.KW : 1;
  job.rows_per_channel = side_by_side ? g.KH : g.KH * g.KW;
  const int64_t o_blocks = ceil_div(g.O, job.lanes);
  job.images_at_once = at_least(1, at_most(g.N, kWeightPixelFloats / (pixels * (job.along_rows ? g.O : job.lanes))));
  job.rows_at_once =
      job.images_at_once > 1 ? g.OH : at_least(1, at_most(g.OH, kWeightPixelFloats / (g.OW * job.lanes)));
  job.batch_blocks = at_least(1, at_most(at_most(g.N, ceil_div(16, o_blocks)), g.N * pixels / 512));
  job.images = ceil_div(g.N, job.batch_blocks);
  job.batch_blocks = ceil_div(g.N, job.images);
  job.partial_floats = K * (job.along_rows ? g.O * W : o_blocks * job.lanes);
  job.x = static_cast<const float *>(x), job.dy = static_cast<const float *>(dy), job.dw = static_cast<float *>(dw);
  job.partial =
      static_cast<float *>(scratch(Scratch::pack_b, sizeof(float) * size_t(job.batch_blocks * job.partial_floats)));
  parallel_for(job.batch_blocks * o_blocks, cost_ns(g), weight_block, &job);
  parallel_for(o_blocks, double(job.partial_floats * job.batch_blocks) * 0.1, finish_weight_block, &job);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
