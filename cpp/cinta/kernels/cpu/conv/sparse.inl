// Convolution where each plane of y is joined to some planes of x only: the depthwise kernels' blocks, whose sums stay
// in registers from one connection to the next. What is not connected is not touched.

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int64_t kSparseBlock = 4 << 10; // floats of y of one parallel block
constexpr int64_t kSparseChunk = 8;       // connections of one block of dw: their sums stay in L1

// Rows of a block, so that few lie beyond the plane.
inline int64_t sparse_rows(const Conv2d &g) {
  const int64_t rows = ceil_div(g.OH, g.dilation_h);
  int64_t best = 5;
  for (int64_t high = 7; high <= (g.KH <= 5 ? 8 : 7); ++high) // and no more registers than there are
    if (ceil_div(rows, high) * high <= ceil_div(rows, best) * best)
      best = high;
  return best;
}

// f<R, KH>() for blocks of R rows.
template <class F> CINTA_FN void with_sparse_rows(const Conv2d &g, F f) {
  const int64_t rows = sparse_rows(g);
  with_kernel_rows(g.KH, [&]<int KH>() {
    rows == 5   ? f.template operator()<5, KH>()
    : rows == 7 ? f.template operator()<7, KH>()
                : f.template operator()<8, KH>();
  });
}

template <int R, int KH> [[gnu::noinline]] void filter_connected(const PlaneGrid &p, const SparseJob &job, int64_t to,
                                                                 const float *x, float *y) {
  using V = Vec<float>;
  const Connections &c = *job.connections;
  const Connection *first = c.list + c.first[to], *last = c.list + c.first[to + 1];
  const int64_t plane = job.g.H * job.g.W, taps = p.KW * KH;
  for (const PlaneBlock *b = p.blocks, *end = b + p.count; b < end; ++b) {
    V sum[R];
#pragma GCC unroll 8
    for (V &s : sum)
      s = V(job.bias ? job.bias[to] : 0.0f);
    for (const Connection *i = first; i < last; ++i)
      filter_block<R, KH>(p, *b, x + i->from * plane, job.w + i->weight * taps, sum);
    store_block<R>(p, *b, sum, y);
  }
}

// Planes [block * job.planes, ...) of all images.
inline void filter_sparse(void *context, int64_t block) {
  const SparseJob &job = *static_cast<const SparseJob *>(context);
  const Conv2d &g = job.g;
  const int64_t planes = job.connections->planes, high = sparse_rows(g);
  const int64_t first = block * job.planes, last = at_most(g.N * planes, first + job.planes);
  const PlaneGrid grid(g, scratch(Scratch::conv, PlaneGrid::bytes(g, high)), high);
  with_sparse_rows(g, [&]<int R, int KH>() {
    for (int64_t plane = first; plane < last; ++plane) {
      const int64_t n = plane / planes, to = plane % planes;
      filter_connected<R, KH>(grid, job, to, job.x + n * g.x_batch, job.y + n * g.y_batch + to * g.OH * g.OW);
    }
  });
}

inline void correlate_sparse(void *context, int64_t block) {
  constexpr int W = Vec<float>::width;
  const SparseJob &job = *static_cast<const SparseJob *>(context);
  const Conv2d &g = job.g;
  const Connections &c = *job.connections;
  const int64_t chunks = ceil_div(c.count, kSparseChunk), images = block / chunks, taps = job.taps();
  const int64_t first = block % chunks * kSparseChunk, last = at_most(c.count, first + kSparseChunk);
  const int64_t floats = (last - first) * taps * W, high = sparse_rows(g);
  float *sums =
      static_cast<float *>(scratch(Scratch::conv, sizeof(float) * size_t(floats) + PlaneGrid::bytes(g, high)));
  const PlaneGrid grid(g, sums + floats, high);
  zero_floats(floats, sums);
  with_sparse_rows(g, [&]<int R, int KH>() {
    for (int64_t n = images * g.N / job.images; n < (images + 1) * g.N / job.images; ++n)
      for (int64_t i = first; i < last; ++i)
        correlate_plane<R, KH>(grid, job.x + n * g.x_batch + c.list[i].from * g.H * g.W,
                               job.dy + n * g.y_batch + c.list[i].to * g.OH * g.OW, sums + (i - first) * taps * W);
  });
  for (int64_t i = first; i < last; ++i) {
    float *out = job.y + (images * c.count + c.list[i].weight) * taps;
    const float *from = sums + (i - first) * taps * W;
    for (int64_t kw = 0; kw < g.KW; ++kw)
      for (int64_t kh = 0; kh < g.KH; ++kh, from += W)
        out[kh * g.KW + kw] = reduce_add(Vec<float>::load(from));
  }
}

