// The product as dot products, for few rows (or columns) and both operands contiguous along k: nothing is packed.
#pragma once
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/gemm_micro.inl"
#include "cinta/kernels/cpu/transpose.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

// c[i * c_row + j * c_col] = sum over p of x[i * x_row + p] y[j * y_row + p], i < m, j < n; m is the small one
template <class T> struct Dots {
  int64_t m, n, k;
  const T *x;
  int64_t x_row;
  const T *y;
  int64_t y_row;
  T *c;
  int64_t c_row, c_col;
  bool accumulate;
  const T *bias_i, *bias_j; // along i, along j
};

// One tile of I rows by W / I columns. Past the border the last row is read again and its result dropped.
template <class T, int I> void dot_tile(const Dots<T> &d, int64_t i0, int64_t j0) {
  constexpr int W = Vec<T>::width, J = W / I;
  const T *x[I], *y[J];
#pragma GCC unroll 16
  for (int i = 0; i < I; ++i)
    x[i] = d.x + (i0 + i < d.m ? i0 + i : d.m - 1) * d.x_row;
#pragma GCC unroll 16
  for (int j = 0; j < J; ++j)
    y[j] = d.y + (j0 + j < d.n ? j0 + j : d.n - 1) * d.y_row;
  Vec<T> acc[W];
#pragma GCC unroll 16
  for (int l = 0; l < W; ++l)
    acc[l] = Vec<T>(T(0));
  int64_t p = 0;
  for (; p + W <= d.k; p += W) {
    Vec<T> row[I];
#pragma GCC unroll 16
    for (int i = 0; i < I; ++i)
      row[i] = Vec<T>::load(x[i] + p);
#pragma GCC unroll 16
    for (int j = 0; j < J; ++j) {
      const Vec<T> column = Vec<T>::load(y[j] + p);
#pragma GCC unroll 16
      for (int i = 0; i < I; ++i)
        acc[i * J + j] = multiply_add(row[i], column, acc[i * J + j]);
    }
  }
  if (const int64_t rest = d.k - p; rest > 0) {
#pragma GCC unroll 16
    for (int j = 0; j < J; ++j) {
      const Vec<T> column = Vec<T>::load_partial(y[j] + p, rest);
#pragma GCC unroll 16
      for (int i = 0; i < I; ++i)
        acc[i * J + j] = multiply_add(Vec<T>::load_partial(x[i] + p, rest), column, acc[i * J + j]);
    }
  }
  T sums[W];
  sum_each<W / 2>(acc).store(sums);
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

template <class T> struct DotRows {
  static constexpr int W = Vec<T>::width;
  static constexpr int many = W >= 16 ? 4 : W >= 4 ? 2 : 1; // rows per tile where there are enough
};

// Columns [first, last) of the result; y's rows are read once and meet all rows of x while they are near.
template <class T> void dot_columns(const Dots<T> &d, int64_t first, int64_t last) {
  constexpr int W = Vec<T>::width, I = DotRows<T>::many;
  Dots<T> part = d;
  part.n = last;
  if (d.m == 1) {
    for (int64_t j = first; j < last; j += W)
      dot_tile<T, 1>(part, 0, j);
  } else {
    for (int64_t j = first; j < last; j += W / I)
      for (int64_t i = 0; i < d.m; i += I)
        dot_tile<T, I>(part, i, j);
  }
}

template <class T> void run_dots(const Dots<T> &d) {
  constexpr int64_t columns = 64; // per block: a multiple of every tile's columns
  const double cost = double(d.m * d.n * d.k) * 2 / (8 * Vec<T>::width) / 3;
  const int64_t blocks = (d.n + columns - 1) / columns;
  if (blocks == 1)
    return dot_columns(d, 0, d.n);
  const auto body = [](void *context, int64_t block) {
    const Dots<T> &dots = *static_cast<const Dots<T> *>(context);
    const int64_t first = block * columns, last = first + columns;
    dot_columns(dots, first, last < dots.n ? last : dots.n);
  };
  parallel_for(blocks, cost, body, const_cast<Dots<T> *>(&d));
}

} // namespace cinta::kernels::CINTA_ISA
