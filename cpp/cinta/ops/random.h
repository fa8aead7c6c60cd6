// Random tensors, and dropout.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

Tensor random_uniform(const Shape &shape, double low, double high, Dtype dtype);
Tensor random_normal(const Shape &shape, double mean, double std, Dtype dtype);
Tensor random_integers(const Shape &shape, int64_t low, int64_t high); // in [low, high), int64
Tensor random_permutation(int64_t n);
Tensor random_bernoulli(const Shape &shape, double p); // bool
Tensor dropout(const Tensor &x, double p, bool training);

} // namespace cinta::ops
