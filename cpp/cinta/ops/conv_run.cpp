// Implicit im2col where the kernels take the shape; for all else the reference: the im2col matrix written out, a band
// of output rows at a time, and gemm.
#include "cinta/ops/conv_run.h"

#include <cstring>
#include <type_traits>

#include "cinta/base/parallel.h"
#include "cinta/kernels/precision.h"
#include "cinta/ops/channels_last.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/im2col.h"
#include "cinta/ops/matmul.h"

namespace cinta::ops {
namespace {

using kernels::Conv2d;
using kernels::Gemm;

constexpr int64_t kMatrixElements = int64_t(1) << 18; // of an im2col band: stays in L2
constexpr int64_t kBatchBlocks = 8;                   // partial sums of dweight; fixed, so threads never change results

// One group of a convolution: `problem` has its channels only, pointers lead to its first ones.
template <class T> struct Group {
  Conv2d problem;
  const T *x, *w, *bias, *y;
  int64_t places() const { return problem.OH * problem.OW; }
  int64_t taps() const { return problem.C * problem.KH * problem.KW; }
};

Conv2d all_channels(const ConvGeometry &g) {
  Conv2d p = g;
  p.x_batch = g.C * g.H * g.W, p.y_batch = g.O * g.OH * g.OW;
  return p;
}

template <class T, class F>
void for_groups(const ConvGeometry &g, const Tensor &x, const Tensor &w, const Tensor &bias, const Tensor &y, F f) {
  Group<T> group{all_channels(g), x.data<T>(), w.data<T>(), bias ? bias.data<T>() : nullptr, y.data<T>()};
  Conv2d &p = group.problem;
  p.C = g.C / g.groups, p.O = g.O / g.groups;
  for (int64_t i = 0; i < g.groups; ++i) {
    f(group);
    group.x += p.C * p.H * p.W, group.y += p.O * p.OH * p.OW, group.w += p.O * group.taps();
    group.bias = group.bias ? group.bias + p.O : nullptr;
  }
}

template <class T> bool implicit(const Group<T> &group) {
  return std::is_same_v<T, float> && kernel().conv2d_fits(group.problem);
}

// A filter of its own for every channel, all of which one kernel takes at once, in either order.
bool depthwise(const ConvGeometry &g, const Tensor &x) {
  return g.groups > 1 && g.C == g.groups && g.O == g.groups && compute_type(x.dtype()) == kernels::Compute::f32;
}

// A 1x1 kernel over every pixel: the im2col matrix is the image itself.
bool is_image(const Conv2d &p) {
  return p.KH * p.KW == 1 && p.stride_h == 1 && p.stride_w == 1 && p.H == p.OH && p.W == p.OW && !p.pad_h && !p.pad_w;
}

template <class F> void for_images(const Conv2d &p, int64_t blocks, F f) {
  if (blocks == 1) // the matrix product is free to use the threads
    return f(int64_t(0));
  const double cost = double(p.N * p.O * p.C * p.KH * p.KW) * double(p.OH * p.OW) / 32;
  struct Work {
    F &f;
    kernels::Precision precision; // the caller's, whose products these are
  } work{f, kernels::matmul_precision()};
  const auto body = [](void *context, int64_t i) {
    const Work &w = *static_cast<const Work *>(context);
    const kernels::PrecisionScope as_the_caller(w.precision);
    w.f(i);
  };
  parallel_for(blocks, cost, body, &work);
}

// visit(first row, last row, the im2col matrix of these rows, its row length) for one image; `fill`: written before
template <class T, class F> void for_bands(const Group<T> &group, const T *x, bool fill, F visit) {
  const Conv2d &p = group.problem;
  if (is_image(p))
    return visit(int64_t(0), p.OH, const_cast<T *>(x), group.places());
  const int64_t rows = std::clamp<int64_t>(kMatrixElements / (group.taps() * p.OW), 1, p.OH);
  T *matrix = static_cast<T *>(scratch(Scratch::im2col, sizeof(T) * size_t(group.taps() * rows * p.OW)));
  for (int64_t first = 0; first < p.OH; first += rows) {
    const int64_t last = std::min(p.OH, first + rows);
    if (fill)
      im2col(p, x, first, last, matrix, (last - first) * p.OW);
    visit(first, last, matrix, (last - first) * p.OW);
  }
}

template <class T> void gemm(const Group<T> &group, Gemm g) {
  g.bfloat16 = group.problem.bfloat16;
  kernel().gemm[int(std::is_same_v<T, float> ? kernels::Compute::f32 : kernels::Compute::f64)](g);
}

// Few pixels under many weights: laying out the pixels of all images side by side costs less than packing the weights.
template <class T> bool side_by_side(const Group<T> &group) {
  return group.problem.N * group.places() <= 64 && group.problem.O * group.taps() >= int64_t(1) << 18;
}

// visit(columns, the im2col matrix of all images, the [O, columns] matrix of y)
template <class T, class F> void for_side_by_side(const Group<T> &group, F visit) {
  const int64_t columns = group.problem.N * group.places();
  T *matrix =
      static_cast<T *>(scratch(Scratch::im2col, sizeof(T) * size_t((group.taps() + group.problem.O) * columns)));
  visit(columns, matrix, matrix + group.taps() * columns);
}

// Rows of y, [N, O, places], from and to [O, N, places].
template <class T, class Y, class F> void for_rows_of_y(const Group<T> &group, Y *y, T *rows, F copy) {
  const int64_t places = group.places();
  for (int64_t n = 0; n < group.problem.N; ++n)
    for (int64_t o = 0; o < group.problem.O; ++o)
      copy(y + n * group.problem.y_batch + o * places, rows + (o * group.problem.N + n) * places, places);
}

template <class T> void forward_group(const Group<T> &group) {
  const Conv2d &p = group.problem;
  T *y = const_cast<T *>(group.y);
  if (side_by_side(group))
    return for_side_by_side(group, [&](int64_t columns, T *matrix, T *sums) {
      const int64_t K = group.taps();
      for (int64_t n = 0; n < p.N; ++n)
        im2col(p, group.x + n * p.x_batch, 0, p.OH, matrix + n * group.places(), columns);
      gemm<T>(group, {p.O, columns, K, group.w, K, 1, matrix, columns, 1, sums, columns, false, nullptr, group.bias});
      for_rows_of_y(group, y, sums, [](T *to, const T *from, int64_t size) { std::copy_n(from, size, to); });
    });
  if (implicit(group))
    return kernel().conv2d_forward(p, group.x, group.w, group.bias, y);
  for_images(p, p.N, [&](int64_t n) {
    const int64_t K = group.taps(), places = group.places();
    for_bands(group, group.x + n * p.x_batch, true, [&](int64_t first, int64_t, const T *matrix, int64_t columns) {
      gemm<T>(group, {p.O, columns, K, group.w, K, 1, matrix, columns, 1, y + n * p.y_batch + first * p.OW, places,
                      false, nullptr, group.bias});
    });
  });
}

template <class T> void data_group(const Group<T> &group) {
  const Conv2d &p = group.problem;
  T *all = const_cast<T *>(group.x);
  if (side_by_side(group))
    return for_side_by_side(group, [&](int64_t columns, T *matrix, T *dy) {
      const int64_t K = group.taps();
      for_rows_of_y(group, group.y, dy, [](const T *from, T *to, int64_t size) { std::copy_n(from, size, to); });
      gemm<T>(group, {K, columns, p.O, group.w, 1, K, dy, columns, 1, matrix, columns, false, nullptr, nullptr});
      for (int64_t n = 0; n < p.N; ++n) {
        std::memset(all + n * p.x_batch, 0, sizeof(T) * size_t(p.C * p.H * p.W));
        col2im(p, matrix + n * group.places(), 0, p.OH, columns, all + n * p.x_batch);
      }
    });
  if (implicit(group))
    return kernel().conv2d_backward_data(p, group.y, group.w, all);
  for_images(p, p.N, [&](int64_t n) {
    const int64_t K = group.taps(), places = group.places();
    T *dx = all + n * p.x_batch;
    std::memset(dx, 0, sizeof(T) * size_t(p.C * p.H * p.W));
    for_bands(group, dx, false, [&](int64_t first, int64_t last, T *matrix, int64_t columns) {
      gemm<T>(group, {K, columns, p.O, group.w, 1, K, group.y + n * p.y_batch + first * p.OW, places, 1, matrix,
                      columns, false, nullptr, nullptr});
      if (matrix != dx)
        col2im(p, matrix, first, last, columns, dx);
    });
  });
}

template <class T> void weight_group(const Group<T> &group) {
  const Conv2d &p = group.problem;
  T *dw = const_cast<T *>(group.w);
  if (side_by_side(group))
    return for_side_by_side(group, [&](int64_t columns, T *matrix, T *dy) {
      const int64_t K = group.taps();
      for (int64_t n = 0; n < p.N; ++n)
        im2col(p, group.x + n * p.x_batch, 0, p.OH, matrix + n * group.places(), columns);
      for_rows_of_y(group, group.y, dy, [](const T *from, T *to, int64_t size) { std::copy_n(from, size, to); });
      gemm<T>(group, {p.O, K, columns, dy, columns, 1, matrix, 1, columns, dw, K, false, nullptr, nullptr});
    });
  if (implicit(group))
    return kernel().conv2d_backward_weight(p, group.x, group.y, dw);
  const int64_t K = group.taps(), places = group.places(), blocks = std::min(p.N, kBatchBlocks);
  Tensor partial = zeros({blocks, p.O * K}, std::is_same_v<T, float> ? Dtype::float32 : Dtype::float64);
  for_images(p, blocks, [&](int64_t block) {
    T *sums = partial.data<T>() + block * p.O * K;
    for (int64_t n = block * p.N / blocks; n < (block + 1) * p.N / blocks; ++n)
      for_bands(group, group.x + n * p.x_batch, true, [&](int64_t first, int64_t, const T *matrix, int64_t columns) {
        gemm<T>(group, {p.O, K, columns, group.y + n * p.y_batch + first * p.OW, places, 1, matrix, 1, columns, sums, K,
                        true, nullptr, nullptr});
      });
  });
  const T *sums = partial.data<T>();
  std::copy(sums, sums + p.O * K, dw);
  for (int64_t i = p.O * K; i < blocks * p.O * K; ++i)
    dw[i % (p.O * K)] += sums[i];
}

// ---- the kernels that take images in either memory order

using kernels::Direction, kernels::Images;

bool strided(const ConvGeometry &g, Direction direction, const Tensor &x) {
  const auto fits = kernel().conv2d_strided_fits;
  return fits && g.groups == 1 && compute_type(x.dtype()) == kernels::Compute::f32 && fits(g, direction);
}

Tensor image_order(const Tensor &x) { // as it lies where that is one of the two orders
  GradMode off(false);
  const Tensor z = astype(x, Dtype::float32); // keeps the order
  return z.contiguous() || lies_channels_last(z) ? z : channels_last(z);
}
Images images(const Tensor &x) {
  const Strides &s = x.strides();
  return {x.data<float>(), {s[0], x.contiguous() && x.shape()[1] == 1 ? 1 : s[1], s[2], s[3]}};
}

Conv2d in_order(const Tensor &x, const ConvGeometry &g) { // depthwise
  Conv2d p = all_channels(g);
  p.channels_last = lies_channels_last(x);
  return p;
}
Tensor empty_in_order(const Tensor &x, const Shape &shape) {
  return lies_channels_last(x) ? empty_channels_last(shape, Dtype::float32) : empty(shape, Dtype::float32);
}

// With what its numbers were before they became float32.
ConvGeometry with_dtype(ConvGeometry g, const Tensor &x) {
  g.bfloat16 = x.dtype() == Dtype::bfloat16;
  return g;
}

// ---- a 1x1 kernel on all pixels: one matrix product over the pixels of all images, whose channels are contiguous

bool pointwise(const ConvGeometry &g, const Tensor &x) {
  const bool every_pixel = g.KH * g.KW == 1 && g.stride_h == 1 && g.stride_w == 1 && g.OH == g.H && g.OW == g.W;
  return every_pixel && g.groups == 1 && g.pad_h == 0 && g.pad_w == 0 && x.dtype() == Dtype::float32 &&
         kernel().conv2d_strided && g.C >= 32 && g.O >= 32;
}

Tensor pixels(const Tensor &x) { // [N,C,H,W] as [N H W,C], in the same memory
  const int64_t channels = x.shape()[1];
  return view(x, {x.size() / channels, channels}, {channels, 1});
}
Tensor matrix(const Tensor &weight) {
  return view(weight, {weight.shape()[0], weight.shape()[1]}, {weight.shape()[1], 1});
}
Tensor transposed(const Tensor &m) { return view(m, {m.shape()[1], m.shape()[0]}, {m.strides()[1], m.strides()[0]}); }

} // namespace

Tensor run_conv(const ConvGeometry &given, const Tensor &x, const Tensor &weight, const Tensor &bias) {
  const ConvGeometry g = with_dtype(given, x);
  const Tensor w = contiguous_native(weight), b = bias ? contiguous_native(bias) : bias;
  if (pointwise(g, x)) {
    const Tensor y = empty_channels_last({g.N, g.O, g.OH, g.OW}, Dtype::float32);
    ops::gemm(pixels(channels_last(x)), transposed(matrix(w)), pixels(y), b);
    return y;
  }
  if (strided(g, Direction::forward, x)) {
    const Tensor from = image_order(x), y = empty_channels_last({g.N, g.O, g.OH, g.OW}, Dtype::float32);
    if (kernel().conv2d_strided(g, Direction::forward, images(from), w.data<float>(), b ? b.data<float>() : nullptr,
                                images(y)))
      return from_native(y, x.dtype());
  }
  if (depthwise(g, x)) {
    const Tensor from = image_order(x), y = empty_in_order(from, {g.N, g.O, g.OH, g.OW});
    if (y.size())
      kernel().depthwise_forward(in_order(from, g), from.data<float>(), w.data<float>(), b ? b.data<float>() : nullptr,
                                 y.data<float>());
    return from_native(y, x.dtype());
  }
  const Tensor a = contiguous_native(x);
  Tensor y = empty({g.N, g.O, g.OH, g.OW}, a.dtype());
  if (y.size() == 0)
    return from_native(y, x.dtype());
  if (a.dtype() == Dtype::float64)
    for_groups<double>(g, a, w, b, y, forward_group<double>);
  else
    for_groups<float>(g, a, w, b, y, forward_group<float>);
  return from_native(y, x.dtype());
}

Tensor run_backward_data(const ConvGeometry &given, const Tensor &dy, const Tensor &weight) {
  const ConvGeometry g = with_dtype(given, dy);
  const Tensor w = contiguous_native(weight);
  const Shape shape{g.N, g.C, g.H, g.W};
  if (dy.size() == 0 || w.size() == 0)
    return zeros(shape, dy.dtype());
  if (pointwise(g, dy)) {
    const Tensor dx = empty_channels_last(shape, Dtype::float32);
    ops::gemm(pixels(channels_last(dy)), matrix(w), pixels(dx));
    return dx;
  }
  if (strided(g, Direction::backward_data, dy)) {
    const Tensor from = image_order(dy), dx = empty_channels_last(shape, Dtype::float32);
    if (kernel().conv2d_strided(g, Direction::backward_data, images(dx), w.data<float>(), nullptr, images(from)))
      return from_native(dx, dy.dtype());
  }
  if (depthwise(g, dy)) {
    const Tensor from = image_order(dy), dx = empty_in_order(from, shape);
    kernel().depthwise_backward_data(in_order(from, g), from.data<float>(), w.data<float>(), dx.data<float>());
    return from_native(dx, dy.dtype());
  }
  const Tensor b = contiguous_native(dy);
  Tensor dx = empty(shape, b.dtype());
  if (b.dtype() == Dtype::float64)
    for_groups<double>(g, dx, w, {}, b, data_group<double>);
  else
    for_groups<float>(g, dx, w, {}, b, data_group<float>);
  return from_native(dx, dy.dtype());
}

Tensor run_backward_weight(const ConvGeometry &given, const Tensor &x, const Tensor &dy) {
  const ConvGeometry g = with_dtype(given, x);
  const Shape shape{g.O, g.C / g.groups, g.KH, g.KW};
  if (x.size() == 0 || dy.size() == 0)
    return zeros(shape, x.dtype());
  if (pointwise(g, x)) {
    const Tensor dw = empty(shape, Dtype::float32);
    ops::gemm(transposed(pixels(channels_last(dy))), pixels(channels_last(x)), matrix(dw));
    return dw;
  }
  if (strided(g, Direction::backward_weight, x)) {
    const Tensor from = channels_last(image_order(x)), to = channels_last(image_order(dy));
    const Tensor dw = empty(shape, Dtype::float32);
    if (kernel().conv2d_strided(g, Direction::backward_weight, images(from), dw.data<float>(), nullptr, images(to)))
      return from_native(dw, x.dtype());
  }
  if (depthwise(g, x)) {
    const Tensor from = image_order(x),
                 to = lies_channels_last(from) ? channels_last(image_order(dy)) : contiguous_native(dy);
    const Tensor dw = empty(shape, Dtype::float32);
    kernel().depthwise_backward_weight(in_order(from, g), from.data<float>(), to.data<float>(), dw.data<float>());
    return from_native(dw, x.dtype());
  }
  const Tensor a = contiguous_native(x), b = contiguous_native(dy);
  Tensor dw = empty(shape, a.dtype());
  if (a.dtype() == Dtype::float64)
    for_groups<double>(g, a, dw, {}, b, weight_group<double>);
  else
    for_groups<float>(g, a, dw, {}, b, weight_group<float>);
  return from_native(dw, x.dtype());
}

} // namespace cinta::ops
