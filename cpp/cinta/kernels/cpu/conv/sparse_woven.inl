// Sparse convolution with lanes along images: a vector holds one pixel of as many images, so no lane is idle in narrow
// rows and every load is aligned. What a plane is not joined to is no tap of its sums.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int kSparsePixels = Vec<float>::width == 16 ? 16 : 12;          // sums in registers
constexpr int kSparseWeightSums = Vec<float>::width == 16 ? 25 : 12;      // the same, of dw
constexpr int64_t kSparseBandFloats = 192 << 10, kSparseMost = 512 << 10; // woven at once: in L2, for the better part
constexpr int64_t kSparseBlocks = 8; // parallel ones at the least; fixed, so threads never change results

struct SparseJob {
  Conv2d g; // of the planes that are read and written: the adjoint's where dx is computed
  bool turned;
  const Connections *connections;
  const float *x, *w, *bias, *dy;
  float *y;                       // or the sums of dw: [images][weight][tap]
  int64_t planes = 0, images = 1; // of a block; parts that have sums of dw of their own
  int64_t rows = 0, splits = 1;   // of a band; blocks that share one

  int64_t taps() const { return g.KH * g.KW; }
};

// Rows [first, first + rows) of the padded images side by side: [plane][row][column][lane].
struct SparseBand {
  int64_t rows, pitch, plane;
  SparseBand(const Conv2d &g, int64_t outputs)
      : rows(outputs + (g.KH - 1) * g.dilation_h), pitch(g.OW + (g.KW - 1) * g.dilation_w),
        plane(rows * pitch * Vec<float>::width) {}
};

inline void weave_band(const Conv2d &g, const SparseBand &b, int64_t first, const float *x, int64_t count,
                       float *woven) {
  constexpr int W = Vec<float>::width;
  zero_floats(g.C * b.plane, woven);
  const int64_t low = at_least(0, g.pad_h - first), high = at_most(b.rows, g.H + g.pad_h - first);
  for (int64_t c = 0; c < g.C; ++c)
    for (int64_t row = low; row < high; ++row)
      transpose_floats(g.W, count, x + (c * g.H + first + row - g.pad_h) * g.W, g.x_batch,
                       woven + c * b.plane + (row * b.pitch + g.pad_w) * W, W);
}

// Whether there are images enough, and a band of them fits into L2.
inline bool sparse_along_images(const Conv2d &g) {
  constexpr int W = Vec<float>::width;
  if (W == 1 || g.stride_h > 1 || g.stride_w > 1 || g.pad_h < 0 || g.pad_w < 0)
    return false;
  const int64_t reach_h = (g.KH - 1) * g.dilation_h, reach_w = (g.KW - 1) * g.dilation_w;
  return lanes_used(g.N) > 0.6 && g.pad_h <= reach_h && g.pad_w <= reach_w &&
         g.C * SparseBand(g, 1).plane <= kSparseMost;
}

// As few bands of rows as fit, about as high as each other; of more than `least` rows where there are as many.
inline int64_t sparse_band_rows(const Conv2d &g, int64_t row_floats, int64_t least) {
  const int64_t most = at_least(least, kSparseBandFloats / row_floats - (g.KH - 1) * g.dilation_h);
  return ceil_div(g.OH, ceil_div(g.OH, most));
}

// P pixels of a plane: sums = start + taps, or sums += taps.
template <int P> void sparse_tile(const Tap *begin, const Tap *end, const float *x, const float *w, bool adds,
                                  float start, float *sums) {
  using V = Vec<float>;
  V sum[P];
#pragma GCC unroll 16
  for (V &s : sum)
    s = V(0.0f);
  for (const Tap *tap = begin; tap < end; ++tap) {
    const V weight(w[tap->w]);
    const float *at = x + tap->x;
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p)
      sum[p] = multiply_add(V::load(at + p * V::width), weight, sum[p]);
  }
#pragma GCC unroll 16
  for (int p = 0; p < P; ++p)
    (sum[p] + (adds ? V::load(sums + p * V::width) : V(start))).store(sums + p * V::width);
}

using SparseTile = void (*)(const Tap *, const Tap *, const float *, const float *, bool, float, float *);
template <int P = kSparsePixels> SparseTile sparse_tile_of(int64_t pixels) {
  if constexpr (P == 1)
    return sparse_tile<1>;
  else
    return pixels == P ? sparse_tile<P> : sparse_tile_of<P - 1>(pixels);
}

