// Which kernels compute a convolution: those for images in either memory order, those for one group of [N,C,H,W], those
// with a filter for every channel; for all else products with the im2col matrix.
#include "cinta/ops/conv_run.h"

#include "cinta/ops/channels_last.h"
#include "cinta/ops/conv_depthwise.h"
#include "cinta/ops/conv_pixels.h"
#include "cinta/ops/conv_planes.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/im2col_blocks.h"
#include "cinta/ops/matmul.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

using kernels::Conv2d, kernels::Direction, kernels::Images, kernels::ResultOrder;

// ---- one group after the other, by kernels with an implicit im2col

Conv2d all_channels(const ConvGeometry &g) {
  Conv2d p = g;
  p.x_batch = g.C * g.H * g.W, p.y_batch = g.O * g.OH * g.OW;
  return p;
}

Conv2d one_group(const ConvGeometry &g) {
  Conv2d p = all_channels(g);
  p.C /= g.groups, p.O /= g.groups;
  return p;
}

// dx so much larger than dy that a kernel which goes over it multiplies padding mostly; of few images, as lanes run
// along many.
bool mostly_padding(const Conv2d &p) {
  return p.N < 16 && p.C < 16 && p.O < 96 && p.stride_h == 1 && p.stride_w == 1 && p.KH <= p.OH && p.KW <= p.OW &&
         10 * p.H * p.W >= 19 * p.OH * p.OW;
}

// Whether products are faster although those kernels would do: a stride wastes what they load, small images with
// few outputs leave their lanes idle in the gradients of the weights, long sums over channels stream planes through L1
// for every tile of outputs; a single output pixel, or groups of few channels in small images, are less work than their
// planes.
bool as_products(const ConvGeometry &g, const Conv2d &group, Direction direction) {
  if (g.OH * g.OW == 1 || (g.groups > 1 && group.C < 16 && planes_weave(g)))
    return true;
  if (g.stride_h > 1 || g.stride_w > 1) {
    const int64_t channels = g.groups > 1 && direction == Direction::forward ? 16 : 6;
    const bool few_columns = g.groups == 1 && g.OW < 16;
    return group.O > 2 && (group.C >= channels || few_columns);
  }
  if (direction == Direction::forward)
    return group.C >= 128;
  if (direction == Direction::backward_data)
    return mostly_padding(group) || (group.O >= 96 && group.C < 16);
  return (group.C >= 24 && group.O < 16 && g.OH * g.OW < 128) || (group.O >= 32 && (group.C >= 32 || group.O >= 256));
}

// So few under so many weights that whatever touches the weights once more costs as much as the products.
bool few_pixels(const Conv2d &p) { return p.N * p.OH * p.OW <= 64 && p.O * p.C * p.KH * p.KW >= int64_t(1) << 18; }

// Long runs of channels side by side are a matrix nearly as they lie, and planes would take a copy.
bool runs_of_channels(const ConvGeometry &g, const Tensor &x) {
  return lies_channels_last(x) && x.shape()[1] >= 8 * g.groups;
}

bool implicit(const ConvGeometry &g, Direction direction, const Tensor &x) {
  const Conv2d p = one_group(g);
  return compute_type(x.dtype()) == kernels::Compute::f32 && !as_products(g, p, direction) && !few_pixels(p) &&
         !runs_of_channels(g, x) && kernel().conv2d_fits(p, direction);
}

// Whether y lies with its channels last where x has so few that its own order says little: layers to come like that.
bool starts_channels_last(const ConvGeometry &g, Direction direction) {
  constexpr int64_t kColours = 4;
  Conv2d p = one_group(g);
  p.y_channels_last = true;
  return g.groups == 1 && g.C <= kColours && g.OH * g.OW > 1 && kernel().conv2d_fits(p, direction);
}

// f(group's geometry, x, w, y, first output channel)
template <class F> void for_groups(const ConvGeometry &g, const Tensor &x, const Tensor &w, const Tensor &y, F f) {
  const Conv2d p = one_group(g);
  for (int64_t i = 0; i < g.groups; ++i)
    f(p, x.data<float>() + i * p.C * p.H * p.W, w.data<float>() + i * p.O * p.C * p.KH * p.KW,
      y.data<float>() + i * p.O * p.OH * p.OW, i * p.O);
}

