// Depthwise convolution, every channel its own filter: which kernel takes it, weights laid out, work handed out.

namespace cinta::kernels::CINTA_ISA {
namespace {

// Rows wide enough to keep lanes busy; blocks hold 32-bit offsets.
inline bool lanes_along_planes(const Conv2d &g) {
  if (at_least(g.H * g.W, g.OH * g.OW) >= 1 << 30)
    return false;
  return g.stride_h == 1 && g.stride_w == 1 && g.KH <= kPlaneKernel && 3 * at_most(g.W, g.OW) > Vec<float>::width;
}

inline double depthwise_ns(const Conv2d &g) {
  return double(g.N * g.C) * double(g.OH * g.OW) * double(g.KH * g.KW) / (4.0 * Vec<float>::width);
}

inline int64_t whole_vectors(int64_t n) { return ceil_div(n, Vec<float>::width) * Vec<float>::width; }

// Strips, weights [tap][pitch] and bias [pitch] for one call, in its scratch.
struct DepthwisePlan {
  Strips strips;
  DepthwiseJob &job;
  explicit DepthwisePlan(DepthwiseJob &job)
      : strips(job.g, job.adjoint, job.g.channels_last ? job.g.C : Vec<float>::width, whole_vectors(job.g.C)),
        job(job) {
    const int64_t taps = job.w ? job.taps() : 0, pitch = job.pitch = strips.pitch, C = job.g.C;
    const size_t list = sizeof(Strip) * size_t(strips.columns.outputs);
    void *room = scratch(Scratch::pack_b, list + sizeof(float) * size_t((taps + 1) * pitch));
    strips.cut(static_cast<Strip *>(room));
    float *w = reinterpret_cast<float *>(static_cast<char *>(room) + list);
    job.strips = &strips;
    zero_floats((taps + 1) * pitch, w);
    if (job.w)
      transpose_floats(taps, C, job.w, taps, w, pitch);
    if (job.bias) {
      copy_floats(C, job.bias, w + taps * pitch);
      job.bias = w + taps * pitch;
    }
    job.w = w;
  }
};

inline void run_filter(DepthwiseJob job) {
  const Conv2d &g = job.g;
  const int64_t W = Vec<float>::width, wide = job.adjoint ? g.W : g.OW, rows = job.adjoint ? g.H : g.OH;
  if (!g.channels_last && runs_of_planes(g, kFilterRun)) {
    job.channels = at_most(g.C, at_least(1, kDepthwiseBlock / job.outputs()));
    return parallel_for(g.N * job.channel_blocks(), depthwise_ns(g), filter_runs, &job);
  }
  if (!g.channels_last && lanes_along_planes(g)) {
    job.channels = at_least(1, kDepthwiseBlock / job.outputs());
    job.w = pack_plane_weights(job);
    return parallel_for(ceil_div(g.N * g.C, job.channels), depthwise_ns(g), filter_planes, &job);
  }
  const DepthwisePlan plan(job);
  if (g.channels_last) {
    job.channels = at_least(4 * W, kDepthwiseRows / (g.KH * plan.strips.columns.inputs) / W * W);
    job.rows = at_most(rows, at_least(1, kDepthwiseBlock / (wide * g.C)));
    parallel_for(g.N * ceil_div(rows, job.rows), depthwise_ns(g), filter_channels_last, &job);
  } else {
    job.channels = W;
    job.rows = at_most(rows, at_least(1, kDepthwiseBlock / (wide * W)));
    parallel_for(g.N * job.channel_blocks() * ceil_div(rows, job.rows), depthwise_ns(g), filter_woven, &job);
  }
}

inline void depthwise_forward(const Conv2d &g, const void *x, const void *w, const void *bias, void *y) {
  run_filter({g, false, static_cast<const float *>(x), static_cast<const float *>(w), static_cast<const float *>(bias),
              nullptr, static_cast<float *>(y)});
}

inline void depthwise_backward_data(const Conv2d &g, const void *dy, const void *w, void *dx) {
  run_filter({g, true, static_cast<const float *>(dy), static_cast<const float *>(w), nullptr, nullptr,
              static_cast<float *>(dx)});
}

inline void add_floats(int64_t n, const float *x, float *sum) {
  constexpr int W = Vec<float>::width;
  for (int64_t i = 0; i < n; i += W) {
    const int64_t lanes = at_most(W, n - i);
    (Vec<float>::load_partial(sum + i, lanes) + Vec<float>::load_partial(x + i, lanes)).store_partial(sum + i, lanes);
  }
}

inline void depthwise_backward_weight(const Conv2d &g, const void *x, const void *dy, void *dw) {
  const int64_t W = Vec<float>::width, taps = g.KH * g.KW, pitch = whole_vectors(g.C);
  DepthwiseJob job{g, false, static_cast<const float *>(x), nullptr, nullptr, static_cast<const float *>(dy), nullptr};
  const bool runs = !g.channels_last && runs_of_planes(g, kCorrelateRun);
  const bool planes = runs || (!g.channels_last && lanes_along_planes(g));
  job.channels = planes            ? at_least(1, at_most(g.C / kDepthwiseBlocks, kDepthwiseBlock / job.outputs()))
                 : g.channels_last ? at_least(4 * W, kDepthwiseRows / (g.KH * g.W) / W * W)
                                   : W;
  job.images = at_most(g.N, ceil_div(kDepthwiseBlocks, job.channel_blocks()));
  job.y = static_cast<float *>(scratch(Scratch::pack_a, sizeof(float) * size_t(job.images * taps * pitch)));
  const int64_t blocks = job.images * job.channel_blocks();
  if (planes) {
    parallel_for(blocks, depthwise_ns(g), runs ? correlate_runs : correlate_planes, &job);
  } else {
    const DepthwisePlan plan(job);
    parallel_for(blocks, depthwise_ns(g), g.channels_last ? correlate_channels_last : correlate_woven, &job);
  }
  const int64_t size = planes ? g.C * taps : taps * pitch;
  for (int64_t i = 1; i < job.images; ++i)
    add_floats(size, job.y + i * size, job.y);
  planes ? copy_floats(size, job.y, static_cast<float *>(dw))
         : transpose_floats(g.C, taps, job.y, pitch, static_cast<float *>(dw), taps);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
