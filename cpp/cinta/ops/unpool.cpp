// Max unpooling: values back to where max pooling found them.
#include "cinta/ops/elementwise.h"
#include "cinta/ops/pool.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

struct UnpoolAttributes {
  Tensor at;              // int64 [planes, inputs], where in its plane each value goes
  Shape x_shape, y_shape; // the last `axes` of y_shape are a plane
  int64_t area;           // of a plane of y
};

struct UnpoolWork { // in: x, at; out: y
  int64_t area;
  template <class T> void run(const Tensor *in, const Tensor *out) const {
    const int64_t n = in[1].shape()[1];
    const int64_t *at = in[1].data<int64_t>();
    const T *x = in[0].data<T>();
    T *y = out[0].data<T>();
    std::memset(y, 0, out[0].nbytes());
    for (int64_t p = 0; p < in[1].shape()[0]; ++p, y += area)
      for (int64_t k = 0; k < n; ++k)
        y[*at++] = *x++;
  }
  void operator()(const Tensor *in, const Tensor *out) const {
    in[0].dtype() == Dtype::float64 ? run<double>(in, out) : run<float>(in, out);
  }
};
struct UnpoolVjpWork { // in: dy, at; out: dx, 0 for values that a later one with the same index overwrote
  int64_t area;
  template <class T> void run(const Tensor *in, const Tensor *out) const {
    const int64_t n = in[1].shape()[1];
    const int64_t *at = in[1].data<int64_t>();
    const T *dy = in[0].data<T>();
    T *dx = out[0].data<T>();
    std::vector<int64_t> last(static_cast<size_t>(area));
    for (int64_t p = 0; p < in[1].shape()[0]; ++p, dy += area, at += n, dx += n) {
      for (int64_t k = 0; k < n; ++k)
        last[size_t(at[k])] = k;
      for (int64_t k = 0; k < n; ++k)
        dx[k] = last[size_t(at[k])] == k ? dy[at[k]] : T(0);
    }
  }
  void operator()(const Tensor *in, const Tensor *out) const {
    in[0].dtype() == Dtype::float64 ? run<double>(in, out) : run<float>(in, out);
  }
};

Tensor unpool(const UnpoolAttributes &a, const Tensor &x);
Tensor unpool_adjoint(const UnpoolAttributes &a, const Tensor &dy);

template <class Work> Tensor run(const char *name, const UnpoolAttributes &a, const Tensor &from, const Shape &to) {
  const Tensor x = contiguous_native(from), y = empty(to, x.dtype());
  if (y.size())
    compute(name, {x, a.at}, {y}, Work{a.area});
  return from_native(y, from.dtype());
}

struct Unpool final : OpWith<UnpoolAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "max_unpool2d"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = run<UnpoolWork>(name(), *this, in[0], y_shape);
  }
  void vjp(Vjp &v) const override { v.dx(0, unpool_adjoint(*this, v.dy())); }
};
struct UnpoolAdjoint final : OpWith<UnpoolAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "max_unpool2d_backward"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = run<UnpoolVjpWork>(name(), *this, in[0], x_shape);
  }
  void vjp(Vjp &v) const override { v.dx(0, unpool(*this, v.dy())); }
};
Tensor unpool(const UnpoolAttributes &a, const Tensor &x) { return apply(make_op<Unpool>(a), {x}); }
Tensor unpool_adjoint(const UnpoolAttributes &a, const Tensor &dy) { return apply(make_op<UnpoolAdjoint>(a), {dy}); }

Tensor max_unpool(const Tensor &x, const Tensor &indices, const Dims &output_size, int axes, const char *op) {
  check_floating(x, op);
  if (x.ndim() != axes + 1 && x.ndim() != axes + 2)
    fail<ValueError>("[", op, "] input has shape ", x.shape(), ", expected ",
                     axes == 1 ? "[N,C,L] or [C,L]" : "[N,C,H,W] or [C,H,W]");
  if (!(indices.shape() == x.shape()))
    fail<ValueError>("[", op, "] indices have shape ", indices.shape(), ", expected the input's ", x.shape());
  if (is_floating(indices.dtype()) || indices.dtype() == Dtype::bool_)
    fail_dtype(op, indices.dtype(), "an integer dtype for indices");
  if (output_size.size() != axes)
    fail<ValueError>("[", op, "] output_size is ", output_size, ", expected ", axes, " number(s)");
  UnpoolAttributes a{Tensor(), x.shape(), x.shape(), 1};
  int64_t inputs = 1;
  for (int i = 0; i < axes; ++i) {
    const int axis = x.ndim() - axes + i;
    if (output_size[i] < 1)
      fail<ValueError>("[", op, "] output_size is ", output_size, ", expected at least 1");
    inputs *= x.shape()[axis];
    a.area *= a.y_shape[axis] = output_size[i];
  }
  int64_t planes = 1;
  for (int i = 0; i < x.ndim() - axes; ++i)
    planes *= x.shape()[i];
  {
    const GradMode off(false);
    a.at = reshape(contiguous(astype(indices, Dtype::int64)), {planes, inputs});
  }
  compute({op, Effect::check}, {a.at}, {}, [op, area = a.area](const Tensor *in, const Tensor *) {
    for (int64_t i = 0; i < in[0].size(); ++i)
      if (const int64_t at = in[0].data<int64_t>()[i]; at < 0 || at >= area)
        fail<IndexError>("[", op, "] index ", at, " is out of range, expected 0 to ", area - 1, " (output_size has ",
                         area, " places)");
  });
  return unpool(a, x);
}

} // namespace

Tensor max_unpool1d(const Tensor &x, const Tensor &indices, const Dims &output_size) {
  return max_unpool(x, indices, output_size, 1, "max_unpool1d");
}
Tensor max_unpool2d(const Tensor &x, const Tensor &indices, const Dims &output_size) {
  return max_unpool(x, indices, output_size, 2, "max_unpool2d");
}

} // namespace cinta::ops
