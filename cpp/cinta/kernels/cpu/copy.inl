// Transposing copies: y[r, c] = x[c, r], what lies in rows on one side lies in columns on the other.
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/cpu/vector/transpose.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

// Squares of this side are moved at a time: whole cache lines on both sides, and few pages.
constexpr int64_t kSide = 64;

// A few columns, the colours of an image, say: y is written in order, x read in as many streams.
template <class S, int kColumns>
static void interleave(int64_t rows, const S *x, int64_t x_stride, S *y, int64_t y_stride) {
  for (int64_t r = 0; r < rows; ++r)
    for (int c = 0; c < kColumns; ++c)
      y[r * y_stride + c] = x[c * x_stride + r];
}
template <class S, int kRows>
static void take_apart(int64_t cols, const S *x, int64_t x_stride, S *y, int64_t y_stride) {
  for (int64_t c = 0; c < cols; ++c)
    for (int r = 0; r < kRows; ++r)
      y[r * y_stride + c] = x[c * x_stride + r];
}

// One vector's width squared, or what is left of it.
template <class T>
CINTA_FN void transpose_block(int64_t rows, int64_t cols, const T *x, int64_t x_stride, T *y, int64_t y_stride) {
  constexpr int W = Vec<T>::width;
  Vec<T> block[W];
  if (rows == W && cols == W) {
    for (int i = 0; i < W; ++i)
      block[i] = Vec<T>::load(x + i * x_stride);
    transpose(block);
    for (int i = 0; i < W; ++i)
      block[i].store(y + i * y_stride);
    return;
  }
  for (int i = 0; i < W; ++i)
    block[i] = i < cols ? load_some(x + i * x_stride, rows) : Vec<T>(T(0));
  transpose(block);
  for (int i = 0; i < W; ++i)
    if (i < rows)
      store_some(block[i], y + i * y_stride, cols);
}

template <class T>
static void transpose_square(int64_t rows, int64_t cols, const T *x, int64_t x_stride, T *y, int64_t y_stride) {
  constexpr int64_t W = Vec<T>::width;
  for (int64_t r = 0; r < rows; r += W)
    for (int64_t c = 0; c < cols; c += W)
      transpose_block(rows - r < W ? rows - r : W, cols - c < W ? cols - c : W, x + c * x_stride + r, x_stride,
                      y + r * y_stride + c, y_stride);
}
template <class S> // elements that no vector type has
static void transpose_plain(int64_t rows, int64_t cols, const S *x, int64_t x_stride, S *y, int64_t y_stride) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c)
      y[r * y_stride + c] = x[c * x_stride + r];
}

template <class S>
static void transpose_copy(int64_t rows, int64_t cols, const void *from, int64_t x_stride, void *to, int64_t y_stride) {
  const S *x = static_cast<const S *>(from);
  S *y = static_cast<S *>(to);
  switch (cols) {
  case 2:
    return interleave<S, 2>(rows, x, x_stride, y, y_stride);
  case 3:
    return interleave<S, 3>(rows, x, x_stride, y, y_stride);
  case 4:
    return interleave<S, 4>(rows, x, x_stride, y, y_stride);
  }
  switch (rows) {
  case 2:
    return take_apart<S, 2>(cols, x, x_stride, y, y_stride);
  case 3:
    return take_apart<S, 3>(cols, x, x_stride, y, y_stride);
  case 4:
    return take_apart<S, 4>(cols, x, x_stride, y, y_stride);
  }
  for (int64_t r = 0; r < rows; r += kSide)
    for (int64_t c = 0; c < cols; c += kSide) {
      const auto square = [] {
        if constexpr (sizeof(S) < 4)
          return transpose_plain<S>;
        else
          return transpose_square<S>;
      }();
      square(rows - r < kSide ? rows - r : kSide, cols - c < kSide ? cols - c : kSide, x + c * x_stride + r, x_stride,
             y + r * y_stride + c, y_stride);
    }
}

// By the size of an element: 1, 2, 4 and 8 bytes; only bits are moved.
void fill_copy(Table &table) {
  table.transpose_copy[0] = transpose_copy<uint8_t>;
  table.transpose_copy[1] = transpose_copy<uint16_t>;
  table.transpose_copy[2] = transpose_copy<float>;
  table.transpose_copy[3] = transpose_copy<double>;
}

} // namespace cinta::kernels::CINTA_ISA
