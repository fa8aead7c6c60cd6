// Matrix products on every level against plain loops in long double.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <iterator>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

enum class Layout { row_major, column_major, strided, strided_columns, spaced };

template <class T> constexpr Compute kCompute = Compute::u64;
template <> constexpr Compute kCompute<float> = Compute::f32;
template <> constexpr Compute kCompute<double> = Compute::f64;
template <> constexpr Compute kCompute<int64_t> = Compute::i64;

template <class T> struct Matrix {
  std::vector<T> data;
  int64_t row, col;

  Matrix(int64_t rows, int64_t cols, Layout layout, std::mt19937 &random) {
    const int64_t step = layout == Layout::spaced ? 3 : layout >= Layout::strided ? 2 : 1, gap = step > 1 ? 3 : 0;
    const bool by_columns = layout == Layout::column_major || layout == Layout::strided_columns;
    row = by_columns ? step : step * cols + gap;
    col = by_columns ? step * rows + gap : step;
    data.resize(rows * cols == 0 ? 1 : size_t((rows - 1) * row + (cols - 1) * col + 1)); // not an element more
    std::normal_distribution<double> normal(0, 4);
    for (T &x : data)
      x = T(int64_t(normal(random) * 8)) / T(std::is_integral_v<T> ? 1 : 8);
  }
  T at(int64_t i, int64_t j) const { return data[size_t(i * row + j * col)]; }
};

struct Shape {
  int64_t M, N, K;
};

template <class T> void check(const Table &table, Shape s, Layout la, Layout lb, bool accumulate, bool bias) {
  CAPTURE(table.isa);
  CAPTURE(s.M);
  CAPTURE(s.N);
  CAPTURE(s.K);
  std::mt19937 random(7);
  const Matrix<T> A(s.M, s.K, la, random), B(s.K, s.N, lb, random), rows(1, s.N, Layout::row_major, random);
  const Matrix<T> columns(1, s.M, Layout::row_major, random);
  const int64_t ldc = s.N + 3;
  Matrix<T> C(s.M, ldc, Layout::row_major, random);
  const Matrix<T> before = C;
  const Gemm g{s.M,
               s.N,
               s.K,
               A.data.data(),
               A.row,
               A.col,
               B.data.data(),
               B.row,
               B.col,
               C.data.data(),
               ldc,
               accumulate,
               bias ? rows.data.data() : nullptr,
               bias ? columns.data.data() : nullptr};
  table.gemm[int(kCompute<T>)](g);
  using Wide = std::conditional_t<std::is_integral_v<T>, T, long double>;
  const double epsilon = std::is_same_v<T, float> ? 1.2e-7 : std::is_same_v<T, double> ? 2.3e-16 : 0;
  double worst = 0;
  for (int64_t i = 0; i < s.M; ++i)
    for (int64_t j = 0; j < ldc; ++j) {
      if (j >= s.N) {
        REQUIRE(C.at(i, j) == before.at(i, j));
        continue;
      }
      Wide sum = accumulate ? Wide(before.at(i, j)) : Wide(0), size = 1;
      if (bias)
        sum += Wide(rows.at(0, j)) + Wide(columns.at(0, i));
      for (int64_t p = 0; p < s.K; ++p) {
        const Wide term = Wide(A.at(i, p)) * Wide(B.at(p, j));
        sum += term;
        size += term < 0 ? -term : term;
      }
      worst = std::fmax(worst, std::fabs(double(Wide(C.at(i, j)) - sum)) / (double(size) + 40));
    }
  CHECK(worst <= epsilon * (3 + std::sqrt(double(s.K)) / 4));
}

const Shape kShapes[] = {{0, 3, 4},    {3, 0, 4},     {3, 4, 0},    {1, 1, 1},     {16, 2, 8},    {5, 7, 3},
                         {1, 33, 40},  {1, 120, 400}, {37, 1, 65},  {4, 100, 70},  {13, 70, 129}, {15, 31, 17},
                         {29, 65, 33}, {97, 10, 50},  {50, 43, 20}, {71, 90, 401}, {130, 70, 90}, {1, 4, 445},
                         {2, 1, 300},  {3, 97, 71},   {7, 30, 130}, {90, 3, 129},  {70, 5, 200}};

} // namespace

TEST_CASE("gemm agrees with plain loops for every layout, edge and epilogue") {
  for (const std::string &isa : available_isas())
    for (const Shape &s : kShapes)
      for (int variant = 0; variant < 25; ++variant) {
        const Layout a = Layout(variant % 5), b = Layout(variant / 5);
        const bool accumulate = variant % 2, bias = variant % 4 >= 2;
        check<float>(table_of(isa.c_str()), s, a, b, accumulate, bias);
        check<double>(table_of(isa.c_str()), s, a, b, !accumulate, bias);
        check<int64_t>(table_of(isa.c_str()), s, a, b, accumulate, !bias);
      }
}

