// Convolution, its transpose, unfolding, pooling. Spatial arguments are one number, or one per axis.
#include "bindings/function.h"
#include "cinta/ops/conv.h"
#include "cinta/ops/pool.h"
#include "cinta/ops/sparse_conv.h"
#include "cinta/ops/unfold.h"

namespace cinta::python {
namespace {

using Maybe = std::optional<Tensor>;
using MaybeSize = std::optional<Dims>;
using MaybeInt = std::optional<int64_t>;

ops::Padding padding_of(PyObject *o, const char *op) {
  if (!PyUnicode_Check(o))
    return {"", From<Dims>::get(o, op)};
  std::string mode = From<std::string>::get(o, op);
  if (mode != "same" && mode != "valid")
    fail<ValueError>("[", op, "] padding is '", mode, "', expected 'same', 'valid', a number, or one number per axis");
  return {mode, {}};
}

template <auto conv> constexpr const char *name_of_conv() {
  if constexpr (std::is_same_v<std::integral_constant<decltype(conv), conv>,
                               std::integral_constant<decltype(conv), ops::conv1d>>)
    return "conv1d";
  else
    return "conv2d";
}

template <auto conv> Tensor convolution(const Tensor &x, const Tensor &weight, const Maybe &bias, const Dims &stride,
                                        PyObject *padding, const Dims &dilation, int64_t groups) {
  return conv(x, weight, bias.value_or(Tensor()), stride, padding_of(padding, name_of_conv<conv>()), dilation, groups);
}

template <auto conv> Tensor transposed(const Tensor &x, const Tensor &weight, const Maybe &bias, const Dims &stride,
                                       const Dims &padding, const Dims &output_padding, int64_t groups,
                                       const Dims &dilation) {
  return conv(x, weight, bias.value_or(Tensor()), stride, padding, output_padding, groups, dilation);
}

template <auto pool> PyObject *max_pool(const Tensor &x, const Dims &kernel_size, const MaybeSize &stride,
                                        const Dims &padding, const Dims &dilation, bool ceil_mode,
                                        bool return_indices) {
  ops::Values y = pool(x, kernel_size, stride.value_or(Dims()), padding, dilation, ceil_mode, return_indices);
  return return_indices ? to_python(y) : to_python(y.first);
}

template <auto pool> Tensor avg_pool(const Tensor &x, const Dims &kernel_size, const MaybeSize &stride,
                                     const Dims &padding, bool ceil_mode, bool count_include_pad,
                                     const MaybeInt &divisor_override) {
  return pool(x, kernel_size, stride.value_or(Dims()), padding, ceil_mode, count_include_pad, divisor_override);
}

} // namespace

void define_conv() {
  define<convolution<ops::conv1d>>(
      "conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)",
      "Cross-correlation of x [N,C,L] with weight [O,C/groups,K]; padding is a number, 'same' or 'valid'.");
  define<convolution<ops::conv2d>>(
      "conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)",
      "y[n,o,i,j] = bias[o] + sum_{c,k,l} weight[o,c,k,l] x[n,c,i stride + k dilation - padding, ...].\n\n"
      "x [N,C,H,W], weight [O,C/groups,KH,KW], bias [O]; padding is a number, a pair, 'same' (ceil(size / stride) "
      "outputs) or 'valid'.");
  define<[](const Tensor &x, const Tensor &weight, const Tensor &connections, const Maybe &bias, const Dims &stride,
            PyObject *padding, const Dims &dilation) {
    return ops::sparse_conv2d(x, weight, connections, bias.value_or(Tensor()), stride,
                              padding_of(padding, "sparse_conv2d"), dilation);
  }>("sparse_conv2d(x, weight, connections, bias=None, stride=1, padding=0, dilation=1)",
     "Cross-correlation of images where an output channel sees the input channels that a table says.\n\n"
     "y[n,o,i,j] = bias[o] + sum_{p: o(p) = o} sum_{k,l} weight[p,0,k,l] x[n,c(p),i stride + k dilation - padding, "
     "...]; (o(p), c(p)): place p where connections [O,C] of bool is true, row by row.\n\n"
     "x [N,C,H,W], weight [P,1,KH,KW], bias [O]. At stride 1, in float32, work is done for what is connected only, "
     "unless the whole convolution is quicker.");
  define<transposed<ops::conv_transpose1d>>(
      "conv_transpose1d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)",
      "The gradient of conv1d by its input, as an operation: x [N,C,L], weight [C,O/groups,K].");
  define<transposed<ops::conv_transpose2d>>(
      "conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)",
      "The gradient of conv2d by its input, as an operation: x [N,C,H,W], weight [C,O/groups,KH,KW].");
  define<ops::unfold>("unfold(x, kernel_size, dilation=1, padding=0, stride=1)",
                      "The windows of x [N,C,H,W] as columns (im2col): [N, C KH KW, number of windows].");
  define<ops::fold>(
      "fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1)",
      "Columns [N, C KH KW, number of windows] summed into images [N,C,H,W] (col2im), the adjoint of unfold.");
  define<max_pool<ops::max_pool1d>>(
      "max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)",
      "The largest value of every window of x [N,C,L]; stride is the window's size by default.");
  define<max_pool<ops::max_pool2d>>(
      "max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)",
      "The largest value of every window of x [N,C,H,W]; stride is the window's size by default.");
  define<avg_pool<ops::avg_pool1d>>("avg_pool1d(x, kernel_size, stride=None, padding=0, ceil_mode=False, "
                                    "count_include_pad=True, divisor_override=None)",
                                    "The mean of every window of x [N,C,L]; stride is the window's size by default.");
  define<avg_pool<ops::avg_pool2d>>("avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, "
                                    "count_include_pad=True, divisor_override=None)",
                                    "The mean of every window of x [N,C,H,W]; stride is the window's size by default.");
  define<ops::adaptive_avg_pool1d>("adaptive_avg_pool1d(x, output_size)",
                                   "Means over output_size windows that cover x [N,C,L] evenly.");
  define<ops::adaptive_avg_pool2d>("adaptive_avg_pool2d(x, output_size)",
                                   "Means over output_size windows that cover x [N,C,H,W] evenly.");
  define<[](const Tensor &x, const Dims &output_size, bool return_indices) -> PyObject * {
    ops::Values y = ops::adaptive_max_pool2d(x, output_size, return_indices);
    return return_indices ? to_python(y) : to_python(y.first);
  }>("adaptive_max_pool2d(x, output_size, return_indices=False)",
     "The largest values of output_size windows that cover x [N,C,H,W] evenly.");
}

} // namespace cinta::python
