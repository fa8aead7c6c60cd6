// What the convolution kernels read: images in zero-padded planes, weights packed for one block of output channels.
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/cpu/vector/spaced.inl"
#include "cinta/kernels/cpu/vector/transpose.inl"

namespace cinta::kernels::CINTA_ISA {
namespace {

// The convolution that carries dy to dx.
inline Conv2d adjoint(const Conv2d &g) {
  Conv2d a = g;
  a.C = g.O, a.H = g.OH, a.W = g.OW, a.O = g.C, a.OH = g.H, a.OW = g.W;
  a.pad_h = (g.KH - 1) * g.dilation_h - g.pad_h, a.pad_w = (g.KW - 1) * g.dilation_w - g.pad_w;
  a.x_batch = g.y_batch, a.y_batch = g.x_batch;
  return a;
}

constexpr int64_t kSlack = 64; // floats read beyond the last plane: lanes whose results are dropped

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

// The share of lanes that do useful work, along output channels or along a row of pixels.
inline double lanes_used(int64_t n) {
  constexpr int W = Vec<float>::width;
  return double(n) / double(ceil_div(n, W) * W);
}
inline bool lanes_along_rows(const Conv2d &g) { return lanes_used(g.OW) > lanes_used(g.O); }

inline double cost_ns(const Conv2d &g) {
  return double(g.N * g.O * g.C * g.KH * g.KW * g.OH * g.OW) / (4.0 * Vec<float>::width);
}

// An image with its padding written out: C planes of rows x pitch. Columns that a stride parts lie apart, as phases, so
// that neighbouring outputs read neighbouring floats at any stride.
struct Planes {
  int64_t rows, pitch;
  int64_t stride, dilation_h, dilation_w, phase; // along a row; floats from one phase to the next
  int64_t step;                                  // from the corner of one output row to that of the next
  int64_t plane; // an odd number of cache lines, else the planes of one pixel would share a cache set
  int64_t image;

  Planes() = default;
  explicit Planes(const Conv2d &g) {
    stride = g.stride_w, dilation_h = g.dilation_h, dilation_w = g.dilation_w;
    rows = (g.OH - 1) * g.stride_h + (g.KH - 1) * g.dilation_h + 1;
    phase = g.OW + (g.KW - 1) * g.dilation_w / stride;
    pitch = phase * stride;
    step = pitch * g.stride_h;
    plane = (ceil_div(rows * pitch, 16) | 1) * 16;
    image = g.C * plane;
  }
  int64_t column(int64_t w) const { return w % stride * phase + w / stride; }
  int64_t tap(int64_t kh, int64_t kw) const { return kh * dilation_h * pitch + column(kw * dilation_w); }
};

inline void zero_floats(int64_t n, float *to) { __builtin_memset(to, 0, sizeof(float) * size_t(n)); }

inline void copy_floats(int64_t n, const float *from, float *to) {
  constexpr int W = Vec<float>::width;
  int64_t i = 0;
  for (; i + W <= n; i += W)
    Vec<float>::load(from + i).store(to + i);
  if (i < n)
    Vec<float>::load_partial(from + i, n - i).store_partial(to + i, n - i);
}

// f(channel's row of x, where it belongs in the planes) for the rows of an image that are read.
template <class F> CINTA_FN void for_rows_of(const Conv2d &g, const Planes &p, const float *x, float *image, F f) {
  const int64_t top = at_least(0, -g.pad_h), bottom = at_most(g.H, p.rows - g.pad_h);
  for (int64_t c = 0; c < g.C; ++c)
    for (int64_t h = top; h < bottom; ++h)
      f(x + (c * g.H + h) * g.W, image + c * p.plane + (h + g.pad_h) * p.pitch);
}

// Every p.stride-th column of an image, from `first` on, inside planes.
template <Step kStep>
CINTA_FN void fill_phase(const Conv2d &g, const Planes &p, const float *x, int64_t first, float *image) {
  const int64_t step = p.stride, right = at_most(g.W, p.pitch - g.pad_w);
  const int64_t n = at_least(0, ceil_div(right - first, step)), column = p.column(first + g.pad_w);
  for_rows_of(
      g, p, x, image, [&](const float *from, float *to) __attribute__((always_inline)) {
        if constexpr (kStep == Step::any) {
          for (int64_t i = 0; i < n; ++i)
            to[column + i] = from[first + i * step];
        } else {
          for_vectors<float>(0, n, [&](int64_t i, int64_t lanes) {
            load_spaced<kStep>(from + first + i * step, step, lanes).store_partial(to + column + i, lanes);
          });
        }
      });
}

// Copies image x inside planes whose border is zero already.
inline void fill_planes(const Conv2d &g, const Planes &p, const float *x, float *image) {
  const int64_t left = at_least(0, -g.pad_w), right = at_most(g.W, p.pitch - g.pad_w);
  if (p.stride == 1)
    return for_rows_of(g, p, x, image, [&](const float *from, float *to) {
      copy_floats(right - left, from + left, to + left + g.pad_w);
    });
  for (int64_t phase = 0; phase < p.stride; ++phase) {
    const int64_t first = left + (phase - (left + g.pad_w) % p.stride + p.stride) % p.stride;
    p.stride == 2 ? fill_phase<Step::two>(g, p, x, first, image) : fill_phase<Step::any>(g, p, x, first, image);
  }
}

// The kh that meet the image somewhere in output rows [row, row + rows).
inline void live_taps(const Conv2d &g, int64_t row, int64_t rows, int64_t &first, int64_t &last) {
  const int64_t low = g.pad_h - (row + rows - 1) * g.stride_h,
                high = g.pad_h + g.H - row * g.stride_h; // of kh * dilation_h
  first = low > 0 ? at_most(g.KH, ceil_div(low, g.dilation_h)) : 0;
  last = high > 0 ? at_least(first, at_most(g.KH, ceil_div(high, g.dilation_h))) : first;
}

// out[i * out_pitch + j] = in[j * in_pitch + i] for i < rows, j < cols.
inline void transpose_floats(int64_t rows, int64_t cols, const float *in, int64_t in_pitch, float *out,
                             int64_t out_pitch) {
  constexpr int W = Vec<float>::width;
  for (int64_t j = 0; j < cols; j += W)
    for (int64_t i = 0; i < rows; i += W) {
      const int64_t m = at_most(W, cols - j), n = at_most(W, rows - i);
      Vec<float> block[W];
      if (n == W)
        for (int l = 0; l < W; ++l)
          block[l] = l < m ? Vec<float>::load(in + (j + l) * in_pitch + i) : Vec<float>(0.0f);
      else
        for (int l = 0; l < W; ++l)
          block[l] = l < m ? Vec<float>::load_partial(in + (j + l) * in_pitch + i, n) : Vec<float>(0.0f);
      transpose(block);
      for (int l = 0; l < n; ++l)
        m == W ? block[l].store(out + (i + l) * out_pitch + j)
               : block[l].store_partial(out + (i + l) * out_pitch + j, m);
    }
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
