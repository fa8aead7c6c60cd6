// The same values in another dtype or in memory of their own.
#include "cinta/ops/elementwise.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

using kernels::Compute;

struct AstypeAttributes {
  Dtype from, to;
};
struct Astype final : OpWith<AstypeAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "astype"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = empty_like(in[0], to);
    copy(in[0], *out);
  }
  void vjp(Vjp &v) const override { v.dx(0, astype(v.dy(), from)); }
};

struct Keep final : OpWith<NoAttributes> { // a contiguous copy
  using OpWith::OpWith;
  const char *name() const override { return "clone"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = empty(in[0].shape(), in[0].dtype());
    copy(in[0], *out);
  }
  void vjp(Vjp &v) const override { v.dx(0, v.dy()); }
};

} // namespace

Tensor astype(const Tensor &x, Dtype dtype) {
  if (dtype == Dtype::bool_ && is_floating(x.dtype())) // whether it is nonzero, not its integer part
    return compare(CompareOp::NotEqual, x, number(0, x));
  return x.dtype() == dtype ? x : apply(make_op<Astype>({x.dtype(), dtype}), {x});
}

Tensor clone(const Tensor &x) { return apply(make_op<Keep>({}), {x}); }

Tensor keep_value(const Tensor &x) {
  Tensor y = empty(x.shape(), x.dtype());
  copy(x, y);
  if (x->requires_grad && x->creator) {
    y->creator = x->creator;
    y->output_index = x->output_index;
    y->requires_grad = true;
    retain(y->creator);
  }
  return y;
}

Tensor contiguous_native(const Tensor &x) {
  Dtype native = is_native(x.dtype())                      ? x.dtype()
                 : compute_type(x.dtype()) == Compute::f32 ? Dtype::float32
                                                           : Dtype::int64;
  if (x.contiguous() && x.dtype() == native)
    return x;
  Tensor y = empty(x.shape(), native);
  copy(x, y);
  return y;
}

Tensor from_native(const Tensor &y, Dtype dtype) {
  if (y.dtype() == dtype)
    return y;
  Tensor z = empty_like(y, dtype);
  copy(y, z);
  return z;
}

Tensor copy_inplace(const Tensor &self, const Tensor &source, const char *op) {
  bool recording = grad_enabled() && (self.requires_grad() || source.requires_grad());
  check_writable(self, op, recording);
  check_fresh(source, op);
  if (!(broadcast(self.shape(), source.shape(), op) == self.shape()))
    fail<ValueError>("[", op, "] the source has shape ", source.shape(), ", which does not broadcast to ",
                     self.shape());
  Tensor value = broadcast_to(astype(source, self.dtype()), self.shape());
  Tensor y = alias(self);
  copy(source->storage.get() == self->storage.get() ? keep_value(value) : value, y);
  mark_written(y);
  if (!recording) {
    self->version = y->version;
    return self;
  }
  y->storage->recorded_write = y->version;
  record(*make_op<Keep>({}), &value, 1, &y, 1);
  return y;
}

} // namespace cinta::ops
