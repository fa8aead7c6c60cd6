// Depthwise convolution of planes at stride 1, lanes along a row of outputs: a vector of x serves the outputs of as
// many rows as the kernel has. Padding is masked away: zeros, as if it were written out, which an inf among the weights
// turns into NaN; strips leave those taps out.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int kPlaneRows = 7;   // of outputs in registers: image sizes are 7 times a power of two more often than not
constexpr int kPlaneKernel = 7; // the most rows of a kernel whose weights stay in registers

// A vector of outputs wide and some rows high, dilation_h apart.
struct PlaneBlock {
  int32_t x_at, y_at;        // its first element; of x: at tap (0, 0)
  uint32_t read;             // bit r: whether row r of those of x, KH - 1 more, is inside
  int16_t rows, lanes;       // of outputs
  const Mask<float> *inside; // [KW]: lanes whose input lies in the row
};

// How the planes of one call are cut, into blocks `high` rows high.
struct PlaneGrid {
  int64_t KW, count;
  int64_t x_row, x_column, y_row; // floats from one row or column of a block to the next
  PlaneBlock *blocks;

  static int64_t rows(const Conv2d &g, int64_t high) {
    return g.OH / g.dilation_h / high * g.dilation_h + at_most(g.dilation_h, g.OH % (g.dilation_h * high));
  }
  static int64_t columns(const Conv2d &g) { return ceil_div(g.OW, Vec<float>::width); }
  static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; } // masks of AVX2 want 32 bytes
  static size_t mask_bytes(const Conv2d &g) { return whole_lines(sizeof(Mask<float>) * size_t(columns(g) * g.KW)); }
  static size_t bytes(const Conv2d &g, int64_t high = kPlaneRows) {
    return mask_bytes(g) + whole_lines(sizeof(PlaneBlock) * size_t(columns(g) * rows(g, high)));
  }
  PlaneGrid(const Conv2d &g, void *room, int64_t high = kPlaneRows)
      : KW(g.KW), count(0), x_row(g.dilation_h * g.W), x_column(g.dilation_w), y_row(g.dilation_h * g.OW) {
    constexpr int W = Vec<float>::width;
    Mask<float> *masks = static_cast<Mask<float> *>(room);
    blocks = reinterpret_cast<PlaneBlock *>(static_cast<char *>(room) + mask_bytes(g));
    for (int64_t column = 0; column < g.OW; column += W)
      for (int64_t kw = 0; kw < KW; ++kw) {
        const int64_t shift = kw * g.dilation_w - g.pad_w, begin = at_most(W, at_least(0, -column - shift));
        const int64_t end = at_least(0, at_most(W, at_most(g.OW, g.W - shift) - column));
        masks[column / W * KW + kw] = Mask<float>::first_lanes(end) & !Mask<float>::first_lanes(begin);
      }
    for (int64_t phase = 0; phase < at_most(g.OH, g.dilation_h); ++phase)
      for (int64_t row = phase; row < g.OH; row += high * g.dilation_h) {
        uint32_t read = 0;
        for (int64_t r = 0; r < high + g.KH - 1; ++r)
          read |= uint32_t(uint64_t(row - g.pad_h + r * g.dilation_h) < uint64_t(g.H)) << r;
        for (int64_t column = 0; column < g.OW; column += W)
          blocks[count++] = {int32_t((row - g.pad_h) * g.W + column - g.pad_w),
                             int32_t(row * g.OW + column),
                             read,
                             int16_t(at_most(high, ceil_div(g.OH - row, g.dilation_h))),
                             int16_t(at_most(W, g.OW - column)),
                             masks + column / W * KW};
      }
  }
};

// f(r, j, vector of x) for the rows that a block reads at K columns j of the kernel: outputs i at row r - i of the
// kernel.
template <int R, int KH, int K, class F>
CINTA_FN void for_rows_of_x(const PlaneGrid &p, uint32_t rows, const Mask<float> *inside, const float *x, F f) {
  Mask<float> lanes[K];
#pragma GCC unroll 4
  for (int j = 0; j < K; ++j)
    lanes[j] = inside[j];
  const uint32_t read = stepped(rows);
  const int64_t x_row = p.x_row, x_column = p.x_column, ahead = (kPlaneRows + KH - 1) * x_row;
#pragma GCC unroll 16
  for (int r = 0; r < R + KH - 1; ++r, x = stepped(x + x_row)) {
    if (r < R)
      __builtin_prefetch(x + ahead); // the next block's: a block's rows are too short for hardware to foresee
    if (read & 1u << r)
#pragma GCC unroll 4
      for (int j = 0; j < K; ++j)
        f(r, j, Vec<float>::load_masked(x + j * x_column, lanes[j]));
  }
}

