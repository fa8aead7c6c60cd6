// The micro-kernel of the matrix product: a tile of C, MR rows by NV vectors, kept in registers over all of k.
#pragma once
#include <cstdint>

namespace cinta::kernels::CINTA_ISA {

// Shapes of tiles. Loads are what holds the multiplications up, so the squarer tile is the faster one: with AVX-512
// 8 rows by 3 vectors reach 98 % of the peak from L1, 14 by 2 only 91 %.
template <class T> struct TileShape {
  static constexpr int registers = sizeof(Vec<T>) == 64 ? 32 : 16;
  static constexpr int vectors = registers == 32 ? 3 : 2; // in the tile for wide C
  static constexpr int most_rows = registers == 32 ? 14 : 6;
  static constexpr int rows(int64_t vectors_used) { return vectors_used == 3 ? 8 : most_rows; }
};

template <class T> struct Tile {
  int64_t k;
  const T *a; // element (i, p) at a[i * a_row + p * a_col]
  int64_t a_row, a_col;
  const T *b; // element (p, j) at b[p * b_row + j]
  int64_t b_row;
  T *weave; // where a woven micro-kernel leaves B packed, or null
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

constexpr int kAhead = 8; // rows of B asked for in advance: read in place they lie on different pages

// How a micro-kernel reads B. Anywhere; or as a packed panel of the tile's width, near and of known stride, which takes
// fewer instructions; or in place, leaving it packed for the strips to come: its loads hide behind the products.
enum class ReadB { anywhere, panel, weaving };

template <class T, int MR, int NV, bool kEdge, ReadB kReadB = ReadB::anywhere> void micro_kernel(const Tile<T> &t) {
  constexpr int W = Vec<T>::width;
  constexpr bool kPanel = kReadB == ReadB::panel;
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
  const int64_t a_row = t.a_row, a_col = t.a_col, b_row = kPanel ? NV * W : t.b_row;
  T *weave = t.weave;
  // C comes from far away and is wanted last.
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < NV; ++j)
      __builtin_prefetch(t.c + i * t.ldc + j * W, 1);
  const auto step = [&](const T *row_of_b) __attribute__((always_inline)) {
    Vec<T> column[NV];
#pragma GCC unroll 16
    for (int j = 0; j < NV; ++j) {
      if (!kPanel && j * W * int(sizeof(T)) % 64 == 0)
        __builtin_prefetch(row_of_b + kAhead * b_row + j * W);
      const T *from = row_of_b + j * W;
      column[j] = kEdge && j == NV - 1 ? Vec<T>::load_partial(from, t.last) : Vec<T>::load(from);
      if (kReadB == ReadB::weaving)
        column[j].store(weave + j * W);
    }
    if (kReadB == ReadB::weaving)
      weave += NV * W;
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
  };
  int64_t p = t.k;
  if constexpr (kPanel)
    for (; p >= 2; p -= 2, b += 2 * b_row) {
      step(b);
      step(b + b_row);
    }
  for (; p > 0; --p, b += b_row)
    step(b);

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
  const int vectors = rows == 1 ? 8 : (TileShape<T>::registers - 1) / (rows + 1);
  return vectors > 8 ? 8 : vectors < 2 ? 2 : vectors;
}

template <class T> using MicroKernel = void (*)(const Tile<T> &);

// [rows - 1][vectors - 1][whether the last vector is partial]; null where the registers would not do
template <class T> struct MicroKernels { MicroKernel<T> of[TileShape<T>::most_rows][8][2]; };

template <class T, int MR, int NV> constexpr void list_micro_kernels(MicroKernels<T> &kernels) {
  if constexpr (NV <= widest<T>(MR)) {
    kernels.of[MR - 1][NV - 1][0] = micro_kernel<T, MR, NV, false>;
    kernels.of[MR - 1][NV - 1][1] = micro_kernel<T, MR, NV, true>;
    list_micro_kernels<T, MR, NV + 1>(kernels);
  } else if constexpr (MR > 1) {
    list_micro_kernels<T, MR - 1, 1>(kernels);
  }
}

template <class T> constexpr MicroKernels<T> micro_kernels() {
  MicroKernels<T> kernels{};
  list_micro_kernels<T, TileShape<T>::most_rows, 1>(kernels);
  return kernels;
}

// The tiles that make up most of a large product: as tall as they get or one row less, as wide or a vector less.
template <class T> CINTA_FN bool has_woven_kernel(int64_t rows, int64_t columns) {
  constexpr int W = Vec<T>::width, V = TileShape<T>::vectors, R = TileShape<T>::rows(V);
  return (rows == R || rows == R - 1) && (columns == V * W || columns == (V - 1) * W);
}

template <class T, ReadB kReadB> CINTA_FN MicroKernel<T> common_kernel(int64_t rows, int64_t columns) {
  constexpr int W = Vec<T>::width, V = TileShape<T>::vectors, R = TileShape<T>::rows(V);
  if (columns == V * W)
    return rows == R ? micro_kernel<T, R, V, false, kReadB> : micro_kernel<T, R - 1, V, false, kReadB>;
  return rows == R ? micro_kernel<T, R, V - 1, false, kReadB> : micro_kernel<T, R - 1, V - 1, false, kReadB>;
}

template <class T> CINTA_FN MicroKernel<T> micro_kernel_for(const Tile<T> &t, int64_t rows, int64_t columns) {
  static constexpr MicroKernels<T> kernels = micro_kernels<T>();
  constexpr int W = Vec<T>::width;
  if (t.weave)
    return common_kernel<T, ReadB::weaving>(rows, columns);
  if (t.b_row == columns && has_woven_kernel<T>(rows, columns))
    return common_kernel<T, ReadB::panel>(rows, columns);
  return kernels.of[rows - 1][(columns + W - 1) / W - 1][t.last < W];
}

// Long sums lose accuracy: after so many products of K the sum is put aside, in C, which is near by then. Of very many
// such sums there are no more than each has products.
CINTA_FN int64_t chain_of(int64_t K) { return K <= 128 * 128 ? 128 : int64_t(__builtin_sqrt(double(K))); }

// A tile of `rows` rows and `columns` columns, no more than a micro-kernel takes.
template <class T> CINTA_FN void run_tile(Tile<T> &t, int64_t chain, int64_t rows, int64_t columns) {
  constexpr int W = Vec<T>::width;
  t.last = columns - (columns - 1) / W * W;
  const MicroKernel<T> kernel = micro_kernel_for(t, rows, columns);
  if (t.k <= chain)
    return kernel(t);
  const int64_t pieces = (t.k + chain - 1) / chain, piece = (t.k + pieces - 1) / pieces;
  Tile<T> part = t;
  for (int64_t rest = t.k; rest > 0; rest -= part.k) {
    part.k = rest < piece ? rest : piece;
    kernel(part);
    part.a += part.k * part.a_col;
    part.b += part.k * part.b_row;
    if (part.weave)
      part.weave += part.k * columns;
    part.add = true;
    part.bias_n = part.bias_m = nullptr;
  }
}

} // namespace cinta::kernels::CINTA_ISA
