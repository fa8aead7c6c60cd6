// The forward and backward-data kernels: which way the lanes run, weights packed, work handed out.

namespace cinta::kernels::CINTA_ISA {
namespace {

inline void pack_weights(void *context, int64_t block) {
  const ForwardJob &job = *static_cast<const ForwardJob *>(context);
  const Conv2d &g = job.g;
  const Weights &w = job.weights;
  const int64_t o = block * job.lanes, lanes = block_lanes(job, o), taps = g.KH * g.KW, outs = at_most(lanes, g.O - o);
  float *out = job.packed + o * g.C * taps;
  if (outs < lanes)
    zero_floats(g.C * taps * lanes, out);
  if (!w.flip && w.in_stride == taps)
    return transpose_floats(g.C * taps, outs, w.data + o * w.out_stride, w.out_stride, out, lanes);
  for (int64_t c = 0; c < g.C; ++c) {
    const float *from = w.data + o * w.out_stride + c * w.in_stride;
    float *to = out + c * taps * lanes;
    w.flip ? transpose_floats(taps, outs, from, w.out_stride, to + (taps - 1) * lanes, -lanes)
           : transpose_floats(taps, outs, from, w.out_stride, to, lanes);
  }
}

inline void run_forward(const Conv2d &g, const float *x, const Weights &weights, const float *bias, float *y) {
  constexpr int W = Vec<float>::width;
  const int64_t taps = g.KH * g.KW, vectors = ceil_div(g.O, W);
  const bool along_images = lanes_along_images(g), along_rows = along_images || lanes_along_rows(g);
  ForwardJob job{g, Planes(g), along_rows, 0, 0, 0, 1, x, bias, y, weights, nullptr};
  job.lanes =
      along_rows ? ceil_div(g.O, ceil_div(g.O, kRowChannels)) : ceil_div(vectors, ceil_div(vectors, kOutVectors)) * W;
  const int64_t most = at_least(1, at_most(kRunFloats / job.lanes, kRunTaps) / taps);
  job.run_channels = ceil_div(g.C, ceil_div(g.C, most));
  const int64_t blocks = ceil_div(g.O, job.lanes);
  job.images = ceil_div(g.N, 64);
  job.splits = g.N < 8 ? blocks : 1;
  job.packed = static_cast<float *>(scratch(Scratch::pack_b, sizeof(float) * size_t(blocks * job.lanes * g.C * taps)));
  parallel_for(blocks, double(g.O * g.C * taps), pack_weights, &job);
  if (along_images) {
    job.splits = g.N < 4 * W ? blocks : 1;
    parallel_for(ceil_div(g.N, W) * job.splits, cost_ns(g), forward_woven, &job);
  } else {
    parallel_for(ceil_div(g.N, job.images) * job.splits, cost_ns(g), forward_images, &job);
  }
}

inline void conv2d_forward(const Conv2d &g, const void *x, const void *w, const void *bias, void *y) {
  run_forward(g, static_cast<const float *>(x), {static_cast<const float *>(w), g.C * g.KH * g.KW, g.KH * g.KW, false},
              static_cast<const float *>(bias), static_cast<float *>(y));
}

inline void conv2d_backward_data(const Conv2d &g, const void *dy, const void *w, void *dx) {
  run_forward(adjoint(g), static_cast<const float *>(dy),
              {static_cast<const float *>(w), g.KH * g.KW, g.C * g.KH * g.KW, true}, nullptr, static_cast<float *>(dx));
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
