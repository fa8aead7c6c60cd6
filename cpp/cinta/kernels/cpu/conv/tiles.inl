// The micro-kernels of conv2d: sums over taps (input channel, kh, kw) for a tile of outputs held in registers.
// Lanes run along output channels (pixels are broadcast) or along a row of pixels (weights are broadcast).

namespace cinta::kernels::CINTA_ISA {
namespace {

// Scalar code without FMA instructions would call libm for every product.
CINTA_FN Vec<float> multiply_add(Vec<float> a, Vec<float> b, Vec<float> sum) {
  if constexpr (Vec<float>::width == 1)
    return a * b + sum;
  else
    return fma(a, b, sum);
}

// A vector that several products use: compilers would else load it anew for each of them.
CINTA_FN void hold([[maybe_unused]] Vec<float> &x) {
#if defined(__x86_64__)
  asm("" : "+v"(x.v));
#endif
}

// One product of a sum: where the pixel is, from the tile's corner of the padded image, and which of the weights' rows.
struct Tap {
  int32_t x, w;
};

// A run of taps and what becomes of their sum: y = bias + sum, or y += sum.
struct Run {
  const Tap *begin, *end;
  int64_t pitch; // between rows of a tile
  bool adds;
};

constexpr int kOutVectors = Vec<float>::width == 8 ? 2 : 4; // of output channels, in one tile
constexpr int pixels_of(int out_vectors) {                  // as many as leave registers for the operands
  return Vec<float>::width < 16 ? 12 / out_vectors : out_vectors > 2 ? 25 / out_vectors : out_vectors == 2 ? 14 : 24;
}

// R x PX pixels of OV vectors of channels; tile[(r * row_pixels + p) * OV * width + lane].
template <int OV, int R, int PX> void channels_tile(const Run &run, const float *image, const float *weights,
                                                    const float *bias, float *tile, int64_t row_pixels) {
  using V = Vec<float>;
  constexpr int W = V::width, kLanes = OV * W;
  V sum[R][PX][OV];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
    for (int p = 0; p < PX; ++p)
#pragma GCC unroll 32
      for (int v = 0; v < OV; ++v)
        sum[r][p][v] = V(0.0f);
  for (const Tap *tap = run.begin; tap != run.end; ++tap) {
    const float *x = image + tap->x, *w = weights + int64_t(tap->w) * kLanes;
    V wv[OV];
#pragma GCC unroll 32
    for (int v = 0; v < OV; ++v)
      wv[v] = V::load(w + v * W);
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
      for (int p = 0; p < PX; ++p) {
        const V pixel(x[r * run.pitch + p]);
#pragma GCC unroll 32
        for (int v = 0; v < OV; ++v)
          sum[r][p][v] = multiply_add(pixel, wv[v], sum[r][p][v]);
      }
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
    for (int p = 0; p < PX; ++p)
#pragma GCC unroll 32
      for (int v = 0; v < OV; ++v) {
        float *out = tile + (r * row_pixels + p) * kLanes + v * W;
        (sum[r][p][v] + V::load(run.adds ? out : bias + v * W)).store(out);
      }
}

using ChannelsTile = void (*)(const Run &, const float *, const float *, const float *, float *, int64_t);
template <int OV, int R, int PX = pixels_of(OV) / R> ChannelsTile channels_tile_of(int64_t pixels) {
  if constexpr (PX == 1)
    return channels_tile<OV, R, 1>;
  else
    return pixels == PX ? channels_tile<OV, R, PX> : channels_tile_of<OV, R, PX - 1>(pixels);
}

// Lanes along a row of pixels, for few output channels: MO channels x R rows x VX vectors of a row.
constexpr int kRowVectors = Vec<float>::width == 16 ? 4 : 2;
constexpr int kRowChannels = 6;

// `last`: lanes of the last vector that lie inside the row.
template <int MO, int R, int VX> void rows_tile(const Run &run, const float *image, const float *weights,
                                                const float *bias, float *y, int64_t y_plane, int64_t y_pitch,
                                                int64_t last) {
  using V = Vec<float>;
  constexpr int W = V::width;
  V sum[MO][R][VX];
#pragma GCC unroll 32
  for (int m = 0; m < MO; ++m)
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
      for (int v = 0; v < VX; ++v)
        sum[m][r][v] = V(0.0f);
  for (const Tap *tap = run.begin; tap != run.end; ++tap) {
    const float *x = image + tap->x, *w = weights + int64_t(tap->w) * MO;
    V xv[R][VX];
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
      for (int v = 0; v < VX; ++v)
        xv[r][v] = V::load(x + r * run.pitch + v * W);
#pragma GCC unroll 32
    for (int m = 0; m < MO; ++m) {
      const V wm(w[m]);
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
        for (int v = 0; v < VX; ++v)
          sum[m][r][v] = multiply_add(xv[r][v], wm, sum[m][r][v]);
    }
  }
#pragma GCC unroll 32
  for (int m = 0; m < MO; ++m)
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
      for (int v = 0; v < VX; ++v) {
        float *out = y + m * y_plane + r * y_pitch + v * W;
        const int64_t n = v == VX - 1 ? last : W;
        (sum[m][r][v] + (run.adds ? V::load_partial(out, n) : V(bias[m]))).store_partial(out, n);
      }
}

using RowsTile = void (*)(const Run &, const float *, const float *, const float *, float *, int64_t, int64_t, int64_t);
template <int R, int VX, int MO = kRowChannels> RowsTile rows_tile_of(int64_t channels) {
  if constexpr (MO == 1)
    return rows_tile<1, R, VX>;
  else
    return channels == MO ? rows_tile<MO, R, VX> : rows_tile_of<R, VX, MO - 1>(channels);
}
template <int VX> RowsTile rows_tile_of(int64_t channels, int64_t rows) {
  if constexpr (4 * VX <= kRowVectors)
    if (rows == 4)
      return rows_tile_of<4, VX>(channels);
  if constexpr (2 * VX <= kRowVectors)
    if (rows == 2)
      return rows_tile_of<2, VX>(channels);
  return rows_tile_of<1, VX>(channels);
}
inline RowsTile rows_tile_of(int64_t channels, int64_t rows, int64_t vectors) {
  if constexpr (kRowVectors >= 4) {
    if (vectors == 4)
      return rows_tile_of<4>(channels, rows);
    if (vectors == 3)
      return rows_tile_of<3>(channels, rows);
  }
  return vectors == 2 ? rows_tile_of<2>(channels, rows) : rows_tile_of<1>(channels, rows);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
