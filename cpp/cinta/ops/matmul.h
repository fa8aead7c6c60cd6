// Products of matrices and everything that is one.
#pragma once
#include "cinta/ops/elementwise.h"
#include "cinta/ops/packed_weights.h"

namespace cinta::ops {

Tensor matmul(const Tensor &a, const Tensor &b);                          // NumPy's rules for 1-d operands and batches
Tensor linear(const Tensor &x, const Tensor &weight, const Tensor &bias); // x W^T + b, W [out,in]; bias may be empty
// What follows a product, applied while its result is near.
struct Activation {
  UnaryOp op;
  Parameters parameters = {};
  bool operator==(const Activation &) const = default;
};
// unary(activation, linear(x, weight, bias)), the same bits; in one pass over the result where nothing is recorded.
Tensor linear(const Tensor &x, const Tensor &weight, const Tensor &bias, const Activation &activation);
Tensor einsum(const std::string &equation, const Tensors &operands);
Tensor tensordot(const Tensor &a, const Tensor &b, const Axes &a_axes, const Axes &b_axes);
Tensor outer(const Tensor &a, const Tensor &b);
Tensor inner(const Tensor &a, const Tensor &b);
Tensor dot(const Tensor &a, const Tensor &b); // NumPy's
Tensor kron(const Tensor &a, const Tensor &b);

// C [M,N] = A [M,K] B [K,N] of native dtype and any strides, C's rows contiguous. Nobody but these and attention_work
// calls the gemm kernel.
// The activation of C goes to `activated` where that is given, else into C itself.
void gemm(const Tensor &a, const Tensor &b, const Tensor &c, const Tensor &bias_n = {},
          const std::optional<Activation> &activation = {}, const Tensor &activated = {},
          Sharing sharing = Sharing::unknown);
void add_gemm(const Tensor &a, const Tensor &b, const Tensor &c); // C += A B

} // namespace cinta::ops
