// What a kernel meets at its place. Channels are contiguous, so that a window is few and long runs of an image.
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {
namespace {

// In the order of the taps of one group: visit(elements, where they are in the image, or -1 outside it).
template <class F>
CINTA_FN void visit_window(const LocallyConnected &g, int64_t group, int64_t i, int64_t j, const F &visit) {
  const int64_t channels = g.C / g.groups, first = group * channels;
  const bool whole_rows = g.groups == 1 && g.dilation_w == 1;
  const int64_t run = whole_rows ? g.KW : 1, runs = whole_rows ? 1 : g.KW;
  for (int64_t kh = 0; kh < g.KH; ++kh) {
    const int64_t h = i * g.stride_h + kh * g.dilation_h - g.pad_h;
    if (h < 0 || h >= g.H) {
      visit(g.KW * channels, int64_t(-1));
      continue;
    }
    for (int64_t r = 0; r < runs; ++r) {
      const int64_t w = j * g.stride_w + r * g.dilation_w - g.pad_w;
      const int64_t begin = w < 0 ? (-w < run ? -w : run) : 0;
      const int64_t end = w + run > g.W ? (g.W - w > begin ? g.W - w : begin) : run;
      if (begin > 0)
        visit(begin * channels, int64_t(-1));
      if (end > begin)
        visit((end - begin) * channels, (h * g.W + w + begin) * g.C + first);
      if (end < run)
        visit((run - end) * channels, int64_t(-1));
    }
  }
}

// rows[n, tap] of images [0, images), rows `pitch` apart
template <class T> void gather_windows(const LocallyConnected &g, int64_t group, int64_t i, int64_t j, int64_t images,
                                       const T *x, T *rows, int64_t pitch) {
  const int64_t image = g.H * g.W * g.C;
  visit_window(
      g, group, i, j, [&](int64_t n, int64_t at) __attribute__((always_inline)) {
        for (int64_t b = 0; b < images; ++b)
          for_vectors<T>(0, n, [&](int64_t c, int64_t lanes) {
            store_some(at < 0 ? Vec<T>(T(0)) : load_some(x + b * image + at + c, lanes), rows + b * pitch + c, lanes);
          });
        rows += n;
      });
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