// ---- by products with the im2col matrix

// Whether its rows are pixels: where channels are many enough that these are made of longer runs than rows of an image,
// of which a stride leaves single elements.
bool by_pixels(const ConvGeometry &g, const Tensor &x) {
  const bool last = lies_channels_last(x), one_tap = g.KH * g.KW == 1;
  const int64_t channels = g.C / g.groups;
  if (every_pixel(g))
    return last && g.C > 1 && (g.groups == 1 || channels >= 8);
  if (few_pixels(one_group(g))) // their weights would have to be put in another order
    return false;
  if (!last && (one_tap || (channels <= 3 && g.OW >= 16))) // planes, colours say: rows are longer than any run
    return false;
  if (g.groups > 1 && channels < 16 && planes_weave(g))
    return false;
  const int64_t run = channels * (g.groups == 1 && g.dilation_w == 1 ? g.KW : 1);
  return run >= (g.stride_w > 1 ? 4 : 8);
}

// ---- the kernels that take images in either memory order

ResultOrder strided(const ConvGeometry &g, Direction direction, const Tensor &x) {
  const auto fits = kernel().conv2d_strided_fits;
  const bool asked = fits && g.groups == 1 && compute_type(x.dtype()) == kernels::Compute::f32;
  return asked ? fits(g, direction) : ResultOrder::none;
}

// In a dtype that kernels compute in, as it lies where that is one of the two orders.
Tensor image_order(const Tensor &x) {
  GradMode off(false);
  const Tensor z = is_native(x.dtype()) ? x : astype(x, Dtype::float32); // keeps the order
  return z.contiguous() || lies_channels_last(z) ? z : channels_last(z);
}
Images images(const Tensor &x) {
  const Strides &s = x.strides();
  return {x.data<float>(), {s[0], x.contiguous() && x.shape()[1] == 1 ? 1 : s[1], s[2], s[3]}};
}

// Images in float32 to be computed from `from`: they lie as it does wherever the kernel can write that.
Tensor result(const Shape &shape, ResultOrder order, const Tensor &from, const Tensor &into) {
  return result_memory(shape, Dtype::float32, !(order == ResultOrder::either && from.contiguous()), into);
}
Tensor rounded(const Tensor &y, Dtype dtype, const Tensor &into) {
  if (y.dtype() == dtype)
    return y;
  const Tensor z = result_memory(y.shape(), dtype, lies_channels_last(y), into);
  copy(y, z);
  return z;
}

// With what its numbers were before they became float32, and without steps that nothing takes.
ConvGeometry plain(ConvGeometry g, const Tensor &x) {
  g.bfloat16 = x.dtype() == Dtype::bfloat16;
  g.stride_h = g.OH > 1 ? g.stride_h : 1, g.stride_w = g.OW > 1 ? g.stride_w : 1;
  g.dilation_h = g.KH > 1 ? g.dilation_h : 1, g.dilation_w = g.KW > 1 ? g.dilation_w : 1;
  return g;
}

// ---- a 1x1 kernel on all pixels: one matrix product over the pixels of all images, whose channels are contiguous

// Where they lie so already, or where a tile unit is worth the copy.
bool pointwise(const ConvGeometry &g, const Tensor &x) {
  const bool every_pixel = g.KH * g.KW == 1 && g.stride_h == 1 && g.stride_w == 1 && g.OH == g.H && g.OW == g.W;
  const bool worth = lies_channels_last(x) || (kernel().gemm_bfloat16 && g.C >= 32 && g.O >= 32);
  return every_pixel && g.groups == 1 && g.pad_h == 0 && g.pad_w == 0 && x.dtype() == Dtype::float32 && worth;
}

// The pixels of x that the kernel meets: of a 1x1 kernel with strides some, between which none is left. Worth a copy
// where a product reads it as it lies.
Tensor pixels_met(const Tensor &x, ConvGeometry &g) {
  const bool every = g.stride_h == 1 && g.stride_w == 1 && g.H == g.OH && g.W == g.OW;
  if (g.KH * g.KW > 1 || g.pad_h || g.pad_w || every || !is_native(x.dtype()) || x.size() == 0)
    return x;
  ConvGeometry dense = g;
  dense.H = g.OH, dense.W = g.OW, dense.stride_h = dense.stride_w = 1;
  const bool last = lies_channels_last(x);
  if (!last && !pointwise(dense, x) && Blocks(GroupShape(dense)).images > 1)
    return x;
  const Strides &s = x.strides();
  const Laid met(view(x, {g.N, g.C, g.OH, g.OW}, {s[0], s[1], s[2] * g.stride_h, s[3] * g.stride_w}), last);
  g = dense;
  return last ? channels_back(met.memory) : met.memory;
}

