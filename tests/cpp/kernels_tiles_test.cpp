// Integer kernels, tiles of every dtype, and reductions, on every level this CPU has.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

// In the order of cinta::Dtype.
enum { float32, float64, bfloat16, float16, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool_ };
constexpr int64_t kBytes[kDtypes] = {4, 8, 2, 2, 1, 2, 4, 8, 1, 2, 4, 8, 1};

double half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                      : exponent == 0 ? std::ldexp(fraction, -24)
                                      : std::ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -size : size;
}
bool same(double a, double b) { return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b); }

template <class T> std::vector<T> draw(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> one(0.5, 3);
  std::vector<T> x;
  for (int64_t i = 0; i < n; ++i)
    x.push_back(T(one(random)));
  return x;
}

} // namespace

TEST_CASE("integer division, powers and shifts neither trap nor surprise") {
  const int64_t low = std::numeric_limits<int64_t>::min();
  const struct {
    BinaryOp op;
    int64_t a, b, y;
  } rows[] = {{BinaryOp::FloorDivide, -7, 2, -4},
              {BinaryOp::FloorDivide, 7, 0, 0},
              {BinaryOp::FloorDivide, low, -1, low},
              {BinaryOp::Remainder, -7, 3, 2},
              {BinaryOp::Remainder, 7, -3, -2},
              {BinaryOp::Remainder, low, -1, 0},
              {BinaryOp::Fmod, -7, 3, -1},
              {BinaryOp::Fmod, 5, 0, 0},
              {BinaryOp::Pow, -3, 5, -243},
              {BinaryOp::Pow, 2, -1, 0},
              {BinaryOp::Pow, -1, -3, -1},
              {BinaryOp::LeftShift, 1, 64, 0},
              {BinaryOp::LeftShift, -1, 63, low},
              {BinaryOp::RightShift, -8, 1, -4},
              {BinaryOp::RightShift, -8, 99, -1},
              {BinaryOp::Mul, low, -1, low},
              {BinaryOp::Add, low, -1, std::numeric_limits<int64_t>::max()}};
  for (const std::string &isa : available_isas())
    for (const auto &row : rows) {
      int64_t y = 0;
      table_of(isa.c_str()).binary[int(row.op)][int(Compute::i64)](1, &row.a, 1, &row.b, 1, &y);
      CHECK_MESSAGE(y == row.y, isa, " op ", int(row.op), " (", row.a, ", ", row.b, ")");
    }
}

TEST_CASE("float16 and bfloat16 are read exactly and rounded to the nearest, halves to even") {
  for (const std::string &isa : available_isas()) {
    const Table &table = table_of(isa.c_str());
    std::vector<uint16_t> bits(65536), back(65536);
    std::vector<float> x(65536);
    for (size_t i = 0; i < bits.size(); ++i)
      bits[i] = uint16_t(i);
    int wrong = 0;
    table.load_tile[float16](65536, bits.data(), 1, x.data());
    table.store_tile[float16](65536, x.data(), back.data(), 1);
    for (size_t i = 0; i < bits.size(); ++i)
      wrong += !same(double(x[i]), half_value(bits[i])) || !same(half_value(back[i]), half_value(bits[i]));
    // between neighbours: just below, on, and just above the middle
    for (uint16_t low = 0; low < 0x7bff; ++low) {
      const double a = half_value(low), b = half_value(uint16_t(low + 1));
      const float middle = float((a + b) / 2),
                  around[3] = {std::nextafter(middle, 0.f), middle, std::nextafter(middle, 1e9f)};
      uint16_t y[3];
      table.store_tile[float16](3, around, y, 1);
      wrong += y[0] != low || y[1] != (low & 1 ? low + 1 : low) || y[2] != low + 1;
    }
    CHECK_MESSAGE(wrong == 0, isa, " float16");

    table.load_tile[bfloat16](65536, bits.data(), 1, x.data());
    table.store_tile[bfloat16](65536, x.data(), back.data(), 1);
    wrong = 0;
    for (size_t i = 0; i < bits.size(); ++i)
      wrong += std::isnan(x[i]) ? (back[i] & 0x7fff) <= 0x7f80 : back[i] != bits[i];
    const float ties[] = {1.00390625f, 1.01171875f, 1.004f, 3.4e38f, INFINITY};
    const uint16_t rounded[] = {0x3f80, 0x3f82, 0x3f81, 0x7f80, 0x7f80};
    table.store_tile[bfloat16](5, ties, back.data(), 1);
    for (int i = 0; i < 5; ++i)
      wrong += back[size_t(i)] != rounded[i];
    CHECK_MESSAGE(wrong == 0, isa, " bfloat16");
  }
}

