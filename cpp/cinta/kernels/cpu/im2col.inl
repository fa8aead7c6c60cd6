// The im2col matrix with a row for every output pixel, and its adjoint. Channels are contiguous, so that a row is made
// of long runs: a row of the kernel where all channels are taken, a tap otherwise.
#include "cinta/kernels/cpu/im2col/planes.inl"
#include "cinta/kernels/cpu/im2col/woven.inl"
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {
namespace {

// In the order of the matrix: visit(elements of the matrix, where they are in the image, or -1 outside it).
template <class F> CINTA_FN void visit_runs(const Conv2d &g, int64_t pixel, int64_t first, int64_t last, F visit) {
  const bool whole_rows = pixel == g.C && g.dilation_w == 1;
  const int64_t run = whole_rows ? g.KW : 1, runs = whole_rows ? 1 : g.KW;
  for (int64_t i = first; i < last; ++i)
    for (int64_t j = 0; j < g.OW; ++j)
      for (int64_t kh = 0; kh < g.KH; ++kh) {
        const int64_t h = i * g.stride_h + kh * g.dilation_h - g.pad_h;
        if (h < 0 || h >= g.H) {
          visit(g.KW * g.C, -1);
          continue;
        }
        for (int64_t r = 0; r < runs; ++r) {
          const int64_t w = j * g.stride_w + r * g.dilation_w - g.pad_w;
          const int64_t begin = w < 0 ? (-w < run ? -w : run) : 0;
          const int64_t end = w + run > g.W ? (g.W - w > begin ? g.W - w : begin) : run;
          if (begin > 0)
            visit(begin * g.C, -1);
          if (end > begin)
            visit((end - begin) * g.C, (h * g.W + w + begin) * pixel);
          if (end < run)
            visit((run - end) * g.C, -1);
        }
      }
}

template <class T>
void im2col_pixels(const Conv2d &g, int64_t pixel, const void *image, int64_t first, int64_t last, void *matrix) {
  const T *const x = static_cast<const T *>(image);
  T *to = static_cast<T *>(matrix);
  visit_runs(
      g, pixel, first, last, [&](int64_t n, int64_t at) __attribute__((always_inline)) {
        for_vectors<T>(0, n, [&](int64_t i, int64_t lanes) {
          store_some(at < 0 ? Vec<T>(T(0)) : load_some(x + at + i, lanes), to + i, lanes);
        });
        to += n;
      });
}

template <class T>
void col2im_pixels(const Conv2d &g, int64_t pixel, const void *matrix, int64_t first, int64_t last, void *image) {
  const T *from = static_cast<const T *>(matrix);
  T *const x = static_cast<T *>(image);
  visit_runs(
      g, pixel, first, last, [&](int64_t n, int64_t at) __attribute__((always_inline)) {
        if (at >= 0)
          for_vectors<T>(0, n, [&](int64_t i, int64_t lanes) {
            store_some(load_some(x + at + i, lanes) + load_some(from + i, lanes), x + at + i, lanes);
          });
        from += n;
      });
}

} // namespace

void fill_im2col(Table &table) {
  table.im2col_planes[0] = im2col_planes<float>;
  table.im2col_planes[1] = im2col_planes<double>;
  table.col2im_planes[0] = col2im_planes<float>;
  table.col2im_planes[1] = col2im_planes<double>;
  table.im2col_woven[0] = im2col_woven<float>;
  table.im2col_woven[1] = im2col_woven<double>;
  table.col2im_woven[0] = col2im_woven<float>;
  table.col2im_woven[1] = col2im_woven<double>;
  table.im2col_pixels[0] = im2col_pixels<float>;
  table.im2col_pixels[1] = im2col_pixels<double>;
  table.col2im_pixels[0] = col2im_pixels<float>;
  table.col2im_pixels[1] = col2im_pixels<double>;
}

} // namespace cinta::kernels::CINTA_ISA
