// y = conv(x, w): padded images, packed weights, tiles. Backward-data is the same on flipped, transposed weights.

namespace cinta::kernels::CINTA_ISA {
namespace {

struct Weights {
  const float *data;
  int64_t out_stride, in_stride; // between output channels, between input channels
  bool flip;                     // taps from last to first
};

struct ForwardJob {
  Conv2d g;
  Planes planes;
  bool along_rows;        // which micro-kernel
  int64_t lanes;          // output channels in a block of packed weights
  int64_t run_channels;   // input channels summed before they join the total
  int64_t images, splits; // images of a parallel block; parallel blocks that share those images
  const float *x, *bias;
  float *y;
  Weights weights;
  float *packed; // [block][C][taps][lanes]
};

constexpr int64_t kResidentFloats = 100 << 10; // images kept in L2 while one block of weights passes over them
constexpr int64_t kBandFloats = 5 << 10;       // of results, transposed out of L1
constexpr int64_t kRunFloats = 6 << 10;        // packed weights of a run of channels: in L1
constexpr int64_t kRunTaps = 192;              // products summed in a run, before they join the total: rounds well
constexpr int64_t kWovenFloats = 160 << 10;    // as many images as a vector has lanes: in L2

inline int64_t band_rows(const Conv2d &g, int64_t lanes) {
  return at_most(g.OH, at_least(2, kBandFloats / (lanes * g.OW)));
}

inline int64_t block_lanes(const ForwardJob &job, int64_t o) {
  constexpr int W = Vec<float>::width;
  return at_most(job.lanes, job.along_rows ? job.g.O - o : ceil_div(job.g.O - o, W) * W);
}

// The taps of a run of input channels that meet the image somewhere in the rows at hand; others would multiply padding.
class LiveTaps {
public:
  explicit LiveTaps(Tap *taps) : taps_(taps) {}

