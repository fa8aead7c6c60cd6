// Convolution with fewer products, on every level that has it, in all directions and both memory orders.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"
#include "cinta/kernels/precision.h"

using namespace cinta::kernels;

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

Conv2d shape(int64_t N, int64_t C, int64_t H, int64_t W, int64_t O, int64_t pad_h, int64_t pad_w, int64_t KH = 3,
             int64_t KW = 3) {
  const int64_t OH = H + 2 * pad_h - KH + 1, OW = W + 2 * pad_w - KW + 1;
  return {N, C, H, W, O, KH, KW, OH, OW, 1, 1, pad_h, pad_w, 1, 1, C * H * W, O * OH * OW};
}

Floats normal(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> one(0, 1);
  Floats values(static_cast<size_t>(n));
  for (float &v : values)
    v = one(random);
  return values;
}

enum class Order { planes, channels_last };

Images images(Floats &data, int64_t C, int64_t H, int64_t W, Order order) {
  return {data.data(),
          order == Order::planes ? ImageStrides{C * H * W, H * W, W, 1} : ImageStrides{C * H * W, 1, W * C, C}};
}
double &at(Doubles &data, const ImageStrides &s, int64_t n, int64_t c, int64_t h, int64_t w) {
  return data[size_t(n * s.n + c * s.c + h * s.h + w * s.w)];
}

double relative(const Floats &got, const Doubles &expected) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference += (got[i] - expected[i]) * (got[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(difference / size);
}

struct Problem {
  Conv2d g;
  Order x_order, y_order;
  Floats x, w, bias, dy;
  ImageStrides xs, ys;
  Doubles y_expected, dx_expected, dw_expected;

  Problem(const Conv2d &shape, Order of_x, Order of_y)
      : g(shape), x_order(of_x), y_order(of_y), x(normal(g.N * g.x_batch, 1)), w(normal(g.O * g.C * g.KH * g.KW, 2)),
        bias(normal(g.O, 3)), dy(normal(g.N * g.y_batch, 4)), xs(images(x, g.C, g.H, g.W, of_x).strides),
        ys(images(dy, g.O, g.OH, g.OW, of_y).strides), y_expected(dy.size()), dx_expected(x.size()),
        dw_expected(w.size()) {
    const Doubles exact_x(x.begin(), x.end()), exact_dy(dy.begin(), dy.end());
    Doubles x64 = exact_x, dy64 = exact_dy;
    for (int64_t n = 0; n < g.N; ++n)
      for (int64_t o = 0; o < g.O; ++o)
        for (int64_t i = 0; i < g.OH; ++i)
          for (int64_t j = 0; j < g.OW; ++j) {
            double &y = at(y_expected, ys, n, o, i, j);
            const double dy_here = at(dy64, ys, n, o, i, j);
            y = double(bias[size_t(o)]);
            for (int64_t c = 0; c < g.C; ++c)
              for (int64_t k = 0; k < g.KH * g.KW; ++k) {
                const int64_t h = i + k / g.KW - g.pad_h, v = j + k % g.KW - g.pad_w;
                if (h < 0 || h >= g.H || v < 0 || v >= g.W)
                  continue;
                const size_t weight = size_t((o * g.C + c) * g.KH * g.KW + k);
                y += at(x64, xs, n, c, h, v) * double(w[weight]);
                at(dx_expected, xs, n, c, h, v) += dy_here * double(w[weight]);
                dw_expected[weight] += dy_here * at(x64, xs, n, c, h, v);
              }
          }
  }

  // y, dx, dw; false where a level says that the numbers are out of its range
  bool run(const Table &table, Floats &y, Floats &dx, Floats &dw) {
    y.assign(dy.size(), NAN), dx.assign(x.size(), NAN), dw.assign(w.size(), NAN);
    const Images xi = images(x, g.C, g.H, g.W, x_order), dyi = images(dy, g.O, g.OH, g.OW, y_order);
    return table.conv2d_strided(g, Direction::forward, xi, w.data(), bias.data(),
                                images(y, g.O, g.OH, g.OW, y_order)) &&
           table.conv2d_strided(g, Direction::backward_data, images(dx, g.C, g.H, g.W, x_order), w.data(), nullptr,
                                dyi) &&
           table.conv2d_strided(g, Direction::backward_weight, xi, dw.data(), nullptr, dyi);
  }
};

// The levels that take it by Winograd's products; a tile unit has ways of its own.
std::vector<std::string> levels() {
  std::vector<std::string> names;
  for (const std::string &isa : available_isas())
    if (table_of(isa.c_str()).conv2d_strided && isa != "amx")
      names.push_back(isa);
  return names;
}

} // namespace

