// What a matrix product computes, by name: replay's passes let it apply the activation that follows.
#pragma once
#include "cinta/ops/matmul.h"
#include "cinta/ops/packed_weights.h"

namespace cinta::ops {

struct ProductWork { // z [M,N] = a [M,K] b [K,N] + bias [N]; in: a, b, bias or not
  bool with_bias;
  std::optional<Activation> activation; // of a native dtype; out is then activation(z), and z where it is kept
  void operator()(const Tensor *in, const Tensor *out) const;
  Sharing sharing = Sharing::unknown; // of b's packed form
  bool operator==(const ProductWork &) const = default;
};

} // namespace cinta::ops
