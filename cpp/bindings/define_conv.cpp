// Convolution, its transpose, unfolding. Spatial arguments are one number, or one per axis.
#include "bindings/function.h"
#include "cinta/ops/conv.h"
#include "cinta/ops/locally_connected.h"
#include "cinta/ops/sparse_conv.h"
#include "cinta/ops/unfold.h"

namespace cinta::python {
namespace {

using Maybe = std::optional<Tensor>;

ops::Padding padding_of(PyObject *o, const char *op) {
  if (!PyUnicode_Check(o))
    return {"", From<Dims>::get(o, op)};
  std::string mode = From<std::string>::get(o, op);
  if (mode != "same" && mode != "valid")
    fail<ValueError>("[", op, "] padding is '", mode, "', expected 'same', 'valid', a number, or one number per axis");
  return {mode, {}};
}

template <auto f, auto g> constexpr bool same =
    std::is_same_v<std::integral_constant<decltype(f), f>, std::integral_constant<decltype(g), g>>;
template <auto conv> constexpr const char *name_of_conv() {
  return same<conv, ops::conv1d>                ? "conv1d"
         : same<conv, ops::conv2d>              ? "conv2d"
         : same<conv, ops::locally_connected1d> ? "locally_connected1d"
                                                : "locally_connected2d";
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
  define<convolution<ops::locally_connected1d>>(
      "locally_connected1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)",
      "As conv1d, with another kernel at every place of the result [N,O,L']: weight [L',O,K,C/groups], bias [O,L'].");
  define<convolution<ops::locally_connected2d>>(
      "locally_connected2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)",
      "y[n,o,i,j] = bias[o,i,j] + sum_{c,k,l} weight[i,j,o,k,l,c] x[n,c,i stride + k dilation - padding, ...].\n\n"
      "As conv2d, with another kernel at every place of the result: x [N,C,H,W], weight [H',W',O,KH,KW,C/groups], "
      "bias [O,H',W'], y [N,O,H',W'].");
  define<ops::unfold>("unfold(x, kernel_size, dilation=1, padding=0, stride=1)",
                      "The windows of x [N,C,H,W] as columns (im2col): [N, C KH KW, number of windows].");
  define<ops::fold>(
      "fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1)",
      "Columns [N, C KH KW, number of windows] summed into images [N,C,H,W] (col2im), the adjoint of unfold.");
}

} // namespace cinta::python