TEST_CASE("tiles take strides, wrap integers, and convert between compute types without surprises") {
  for (const std::string &isa : available_isas()) {
    const Table &table = table_of(isa.c_str());
    const int8_t small[] = {-128, 1, 2, 3, 127, 5};
    int64_t wide[6];
    table.load_tile[int8](3, small, 2, wide);
    CHECK((wide[0] == -128 && wide[1] == 2 && wide[2] == 127));
    table.load_tile[int8](3, small + 5, -2, wide);
    CHECK((wide[0] == 5 && wide[1] == 3 && wide[2] == 1));
    const int64_t values[] = {300, -1, 0, 256};
    uint8_t bytes[8] = {};
    table.store_tile[uint8](4, values, bytes, 2);
    CHECK((bytes[0] == 44 && bytes[2] == 255 && bytes[4] == 0 && bytes[6] == 0 && bytes[1] == 0));
    table.store_tile[bool_](4, values, bytes, 1);
    CHECK((bytes[0] == 1 && bytes[1] == 1 && bytes[2] == 0 && bytes[3] == 1));

    const int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();
    const float floats[] = {1.9f, -1.9f, 1e30f, -1e30f, NAN};
    int64_t to_signed[5];
    uint64_t to_unsigned[5];
    table.convert_tile[int(Compute::f32)][int(Compute::i64)](5, floats, to_signed);
    CHECK(
        (to_signed[0] == 1 && to_signed[1] == -1 && to_signed[2] == high && to_signed[3] == low && to_signed[4] == 0));
    table.convert_tile[int(Compute::f32)][int(Compute::u64)](5, floats, to_unsigned);
    CHECK((to_unsigned[0] == 1 && to_unsigned[1] == 0 && to_unsigned[2] == ~uint64_t(0) && to_unsigned[4] == 0));
    double doubles[5];
    table.convert_tile[int(Compute::i64)][int(Compute::f64)](5, to_signed, doubles);
    CHECK((doubles[1] == -1 && doubles[2] == 0x1p63 && doubles[3] == -0x1p63));
  }
}

