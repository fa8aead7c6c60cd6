// Depthwise convolution at stride 1: every channel its own filter. A plane is laid out with its padding, then each
// vector of a row of outputs is a sum of shifted loads.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int kRowsAtOnce = 4;                // vectors of outputs in registers
constexpr int kDepthwiseTaps = 9;             // sums of dw in registers
constexpr int64_t kPlaneFloats = 6 << 10;     // of padded planes at once: in L1
constexpr int64_t kDepthwiseBlock = 32 << 10; // floats of one parallel block

struct DepthwiseJob {
  Conv2d g;      // C = O: all channels
  Planes planes; // of one channel
  const float *x, *w, *bias, *dy;
  float *y;
  bool flip;
  int64_t shift(int64_t tap) const { return tap / g.KW * g.dilation_h * planes.pitch + tap % g.KW * g.dilation_w; }
  int64_t at_once() const { return at_least(1, kPlaneFloats / planes.plane); }
  int64_t per_block() const { return at_least(1, kDepthwiseBlock / planes.plane / at_once()) * at_once(); }
};

inline Conv2d one_channel(Conv2d g) {
  g.C = g.O = 1;
  return g;
}

// Rows [from, to) of the padded plane; its border is zero already.
inline void fill_rows(const Conv2d &g, const Planes &p, const float *x, int64_t from, int64_t to, float *image) {
  const int64_t left = at_least(0, -g.pad_w), right = at_most(g.W, p.pitch - g.pad_w);
  const int64_t last = at_most(to - g.pad_h, g.H);
  for (int64_t h = at_least(0, from - g.pad_h); h < last; ++h)
    copy_floats(right - left, x + h * g.W + left, image + (h + g.pad_h) * p.pitch + left + g.pad_w);
}

// One plane of outputs from its padded image, of which the rows from `filled` on are still to be laid out: that goes on
// between the sums, so that loads from far away and products overlap.
inline void filter_plane(const DepthwiseJob &job, const int64_t *shifts, const float *w, float bias, const float *x,
                         int64_t filled, float *image, float *y) {
  using V = Vec<float>;
  constexpr int W = V::width;
  const Conv2d &g = job.g;
  const int64_t taps = g.KH * g.KW, vectors = ceil_div(g.OW, W), pitch = job.planes.pitch;
  for (int64_t row = 0, column = 0; row < g.OH;) {
    const float *from[kRowsAtOnce] = {image, image, image, image};
    float *to[kRowsAtOnce] = {y, y, y, y};
    int64_t lanes[kRowsAtOnce] = {};
    for (int i = 0; i < kRowsAtOnce && row < g.OH; ++i) {
      from[i] = image + row * pitch + column * W;
      to[i] = y + row * g.OW + column * W;
      lanes[i] = at_most(W, g.OW - column * W);
      if (++column == vectors)
        column = 0, ++row;
    }
    if (filled < job.planes.rows) {
      const int64_t needed = at_most(job.planes.rows, row + (g.KH - 1) * g.dilation_h + 2);
      fill_rows(g, job.planes, x, filled, needed, image);
      filled = needed;
    }
    V sum[kRowsAtOnce];
    for (V &s : sum)
      s = V(bias);
    for (int64_t t = 0; t < taps; ++t) {
      const V weight(w[job.flip ? taps - 1 - t : t]);
#pragma GCC unroll 4
      for (int i = 0; i < kRowsAtOnce; ++i)
        sum[i] = multiply_add(V::load(from[i] + shifts[t]), weight, sum[i]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRowsAtOnce; ++i)
      sum[i].store_partial(to[i], lanes[i]);
  }
}

// Planes [block * per_block, ...): several small ones are laid out before they are filtered, so that no load waits for
// a store.
inline void depthwise_planes(void *context, int64_t block) {
  const DepthwiseJob &job = *static_cast<const DepthwiseJob *>(context);
  const Conv2d &g = job.g, one = one_channel(g);
  const int64_t plane = job.planes.plane, taps = g.KH * g.KW, at_once = job.at_once();
  const int64_t begin = block * job.per_block(), end = at_most(g.N * g.C, begin + job.per_block());
  float *images = static_cast<float *>(
      scratch(Scratch::conv, sizeof(float) * size_t(at_once * plane + kSlack) + sizeof(int64_t) * size_t(taps)));
  int64_t *shifts = reinterpret_cast<int64_t *>(images + at_once * plane + kSlack);
  for (int64_t t = 0; t < taps; ++t)
    shifts[t] = job.shift(t);
  zero_floats(at_once * plane + kSlack, images);
  for (int64_t first = begin; first < end; first += at_once) {
    const int64_t count = at_most(at_once, end - first);
    int64_t n = first / g.C, c = first % g.C;
    for (int64_t i = 0, m = n, d = c; at_once > 1 && i < count; ++i) {
      fill_planes(one, job.planes, job.x + m * g.x_batch + d * g.H * g.W, images + i * plane);
      if (++d == g.C)
        d = 0, ++m;
    }
    for (int64_t i = 0; i < count; ++i) {
      filter_plane(job, shifts, job.w + c * taps, job.bias ? job.bias[c] : 0.0f, job.x + n * g.x_batch + c * g.H * g.W,
                   at_once > 1 ? job.planes.rows : 0, images + i * plane, job.y + n * g.y_batch + c * g.OH * g.OW);
      if (++c == g.C)
        c = 0, ++n;
    }
  }
}

// sums[t] += over the plane of dy * shifted image, for T taps. Both are masked: what lies beyond the row may be inf.
template <int T> void correlate_plane(const Conv2d &g, int64_t pitch, const float *dy, const float *image,
                                      const int64_t *shifts, float *sums) {
  using V = Vec<float>;
  constexpr int W = V::width;
  V sum[T];
#pragma GCC unroll 9
  for (int t = 0; t < T; ++t)
    sum[t] = V(0.0f);
  for (int64_t row = 0; row < g.OH; ++row, dy += g.OW, image += pitch) {
    int64_t j = 0;
    for (; j + W <= g.OW; j += W) {
      const V d = V::load(dy + j);
#pragma GCC unroll 9
      for (int t = 0; t < T; ++t)
        sum[t] = multiply_add(d, V::load(image + j + shifts[t]), sum[t]);
    }
    if (const int64_t n = g.OW - j; n > 0) {
      const V d = V::load_partial(dy + j, n);
#pragma GCC unroll 9
      for (int t = 0; t < T; ++t)
        sum[t] = multiply_add(d, V::load_partial(image + j + shifts[t], n), sum[t]);
    }
  }
#pragma GCC unroll 9
  for (int t = 0; t < T; ++t)
    (V::load(sums + t * W) + sum[t]).store(sums + t * W);
}

template <int T = kDepthwiseTaps> void correlate_plane(int64_t taps, const Conv2d &g, int64_t pitch, const float *dy,
                                                       const float *image, const int64_t *shifts, float *sums) {
  if constexpr (T > 1)
    if (taps < T)
      return correlate_plane<T - 1>(taps, g, pitch, dy, image, shifts, sums);
  correlate_plane<T>(g, pitch, dy, image, shifts, sums);
}

// dw of one channel (the job's y), images in their order.
inline void depthwise_weight(void *context, int64_t channel) {
  constexpr int W = Vec<float>::width;
  const DepthwiseJob &job = *static_cast<const DepthwiseJob *>(context);
  const Conv2d &g = job.g, one = one_channel(g);
  const int64_t plane = job.planes.plane, taps = g.KH * g.KW, at_once = at_most(g.N, job.at_once());
  float *images = static_cast<float *>(scratch(
      Scratch::conv, sizeof(float) * size_t(at_once * plane + kSlack + taps * W) + sizeof(int64_t) * size_t(taps)));
  float *sums = images + at_once * plane + kSlack;
  int64_t *shifts = reinterpret_cast<int64_t *>(sums + taps * W);
  for (int64_t t = 0; t < taps; ++t)
    shifts[t] = job.shift(t);
  zero_floats(at_once * plane + kSlack + taps * W, images);
  for (int64_t first = 0; first < g.N; first += at_once) {
    const int64_t count = at_most(at_once, g.N - first);
    for (int64_t i = 0; i < count; ++i)
      fill_planes(one, job.planes, job.x + (first + i) * g.x_batch + channel * g.H * g.W, images + i * plane);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t t = 0; t < taps; t += kDepthwiseTaps)
        correlate_plane(at_most(kDepthwiseTaps, taps - t), g, job.planes.pitch,
                        job.dy + (first + i) * g.y_batch + channel * g.OH * g.OW, images + i * plane, shifts + t,
                        sums + t * W);
  }
  for (int64_t t = 0; t < taps; ++t)
    job.y[channel * taps + t] = reduce_add(Vec<float>::load(sums + t * W));
}

