#include "cinta/ops/elementwise.h"

#include <array>
#include <utility>

#include "cinta/ops/elementwise_rules.h"
#include "cinta/ops/elementwise_work.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

using kernels::Compute;

// ---- one operand

void run(UnaryOp op, const Tensor &x, const Tensor &y, const Parameters &parameters) {
  compute(rule(op).name, Operands(&x, 1), Operands(&y, 1), UnaryWork{op, parameters});
}

Tensor run_vjp(UnaryOp op, const Tensor &saved_x, const Tensor &saved_y, const Tensor &dy,
               const Parameters &parameters) {
  const Tensor &like = saved_y ? saved_y : saved_x ? saved_x : dy; // dy may be part of a larger gradient
  Tensor dx = empty_like(like, dy.dtype());
  const Tensor in[3] = {saved_x ? saved_x : dy, saved_y ? saved_y : dy, dy}; // what is not saved is not read
  compute(rule(op).name, Operands(in, 3), Operands(&dx, 1), UnaryVjpWork{op, parameters});
  return dx;
}

struct UnaryAttributes {
  UnaryOp op;
  Parameters parameters = {};
};
struct Unary final : OpWith<UnaryAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return rule(op).name; }
  uint32_t saves() const override { return rule(op).saves; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = empty_like(in[0]);
    run(op, in[0], *out, parameters);
  }
  void vjp(Vjp &v) const override {
    Tensor none;
    const Tensor &x = saves() & saves::input(0) ? v.in(0) : none, &y = saves() & saves::output() ? v.out() : none;
    v.dx(0, grad_enabled() ? recorded_vjp(op, x, y, v.dy(), parameters) : run_vjp(op, x, y, v.dy(), parameters));
  }
};

// ---- two operands of one shape and dtype

void run(BinaryOp op, const Tensor *ab, const Tensor &y) {
  compute(rule(op).name, Operands(ab, 2), Operands(&y, 1), BinaryWork{op});
}

Tensor run_vjp(BinaryOp op, int which, const Tensor &saved_a, const Tensor &saved_b, const Tensor &saved_y,
               const Tensor &dy) {
  Tensor d = empty_like(dy);
  const Tensor &a = saved_a ? saved_a : dy, &b = saved_b ? saved_b : dy, &y = saved_y ? saved_y : dy;
  const auto fitted = [&](const Tensor &t) { return t.ndim() ? broadcast_to(t, dy.shape()) : t; };
  const Tensor in[4] = {fitted(a), fitted(b), y, dy};
  compute(rule(op).name, Operands(in, 4), Operands(&d, 1), BinaryVjpWork{op, which});
  return d;
}

struct BinaryAttributes {
  BinaryOp op;
};
struct Binary final : OpWith<BinaryAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return rule(op).name; }
  uint32_t saves() const override { return rule(op).saves; }
  void forward(const Tensor *in, int, Tensor *out) const override { // a constant may be 0-d beside a tensor
    *out = empty_like(in[0].ndim() < in[1].ndim() ? in[1] : in[0]);
    run(op, in, *out);
  }
  void vjp(Vjp &v) const override {
    Tensor none;
    const uint32_t *of = rule(op).saves_of;
    const uint32_t s = (v.needs(0) ? of[0] : 0) | (v.needs(1) ? of[1] : 0);
    const Tensor &a = s & saves::input(0) ? v.in(0) : none, &b = s & saves::input(1) ? v.in(1) : none;
    const Tensor &y = s & saves::output() ? v.out() : none;
    for (int which : {0, 1})
      if (v.needs(which))
        v.dx(which, gradient(which, a, b, y, v.dy()));
  }
  Tensor gradient(int which, const Tensor &a, const Tensor &b, const Tensor &y, const Tensor &dy) const {
    if (op == BinaryOp::Add || (op == BinaryOp::Sub && which == 0))
      return dy; // no work and no copy
    return grad_enabled() ? recorded_vjp(op, which, a, b, y, dy) : run_vjp(op, which, a, b, y, dy);
  }
};

// One immortal object per op: recording allocates nothing.
template <class O, class Names, size_t... I> auto make_all(std::index_sequence<I...>) {
  return std::array<OpRef, sizeof...(I)>{OpRef(new O(typename O::Attributes{Names(I)}))...};
}
const OpRef &object(UnaryOp op) {
  static const auto &all = *new auto(make_all<Unary, UnaryOp>(std::make_index_sequence<size_t(UnaryOp::count)>()));
  return all[size_t(op)];
}
const OpRef &object(BinaryOp op) {
  static const auto &all = *new auto(make_all<Binary, BinaryOp>(std::make_index_sequence<size_t(BinaryOp::count)>()));
  return all[size_t(op)];
}

