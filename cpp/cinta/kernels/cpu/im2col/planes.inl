// The im2col matrix of planes, with a row for every tap of every channel, and its adjoint: lanes run along a row of the
// output, whose taps are neighbours in the image, every other element of it or, at wider strides, single ones.
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/kernels.h"

// clang-format off
#define CINTA_QUOTE(path) #path
#define CINTA_HEADER(path) CINTA_QUOTE(path)
#include CINTA_HEADER(cinta/kernels/cpu/CINTA_ISA/pairs.h)
#undef CINTA_HEADER
#undef CINTA_QUOTE
// clang-format on

namespace cinta::kernels::CINTA_ISA {
namespace {

template <class T> CINTA_FN Mask<T> lanes_between(int64_t begin, int64_t end) {
  constexpr int64_t W = Vec<T>::width;
  const auto lanes = [](int64_t n) { return Mask<T>::first_lanes(n < 0 ? 0 : n > W ? W : n); };
  return lanes(end) & !lanes(begin);
}

// Of every kStride-th element those between begin and end, zeros around them.
template <class T, int kStride> struct EveryElement {
  static_assert(kStride == 1 || kStride == 2);
  static constexpr int64_t W = Vec<T>::width;
  Mask<T> first, second;

  EveryElement() = default;
  CINTA_FN EveryElement(int64_t begin, int64_t end)
      : first(lanes_between<T>(kStride * begin, kStride * (end - 1) + 1)),
        second(lanes_between<T>(kStride * begin - W, kStride * (end - 1) + 1 - W)) {}
  CINTA_FN Vec<T> load(const T *x) const {
    const Vec<T> a = Vec<T>::load_masked(x, first);
    if constexpr (kStride == 1)
      return a;
    Vec<T> even, odd;
    split_pairs(a, second.any() ? Vec<T>::load_masked(x + W, second) : Vec<T>(T(0)), even, odd);
    return even;
  }
};

// A 1x1 kernel on whole images sees each as one row.
inline Conv2d longest_rows(const Conv2d &g, int64_t &first, int64_t &last) {
  Conv2d p = g;
  if (g.KH * g.KW == 1 && g.stride_h == 1 && g.stride_w == 1 && !g.pad_h && !g.pad_w && g.OW == g.W && first == 0 &&
      last == g.H) {
    p.W = p.OW = g.H * g.W, p.H = p.OH = 1;
    last = 1;
  }
  return p;
}

// visit(channel, kh, column of the image under output column 0, first output column inside, one past the last), in the
// order of the matrix
template <class F> CINTA_FN void visit_taps(const Conv2d &g, F visit) {
  const int64_t s = g.stride_w;
  for (int64_t c = 0; c < g.C; ++c)
    for (int64_t kh = 0; kh < g.KH; ++kh)
      for (int64_t kw = 0; kw < g.KW; ++kw) {
        const int64_t shift = kw * g.dilation_w - g.pad_w;
        const int64_t before = shift < 0 ? (-shift + s - 1) / s : 0,
                      inside = shift < g.W ? (g.W - shift + s - 1) / s : 0;
        const int64_t begin = before < g.OW ? before : g.OW, end = inside < g.OW ? inside : g.OW;
        visit(c, kh, shift, begin, end > begin ? end : begin);
      }
}

// visit(whether inside the image, element of x under output column 0, start of the row in the matrix), for all images
template <class F> CINTA_FN void visit_rows(const Conv2d &g, int64_t images, int64_t first, int64_t last, int64_t c,
                                            int64_t kh, int64_t shift, F visit) {
  const int64_t top = first * g.stride_h + kh * g.dilation_h - g.pad_h;
  for (int64_t n = 0, at = 0; n < images; ++n) {
    const int64_t plane = n * g.x_batch + c * g.H * g.W + shift;
    for (int64_t i = first, h = top; i < last; ++i, h += g.stride_h, at += g.OW)
      visit(h >= 0 && h < g.H, plane + h * g.W, at);
  }
}

// Rows of at most kVectors vectors, whose lanes are found once for all rows; 0: of any length.
template <class T, int kStride, int kVectors>
void im2col_rows(const Conv2d &g, int64_t images, const T *x, int64_t first, int64_t last, T *cols, int64_t pitch) {
  using Lanes = EveryElement<T, kStride>;
  constexpr int64_t W = Vec<T>::width;
  visit_taps(
      g, [&](int64_t c, int64_t kh, int64_t shift, int64_t begin, int64_t end) __attribute__((always_inline)) {
        Lanes inside[kVectors + 1]; // and, for long rows, all lanes
        for (int64_t v = 0; v < kVectors; ++v)
          inside[v] = Lanes(begin - v * W, end - v * W);
        inside[kVectors] = Lanes(0, W);
        const auto lanes_at = [&](int64_t j) __attribute__((always_inline)) {
          if constexpr (kVectors > 0)
            return inside[kVectors == 1 ? 0 : j / W];
          else
            return j >= begin && j + W <= end ? inside[0] : Lanes(begin - j, end - j);
        };
        const auto store_row = [&](bool in, int64_t from, int64_t to) __attribute__((always_inline)) {
          const auto store = [&](int64_t j, int64_t lanes) __attribute__((always_inline)) {
            store_some(in ? lanes_at(j).load(x + from + kStride * j) : Vec<T>(T(0)), cols + to + j, lanes);
          };
          if constexpr (kVectors == 1)
            store(0, g.OW);
          else
            for_vectors<T>(0, g.OW, store);
        };
        visit_rows(g, images, first, last, c, kh, shift, store_row);
        cols += pitch;
      });
}
template <class T, int kStride> CINTA_FN auto im2col_of(int64_t width) {
  constexpr int64_t W = Vec<T>::width;
  return width <= W       ? im2col_rows<T, kStride, 1>
         : width <= 2 * W ? im2col_rows<T, kStride, 2>
                          : im2col_rows<T, kStride, 0>;
}

template <class T>
void im2col_elements(const Conv2d &g, int64_t images, const T *x, int64_t first, int64_t last, T *cols, int64_t pitch) {
  visit_taps(
      g, [&](int64_t c, int64_t kh, int64_t shift, int64_t begin, int64_t end) __attribute__((always_inline)) {
        visit_rows(g, images, first, last, c, kh, shift, [&](bool in, int64_t from, int64_t to) {
          T *const row = cols + to;
          const int64_t inner = in ? begin : g.OW;
          for (int64_t j = 0; j < inner; ++j)
            row[j] = T(0);
          for (int64_t j = inner; j < (in ? end : inner); ++j)
            row[j] = x[from + j * g.stride_w];
          for (int64_t j = in ? end : inner; j < g.OW; ++j)
            row[j] = T(0);
        });
        cols += pitch;
      });
}

template <class T> void im2col_planes(const Conv2d &g, int64_t images, const void *x, int64_t first, int64_t last,
                                      void *cols, int64_t pitch) {
  const Conv2d p = longest_rows(g, first, last);
  const auto run = g.stride_w == 1   ? im2col_of<T, 1>(p.OW)
                   : g.stride_w == 2 ? im2col_of<T, 2>(p.OW)
                                     : im2col_elements<T>;
  run(p, images, static_cast<const T *>(x), first, last, static_cast<T *>(cols), pitch);
}

template <class T, int kStride> CINTA_FN void add_row(const T *from, int64_t n, int64_t stride, T *x) {
  constexpr int64_t W = Vec<T>::width;
  if constexpr (kStride == 1)
    for_vectors<T>(0, n, [&](int64_t j, int64_t lanes) {
      store_some(load_some(x + j, lanes) + load_some(from + j, lanes), x + j, lanes);
    });
  else if constexpr (kStride == 2)
    for_vectors<T>(0, n, [&](int64_t j, int64_t lanes) {
      Vec<T> a, b;
      join_pairs(load_some(from + j, lanes), Vec<T>(T(0)), a, b);
      T *const to = x + 2 * j;
      const int64_t span = 2 * lanes - 1; // the last pair's second may lie beyond the image
      store_some(load_some(to, span < W ? span : W) + a, to, span < W ? span : W);
      if (span > W)
        store_some(load_some(to + W, span - W) + b, to + W, span - W);
    });
  else
    for (int64_t j = 0; j < n; ++j)
      x[j * stride] += from[j];
}

template <class T, int kStride>
void col2im_rows(const Conv2d &g, int64_t images, const T *cols, int64_t pitch, int64_t first, int64_t last, T *x) {
  visit_taps(
      g, [&](int64_t c, int64_t kh, int64_t shift, int64_t begin, int64_t end) __attribute__((always_inline)) {
        if (begin < end)
          visit_rows(
              g, images, first, last, c, kh,
              shift, [&](bool in, int64_t to, int64_t from) __attribute__((always_inline)) {
                if (in)
                  add_row<T, kStride>(cols + from + begin, end - begin, g.stride_w, x + to + begin * g.stride_w);
              });
        cols += pitch;
      });
}

// Without strides: sums over the rows of the kernel first, aligned as they lie; those of its columns then meet,
// shifted, in registers. Adding row by row would load what was stored just before, at another offset.
template <class T>
void col2im_dense(const Conv2d &g, int64_t images, const T *cols, int64_t pitch, int64_t first, int64_t last, T *x) {
  using V = Vec<T>;
  constexpr int64_t W = V::width, kSums = (1 << 14) / sizeof(T); // in L1
  const int64_t KW = g.KW, OW = g.OW, image_row = g.W,
                above = KW * pitch - g.dilation_h * OW; // the next tap of a column
  const int64_t reach = (g.KW - 1) * g.dilation_w, left = reach > g.pad_w ? reach - g.pad_w : 0;
  const int64_t right = g.OW > g.W + g.pad_w ? g.OW : g.W + g.pad_w, row = (left + right + 2 * W - 1) / W * W;
  const int64_t fit = kSums / (g.KW * row), at_once = fit < 1 ? 1 : fit < g.H ? fit : g.H;
  const size_t bytes = sizeof(T) * size_t(g.KW * at_once * row);
  T *const sums = static_cast<T *>(scratch(Scratch::tile, bytes)); // [KW][rows][left zeros, OW sums, zeros]
  __builtin_memset(sums, 0, bytes);
  for (int64_t n = 0; n < images; ++n)
    for (int64_t c = 0; c < g.C; ++c)
      for (int64_t top = 0; top < g.H; top += at_once) {
        const int64_t bottom = top + at_once < g.H ? top + at_once : g.H;
        for (int64_t h = top; h < bottom; ++h) {
          const int64_t row_of_y = h + g.pad_h; // of the first tap; the others' lie above it
          const int64_t low = row_of_y - last + g.dilation_h, high = (row_of_y - first) / g.dilation_h + 1;
          const int64_t begin = low > 0 ? low / g.dilation_h : 0, end = row_of_y < first ? 0
                                                                        : high < g.KH    ? high
                                                                                         : g.KH;
          const T *from = cols + (c * g.KH + begin) * g.KW * pitch +
                          (n * (last - first) + row_of_y - begin * g.dilation_h - first) * g.OW;
          for (int64_t kw = 0; kw < KW; ++kw, from += pitch) {
            T *const sum = sums + (kw * at_once + h - top) * row + left;
            for_vectors<T>(0, OW, [&](int64_t j, int64_t lanes) {
              const T *at = from + j;
              V total(T(0));
              for (int64_t kh = begin; kh < end; ++kh, at += above)
                total += V::load_partial(at, lanes);
              total.store_partial(sum + j, lanes);
            });
          }
        }
        for (int64_t h = top; h < bottom; ++h) {
          T *const to = x + n * g.x_batch + (c * g.H + h) * g.W;
          const T *const sum = sums + (h - top) * row + left + g.pad_w;
          const int64_t next = at_once * row - g.dilation_w;
          for_vectors<T>(0, image_row, [&](int64_t j, int64_t lanes) {
            V total = load_some(to + j, lanes);
            for (int64_t kw = 0; kw < KW; ++kw)
              total += V::load(sum + kw * next + j);
            store_some(total, to + j, lanes);
          });
        }
      }
}

template <class T> void col2im_planes(const Conv2d &g, int64_t images, const void *cols, int64_t pitch, int64_t first,
                                      int64_t last, void *x) {
  const bool most_taps_live = g.KW > 1 && g.KW <= g.OW && g.KH > 1 && g.KH <= g.OH;
  if (g.stride_h == 1 && g.stride_w == 1 && most_taps_live)
    return col2im_dense<T>(g, images, static_cast<const T *>(cols), pitch, first, last, static_cast<T *>(x));
  const auto run = g.stride_w == 1 ? col2im_rows<T, 1> : g.stride_w == 2 ? col2im_rows<T, 2> : col2im_rows<T, 0>;
  const Conv2d p = longest_rows(g, first, last);
  run(p, images, static_cast<const T *>(cols), pitch, first, last, static_cast<T *>(x));
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