inline double sparse_ns(const Conv2d &g, const Connections &c) {
  return double(g.N * c.count) * double(g.OH * g.OW) * double(g.KH * g.KW) / (4.0 * Vec<float>::width);
}

inline bool sparse_weight_along_images(const Conv2d &g) {
  return sparse_along_images(g) && g.KW <= kPlaneKernel && g.dilation_w == 1;
}

// Measured at densities of 0.2 to 0.7 on 16 lanes. dx is written as y is: lanes along rows are wanted both ways.
inline double sparse_share(const Conv2d &g, Direction direction) {
  if (direction == Direction::backward_weight)
    return sparse_weight_along_images(g) ? 0.75 : lanes_along_planes(g) ? 0.5 * lanes_used(g.OW) : 0;
  const Conv2d a = direction == Direction::forward ? g : adjoint(g);
  return sparse_along_images(a) ? 0.6 : lanes_along_planes(g) && lanes_along_planes(a) ? 0.35 * lanes_used(a.OW) : 0;
}

inline void sparse_filter(const Conv2d &given, bool turned, const Connections &c, const float *x, const float *w,
                          const float *bias, float *y) {
  SparseJob job{turned ? adjoint(given) : given, turned, &c, x, w, bias, nullptr, y};
  const Conv2d &g = job.g;
  if (sparse_along_images(g)) {
    job.rows = sparse_band_rows(g, g.C * SparseBand(g, 1).pitch * Vec<float>::width, 1);
    const int64_t bands = ceil_div(g.N, Vec<float>::width) * ceil_div(g.OH, job.rows);
    job.splits = at_least(1, at_most(c.planes, kSparseBlocks / 2 / bands));
    return parallel_for(bands * job.splits, sparse_ns(given, c), sparse_filter_woven, &job);
  }
  DepthwiseJob weights{given, turned, nullptr, w, nullptr, nullptr, nullptr};
  weights.g.C = c.count;
  job.w = pack_plane_weights(weights);
  job.planes = at_least(1, kSparseBlock / (g.OH * g.OW));
  parallel_for(ceil_div(g.N * c.planes, job.planes), sparse_ns(given, c), filter_sparse, &job);
}

inline void sparse_weight(const Conv2d &g, const Connections &c, const float *x, const float *dy, float *dw) {
  const int64_t taps = g.KH * g.KW, chunks = ceil_div(c.count, kSparseChunk);
  SparseJob job{g, false, &c, x, nullptr, nullptr, dy, nullptr};
  const bool along_images = sparse_weight_along_images(g);
  if (along_images) {
    job.rows = sparse_band_rows(g, (g.C * SparseBand(g, 1).pitch + g.O * g.OW) * Vec<float>::width, 4);
    job.images = at_most(kSparseBlocks, ceil_div(g.N, Vec<float>::width) * ceil_div(g.OH, job.rows));
    job.splits = at_least(1, at_most(c.count, kSparseBlocks / 2 / job.images));
  } else {
    job.images = at_most(g.N, ceil_div(kDepthwiseBlocks, chunks));
  }
  job.y = static_cast<float *>(scratch(Scratch::pack_a, sizeof(float) * size_t(job.images * c.count * taps)));
  parallel_for(job.images * (along_images ? job.splits : chunks), sparse_ns(g, c),
               along_images ? sparse_weight_woven : correlate_sparse, &job);
  for (int64_t i = 1; i < job.images; ++i)
    add_floats(c.count * taps, job.y + i * c.count * taps, job.y);
  copy_floats(c.count * taps, job.y, dw);
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
