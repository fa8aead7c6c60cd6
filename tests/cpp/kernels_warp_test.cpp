// Warping on every level against plain loops, and the adjoint against the definition of one; no read beyond an image.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

Warp geometry(int64_t N, int64_t C, int64_t H, int64_t W, int64_t OH, int64_t OW, Border border, bool nearest) {
  Warp g{};
  g.N = N, g.C = C, g.H = H, g.W = W, g.OH = OH, g.OW = OW;
  g.border = border, g.nearest = nearest, g.fill = 0.75;
  return g;
}

int64_t pixel(int64_t i, int64_t n, Border border) { // -1: none
  if (border == Border::constant)
    return i >= 0 && i < n ? i : -1;
  if (border == Border::edge)
    return std::min(std::max<int64_t>(i, 0), n - 1);
  const bool twice = border == Border::symmetric;
  while (n > 1 && (i < 0 || i >= n))
    i = i < 0 ? -i - twice : 2 * n - 2 + twice - i;
  return n == 1 ? 0 : i;
}

struct Data {
  std::vector<double> matrices;
  std::vector<float> x, displacement;
  explicit Data(const Warp &g) {
    std::mt19937 engine(3);
    std::normal_distribution<double> normal;
    for (int64_t k = 0; k < 6 * g.N; ++k)
      matrices.push_back((k % 6 == 0 || k % 6 == 4 ? 1 : 0) + (k % 3 == 2 ? 3 : 0.4) * normal(engine));
    for (int64_t k = 0; k < g.N * g.C * g.H * g.W; ++k)
      x.push_back(float(normal(engine)));
    for (int64_t k = 0; k < 2 * g.N * g.OH * g.OW; ++k)
      displacement.push_back(float(3 * normal(engine)));
  }
};

// visit(element of y, element of x or -1, weight)
template <class F> void taps(const Warp &g, const Data &data, bool displaced, F visit) {
  for (int64_t n = 0; n < g.N; ++n)
    for (int64_t i = 0; i < g.OH; ++i)
      for (int64_t j = 0; j < g.OW; ++j) {
        const double *m = &data.matrices[size_t(6 * n)];
        const auto moved = [&](int64_t axis) {
          return displaced ? double(data.displacement[size_t(((2 * n + axis) * g.OH + i) * g.OW + j)]) : 0.0;
        };
        const double u = double(j) + moved(0), v = double(i) + moved(1), half = g.nearest ? 0.5 : 0;
        const double px = m[0] * u + m[1] * v + m[2], py = m[3] * u + m[4] * v + m[5];
        const int64_t left = int64_t(std::floor(px + half)), top = int64_t(std::floor(py + half));
        for (int64_t c = 0; c < g.C; ++c)
          for (int k = 0; k < (g.nearest ? 1 : 4); ++k) {
            const int64_t right = k % 2, down = k / 2;
            const int64_t row = pixel(top + down, g.H, g.border), column = pixel(left + right, g.W, g.border);
            const double weight =
                g.nearest ? 1 : (1 - std::abs(px - double(left + right))) * (1 - std::abs(py - double(top + down)));
            visit(((n * g.C + c) * g.OH + i) * g.OW + j,
                  row < 0 || column < 0 ? -1 : ((n * g.C + c) * g.H + row) * g.W + column, weight);
          }
      }
}

void check(const Table &table, const Warp &g, bool displaced) {
  const Data data(g);
  const float *d = displaced ? data.displacement.data() : nullptr;
  const auto outputs = size_t(g.N * g.C * g.OH * g.OW);
  std::vector<float> y(outputs, -99), dx(data.x.size(), -99);
  std::vector<double> expected(outputs, 0), gradient(data.x.size(), 0);
  table.warp[0](g, data.matrices.data(), d, data.x.data(), y.data());
  table.warp_vjp[0](g, data.matrices.data(), d, y.data(), dx.data());
  taps(g, data, displaced, [&](int64_t to, int64_t from, double weight) {
    expected[size_t(to)] += weight * (from < 0 ? g.fill : double(data.x[size_t(from)]));
    if (from >= 0)
      gradient[size_t(from)] += weight * double(y[size_t(to)]);
  });
  double worst = 0;
  for (size_t i = 0; i < outputs; ++i)
    worst = std::max(worst, std::abs(double(y[i]) - expected[i]));
  for (size_t i = 0; i < dx.size(); ++i)
    worst = std::max(worst, std::abs(double(dx[i]) - gradient[i]) / 10);
  CAPTURE(g.W);
  CAPTURE(int(g.border));
  CHECK(worst < 3e-5);
}

} // namespace

TEST_CASE("warp") {
  for (const std::string &isa : available_isas()) {
    CAPTURE(isa);
    for (const Border border : {Border::constant, Border::edge, Border::reflect, Border::symmetric})
      for (const bool nearest : {false, true})
        for (const bool displaced : {false, true}) {
          check(table_of(isa.c_str()), geometry(3, 2, 9, 11, 9, 11, border, nearest), displaced);
          check(table_of(isa.c_str()), geometry(2, 1, 5, 40, 7, 33, border, nearest), displaced);
          check(table_of(isa.c_str()), geometry(2, 3, 1, 1, 2, 17, border, nearest), displaced);
          check(table_of(isa.c_str()), geometry(1, 1, 2, 3, 1, 16, border, nearest), displaced);
        }
  }
}

TEST_CASE("places that are no numbers read no memory") {
  const double none = std::numeric_limits<double>::quiet_NaN(), far = std::numeric_limits<double>::infinity();
  for (const std::string &isa : available_isas())
    for (const Border border : {Border::constant, Border::edge, Border::reflect, Border::symmetric})
      for (const bool nearest : {false, true})
        for (const double place : {none, far, -far, 1e30, -1e30, 3e9}) {
          const Warp g = geometry(1, 1, 3, 4, 1, 20, border, nearest);
          const double matrix[] = {1, 0, place, 0, 1, place};
          std::vector<float> x(12, 2), y(20, -99), dx(12);
          const Table &table = table_of(isa.c_str());
          table.warp[0](g, matrix, nullptr, x.data(), y.data());
          table.warp_vjp[0](g, matrix, nullptr, y.data(), dx.data());
          for (float value : y)
            CHECK((std::isnan(value) || value == doctest::Approx(2) || value == doctest::Approx(0.75)));
        }
}
