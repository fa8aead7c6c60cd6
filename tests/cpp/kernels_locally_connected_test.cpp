// Locally connected layers on every level against plain loops in double, in all three directions.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

struct Window {
  int64_t size, kernel, stride = 1, pad = 0, dilation = 1;
  int64_t places() const { return (size + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1; }
};

LocallyConnected geometry(int64_t N, int64_t C, int64_t O, Window down, Window along, int64_t groups = 1) {
  return {N,
          C,
          down.size,
          along.size,
          O,
          down.kernel,
          along.kernel,
          down.places(),
          along.places(),
          groups,
          down.stride,
          along.stride,
          down.pad,
          along.pad,
          down.dilation,
          along.dilation};
}

template <class T> std::vector<T> normal(int64_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> draw;
  std::vector<T> x;
  for (int64_t i = 0; i < n; ++i)
    x.push_back(T(draw(engine)));
  return x;
}

// visit(element of x, of w, of y) for every product
template <class F> void products(const LocallyConnected &g, F visit) {
  const int64_t channels = g.C / g.groups, outputs = g.O / g.groups;
  for (int64_t n = 0; n < g.N; ++n)
    for (int64_t i = 0; i < g.OH; ++i)
      for (int64_t j = 0; j < g.OW; ++j)
        for (int64_t o = 0; o < g.O; ++o)
          for (int64_t kh = 0; kh < g.KH; ++kh)
            for (int64_t kw = 0; kw < g.KW; ++kw) {
              const int64_t h = i * g.stride_h + kh * g.dilation_h - g.pad_h;
              const int64_t w = j * g.stride_w + kw * g.dilation_w - g.pad_w;
              if (h >= 0 && h < g.H && w >= 0 && w < g.W)
                for (int64_t c = 0; c < channels; ++c)
                  visit(((n * g.H + h) * g.W + w) * g.C + o / outputs * channels + c,
                        ((((i * g.OW + j) * g.O + o) * g.KH + kh) * g.KW + kw) * channels + c,
                        ((n * g.OH + i) * g.OW + j) * g.O + o);
            }
}

template <class T> void check_close(const std::vector<T> &got, const std::vector<double> &expected) {
  double worst = 0, largest = 1;
  for (size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::abs(double(got[i]) - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  CHECK(worst < (sizeof(T) == 4 ? 5e-6 : 1e-14) * largest);
}

template <class T> void check(const Table &table, const LocallyConnected &g, bool biased) {
  const int f = sizeof(T) == 8;
  const auto x = normal<T>(g.N * g.H * g.W * g.C, 1), dy = normal<T>(g.N * g.OH * g.OW * g.O, 2);
  const auto w = normal<T>(g.OH * g.OW * g.O * g.KH * g.KW * (g.C / g.groups), 3);
  const auto bias = normal<T>(g.O * g.OH * g.OW, 4);
  std::vector<T> y(dy.size(), -99), dx(x.size(), -99), dw(w.size(), -99);
  table.locally_connected_forward[f](g, x.data(), w.data(), biased ? bias.data() : nullptr, y.data());
  table.locally_connected_backward_data[f](g, dy.data(), w.data(), dx.data());
  table.locally_connected_backward_weight[f](g, x.data(), dy.data(), dw.data());
  std::vector<double> y0(y.size()), dx0(x.size()), dw0(w.size());
  for (size_t i = 0; i < y0.size() && biased; ++i) {
    const size_t o = i % size_t(g.O), place = i / size_t(g.O) % size_t(g.OH * g.OW);
    y0[i] = double(bias[o * size_t(g.OH * g.OW) + place]);
  }
  products(g, [&](int64_t at, int64_t of, int64_t to) {
    y0[size_t(to)] += double(x[size_t(at)]) * double(w[size_t(of)]);
    dx0[size_t(at)] += double(dy[size_t(to)]) * double(w[size_t(of)]);
    dw0[size_t(of)] += double(dy[size_t(to)]) * double(x[size_t(at)]);
  });
  check_close(y, y0);
  check_close(dx, dx0);
  check_close(dw, dw0);
}

} // namespace

TEST_CASE("locally connected") {
  const LocallyConnected shapes[] = {
      geometry(2, 3, 4, {6, 3}, {7, 2}),
      geometry(1, 1, 1, {1, 1}, {9, 4}),
      geometry(8, 16, 16, {7, 5}, {9, 3}),
      geometry(11, 4, 6, {9, 3, 2, 1}, {8, 3, 1, 2}, 2),
      geometry(3, 6, 6, {12, 3, 1, 2, 2}, {13, 2, 3, 0, 3}, 6),
      geometry(2, 2, 19, {3, 3, 1, 4}, {2, 2, 2, 5}),
      geometry(5, 5, 3, {23, 2}, {21, 2}),
      geometry(40, 100, 5, {9, 9}, {9, 9}), // the images in blocks
  };
  for (const std::string &isa : available_isas()) {
    CAPTURE(isa);
    for (const LocallyConnected &g : shapes) {
      CAPTURE(g.N);
      CAPTURE(g.C);
      check<float>(table_of(isa.c_str()), g, true);
      check<double>(table_of(isa.c_str()), g, false);
    }
  }
}

TEST_CASE("locally connected gradients past the caches") {
  const LocallyConnected g = geometry(2, 16, 16, {27, 5}, {27, 5}); // 13 MiB of weights
  for (const std::string &isa : available_isas())
    check<float>(table_of(isa.c_str()), g, true);
}

TEST_CASE("locally connected: the same bits on any number of threads") {
  const LocallyConnected g = geometry(3, 8, 8, {40, 5, 1, 2}, {41, 3, 2, 1});
  const auto x = normal<float>(g.N * g.H * g.W * g.C, 1), dy = normal<float>(g.N * g.OH * g.OW * g.O, 2);
  const auto w = normal<float>(g.OH * g.OW * g.O * g.KH * g.KW * g.C, 3);
  const int before = cinta::num_threads();
  for (const std::string &isa : available_isas()) {
    std::vector<float> results[2];
    for (const int threads : {1, 4}) {
      cinta::set_num_threads(threads);
      std::vector<float> y(dy.size()), dx(x.size()), dw(w.size());
      table_of(isa.c_str()).locally_connected_forward[0](g, x.data(), w.data(), nullptr, y.data());
      table_of(isa.c_str()).locally_connected_backward_data[0](g, dy.data(), w.data(), dx.data());
      table_of(isa.c_str()).locally_connected_backward_weight[0](g, x.data(), dy.data(), dw.data());
      for (const auto *part : {&y, &dx, &dw})
        results[threads > 1].insert(results[threads > 1].end(), part->begin(), part->end());
    }
    CHECK(results[0] == results[1]);
  }
  cinta::set_num_threads(before);
}