// The taps of one plane, row by row of the kernel.
inline int64_t sparse_taps(const SparseJob &job, const SparseBand &b, int64_t to, Tap *taps) {
  constexpr int W = Vec<float>::width;
  const Conv2d &g = job.g;
  const Connections &c = *job.connections;
  for (int64_t kh = 0; kh < g.KH; ++kh)
    for (const Connection *i = c.list + c.first[to]; i < c.list + c.first[to + 1]; ++i)
      for (int64_t kw = 0; kw < g.KW; ++kw) {
        const int64_t t = kh * g.KW + kw;
        *taps++ = {int32_t(i->from * b.plane + (kh * g.dilation_h * b.pitch + kw * g.dilation_w) * W),
                   int32_t(i->weight * job.taps() + (job.turned ? job.taps() - 1 - t : t))};
      }
  return int64_t(c.first[to + 1] - c.first[to]) * g.KW;
}

// One plane of a band: sums[pixel][lane].
inline void sparse_plane(const SparseJob &job, const SparseBand &b, const Tap *taps, int64_t taps_per_row, int64_t top,
                         int64_t rows, float start, const float *woven, float *sums) {
  constexpr int W = Vec<float>::width;
  const Conv2d &g = job.g;
  const int64_t strips = ceil_div(g.OW, kSparsePixels);
  for (int64_t row = 0; row < rows; ++row) {
    int64_t first, last;
    live_taps(g, top + row, 1, first, last);
    const Tap *const end = taps + last * taps_per_row;
    const int64_t all = (last - first) * taps_per_row, run = ceil_div(all, at_least(1, ceil_div(all, kRunTaps)));
    for (int64_t s = 0; s < strips; ++s) {
      const int64_t left = s * g.OW / strips, right = (s + 1) * g.OW / strips;
      const SparseTile tile = sparse_tile_of(right - left);
      const float *x = woven + (row * b.pitch + left) * W;
      float *to = sums + (row * g.OW + left) * W;
      const Tap *begin = taps + first * taps_per_row;
      tile(begin, at_least(0, end - begin) > run ? begin + run : end, x, job.w, false, start, to);
      for (begin += run; begin < end && run > 0; begin += run)
        tile(begin, end - begin > run ? begin + run : end, x, job.w, true, start, to);
    }
  }
}

inline void sparse_filter_woven(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  const SparseJob &job = *static_cast<const SparseJob *>(context);
  const Conv2d &g = job.g;
  const Connections &c = *job.connections;
  const int64_t bands = ceil_div(g.OH, job.rows), split = block % job.splits, band = block / job.splits % bands;
  const int64_t n = block / job.splits / bands * W, count = at_most(W, g.N - n), top = band * job.rows;
  const int64_t rows = at_most(job.rows, g.OH - top), places = g.OH * g.OW;
  const SparseBand b(g, rows);
  const int64_t image_floats = g.C * b.plane, sums_floats = rows * g.OW * W;
  float *woven = static_cast<float *>(scratch(Scratch::conv, sizeof(float) * size_t(image_floats + sums_floats) +
                                                                 sizeof(Tap) * size_t(g.C * job.taps())));
  float *sums = woven + image_floats;
  Tap *taps = reinterpret_cast<Tap *>(sums + sums_floats);
  weave_band(g, b, top, job.x + n * g.x_batch, count, woven);
  for (int64_t to = split * c.planes / job.splits; to < (split + 1) * c.planes / job.splits; ++to) {
    const int64_t taps_per_row = sparse_taps(job, b, to, taps);
    sparse_plane(job, b, taps, taps_per_row, top, rows, job.bias ? job.bias[to] : 0.0f, woven, sums);
    transpose_floats(count, rows * g.OW, sums, W, job.y + n * g.y_batch + to * places + top * g.OW, g.y_batch);
  }
}

// ---- dw