// Columns of the kernel at once, for as many weights or sums as there are registers.
template <int KH> constexpr int plane_columns() { return KH <= 3 && Vec<float>::width == 16 ? 3 : 1; }

// f(K) at columns of the kernel, K at a time and then one by one.
template <int K, class F> CINTA_FN void for_columns_of(int64_t KW, F f) {
  int64_t kw = 0;
  for (; kw + K <= KW; kw += K)
    f.template operator()<K>(kw);
  if constexpr (K > 1)
    for (; kw < KW; ++kw)
      f.template operator()<1>(kw);
}

// sum += x under w, over R rows of a block, vectors. w: [KW][KH], as the plane meets them.
template <int R, int KH>
CINTA_FN void filter_block(const PlaneGrid &p, const PlaneBlock &b, const float *x, const float *w, Vec<float> *sum) {
  using V = Vec<float>;
  for_columns_of<plane_columns<KH>()>(p.KW, [&]<int K>(int64_t kw) {
    V weight[K][KH];
#pragma GCC unroll 32
    for (int t = 0; t < K * KH; ++t)
      weight[t / KH][t % KH] = V(w[kw * KH + t]);
    for_rows_of_x<R, KH, K>(p, b.read, b.inside + kw, x + b.x_at + kw * p.x_column, [&](int r, int j, V pixels) {
#pragma GCC unroll 8
      for (int kh = 0; kh < KH; ++kh)
        if (r - kh >= 0 && r - kh < R)
          sum[r - kh] = multiply_add(pixels, weight[j][kh], sum[r - kh]);
    });
  });
}

template <int R> CINTA_FN void store_block(const PlaneGrid &p, const PlaneBlock &b, const Vec<float> *sum, float *y) {
  float *to = y + b.y_at;
  const int64_t rows = b.rows, lanes = b.lanes, y_row = p.y_row;
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i, to = stepped(to + y_row))
    if (i < rows) {
      sum[i].store_partial(to, lanes);
      __builtin_prefetch(to + R * y_row, 1);
    }
}

template <int KH>
[[gnu::noinline]] void filter_plane(const PlaneGrid &p, const float *x, const float *w, float bias, float *y) {
  using V = Vec<float>;
  for (const PlaneBlock *b = p.blocks, *end = b + p.count; b < end; ++b) {
    V sum[kPlaneRows];
#pragma GCC unroll 8
    for (V &s : sum)
      s = V(bias);
    filter_block<kPlaneRows, KH>(p, *b, x, w, sum);
    store_block<kPlaneRows>(p, *b, sum, y);
  }
}

// sums[kw * KH + kh] += dy * x over R rows of a block, vectors.
template <int R, int KH> CINTA_FN void correlate_block(const PlaneGrid &p, const PlaneBlock &b, uint32_t read,
                                                       const float *x, const float *dy, float *sums) {
  using V = Vec<float>;
  V d[R];
  const int64_t lanes = b.lanes, y_row = p.y_row;
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i, dy = stepped(dy + y_row))
    d[i] = V::load_partial(dy, lanes), __builtin_prefetch(dy + kPlaneRows * y_row);
  for_columns_of<plane_columns<KH>()>(p.KW, [&]<int K>(int64_t kw) {
    V sum[K][KH];
#pragma GCC unroll 32
    for (int t = 0; t < K * KH; ++t)
      sum[t / KH][t % KH] = V(0.0f);
    for_rows_of_x<R, KH, K>(p, read, b.inside + kw, x + kw * p.x_column, [&](int r, int j, V pixels) {
#pragma GCC unroll 8
      for (int kh = 0; kh < KH; ++kh)
        if (r - kh >= 0 && r - kh < R)
          sum[j][kh] = multiply_add(pixels, d[r - kh], sum[j][kh]);
    });
#pragma GCC unroll 32
    for (int t = 0; t < K * KH; ++t) {
      float *to = sums + (kw * KH + t) * V::width;
      (V::load(to) + sum[t / KH][t % KH]).store(to);
    }
  });
}

