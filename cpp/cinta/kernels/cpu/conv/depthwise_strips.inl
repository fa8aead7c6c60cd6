// Depthwise convolution with lanes along channels: along a strip of outputs that have the same taps. Up to three by
// three weights stay in registers, larger kernels take eight outputs at a time. Taps outside the image are left out;
// any stride, dilation and kernel size will do, in every direction.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int kStripPixels = 8;  // sums in registers, of large kernels
constexpr int kStripPlaces = 64; // outputs for which weights stay in registers, of small ones: what they read is in L1

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
        list[count++] = {o, same, taps};
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
  int64_t pixels, height, x_down, y_down; // outputs of the strip; rows of outputs, and the way from one to the next
};

// Compilers would else keep a pointer or a multiple of the step for every tap, and spill them.
template <class T> CINTA_FN T stepped(T x) {
  asm("" : "+r"(x));
  return x;
}

template <bool whole> CINTA_FN Vec<float> load_lanes(const float *x, int64_t lanes) {
  return whole ? Vec<float>::load(x) : Vec<float>::load_partial(x, lanes);
}

// The next channels of a pixel: a strip runs across pixels, where hardware does not foresee it.
CINTA_FN void prefetch_next(const float *x) { __builtin_prefetch(x + Vec<float>::width); }

// R by K taps in registers.
template <int R, int K, bool whole> CINTA_FN void filter_small(const StripTaps &t, int64_t lanes, const float *x,
                                                               const float *w, const float *bias, float *y) {
  using V = Vec<float>;
  const V start = bias ? V::load(bias) : V(0.0f);
  V weight[R][K];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k)
      weight[r][k] = V::load(w + r * t.w_row + k * t.w_column);
  const int64_t x_pixel = t.x_pixel, x_column = t.x_column, y_pixel = t.y_pixel;
  for (int64_t row = 0; row < t.height; ++row) {
    const float *from[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
      from[r] = x + row * t.x_down + r * t.x_row;
    float *to = y + row * t.y_down;
    for (int64_t pixels = t.pixels; pixels > 0; --pixels, to += y_pixel) {
      prefetch_next(from[R - 1] + (K - 1) * x_column);
      prefetch_next(to);
      V sum = start;
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int k = 0; k < K; ++k)
          sum = multiply_add(load_lanes<whole>(from[r] + k * x_column, lanes), weight[r][k], sum);
        from[r] = stepped(from[r] + x_pixel);
      }
      whole ? sum.store(to) : sum.store_partial(to, lanes);
    }
  }
}

// w[tap] += the sum over the strip of dy * x
template <int R, int K, bool whole>
CINTA_FN void correlate_small(const StripTaps &t, int64_t lanes, const float *x, const float *dy, float *w) {
  using V = Vec<float>;
  V sum[R][K];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k)
      sum[r][k] = V(0.0f);
  const int64_t x_pixel = t.x_pixel, x_column = t.x_column, y_pixel = t.y_pixel;
  for (int64_t row = 0; row < t.height; ++row) {
    const float *from[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
      from[r] = x + row * t.x_down + r * t.x_row;
    const float *at = dy + row * t.y_down;
    for (int64_t pixels = t.pixels; pixels > 0; --pixels, at += y_pixel) {
      prefetch_next(from[R - 1] + (K - 1) * x_column);
      prefetch_next(at);
      const V d = load_lanes<whole>(at, lanes);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int k = 0; k < K; ++k)
          sum[r][k] = multiply_add(load_lanes<whole>(from[r] + k * x_column, lanes), d, sum[r][k]);
        from[r] = stepped(from[r] + x_pixel);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k) {
      float *to = w + r * t.w_row + k * t.w_column;
      (V::load(to) + sum[r][k]).store(to);
    }
}

// Any taps, P outputs.
template <int P, bool whole> CINTA_FN void filter_large(const StripTaps &t, int64_t lanes, const float *x,
                                                        const float *w, const float *bias, float *y) {
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
        sum[p] = multiply_add(load_lanes<whole>(from + p * t.x_pixel, lanes), weight, sum[p]);
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
    whole ? sum[p].store(y + p * t.y_pixel) : sum[p].store_partial(y + p * t.y_pixel, lanes);
}

