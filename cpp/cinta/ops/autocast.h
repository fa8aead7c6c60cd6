// Automatic mixed precision: inside a scope the operations that are products take their floating arguments in a half
// dtype, and those that sum or exponentiate take theirs in float32. Gradient rules are not touched: what they
// differentiate is the conversion, too, so gradients arrive at float32 leaves in float32.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

enum class Autocast : uint8_t { none, half, wide };
Autocast autocast_policy(const std::string &op); // what the operation of this name does inside a scope

// Of this thread: the half dtype of the scope it is in, or none. Returns what was set before.
std::optional<Dtype> autocast_dtype();
std::optional<Dtype> set_autocast(std::optional<Dtype> dtype);

// x as an operation of this policy takes it; float64 and what is not floating stay as they are.
Tensor autocast(Autocast policy, const Tensor &x);

} // namespace cinta::ops