Tensor pixels(const Tensor &x) { // [N,C,H,W] as [N H W,C], in the same memory
  const int64_t channels = x.shape()[1];
  return view(x, {x.size() / channels, channels}, {channels, 1});
}
Tensor matrix(const Tensor &weight) {
  return view(weight, {weight.shape()[0], weight.shape()[1]}, {weight.shape()[1], 1});
}
// A kernel as large as the image: one output pixel, and dx is a product.
bool is_whole_image(const ConvGeometry &g, const Tensor &dy) {
  return g.groups == 1 && g.OH * g.OW == 1 && g.KH == g.H && g.KW == g.W && !g.pad_h && !g.pad_w &&
         dy.dtype() == Dtype::float32;
}
Tensor rows(const Tensor &x) { // contiguous [N,..] as [N,*]
  const int64_t each = x.size() / x.shape()[0];
  return view(x, {x.shape()[0], each}, {each, 1});
}
Tensor transposed(const Tensor &m) { return view(m, {m.shape()[1], m.shape()[0]}, {m.strides()[1], m.strides()[0]}); }

} // namespace

Tensor result_memory(const Shape &shape, Dtype dtype, bool channels_last, const Tensor &into) {
  const bool both = shape[1] == 1; // orders in one
  if (into && into.dtype() == dtype &&
      ((channels_last && lies_channels_last(into)) || ((!channels_last || both) && into.contiguous())))
    return into;
  return channels_last ? empty_channels_last(shape, dtype) : empty(shape, dtype);
}

Tensor run_conv(const ConvGeometry &given, const Tensor &image, const Tensor &weight, const Tensor &bias,
                const Tensor &into) {
  ConvGeometry g = plain(given, image);
  const Tensor x = pixels_met(image, g);
  const Tensor w = contiguous_native(weight), b = bias ? contiguous_native(bias) : bias;
  if (pointwise(g, x)) {
    const Tensor y = result_memory({g.N, g.O, g.OH, g.OW}, Dtype::float32, true, into);
    ops::gemm(pixels(channels_last(x)), transposed(matrix(w)), pixels(y), b);
    return y;
  }
  if (const ResultOrder order = strided(g, Direction::forward, x); order != ResultOrder::none) {
    const Tensor from = image_order(x), y = result({g.N, g.O, g.OH, g.OW}, order, from, into);
    if (kernel().conv2d_strided(g, Direction::forward, images(from), w.data<float>(), b ? b.data<float>() : nullptr,
                                images(y)))
      return rounded(y, x.dtype(), into);
  }
  if (g.N * g.O * g.OH * g.OW == 0)
    return empty({g.N, g.O, g.OH, g.OW}, x.dtype());
  const float *bias_at = b && b.dtype() == Dtype::float32 ? b.data<float>() : nullptr;
  if (depthwise(g, Direction::forward, x))
    return rounded(depthwise_forward(g, image_order(x), w, b, into), x.dtype(), into);
  if (!implicit(g, Direction::forward, x))
    return rounded(by_pixels(g, x) ? pixels_forward(g, image_order(x), w, b, into)
                                   : planes_forward(g, contiguous_native(x), w, b, into),
                   x.dtype(), into);
  const bool last = starts_channels_last(g, Direction::forward);
  const Tensor a = contiguous_native(x), y = result_memory({g.N, g.O, g.OH, g.OW}, Dtype::float32, last, into);
  for_groups(g, a, w, y, [&](Conv2d p, float *x_at, float *w_at, float *y_at, int64_t o) {
    p.y_channels_last = last;
    kernel().conv2d_forward(p, x_at, w_at, bias_at ? bias_at + o : nullptr, y_at);
  });
  return rounded(y, x.dtype(), into);
}