// The same over a plane. Rows of a block that is not full go one by one: zeros in place of dy would meet an inf in x.
template <int R, int KH>
[[gnu::noinline]] void correlate_plane(const PlaneGrid &p, const float *x, const float *dy, float *sums) {
  for (const PlaneBlock *b = p.blocks, *end = b + p.count; b < end; ++b) {
    const float *x_row = x + b->x_at, *dy_row = dy + b->y_at;
    if (b->rows == R)
      correlate_block<R, KH>(p, *b, b->read, x_row, dy_row, sums);
    else
      for (int i = 0; i < b->rows; ++i, x_row += p.x_row, dy_row += p.y_row)
        correlate_block<1, KH>(p, *b, b->read >> i, x_row, dy_row, sums);
  }
}

template <int KH = kPlaneKernel, class F> CINTA_FN void with_kernel_rows(int64_t rows, F f) {
  if constexpr (KH > 1)
    if (rows < KH)
      return with_kernel_rows<KH - 1>(rows, f);
  f.template operator()<KH>();
}

// [C][KW][KH], in the order in which x meets them.
inline const float *pack_plane_weights(const DepthwiseJob &job) {
  const Conv2d &g = job.g;
  const int64_t taps = job.taps();
  float *packed = static_cast<float *>(scratch(Scratch::pack_b, sizeof(float) * size_t(g.C * taps)));
  const float *w = job.w;
  for (float *to = packed; to < packed + g.C * taps; to += taps)
    for (int64_t kh = 0; kh < g.KH; ++kh)
      for (int64_t kw = 0; kw < g.KW; ++kw) {
        const int64_t t = kw * g.KH + kh;
        to[job.adjoint ? taps - 1 - t : t] = *w++;
      }
  return packed;
}

// Planes [block * job.channels, ...) of all images.
inline void filter_planes(void *context, int64_t block) {
  const DepthwiseJob &job = *static_cast<const DepthwiseJob *>(context);
  const Conv2d g = job.adjoint ? adjoint(job.g) : job.g;
  const int64_t C = job.g.C, first = block * job.channels, last = at_most(g.N * C, first + job.channels);
  const int64_t taps = job.taps();
  const PlaneGrid grid(g, scratch(Scratch::conv, PlaneGrid::bytes(g)));
  with_kernel_rows(g.KH, [&]<int KH>() {
    int64_t n = first / C, c = first % C;
    for (int64_t plane = first; plane < last; ++plane) {
      filter_plane<KH>(grid, job.x + n * g.x_batch + c * job.x_plane(), job.w + c * taps, job.bias ? job.bias[c] : 0.0f,
                       job.y + n * g.y_batch + c * job.y_plane());
      if (++c == C)
        c = 0, ++n;
    }
  });
}

// f(grid, x, dy, sums) for the planes of a block, then sums over lanes: vectors [channel][KW][KH].
template <class Grid, class F> CINTA_FN void correlate_with(const DepthwiseJob &job, int64_t block, F f) {
  constexpr int W = Vec<float>::width;
  const Conv2d &g = job.g;
  const int64_t images = block / job.channel_blocks(), first = block % job.channel_blocks() * job.channels;
  const int64_t taps = job.taps(), channels = at_most(job.channels, g.C - first), floats = channels * taps * W;
  float *sums = static_cast<float *>(scratch(Scratch::conv, sizeof(float) * size_t(floats) + Grid::bytes(g)));
  const Grid grid(g, sums + floats);
  zero_floats(floats, sums);
  for_images_of(job, images, [&](int64_t n) { // neighbouring planes one after another
    const float *x = job.x + n * g.x_batch + first * g.H * g.W, *dy = job.dy + n * g.y_batch + first * job.dy_plane();
    for (int64_t c = 0; c < channels; ++c, x += g.H * g.W, dy += job.dy_plane())
      f(grid, x, dy, sums + c * taps * W);
  });
  float *out = job.y + (images * g.C + first) * taps;
  for (const float *from = sums; from < sums + floats; out += taps)
    for (int64_t kw = 0; kw < g.KW; ++kw)
      for (int64_t kh = 0; kh < g.KH; ++kh, from += W)
        out[kh * g.KW + kw] = reduce_add(Vec<float>::load(from));
}

inline void correlate_planes(void *context, int64_t block) {
  const DepthwiseJob &job = *static_cast<const DepthwiseJob *>(context);
  with_kernel_rows(job.g.KH, [&]<int KH>() { correlate_with<PlaneGrid>(job, block, correlate_plane<kPlaneRows, KH>); });
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
