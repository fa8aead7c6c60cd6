// The softmax family on every level against plain loops in double.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

template <class T> constexpr int kSlot = sizeof(T) == 8;
template <class T> constexpr double kTolerance = sizeof(T) == 8 ? 1e-14 : 4e-6; // x - max is rounded, too

template <class T> std::vector<T> normal(int64_t n, double size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> distribution(0, size);
  std::vector<T> values(static_cast<size_t>(n));
  for (T &x : values)
    x = T(distribution(random));
  return values;
}

template <class T> std::vector<double> log_softmax(const T *x, int64_t cols) {
  double most = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t c = 0; c < cols; ++c)
    most = std::fmax(most, double(x[c]));
  for (int64_t c = 0; c < cols; ++c)
    sum += std::exp(double(x[c]) - most);
  std::vector<double> y;
  for (int64_t c = 0; c < cols; ++c)
    y.push_back(double(x[c]) - most - std::log(sum));
  return y;
}

template <class T> void check_softmax(const Table &table, int64_t rows, int64_t cols) {
  CAPTURE(table.isa);
  CAPTURE(cols);
  const auto x = normal<T>(rows * cols, 5, 1), dy = normal<T>(rows * cols, 1, 2);
  std::vector<T> soft(x.size()), logs(x.size()), d_soft(x.size()), d_logs(x.size());
  table.softmax_rows[kSlot<T>](rows, cols, x.data(), soft.data());
  table.log_softmax_rows[kSlot<T>](rows, cols, x.data(), logs.data());
  table.softmax_rows_vjp[kSlot<T>](rows, cols, soft.data(), dy.data(), d_soft.data());
  table.log_softmax_rows_vjp[kSlot<T>](rows, cols, logs.data(), dy.data(), d_logs.data());
  double worst = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const std::vector<double> y = log_softmax(x.data() + r * cols, cols);
    double inner = 0, total = 0;
    for (int64_t c = 0; c < cols; ++c) {
      inner += std::exp(y[size_t(c)]) * double(dy[size_t(r * cols + c)]);
      total += double(dy[size_t(r * cols + c)]);
    }
    for (int64_t c = 0; c < cols; ++c) {
      const size_t i = size_t(r * cols + c);
      const double p = std::exp(y[size_t(c)]), size = 1 + std::fabs(total);
      worst = std::fmax(worst, std::fabs(double(soft[i]) - p) / p);
      worst = std::fmax(worst, std::fabs(double(logs[i]) - y[size_t(c)]) / (1 + std::fabs(y[size_t(c)])));
      worst = std::fmax(worst, std::fabs(double(d_soft[i]) - p * (double(dy[i]) - inner)));
      worst = std::fmax(worst, std::fabs(double(d_logs[i]) - (double(dy[i]) - p * total)) / size);
    }
  }
  CHECK(worst < kTolerance<T>);
}

template <class T> void check_cross_entropy(const Table &table, int64_t cols, double smoothing, bool weighted) {
  CAPTURE(table.isa);
  CAPTURE(cols);
  const int64_t rows = 21;
  const auto x = normal<T>(rows * cols, 3, 3), scale = normal<T>(rows, 1, 4);
  auto weight = normal<T>(cols, 1, 5);
  for (T &w : weight)
    w = std::fabs(w);
  std::vector<int64_t> target;
  for (int64_t r = 0; r < rows; ++r)
    target.push_back(r % 7 == 3 ? -100 : r % 5 == 4 ? -1 : (r * 13) % cols);
  const CrossEntropy ce{rows, cols, -100, smoothing, weighted ? weight.data() : nullptr, target.data()};
  std::vector<T> loss(static_cast<size_t>(rows)), logsumexp(loss), dx(x.size());
  table.cross_entropy_rows[kSlot<T>](ce, x.data(), loss.data(), logsumexp.data());
  table.cross_entropy_rows_vjp[kSlot<T>](ce, x.data(), logsumexp.data(), scale.data(), 1, dx.data());
  double worst = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const std::vector<double> y = log_softmax(x.data() + r * cols, cols);
    const int64_t t = target[size_t(r)];
    double expected = 0, total = 0;
    std::vector<double> q(static_cast<size_t>(cols), 0); // the loss is -sum of q_c log p_c
    for (int64_t c = 0; c < cols && t >= 0; ++c) {
      const double w = weighted ? double(weight[size_t(c)]) : 1;
      q[size_t(c)] = w * ((c == t ? 1 - smoothing : 0) + smoothing / double(cols));
      expected -= q[size_t(c)] * y[size_t(c)];
      total += q[size_t(c)];
    }
    worst = std::fmax(worst, std::fabs(double(loss[size_t(r)]) - expected) / (1 + expected));
    for (int64_t c = 0; c < cols; ++c) {
      const double d = double(scale[size_t(r)]) * (total * std::exp(y[size_t(c)]) - q[size_t(c)]);
      worst = std::fmax(worst, std::fabs(double(dx[size_t(r * cols + c)]) - d) / (1 + std::fabs(d)));
    }
  }
  CHECK(worst < kTolerance<T>);
}

} // namespace

TEST_CASE("softmax, log_softmax and their gradients") {
  for (const std::string &isa : available_isas())
    for (int64_t cols : {1, 2, 10, 16, 33, 100, 5000}) {
      check_softmax<float>(table_of(isa.c_str()), 9, cols);
      check_softmax<double>(table_of(isa.c_str()), 9, cols);
    }
}

TEST_CASE("cross_entropy with smoothing, weights and ignored rows") {
  for (const std::string &isa : available_isas())
    for (int64_t cols : {2, 10, 35, 1000})
      for (int variant = 0; variant < 4; ++variant) {
        check_cross_entropy<float>(table_of(isa.c_str()), cols, variant % 2 ? 0.1 : 0, variant >= 2);
        check_cross_entropy<double>(table_of(isa.c_str()), cols, variant % 2 ? 0.1 : 0, variant >= 2);
      }
}

TEST_CASE("softmax of huge and infinite values, and of nothing") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const std::string &isa : available_isas()) {
    float x[4] = {1e30f, -inf, 1e30f, -1e38f}, y[4] = {};
    table_of(isa.c_str()).softmax_rows[0](1, 4, x, y);
    CHECK((y[0] == 0.5f && y[1] == 0 && y[2] == 0.5f && y[3] == 0));
    table_of(isa.c_str()).softmax_rows[0](0, 4, x, y);
    table_of(isa.c_str()).softmax_rows[0](3, 0, x, y);
    CHECK(y[0] == 0.5f);
  }
}
