// Forward with lanes along images: a vector holds one pixel of as many images. No lane is wasted on narrow rows or few
// channels, no load is unaligned, and taps outside the image are left out; what it costs is two transposes.

namespace cinta::kernels::CINTA_ISA {
namespace {

// Images side by side: [row][column, padded left and right][channel][lane].
struct Woven {
  int64_t pitch, pixel, row; // columns; floats from one column, from one row to the next
  explicit Woven(const Conv2d &g) {
    pitch = g.OW + (g.KW - 1) * g.dilation_w;
    pixel = g.C * Vec<float>::width;
    row = pitch * pixel;
  }
};

// Whether there are images enough, few lanes filled otherwise, taps enough to pay for the transposes, and the images of
// a vector fit into L2.
inline bool lanes_along_images(const Conv2d &g) {
  constexpr int W = Vec<float>::width;
  if (W == 1 || g.stride_h > 1 || g.stride_w > 1)
    return false;
  const bool few = lanes_along_rows(g) || g.O <= W || lanes_used(g.O) < 0.9;
  return few && lanes_used(g.N) > 0.7 && g.C * g.KH * g.KW >= 96 && g.H * Woven(g).row <= kWovenFloats;
}

// Images [0, count) of x, into a buffer that is zero wherever there is padding.
inline void weave(const Conv2d &g, const Woven &p, const float *x, int64_t count, float *woven) {
  constexpr int W = Vec<float>::width;
  alignas(64) float block[W * W];
  const int64_t right = at_most(g.W, p.pitch - g.pad_w);
  for (int64_t c = 0; c < g.C; ++c) {
    int64_t h = 0, w = 0;
    for (int64_t begin = 0; begin < g.H * g.W; begin += W) {
      const int64_t n = at_most(W, g.H * g.W - begin);
      if (count < W)
        zero_floats(W * W, block);
      transpose_floats(n, count, x + c * g.H * g.W + begin, g.x_batch, block, W);
      for (int64_t i = 0; i < n; ++i) {
        if (w < right)
          Vec<float>::load(block + i * W).store(woven + h * p.row + (w + g.pad_w) * p.pixel + c * W);
        if (++w == g.W)
          ++h, w = 0;
      }
    }
  }
}

// The taps that meet the image in a strip of columns, by rows of the kernel.
inline int64_t strip_taps(const Conv2d &g, const Woven &p, int64_t column, int64_t columns, Tap *taps) {
  Conv2d turned = g; // columns as rows
  turned.H = g.W, turned.KH = g.KW, turned.pad_h = g.pad_w, turned.dilation_h = g.dilation_w;
  int64_t first, last;
  live_taps(turned, column, columns, first, last);
  for (int64_t kh = 0; kh < g.KH; ++kh)
    for (int64_t kw = first; kw < last; ++kw)
      for (int64_t c = 0; c < g.C; ++c)
        *taps++ = {int32_t(kh * g.dilation_h * p.row + kw * g.dilation_w * p.pixel + c * Vec<float>::width),
                   int32_t((c * g.KH + kh) * g.KW + kw)};
  return (last - first) * g.C;
}

// Output channels [o, o + channels) of a strip of columns, all rows: sums[(channel * OH OW + pixel) * width].
inline void woven_strip(const ForwardJob &job, const Woven &p, const Tap *taps, int64_t taps_per_row,
                        const float *woven, int64_t o, int64_t column, int64_t columns, float *sums) {
  constexpr int W = Vec<float>::width;
  const Conv2d &g = job.g;
  const int64_t channels = block_lanes(job, o);
  float bias[kRowChannels] = {};
  for (int64_t m = 0; job.bias && m < channels; ++m)
    bias[m] = job.bias[o + m];
  for (int64_t row = 0; row < g.OH; ++row) {
    int64_t first, last;
    live_taps(g, row, 1, first, last);
    const Tap *begin = taps + first * taps_per_row, *end = taps + last * taps_per_row;
    const int64_t run = ceil_div(end - begin, at_least(1, ceil_div(end - begin, kRunTaps)));
    const float *corner = woven + (row - g.pad_h) * p.row + column * p.pixel;
    bool adds = false;
    do {
      const Tap *stop = end - begin > run ? begin + run : end;
      rows_tile_of(channels, columns, 1)({begin, stop, p.pixel, adds}, corner, job.packed + o * g.C * g.KH * g.KW, bias,
                                         sums + (row * g.OW + column) * W, g.OH * g.OW * W, W, W);
      begin = stop;
      adds = true;
    } while (begin != end);
  }
}

inline void forward_woven(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  const ForwardJob &job = *static_cast<const ForwardJob *>(context);
  const Conv2d &g = job.g;
  const Woven p(g);
  const int64_t first = block / job.splits * W, split = block % job.splits, count = at_most(W, g.N - first);
  const int64_t blocks = ceil_div(g.O, job.lanes), places = g.OH * g.OW, image_floats = g.H * p.row;
  const int64_t o_begin = split * blocks / job.splits * job.lanes;
  const int64_t o_end = at_most(g.O, (split + 1) * blocks / job.splits * job.lanes);
  const int64_t sums_floats = (o_end - o_begin) * places * W;
  float *woven = static_cast<float *>(scratch(Scratch::conv, sizeof(float) * size_t(image_floats + sums_floats) +
                                                                 sizeof(Tap) * size_t(g.C * g.KH * g.KW)));
  float *sums = woven + image_floats;
  Tap *taps = reinterpret_cast<Tap *>(sums + sums_floats);
  if (p.pitch != g.W)
    zero_floats(image_floats, woven);
  weave(g, p, job.x + first * g.x_batch, count, woven);
  for (int64_t column = 0, columns; column < g.OW; column += columns) {
    for (columns = kRowVectors; column + columns > g.OW;)
      columns /= 2;
    const int64_t taps_per_row = strip_taps(g, p, column, columns, taps);
    for (int64_t o = o_begin; o < o_end; o += job.lanes)
      woven_strip(job, p, taps, taps_per_row, woven, o, column, columns, sums + (o - o_begin) * places * W);
  }
  for (int64_t o = o_begin; o < o_end; ++o)
    transpose_floats(count, places, sums + (o - o_begin) * places * W, W, job.y + first * g.y_batch + o * places,
                     g.y_batch);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