[[gnu::cold]] void fail_no_kernel(const char *name, Dtype dtype) {
  fail_dtype(name, dtype,
             is_floating(dtype) ? "an integer or boolean dtype: convert with .astype(ct.int64)"
                                : "a floating or integer dtype: convert with .astype(ct.float32)");
}

Dtype binary_dtype(BinaryOp op, Dtype a, Dtype b) {
  Dtype dtype = promote(a, b);
  bool has_integer = kernel().binary[int(op)][int(Compute::i64)];
  if (!has_integer)
    dtype = op == BinaryOp::Div && !is_floating(dtype) ? Dtype::float64 : to_floating(dtype);
  if (dtype == Dtype::bool_ && op == BinaryOp::Sub)
    fail_dtype(name_of(op), dtype, "a number dtype: use ct.logical_xor for booleans");
  if (dtype == Dtype::bool_ && (op == BinaryOp::Pow || op == BinaryOp::FloorDivide || op == BinaryOp::Remainder ||
                                op == BinaryOp::Fmod || op == BinaryOp::LeftShift || op == BinaryOp::RightShift))
    dtype = Dtype::int8; // NumPy's choice
  if (!kernel().binary[int(op)][int(compute_type(dtype))])
    fail_no_kernel(name_of(op), dtype);
  return dtype;
}

// What the tape adds gradients with.
[[maybe_unused]] const bool installed = (
    add_gradients = [](const Tensor &a, const Tensor &b) { return add(a, b); }, true);

} // namespace

const char *name_of(UnaryOp op) { return rule(op).name; }
const char *name_of(BinaryOp op) { return rule(op).name; }
const char *name_of(CompareOp op) { return rule(op).name; }

void fail_dtype(const char *op, Dtype got, const char *expected) {
  fail<TypeError>("[", op, "] dtype ", got, " is not supported, expected ", expected);
}

Tensor unary(UnaryOp op, const Tensor &x, const Parameters &parameters) {
  if (is_stale(x)) [[unlikely]]
    fail_stale(x, name_of(op));
  if (!is_floating(x.dtype())) {
    if (op == UnaryOp::Floor || op == UnaryOp::Ceil || op == UnaryOp::Round || op == UnaryOp::Trunc)
      return keep_value(x); // integers are whole already
    if (x.dtype() == Dtype::bool_ && op == UnaryOp::Invert)
      return logical_not(x);
    if (x.dtype() == Dtype::bool_ && (op == UnaryOp::Neg || op == UnaryOp::Sign))
      fail_dtype(name_of(op), x.dtype(), "a number dtype: use ct.logical_not or astype");
  }
  if (!kernel().unary[int(op)][int(compute_type(x.dtype()))]) {
    if (is_floating(x.dtype()))
      fail_no_kernel(name_of(op), x.dtype());
    return unary(op, astype(x, to_floating(x.dtype())), parameters);
  }
  Tensor y = empty_like(x);
  run(op, x, y, parameters);
  if (parameters.value[0] == 0 && parameters.value[1] == 0)
    record(*object(op), &x, 1, &y, 1);
  else if (grad_enabled() && x.requires_grad())
    record(*make_op<Unary>({op, parameters}), &x, 1, &y, 1);
  return y;
}

namespace {

// A constant beside a tensor is read as it is, without being spread over the tensor's shape.
bool is_constant(const Tensor &t) { return t.ndim() == 0 && !t.requires_grad(); }

} // namespace

Tensor binary(BinaryOp op, const Tensor &a, const Tensor &b) {
  const bool same = a.shape() == b.shape();
  if (a.dtype() == b.dtype() && is_simple(a) && is_simple(b) && (same || is_constant(a) || is_constant(b))) {
    if (kernels::Binary f = kernel().binary[int(op)][int(compute_type(a.dtype()))]) { // the hot path
      if (is_stale(a) || is_stale(b)) [[unlikely]]
        fail_stale(is_stale(a) ? a : b, name_of(op));
      const bool a_whole = same || !is_constant(a);
      Tensor y = empty_like(a_whole ? a : b);
      if (recorder()) [[unlikely]]
        compute(name_of(op), {a, b}, {y}, BinaryWork{op});
      else
        f(y.size(), a.data(), a_whole, b.data(), same || !is_constant(b), y.data());
      if (a.requires_grad() || b.requires_grad()) {
        const Tensor in[2] = {a, b};
        record(*object(op), in, 2, &y, 1);
      }
      return y;
    }
  }
  Dtype dtype = binary_dtype(op, a.dtype(), b.dtype());
  Shape shape = broadcast(a.shape(), b.shape(), name_of(op));
  const Tensor in[2] = {broadcast_to(astype(a, dtype), shape), broadcast_to(astype(b, dtype), shape)};
  check_fresh(in[0], name_of(op));
  check_fresh(in[1], name_of(op));
  // in the order in memory of the operand that has the result's shape
  Tensor y = a.shape() == shape   ? empty_like(a, dtype)
             : b.shape() == shape ? empty_like(b, dtype)
                                  : empty(shape, dtype);
  run(op, in, y);
  record(*object(op), in, 2, &y, 1);
  return y;
}