template <int P, bool whole>
CINTA_FN void correlate_large(const StripTaps &t, int64_t lanes, const float *x, const float *dy, float *w) {
  using V = Vec<float>;
  V d[P];
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
    d[p] = load_lanes<whole>(dy + p * t.y_pixel, lanes);
  for (int64_t r = 0; r < t.rows; ++r) {
    const float *from = x + r * t.x_row;
    float *weights = w + r * t.w_row;
    for (int64_t c = 0; c < t.columns; ++c, from += t.x_column, weights += t.w_column) {
      V sum(0.0f);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p)
        sum = multiply_add(d[p], load_lanes<whole>(from + p * t.x_pixel, lanes), sum);
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

// f<P>(offset into x, into y) for runs of P outputs of a strip.
template <class F> CINTA_FN void for_pixels(const StripTaps &t, F f) {
  for (int64_t row = 0; row < t.height; ++row)
    for (int64_t p = 0; p < t.pixels; p += kStripPixels)
      with_pixels(t.pixels - p, [&]<int P>() {
        f.template operator()<P>(row * t.x_down + p * t.x_pixel, row * t.y_down + p * t.y_pixel);
      });
}

// small<R, K>() where there are R by K taps, else large().
template <class F, class G> CINTA_FN void with_taps(const StripTaps &t, F small, G large) {
  const int64_t rows = t.rows, columns = t.columns;
  if (rows < 1 || rows > 3 || columns < 1 || columns > 3)
    return large();
  if (rows == 1)
    columns == 1   ? small.template operator()<1, 1>()
    : columns == 2 ? small.template operator()<1, 2>()
                   : small.template operator()<1, 3>();
  else if (rows == 2)
    columns == 1   ? small.template operator()<2, 1>()
    : columns == 2 ? small.template operator()<2, 2>()
                   : small.template operator()<2, 3>();
  else
    columns == 1   ? small.template operator()<3, 1>()
    : columns == 2 ? small.template operator()<3, 2>()
                   : small.template operator()<3, 3>();
}

// f<whole>(first channel, lanes) for the vectors of channels [begin, end).
template <class F> CINTA_FN void for_channels(int64_t begin, int64_t end, F f) {
  constexpr int W = Vec<float>::width;
  int64_t c = begin;
  for (; c + W <= end; c += W)
    f.template operator()<true>(c, W);
  if (c < end)
    f.template operator()<false>(c, end - c);
}

// f(taps, offset into x, into w, into y) for the strips of rows [first, last): as many rows at a time as have the same
// taps, and fit in L1. x and y start at their row 0.
template <class F> CINTA_FN void for_strips(const Strips &s, int64_t first, int64_t last, F f) {
  const int64_t x_row = s.columns.inputs * s.pixel, y_row = s.columns.outputs * s.pixel;
  const int64_t most = s.rows.divisor > 1 ? 1 : at_least(1, kStripPlaces / s.columns.outputs);
  for (int64_t o = first, height; o < last; o += height) {
    const Taps rows = s.rows.taps_of(o);
    for (height = 1; height < most && o + height < last; ++height)
      if (const Taps next = s.rows.taps_of(o + height); next.first != rows.first || next.count != rows.count)
        break;
    for (const Strip *strip = s.list; strip < s.list + s.count; ++strip) {
      const StripTaps t{rows.count,
                        strip->taps.count,
                        s.rows.apart * x_row,
                        s.columns.apart * s.pixel,
                        s.columns.scale * s.pixel,
                        s.rows.every * s.KW * s.pitch,
                        s.columns.every * s.pitch,
                        s.columns.divisor * s.pixel,
                        strip->count,
                        height,
                        s.rows.scale * x_row,
                        y_row};
      f(t, rows.source * x_row + strip->taps.source * s.pixel, (rows.first * s.KW + strip->taps.first) * s.pitch,
        o * y_row + strip->first * s.pixel);
    }
  }
}

// Rows [first, last) of the outputs, channels [begin, end).
inline void filter_rows(const Strips &s, int64_t first, int64_t last, int64_t begin, int64_t end, const float *x,
                        const float *w, const float *bias, float *y) {
  for_strips(s, first, last, [&](const StripTaps &t, int64_t x_at, int64_t w_at, int64_t y_at) {
    with_taps(
        t,
        [&]<int R, int K>() {
          for_channels(begin, end, [&]<bool whole>(int64_t c, int64_t lanes) {
            filter_small<R, K, whole>(t, lanes, x + x_at + c, w + w_at + c, bias ? bias + c : nullptr, y + y_at + c);
          });
        },
        [&] {
          for_pixels(t, [&]<int P>(int64_t x_step, int64_t y_step) {
            for_channels(begin, end, [&]<bool whole>(int64_t c, int64_t lanes) {
              filter_large<P, whole>(t, lanes, x + x_at + x_step + c, w + w_at + c, bias ? bias + c : nullptr,
                                     y + y_at + y_step + c);
            });
          });
        });
  });
}

// What rows [first, last) of dy add to w, channels [begin, end).
inline void correlate_rows(const Strips &s, int64_t first, int64_t last, int64_t begin, int64_t end, const float *x,
                           const float *dy, float *w) {
  for_strips(s, first, last, [&](const StripTaps &t, int64_t x_at, int64_t w_at, int64_t y_at) {
    with_taps(
        t,
        [&]<int R, int K>() {
          for_channels(begin, end, [&]<bool whole>(int64_t c, int64_t lanes) {
            correlate_small<R, K, whole>(t, lanes, x + x_at + c, dy + y_at + c, w + w_at + c);
          });
        },
        [&] {
          for_pixels(t, [&]<int P>(int64_t x_step, int64_t y_step) {
            for_channels(begin, end, [&]<bool whole>(int64_t c, int64_t lanes) {
              correlate_large<P, whole>(t, lanes, x + x_at + x_step + c, dy + y_at + y_step + c, w + w_at + c);
            });
          });
        });
  });
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
