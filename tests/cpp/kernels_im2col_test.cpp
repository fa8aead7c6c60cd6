// The im2col matrix of planes and its adjoint on every level against plain loops.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

struct Axis {
  int64_t size, kernel, stride, pad, dilation;
  int64_t out() const { return (size + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1; }
};

Conv2d geometry(int64_t C, const Axis &h, const Axis &w) {
  Conv2d g{};
  g.C = C, g.H = h.size, g.W = w.size, g.KH = h.kernel, g.KW = w.kernel, g.OH = h.out(), g.OW = w.out();
  g.stride_h = h.stride, g.stride_w = w.stride, g.pad_h = h.pad, g.pad_w = w.pad;
  g.dilation_h = h.dilation, g.dilation_w = w.dilation;
  g.x_batch = C * g.H * g.W + 7; // images lie apart
  return g;
}

// Every stride with rows shorter than a vector, of just one, and of several; taps that see nothing but padding.
const Conv2d kShapes[] = {
    geometry(3, {6, 3, 2, 1, 1}, {6, 3, 1, 2, 1}),   geometry(2, {5, 2, 1, 0, 2}, {40, 5, 1, 2, 2}),
    geometry(1, {4, 1, 1, 0, 1}, {16, 1, 1, 0, 1}),  geometry(2, {3, 3, 1, 1, 1}, {1, 6, 1, 3, 1}),
    geometry(3, {7, 2, 2, 1, 1}, {9, 3, 2, 1, 1}),   geometry(2, {4, 3, 3, 2, 1}, {65, 4, 2, 3, 2}),
    geometry(1, {2, 2, 1, 1, 1}, {32, 2, 2, 0, 1}),  geometry(2, {1, 1, 1, 0, 1}, {33, 1, 2, 0, 1}),
    geometry(2, {5, 3, 1, 1, 1}, {50, 5, 3, 4, 1}),  geometry(1, {3, 5, 2, 4, 1}, {3, 9, 4, 8, 1}),
    geometry(1, {2, 1, 1, 0, 1}, {2, 11, 2, 10, 1}),
};

// visit(element of the images, element of the matrix) for all that lie inside
template <class F> void elements(const Conv2d &g, int64_t images, int64_t first, int64_t last, int64_t pitch, F visit) {
  for (int64_t n = 0; n < images; ++n)
    for (int64_t c = 0; c < g.C; ++c)
      for (int64_t kh = 0; kh < g.KH; ++kh)
        for (int64_t kw = 0; kw < g.KW; ++kw)
          for (int64_t i = first; i < last; ++i)
            for (int64_t j = 0; j < g.OW; ++j) {
              const int64_t h = i * g.stride_h + kh * g.dilation_h - g.pad_h;
              const int64_t w = j * g.stride_w + kw * g.dilation_w - g.pad_w;
              if (h >= 0 && h < g.H && w >= 0 && w < g.W)
                visit(n * g.x_batch + (c * g.H + h) * g.W + w,
                      ((c * g.KH + kh) * g.KW + kw) * pitch + (n * (last - first) + i - first) * g.OW + j);
            }
}

template <class T> std::vector<T> numbers(int64_t n) {
  std::mt19937 engine(1);
  std::vector<T> x(static_cast<size_t>(n));
  for (T &e : x)
    e = T(int(engine() % 1000) - 500); // sums are exact
  return x;
}

template <class T> void check(const Table &table, int compute, const Conv2d &g, int64_t first, int64_t last) {
  const int64_t images = 3, columns = images * (last - first) * g.OW, pitch = columns + 3;
  const int64_t rows = g.C * g.KH * g.KW, size = images * g.x_batch;
  std::vector<T> x = numbers<T>(size);
  x[0] = std::numeric_limits<T>::infinity(); // beside a zero of the padding, say
  const T untouched = T(-7777);

  std::vector<T> matrix(size_t(rows * pitch), untouched), expected = matrix;
  for (int64_t r = 0; r < rows; ++r)
    std::fill_n(expected.begin() + r * pitch, columns, T(0));
  elements(g, images, first, last, pitch, [&](int64_t of_x, int64_t at) { expected[size_t(at)] = x[size_t(of_x)]; });
  table.im2col_planes[compute](g, images, x.data(), first, last, matrix.data(), pitch);
  CHECK(matrix == expected);

  matrix = numbers<T>(rows * pitch);
  std::vector<T> sums = numbers<T>(size), sums_expected = sums;
  elements(g, images, first, last, pitch,
           [&](int64_t of_x, int64_t at) { sums_expected[size_t(of_x)] += matrix[size_t(at)]; });
  table.col2im_planes[compute](g, images, matrix.data(), pitch, first, last, sums.data());
  CHECK(sums == sums_expected);
}

// Images side by side: the same as planes of one after the other, in another order.
template <class T> void check_woven(const Table &table, int compute, Conv2d g, int64_t images) {
  g.x_batch = g.C * g.H * g.W;
  const int64_t size = g.x_batch, places = g.OH * g.OW, rows = g.C * g.KH * g.KW, pitch = images * places;
  std::vector<T> x = numbers<T>(size * images), expected(size_t(rows * pitch), T(0)), matrix = expected;
  x[0] = std::numeric_limits<T>::infinity();
  const auto woven = [&](int64_t at) { return at % size * images + at / size; };
  const auto column = [&](int64_t at) { // of the matrix, from image by image
    const int64_t n = at % pitch / places, place = at % places;
    return at / pitch * pitch + place * images + n;
  };
  elements(g, images, 0, g.OH, pitch,
           [&](int64_t of_x, int64_t at) { expected[size_t(column(at))] = x[size_t(woven(of_x))]; });
  table.im2col_woven[compute](g, images, x.data(), matrix.data());
  CHECK(matrix == expected);

  matrix = numbers<T>(rows * pitch);
  std::vector<T> sums = numbers<T>(size * images), sums_expected = sums;
  elements(g, images, 0, g.OH, pitch,
           [&](int64_t of_x, int64_t at) { sums_expected[size_t(woven(of_x))] += matrix[size_t(column(at))]; });
  table.col2im_woven[compute](g, images, matrix.data(), sums.data());
  CHECK(sums == sums_expected);
}

} // namespace

TEST_CASE("im2col of images side by side and its adjoint") {
  for (const std::string &isa : available_isas())
    for (const Conv2d &g : kShapes)
      for (int64_t images : {1, 7, 16, 33}) {
        CAPTURE(isa);
        CAPTURE(g.W);
        CAPTURE(images);
        check_woven<float>(table_of(isa.c_str()), 0, g, images);
        check_woven<double>(table_of(isa.c_str()), 1, g, images);
      }
}

TEST_CASE("im2col of planes and its adjoint") {
  for (const std::string &isa : available_isas())
    for (const Conv2d &g : kShapes)
      for (int64_t first : {int64_t(0), g.OH / 2}) {
        CAPTURE(isa);
        CAPTURE(g.W);
        CAPTURE(g.stride_w);
        CAPTURE(first);
        check<float>(table_of(isa.c_str()), 0, g, first, g.OH);
        check<double>(table_of(isa.c_str()), 1, g, first, g.OH);
      }
}
