// Resampling: one axis after the other, in the cache.
// Rows are added as vectors. Columns are too, where many channels lie side by side; else as many rows as a vector has
// lanes are transposed, so that what a column needs of all of them is one vector each.
#include "cinta/kernels/cpu/vector/blocks.inl"
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/cpu/vector/transpose.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {
namespace {

// to[0, n) = the weighted sum of `count` rows of x, `pitch` apart
template <class T>
CINTA_FN void weigh_rows(int64_t count, const T *weights, const T *x, int64_t pitch, int64_t n, T *to) {
  constexpr int64_t W = Vec<T>::width;
  int64_t c = 0;
  for (; c + 4 * W <= n; c += 4 * W) {
    Vec<T> sum[4];
    const Vec<T> first(weights[0]);
    for (int v = 0; v < 4; ++v)
      sum[v] = Vec<T>::load(x + c + v * W) * first;
    for (int64_t k = 1; k < count; ++k) {
      const Vec<T> weight(weights[k]);
      for (int v = 0; v < 4; ++v)
        sum[v] = fma(weight, Vec<T>::load(x + k * pitch + c + v * W), sum[v]);
    }
    for (int v = 0; v < 4; ++v)
      sum[v].store(to + c + v * W);
  }
  for_vectors<T>(c, n, [=](int64_t at, int64_t some) {
    Vec<T> sum = load_some(x + at, some) * Vec<T>(weights[0]);
    for (int64_t k = 1; k < count; ++k)
      sum = fma(Vec<T>(weights[k]), load_some(x + k * pitch + at, some), sum);
    store_some(sum, to + at, some);
  });
}

// Outputs that nothing reaches are 0.
template <class T> CINTA_FN void weigh(const ResampleAxis &a, int64_t i, const T *x, int64_t pitch, T *to) {
  const T *weights = static_cast<const T *>(a.weights) + i * a.taps, *from = x + a.first[i] * pitch;
  if (a.count[i] == 0)
    __builtin_memset(to, 0, size_t(pitch) * sizeof(T));
  else if (a.count[i] == 1 && weights[0] == T(1)) // a copy, as all of nearest neighbours are
    for_vectors<T>(0, pitch, [=](int64_t c, int64_t n) { store_some(load_some(from + c, n), to + c, n); });
  else
    weigh_rows(a.count[i], weights, from, pitch, pitch, to);
}

// x[size, pitch] -> y[out, pitch]
template <class T> void resample_rows(const ResampleAxis &a, int64_t pitch, const T *x, T *y) {
  for (int64_t i = 0; i < a.out; ++i)
    weigh(a, i, x, pitch, y + i * pitch);
}

// x[rows, size, channels] -> y[rows, out, channels], rows <= width at a time as the lanes of vectors
template <class T>
void resample_woven(const ResampleAxis &a, int64_t channels, int64_t rows, const T *x, T *y, T *woven) {
  constexpr int W = Vec<T>::width;
  const int64_t in = a.size * channels, out = a.out * channels;
  Vec<T> block[W];
  for (int64_t c = 0; c < in; c += W) {
    const int64_t n = in - c < W ? in - c : W;
    for (int r = 0; r < W; ++r)
      block[r] = r < rows ? load_some(x + r * in + c, n) : Vec<T>(T(0));
    transpose(block);
    for (int64_t l = 0; l < n; ++l)
      block[l].store(woven + (c + l) * W);
  }
  const T *weights = static_cast<const T *>(a.weights);
  int64_t j = 0, channel = 0; // of the next output
  for (int64_t c = 0; c < out; c += W) {
    const int64_t n = out - c < W ? out - c : W;
    for (int64_t l = 0; l < n; ++l) {
      const T *from = woven + (a.first[j] * channels + channel) * W, *weight = weights + j * a.taps;
      Vec<T> sum = a.count[j] ? Vec<T>::load(from) * Vec<T>(weight[0]) : Vec<T>(T(0));
      for (int64_t k = 1; k < a.count[j]; ++k)
        sum = fma(Vec<T>(weight[k]), Vec<T>::load(from + k * channels * W), sum);
      block[l] = sum;
      if (++channel == channels)
        channel = 0, ++j;
    }
    for (int64_t l = n; l < W; ++l)
      block[l] = Vec<T>(T(0));
    transpose(block);
    for (int r = 0; r < W && r < rows; ++r)
      store_some(block[r], y + r * out + c, n);
  }
}

template <class T>
void resample_columns(const ResampleAxis &a, int64_t channels, int64_t rows, const T *x, T *y, T *woven) {
  constexpr int64_t W = Vec<T>::width;
  const int64_t in = a.size * channels, out = a.out * channels;
  if (channels >= 2 * W) {
    for (int64_t r = 0; r < rows; ++r)
      resample_rows(a, channels, x + r * in, y + r * out);
    return;
  }
  for (int64_t r = 0; r < rows; r += W)
    resample_woven(a, channels, rows - r < W ? rows - r : W, x + r * in, y + r * out, woven);
}

// Whether each new element is an old one.
template <class T> bool copies(const ResampleAxis &a) {
  const T *weights = static_cast<const T *>(a.weights);
  bool all = a.taps > 0;
  for (int64_t i = 0; i < a.out; ++i)
    all = all && a.count[i] == 1 && weights[i * a.taps] == T(1);
  return all;
}

// One image whose rows are copies: each is made once, where it comes first.
template <class T>
void resample_repeated(const ResampleAxis &rows, const ResampleAxis &columns, int64_t channels, const T *x, T *y) {
  const int64_t in = columns.size * channels, out = columns.out * channels;
  for (int64_t i = 0; i < rows.out; ++i, y += out)
    if (i > 0 && rows.first[i] == rows.first[i - 1])
      __builtin_memcpy(y, y - out, size_t(out) * sizeof(T));
    else
      resample_rows(columns, channels, x + rows.first[i] * in, y);
}

template <class T> void resample(const Resample &g, const void *x_, void *y_) {
  constexpr int64_t W = Vec<T>::width;
  const T *x = static_cast<const T *>(x_);
  T *y = static_cast<T *>(y_);
  const ResampleAxis &rows = g.rows, &columns = g.columns;
  const int64_t C = g.channels, in = rows.size * columns.size * C, out = rows.out * columns.out * C;
  const bool columns_first = rows.size <= rows.out; // the dearer of the two, on the fewer lines
  const bool repeated = rows.taps && columns.taps && C >= 2 * W && copies<T>(rows);
  const int64_t between = (columns_first ? rows.size * columns.out : rows.out * columns.size) * C;
  const int64_t largest = in > out ? in : out, block = largest < 1 << 15 ? (1 << 15) / (largest > 0 ? largest : 1) : 1;
  const double taps = double(rows.taps + columns.taps + 4);
  for_blocks(g.images, block, 0.05 * taps * double(g.images * largest), [&](int64_t begin, int64_t end) {
    const int64_t images = end - begin;
    const bool both = rows.taps && columns.taps;
    T *woven = static_cast<T *>(
        scratch(Scratch::tile, size_t(columns.size * C * W + (both ? images * between : 0)) * sizeof(T)));
    T *middle = both ? woven + columns.size * C * W : nullptr;
    const T *from = x + begin * in;
    T *to = y + begin * out;
    const auto across = [&](int64_t lines, const T *source, T *target) {
      resample_columns(columns, C, images * lines, source, target, woven);
    };
    const auto down = [&](int64_t pitch, const T *source, T *target) {
      for (int64_t i = 0; i < images; ++i)
        resample_rows(rows, pitch * C, source + i * rows.size * pitch * C, target + i * rows.out * pitch * C);
    };
    if (!both)
      return columns.taps ? across(rows.size, from, to) : down(columns.size, from, to);
    if (repeated) {
      for (int64_t i = 0; i < images; ++i)
        resample_repeated(rows, columns, C, from + i * in, to + i * out);
    } else if (columns_first) {
      across(rows.size, from, middle);
      down(columns.out, middle, to);
    } else {
      down(columns.size, from, middle);
      across(rows.out, middle, to);
    }
  });
}

} // namespace

void fill_resample(Table &table) { table.resample[0] = resample<float>, table.resample[1] = resample<double>; }

} // namespace cinta::kernels::CINTA_ISA
