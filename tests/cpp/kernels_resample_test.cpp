// Resampling, and maxima over windows given one by one, against the definition, at every level.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "cinta/kernels/dispatch.h"
#include "cinta/kernels/kernels.h"

using namespace cinta::kernels;

namespace {

struct Weights { // random ones, windows in order, some outputs of nothing
  std::vector<int64_t> first, count;
  std::vector<double> weights;
  int64_t taps = 3;
  Weights(int64_t size, int64_t out, std::mt19937 &random) : weights(size_t(out * 3)) {
    std::uniform_real_distribution<double> any(-1, 1);
    for (int64_t i = 0; i < out; ++i) {
      first.push_back(i * size / out);
      count.push_back(std::min<int64_t>((i + 1) % 4, size - first.back()));
      for (int64_t k = 0; k < taps; ++k)
        weights[size_t(i * taps + k)] = any(random);
    }
  }
};

template <class T> void check(const Table &table, int64_t images, int64_t channels, const int64_t (&rows)[2],
                              const int64_t (&columns)[2], bool both) {
  std::mt19937 random(1);
  const Weights down(rows[0], rows[1], random), across(columns[0], columns[1], random);
  const std::vector<T> w[2] = {{down.weights.begin(), down.weights.end()},
                               {across.weights.begin(), across.weights.end()}};
  const Resample g{images,
                   channels,
                   {rows[0], rows[1], both ? down.taps : 0, down.first.data(), down.count.data(), w[0].data()},
                   {columns[0], columns[1], across.taps, across.first.data(), across.count.data(), w[1].data()}};
  std::vector<T> x(size_t(images * rows[0] * columns[0] * channels)),
      y(size_t(images * rows[1] * columns[1] * channels));
  std::normal_distribution<double> normal;
  for (T &v : x)
    v = T(normal(random));
  table.resample[sizeof(T) == 8](g, x.data(), y.data());
  double worst = 0;
  for (int64_t n = 0; n < images; ++n)
    for (int64_t i = 0; i < rows[1]; ++i)
      for (int64_t j = 0; j < columns[1]; ++j)
        for (int64_t c = 0; c < channels; ++c) {
          double sum = 0;
          for (int64_t r = 0; r < (both ? down.count[size_t(i)] : 1); ++r)
            for (int64_t k = 0; k < across.count[size_t(j)]; ++k) {
              const int64_t h = both ? down.first[size_t(i)] + r : i, l = across.first[size_t(j)] + k;
              sum += (both ? double(w[0][size_t(i * 3 + r)]) : 1) * double(w[1][size_t(j * 3 + k)]) *
                     double(x[size_t(((n * rows[0] + h) * columns[0] + l) * channels + c)]);
            }
          const double got = double(y[size_t(((n * rows[1] + i) * columns[1] + j) * channels + c)]);
          worst = std::fmax(worst, std::fabs(got - sum));
        }
  CHECK(worst < (sizeof(T) == 8 ? 1e-13 : 2e-6));
}

} // namespace

TEST_CASE("resampling adds what its weights say, either axis first, in either memory order") {
  for (const std::string &isa : available_isas())
    for (int64_t channels : {1, 3, 40})
      for (bool grows : {true, false}) {
        CAPTURE(isa);
        CAPTURE(channels);
        const Table &table = table_of(isa.c_str());
        check<float>(table, 3, channels, {grows ? 7 : 19, grows ? 19 : 7}, {11, 35}, true);
        check<double>(table, 2, channels, {5, grows ? 9 : 3}, {35, 11}, true);
        check<float>(table, 2, channels, {6, 6}, {17, 33}, false);
      }
}

TEST_CASE("windows given one by one: the first of equals, NaN above all, another set for every plane") {
  std::mt19937 random(2);
  for (const std::string &isa : available_isas())
    for (int64_t step : {0, 2 * (6 + 37)})
      for (bool with_nan : {false, true}) {
        CAPTURE(isa);
        Pool2d g{};
        g.images = 3, g.channels = 1, g.H = 9, g.W = 50, g.OH = 6, g.OW = 37, g.KH = 3, g.KW = 4, g.dilation_h = 1;
        g.dilation_w = 1, g.window_step = step;
        std::vector<int64_t> windows;
        for (int64_t set = 0; set < 3; ++set) {
          std::vector<int64_t> ends;
          for (int64_t i = 0; i < g.OH + g.OW; ++i) {
            const int64_t begin = i < g.OH ? i + set % 2 : (i - g.OH) + (i + set) % 3 / 2 * 4;
            windows.push_back(begin);
            ends.push_back(begin + 1 + int64_t(random() % size_t(i < g.OH ? g.KH : g.KW)));
          }
          windows.insert(windows.end(), ends.begin(), ends.end());
        }
        for (int64_t set = 0; set < 3; ++set) // ends in order, as kernels expect
          for (int64_t i = 1; i < g.OH; ++i) {
            int64_t *end = windows.data() + set * 2 * (g.OH + g.OW) + g.OH + g.OW;
            end[i] = std::max(end[i], end[i - 1]);
          }
        g.windows = windows.data();
        std::vector<float> x(size_t(3 * g.H * g.W)), y(size_t(3 * g.OH * g.OW)), place(y.size()), dx(x.size());
        for (float &v : x)
          v = with_nan && random() % 9 == 0 ? NAN : float(random() % 5);
        std::vector<float> dy(y.size());
        for (float &v : dy)
          v = float(random() % 7);
        const Table &table = table_of(isa.c_str());
        table.max_pool[0](g, x.data(), y.data(), place.data());
        table.max_pool_vjp[0](g, place.data(), dy.data(), dx.data());
        std::vector<float> dx_expected(x.size());
        bool same = true;
        for (int64_t p = 0; p < 3; ++p)
          for (int64_t i = 0; i < g.OH; ++i)
            for (int64_t j = 0; j < g.OW; ++j) {
              const int64_t *w = windows.data() + p * step, *e = w + g.OH + g.OW;
              float most = -INFINITY;
              int64_t tap = 0, best = 0;
              for (int64_t h = w[i]; h < e[i]; ++h)
                for (int64_t c = w[g.OH + j]; c < e[g.OH + j]; ++c)
                  if (const float v = x[size_t((p * g.H + h) * g.W + c)]; v > most || std::isnan(v))
                    most = v, tap = (h - w[i]) * g.KW + c - w[g.OH + j], best = (p * g.H + h) * g.W + c;
              const size_t at = size_t((p * g.OH + i) * g.OW + j);
              same &= (y[at] == most || (std::isnan(most) && std::isnan(y[at]))) && place[at] == float(tap);
              dx_expected[size_t(best)] += dy[at];
            }
        CHECK(same);
        CHECK(dx == dx_expected);
      }
}
