// The two small products at one place, both with lanes along the taps. However the tiles are cut, a sum is made in the
// same order.
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/cpu/vector/transpose.inl"

namespace cinta::kernels::CINTA_ISA {
namespace {

template <class T> constexpr bool kManyRegisters = sizeof(Vec<T>) == 64;

// Weights from memory, a place ahead: hardware follows only so many rows, and stops at the end of each.
template <class T> CINTA_FN void fetch(const T *p) { __builtin_prefetch(p, 0, 2); }

// ---- y[b, o] = bias[o] + sum over k of x[b, k] w[o, k]

template <class T> struct TapSums {
  int64_t images, outputs, taps;
  const T *x; // rows `pitch` apart
  int64_t pitch;
  const T *w; // the outputs one after the other
  T *y;       // images `y_image` apart
  int64_t y_image;
  const T *bias; // or null; outputs `bias_step` apart
  int64_t bias_step;
};

// Past the border the last row is read again and its sum dropped.
template <class T, int I, int J> void tap_sums_tile(const TapSums<T> &s, int64_t b, int64_t o) {
  constexpr int W = Vec<T>::width, kParts = (I * J + W - 1) / W;
  const int64_t ahead = s.outputs * s.taps;
  const T *x[I], *w[J];
#pragma GCC unroll 16
  for (int i = 0; i < I; ++i)
    x[i] = s.x + (b + i < s.images ? b + i : s.images - 1) * s.pitch;
#pragma GCC unroll 16
  for (int j = 0; j < J; ++j)
    w[j] = s.w + (o + j < s.outputs ? o + j : s.outputs - 1) * s.taps;
  Vec<T> acc[kParts][W];
#pragma GCC unroll 16
  for (int l = 0; l < kParts * W; ++l)
    acc[l / W][l % W] = Vec<T>(T(0));
  for_vectors<T>(
      0, s.taps, [&](int64_t k, int64_t lanes) __attribute__((always_inline)) {
        Vec<T> rows[I];
#pragma GCC unroll 16
        for (int i = 0; i < I; ++i)
          rows[i] = load_some(x[i] + k, lanes);
#pragma GCC unroll 16
        for (int j = 0; j < J; ++j) {
          const Vec<T> weights = load_some(w[j] + k, lanes);
          if (b == 0)
            fetch(w[j] + k + ahead);
#pragma GCC unroll 16
          for (int i = 0; i < I; ++i)
            acc[(i * J + j) / W][(i * J + j) % W] = fma(rows[i], weights, acc[(i * J + j) / W][(i * J + j) % W]);
        }
      });
  T sums[kParts * W];
#pragma GCC unroll 16
  for (int part = 0; part < kParts; ++part)
    sum_each<W / 2>(acc[part]).store(sums + part * W);
  T start[J];
#pragma GCC unroll 16
  for (int j = 0; j < J; ++j)
    start[j] = s.bias && o + j < s.outputs ? s.bias[(o + j) * s.bias_step] : T(0);
  T *const y = s.y + b * s.y_image + o;
  if (b + I <= s.images && o + J <= s.outputs) {
#pragma GCC unroll 16
    for (int i = 0; i < I; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < J; ++j)
        y[i * s.y_image + j] = sums[i * J + j] + start[j];
    return;
  }
  for (int i = 0; i < I && b + i < s.images; ++i)
    for (int j = 0; j < J && o + j < s.outputs; ++j)
      y[i * s.y_image + j] = sums[i * J + j] + start[j];
}

// A few outputs' weights come from memory once and meet all images while they are near.
template <class T> void tap_sums(const TapSums<T> &s) {
  constexpr int I = kManyRegisters<T> ? 4 : 2, J = 4;
  for (int64_t o = 0; o < s.outputs; o += J) {
    if (s.images == 1)
      tap_sums_tile<T, 1, J>(s, 0, o);
    else
      for (int64_t b = 0; b < s.images; b += I)
        tap_sums_tile<T, I, J>(s, b, o);
  }
}

// ---- c[r, k] = sum over s of a[r, s] b[s, k]: few sums, long rows

template <class T> struct RowSums {
  int64_t rows, sums, taps;
  const T *a;
  int64_t a_row, a_sum; // strides
  const T *b;
  int64_t b_row;
  T *c;
  int64_t c_row;
  bool accumulate; // to what is in c
  bool stream;     // past the caches: c is aligned to whole vectors and not read soon
  int64_t ahead;   // what is read of b once more, so many elements further on, will be next; 0: nothing
};

template <class T, int I, int V> CINTA_FN void row_sums_tile(const RowSums<T> &p, int64_t r, int64_t k, int64_t lanes) {
  constexpr int W = Vec<T>::width;
  const int64_t part = V > 1 ? int64_t(W) : lanes;
  Vec<T> acc[I][V];
#pragma GCC unroll 16
  for (int i = 0; i < I; ++i)
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v)
      acc[i][v] = p.accumulate ? load_some(p.c + (r + i) * p.c_row + k + v * W, part) : Vec<T>(T(0));
  const T *a = p.a + r * p.a_row, *b = p.b + k;
  const int64_t ahead = r == 0 ? p.ahead : 0;
  for (int64_t s = 0; s < p.sums; ++s, a += p.a_sum, b += p.b_row) {
    Vec<T> row[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v)
      row[v] = load_some(b + v * W, part);
    if (ahead)
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v)
        fetch(b + v * W + ahead);
#pragma GCC unroll 16
    for (int i = 0; i < I; ++i) {
      const Vec<T> factor = a[i * p.a_row];
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v)
        acc[i][v] = fma(factor, row[v], acc[i][v]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < I; ++i)
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      T *const to = p.c + (r + i) * p.c_row + k + v * W;
      if (p.stream)
        acc[i][v].stream(to);
      else
        store_some(acc[i][v], to, part);
    }
}

template <class T, int I> void row_sums_of(const RowSums<T> &p, int64_t r, int64_t begin, int64_t end) {
  constexpr int W = Vec<T>::width, V = kManyRegisters<T> ? 3 : 2;
  int64_t k = begin;
  for (; k + V * W <= end; k += V * W)
    row_sums_tile<T, I, V>(p, r, k, W);
  for_vectors<T>(k, end, [&](int64_t at, int64_t lanes) { row_sums_tile<T, I, 1>(p, r, at, lanes); });
}

// Blocks of taps meet all rows while what is summed is near.
template <class T> void row_sums(const RowSums<T> &p) {
  constexpr int kRows = kManyRegisters<T> ? 8 : 4;
  constexpr int64_t kTaps = 12 * 16; // a multiple of every tile's
  for (int64_t k = 0; k < p.taps; k += kTaps) {
    const int64_t end = k + kTaps < p.taps ? k + kTaps : p.taps;
    int64_t r = 0;
    for (; r + kRows <= p.rows; r += kRows)
      row_sums_of<T, kRows>(p, r, k, end);
    for (; r + 2 <= p.rows; r += 2)
      row_sums_of<T, 2>(p, r, k, end);
    if (r < p.rows)
      row_sums_of<T, 1>(p, r, k, end);
  }
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
