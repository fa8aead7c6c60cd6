// Depthwise convolution with lanes along channels: up to eight outputs of a row at a time, each tap an aligned load.
// Taps outside the image are left out; any stride, dilation and kernel size will do, in every direction.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int kStripPixels = 8; // sums in registers

// What outputs o, o + divisor, .. of one axis read: tap `first` + i `every` brings input `source` + i `apart`.
struct Taps {
  int64_t first, count, source;
};

// Where taps meet inputs along one axis: output o under tap k reads (o * scale + shift + k * step) / divisor.
struct DepthwiseAxis {
  int64_t inputs, outputs, taps, scale, shift, step, divisor;
  int64_t every, apart; // between taps that meet one output, and between their inputs

  DepthwiseAxis() = default;
  DepthwiseAxis(int64_t in, int64_t out, int64_t taps, int64_t scale, int64_t shift, int64_t step, int64_t divisor)
      : inputs(in), outputs(out), taps(taps), scale(scale), shift(shift), step(step), divisor(divisor), every(1) {
    while (every * step % divisor)
      ++every;
    apart = every * step / divisor;
  }
  Taps taps_of(int64_t o) const {
    Taps t{0, 0, 0};
    for (int64_t k = taps; k-- > 0;) {
      const int64_t at = o * scale + shift + k * step;
      if (at >= 0 && at % divisor == 0 && at / divisor < inputs)
        t = {k, t.count + 1, at / divisor};
    }
    return t;
  }
};

// Outputs first, first + divisor, .. of a row that are computed together.
struct Strip {
  int64_t first, count;
  Taps taps;
};

// How rows of pixels with contiguous channels are computed: all channels of an image, or a vector of them.
struct Strips {
  DepthwiseAxis rows, columns;
  int64_t pixel; // floats from one pixel to the next
  int64_t pitch; // of weights [tap][pitch], whole vectors
  int64_t KW, count = 0;
  Strip *list = nullptr;

  // As the convolution is computed, or as its gradient for the input is.
  Strips(const Conv2d &g, bool adjoint, int64_t pixel, int64_t pitch) : pixel(pixel), pitch(pitch), KW(g.KW) {
    if (adjoint) {
      rows = {g.OH, g.H, g.KH, 1, g.pad_h, -g.dilation_h, g.stride_h};
      columns = {g.OW, g.W, g.KW, 1, g.pad_w, -g.dilation_w, g.stride_w};
    } else {
      rows = {g.H, g.OH, g.KH, g.stride_h, -g.pad_h, g.dilation_h, 1};
      columns = {g.W, g.OW, g.KW, g.stride_w, -g.pad_w, g.dilation_w, 1};
    }
  }
  // Cuts a row into strips whose outputs have the same taps; the list has room for one of every output.
  void cut(Strip *room) {
    list = room;
    for (int64_t phase = 0; phase < columns.divisor; ++phase)
      for (int64_t o = phase, step = columns.divisor; o < columns.outputs;) {
        const Taps taps = columns.taps_of(o);
        int64_t same = 1;
        for (; o + same * step < columns.outputs; ++same) {
          const Taps next = columns.taps_of(o + same * step);
          if (next.first != taps.first || next.count != taps.count)
            break;
        }
        for (int64_t parts = ceil_div(same, kStripPixels), part = 0; part < parts; ++part) {
          const int64_t begin = part * same / parts, end = (part + 1) * same / parts;
          list[count++] = {
              o + begin * step, end - begin, {taps.first, taps.count, taps.source + begin * columns.scale}};
        }
        o += same * step;
      }
  }
};

// What a strip reads and writes: its first taps, and the way to the next ones.
struct StripTaps {
  int64_t rows, columns;            // how many
  int64_t x_row, x_column, x_pixel; // floats of x from one tap, and one output, to the next
  int64_t w_row, w_column;          // floats of w from one tap to the next
  int64_t y_pixel;
};

