// Statistics of units on every level against sums in long double, and the watch for numbers that are not finite.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"
#include "cinta/ops/elementwise.h"
#include "cinta/watch/finite.h"

using namespace cinta;

namespace {

template <class T> void check_statistics(const kernels::Table &table) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  for (auto [outer, units, inner] :
       {std::array<int64_t, 3>{3, 5, 1}, {1, 1, 1}, {2500, 37, 1}, {4, 3, 7}, {2, 6, 100}, {3, 2, 2049}, {1, 4, 33}}) {
    CAPTURE(units);
    CAPTURE(inner);
    std::vector<T> x(size_t(outer * units * inner));
    for (T &v : x)
      v = T(normal(random));
    std::vector<double> y(size_t(3 * units), -1);
    table.unit_statistics[sizeof(T) == 8]({outer, units, inner, -0.5, 1.25}, x.data(), y.data());
    for (int64_t u = 0; u < units; ++u) {
      long double sum = 0, squares = 0, outside = 0;
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t i = 0; i < inner; ++i) {
          const T v = x[size_t((o * units + u) * inner + i)];
          sum += v;
          squares += static_cast<long double>(v) * v;
          outside += v <= T(-0.5) || v >= T(1.25);
        }
      const double close = (sizeof(T) == 8 ? 1e-13 : 1e-5) * double(outer * inner);
      CHECK(std::fabs(y[size_t(u)] - double(sum)) <= close);
      CHECK(std::fabs(y[size_t(units + u)] - double(squares)) <= close);
      CHECK(y[size_t(2 * units + u)] == double(outside));
    }
  }
}

Tensor filled(double value, Dtype dtype) { return full({3, 2}, value, dtype); }

} // namespace

TEST_SUITE("statistics") {
  TEST_CASE("sums, squares and counts on every level") {
    for (const std::string &isa : kernels::available_isas()) {
      CAPTURE(isa);
      check_statistics<float>(kernels::table_of(isa.c_str()));
      check_statistics<double>(kernels::table_of(isa.c_str()));
    }
  }

  TEST_CASE("the first result that is not finite is told, with its operation and operands") {
    std::vector<std::string> told;
    watch::FiniteWatch watch(true, [&](const watch::Fault &f) {
      CHECK(f.in.size() == 2);
      told.push_back(f.op);
    });
    const RecorderScope scope(&watch);
    CHECK_FALSE(recording());
    for (Dtype dtype : {Dtype::float32, Dtype::float64, Dtype::float16, Dtype::bfloat16}) {
      ops::multiply(filled(2, dtype), filled(3, dtype));
      CHECK(told.empty());
      ops::divide(filled(1, dtype), filled(0, dtype));
      CHECK(told == std::vector<std::string>{"divide"});
      told.clear();
    }
    ops::multiply(filled(1e200, Dtype::float64), filled(2, Dtype::float64)); // whose squares overflow
    CHECK(told.empty());
  }

  TEST_CASE("infinities pass where only NaN is looked for") {
    int told = 0;
    watch::FiniteWatch watch(false, [&](const watch::Fault &) { ++told; });
    const RecorderScope scope(&watch);
    const Tensor x = ops::divide(filled(1, Dtype::float32), filled(0, Dtype::float32));
    CHECK(told == 0);
    ops::subtract(x, x);
    CHECK(told == 1);
  }
}
