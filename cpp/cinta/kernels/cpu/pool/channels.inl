// Pooling where channels lie side by side: x[images,H,W,channels], vectors along the channels, any windows. Whoever
// writes a row collects what it needs, forwards from inputs, backwards from outputs: no row is written by two threads.
namespace cinta::kernels::CINTA_ISA {
namespace {

// f(image, row) for each of the `rows` of every image, `length` elements a row.
template <class F> CINTA_FN void for_image_rows(int64_t images, int64_t rows, int64_t length, double ns, const F &f) {
  const int64_t block = length < 1 << 13 ? (1 << 13) / (length > 0 ? length : 1) : 1;
  for_blocks(images * rows, block, double(images * rows * length) * ns, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      f(r / rows, r % rows);
  });
}

// f<vectors at a time>(first channel, elements of each): four whole vectors, then one, the last in part.
template <class T, class F> CINTA_FN void for_channels(int64_t channels, const F &f) {
  constexpr int64_t W = Vec<T>::width;
  int64_t c = 0;
  for (; c + 4 * W <= channels; c += 4 * W)
    f.template operator()<4>(c, W);
  for_vectors<T>(c, channels, [&](int64_t at, int64_t n) { f.template operator()<1>(at, n); });
}

// to[c] = finish(the sum of the pixels x that taps lead to, `channels` apart)
template <class T, class F>
CINTA_FN void add_pixels(const Tap *begin, const Tap *end, const T *x, int64_t channels, T *to, const F &finish) {
  for_channels<T>(channels, [&]<int kVectors>(int64_t c, int64_t n) {
    Vec<T> sum[kVectors];
    for (int v = 0; v < kVectors; ++v)
      sum[v] = Vec<T>(T(0));
    for (const Tap *tap = begin; tap < end; ++tap)
      for (int v = 0; v < kVectors; ++v)
        sum[v] += load_some(x + tap->at * channels + c + v * Vec<T>::width, n);
    for (int v = 0; v < kVectors; ++v)
      store_some(finish(sum[v]), to + c + v * Vec<T>::width, n);
  });
}

template <class T> void average_of_channels(const Pool2d &g, const T *x, T *y) {
  const Grid<T> grid(g, covered);
  const int64_t C = g.channels, in = g.W * C, out = g.OW * C;
  for_image_rows(g.images, g.OH, g.KH * in, 0.1, [&](int64_t image, int64_t i) {
    T *sums = row_memory<T>(in), *to = y + (image * g.OH + i) * out;
    add_rows(grid.rows.begin(i), grid.rows.end(i), x + image * g.H * in, in, sums);
    for (int64_t j = 0; j < g.OW; ++j) {
      const Vec<T> divisor(grid.divisor(i, j));
      add_pixels(grid.columns.begin(j), grid.columns.end(j), sums, C, to + j * C,
                 [=](Vec<T> sum) { return sum / divisor; });
    }
  });
}

// The quotients dy / divisor of the rows that meet in a row of dx are added up first, then spread over its columns.
template <class T> void average_of_channels_vjp(const Pool2d &g, const T *dy, T *dx) {
  const Grid<T> grid(g, covering);
  const int64_t C = g.channels, in = g.W * C, out = g.OW * C;
  for_image_rows(g.images, g.H, in, 0.1, [&](int64_t image, int64_t h) {
    T *sums = row_memory<T>(out), *to = dx + (image * g.H + h) * in;
    const T *from = dy + image * g.OH * out;
    const Tap *first = grid.rows.begin(h), *last = grid.rows.end(h);
    for (int64_t j = 0; j < g.OW; ++j)
      for_channels<T>(C, [&]<int kVectors>(int64_t c, int64_t n) {
        Vec<T> sum[kVectors];
        for (int v = 0; v < kVectors; ++v)
          sum[v] = Vec<T>(T(0));
        for (const Tap *row = first; row < last; ++row) {
          const Vec<T> divisor(grid.divisor(row->at, j));
          for (int v = 0; v < kVectors; ++v)
            sum[v] += load_some(from + row->at * out + j * C + c + v * Vec<T>::width, n) / divisor;
        }
        for (int v = 0; v < kVectors; ++v)
          store_some(sum[v], sums + j * C + c + v * Vec<T>::width, n);
      });
    for (int64_t w = 0; w < g.W; ++w)
      add_pixels(grid.columns.begin(w), grid.columns.end(w), sums, C, to + w * C, [](Vec<T> sum) { return sum; });
  });
}

// The taps of a pixel along both axes.
struct Reach {
  const Tap *row, *row_end, *column, *column_end;
  template <class T> CINTA_FN Reach(const Grid<T> &grid, int64_t i, int64_t j)
      : row(grid.rows.begin(i)), row_end(grid.rows.end(i)), column(grid.columns.begin(j)),
        column_end(grid.columns.end(j)) {}
  template <class F> CINTA_FN void each(F f) const {
    for (const Tap *r = row; r < row_end; ++r)
      for (const Tap *c = column; c < column_end; ++c)
        f(*r, *c);
  }
};

template <class T> void maximum_of_channels(const Pool2d &g, const T *x, T *y, T *place) {
  constexpr int64_t W = Vec<T>::width;
  const Grid<T> grid(g, covered);
  const int64_t C = g.channels;
  for_image_rows(g.images, g.OH, g.OW * C * g.KH * g.KW, 0.1, [&](int64_t image, int64_t i) {
    for (int64_t j = 0; j < g.OW; ++j) {
      const Reach reach(grid, i, j);
      const bool any = reach.row < reach.row_end && reach.column < reach.column_end;
      const Vec<T> first(any ? T(reach.row->tap * g.KW + reach.column->tap) : T(-1)); // wins where everything is -inf
      const T *from = x + image * g.H * g.W * C;
      const int64_t to = ((image * g.OH + i) * g.OW + j) * C;
      for_channels<T>(C, [&]<int kVectors>(int64_t c, int64_t n) {
        Vec<T> largest[kVectors], where[kVectors];
        for (int v = 0; v < kVectors; ++v)
          largest[v] = Vec<T>(T(-__builtin_inf())), where[v] = first;
        reach.each([&](Tap row, Tap column) {
          const Vec<T> at(T(row.tap * g.KW + column.tap));
          const T *pixel = from + (row.at * g.W + column.at) * C + c;
          for (int v = 0; v < kVectors; ++v)
            keep_larger(load_some(pixel + v * W, n), at, largest[v], where[v]);
        });
        for (int v = 0; v < kVectors; ++v) {
          store_some(largest[v], y + to + c + v * W, n);
          if (place)
            store_some(where[v], place + to + c + v * W, n);
        }
      });
    }
  });
}

template <class T> void maximum_of_channels_vjp(const Pool2d &g, const T *place, const T *dy, T *dx) {
  constexpr int64_t W = Vec<T>::width;
  const Grid<T> grid(g, covering);
  const int64_t C = g.channels;
  for_image_rows(g.images, g.H, g.W * C, 0.2, [&](int64_t image, int64_t h) {
    const int64_t from = image * g.OH * g.OW * C;
    for (int64_t w = 0; w < g.W; ++w) {
      const Reach reach(grid, h, w);
      T *to = dx + ((image * g.H + h) * g.W + w) * C;
      for_channels<T>(C, [&]<int kVectors>(int64_t c, int64_t n) {
        Vec<T> sum[kVectors];
        for (int v = 0; v < kVectors; ++v)
          sum[v] = Vec<T>(T(0));
        reach.each([&](Tap row, Tap column) {
          const Vec<T> tap(T(row.tap * g.KW + column.tap));
          const int64_t at = from + (row.at * g.OW + column.at) * C + c;
          for (int v = 0; v < kVectors; ++v) {
            const Mask<T> here = load_some(place + at + v * W, n) == tap;
            sum[v] += select(here, load_some(dy + at + v * W, n), Vec<T>(T(0)));
          }
        });
        for (int v = 0; v < kVectors; ++v)
          store_some(sum[v], to + c + v * W, n);
      });
    }
  });
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