TEST_CASE("gemm rounds no worse than short chains of sums do, however long the sum") {
  struct Sum {
    int64_t K;
    double most; // RMS of the errors over RMS of the results
  };
  for (const std::string &isa : available_isas())
    for (const Sum &sum :
         {Sum{192, 2.4e-7}, Sum{256, 2.4e-7}, Sum{1000, 2.4e-7}, Sum{8192, 2.8e-7}, Sum{1 << 15, 3.8e-7}})
      for (const auto &[M, N] : {std::pair<int64_t, int64_t>{8, 100}, {20, 49}})
        for (const Layout layout : {Layout::row_major, Layout::column_major}) {
          CAPTURE(isa);
          CAPTURE(sum.K);
          CAPTURE(M);
          CAPTURE(int(layout));
          std::mt19937 random(5);
          std::normal_distribution<float> normal;
          Matrix<float> A(M, sum.K, Layout::row_major, random), B(sum.K, N, layout, random);
          for (Matrix<float> *matrix : {&A, &B})
            for (float &x : matrix->data)
              x = normal(random);
          std::vector<float> C(size_t(M * N));
          table_of(isa.c_str())
              .gemm[0]({M, N, sum.K, A.data.data(), A.row, A.col, B.data.data(), B.row, B.col, C.data(), N, false,
                        nullptr, nullptr});
          double errors = 0, squares = 0;
          for (int64_t i = 0; i < M; ++i)
            for (int64_t j = 0; j < N; ++j) {
              double exact = 0;
              for (int64_t p = 0; p < sum.K; ++p)
                exact += double(A.at(i, p)) * double(B.at(p, j));
              errors += std::pow(double(C[size_t(i * N + j)]) - exact, 2);
              squares += exact * exact;
            }
          CHECK(std::sqrt(errors / squares) <= sum.most);
        }
}

TEST_CASE("gemm gives the same bits on any number of threads") {
  const Shape shapes[] = {{301, 203, 500}, {9, 700, 900}, {64, 2100, 64}, {128, 256, 784}, {30, 500, 200}};
  for (const std::string &isa : available_isas())
    for (const Shape &s : shapes) {
      std::mt19937 random(3);
      const Matrix<float> A(s.M, s.K, Layout::row_major, random), B(s.K, s.N, Layout::column_major, random);
      std::vector<float> first;
      for (int threads : {1, 2, 3, 8}) {
        cinta::set_num_threads(threads);
        std::vector<float> C(size_t(s.M * s.N));
        table_of(isa.c_str())
            .gemm[0]({s.M, s.N, s.K, A.data.data(), A.row, A.col, B.data.data(), B.row, B.col, C.data(), s.N, false,
                      nullptr, nullptr});
        if (threads == 1)
          first = C;
        else
          CHECK(std::memcmp(first.data(), C.data(), C.size() * sizeof(float)) == 0);
      }
    }
}

TEST_CASE("gemm activates with the bits of a pass of its own, in C or beside it") {
  const Shape shapes[] = {{3, 4, 0},       {1, 1, 1},      {7, 33, 40},  {64, 96, 1},    {301, 203, 700},
                          {20, 512, 300},  {500, 3, 64},   {300, 1, 40}, {16, 90, 300},  {2000, 33, 9},
                          {128, 256, 784}, {4100, 24, 40}, {40, 5, 500}, {130, 600, 20}, {2100, 40, 900}};
  const std::pair<UnaryOp, double> activations[] = {
      {UnaryOp::Relu, 0}, {UnaryOp::Tanh, 0},        {UnaryOp::Sigmoid, 0},  {UnaryOp::Gelu, 0},
      {UnaryOp::Silu, 0}, {UnaryOp::LeakyRelu, 0.1}, {UnaryOp::GeluTanh, 0}, {UnaryOp::Elu, 1}};
  int which = 0;
  for (const std::string &isa : available_isas())
    for (const Shape &s : shapes)
      for (const Layout la : {Layout::row_major, Layout::column_major})
        for (const Layout lb : {Layout::row_major, Layout::column_major})
          for (const bool beside : {false, true}) {
            const auto &[op, parameter] = activations[size_t(which++) % std::size(activations)];
            CAPTURE(isa);
            CAPTURE(s.M);
            CAPTURE(s.N);
            CAPTURE(s.K);
            CAPTURE(int(op));
            const Table &table = table_of(isa.c_str());
            std::mt19937 random(9);
            const Matrix<float> A(s.M, s.K, la, random), B(s.K, s.N, lb, random);
            const Matrix<float> rows(1, s.N, Layout::row_major, random), columns(1, s.M, Layout::row_major, random);
            const int64_t ldc = s.N + which % 2 * 3;
            std::vector<float> C(size_t(s.M * ldc), 0.25f), own = C, next = C, expected = C;
            const double params[2] = {parameter, 0};
            Gemm g{s.M,
                   s.N,
                   s.K,
                   A.data.data(),
                   A.row,
                   A.col,
                   B.data.data(),
                   B.row,
                   B.col,
                   C.data(),
                   ldc,
                   which % 3 == 0,
                   rows.data.data(),
                   which % 5 == 0 ? columns.data.data() : nullptr};
            table.gemm[0](g);
            for (int64_t i = 0; i < s.M; ++i)
              table.unary[int(op)][0](s.N, C.data() + i * ldc, expected.data() + i * ldc, params);
            g.C = own.data();
            g.activation = table.unary[int(op)][0];
            g.activation_params = params;
            g.activated = beside ? next.data() : nullptr;
            table.gemm[0](g);
            CHECK(std::memcmp((beside ? next : own).data(), expected.data(), expected.size() * sizeof(float)) == 0);
            if (beside)
              CHECK(std::memcmp(own.data(), C.data(), C.size() * sizeof(float)) == 0);
          }
}

