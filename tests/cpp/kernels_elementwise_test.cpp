// Elementwise kernels on every level this CPU has, against the same formulas on doubles.
#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "cinta/kernels/dispatch.h"
#include "formulas_in_double.h"

using namespace cinta::kernels;

namespace {

template <class T> constexpr int kCompute = std::is_same_v<T, float> ? int(Compute::f32) : int(Compute::f64);

struct UnaryRow {
  std::string name;
  int op;
  double params[2] = {0, 0};
  std::function<double(double)> forward;
  std::function<double(double, double, double)> vjp;
};
template <class Op> void add_row(std::vector<UnaryRow> &rows, const char *name, int op) {
  if constexpr (Op::computes & kFloats) {
    UnaryRow row{name, op, {}, {}, {}};
    if constexpr (requires { Op::params; }) {
      for (size_t i = 0; i < std::size(Op::params); ++i)
        row.params[i] = Op::params[i].value;
      if (row.name == "clip")
        row.params[0] = -1, row.params[1] = 2;
      const double p[2] = {row.params[0], row.params[1]};
      row.forward = [=](double x) { return Op::forward(x, p); };
      row.vjp = [=](double x, double y, double dy) { return Op::vjp(x, y, dy, p); };
    } else {
      row.forward = [](double x) { return Op::forward(x); };
      row.vjp = [](double x, double y, double dy) { return Op::vjp(x, y, dy); };
    }
    rows.push_back(row);
  }
}
std::vector<UnaryRow> unary_rows() {
  std::vector<UnaryRow> rows;
#define CINTA_ROW(Op, name) add_row<in_double::Op>(rows, #name, int(UnaryOp::Op));
  CINTA_UNARY_OPS(CINTA_ROW)
#undef CINTA_ROW
  return rows;
}

// All magnitudes, both signs, then the middle densely, then the special values.
template <class T> std::vector<T> inputs() {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> exponent(-148, 127), middle(-12, 12);
  std::vector<T> x;
  for (int i = 0; i < 4000; ++i)
    x.push_back(T((i % 2 ? -1 : 1) * std::exp2(exponent(random))));
  for (int i = 0; i < 8000; ++i)
    x.push_back(T(middle(random)));
  const T inf = std::numeric_limits<T>::infinity(), lowest = std::numeric_limits<T>::denorm_min();
  for (T v : {T(0), T(-0.0), T(1), T(-1), T(0.5), T(1.5), T(2.5), T(-2.5), inf, -inf, T(NAN), lowest, -lowest, T(88.7),
              T(88.9), T(-103.9), T(-105), T(709.7), T(-745)})
    x.push_back(v);
  return x;
}

// Whether got is expected to within `ulps`, or to within that many of the last place of `size`.
template <class T> bool near(T got, double expected, double ulps, double size = 0) {
  if (std::isnan(expected) || std::isnan(got))
    return std::isnan(expected) == std::isnan(got);
  if (std::isinf(got) || std::isinf(T(expected)))
    return got == T(expected) || std::fabs(double(got) - expected) <= 1e-6 * std::fabs(expected);
  const double scale = std::fmax(std::fmax(std::fabs(expected), size), double(std::numeric_limits<T>::min()));
  return std::fabs(double(got) - expected) <= ulps * double(std::numeric_limits<T>::epsilon()) * scale;
}

template <class T> void check_unary(const Table &table) {
  const std::vector<T> x = inputs<T>();
  std::vector<T> y(x.size()), dx(x.size()), dy(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    dy[i] = T(1 + double(i % 5)) / T(4);
  for (const UnaryRow &row : unary_rows()) {
    const std::string where = std::string(table.isa) + " " + row.name;
    table.unary[row.op][kCompute<T>](int64_t(x.size()), x.data(), y.data(), row.params);
    // Where 1 + erf cancels, gelu keeps the accuracy of x only; tiny sigmoids are denormal.
    const double size = row.name == "gelu" || row.name == "silu" || row.name == "gelu_tanh" ? 1 : 0;
    int wrong = 0;
    for (size_t i = 0; i < x.size(); ++i)
      if (!near(y[i], row.forward(double(x[i])), 3, size) && ++wrong < 4)
        MESSAGE(where, "(", x[i], ") = ", y[i], ", expected ", row.forward(double(x[i])));
    table.unary_vjp[row.op][kCompute<T>](int64_t(x.size()), x.data(), y.data(), dy.data(), dx.data(), row.params);
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = row.vjp(double(x[i]), double(y[i]), double(dy[i]));
      if (std::fabs(double(x[i])) < 12 && std::isfinite(expected) && !near(dx[i], expected, 16, 1) && ++wrong < 8)
        MESSAGE(where, " vjp(", x[i], ", ", y[i], ", ", dy[i], ") = ", dx[i], ", expected ", expected);
    }
    CHECK_MESSAGE(wrong == 0, where);
  }
}

template <class T> struct Pairs {
  std::vector<T> a, b;
  Pairs() {
    const double corners[] = {0, -0.0, 1, -1, 2, -3, 0.5, 7.25, -1e-3, 1e4, INFINITY, -INFINITY, NAN};
    for (double u : corners)
      for (double v : corners)
        a.push_back(T(u)), b.push_back(T(v));
    std::mt19937 random(11);
    std::uniform_real_distribution<double> value(-9, 9);
    for (int i = 0; i < 3001; ++i)
      a.push_back(T(value(random))), b.push_back(T(value(random)));
  }
};

template <class Op, class T> void check_binary(const Table &table, int op, const char *name, const Pairs<T> &in) {
  if constexpr (Op::computes & kFloats) {
    const std::string where = std::string(table.isa) + " " + name;
    const int c = kCompute<T>;
    const size_t size = in.a.size();
    std::vector<T> y(size), d(size), dy(size, T(0.75)), repeated(size, in.a[171]), other(size);
    table.binary[op][c](int64_t(size), in.a.data(), 1, in.b.data(), 1, y.data());
    int wrong = 0;
    for (size_t i = 0; i < size; ++i)
      if (const double e = Op::forward(double(in.a[i]), double(in.b[i])); !near(y[i], e, 3) && ++wrong < 4)
        MESSAGE(where, "(", in.a[i], ", ", in.b[i], ") = ", y[i], ", expected ", e);
    for (bool of_b : {false, true}) {
      const BinaryVjp kernel = of_b ? table.binary_vjp_b[op][c] : table.binary_vjp_a[op][c];
      const auto rule = of_b ? Op::template vjp_b<double> : Op::template vjp_a<double>;
      kernel(int64_t(size), in.a.data(), 1, in.b.data(), 1, y.data(), dy.data(), d.data());
      for (size_t i = 0; i < size; ++i) {
        const double e = rule(double(in.a[i]), double(in.b[i]), double(y[i]), 0.75);
        if (std::isfinite(T(e)) && !near(d[i], e, 16, 1) && ++wrong < 8)
          MESSAGE(where, " vjp (", in.a[i], ", ", in.b[i], ") = ", d[i], ", expected ", e);
      }
    }
    CHECK_MESSAGE(wrong == 0, where);
    table.binary[op][c](int64_t(size), &in.a[171], 0, in.b.data(), 1, y.data());
    table.binary[op][c](int64_t(size), repeated.data(), 1, in.b.data(), 1, other.data());
    CHECK_MESSAGE(std::memcmp(y.data(), other.data(), size * sizeof(T)) == 0, where, ", step 0");
  }
}
template <class T> void check_all_binary(const Table &table) {
  const Pairs<T> in;
#define CINTA_CHECK(Op, name) check_binary<in_double::Op>(table, int(BinaryOp::Op), #name, in);
  CINTA_BINARY_OPS(CINTA_CHECK)
#undef CINTA_CHECK
}

} // namespace

TEST_CASE("elementwise kernels agree with their formulas in double") {
  for (const std::string &isa : available_isas()) {
    check_unary<float>(table_of(isa.c_str()));
    check_unary<double>(table_of(isa.c_str()));
    check_all_binary<float>(table_of(isa.c_str()));
    check_all_binary<double>(table_of(isa.c_str()));
  }
}

TEST_CASE("an element's bits do not depend on where it stands") {
  for (const std::string &isa : available_isas())
    for (const UnaryRow &row : unary_rows()) {
      const Unary kernel = table_of(isa.c_str()).unary[row.op][int(Compute::f32)];
      std::vector<float> x(70), whole(70), part(70);
      for (size_t i = 0; i < x.size(); ++i)
        x[i] = float(i) * 0.11f - 3.f;
      kernel(70, x.data(), whole.data(), row.params);
      for (int64_t first = 0; first < 70; first += 3) {
        kernel(70 - first, x.data() + first, part.data(), row.params);
        CHECK_MESSAGE(std::memcmp(part.data(), &whole[size_t(first)], size_t(70 - first) * sizeof(float)) == 0, isa,
                      " ", row.name, " from ", first);
      }
    }
}
