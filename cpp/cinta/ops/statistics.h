// What ct.Monitor reads of activations, in one pass.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

// For each unit along `axis` of x: its sum, its sum of squares, and how many of its values lie outside of (low, high);
// [3, units] in float64.
Tensor unit_statistics(const Tensor &x, int64_t axis, double low, double high);

} // namespace cinta::ops