  Run run(const ForwardJob &job, int64_t channel, int64_t row, int64_t rows) {
    const Conv2d &g = job.g;
    int64_t first, last;
    live_taps(g, row, rows, first, last);
    if (channel != channel_ || first != first_ || last != last_) {
      channel_ = channel, first_ = first, last_ = last;
      end_ = taps_;
      for (int64_t c = channel; c < at_most(g.C, channel + job.run_channels); ++c)
        for (int64_t kh = first; kh < last; ++kh)
          for (int64_t kw = 0; kw < g.KW; ++kw)
            *end_++ = {int32_t(c * job.planes.plane + job.planes.tap(kh, kw)), int32_t((c * g.KH + kh) * g.KW + kw)};
    }
    return {taps_, end_, job.planes.step, channel > 0};
  }

private:
  Tap *taps_, *end_ = nullptr;
  int64_t channel_ = -1, first_ = 0, last_ = 0;
};

// One block of output channels of one image, band by band.
template <int OV>
void channels_block(const ForwardJob &job, LiveTaps &taps, const float *image, int64_t o, float *y, float *tile) {
  constexpr int kLanes = OV * Vec<float>::width, kPixels = pixels_of(OV);
  const Conv2d &g = job.g;
  const float *weights = job.packed + o * g.C * g.KH * g.KW;
  const int64_t outs = at_most(kLanes, g.O - o), band = band_rows(g, job.lanes), step = job.planes.step;
  const int64_t rows_at_once = 2 * g.OW <= kPixels ? 2 : 1, strips = ceil_div(g.OW * rows_at_once, kPixels);
  float bias[kLanes];
  for (int64_t l = 0; l < kLanes; ++l)
    bias[l] = job.bias && l < outs ? job.bias[o + l] : 0.0f;
  for (int64_t top = 0; top < g.OH; top += band) {
    const int64_t bottom = at_most(g.OH, top + band);
    for (int64_t c = 0; c < g.C; c += job.run_channels)
      for (int64_t row = top, rows; row < bottom; row += rows) {
        rows = row + rows_at_once <= bottom ? rows_at_once : 1;
        const Run run = taps.run(job, c, row, rows);
        for (int64_t s = 0; s < strips; ++s) {
          const int64_t left = s * g.OW / strips, width = (s + 1) * g.OW / strips - left;
          const ChannelsTile tile_of = rows == 2 ? channels_tile_of<OV, 2>(width) : channels_tile_of<OV, 1>(width);
          tile_of(run, image + row * step + left, weights, bias, tile + ((row - top) * g.OW + left) * kLanes, g.OW);
        }
      }
    if (g.y_channels_last)
      for (int64_t pixel = 0; pixel < (bottom - top) * g.OW; ++pixel)
        copy_floats(outs, tile + pixel * kLanes, y + (top * g.OW + pixel) * g.O + o);
    else
      transpose_floats(outs, (bottom - top) * g.OW, tile, kLanes, y + (o * g.OH + top) * g.OW, g.OH * g.OW);
  }
}

template <int OV = kOutVectors> void channels_block(const ForwardJob &job, LiveTaps &taps, int64_t lanes,
                                                    const float *image, int64_t o, float *y, float *tile) {
  if constexpr (OV == 1)
    return channels_block<1>(job, taps, image, o, y, tile);
  else
    return lanes == OV * Vec<float>::width ? channels_block<OV>(job, taps, image, o, y, tile)
                                           : channels_block<OV - 1>(job, taps, lanes, image, o, y, tile);
}

inline void rows_block(const ForwardJob &job, LiveTaps &taps, const float *image, int64_t o, float *y) {
  constexpr int W = Vec<float>::width;
  const Conv2d &g = job.g;
  const float *weights = job.packed + o * g.C * g.KH * g.KW;
  const int64_t channels = block_lanes(job, o), vectors = ceil_div(g.OW, W), strips = ceil_div(vectors, kRowVectors);
  const int64_t rows_at_once = at_least(1, kRowVectors / ceil_div(vectors, strips));
  float bias[kRowChannels] = {};
  for (int64_t m = 0; job.bias && m < channels; ++m)
    bias[m] = job.bias[o + m];
  for (int64_t c = 0; c < g.C; c += job.run_channels)
    for (int64_t row = 0, rows; row < g.OH; row += rows) {
      for (rows = rows_at_once; row + rows > g.OH;)
        rows /= 2;
      const Run run = taps.run(job, c, row, rows);
      for (int64_t s = 0; s < strips; ++s) {
        const int64_t begin = s * vectors / strips, end = (s + 1) * vectors / strips;
        rows_tile_of(channels, rows, end - begin)(run, image + row * job.planes.step + begin * W, weights, bias,
                                                  y + (o * g.OH + row) * g.OW + begin * W, g.OH * g.OW, g.OW,
                                                  at_most(W, g.OW - (end - 1) * W));
      }
    }
}

inline void forward_images(void *context, int64_t block) {
  const ForwardJob &job = *static_cast<const ForwardJob *>(context);
  const Conv2d &g = job.g;
  const int64_t begin = block / job.splits * job.images, end = at_most(g.N, begin + job.images);
  const int64_t split = block % job.splits, blocks = ceil_div(g.O, job.lanes);
  const int64_t resident = at_most(end - begin, at_least(1, kResidentFloats / job.planes.image));
  const int64_t image_floats = resident * job.planes.image + kSlack;
  const int64_t tile_floats = job.along_rows ? 0 : band_rows(g, job.lanes) * g.OW * job.lanes;
  const int64_t run_taps = at_most(g.C, job.run_channels) * g.KH * g.KW;
  float *images = static_cast<float *>(
      scratch(Scratch::conv, sizeof(float) * size_t(image_floats + tile_floats) + sizeof(Tap) * size_t(run_taps)));
  float *tile = images + image_floats;
  LiveTaps taps(reinterpret_cast<Tap *>(tile + tile_floats));
  zero_floats(image_floats, images);
  for (int64_t first = begin; first < end; first += resident) {
    const int64_t count = at_most(resident, end - first);
    for (int64_t i = 0; i < count; ++i)
      fill_planes(g, job.planes, job.x + (first + i) * g.x_batch, images + i * job.planes.image);
    for (int64_t b = split * blocks / job.splits; b < (split + 1) * blocks / job.splits; ++b)
      for (int64_t i = 0; i < count; ++i) {
        const float *image = images + i * job.planes.image;
        float *y = job.y + (first + i) * g.y_batch;
        job.along_rows ? rows_block(job, taps, image, b * job.lanes, y)
                       : channels_block(job, taps, block_lanes(job, b * job.lanes), image, b * job.lanes, y, tile);
      }
  }
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
