// Locally connected layers: at every place of the output a small product of its own weights with the windows of all
// images. Weights are read, and their gradients written, once from one end to the other; what a place needs of the
// images is gathered beside them, in the cache.
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/vector/blocks.inl"
#include "cinta/kernels/kernels.h"

// Each builds on those above it.
// clang-format off
#include "cinta/kernels/cpu/locally_connected/windows.inl"
#include "cinta/kernels/cpu/locally_connected/products.inl"
// clang-format on

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int64_t kWindowBytes = 1 << 18; // of gathered windows: they stay in L2 beside a place's weights
constexpr int64_t kStreamBytes = 1 << 23; // gradients of this size are not in a cache when they are read

// One place of the output, one group.
template <class T> struct Site {
  const LocallyConnected &g;
  int64_t outputs, taps, pitch, block; // of one group; from row to row of windows; images at a time
  explicit Site(const LocallyConnected &g) : g(g) {
    constexpr int64_t W = Vec<T>::width;
    outputs = g.O / g.groups, taps = g.KH * g.KW * (g.C / g.groups), pitch = (taps + W - 1) / W * W;
    const int64_t fit = kWindowBytes / (pitch * int64_t(sizeof(T)));
    block = fit < 8 ? 8 : fit / 8 * 8;
    block = block < g.N ? block : g.N;
  }
  T *rows() const { return static_cast<T *>(scratch(Scratch::conv, size_t(block * pitch) * sizeof(T))); }
  int64_t weights(int64_t place, int64_t group) const { return (place * g.O + group * outputs) * taps; }
  int64_t y_image() const { return g.OH * g.OW * g.O; }
  int64_t x_image() const { return g.H * g.W * g.C; }
  double cost_ns(int64_t places) const { // by memory, or by arithmetic
    const double numbers = double(places * g.O * taps);
    return numbers * (double(sizeof(T)) / 10 + double(g.N) * 2 / (8 * Vec<T>::width) / 3);
  }
  // f(place, group, first image, images) for all of places [begin, end)
  template <class F> void each(int64_t begin, int64_t end, const F &f) const {
    for (int64_t place = begin; place < end; ++place)
      for (int64_t group = 0; group < g.groups; ++group)
        for (int64_t n = 0; n < g.N; n += block)
          f(place, group, n, n + block < g.N ? block : g.N - n);
  }
  int64_t places_at_a_time() const { return 1 + (1 << 14) / (1 + g.O * taps); }
};

template <class T>
void forward(const LocallyConnected &g, const void *x_, const void *w_, const void *bias_, void *y_) {
  const T *x = static_cast<const T *>(x_), *w = static_cast<const T *>(w_), *bias = static_cast<const T *>(bias_);
  T *const y = static_cast<T *>(y_);
  const Site<T> site(g);
  const int64_t places = g.OH * g.OW;
  for_blocks(places, site.places_at_a_time(), site.cost_ns(places), [&](int64_t begin, int64_t end) {
    T *const rows = site.rows();
    site.each(begin, end, [&](int64_t place, int64_t group, int64_t n, int64_t images) {
      const int64_t first = group * site.outputs;
      gather_windows(g, group, place / g.OW, place % g.OW, images, x + n * site.x_image(), rows, site.pitch);
      tap_sums(TapSums<T>{images, site.outputs, site.taps, rows, site.pitch, w + site.weights(place, group),
                          y + n * site.y_image() + place * g.O + first, site.y_image(),
                          bias ? bias + first * places + place : nullptr, places});
    });
  });
}

