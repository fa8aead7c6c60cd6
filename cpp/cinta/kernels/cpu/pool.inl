// Pooling: images whose channels lie side by side, planes halved by 2x2 windows, planes with any window.
#include "cinta/kernels/cpu/vector/blocks.inl"
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/kernels.h"

// clang-format off
#define CINTA_QUOTE(path) #path
#define CINTA_HEADER(path) CINTA_QUOTE(path)
#include CINTA_HEADER(cinta/kernels/cpu/CINTA_ISA/pairs.h)
#undef CINTA_HEADER
#undef CINTA_QUOTE
// clang-format on

#include "cinta/kernels/cpu/pool/windows.inl"

#include "cinta/kernels/cpu/pool/channels.inl"
#include "cinta/kernels/cpu/pool/halves.inl"
#include "cinta/kernels/cpu/pool/regions.inl"
#include "cinta/kernels/cpu/pool/rows.inl"

namespace cinta::kernels::CINTA_ISA {
namespace {

// f(first plane, end) for blocks of planes.
template <class F> void for_planes(const Pool2d &g, double ns_per_element, const F &f) {
  const int64_t area = g.H * g.W + g.OH * g.OW, block = area > 0 && area < 1 << 14 ? (1 << 14) / area : 1;
  for_blocks(g.images, block, double(g.images * area) * ns_per_element, f);
}

// Means of whole planes are means of lines.
inline Pool2d unrolled(const Pool2d &g) {
  Pool2d line = g;
  if (g.channels == 1 && g.OH == 1 && g.OW == 1 && g.KH == g.H && g.KW == g.W && !g.pad_h && !g.pad_w) {
    line.H = line.KH = line.stride_h = 1;
    line.W = line.KW = line.stride_w = g.H * g.W;
  }
  return line;
}

template <class T> void average(const Pool2d &given, const void *x_, void *y_) {
  const T *x = static_cast<const T *>(x_);
  T *y = static_cast<T *>(y_);
  const Pool2d g = unrolled(given);
  if (g.channels > 1)
    return average_of_channels(g, x, y);
  const int64_t in = g.H * g.W, out = g.OH * g.OW;
  if (is_halving(g))
    return for_planes(g, 0.15, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        average_of_halves(g, x + p * in, y + p * out);
    });
  const Grid<T> grid(g, covered);
  for_planes(g, 0.1 * double(g.KH), [&](int64_t begin, int64_t end) {
    average_of_rows(g, grid, end - begin, x + begin * in, y + begin * out);
  });
}

template <class T> void average_vjp(const Pool2d &given, const void *dy_, void *dx_) {
  const T *dy = static_cast<const T *>(dy_);
  T *dx = static_cast<T *>(dx_);
  const Pool2d g = unrolled(given);
  if (g.channels > 1)
    return average_of_channels_vjp(g, dy, dx);
  const int64_t in = g.H * g.W, out = g.OH * g.OW;
  if (is_halving(g))
    return for_planes(g, 0.15, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        average_of_halves_vjp(g, dy + p * out, dx + p * in);
    });
  const Grid<T> grid(g, covering);
  for_planes(g, 0.3, [&](int64_t begin, int64_t end) {
    average_of_rows_vjp(g, grid, end - begin, dy + begin * out, dx + begin * in);
  });
}

template <class T> void maximum(const Pool2d &g, const void *x_, void *y_, void *place_) {
  const T *x = static_cast<const T *>(x_);
  T *y = static_cast<T *>(y_), *place = static_cast<T *>(place_);
  const int64_t in = g.H * g.W, out = g.OH * g.OW;
  const auto place_of = [=](int64_t p) { return place ? place + p * out : nullptr; };
  if (g.windows && g.channels == 1)
    return for_planes(g, 0.1 * double(g.KH * g.KW), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        maximum_of_regions(g, p, x + p * in, y + p * out, place_of(p));
    });
  if (g.channels > 1 || !in_phases(g))
    return maximum_of_channels(g, x, y, place);
  if (is_halving(g))
    return for_planes(g, 0.15, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        maximum_of_halves(g, x + p * in, y + p * out, place_of(p));
    });
  const Grid<T> grid(g, covered);
  for_planes(g, 0.1 * double(g.KH * g.KW), [&](int64_t begin, int64_t end) {
    maximum_of_rows(g, grid, end - begin, x + begin * in, y + begin * out, place_of(begin));
  });
}

template <class T> void maximum_vjp(const Pool2d &g, const void *place_, const void *dy_, void *dx_) {
  const T *place = static_cast<const T *>(place_), *dy = static_cast<const T *>(dy_);
  T *dx = static_cast<T *>(dx_);
  const int64_t in = g.H * g.W, out = g.OH * g.OW;
  if (g.windows && g.channels == 1)
    return for_planes(g, 0.7, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        maximum_of_regions_vjp(g, p, place + p * out, dy + p * out, dx + p * in);
    });
  if (g.channels > 1 || !in_phases(g))
    return maximum_of_channels_vjp(g, place, dy, dx);
  if (is_halving(g))
    return for_planes(g, 0.15, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        maximum_of_halves_vjp(g, place + p * out, dy + p * out, dx + p * in);
    });
  const Grid<T> grid(g, covering);
  for_planes(g, 0.1 * double(g.KH * g.KW), [&](int64_t begin, int64_t end) {
    maximum_of_rows_vjp(g, grid, end - begin, place + begin * out, dy + begin * out, dx + begin * in);
  });
}

} // namespace

void fill_pool(Table &table) {
  table.avg_pool[0] = average<float>, table.avg_pool[1] = average<double>;
  table.avg_pool_vjp[0] = average_vjp<float>, table.avg_pool_vjp[1] = average_vjp<double>;
  table.max_pool[0] = maximum<float>, table.max_pool[1] = maximum<double>;
  table.max_pool_vjp[0] = maximum_vjp<float>, table.max_pool_vjp[1] = maximum_vjp<double>;
}

} // namespace cinta::kernels::CINTA_ISA
