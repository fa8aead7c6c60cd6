// Pooling on every level against plain loops.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

Pool2d pool(int64_t images, int64_t H, int64_t W, int64_t OH, int64_t OW, int64_t kernel, int64_t stride,
            int64_t pad = 0, int64_t dilation = 1, bool count_include_pad = true, int64_t divisor = 0) {
  return {images, 1, H, W, OH, OW, kernel, kernel, stride, stride, pad, pad, dilation, dilation, count_include_pad,
          divisor};
}
Pool2d adaptive(int64_t images, int64_t H, int64_t W, int64_t OH, int64_t OW) {
  return {images, 1, H, W, OH, OW, H / OH + 2, W / OW + 2, 1, 1, 0, 0, 1, 1, false, 0, true};
}

// 2x2 side by side, of every width; then padding, overlap, gaps, dilation, wide steps, windows that hang over the end,
// whole planes, and windows of several sizes
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
                         pool(2, 23, 50, 8, 17, 3, 3, 1),
                         pool(2, 12, 13, 6, 7, 3, 2, 1, 2),
                         pool(2, 6, 6, 4, 4, 3, 2, 1, 1, true, 7),
                         pool(300, 21, 21, 1, 1, 21, 21),
                         pool(2, 21, 40, 4, 7, 6, 5, 2),
                         adaptive(2, 13, 10, 6, 7),
                         adaptive(3, 5, 3, 7, 4)};

// The same problem for images whose channels lie side by side.
Pool2d with_channels(Pool2d g, int64_t channels) {
  g.images = 2;
  g.channels = channels;
  return g;
}

struct Axis {
  int64_t size, out, kernel, stride, pad, dilation;
  bool adaptive;
  int64_t taps(int64_t i) const { return adaptive ? ((i + 1) * size + out - 1) / out - i * size / out : kernel; }
  int64_t at(int64_t i, int64_t tap) const { return (adaptive ? i * size / out : i * stride - pad) + tap * dilation; }
};

// visit(output, input, place in the window, counts of the window with and without padding), both anywhere in memory
template <class F> void elements(const Pool2d &g, F visit) {
  const Axis h{g.H, g.OH, g.KH, g.stride_h, g.pad_h, g.dilation_h, g.adaptive};
  const Axis w{g.W, g.OW, g.KW, g.stride_w, g.pad_w, g.dilation_w, g.adaptive};
  for (int64_t i = 0; i < g.OH; ++i)
    for (int64_t j = 0; j < g.OW; ++j) {
      int64_t inside = 0, padded = 0;
      for (int pass = 0; pass < 2; ++pass)
        for (int64_t r = 0; r < h.taps(i); ++r)
          for (int64_t c = 0; c < w.taps(j); ++c) {
            const int64_t y = h.at(i, r), x = w.at(j, c);
            const bool in = y >= 0 && y < g.H && x >= 0 && x < g.W;
            if (pass == 0) {
              inside += in;
              padded += y < g.H + g.pad_h && x < g.W + g.pad_w;
            } else if (in) {
              for (int64_t image = 0; image < g.images; ++image)
                for (int64_t k = 0; k < g.channels; ++k)
                  visit(size_t(((image * g.OH + i) * g.OW + j) * g.channels + k),
                        size_t(((image * g.H + y) * g.W + x) * g.channels + k), r * g.KW + c, padded, inside);
            }
          }
    }
}
int64_t inputs(const Pool2d &g) { return g.images * g.channels * g.H * g.W; }
int64_t outputs(const Pool2d &g) { return g.images * g.channels * g.OH * g.OW; }

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
  const std::vector<T> x = values<T>(inputs(g), 1), dy = values<T>(outputs(g), 2);
  std::vector<double> y_expected(dy.size()), dx_expected(x.size());
  elements(g, [&](size_t to, size_t from, int64_t, int64_t padded, int64_t inside) {
    const int64_t n = g.divisor_override ? g.divisor_override : g.count_include_pad ? padded : inside;
    y_expected[to] += double(x[from]) / double(n);
    dx_expected[from] += double(dy[to]) / double(n);
  });
  std::vector<T> y(dy.size(), T(NAN)), dx(x.size(), T(NAN));
  table.avg_pool[k](g, x.data(), y.data());
  table.avg_pool_vjp[k](g, dy.data(), dx.data());
  CHECK(worst(y, y_expected) < 1e-6);
  CHECK(worst(dx, dx_expected) < 1e-6);
}

template <class T> void check_maximum(const Table &table, const Pool2d &g, int k, bool with_nan) {
  std::vector<T> x = values<T>(inputs(g), 1), dy = values<T>(outputs(g), 2);
  if (with_nan)
    for (size_t i = 0; i < x.size(); i += 5)
      x[i] = T(NAN);
  std::vector<T> place_expected(dy.size(), T(-1)), place(dy.size(), T(-2)), expected(dy.size(), T(-INFINITY));
  std::vector<size_t> best(dy.size());
  elements(g, [&](size_t to, size_t from, int64_t tap, int64_t, int64_t) {
    if (place_expected[to] >= 0 && !(x[from] > expected[to]) && !std::isnan(x[from]))
      return;
    place_expected[to] = T(tap);
    expected[to] = x[from];
    best[to] = from;
  });
  std::vector<double> dx_expected(x.size());
  for (size_t i = 0; i < dy.size(); ++i)
    if (place_expected[i] >= 0)
      dx_expected[best[i]] += double(dy[i]);
  std::vector<T> y(dy.size()), only(dy.size()), dx(x.size(), T(NAN));
  table.max_pool[k](g, x.data(), y.data(), place.data());
  table.max_pool[k](g, x.data(), only.data(), nullptr);
  table.max_pool_vjp[k](g, place.data(), dy.data(), dx.data());
  CHECK(place == place_expected);
  bool same = true;
  for (size_t i = 0; i < y.size(); ++i)
    same &= std::isnan(expected[i]) ? std::isnan(y[i]) && std::isnan(only[i])
                                    : y[i] == expected[i] && only[i] == expected[i];
  CHECK(same);
  CHECK(worst(dx, dx_expected) < 1e-6);
}

template <class F> void each_problem(F check) {
  for (const std::string &isa : available_isas())
    for (const Pool2d &planes : kPools)
      for (int64_t channels : {1, 5, 70}) {
        const Pool2d g = channels == 1 ? planes : with_channels(planes, channels);
        CAPTURE(isa);
        CAPTURE(g.H);
        CAPTURE(g.W);
        CAPTURE(g.channels);
        check(table_of(isa.c_str()), g);
      }
}

} // namespace

TEST_CASE("average pooling counts what lies in the window, forwards and back") {
  each_problem([](const Table &table, const Pool2d &g) {
    if (g.dilation_h == 1) {
      check_average<float>(table, g, 0);
      check_average<double>(table, g, 1);
    }
  });
}

TEST_CASE("max pooling keeps the first of equals and lets NaN through") {
  each_problem([](const Table &table, const Pool2d &g) {
    for (bool with_nan : {false, true}) {
      check_maximum<float>(table, g, 0, with_nan);
      check_maximum<double>(table, g, 1, with_nan);
    }
  });
}
