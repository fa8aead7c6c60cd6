#include "cinta/ops/conv_pixels.h"

#include <cstring>

#include "cinta/ops/channels_last.h"
#include "cinta/ops/im2col_blocks.h"

namespace cinta::ops {
namespace {

using kernels::Gemm;

template <class T> constexpr int kFloat = int(kCompute<T>); // f32, f64

// y[r, c] = x[c, r]
template <class T> void transpose(int64_t rows, int64_t columns, const T *x, int64_t x_row, T *y, int64_t y_row) {
  kernel().transpose_copy[sizeof(T) == 4 ? 2 : 3](rows, columns, x, x_row, y, y_row);
}

// Weights [O, C, taps] as [O, taps, C], the order of the matrix' rows; or back.
template <class T> void reorder(int64_t outputs, int64_t rows, int64_t columns, const T *from, T *to) {
  if (rows == 1 || columns == 1)
    return void(std::copy_n(from, outputs * rows * columns, to));
  struct Job {
    int64_t rows, columns;
    const T *from;
    T *to;
  } job{rows, columns, from, to};
  const auto body = [](void *context, int64_t o) {
    const Job &j = *static_cast<const Job *>(context);
    const int64_t size = j.rows * j.columns;
    transpose(j.columns, j.rows, j.from + o * size, j.columns, j.to + o * size, j.rows);
  };
  parallel_for(outputs, double(outputs * rows * columns), body, &job);
}

template <class T>
Tensor forward(const ConvGeometry &g, const Tensor &image, const Tensor &w, const Tensor &bias, const Tensor &into) {
  const GroupShape one(g);
  const Blocks blocks(one);
  const Tensor x = channels_last(image), weights = empty(w.shape(), w.dtype());
  const int64_t K = one.depth(), places = one.places();
  const bool in_place = !image.contiguous() || g.O == 1; // y's pixels are rows of products
  const Tensor y = result_memory({g.N, g.O, g.OH, g.OW}, x.dtype(), in_place, into);
  reorder(g.O, one.C, one.taps(), w.data<T>(), weights.data<T>());
  for_blocks(blocks.count * g.groups, double(K * one.O) * double(blocks.images * blocks.rows * g.OW), [&](int64_t i) {
    const int64_t group = i / blocks.count, block = i % blocks.count, top = blocks.first_row(block);
    const int64_t begin = blocks.first_image(block), end = blocks.end_image(block, g.N);
    const int64_t pixels = (blocks.end_row(block, g.OH) - top) * g.OW, all = (end - begin) * pixels;
    const T *matrix = x.data<T>() + ((begin * g.H + top) * g.W) * g.C + group * one.C;
    int64_t row = g.C;
    if (!every_pixel(g)) {
      T *rows = static_cast<T *>(scratch(Scratch::im2col, sizeof(T) * size_t(all * K)));
      for (int64_t n = begin; n < end; ++n)
        kernel().im2col_pixels[kFloat<T>](one, g.C, x.data<T>() + n * g.H * g.W * g.C + group * one.C, top,
                                          top + pixels / g.OW, rows + (n - begin) * pixels * K);
      matrix = rows, row = K;
    }
    T *const out = in_place ? y.data<T>() + (begin * places + top * g.OW) * g.O + group * one.O
                            : static_cast<T *>(scratch(Scratch::conv, sizeof(T) * size_t(all * one.O)));
    const int64_t out_row = in_place ? g.O : one.O;
    multiply<T>({all, one.O, K, matrix, row, 1, weights.data<T>() + group * one.O * K, 1, K, out, out_row, false,
                 bias ? bias.data<T>() + group * one.O : nullptr, nullptr},
                g.bfloat16);
    for (int64_t n = begin; !in_place && n < end; ++n)
      transpose(one.O, pixels, out + (n - begin) * pixels * one.O, one.O,
                y.data<T>() + (n * g.O + group * one.O) * places + top * g.OW, places);
  });
  return y;
}

template <class T>
Tensor backward_data(const ConvGeometry &g, const Tensor &gradient, const Tensor &w, const Tensor &into) {
  const GroupShape one(g);
  const Blocks blocks(one);
  const Tensor dy = channels_last(gradient), weights = empty(w.shape(), w.dtype());
  const int64_t K = one.depth(), places = one.places(), size = g.H * g.W;
  const bool in_place = !gradient.contiguous() || g.C == 1;
  const Tensor dx = result_memory({g.N, g.C, g.H, g.W}, dy.dtype(), in_place, into);
  reorder(g.O, one.C, one.taps(), w.data<T>(), weights.data<T>());
  const int64_t batches = (g.N + blocks.images - 1) / blocks.images; // bands of an image meet in it: one block's work
  for_blocks(batches * g.groups, double(K * one.O) * double(blocks.images * places), [&](int64_t i) {
    const int64_t group = i / batches, begin = i % batches * blocks.images;
    const int64_t end = std::min(g.N, begin + blocks.images), pixel = in_place ? g.C : one.C;
    T *const image = in_place
                         ? dx.data<T>() + begin * size * g.C + group * one.C
                         : static_cast<T *>(scratch(Scratch::conv, sizeof(T) * size_t((end - begin) * size * one.C)));
    const T *const out = dy.data<T>() + begin * places * g.O + group * one.O;
    const Gemm product{(end - begin) * places,
                       K,
                       one.O,
                       out,
                       g.O,
                       1,
                       weights.data<T>() + group * one.O * K,
                       K,
                       1,
                       image,
                       pixel,
                       false,
                       nullptr,
                       nullptr};
    if (every_pixel(g)) {
      multiply<T>(product, g.bfloat16);
    } else {
      if (pixel == one.C)
        std::memset(image, 0, sizeof(T) * size_t((end - begin) * size * pixel));
      else
        for (int64_t p = 0; p < (end - begin) * size; ++p)
          std::memset(image + p * pixel, 0, sizeof(T) * size_t(one.C));
      const int64_t pixels = blocks.rows * g.OW;
      T *matrix = static_cast<T *>(scratch(Scratch::im2col, sizeof(T) * size_t((end - begin) * pixels * K)));
      for (int64_t top = 0; top < g.OH; top += blocks.rows) {
        const int64_t bottom = std::min(g.OH, top + blocks.rows);
        Gemm band = product;
        band.M = (end - begin) * (bottom - top) * g.OW;
        band.A = out + top * g.OW * g.O;
        band.C = matrix, band.ldc = K;
        multiply<T>(band, g.bfloat16);
        for (int64_t n = 0; n < end - begin; ++n)
          kernel().col2im_pixels[kFloat<T>](one, pixel, matrix + n * places * K, top, bottom, image + n * size * pixel);
      }
    }
    for (int64_t n = begin; !in_place && n < end; ++n)
      transpose(one.C, size, image + (n - begin) * size * one.C, one.C, dx.data<T>() + (n * g.C + group * one.C) * size,
                size);
  });
  return dx;
}

template <class T>
Tensor backward_weight(const ConvGeometry &g, const Tensor &image, const Tensor &gradient, const Tensor &into) {
  const GroupShape one(g);
  const Blocks blocks(one);
  const Tensor x = channels_last(image), dy = channels_last(gradient);
  const int64_t K = one.depth(), places = one.places(), parts = partial_sums(one, blocks);
  const Tensor sums = empty({parts, g.O * K}, x.dtype());
  const Tensor dw = result_memory({g.O, one.C, g.KH, g.KW}, x.dtype(), false, into);
  for_blocks(parts * g.groups, double(K * one.O) * double(g.N * places / parts), [&](int64_t i) {
    const int64_t group = i / parts, part = i % parts;
    const int64_t first = blocks.count * part / parts, last = blocks.count * (part + 1) / parts;
    for (int64_t block = first; block < last; ++block) {
      const int64_t begin = blocks.first_image(block), end = blocks.end_image(block, g.N);
      const int64_t top = blocks.first_row(block), pixels = (blocks.end_row(block, g.OH) - top) * g.OW;
      const T *matrix = x.data<T>() + (begin * g.H + top) * g.W * g.C + group * one.C;
      int64_t row = g.C;
      if (!every_pixel(g)) {
        T *rows = static_cast<T *>(scratch(Scratch::im2col, sizeof(T) * size_t((end - begin) * pixels * K)));
        for (int64_t n = begin; n < end; ++n)
          kernel().im2col_pixels[kFloat<T>](one, g.C, x.data<T>() + n * g.H * g.W * g.C + group * one.C, top,
                                            top + pixels / g.OW, rows + (n - begin) * pixels * K);
        matrix = rows, row = K;
      }
      multiply<T>({one.O, K, (end - begin) * pixels, dy.data<T>() + (begin * places + top * g.OW) * g.O + group * one.O,
                   1, g.O, matrix, row, 1, sums.data<T>() + part * g.O * K + group * one.O * K, K, block > first,
                   nullptr, nullptr},
                  g.bfloat16);
    }
  });
  add_parts<T>(parts, g.O * K, sums.data<T>() + g.O * K, sums.data<T>());
  reorder(g.O, one.taps(), one.C, sums.data<T>(), dw.data<T>());
  return dw;
}

} // namespace

Tensor pixels_forward(const ConvGeometry &g, const Tensor &x, const Tensor &w, const Tensor &bias, const Tensor &into) {
  return x.dtype() == Dtype::float64 ? forward<double>(g, x, w, bias, into) : forward<float>(g, x, w, bias, into);
}
Tensor pixels_backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &w, const Tensor &into) {
  return dy.dtype() == Dtype::float64 ? backward_data<double>(g, dy, w, into) : backward_data<float>(g, dy, w, into);
}
Tensor pixels_backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy, const Tensor &into) {
  return x.dtype() == Dtype::float64 ? backward_weight<double>(g, x, dy, into) : backward_weight<float>(g, x, dy, into);
}

} // namespace cinta::ops
