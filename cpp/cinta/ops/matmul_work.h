// What a matrix product computes, by name: replay's passes let it apply the activation that follows.
#pragma once
#include "cinta/ops/matmul.h"

namespace cinta::ops {

struct ProductWork { // z [M,N] = a [M,K] b [K,N] + bias [N]; in: a, b, bias or not
  bool with_bias;
  std::optional<Activation> activation; // of a native dtype; out is then activation(z), and z where it is kept
  void operator()(const Tensor *in, const Tensor *out) const;
  bool operator==(const ProductWork &) const = default;
};

} // namespace cinta::ops
