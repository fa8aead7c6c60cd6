// Convolution as products with the im2col matrix, in any dtype, stride, dilation and number of groups. The matrix is
// written out a block of output pixels at a time; blocks and sums depend on the shape only, never on the threads.
#pragma once
#include <algorithm>
#include <type_traits>

#include "cinta/base/parallel.h"
#include "cinta/kernels/precision.h"
#include "cinta/ops/conv_run.h"

namespace cinta::ops {

// One group's channels and the matrix they make.
struct GroupShape : kernels::Conv2d {
  explicit GroupShape(const ConvGeometry &g) : kernels::Conv2d(g) {
    x_batch = C * H * W, y_batch = O * OH * OW;
    C /= g.groups, O /= g.groups;
  }
  int64_t taps() const { return KH * KW; }
  int64_t depth() const { return C * taps(); } // of the product
  int64_t places() const { return OH * OW; }
};

// A product over every pixel of the image as it is: no im2col.
inline bool every_pixel(const kernels::Conv2d &g) {
  return g.KH * g.KW == 1 && g.stride_h == 1 && g.stride_w == 1 && g.H == g.OH && g.W == g.OW && !g.pad_h && !g.pad_w;
}

// Output pixels in blocks: several images, or some rows of one; at least so many that a product of them is worth
// reading its weights for.
struct Blocks {
  int64_t images, rows; // of a block
  int64_t bands, count; // blocks of an image; of the batch

  explicit Blocks(const GroupShape &g) {
    const int64_t pixels = std::clamp<int64_t>(kMatrixElements / g.depth(), kLeastPixels, kMostPixels);
    images = std::clamp<int64_t>(pixels / g.places(), 1, g.N);
    if (every_pixel(g) && g.places() >= kVector && double(g.depth() * g.O) * double(g.places()) >= kWorthACall)
      images = 1; // read as it lies
    else if (images >= kVector && images < g.N)
      images -= images % kVector;
    rows = images > 1 ? g.OH : std::clamp<int64_t>(pixels / g.OW, 1, g.OH);
    bands = (g.OH + rows - 1) / rows;
    count = (g.N + images - 1) / images * bands;
  }
  int64_t first_image(int64_t block) const { return block / bands * images; }
  int64_t end_image(int64_t block, int64_t n) const { return std::min(n, first_image(block) + images); }
  int64_t first_row(int64_t block) const { return block % bands * rows; }
  int64_t end_row(int64_t block, int64_t height) const { return std::min(height, first_row(block) + rows); }

  static constexpr int64_t kMatrixElements = int64_t(1) << 17; // stay in L2
  static constexpr int64_t kLeastPixels = 256, kMostPixels = 2048;
  static constexpr int64_t kVector = 16;         // images side by side fill whole vectors
  static constexpr double kWorthACall = 1 << 14; // multiplications
};

// f(i) for i < count, each worth `products` multiplications: on all threads at the caller's precision, or, for a single
// one, here, where its product is free to use the threads.
template <class F> void for_blocks(int64_t count, double products, F f) {
  if (count == 1)
    return f(int64_t(0));
  struct Work {
    F &f;
    kernels::Precision precision;
  } work{f, kernels::matmul_precision()};
  const auto body = [](void *context, int64_t i) {
    const Work &w = *static_cast<const Work *>(context);
    const kernels::PrecisionScope as_the_caller(w.precision);
    w.f(i);
  };
  parallel_for(count, products * double(count) / 32, body, &work);
}

template <class T> constexpr kernels::Compute kCompute =
    std::is_same_v<T, float> ? kernels::Compute::f32 : kernels::Compute::f64;

template <class T> void multiply(kernels::Gemm g, bool bfloat16) {
  g.bfloat16 = bfloat16;
  kernel().gemm[int(kCompute<T>)](g);
}

// Sums of weight gradients that blocks share: as many as keep the threads busy, few against what is summed.
inline int64_t partial_sums(const GroupShape &g, const Blocks &blocks) {
  constexpr int64_t kMost = 8, kPixels = 512;
  return std::clamp<int64_t>(g.N * g.places() / kPixels, 1, std::min(kMost, blocks.count));
}

// The first of `parts` sums of so many elements, to which the others are added in their order.
template <class T> T *sum_of_parts(int64_t parts, int64_t size, const Tensor &sums) {
  T *const total = sums.data<T>();
  for (int64_t part = 1; part < parts; ++part)
    kernel().accumulate[int(kCompute<T>)](size, total + part * size, total);
  return total;
}

} // namespace cinta::ops