// sums[r * S + s] += over pixels of dy * x[r], s columns further.
template <int R, int S> void sparse_weight_tile(int64_t rows, int64_t columns, const float *const *x, int64_t x_row,
                                                const float *dy, float *sums) {
  using V = Vec<float>;
  constexpr int W = V::width;
  V sum[R][S];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
    for (int s = 0; s < S; ++s)
      sum[r][s] = V::load(sums + (r * S + s) * W);
  for (int64_t row = 0; row < rows; ++row) {
    const float *at[R];
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r)
      at[r] = x[r] + row * x_row;
    for (int64_t j = 0; j < columns * W; j += W, dy += W) {
      const V d = V::load(dy);
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
        for (int s = 0; s < S; ++s)
          sum[r][s] = multiply_add(V::load(at[r] + j + s * W), d, sum[r][s]);
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
    for (int s = 0; s < S; ++s)
      sum[r][s].store(sums + (r * S + s) * W);
}

using SparseWeightTile = void (*)(int64_t, int64_t, const float *const *, int64_t, const float *, float *);
constexpr int sparse_weight_rows(int64_t columns) { // of the kernel, as many as registers allow
  return kSparseWeightSums / int(columns) < kPlaneKernel ? kSparseWeightSums / int(columns) : kPlaneKernel;
}
template <int S, int R = sparse_weight_rows(S)> SparseWeightTile sparse_weight_tile_of(int64_t rows) {
  if constexpr (R == 1)
    return sparse_weight_tile<1, S>;
  else
    return rows == R ? sparse_weight_tile<R, S> : sparse_weight_tile_of<S, R - 1>(rows);
}
template <int S = kPlaneKernel> SparseWeightTile sparse_weight_tile_for(int64_t rows, int64_t columns) {
  if constexpr (S > 1)
    if (columns != S)
      return sparse_weight_tile_for<S - 1>(rows, columns);
  return sparse_weight_tile_of<S>(rows);
}

// Sums over some bands of images and over lanes, of the connections of a split.
inline void sparse_weight_woven(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  const SparseJob &job = *static_cast<const SparseJob *>(context);
  const Conv2d &g = job.g;
  const Connections &c = *job.connections;
  const int64_t split = block % job.splits, part = block / job.splits;
  const int64_t bands = ceil_div(g.OH, job.rows), all = ceil_div(g.N, W) * bands, taps = job.taps();
  const int64_t first = split * c.count / job.splits, last = (split + 1) * c.count / job.splits;
  const int64_t sums_floats = (last - first) * taps * W, x_floats = g.C * SparseBand(g, job.rows).plane;
  const int64_t dy_plane = job.rows * g.OW * W;
  float *sums =
      static_cast<float *>(scratch(Scratch::conv, sizeof(float) * size_t(sums_floats + x_floats + g.O * dy_plane)));
  float *x = sums + sums_floats, *dy = x + x_floats;
  zero_floats(sums_floats, sums);
  for (int64_t band = part * all / job.images; band < (part + 1) * all / job.images; ++band) {
    const int64_t n = band / bands * W, count = at_most(W, g.N - n), top = band % bands * job.rows;
    const int64_t rows = at_most(job.rows, g.OH - top);
    const SparseBand b(g, rows);
    weave_band(g, b, top, job.x + n * g.x_batch, count, x);
    if (count < W)
      zero_floats(g.O * dy_plane, dy);
    for (int64_t o = c.list[first].to; o <= c.list[last - 1].to; ++o)
      transpose_floats(rows * g.OW, count, job.dy + n * g.y_batch + (o * g.OH + top) * g.OW, g.y_batch,
                       dy + o * dy_plane, W);
    for (int64_t i = first; i < last; ++i)
      for (int64_t kh = 0, step = sparse_weight_rows(g.KW); kh < g.KH; kh += step) {
        const float *at[kPlaneKernel];
        const int64_t high = at_most(step, g.KH - kh);
        for (int64_t r = 0; r < high; ++r)
          at[r] = x + c.list[i].from * b.plane + (kh + r) * g.dilation_h * b.pitch * W;
        sparse_weight_tile_for(high, g.KW)(rows, g.OW, at, b.pitch * W, dy + c.list[i].to * dy_plane,
                                           sums + ((i - first) * taps + kh * g.KW) * W);
      }
  }
  float *out = job.y + (part * c.count + first) * taps; // connections lie as weights do
  for (int64_t i = 0; i < (last - first) * taps; ++i)
    out[i] = reduce_add(Vec<float>::load(sums + i * W));
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
