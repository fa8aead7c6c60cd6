// The im2col matrix of some rows of the output, and its adjoint: cols[c KH KW + kh KW + kw, (i - first) OW + j] is
// x[c, i stride - pad + kh dilation, j stride - pad + kw dilation], zero outside the image. Rows of cols are `pitch`
// apart.
#pragma once
#include <algorithm>

#include "cinta/kernels/kernels.h"

namespace cinta::ops {

// visit(row of x, or none as nullptr; OW elements of cols; first output column inside; one past the last)
template <class T, class X, class F>
void visit_im2col(const kernels::Conv2d &g, X *x, int64_t first, int64_t last, T *cols, int64_t pitch, F visit) {
  for (int64_t c = 0; c < g.C; ++c)
    for (int64_t kh = 0; kh < g.KH; ++kh)
      for (int64_t kw = 0; kw < g.KW; ++kw) {
        const int64_t shift = kw * g.dilation_w - g.pad_w; // column of x under output column 0
        const int64_t begin = shift < 0 ? std::min(g.OW, (-shift + g.stride_w - 1) / g.stride_w) : 0;
        const int64_t end = shift < g.W ? std::clamp((g.W - shift + g.stride_w - 1) / g.stride_w, begin, g.OW) : begin;
        T *row = cols;
        cols += pitch;
        for (int64_t i = first; i < last; ++i, row += g.OW) {
          const int64_t h = i * g.stride_h + kh * g.dilation_h - g.pad_h;
          visit(h >= 0 && h < g.H ? x + (c * g.H + h) * g.W + shift : nullptr, row, begin, end);
        }
      }
}

template <class T>
void im2col(const kernels::Conv2d &g, const T *x, int64_t first, int64_t last, T *cols, int64_t pitch) {
  visit_im2col(g, x, first, last, cols, pitch, [&g](const T *from, T *to, int64_t begin, int64_t end) {
    if (!from || begin >= end)
      return void(std::fill(to, to + g.OW, T(0)));
    std::fill(to, to + begin, T(0));
    if (g.stride_w == 1)
      std::copy(from + begin, from + end, to + begin);
    else
      for (int64_t j = begin; j < end; ++j)
        to[j] = from[j * g.stride_w];
    std::fill(to + end, to + g.OW, T(0));
  });
}

// x += the adjoint of im2col, applied to cols
template <class T>
void col2im(const kernels::Conv2d &g, const T *cols, int64_t first, int64_t last, int64_t pitch, T *x) {
  visit_im2col(g, x, first, last, cols, pitch, [&g](T *to, const T *from, int64_t begin, int64_t end) {
    if (!to)
      return;
    if (g.stride_w == 1)
      for (int64_t j = begin; j < end; ++j)
        to[j] += from[j];
    else
      for (int64_t j = begin; j < end; ++j)
        to[j * g.stride_w] += from[j];
  });
}

} // namespace cinta::ops
