#include "cinta/ops/autocast.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "cinta/ops/elementwise.h"

namespace cinta::ops {
namespace {

constexpr std::string_view kHalf[] = {"matmul",
                                      "linear",
                                      "einsum",
                                      "tensordot",
                                      "inner",
                                      "dot",
                                      "conv1d",
                                      "conv2d",
                                      "conv_transpose1d",
                                      "conv_transpose2d",
                                      "rnn",
                                      "gru",
                                      "lstm",
                                      "scaled_dot_product_attention",
                                      "locally_connected1d",
                                      "locally_connected2d",
                                      "sparse_conv2d"};
constexpr std::string_view kWide[] = {"exp",
                                      "exp2",
                                      "expm1",
                                      "log",
                                      "log2",
                                      "log10",
                                      "log1p",
                                      "rsqrt",
                                      "reciprocal",
                                      "sinh",
                                      "cosh",
                                      "tan",
                                      "asin",
                                      "acos",
                                      "softplus",
                                      "softmax",
                                      "logsumexp",
                                      "log_softmax",
                                      "sum",
                                      "mean",
                                      "prod",
                                      "var",
                                      "std",
                                      "cumsum",
                                      "cumprod",
                                      "layer_norm",
                                      "nll_loss",
                                      "group_norm",
                                      "local_response_norm",
                                      "cross_entropy",
                                      "ctc_loss",
                                      "mse_loss",
                                      "l1_loss",
                                      "kl_div",
                                      "huber_loss",
                                      "hinge_loss",
                                      "smooth_l1_loss",
                                      "binary_cross_entropy",
                                      "binary_cross_entropy_with_logits"};

thread_local std::optional<Dtype> current;

bool in(const std::string &name, const std::string_view *first, const std::string_view *last) {
  return std::find(first, last, name) != last;
}

} // namespace

Autocast autocast_policy(const std::string &op) {
  return in(op, std::begin(kHalf), std::end(kHalf))   ? Autocast::half
         : in(op, std::begin(kWide), std::end(kWide)) ? Autocast::wide
                                                      : Autocast::none;
}

std::optional<Dtype> autocast_dtype() { return current; }

std::optional<Dtype> set_autocast(std::optional<Dtype> dtype) {
  if (dtype && *dtype != Dtype::bfloat16 && *dtype != Dtype::float16)
    fail<ValueError>("[autocast] dtype is ", *dtype, ", expected ct.bfloat16 or ct.float16");
  return std::exchange(current, dtype);
}

Tensor autocast(Autocast policy, const Tensor &x) {
  if (!current || policy == Autocast::none || !x || !is_floating(x.dtype()) || x.dtype() == Dtype::float64)
    return x;
  return astype(x, policy == Autocast::half ? *current : Dtype::float32);
}

} // namespace cinta::ops
