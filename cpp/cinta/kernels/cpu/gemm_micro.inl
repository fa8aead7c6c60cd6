// The micro-kernel of the matrix product: a tile of C, MR rows by NV vectors, kept in registers over all of k.
#pragma once
#include <cstdint>

namespace cinta::kernels::CINTA_ISA {

// Tile shape by the size of the register file: 28 accumulators of 32 with AVX-512, 12 of 16 with AVX2.
template <class T> struct TileShape {
  static constexpr int W = Vec<T>::width;
  static constexpr int MR = sizeof(Vec<T>) == 64 ? 14 : sizeof(Vec<T>) == 32 ? 6 : 4;
  static constexpr int NV = 2;
  static constexpr int NR = NV * W;
};

template <class T> struct Tile {
  int64_t k;
  const T *a; // element (i, p) at a[i * a_row + p * a_col]
  int64_t a_row, a_col;
  const T *b; // element (p, j) at b[p * b_row + j]
  int64_t b_row;
  T *c;
  int64_t ldc;
  int64_t last; // columns in the last of the NV vectors
  bool add;     // to what C holds
  const T *bias_n, *bias_m;
};

// The reference level has no FMA instruction: two roundings there, not a call of libm's fma.
template <class T> CINTA_FN Vec<T> multiply_add(Vec<T> a, Vec<T> b, Vec<T> c) {
  if constexpr (Vec<T>::width == 1)
    return a * b + c;
  else
    return fma(a, b, c);
}

template <class T, int MR, int NV, bool kEdge> void micro_kernel(const Tile<T> &t) {
  constexpr int W = Vec<T>::width;
  Vec<T> acc[MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < NV; ++j)
      acc[i][j] = Vec<T>(T(0));

  // Four rows share one pointer, so that all addresses of a step come from few registers.
  const T *a[(MR + 3) / 4];
#pragma GCC unroll 16
  for (int i = 0; i < MR; i += 4)
    a[i / 4] = t.a + i * t.a_row;
  const T *b = t.b;
  const int64_t a_row = t.a_row, a_col = t.a_col, b_row = t.b_row;
  for (int64_t p = t.k; p > 0; --p) {
    Vec<T> column[NV];
#pragma GCC unroll 16
    for (int j = 0; j < NV; ++j)
      column[j] = kEdge && j == NV - 1 ? Vec<T>::load_partial(b + j * W, t.last) : Vec<T>::load(b + j * W);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const Vec<T> row(a[i / 4][(i % 4) * a_row]);
#pragma GCC unroll 16
      for (int j = 0; j < NV; ++j)
        acc[i][j] = multiply_add(row, column[j], acc[i][j]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < MR; i += 4)
      a[i / 4] += a_col;
    b += b_row;
  }

  const auto load = [&](const T *from, int j) {
    return kEdge && j == NV - 1 ? Vec<T>::load_partial(from + j * W, t.last) : Vec<T>::load(from + j * W);
  };
  if (t.add) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < NV; ++j)
        acc[i][j] += load(t.c + i * t.ldc, j);
  }
  if (t.bias_n) {
#pragma GCC unroll 16
    for (int j = 0; j < NV; ++j) {
      const Vec<T> bias = load(t.bias_n, j);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i)
        acc[i][j] += bias;
    }
  }
  if (t.bias_m) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < NV; ++j)
        acc[i][j] += Vec<T>(t.bias_m[i]);
  }
  T *c = t.c;
  const int64_t ldc = t.ldc, last = t.last;
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i, c += ldc)
#pragma GCC unroll 16
    for (int j = 0; j < NV; ++j) {
      if (kEdge && j == NV - 1)
        acc[i][j].store_partial(c + j * W, last);
      else
        acc[i][j].store(c + j * W);
    }
}

// Vectors a tile of `rows` rows may be wide when B is read in place: accumulators, a row of B and one broadcast.
template <class T> constexpr int widest(int rows) {
  const int registers = sizeof(Vec<T>) == 64 ? 32 : 16;
  const int vectors = rows == 1 ? 8 : (registers - 1) / (rows + 1);
  return vectors > 8 ? 8 : vectors < TileShape<T>::NV ? TileShape<T>::NV : vectors;
}

template <class T> using MicroKernel = void (*)(const Tile<T> &);

// [rows - 1][one, two or widest vectors][whether the last vector is partial]
template <class T> struct MicroKernels { MicroKernel<T> of[TileShape<T>::MR][3][2]; };

template <class T, int MR> constexpr void list_micro_kernels(MicroKernels<T> &kernels) {
  auto &row = kernels.of[MR - 1];
  row[0][0] = micro_kernel<T, MR, 1, false>;
  row[0][1] = micro_kernel<T, MR, 1, true>;
  row[1][0] = micro_kernel<T, MR, 2, false>;
  row[1][1] = micro_kernel<T, MR, 2, true>;
  row[2][0] = row[2][1] = micro_kernel<T, MR, widest<T>(MR), false>;
  if constexpr (MR > 1)
    list_micro_kernels<T, MR - 1>(kernels);
}

template <class T> constexpr MicroKernels<T> micro_kernels() {
  MicroKernels<T> kernels{};
  list_micro_kernels<T, TileShape<T>::MR>(kernels);
  return kernels;
}

// C rows i.. of `rows` <= MR, columns [0, n): whole wide tiles first, then what is left.
template <class T> void run_tiles(Tile<T> t, int64_t rows, int64_t n, bool wide) {
  static constexpr MicroKernels<T> kernels = micro_kernels<T>();
  constexpr int W = Vec<T>::width;
  const auto &row = kernels.of[rows - 1];
  while (n > 0) {
    int64_t columns = int64_t(widest<T>(int(rows))) * W;
    if (wide && n >= columns) {
      row[2][0](t);
    } else {
      columns = n < TileShape<T>::NR ? n : TileShape<T>::NR;
      const int64_t vectors = (columns + W - 1) / W;
      t.last = columns - (vectors - 1) * W;
      row[vectors - 1][t.last < W](t);
    }
    t.b += columns;
    t.c += columns;
    if (t.bias_n)
      t.bias_n += columns;
    n -= columns;
  }
}

} // namespace cinta::kernels::CINTA_ISA