TEST_CASE("gemm_batch activates every item, gemm integers too") {
  for (const std::string &isa : available_isas()) {
    const Table &table = table_of(isa.c_str());
    std::mt19937 random(11);
    const int64_t batch = 5, M = 6, N = 7, K = 9;
    const Matrix<float> A(batch * M, K, Layout::row_major, random), B(batch * K, N, Layout::row_major, random);
    std::vector<float> C(size_t(batch * M * N)), own = C, next = C;
    Gemm g{M, N, K, A.data.data(), K, 1, B.data.data(), N, 1, C.data(), N, false, nullptr, nullptr};
    table.gemm_batch[0](g, batch, M * K, K * N, M * N);
    g.C = own.data();
    g.activation = table.unary[int(UnaryOp::Relu)][0];
    g.activated = next.data();
    table.gemm_batch[0](g, batch, M * K, K * N, M * N);
    for (size_t i = 0; i < C.size(); ++i) {
      REQUIRE(own[i] == C[i]);
      REQUIRE(next[i] == (C[i] > 0 ? C[i] : 0));
    }
    const int64_t a[] = {1, -2}, b[] = {3, -4};
    int64_t c[4];
    Gemm whole{2, 2, 1, a, 1, 1, b, 2, 1, c, 2, false, nullptr, nullptr};
    whole.activation = table.unary[int(UnaryOp::Relu)][int(Compute::i64)];
    table.gemm[int(Compute::i64)](whole);
    CHECK((c[0] == 3 && c[1] == 0 && c[2] == 0 && c[3] == 8));
  }
}

TEST_CASE("gemm_batch is gemm item by item") {
  for (const std::string &isa : available_isas())
    for (auto [b_batch, bias_batch] : {std::pair<int64_t, int64_t>(0, -1), {7 * 9, -1}, {0, 0}, {0, 9}, {7 * 9, 9}}) {
      std::mt19937 random(5);
      const int64_t batch = 23, M = 5, N = 9, K = 7;
      const Matrix<double> A(batch * M, K, Layout::row_major, random), B(batch * K, N, Layout::row_major, random);
      std::vector<double> C(size_t(batch * M * N)), each = C;
      Gemm g{M, N, K, A.data.data(), K, 1, B.data.data(), N, 1, C.data(), N, false, nullptr, nullptr};
      const Matrix<double> bias(batch, N, Layout::row_major, random);
      if (bias_batch >= 0)
        g.bias_n = bias.data.data(), g.bias_n_batch = bias_batch;
      table_of(isa.c_str()).gemm_batch[1](g, batch, M * K, b_batch, M * N);
      for (int64_t i = 0; i < batch; ++i) {
        g.A = A.data.data() + i * M * K;
        g.B = B.data.data() + i * b_batch;
        g.C = each.data() + i * M * N;
        g.bias_n = bias_batch < 0 ? nullptr : bias.data.data() + i * bias_batch;
        table_of(isa.c_str()).gemm[1](g);
      }
      double worst = 0;
      for (size_t i = 0; i < C.size(); ++i)
        worst = std::fmax(worst, std::fabs(C[i] - each[i]));
      CHECK(worst < 1e-12);
    }
}
