// What goes to the points and comes back: rows of tiles of an image in either memory order, a vector of channels at a
// time. On the way the largest magnitude is noted: sums of huge values, or of infinities, would not be what they are.

namespace cinta::kernels::CINTA_ISA {
namespace {

// Raises bits of a magnitude that several threads raise: magnitudes compare as their bits do.
inline void raise_bits(uint32_t &bits, uint32_t to) {
  uint32_t seen = __atomic_load_n(&bits, __ATOMIC_RELAXED);
  while (to > seen && !__atomic_compare_exchange_n(&bits, &seen, to, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    ;
}

// The largest magnitude seen; inf where there was an infinity or a NaN.
class Largest {
public:
  CINTA_FN void see(Vec<float> x) {
    largest_ = max(abs(x), largest_);
    spoilt_ = fma(x, Vec<float>(0.0f), spoilt_);
  }
  void raise(uint32_t &bits) const {
    const float spoilt = reduce_add(spoilt_), largest = spoilt == 0 ? reduce_max(largest_) : __builtin_inff();
    uint32_t own;
    __builtin_memcpy(&own, &largest, sizeof own);
    raise_bits(bits, own);
  }

private:
  Vec<float> largest_ = Vec<float>(0.0f), spoilt_ = Vec<float>(0.0f);
};

// Images with their sizes.
struct Sized {
  Images images;
  int64_t C, H, W;
  const float *at(int64_t n, int64_t c, int64_t h, int64_t w) const {
    const ImageStrides &s = images.strides;
    return images.data + n * s.n + c * s.c + h * s.h + w * s.w;
  }
  bool channels_contiguous() const { return images.strides.c == 1; }
};

// A vector of channels of the pixels [left, left + columns) of a row, side by side; zero beyond the image.
inline void load_row(const Sized &x, int64_t n, int64_t c, int64_t h, int64_t left, int64_t columns, float *to,
                     Largest &largest) {
  constexpr int W = Vec<float>::width;
  const int64_t channels = at_most(W, x.C - c), begin = at_least(0, left), end = at_most(x.W, left + columns);
  if (h < 0 || h >= x.H || begin >= end)
    return zero_floats(columns * W, to);
  zero_floats((begin - left) * W, to);
  zero_floats((left + columns - end) * W, to + (end - left) * W);
  to += (begin - left) * W;
  const float *from = x.at(n, c, h, begin);
  if (x.channels_contiguous()) {
    for (int64_t j = begin; j < end; ++j, from += x.images.strides.w, to += W) {
      __builtin_prefetch(from + W); // the next vector of channels comes when the row is through
      const Vec<float> pixel = channels == W ? Vec<float>::load(from) : Vec<float>::load_partial(from, channels);
      largest.see(pixel);
      pixel.store(to);
    }
    return;
  }
  for (int64_t j = begin; j < end; j += W, from += W) {
    const int64_t pixels = at_most(W, end - j);
    Vec<float> block[W];
    for (int l = 0; l < W; ++l) {
      block[l] = l >= channels ? Vec<float>(0.0f)
                 : pixels == W ? Vec<float>::load(from + l * x.images.strides.c)
                               : Vec<float>::load_partial(from + l * x.images.strides.c, pixels);
      largest.see(block[l]);
    }
    transpose(block);
    for (int64_t i = 0; i < pixels; ++i, to += W)
      block[i].store(to);
  }
}

// Points of a row of tiles, [point][tile][channel]: floats between them.
struct PointStrides {
  int64_t point, tile;
};

// An odd number of cache lines: whatever is so far apart does not share a cache set.
inline int64_t odd_lines(int64_t floats) { return (ceil_div(floats, 16) | 1) * 16; }

// Rows of tiles [begin, end) of a batch, `of_image` of them to an image and `tiles` in each, to their points for all
// channels. A tile has Down::from x Across::from pixels, its neighbours are a `step` away; the first one's corner is
// (top, left).
struct TileRows {
  int64_t begin, end, of_image, tiles, top, left;
};
// The rows of pixels that a row of tiles reads, of a vector of channels.
template <class Down, class Across> int64_t ring_floats(int64_t tiles) {
  return Down::from * ((tiles - 1) * Across::step + Across::from) * Vec<float>::width;
}

template <class Down, class Across> void rows_to_points(const Sized &x, const TileRows &r, float *ring, float *points,
                                                        const PointStrides &strides, Largest &largest) {
  using V = Vec<float>;
  constexpr int W = V::width, S = Down::from, kWidth = Across::from, kPoints = Across::to;
  constexpr int kSeen = kWidth > Across::step ? kWidth - Across::step : 0; // columns that a tile shares with the next
  const int64_t columns = (r.tiles - 1) * Across::step + kWidth;
  for (int64_t c = 0; c < x.C; c += W) {
    float *to = points + c;
    for (int64_t row = r.begin; row < r.end; ++row) {
      const int64_t n = row / r.of_image, top = row % r.of_image * Down::step;
      const float *pixels[S]; // the rows that the tiles above read are in the ring already
      for (int i = 0; i < S; ++i) {
        float *const at = ring + (top + i) % S * columns * W;
        if (i >= S - Down::step || row == r.begin || top == 0)
          load_row(x, n, c, top + r.top + i, r.left, columns, at, largest);
        pixels[i] = at;
      }
      V down[kWidth][Down::to]; // columns of a tile; those that it shares with the next one stay
      const auto load_column = [&](int64_t j, V(&points_of)[Down::to]) __attribute__((always_inline)) {
        V column[S];
#pragma GCC unroll 6
        for (int i = 0; i < S; ++i)
          column[i] = V::load(pixels[i] + j * W);
        Down::apply(column, points_of);
      };
#pragma GCC unroll 6
      for (int j = 0; j < kSeen; ++j)
        load_column(j, down[j]);
      for (int64_t t = 0; t < r.tiles; ++t, to += strides.tile) {
#pragma GCC unroll 6
        for (int j = kSeen; j < kWidth; ++j)
          load_column(Across::step * t + j, down[j]);
#pragma GCC unroll 6
        for (int i = 0; i < Down::to; ++i) {
          V across[kWidth], p[kPoints];
#pragma GCC unroll 6
          for (int j = 0; j < kWidth; ++j)
            across[j] = down[j][i];
          Across::apply(across, p);
#pragma GCC unroll 6
          for (int j = 0; j < kPoints; ++j)
            p[j].store(to + (i * kPoints + j) * strides.point);
        }
#pragma GCC unroll 6
        for (int j = 0; j < kSeen; ++j)
#pragma GCC unroll 6
          for (int i = 0; i < Down::to; ++i)
            down[j][i] = down[j + Across::step][i];
      }
    }
  }
}

// One row of tiles back to outputs of the channels [o, o + vectors): to y, as far as it reaches. `rows` holds the rows
// of pixels of these channels.
template <class Down, class Across> void points_to_row(const float *points, const PointStrides &strides, int64_t tiles,
                                                       const Sized &y, int64_t n, int64_t top, int64_t o,
                                                       int64_t vectors, const float *bias, float *rows) {
  using V = Vec<float>;
  constexpr int W = V::width;
  const int64_t channels = at_most(vectors * W, y.C - o), height = at_most(Down::outputs, y.H - top);
  const bool last = y.channels_contiguous(); // else by way of `rows`, whose pixels lie as y's: [height][W][channel]
  const int64_t pixel = last ? y.images.strides.w : vectors * W, row = last ? y.images.strides.h : y.W * pixel;
  float *const to = last ? const_cast<float *>(y.at(n, o, top, 0)) : rows;
  for (int64_t v = 0; v < vectors; ++v) {
    const int64_t lanes = last ? at_most(W, channels - v * W) : W;
    const V b = bias ? V::load_partial(bias + o + v * W, at_most(W, channels - v * W)) : V(0.0f);
    for (int64_t t = 0; t < tiles; ++t) {
      const float *from = points + t * strides.tile + v * W;
      V p[Down::points][Across::points], out[Down::outputs][Across::outputs];
#pragma GCC unroll 6
      for (int i = 0; i < Down::points; ++i)
#pragma GCC unroll 6
        for (int j = 0; j < Across::points; ++j)
          p[i][j] = V::load(from + (i * Across::points + j) * strides.point);
      transform<PointsToOutputs<Down>, PointsToOutputs<Across>>(p, out);
      float *const at = to + Across::outputs * t * pixel + v * W;
      const int64_t width = at_most(Across::outputs, y.W - Across::outputs * t);
#pragma GCC unroll 4
      for (int i = 0; i < Down::outputs; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < Across::outputs; ++j) {
          if (lanes == W && i < height && j < width)
            (out[i][j] + b).store(at + i * row + j * pixel);
          else if (i < height && j < width)
            (out[i][j] + b).store_partial(at + i * row + j * pixel, lanes);
        }
    }
  }
  if (!last)
    transpose_floats(channels, height * y.W, rows, pixel, const_cast<float *>(y.at(n, o, top, 0)), y.images.strides.c);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
