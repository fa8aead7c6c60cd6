// Pooling on every level against plain loops.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

Pool2d pool(int64_t planes, int64_t H, int64_t W, int64_t OH, int64_t OW, int64_t kernel, int64_t stride,
            int64_t pad = 0, int64_t dilation = 1, bool count_include_pad = true, int64_t divisor = 0) {
  return {planes, H, W, OH, OW, kernel, kernel, stride, stride, pad, pad, dilation, dilation, count_include_pad,
          divisor};
}

// 2x2 side by side, of every width; then padding, overlap, gaps, dilation, and windows that hang over the end
const Pool2d kPools[] = {pool(3, 28, 28, 14, 14, 2, 2),
                         pool(5, 10, 10, 5, 5, 2, 2),
                         pool(2, 7, 9, 3, 4, 2, 2),
                         pool(2, 4, 70, 2, 35, 2, 2),
                         pool(1, 2, 2, 1, 1, 2, 2),
                         pool(2, 9, 66, 4, 33, 2, 2, 0, 1, true, 3),
                         pool(2, 9, 9, 5, 5, 2, 2, 0, 1, true),
                         pool(2, 9, 9, 5, 5, 2, 2, 0, 1, false),
                         pool(2, 11, 8, 11, 8, 3, 1, 1),
                         pool(2, 11, 8, 5, 4, 3, 2, 1, 1, false),
                         pool(3, 12, 13, 3, 3, 2, 5),
                         pool(2, 12, 13, 6, 7, 3, 2, 1, 2),
                         pool(2, 6, 6, 4, 4, 3, 2, 1, 1, true, 7)};

struct Axis {
  int64_t size, kernel, stride, pad, dilation;
  int64_t at(int64_t out, int64_t tap) const { return out * stride - pad + tap * dilation; }
};

// visit(output place, row, column, counts of the window with and without padding)
template <class F> void elements(const Pool2d &g, F visit) {
  const Axis h{g.H, g.KH, g.stride_h, g.pad_h, g.dilation_h}, w{g.W, g.KW, g.stride_w, g.pad_w, g.dilation_w};
  for (int64_t i = 0; i < g.OH; ++i)
    for (int64_t j = 0; j < g.OW; ++j) {
      int64_t inside = 0, padded = 0;
      for (int pass = 0; pass < 2; ++pass)
        for (int64_t r = 0; r < g.KH; ++r)
          for (int64_t c = 0; c < g.KW; ++c) {
            const int64_t y = h.at(i, r), x = w.at(j, c);
            const bool in = y >= 0 && y < g.H && x >= 0 && x < g.W;
            if (pass == 0) {
              inside += in;
              padded += y < g.H + g.pad_h && x < g.W + g.pad_w;
            } else if (in) {
              visit(i * g.OW + j, y * g.W + x, padded, inside);
            }
          }
    }
}

template <class T> std::vector<T> values(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> small(-4, 4); // ties in plenty
  std::vector<T> v(static_cast<size_t>(n));
  for (T &x : v)
    x = T(small(random)) / 2;
  return v;
}

template <class T> double worst(const std::vector<T> &a, const std::vector<double> &b) {
  double difference = 0;
  for (size_t i = 0; i < a.size(); ++i)
    difference = std::fmax(difference, std::isnan(a[i]) ? 1e30 : std::fabs(double(a[i]) - b[i]));
  return difference;
}

template <class T> void check_average(const Table &table, const Pool2d &g, int k) {
  const int64_t in = g.H * g.W, out = g.OH * g.OW;
  const std::vector<T> x = values<T>(g.planes * in, 1), dy = values<T>(g.planes * out, 2);
  std::vector<double> y_expected(dy.size()), dx_expected(x.size());
  for (int64_t p = 0; p < g.planes; ++p)
    elements(g, [&](int64_t to, int64_t from, int64_t padded, int64_t inside) {
      const int64_t n = g.divisor_override ? g.divisor_override : g.count_include_pad ? padded : inside;
      y_expected[size_t(p * out + to)] += double(x[size_t(p * in + from)]) / double(n);
      dx_expected[size_t(p * in + from)] += double(dy[size_t(p * out + to)]) / double(n);
    });
  std::vector<T> y(dy.size(), T(NAN)), dx(x.size(), T(NAN));
  table.avg_pool[k](g, x.data(), y.data());
  table.avg_pool_vjp[k](g, dy.data(), dx.data());
  CHECK(worst(y, y_expected) < 1e-6);
  CHECK(worst(dx, dx_expected) < 1e-6);
}

template <class T> void check_maximum(const Table &table, const Pool2d &g, int k, bool with_nan) {
  const int64_t in = g.H * g.W, out = g.OH * g.OW;
  std::vector<T> x = values<T>(g.planes * in, 1), dy = values<T>(g.planes * out, 2);
  if (with_nan)
    for (size_t i = 0; i < x.size(); i += 5)
      x[i] = T(NAN);
  std::vector<int64_t> index_expected(dy.size(), -1), index(dy.size(), -2);
  for (int64_t p = 0; p < g.planes; ++p)
    elements(g, [&](int64_t to, int64_t from, int64_t, int64_t) {
      int64_t &best = index_expected[size_t(p * out + to)];
      const T now = x[size_t(p * in + from)];
      if (best < 0 || now > x[size_t(p * in + best)] || std::isnan(now))
        best = from;
    });
  std::vector<T> y(dy.size()), only(dy.size()), dx(x.size(), T(NAN));
  std::vector<double> dx_expected(x.size());
  table.max_pool[k](g, x.data(), y.data(), index.data());
  table.max_pool[k](g, x.data(), only.data(), nullptr);
  table.max_pool_vjp[k](g, index.data(), dy.data(), dx.data());
  CHECK(index == index_expected);
  bool same = true;
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t plane = i / size_t(out) * size_t(in);
    const T expected = x[plane + size_t(index_expected[i])];
    same &= std::isnan(expected) ? std::isnan(y[i]) && std::isnan(only[i]) : y[i] == expected && only[i] == expected;
    dx_expected[plane + size_t(index_expected[i])] += double(dy[i]);
  }
  CHECK(same);
  CHECK(worst(dx, dx_expected) < 1e-6);
}

} // namespace

TEST_CASE("average pooling counts what lies in the window, forwards and back") {
  for (const std::string &isa : available_isas())
    for (const Pool2d &g : kPools)
      if (g.dilation_h == 1) {
        CAPTURE(isa);
        CAPTURE(g.W);
        check_average<float>(table_of(isa.c_str()), g, 0);
        check_average<double>(table_of(isa.c_str()), g, 1);
      }
}

TEST_CASE("max pooling keeps the first of equals and lets NaN through") {
  for (const std::string &isa : available_isas())
    for (const Pool2d &g : kPools)
      for (bool with_nan : {false, true}) {
        CAPTURE(isa);
        CAPTURE(g.W);
        check_maximum<float>(table_of(isa.c_str()), g, 0, with_nan);
        check_maximum<double>(table_of(isa.c_str()), g, 1, with_nan);
      }
}
