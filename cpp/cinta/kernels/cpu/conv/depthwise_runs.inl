// Depthwise convolution of planes whose rows would leave lanes idle: a plane is one run of H * W floats, under 3x3 taps
// with a padding of 1. Sums of each column of the kernel are added one lane apart, where there is a neighbour.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int kRunPlanes = Vec<float>::width == 16 ? 2 : 1; // at once, as many as there are registers for weights
constexpr int64_t kRunAhead = 512; // floats: planes follow each other, and memory is asked for some of them ahead
constexpr int64_t kFilterRun = 16, kCorrelateRun = 32; // the widest rows for which a run beats rows one by one

// Masks cost nothing where they have registers of their own. Elsewhere they pay for rows of half a vector only.
inline bool runs_of_planes(const Conv2d &g, int64_t widest) {
  constexpr int W = Vec<float>::width;
  return g.KH == 3 && g.KW == 3 && g.stride_h == 1 && g.stride_w == 1 && g.pad_h == 1 && g.pad_w == 1 &&
         g.dilation_h == 1 && g.dilation_w == 1 && g.H * g.W >= W && g.W <= (W == 16 ? widest : W / 2);
}

// Where the lanes of a vector lie, the same in all planes.
struct RunVector {
  Mask<float> row[3];      // lanes whose input lies in the plane, under each row of the kernel
  Mask<float> left, right; // lanes that have a neighbour there
};

struct PlaneRun {
  int64_t W, floats;
  RunVector *vectors;

  static size_t bytes(const Conv2d &g) { return sizeof(RunVector) * size_t(ceil_div(g.H * g.W, Vec<float>::width)); }
  PlaneRun(const Conv2d &g, void *room) : W(g.W), floats(g.H * g.W), vectors(static_cast<RunVector *>(room)) {
    constexpr int lanes = Vec<float>::width;
    const auto first = [](int64_t n) { return Mask<float>::first_lanes(at_most(lanes, at_least(0, n))); };
    for (int64_t at = 0; at < floats; at += lanes) {
      RunVector &v = vectors[at / lanes];
      for (int kh = 0; kh < 3; ++kh) {
        const int64_t shift = at + (kh - 1) * W;
        v.row[kh] = first(at_most(floats - shift, floats - at)) & !first(-shift);
      }
      uint8_t left[lanes], right[lanes];
      for (int i = 0; i < lanes; ++i) {
        left[i] = at + i < floats && (at + i) % W != 0;
        right[i] = at + i < floats && (at + i) % W != W - 1;
      }
      v.left = Mask<float>::load_bytes(left), v.right = Mask<float>::load_bytes(right);
    }
  }
};

// P planes of an image, one after another. Weight t of a plane is w[t * step]: backwards for the adjoint.
template <int P> [[gnu::noinline]] void filter_run(const PlaneRun &run, const float *x, int64_t x_plane, const float *w,
                                                   int64_t step, const float *bias, float *y, int64_t y_plane) {
  using V = Vec<float>;
  V weight[P][9], start[P], left[P], right[P], sum[P];
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t)
      weight[p][t] = V(w[p * 9 + t * step]);
    start[p] = V(bias ? bias[p] : 0.0f);
    left[p] = right[p] = sum[p] = V(0.0f);
  }
  const int64_t W = run.W, floats = run.floats;
  const RunVector *v = run.vectors;
  for (int64_t at = 0; at < floats; at += V::width, ++v)
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      __builtin_prefetch(x + p * x_plane + at + kRunAhead);
      __builtin_prefetch(y + p * y_plane + at + kRunAhead, 1);
      V column[3] = {V(0.0f), start[p], V(0.0f)};
#pragma GCC unroll 3
      for (int kh = 0; kh < 3; ++kh) {
        const V pixels = V::load_masked(x + p * x_plane + at + (kh - 1) * W, v->row[kh]);
#pragma GCC unroll 3
        for (int kw = 0; kw < 3; ++kw)
          column[kw] = multiply_add(pixels, weight[p][kh * 3 + kw], column[kw]);
      }
      if (at > 0)
        select(v[-1].right, sum[p] + lanes_after(right[p], column[2]), sum[p]).store(y + p * y_plane + at - V::width);
      sum[p] = select(v->left, column[1] + lanes_before(left[p], column[0]), column[1]);
      left[p] = column[0], right[p] = column[2];
    }
  const int64_t at = (floats - 1) / V::width * V::width;
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p)
    select(v[-1].right, sum[p] + lanes_after(right[p], right[p]), sum[p])
        .store_partial(y + p * y_plane + at, floats - at);
}

// sums[kw * 3 + kh] += dy * x over a plane, vectors. Rows of dy meet x where they lie in the plane: zeros in place of
// them would meet an inf in x.
[[gnu::noinline]] inline void correlate_run(const PlaneRun &run, const float *x, const float *dy, float *sums) {
  using V = Vec<float>;
  V sum[9];
#pragma GCC unroll 9
  for (V &s : sum)
    s = V(0.0f);
  const int64_t W = run.W, floats = run.floats;
  const RunVector *v = run.vectors;
  for (int64_t at = 0; at < floats; at += V::width, ++v, x += V::width, dy += V::width) {
    __builtin_prefetch(x + kRunAhead);
    __builtin_prefetch(dy + kRunAhead);
    const V pixels[3] = {V::load_masked(x - 1, v->left), V::load_masked(x, v->row[1]), V::load_masked(x + 1, v->right)};
#pragma GCC unroll 3
    for (int kh = 0; kh < 3; ++kh) {
      const Mask<float> inside = v->row[2 - kh];
      const V d = V::load_masked(dy + (1 - kh) * W, inside);
#pragma GCC unroll 3
      for (int kw = 0; kw < 3; ++kw) {
        V &s = sum[kw * 3 + kh];
        s = select(inside, multiply_add(pixels[kw], d, s), s);
      }
    }
  }
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t)
    (V::load(sums + t * V::width) + sum[t]).store(sums + t * V::width);
}

// Planes of one image.
inline void filter_runs(void *context, int64_t block) {
  const DepthwiseJob &job = *static_cast<const DepthwiseJob *>(context);
  const Conv2d &g = job.g;
  const int64_t n = block / job.channel_blocks(), first = block % job.channel_blocks() * job.channels;
  const int64_t last = at_most(g.C, first + job.channels), x_plane = job.x_plane(), y_plane = job.y_plane();
  const PlaneRun run(g, scratch(Scratch::conv, PlaneRun::bytes(g)));
  const float *x = job.x + n * job.x_image();
  float *y = job.y + n * job.y_image();
  const auto planes = [&]<int P>(int64_t c) {
    filter_run<P>(run, x + c * x_plane, x_plane, job.w + c * 9 + (job.adjoint ? 8 : 0), job.adjoint ? -1 : 1,
                  job.bias ? job.bias + c : nullptr, y + c * y_plane, y_plane);
  };
  int64_t c = first;
  for (; c + kRunPlanes <= last; c += kRunPlanes)
    planes.template operator()<kRunPlanes>(c);
  for (; c < last; ++c)
    planes.template operator()<1>(c);
}

inline void correlate_runs(void *context, int64_t block) {
  correlate_with<PlaneRun>(*static_cast<const DepthwiseJob *>(context), block, correlate_run);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