template <class T> static void check_reductions(const Table &table, Compute compute) {
  const int c = int(compute);
  const double eps = double(std::numeric_limits<T>::epsilon());
  for (int64_t rows : {1, 3, 100})
    for (int64_t cols : {0, 1, 7, 16, 33, 1030, 5000}) {
      const int64_t stride = cols + 3;
      const std::vector<T> x = draw<T>(rows * stride, unsigned(rows + cols));
      std::vector<T> by_row(static_cast<size_t>(rows)), by_column(static_cast<size_t>(cols));
      std::vector<int64_t> at(static_cast<size_t>(rows));
      table.reduce_rows[int(ReduceOp::Sum)][c](rows, cols, x.data(), stride, by_row.data());
      table.reduce_columns[int(ReduceOp::Sum)][c](rows, cols, x.data(), stride, by_column.data());
      auto value = [&](int64_t r, int64_t k) { return x[size_t(r * stride + k)]; };
      for (int64_t r = 0; r < rows; ++r) {
        long double sum = 0, size = 0;
        for (int64_t k = 0; k < cols; ++k)
          sum += value(r, k), size += std::fabs(value(r, k));
        CHECK(std::fabs(double(by_row[size_t(r)] - sum)) <= eps * double(size));
      }
      for (int64_t k = 0; k < cols; ++k) {
        long double sum = 0, size = 0;
        for (int64_t r = 0; r < rows; ++r)
          sum += value(r, k), size += std::fabs(value(r, k));
        CHECK(std::fabs(double(by_column[size_t(k)] - sum)) <= eps * double(size));
      }
      if (cols == 0)
        continue;
      table.reduce_rows[int(ReduceOp::Min)][c](rows, cols, x.data(), stride, by_row.data());
      table.argmin_rows[c](rows, cols, x.data(), stride, at.data());
      table.reduce_columns[int(ReduceOp::Max)][c](rows, cols, x.data(), stride, by_column.data());
      for (int64_t r = 0; r < rows; ++r) {
        int64_t best = 0;
        for (int64_t k = 1; k < cols; ++k)
          best = value(r, k) < value(r, best) ? k : best;
        CHECK((by_row[size_t(r)] == value(r, best) && at[size_t(r)] == best));
      }
      T largest = value(0, cols - 1);
      for (int64_t r = 0; r < rows; ++r)
        largest = std::fmax(largest, value(r, cols - 1));
      CHECK(by_column.back() == largest);
    }
  std::vector<T> x(100, T(2)), y(1);
  int64_t at = -1;
  table.argmax_rows[c](1, 100, x.data(), 100, &at);
  CHECK(at == 0);
  table.reduce_rows[int(ReduceOp::Prod)][c](1, 37, x.data(), 100, y.data());
  CHECK(y[0] == T(0x1p37));
  table.reduce_rows[int(ReduceOp::Prod)][c](1, 0, x.data(), 100, y.data());
  CHECK(y[0] == 1);
  x[71] = T(NAN), x[80] = T(NAN);
  for (ReduceOp op : {ReduceOp::Max, ReduceOp::Min, ReduceOp::Sum}) {
    table.reduce_rows[int(op)][c](1, 100, x.data(), 100, y.data());
    CHECK(std::isnan(y[0]));
  }
  table.argmax_rows[c](1, 100, x.data(), 100, &at);
  CHECK(at == 71);
  table.argmin_rows[c](1, 100, x.data(), 100, &at);
  CHECK(at == 71);
}

TEST_CASE("reductions over rows and columns") {
  for (const std::string &isa : available_isas()) {
    check_reductions<float>(table_of(isa.c_str()), Compute::f32);
    check_reductions<double>(table_of(isa.c_str()), Compute::f64);
    const int64_t x[] = {3, -9, 4, 4, -9, 0};
    int64_t y[3], at;
    const Table &table = table_of(isa.c_str());
    table.reduce_rows[int(ReduceOp::Max)][int(Compute::i64)](2, 3, x, 3, y);
    CHECK((y[0] == 4 && y[1] == 4));
    table.reduce_columns[int(ReduceOp::Sum)][int(Compute::i64)](2, 3, x, 3, y);
    CHECK((y[0] == 7 && y[1] == -18 && y[2] == 4));
    table.argmin_rows[int(Compute::i64)](1, 6, x, 6, &at);
    CHECK(at == 1);
  }
}

TEST_CASE("rows are loaded as tile after tile") {
  const int64_t rows = 3;
  std::vector<char> memory(8 * 400);
  for (size_t i = 0; i < memory.size(); ++i)
    memory[i] = char(i * 37 + i / 256);
  for (const std::string &isa : available_isas()) {
    const Table &table = table_of(isa.c_str());
    for (int dtype = 0; dtype < kDtypes; ++dtype)
      for (int64_t stride : {1, 2, 3, -2})
        for (int64_t n : {1, 5, 16, 33}) {
          const int64_t row_stride = stride < 0 ? 70 : n * stride + 1, bytes = kBytes[dtype];
          const char *x = memory.data() + (stride < 0 ? (n - 1) * 2 * bytes : 0);
          std::vector<char> all(size_t(rows * n * 8)), each = all;
          table.load_rows[dtype](rows, n, x, row_stride, stride, all.data());
          const int64_t wide = dtype == float32 || dtype == bfloat16 || dtype == float16 ? 4 : 8;
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t i = 0; i < n; ++i) // one by one: no vectors
              table.load_tile[dtype](1, x + (r * row_stride + i * stride) * bytes, 1, each.data() + (r * n + i) * wide);
          CHECK_MESSAGE(all == each, isa, " dtype ", dtype, ", stride ", stride, ", n ", n);
        }
  }
}