template <int P, bool whole>
void filter_strip(const StripTaps &t, int64_t lanes, const float *x, const float *w, const float *bias, float *y) {
  using V = Vec<float>;
  V sum[P];
  const V start = bias ? V::load(bias) : V(0.0f);
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
    sum[p] = start;
  for (int64_t r = 0; r < t.rows; ++r) {
    const float *from = x + r * t.x_row, *weights = w + r * t.w_row;
    for (int64_t c = 0; c < t.columns; ++c, from += t.x_column, weights += t.w_column) {
      const V weight = V::load(weights);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p)
        sum[p] = multiply_add(whole ? V::load(from + p * t.x_pixel) : V::load_partial(from + p * t.x_pixel, lanes),
                              weight, sum[p]);
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
    whole ? sum[p].store(y + p * t.y_pixel) : sum[p].store_partial(y + p * t.y_pixel, lanes);
}

// w[tap] += the sum over the strip of dy * x
template <int P, bool whole>
void correlate_strip(const StripTaps &t, int64_t lanes, const float *x, const float *dy, float *w) {
  using V = Vec<float>;
  V d[P];
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
    d[p] = whole ? V::load(dy + p * t.y_pixel) : V::load_partial(dy + p * t.y_pixel, lanes);
  for (int64_t r = 0; r < t.rows; ++r) {
    const float *from = x + r * t.x_row;
    float *weights = w + r * t.w_row;
    for (int64_t c = 0; c < t.columns; ++c, from += t.x_column, weights += t.w_column) {
      V sum(0.0f);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p)
        sum = multiply_add(d[p], whole ? V::load(from + p * t.x_pixel) : V::load_partial(from + p * t.x_pixel, lanes),
                           sum);
      (V::load(weights) + sum).store(weights);
    }
  }
}

template <int P = kStripPixels, class F> CINTA_FN void with_pixels(int64_t pixels, F f) {
  if constexpr (P > 1)
    if (pixels < P)
      return with_pixels<P - 1>(pixels, f);
  f.template operator()<P>();
}

// f(taps, offset into x, into w, into y; pixels) for the strips of row o; x and y start at their row 0.
template <class F> CINTA_FN void for_strips(const Strips &s, int64_t o, F f) {
  const Taps rows = s.rows.taps_of(o);
  const int64_t x_row = s.columns.inputs * s.pixel;
  for (const Strip *strip = s.list; strip < s.list + s.count; ++strip) {
    const StripTaps t{rows.count,
                      strip->taps.count,
                      s.rows.apart * x_row,
                      s.columns.apart * s.pixel,
                      s.columns.scale * s.pixel,
                      s.rows.every * s.KW * s.pitch,
                      s.columns.every * s.pitch,
                      s.columns.divisor * s.pixel};
    f(t, rows.source * x_row + strip->taps.source * s.pixel, (rows.first * s.KW + strip->taps.first) * s.pitch,
      (o * s.columns.outputs + strip->first) * s.pixel, strip->count);
  }
}

// Row o of the outputs, channels [begin, end).
inline void filter_row(const Strips &s, int64_t o, int64_t begin, int64_t end, const float *x, const float *w,
                       const float *bias, float *y) {
  constexpr int W = Vec<float>::width;
  for_strips(s, o, [&](const StripTaps &t, int64_t x_at, int64_t w_at, int64_t y_at, int64_t pixels) {
    with_pixels(pixels, [&]<int P>() {
      int64_t c = begin;
      for (; c + W <= end; c += W)
        filter_strip<P, true>(t, W, x + x_at + c, w + w_at + c, bias ? bias + c : nullptr, y + y_at + c);
      if (c < end)
        filter_strip<P, false>(t, end - c, x + x_at + c, w + w_at + c, bias ? bias + c : nullptr, y + y_at + c);
    });
  });
}

// What row o of dy adds to w, channels [begin, end).
inline void correlate_row(const Strips &s, int64_t o, int64_t begin, int64_t end, const float *x, const float *dy,
                          float *w) {
  constexpr int W = Vec<float>::width;
  for_strips(s, o, [&](const StripTaps &t, int64_t x_at, int64_t w_at, int64_t y_at, int64_t pixels) {
    with_pixels(pixels, [&]<int P>() {
      int64_t c = begin;
      for (; c + W <= end; c += W)
        correlate_strip<P, true>(t, W, x + x_at + c, dy + y_at + c, w + w_at + c);
      if (c < end)
        correlate_strip<P, false>(t, end - c, x + x_at + c, dy + y_at + c, w + w_at + c);
    });
  });
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
