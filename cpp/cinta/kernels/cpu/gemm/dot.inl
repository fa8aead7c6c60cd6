// The product as dot products, for few rows (or columns): the long operand is read along k where it lies, the short one
// is packed if it does not lie along k.
#pragma once
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/gemm/product.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

// c[i * c_row + j * c_col] = sum over p of x[i * x_row + p * x_col] y[j * y_row + p * y_col], i < m, j < n; m is the
// small one
template <class T> struct Dots {
  int64_t m, n, k;
  const T *x;
  int64_t x_row, x_col; // x_col: 1 once tiles are computed
  const T *y;
  int64_t y_row, y_col; // y_col: 1 or 2
  T *c;
  int64_t c_row, c_col;
  bool accumulate;
  const T *bias_i, *bias_j; // along i, along j
};

constexpr int64_t kNearBytes = 1 << 15; // of L1

// One tile of I rows by J columns. Past the border the last row is read again and its result dropped.
template <class T, int I, int J, Step kStep> void dot_tile(const Dots<T> &d, int64_t i0, int64_t j0) {
  constexpr int W = Vec<T>::width, kParts = (I * J + W - 1) / W;
  const T *x[I], *y[J];
  const int64_t y_col = d.y_col;
  // Where every other element counts, twice the memory is asked for in advance: the rows of the next tile, if near.
  const int64_t ahead = d.k * y_col * J * int64_t(sizeof(T)) <= kNearBytes ? J * d.y_row : 32 * W;
#pragma GCC unroll 16
  for (int i = 0; i < I; ++i)
    x[i] = d.x + (i0 + i < d.m ? i0 + i : d.m - 1) * d.x_row;
#pragma GCC unroll 16
  for (int j = 0; j < J; ++j)
    y[j] = d.y + (j0 + j < d.n ? j0 + j : d.n - 1) * d.y_row;
  Vec<T> acc[kParts][W];
#pragma GCC unroll 16
  for (int l = 0; l < kParts * W; ++l)
    acc[l / W][l % W] = Vec<T>(T(0));
  const auto add = [&](int l, Vec<T> a, Vec<T> b) __attribute__((always_inline)) {
    acc[l / W][l % W] = multiply_add(a, b, acc[l / W][l % W]);
  };
  int64_t p = 0;
  for (; p + W <= d.k; p += W) {
    Vec<T> row[I];
#pragma GCC unroll 16
    for (int i = 0; i < I; ++i)
      row[i] = Vec<T>::load(x[i] + p);
#pragma GCC unroll 16
    for (int j = 0; j < J; ++j) {
      const Vec<T> column = load_spaced<kStep>(y[j] + p * y_col, y_col);
      if (kStep == Step::two && i0 == 0) {
        __builtin_prefetch(y[j] + p * y_col + ahead);
        __builtin_prefetch(y[j] + p * y_col + ahead + W);
      }
#pragma GCC unroll 16
      for (int i = 0; i < I; ++i)
        add(i * J + j, row[i], column);
    }
  }
  if (const int64_t rest = d.k - p; rest > 0) {
#pragma GCC unroll 16
    for (int j = 0; j < J; ++j) {
      const Vec<T> column = load_spaced<kStep>(y[j] + p * y_col, y_col, rest);
#pragma GCC unroll 16
      for (int i = 0; i < I; ++i)
        add(i * J + j, Vec<T>::load_partial(x[i] + p, rest), column);
    }
  }
  T sums[kParts * W];
#pragma GCC unroll 16
  for (int part = 0; part < kParts; ++part)
    sum_each<W / 2>(acc[part]).store(sums + part * W);
  for (int i = 0; i < I && i0 + i < d.m; ++i)
    for (int j = 0; j < J && j0 + j < d.n; ++j) {
      T &c = d.c[(i0 + i) * d.c_row + (j0 + j) * d.c_col];
      T sum = sums[i * J + j];
      if (d.accumulate)
        sum += c;
      if (d.bias_i)
        sum += d.bias_i[i0 + i];
      if (d.bias_j)
        sum += d.bias_j[j0 + j];
      c = sum;
    }
}

// Columns of the result in tiles of enough sums to keep the multipliers busy; y's rows are read once and meet all rows
// of x while they are near.
template <class T, Step kStep> void dot_tiles(const Dots<T> &d, int64_t first) {
  constexpr int sums = TileShape<T>::registers / 2, I = sums == 16 ? 4 : 2, J = sums / I, W = Vec<T>::width, few = 4;
  if (d.m == 1 && d.n <= few)
    return dot_tile<T, 1, few, kStep>(d, 0, first);
  if (d.m == 1)
    for (int64_t j = first; j < d.n; j += W)
      dot_tile<T, 1, W, kStep>(d, 0, j);
  else
    for (int64_t j = first; j < d.n; j += J)
      for (int64_t i = 0; i < d.m; i += I)
        dot_tile<T, I, J, kStep>(d, i, j);
}

// Columns [first, last), in runs of k in which no lane sums more than a chain of products.
template <class T, Step kStep> void dot_columns(const Dots<T> &d, int64_t first, int64_t last) {
  const int64_t most = chain_of(d.k / Vec<T>::width) * Vec<T>::width;
  Dots<T> run = d;
  run.n = last;
  for (int64_t rest = d.k; rest > 0; rest -= run.k) {
    run.k = least(rest, most);
    dot_tiles<T, kStep>(run, first);
    run.x += run.k;
    run.y += run.k * run.y_col;
    run.accumulate = true;
    run.bias_i = run.bias_j = nullptr;
  }
}

template <class T> void run_dots(Dots<T> d) {
  constexpr int64_t columns = 64; // per block: a multiple of every tile's columns
  if (d.x_col != 1) {
    T *x = static_cast<T *>(scratch(Scratch::pack_a, size_t(d.m * d.k) * sizeof(T)));
    pack_strip(d.m, d.k, d.k, d.x, d.x_col, d.x_row, x);
    d.x = x, d.x_row = d.k, d.x_col = 1;
  }
  const double cost = double(d.m * d.n * d.k) * 2 / (8 * Vec<T>::width) / 3;
  const auto body = [](void *context, int64_t block) {
    const Dots<T> &dots = *static_cast<const Dots<T> *>(context);
    const auto run = dots.y_col == 1 ? dot_columns<T, Step::one> : dot_columns<T, Step::two>;
    run(dots, block * columns, least(dots.n, (block + 1) * columns));
  };
  if (d.n <= columns)
    return body(&d, 0);
  parallel_for(ceil_div(d.n, columns), cost, body, &d);
}

} // namespace cinta::kernels::CINTA_ISA
