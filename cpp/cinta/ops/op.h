// What every file of ops/ begins with: how an operation is written.
//
//   struct SumAttributes { Axes axes; bool keepdims; Shape x_shape; };
//   struct Sum final : OpWith<SumAttributes> {
//     using OpWith::OpWith;
//     const char *name() const override { return "sum"; }
//     void forward(const Tensor *in, int, Tensor *out) const override { ... }   // computes; never recorded
//     void vjp(Vjp &v) const override { v.dx(0, broadcast_to(...v.dy()..., x_shape)); } // in terms of ops: any order
//   };
//   Tensor sum(const Tensor &x, ...) { checks; return apply(make_op<Sum>({axes, keepdims, x.shape()}), {x}); }
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cinta/kernels/kernels.h"
#include "cinta/tape/compute.h"

namespace cinta {

// An operation with its attributes, a plain struct that it inherits.
template <class A> struct OpWith : Op, A {
  using Attributes = A;
  explicit OpWith(A attributes) : A(std::move(attributes)) {}
};
struct NoAttributes {};
template <class O> OpRef make_op(typename O::Attributes attributes) { return OpRef(new O(std::move(attributes))); }

namespace ops {

using Tensors = std::vector<Tensor>;
inline const kernels::Table &kernel() { return kernels::table(); }

// 0 for float32 (and what is computed in it), 1 for float64: the index of the floating kernels.
inline int floating_index(Dtype dtype) { return dtype == Dtype::float64 ? 1 : 0; }

// x as kernels want it: rows next to each other, in its compute type (a copy only where needed). Not recorded.
Tensor contiguous_native(const Tensor &x);
// A result that was computed in the compute type, as `dtype`. Not recorded.
Tensor from_native(const Tensor &y, Dtype dtype);

[[noreturn]] void fail_dtype(const char *op, Dtype got, const char *expected);
inline void check_floating(const Tensor &x, const char *op) {
  if (!is_floating(x.dtype()))
    fail_dtype(op, x.dtype(), "a floating dtype: convert with .astype(ct.float32)");
}

} // namespace ops
} // namespace cinta