inline bool depthwise_fits(const Conv2d &g) {
  return g.stride_h == 1 && g.stride_w == 1 && (g.KH - 1) * g.dilation_h >= g.pad_h &&
         (g.KW - 1) * g.dilation_w >= g.pad_w && Planes(one_channel(g)).plane < 1 << 20;
}

inline void run_depthwise(const DepthwiseJob &job, int64_t blocks, void (*body)(void *, int64_t)) {
  const Conv2d &g = job.g;
  const double products = double(g.N * g.C * g.OH * g.KH * g.KW * ceil_div(g.OW, Vec<float>::width));
  parallel_for(blocks, products / 3, body, const_cast<DepthwiseJob *>(&job));
}

inline void filter_planes(const Conv2d &g, const void *x, const void *w, const void *bias, void *y, bool flip) {
  const DepthwiseJob job{g,
                         Planes(one_channel(g)),
                         static_cast<const float *>(x),
                         static_cast<const float *>(w),
                         static_cast<const float *>(bias),
                         nullptr,
                         static_cast<float *>(y),
                         flip};
  run_depthwise(job, ceil_div(g.N * g.C, job.per_block()), depthwise_planes);
}

inline void depthwise_forward(const Conv2d &g, const void *x, const void *w, const void *bias, void *y) {
  filter_planes(g, x, w, bias, y, false);
}

inline void depthwise_backward_data(const Conv2d &g, const void *dy, const void *w, void *dx) {
  filter_planes(adjoint(g), dy, w, nullptr, dx, true);
}

inline void depthwise_backward_weight(const Conv2d &g, const void *x, const void *dy, void *dw) {
  run_depthwise({g, Planes(one_channel(g)), static_cast<const float *>(x), nullptr, nullptr,
                 static_cast<const float *>(dy), static_cast<float *>(dw), false},
                g.C, depthwise_weight);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
