#include "cinta/ops/conv_planes.h"

#include <cstring>

#include "cinta/ops/im2col_blocks.h"

namespace cinta::ops {
namespace {

// Some rows of some images of one group: [C KH KW, columns] times [O, columns], columns being their output pixels.
template <class T> struct PlaneBlock {
  const ConvGeometry &g;
  const GroupShape &one;
  int64_t group, begin, end, top, bottom; // images and rows

  PlaneBlock(const ConvGeometry &all, const GroupShape &shape, const Blocks &blocks, int64_t of_group, int64_t block)
      : g(all), one(shape), group(of_group), begin(blocks.first_image(block)), end(blocks.end_image(block, all.N)),
        top(blocks.first_row(block)), bottom(blocks.end_row(block, all.OH)) {}

  int64_t pixels() const { return (bottom - top) * g.OW; } // of an image
  int64_t columns() const { return (end - begin) * pixels(); }
  bool one_image() const { return end - begin == 1; }
  T *x(const Tensor &images, int64_t n) const { return images.data<T>() + (n * g.C + group * one.C) * g.H * g.W; }
  T *y(const Tensor &images, int64_t n) const {
    return images.data<T>() + (n * g.O + group * one.O) * one.places() + top * g.OW;
  }
  T *matrix() const { return static_cast<T *>(scratch(Scratch::im2col, sizeof(T) * size_t(one.depth() * columns()))); }
  T *rows_of_y() const { return static_cast<T *>(scratch(Scratch::conv, sizeof(T) * size_t(one.O * columns()))); }

  bool is_image() const { return every_pixel(g) && one_image(); }
  // The matrix, and the distance of its rows.
  const T *fill(const Tensor &images, int64_t &pitch) const {
    if (is_image()) {
      pitch = one.places();
      return x(images, begin) + top * g.OW;
    }
    pitch = columns();
    T *const cols = matrix();
    kernel().im2col_planes[int(kCompute<T>)](one, end - begin, x(images, begin), top, bottom, cols, pitch);
    return cols;
  }
  // [O, columns] of y, side by side, and the distance of its rows.
  const T *side_by_side(const Tensor &images, int64_t &pitch) const {
    if (one_image()) {
      pitch = one.places();
      return y(images, begin);
    }
    pitch = columns();
    T *const rows = rows_of_y();
    for (int64_t n = begin; n < end; ++n)
      for (int64_t o = 0; o < one.O; ++o)
        std::copy_n(y(images, n) + o * one.places(), pixels(), rows + o * pitch + (n - begin) * pixels());
    return rows;
  }
};

template <class T> Tensor forward(const ConvGeometry &g, const Tensor &x, const Tensor &w, const Tensor &bias) {
  const GroupShape one(g);
  const Blocks blocks(one);
  const Tensor images = empty({g.N, g.O, g.OH, g.OW}, x.dtype());
  const int64_t K = one.depth();
  const double products = double(K * one.O) * double(blocks.images * blocks.rows * g.OW);
  for_blocks(blocks.count * g.groups, products, [&](int64_t i) {
    const PlaneBlock<T> b(g, one, blocks, i / blocks.count, i % blocks.count);
    int64_t pitch;
    const T *const matrix = b.fill(x, pitch);
    T *const y = b.one_image() ? b.y(images, b.begin) : b.rows_of_y();
    multiply<T>({one.O, b.columns(), K, w.data<T>() + b.group * one.O * K, K, 1, matrix, pitch, 1, y,
                 b.one_image() ? one.places() : b.columns(), false, nullptr,
                 bias ? bias.data<T>() + b.group * one.O : nullptr},
                g.bfloat16);
    for (int64_t n = b.begin; !b.one_image() && n < b.end; ++n)
      for (int64_t o = 0; o < one.O; ++o)
        std::copy_n(y + o * b.columns() + (n - b.begin) * b.pixels(), b.pixels(), b.y(images, n) + o * one.places());
  });
  return images;
}

template <class T> Tensor backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &w) {
  const GroupShape one(g);
  const Blocks blocks(one);
  const Tensor images = empty({g.N, g.C, g.H, g.W}, dy.dtype());
  const int64_t K = one.depth(), batches = (g.N + blocks.images - 1) / blocks.images;
  const double products = double(K * one.O) * double(blocks.images * one.places());
  for_blocks(batches * g.groups, products, [&](int64_t i) { // bands of an image meet in it: one block's work
    for (int64_t band = 0; band < blocks.bands; ++band) {
      const PlaneBlock<T> b(g, one, blocks, i / batches, i % batches * blocks.bands + band);
      const bool is_image = b.is_image();
      for (int64_t n = b.begin; !is_image && band == 0 && n < b.end; ++n)
        std::memset(b.x(images, n), 0, sizeof(T) * size_t(one.C * g.H * g.W));
      int64_t pitch;
      const T *const out = b.side_by_side(dy, pitch);
      T *const matrix = is_image ? b.x(images, b.begin) + b.top * g.OW : b.matrix();
      multiply<T>({K, b.columns(), one.O, w.data<T>() + b.group * one.O * K, 1, K, out, pitch, 1, matrix,
                   is_image ? one.places() : b.columns(), false, nullptr, nullptr},
                  g.bfloat16);
      if (!is_image)
        kernel().col2im_planes[int(kCompute<T>)](one, b.end - b.begin, matrix, b.columns(), b.top, b.bottom,
                                                 b.x(images, b.begin));
    }
  });
  return images;
}

template <class T> Tensor backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy) {
  const GroupShape one(g);
  const Blocks blocks(one);
  const int64_t K = one.depth(), parts = partial_sums(one, blocks);
  const Tensor sums = empty({parts, g.O * K}, x.dtype());
  const double products = double(K * one.O) * double(g.N * one.places() / parts);
  for_blocks(parts * g.groups, products, [&](int64_t i) {
    const int64_t group = i / parts, part = i % parts, first = blocks.count * part / parts;
    for (int64_t block = first; block < blocks.count * (part + 1) / parts; ++block) {
      const PlaneBlock<T> b(g, one, blocks, group, block);
      int64_t pitch, out_pitch;
      const T *const matrix = b.fill(x, pitch), *const out = b.side_by_side(dy, out_pitch);
      multiply<T>({one.O, K, b.columns(), out, out_pitch, 1, matrix, 1, pitch,
                   sums.data<T>() + part * g.O * K + group * one.O * K, K, block > first, nullptr, nullptr},
                  g.bfloat16);
    }
  });
  const Tensor dw = empty({g.O, one.C, g.KH, g.KW}, x.dtype());
  std::copy_n(sum_of_parts<T>(parts, g.O * K, sums), g.O * K, dw.data<T>());
  return dw;
}

} // namespace

Tensor planes_forward(const ConvGeometry &g, const Tensor &x, const Tensor &w, const Tensor &bias) {
  return x.dtype() == Dtype::float64 ? forward<double>(g, x, w, bias) : forward<float>(g, x, w, bias);
}
Tensor planes_backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &w) {
  return dy.dtype() == Dtype::float64 ? backward_data<double>(g, dy, w) : backward_data<float>(g, dy, w);
}
Tensor planes_backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy) {
  return x.dtype() == Dtype::float64 ? backward_weight<double>(g, x, dy) : backward_weight<float>(g, x, dy);
}

} // namespace cinta::ops
