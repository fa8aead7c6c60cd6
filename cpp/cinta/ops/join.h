// Operations that put tensors together, apart, or around others.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

Tensor concat(const Tensors &parts, int64_t axis);
Tensor stack(const Tensors &parts, int64_t axis);
Tensors split(const Tensor &x, const std::vector<int64_t> &borders, int64_t axis); // borders between the parts
Tensor tile(const Tensor &x, const Dims &repeats);
Tensor repeat(const Tensor &x, const std::vector<int64_t> &repeats, std::optional<int64_t> axis);
// widths: before and after for every axis. mode: constant, edge, reflect, wrap
Tensor pad(const Tensor &x, const std::vector<std::pair<int64_t, int64_t>> &widths, const std::string &mode,
           double value);
Tensor roll(const Tensor &x, const Dims &shifts, const std::optional<Axes> &axes);
Tensor tril(const Tensor &x, int64_t k);
Tensor triu(const Tensor &x, int64_t k);
Tensor diag(const Tensor &x, int64_t k); // a vector becomes a matrix, of a matrix the diagonal

} // namespace cinta::ops
