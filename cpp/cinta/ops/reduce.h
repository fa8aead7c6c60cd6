// Reductions over axes, running sums, sorting.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

using OptionalAxes = std::optional<Axes>; // none: all axes

Tensor sum(const Tensor &x, const OptionalAxes &axes = {}, bool keepdims = false);
Tensor mean(const Tensor &x, const OptionalAxes &axes = {}, bool keepdims = false);
Tensor var(const Tensor &x, const OptionalAxes &axes, double ddof, bool keepdims);
Tensor std_(const Tensor &x, const OptionalAxes &axes, double ddof, bool keepdims);
Tensor prod(const Tensor &x, const OptionalAxes &axes = {}, bool keepdims = false);
Tensor max(const Tensor &x, const OptionalAxes &axes = {}, bool keepdims = false);
Tensor min(const Tensor &x, const OptionalAxes &axes = {}, bool keepdims = false);
Tensor any(const Tensor &x, const OptionalAxes &axes = {}, bool keepdims = false);
Tensor all(const Tensor &x, const OptionalAxes &axes = {}, bool keepdims = false);
Tensor logsumexp(const Tensor &x, const OptionalAxes &axes = {}, bool keepdims = false);
Tensor argmax(const Tensor &x, std::optional<int64_t> axis, bool keepdims);
Tensor argmin(const Tensor &x, std::optional<int64_t> axis, bool keepdims);

// What statistics are computed in (half types in float32, integers in float64), and the result in x's own dtype.
Tensor widened(const Tensor &x);
Tensor narrowed(const Tensor &y, Dtype like);

Tensor cumsum(const Tensor &x, std::optional<int64_t> axis);
Tensor cumprod(const Tensor &x, std::optional<int64_t> axis);

Tensor argsort(const Tensor &x, int64_t axis, bool descending); // stable, NaN last
Tensor sort(const Tensor &x, int64_t axis, bool descending);
Tensors topk(const Tensor &x, int64_t k, int64_t axis, bool largest); // values, indices

} // namespace cinta::ops