Tensor binary_inplace(BinaryOp op, const Tensor &self, const Tensor &other) {
  const char *name = name_of(op);
  bool recording = grad_enabled() && (self.requires_grad() || other.requires_grad());
  check_writable(self, name, recording);
  check_fresh(other, name);
  Dtype dtype = binary_dtype(op, self.dtype(), other.dtype());
  auto kind = [](Dtype d) { return is_floating(d) ? 2 : d == Dtype::bool_ ? 0 : 1; };
  if (kind(dtype) > kind(self.dtype()))
    fail<TypeError>("[", name, "] the result has dtype ", dtype, ", which cannot be written into the ", self.dtype(),
                    " operand on the left: convert it with .astype(ct.", dtype, ") first");
  if (!(broadcast(self.shape(), other.shape(), name) == self.shape()))
    fail<ValueError>("[", name, "] the operand on the right has shape ", other.shape(),
                     ", which does not broadcast to ", self.shape(), " of the operand written in place");
  // What the gradient will read, or what this write would change under itself, is kept in a copy.
  const uint32_t *of = rule(op).saves_of;
  const uint32_t saves = !recording ? 0 : (self.requires_grad() ? of[0] : 0) | (other.requires_grad() ? of[1] : 0);
  const bool shared = other->storage.get() == self->storage.get(), same = other.body() == self.body();
  const bool copy_other = shared && (!same || (saves & saves::input(1)));
  const Tensor in[2] = {saves & saves::input(0) ? keep_value(self) : self,
                        broadcast_to(astype(copy_other ? keep_value(other) : other, self.dtype()), self.shape())};
  Tensor y = alias(self);
  run(op, in, y);
  mark_written(y);
  if (!recording) {
    self->version = y->version;
    return self;
  }
  y->storage->recorded_write = y->version; // self's old value is stale from here on
  record(*object(op), in, 2, &y, 1);
  return y;
}

// ---- by name

Tensor number(double value, const Tensor &like) { return scalar(value, like.dtype()); }

namespace {
// Ops with constants keep integers as they are where the formula is for floats only.
Tensor as_floating(const Tensor &x) { return is_floating(x.dtype()) ? x : astype(x, to_floating(x.dtype())); }
} // namespace

Tensor relu(const Tensor &x) { return unary(UnaryOp::Relu, x); }
Tensor gelu(const Tensor &x, bool tanh_form) { return unary(tanh_form ? UnaryOp::GeluTanh : UnaryOp::Gelu, x); }
Tensor leaky_relu(const Tensor &x, double slope) { return unary(UnaryOp::LeakyRelu, as_floating(x), {{slope, 0}}); }
Tensor elu(const Tensor &x, double alpha) { return unary(UnaryOp::Elu, as_floating(x), {{alpha, 0}}); }
Tensor softplus(const Tensor &x, double beta, double threshold) {
  if (!(beta > 0))
    fail<ValueError>("[softplus] beta is ", beta, ", expected above 0");
  return unary(UnaryOp::Softplus, as_floating(x), {{beta, threshold}});
}

Tensor clip(const Tensor &x, std::optional<double> low, std::optional<double> high) {
  const double infinity = __builtin_inf();
  if (is_floating(x.dtype()))
    return unary(UnaryOp::Clip, x, {{low.value_or(-infinity), high.value_or(infinity)}});
  if (x.dtype() == Dtype::bool_)
    fail_dtype("clip", x.dtype(), "a number dtype: convert with .astype(ct.int8)");
  Tensor y = x;
  if (low)
    y = maximum(y, number(*low, y));
  return high ? minimum(y, number(*high, y)) : y;
}

Tensor logaddexp(const Tensor &given_a, const Tensor &given_b) {
  const Dtype dtype = to_floating(promote(given_a.dtype(), given_b.dtype()));
  const Tensor a = astype(given_a, dtype), b = astype(given_b, dtype);
  const Tensor order = greater_equal(detach(a), detach(b));
  const Tensor top = where(order, a, b), gap = subtract(where(order, b, a), top);
  const Tensor both_infinite = logical("logical_and", equal(detach(a), detach(b)), isinf(detach(a)));
  return add(top, log1p(exp(where(both_infinite, number(0, gap), gap))));
}

} // namespace cinta::ops
