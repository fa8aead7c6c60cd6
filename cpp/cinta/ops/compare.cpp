// Comparisons, truth, and choosing by it.
#include "cinta/ops/elementwise_work.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

struct Where final : OpWith<NoAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "where"; }
  uint32_t saves() const override { return saves::input(0); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = empty_like(in[1]);
    compute("where", Operands(in, 3), Operands(out, 1), SelectWork{});
  }
  void vjp(Vjp &v) const override {
    Tensor zero = number(0, v.dy());
    if (v.needs(1))
      v.dx(1, where(v.in(0), v.dy(), zero));
    if (v.needs(2))
      v.dx(2, where(v.in(0), zero, v.dy()));
  }
};

} // namespace

Tensor compare(CompareOp op, const Tensor &a, const Tensor &b) {
  check_fresh(a, name_of(op));
  check_fresh(b, name_of(op));
  GradMode off(false);
  Dtype dtype = promote(a.dtype(), b.dtype());
  Shape shape = broadcast(a.shape(), b.shape(), name_of(op));
  Tensor x = broadcast_to(astype(a, dtype), shape), z = broadcast_to(astype(b, dtype), shape);
  Tensor y = empty(shape, Dtype::bool_);
  compute(name_of(op), {x, z}, {y}, CompareWork{op});
  return y;
}

Tensor where(const Tensor &condition, const Tensor &a, const Tensor &b) {
  Dtype dtype = promote(a.dtype(), b.dtype());
  Shape shape = broadcast(broadcast(a.shape(), b.shape(), "where"), condition.shape(), "where");
  Tensor mask =
      condition.dtype() == Dtype::bool_ ? condition : compare(CompareOp::NotEqual, condition, number(0, condition));
  return apply(make_op<Where>({}), {broadcast_to(mask, shape), broadcast_to(astype(a, dtype), shape),
                                    broadcast_to(astype(b, dtype), shape)});
}

Tensor logical_not(const Tensor &x) { return compare(CompareOp::Equal, x, number(0, x)); }

Tensor logical(const char *name, const Tensor &a, const Tensor &b) {
  auto truth = [](const Tensor &t) {
    return t.dtype() == Dtype::bool_ ? detach(t) : compare(CompareOp::NotEqual, t, number(0, t));
  };
  const std::string n = name;
  return n == "logical_and"  ? bitwise_and(truth(a), truth(b))
         : n == "logical_or" ? bitwise_or(truth(a), truth(b))
                             : bitwise_xor(truth(a), truth(b));
}

Tensor isnan(const Tensor &x) { return compare(CompareOp::NotEqual, x, x); }
Tensor isinf(const Tensor &x) {
  if (!is_floating(x.dtype()))
    return zeros(x.shape(), Dtype::bool_);
  Tensor z = detach(x);
  return equal(abs(z), number(__builtin_inf(), z));
}
Tensor isfinite(const Tensor &x) {
  if (!is_floating(x.dtype()))
    return full(x.shape(), 1, Dtype::bool_);
  Tensor z = detach(x);
  return less(abs(z), number(__builtin_inf(), z));
}

// top + log(1 + e^(low - top)). Top and low are selected, not computed: so every derivative is right where a = b, too.

} // namespace cinta::ops
