#include "cinta/ops/unfold.h"

#include <cstring>

#include "cinta/base/parallel.h"

namespace cinta::ops {
namespace {

using kernels::Conv2d;

Tensor unfold(const Conv2d &g, const Tensor &x);
Tensor fold(const Conv2d &g, const Tensor &x);

int64_t matrix_rows(const Conv2d &g) { return g.C * g.KH * g.KW; }

// f(image, its matrix) for all images, in x's native dtype
template <class F> void for_images(const Conv2d &g, const Tensor &image, const Tensor &matrix, F f) {
  auto run = [&](auto *x, auto *cols) {
    auto one = [&](int64_t n) { f(x + n * g.C * g.H * g.W, cols + n * matrix_rows(g) * g.OH * g.OW); };
    parallel_for(
        g.N, double(matrix.size()), [](void *c, int64_t n) { (*static_cast<decltype(one) *>(c))(n); }, &one);
  };
  if (image.dtype() == Dtype::float64)
    run(image.data<double>(), matrix.data<double>());
  else
    run(image.data<float>(), matrix.data<float>());
}

struct UnfoldWork { // y [N, C KH KW, places] of x [N,C,H,W]
  Conv2d g;
  void operator()(const Tensor *in, const Tensor *out) const {
    const int type = int(compute_type(in[0].dtype()));
    for_images(g, in[0], out[0],
               [&](void *image, void *cols) { kernel().im2col_planes[type](g, 1, image, 0, g.OH, cols, g.OH * g.OW); });
  }
};
struct FoldWork { // its transpose: sums into images
  Conv2d g;
  void operator()(const Tensor *in, const Tensor *out) const {
    const int type = int(compute_type(in[0].dtype()));
    std::memset(out[0].data(), 0, out[0].nbytes());
    for_images(g, out[0], in[0],
               [&](void *image, void *cols) { kernel().col2im_planes[type](g, 1, cols, g.OH * g.OW, 0, g.OH, image); });
  }
};

struct Unfold final : OpWith<Conv2d> {
  using OpWith::OpWith;
  const char *name() const override { return "unfold"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor x = contiguous_native(in[0]), y = empty({N, matrix_rows(*this), OH * OW}, x.dtype());
    if (y.size())
      compute(name(), {x}, {y}, UnfoldWork{*this});
    *out = from_native(y, in[0].dtype());
  }
  void vjp(Vjp &v) const override { v.dx(0, fold(*this, v.dy())); }
};

struct Fold final : OpWith<Conv2d> {
  using OpWith::OpWith;
  const char *name() const override { return "fold"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor x = contiguous_native(in[0]), y = x.size() ? empty({N, C, H, W}, x.dtype()) : zeros({N, C, H, W}, x.dtype());
    if (x.size())
      compute(name(), {x}, {y}, FoldWork{*this});
    *out = from_native(y, in[0].dtype());
  }
  void vjp(Vjp &v) const override { v.dx(0, unfold(*this, v.dy())); }
};

Tensor unfold(const Conv2d &g, const Tensor &x) { return apply(make_op<Unfold>(g), {x}); }
Tensor fold(const Conv2d &g, const Tensor &x) { return apply(make_op<Fold>(g), {x}); }

int64_t both(const Dims &given, int axis, int64_t least, const char *what, const char *op) {
  if (given.size() != 1 && given.size() != 2)
    fail<ValueError>("[", op, "] ", what, " is ", given, ", expected one number or 2");
  if (given[axis % given.size()] < least)
    fail<ValueError>("[", op, "] ", what, " is ", given, ", expected at least ", least);
  return given[axis % given.size()];
}

Conv2d geometry(int64_t n, int64_t channels, const Dims &size, const Dims &kernel, const Dims &dilation,
                const Dims &padding, const Dims &stride, const char *op) {
  Conv2d g{};
  g.N = n, g.C = channels, g.H = size[0], g.W = size.back();
  g.KH = both(kernel, 0, 1, "kernel_size", op), g.KW = both(kernel, 1, 1, "kernel_size", op);
  g.dilation_h = both(dilation, 0, 1, "dilation", op), g.dilation_w = both(dilation, 1, 1, "dilation", op);
  g.pad_h = both(padding, 0, 0, "padding", op), g.pad_w = both(padding, 1, 0, "padding", op);
  g.stride_h = both(stride, 0, 1, "stride", op), g.stride_w = both(stride, 1, 1, "stride", op);
  const int64_t left_h = g.H + 2 * g.pad_h - (g.KH - 1) * g.dilation_h - 1;
  const int64_t left_w = g.W + 2 * g.pad_w - (g.KW - 1) * g.dilation_w - 1;
  if (left_h < 0 || left_w < 0)
    fail<ValueError>("[", op, "] kernel of size ", kernel, " with dilation ", dilation, " does not fit into the image ",
                     Shape{g.H, g.W}, " with padding ", padding);
  g.OH = left_h / g.stride_h + 1, g.OW = left_w / g.stride_w + 1;
  return g;
}

} // namespace

Tensor unfold(const Tensor &x, const Dims &kernel_size, const Dims &dilation, const Dims &padding, const Dims &stride) {
  check_floating(x, "unfold");
  if (x.ndim() != 4)
    fail<ValueError>("[unfold] input has shape ", x.shape(), ", expected [N,C,H,W]");
  const Shape s = x.shape();
  return unfold(geometry(s[0], s[1], {s[2], s[3]}, kernel_size, dilation, padding, stride, "unfold"), x);
}

Tensor fold(const Tensor &x, const Dims &output_size, const Dims &kernel_size, const Dims &dilation,
            const Dims &padding, const Dims &stride) {
  check_floating(x, "fold");
  if (x.ndim() != 3)
    fail<ValueError>("[fold] input has shape ", x.shape(), ", expected [N, C KH KW, places]");
  const Dims size{both(output_size, 0, 1, "output_size", "fold"), both(output_size, 1, 1, "output_size", "fold")};
  Conv2d g = geometry(x.shape()[0], 0, size, kernel_size, dilation, padding, stride, "fold");
  g.C = x.shape()[1] / (g.KH * g.KW);
  if (x.shape()[1] != matrix_rows(g) || x.shape()[2] != g.OH * g.OW)
    fail<ValueError>("[fold] input has shape ", x.shape(), ", expected [N, a multiple of ", g.KH * g.KW, ", ",
                     g.OH * g.OW, "] for output ", size, " and kernel ", kernel_size);
  return fold(g, x);
}

} // namespace cinta::ops