Tensor run_backward_data(const ConvGeometry &given, const Tensor &dy, const Tensor &weight, const Tensor &into) {
  const ConvGeometry g = plain(given, dy);
  const Tensor w = contiguous_native(weight);
  const Shape shape{g.N, g.C, g.H, g.W};
  if (dy.size() == 0 || w.size() == 0)
    return zeros(shape, dy.dtype());
  if (pointwise(g, dy)) {
    const Tensor dx = result_memory(shape, Dtype::float32, true, into);
    ops::gemm(pixels(channels_last(dy)), matrix(w), pixels(dx));
    return dx;
  }
  if (is_whole_image(g, dy)) {
    const Tensor dx = result_memory(shape, Dtype::float32, false, into);
    ops::gemm(rows(contiguous_native(dy)), rows(w), rows(dx));
    return dx;
  }
  if (const ResultOrder order = strided(g, Direction::backward_data, dy); order != ResultOrder::none) {
    const Tensor from = image_order(dy), dx = result(shape, order, from, into);
    if (kernel().conv2d_strided(g, Direction::backward_data, images(dx), w.data<float>(), nullptr, images(from)))
      return rounded(dx, dy.dtype(), into);
  }
  if (depthwise(g, Direction::backward_data, dy))
    return rounded(depthwise_backward_data(g, image_order(dy), w, into), dy.dtype(), into);
  if (!implicit(g, Direction::backward_data, dy))
    return rounded(by_pixels(g, dy) && !mostly_padding(one_group(g))
                       ? pixels_backward_data(g, image_order(dy), w, into)
                       : planes_backward_data(g, contiguous_native(dy), w, into),
                   dy.dtype(), into);
  const Tensor b = contiguous_native(dy), dx = result_memory(shape, Dtype::float32, false, into);
  for_groups(g, dx, w, b, [&](const Conv2d &p, float *x_at, float *w_at, float *y_at, int64_t) {
    kernel().conv2d_backward_data(p, y_at, w_at, x_at);
  });
  return rounded(dx, dy.dtype(), into);
}

Tensor run_backward_weight(const ConvGeometry &given, const Tensor &image, const Tensor &dy, const Tensor &into) {
  ConvGeometry g = plain(given, image);
  const Tensor x = pixels_met(image, g);
  const Shape shape{g.O, g.C / g.groups, g.KH, g.KW};
  if (x.size() == 0 || dy.size() == 0)
    return zeros(shape, x.dtype());
  if (pointwise(g, x)) {
    const Tensor dw = result_memory(shape, Dtype::float32, false, into);
    ops::gemm(transposed(pixels(channels_last(dy))), pixels(channels_last(x)), matrix(dw));
    return dw;
  }
  if (const ResultOrder order = strided(g, Direction::backward_weight, x); order != ResultOrder::none) {
    const bool as_they_lie = order == ResultOrder::either;
    const Tensor a = image_order(x), b = image_order(dy);
    const Tensor from = as_they_lie ? a : channels_last(a), to = as_they_lie ? b : channels_last(b);
    const Tensor dw = result_memory(shape, Dtype::float32, false, into);
    if (kernel().conv2d_strided(g, Direction::backward_weight, images(from), dw.data<float>(), nullptr, images(to)))
      return rounded(dw, x.dtype(), into);
  }
  if (depthwise(g, Direction::backward_weight, x))
    return rounded(depthwise_backward_weight(g, image_order(x), image_order(dy), into), x.dtype(), into);
  if (!implicit(g, Direction::backward_weight, x))
    return rounded(by_pixels(g, x) ? pixels_backward_weight(g, image_order(x), image_order(dy), into)
                                   : planes_backward_weight(g, contiguous_native(x), contiguous_native(dy), into),
                   x.dtype(), into);
  const bool last = lies_channels_last(dy) && starts_channels_last(g, Direction::backward_weight);
  const Tensor a = contiguous_native(x), b = last ? image_order(dy) : contiguous_native(dy),
               dw = result_memory(shape, Dtype::float32, false, into);
  for_groups(g, a, dw, b, [&](Conv2d p, float *x_at, float *w_at, float *y_at, int64_t) {
    p.y_channels_last = last;
    kernel().conv2d_backward_weight(p, x_at, y_at, w_at);
  });
  return rounded(dw, x.dtype(), into);
}

} // namespace cinta::ops