template <class T> void backward_weight(const LocallyConnected &g, const void *x_, const void *dy_, void *dw_) {
  const T *x = static_cast<const T *>(x_), *dy = static_cast<const T *>(dy_);
  T *const dw = static_cast<T *>(dw_);
  const Site<T> site(g);
  const int64_t places = g.OH * g.OW, bytes = places * g.O * site.taps * int64_t(sizeof(T));
  const bool stream = bytes >= kStreamBytes && site.taps % Vec<T>::width == 0 && site.block == g.N &&
                      reinterpret_cast<uintptr_t>(dw) % sizeof(Vec<T>) == 0;
  for_blocks(places, site.places_at_a_time(), site.cost_ns(places), [&](int64_t begin, int64_t end) {
    T *const rows = site.rows();
    site.each(begin, end, [&](int64_t place, int64_t group, int64_t n, int64_t images) {
      gather_windows(g, group, place / g.OW, place % g.OW, images, x + n * site.x_image(), rows, site.pitch);
      row_sums(RowSums<T>{site.outputs, images, site.taps, dy + n * site.y_image() + place * g.O + group * site.outputs,
                          1, site.y_image(), rows, site.pitch, dw + site.weights(place, group), site.taps, n > 0,
                          stream, 0});
    });
    if (stream)
      finish_streams();
  });
}

// Places in tiles so large that no window of a tile reaches into the next tile but one: those in even rows and columns
// of tiles can go at the same time, then those in even rows and odd columns, and so on.
struct TileSide {
  int64_t places, tiles;
  TileSide(int64_t out, int64_t reach, int64_t stride) {
    const int64_t apart = reach / stride;
    places = apart < 4 ? 4 : apart;
    tiles = (out + places - 1) / places;
  }
};

template <class T> void backward_data(const LocallyConnected &g, const void *dy_, const void *w_, void *dx_) {
  const T *dy = static_cast<const T *>(dy_), *w = static_cast<const T *>(w_);
  T *const dx = static_cast<T *>(dx_);
  const Site<T> site(g);
  const TileSide down(g.OH, (g.KH - 1) * g.dilation_h, g.stride_h), along(g.OW, (g.KW - 1) * g.dilation_w, g.stride_w);
  for_blocks(g.N, 1, double(g.N * site.x_image()) / 10, [&](int64_t begin, int64_t end) {
    __builtin_memset(dx + begin * site.x_image(), 0, size_t((end - begin) * site.x_image()) * sizeof(T));
  });
  for (int64_t colour = 0; colour < 4; ++colour) {
    const int64_t top = colour / 2, left = colour % 2;
    const int64_t across = (along.tiles + 1 - left) / 2, tiles = (down.tiles + 1 - top) / 2 * across;
    for_blocks(tiles, 1, site.cost_ns(g.OH * g.OW / 4), [&](int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile < end; ++tile) {
        const int64_t i0 = (tile / across * 2 + top) * down.places, j0 = (tile % across * 2 + left) * along.places;
        for (int64_t i = i0; i < i0 + down.places && i < g.OH; ++i) {
          const int64_t j1 = j0 + along.places < g.OW ? j0 + along.places : g.OW;
          site.each(i * g.OW + j0, i * g.OW + j1, [&](int64_t place, int64_t group, int64_t n, int64_t images) {
            const T *from = w + site.weights(place, group);
            const T *const factors = dy + n * site.y_image() + place * g.O + group * site.outputs;
            visit_window(g, group, i, place % g.OW, [&](int64_t count, int64_t at) {
              if (at >= 0)
                row_sums(RowSums<T>{images, site.outputs, count, factors, site.y_image(), 1, from, site.taps,
                                    dx + n * site.x_image() + at, site.x_image(), true, false,
                                    site.outputs * site.taps});
              from += count;
            });
          });
        }
      }
    });
  }
}

} // namespace

void fill_locally_connected(Table &table) {
  table.locally_connected_forward[0] = forward<float>;
  table.locally_connected_forward[1] = forward<double>;
  table.locally_connected_backward_data[0] = backward_data<float>;
  table.locally_connected_backward_data[1] = backward_data<double>;
  table.locally_connected_backward_weight[0] = backward_weight<float>;
  table.locally_connected_backward_weight[1] = backward_weight<double>;
}

} // namespace cinta::kernels::CINTA_ISA