TEST_CASE("kernels with fewer products agree with plain loops in every direction and order") {
  const Conv2d shapes[] = {
      shape(2, 32, 12, 12, 32, 1, 1),      shape(3, 37, 13, 9, 45, 1, 1),        shape(2, 24, 8, 33, 70, 0, 0),
      shape(5, 33, 7, 6, 80, 2, 2),        shape(40, 40, 4, 4, 130, 1, 1),       shape(1, 25, 1, 90, 31, 1, 1),
      shape(9, 90, 5, 7, 300, 1, 0),       shape(30, 200, 4, 4, 176, 1, 1),      shape(2, 37, 11, 12, 40, 2, 2, 5, 5),
      shape(2, 32, 9, 9, 48, 1, 0, 2, 4),  shape(1, 26, 15, 14, 60, 3, 4, 7, 9), shape(3, 48, 8, 8, 25, 0, 1, 5, 2),
      shape(2, 24, 9, 33, 30, 0, 2, 1, 5), shape(3, 96, 5, 17, 70, 0, 3, 1, 7),  shape(3, 240, 5, 8, 48, 0, 1, 1, 3),
      shape(2, 96, 13, 5, 70, 3, 0, 7, 1)};
  for (const std::string &isa : levels())
    for (const Conv2d &g : shapes)
      for (int orders = 0; orders < 4; ++orders) {
        if (g.KW == 1 && orders < 3) // planes cannot lie on their side
          continue;
        Problem problem(g, Order(orders % 2), Order(orders / 2));
        CAPTURE(isa);
        CAPTURE(g.C);
        CAPTURE(g.H);
        CAPTURE(g.O);
        CAPTURE(orders);
        Floats y, dx, dw;
        REQUIRE(problem.run(table_of(isa.c_str()), y, dx, dw));
        CHECK(relative(y, problem.y_expected) < 4.5e-7); // four outputs at a time: long sums only
        CHECK(relative(dx, problem.dx_expected) < 4.5e-7);
        CHECK(relative(dw, problem.dw_expected) < 3e-7);
      }
}

TEST_CASE("kernels with fewer products give the same bits on any number of threads") {
  for (const Conv2d &g : {shape(20, 64, 9, 14, 96, 1, 1), shape(8, 96, 4, 4, 640, 1, 1)})
    for (const std::string &isa : levels()) {
      Problem problem(g, Order::planes, Order::channels_last);
      Floats first[3], now[3];
      for (int threads : {1, 2, 3, 5}) {
        cinta::set_num_threads(threads);
        REQUIRE(problem.run(table_of(isa.c_str()), now[0], now[1], now[2]));
        for (int i = 0; i < 3; ++i) {
          if (threads == 1)
            first[i] = now[i];
          CHECK(std::memcmp(first[i].data(), now[i].data(), now[i].size() * sizeof(float)) == 0);
        }
      }
    }
}

TEST_CASE("numbers that the transforms would spoil are refused, in every direction") {
  const Conv2d g = shape(2, 32, 8, 8, 32, 1, 1);
  for (const std::string &isa : levels())
    for (float value : {INFINITY, -INFINITY, NAN, 3e38f, 1e37f}) {
      const Table &table = table_of(isa.c_str());
      Problem problem(g, Order::planes, Order::planes);
      Floats y, dx, dw;
      problem.x[700] = value;
      CHECK_FALSE(problem.run(table, y, dx, dw));
      problem.x[700] = 1;
      CHECK(problem.run(table, y, dx, dw));
      problem.dy[300] = value;
      CHECK_FALSE(problem.run(table, y, dx, dw));
      problem.dy[300] = 1;
      problem.w[40] = value;
      CHECK_FALSE(problem.run(table, y, dx, dw));
    }
}

TEST_CASE("shapes that do not pay are not taken") {
  const Table &table = table_of(levels().empty() ? "scalar" : levels().back().c_str());
  if (!table.conv2d_strided_fits)
    return;
  const auto takes = [&](const Conv2d &g, Direction direction = Direction::forward) {
    return table.conv2d_strided_fits(g, direction) != ResultOrder::none;
  };
  CHECK(takes(shape(8, 32, 8, 8, 32, 1, 1)));
  CHECK_FALSE(takes(shape(8, 3, 8, 8, 32, 1, 1)));  // few channels
  CHECK_FALSE(takes(shape(8, 32, 3, 3, 32, 1, 1))); // tiles beyond the image
  CHECK_FALSE(takes(shape(1, 32, 4, 4, 32, 1, 1))); // few tiles
  CHECK_FALSE(takes(shape(8, 32, 8, 8, 32, 3, 3), Direction::backward_data));
  Conv2d strided = shape(8, 32, 8, 8, 32, 1, 1);
  strided.stride_w = 2;
  CHECK_FALSE(takes(strided));
  const PrecisionScope scope(Precision::strict);
  CHECK_FALSE(takes(shape(8, 32, 8, 8, 32, 1, 1)));
}
