#include "cinta/ops/conv_planes.h"

#include <cstring>

#include "cinta/ops/im2col_blocks.h"

namespace cinta::ops {
namespace {

// y[r, c] = x[c, r]
template <class T> void transpose(int64_t rows, int64_t columns, const T *x, int64_t x_row, T *y, int64_t y_row) {
  kernel().transpose_copy[sizeof(T) == 4 ? 2 : 3](rows, columns, x, x_row, y, y_row);
}

bool weaves(const ConvGeometry &g, const Blocks &blocks) { return blocks.images >= 8 && (g.OW < 16 || g.stride_w > 2); }

// Some rows of some images of one group: [C KH KW, columns] times [O, columns], columns being their output pixels,
// image by image, or, woven, the pixels of all images side by side.
template <class T> struct PlaneBlock {
  const ConvGeometry &g;
  const GroupShape &one;
  int64_t group, begin, end, top, bottom; // images and rows
  bool woven;

  PlaneBlock(const ConvGeometry &all, const GroupShape &shape, const Blocks &blocks, int64_t of_group, int64_t block)
      : g(all), one(shape), group(of_group), begin(blocks.first_image(block)), end(blocks.end_image(block, all.N)),
        top(blocks.first_row(block)), bottom(blocks.end_row(block, all.OH)), woven(weaves(all, blocks)) {}

  int64_t count() const { return end - begin; }            // of images
  int64_t pixels() const { return (bottom - top) * g.OW; } // of an image
  int64_t columns() const { return count() * pixels(); }
  bool one_image() const { return count() == 1; }
  T *x(const Tensor &images, int64_t n) const { return images.data<T>() + (n * g.C + group * one.C) * g.H * g.W; }
  T *y(const Tensor &images, int64_t n) const {
    return images.data<T>() + (n * g.O + group * one.O) * one.places() + top * g.OW;
  }
  int64_t image_size() const { return one.C * g.H * g.W; }
  T *matrix() const { // and room for woven images behind it
    const int64_t size = one.depth() * columns() + (woven ? image_size() * count() : 0);
    return static_cast<T *>(scratch(Scratch::im2col, sizeof(T) * size_t(size)));
  }
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
    if (woven) {
      T *const images_of_x = every_pixel(g) ? cols : cols + one.depth() * pitch;
      transpose(image_size(), count(), x(images, begin), g.C * g.H * g.W, images_of_x, count());
      if (!every_pixel(g))
        kernel().im2col_woven[int(kCompute<T>)](one, count(), images_of_x, cols);
      return cols;
    }
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
    if (woven)
      transpose(one.O * pixels(), count(), y(images, begin), g.O * one.places(), rows, count());
    for (int64_t n = begin; !woven && n < end; ++n)
      for (int64_t o = 0; o < one.O; ++o)
        std::copy_n(y(images, n) + o * one.places(), pixels(), rows + o * pitch + (n - begin) * pixels());
    return rows;
  }
  // Rows of y, side by side, into the images; and what the matrix adds to x.
  void store(const T *rows, const Tensor &images) const {
    if (woven)
      return transpose(count(), one.O * pixels(), rows, count(), y(images, begin), g.O * one.places());
    for (int64_t n = begin; n < end; ++n)
      for (int64_t o = 0; o < one.O; ++o)
        std::copy_n(rows + o * columns() + (n - begin) * pixels(), pixels(), y(images, n) + o * one.places());
  }
  void add(T *cols, const Tensor &images) const {
    if (!woven)
      return kernel().col2im_planes[int(kCompute<T>)](one, count(), cols, columns(), top, bottom, x(images, begin));
    T *const images_of_x = every_pixel(g) ? cols : cols + one.depth() * columns();
    if (!every_pixel(g)) {
      std::memset(images_of_x, 0, sizeof(T) * size_t(image_size() * count()));
      kernel().col2im_woven[int(kCompute<T>)](one, count(), cols, images_of_x);
    }
    transpose(count(), image_size(), images_of_x, count(), x(images, begin), g.C * g.H * g.W);
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
    if (!b.one_image())
      b.store(y, images);
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
      for (int64_t n = b.begin; !is_image && !b.woven && band == 0 && n < b.end; ++n)
        std::memset(b.x(images, n), 0, sizeof(T) * size_t(b.image_size()));
      int64_t pitch;
      const T *const out = b.side_by_side(dy, pitch);
      T *const matrix = is_image ? b.x(images, b.begin) + b.top * g.OW : b.matrix();
      multiply<T>({K, b.columns(), one.O, w.data<T>() + b.group * one.O * K, 1, K, out, pitch, 1, matrix,
                   is_image ? one.places() : b.columns(), false, nullptr, nullptr},
                  g.bfloat16);
      if (!is_image)
        b.add(matrix, images);
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

bool planes_weave(const ConvGeometry &g) { return weaves(g, Blocks(GroupShape(g))); }

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
