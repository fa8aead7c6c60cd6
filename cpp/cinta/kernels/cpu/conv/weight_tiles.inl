// The micro-kernels of dw = dy * shifted x: sums for several (output channel, tap) pairs in registers, over pixels.
// As in forward, lanes run along output channels (dy transposed, x broadcast) or along a row of pixels.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int kTapRows = 8; // pointers into x a micro-kernel may keep

// The pixels of one pass.
struct Pass {
  int64_t images, rows, cols;
  int64_t x_image, x_row;
  int64_t dy_image, dy_row;
};

// sum[(r * S + s) * lanes] += over pixels of dy[pixel][lanes] * x[r][pixel + s], for the first `live` of R rows.
template <int OV, int R, int S> void channels_weight_tile(const Pass &pass, const float *const *x,
                                                          const float *const *dy_pixels, int64_t live, int64_t,
                                                          float *sums, int64_t) {
  using V = Vec<float>;
  constexpr int W = V::width, lanes = OV * W;
  V sum[R][S][OV];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
    for (int s = 0; s < S; ++s)
#pragma GCC unroll 32
      for (int v = 0; v < OV; ++v)
        sum[r][s][v] = V(0.0f);
  const float *dy = dy_pixels[0];
  for (int64_t i = 0; i < pass.images; ++i)
    for (int64_t row = 0; row < pass.rows; ++row) {
      const float *at[R];
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r)
        at[r] = x[r] + i * pass.x_image + row * pass.x_row;
      for (int64_t j = 0; j < pass.cols; ++j, dy += lanes) {
        V d[OV];
#pragma GCC unroll 32
        for (int v = 0; v < OV; ++v)
          d[v] = V::load(dy + v * W);
#pragma GCC unroll 32
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
          for (int s = 0; s < S; ++s) {
            const V pixel(at[r][j + s]);
#pragma GCC unroll 32
            for (int v = 0; v < OV; ++v)
              sum[r][s][v] = multiply_add(pixel, d[v], sum[r][s][v]);
          }
      }
    }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
    if (r < live)
#pragma GCC unroll 32
      for (int s = 0; s < S; ++s)
#pragma GCC unroll 32
        for (int v = 0; v < OV; ++v) {
          float *to = sums + (r * S + s) * lanes + v * W;
          (V::load(to) + sum[r][s][v]).store(to);
        }
}

// sum[m * K + r * S + s] (vectors of partial sums) += over pixels of dy[m][pixel] * x[r][pixel + s].
template <int MO, int R, int S> void rows_weight_tile(const Pass &pass, const float *const *x, const float *const *dy,
                                                      int64_t live, int64_t live_channels, float *sums,
                                                      int64_t channel_stride) {
  using V = Vec<float>;
  constexpr int W = V::width;
  V sum[MO][R][S];
#pragma GCC unroll 32
  for (int m = 0; m < MO; ++m)
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
      for (int s = 0; s < S; ++s)
        sum[m][r][s] = V(0.0f);
  for (int64_t i = 0; i < pass.images; ++i)
    for (int64_t row = 0; row < pass.rows; ++row) {
      const float *at[R], *from[MO];
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r)
        at[r] = x[r] + i * pass.x_image + row * pass.x_row;
#pragma GCC unroll 32
      for (int m = 0; m < MO; ++m)
        from[m] = dy[m] + i * pass.dy_image + row * pass.dy_row;
      int64_t j = 0;
      for (; j + W <= pass.cols; j += W) {
        V d[MO];
#pragma GCC unroll 32
        for (int m = 0; m < MO; ++m)
          d[m] = V::load(from[m] + j);
#pragma GCC unroll 32
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
          for (int s = 0; s < S; ++s) {
            V pixels = V::load(at[r] + j + s);
            hold(pixels);
#pragma GCC unroll 32
            for (int m = 0; m < MO; ++m)
              sum[m][r][s] = multiply_add(pixels, d[m], sum[m][r][s]);
          }
      }
      if (const int64_t n = pass.cols - j; n > 0) { // both masked: what lies beyond the row may be inf
        V d[MO];
#pragma GCC unroll 32
        for (int m = 0; m < MO; ++m)
          d[m] = V::load_partial(from[m] + j, n);
#pragma GCC unroll 32
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
          for (int s = 0; s < S; ++s) {
            V pixels = V::load_partial(at[r] + j + s, n);
            hold(pixels);
#pragma GCC unroll 32
            for (int m = 0; m < MO; ++m)
              sum[m][r][s] = multiply_add(pixels, d[m], sum[m][r][s]);
          }
      }
    }
#pragma GCC unroll 32
  for (int m = 0; m < MO; ++m)
    if (m < live_channels)
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r)
        if (r < live)
#pragma GCC unroll 32
          for (int s = 0; s < S; ++s) {
            float *to = sums + m * channel_stride + (r * S + s) * W;
            (V::load(to) + sum[m][r][s]).store(to);
          }
}

using WeightTile = void (*)(const Pass &, const float *const *, const float *const *, int64_t, int64_t, float *,
                            int64_t);
struct WeightKernel {
  WeightTile run;
  int tap_rows; // R
};

constexpr int kWeightSums = Vec<float>::width == 16 ? 26 : 12;
constexpr int kLongestRun = 7;
constexpr int tap_rows_of(int others) { return kWeightSums / others < kTapRows ? kWeightSums / others : kTapRows; }

// R as large as registers allow; {nullptr, 0} where even one row of S taps does not fit.
template <bool kAlongRows, int A, int S = kLongestRun> WeightKernel weight_kernel(int64_t run) {
  constexpr int R = tap_rows_of(A * S);
  if constexpr (S > 1)
    if (run != S)
      return weight_kernel<kAlongRows, A, S - 1>(run);
  if constexpr (R == 0)
    return {nullptr, 0};
  else if constexpr (kAlongRows)
    return {rows_weight_tile<A, R, S>, R};
  else
    return {channels_weight_tile<A, R, S>, R};
}

constexpr int kWeightVectors = Vec<float>::width == 16 ? 4 : 2; // of output channels
constexpr int kWeightRowChannels = Vec<float>::width == 16 ? 4 : 2;

inline WeightKernel weight_kernel(bool along_rows, int64_t lanes, int64_t run) {
  constexpr int W = Vec<float>::width;
  if (along_rows) {
    if constexpr (kWeightRowChannels == 4) {
      if (lanes == 4)
        return weight_kernel<true, 4>(run);
      if (lanes == 3)
        return weight_kernel<true, 3>(run);
    }
    return lanes == 2 ? weight_kernel<true, 2>(run) : weight_kernel<true, 1>(run);
  }
  if constexpr (kWeightVectors == 4)
    if (lanes == 4 * W)
      return weight_kernel<false, 4>(run);
  return lanes == 2 * W ? weight_kernel<false, 2>(run) : weight_kernel<false, 1>(run);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
