// The im2col matrix of images side by side, and its adjoint: lanes run along the images, so that no stride and no
// narrow row leaves any of them idle. Builds on planes.inl.

namespace cinta::kernels::CINTA_ISA {
namespace {

// In the order of the matrix: visit(elements of it, where they are in x, or -1 outside the image).
template <class F> CINTA_FN void visit_woven(const Conv2d &g, int64_t images, F visit) {
  visit_taps(
      g, [&](int64_t c, int64_t kh, int64_t shift, int64_t begin, int64_t end) __attribute__((always_inline)) {
        for (int64_t i = 0, h = kh * g.dilation_h - g.pad_h; i < g.OH; ++i, h += g.stride_h) {
          if (h < 0 || h >= g.H || begin == end) {
            visit(g.OW * images, -1);
            continue;
          }
          const int64_t row = (c * g.H + h) * g.W + shift;
          if (begin > 0)
            visit(begin * images, -1);
          if (g.stride_w == 1)
            visit((end - begin) * images, (row + begin) * images);
          else
            for (int64_t j = begin; j < end; ++j)
              visit(images, (row + j * g.stride_w) * images);
          if (end < g.OW)
            visit((g.OW - end) * images, -1);
        }
      });
}

template <class T> void im2col_woven(const Conv2d &g, int64_t images, const void *from, void *matrix) {
  const T *const x = static_cast<const T *>(from);
  T *to = static_cast<T *>(matrix);
  visit_woven(
      g, images, [&](int64_t n, int64_t at) __attribute__((always_inline)) {
        for_vectors<T>(0, n, [&](int64_t i, int64_t lanes) {
          store_some(at < 0 ? Vec<T>(T(0)) : load_some(x + at + i, lanes), to + i, lanes);
        });
        to += n;
      });
}

template <class T> void col2im_woven(const Conv2d &g, int64_t images, const void *matrix, void *to) {
  const T *from = static_cast<const T *>(matrix);
  T *const x = static_cast<T *>(to);
  visit_woven(
      g, images, [&](int64_t n, int64_t at) __attribute__((always_inline)) {
        if (at >= 0)
          for_vectors<T>(0, n, [&](int64_t i, int64_t lanes) {
            store_some(load_some(x + at + i, lanes) + load_some(from + i, lanes), x + at + i, lanes);
          });
        from += n;
      });
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
