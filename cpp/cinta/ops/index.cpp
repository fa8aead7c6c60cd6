#include "cinta/ops/index.h"

#include <cstring>

#include "cinta/base/parallel.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/row_sparse.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

// Indices as int64 within [0, size), negative ones counted from the end.
Tensor checked(const Tensor &indices, int64_t size, int axis, const char *op) {
  if (!is_integer(indices.dtype()))
    fail<TypeError>("[", op, "] indices have dtype ", indices.dtype(), ", expected an integer dtype");
  Tensor z = empty(indices.shape(), Dtype::int64);
  copy(indices, z);
  compute({op, Effect::check}, {z}, {z}, [op, size, axis](const Tensor *, const Tensor *out) {
    int64_t *i = out[0].data<int64_t>();
    for (int64_t k = 0; k < out[0].size(); ++k) {
      if (i[k] < -size || i[k] >= size)
        fail<IndexError>("[", op, "] index ", i[k], " is out of range for axis ", axis, " of size ", size,
                         ", expected ", -size, " to ", size - 1);
      if (i[k] < 0)
        i[k] += size;
    }
  });
  return z;
}

struct Layout { // x[outer, size, inner]
  int64_t outer = 1, size, inner = 1;
};
Layout layout(const Shape &shape, int axis) {
  Layout l;
  l.size = shape[axis];
  for (int i = 0; i < axis; ++i)
    l.outer *= shape[i];
  for (int i = axis + 1; i < shape.size(); ++i)
    l.inner *= shape[i];
  return l;
}

// y[i] += x[i] over native elements
void accumulate(Dtype dtype, int64_t n, const void *x, void *y) {
  kernel().accumulate[int(compute_type(dtype))](n, x, y);
}

struct TakeWork { // y[o,k,..] = x[o,index[k],..]; in: x, indices
  Layout l;
  void operator()(const Tensor *in, const Tensor *out) const {
    const int64_t n = in[1].size(), *index = in[1].data<int64_t>();
    const size_t row = size_t(l.inner) * itemsize(in[0].dtype());
    for (int64_t o = 0; o < l.outer && row; ++o)
      for (int64_t k = 0; k < n; ++k)
        std::memcpy(out[0].data<char>() + size_t(o * n + k) * row,
                    in[0].data<char>() + size_t(o * l.size + index[k]) * row, row);
  }
};
struct TakeVjpWork { // dx[o,index[k],..] += dy[o,k,..] from zeros; in: dy, indices
  Layout l;
  void operator()(const Tensor *in, const Tensor *out) const {
    const Tensor &dy = in[0], &dx = out[0];
    std::memset(dx.data(), 0, dx.nbytes());
    const int64_t n = in[1].size(), *index = in[1].data<int64_t>();
    const size_t row = size_t(l.inner) * itemsize(dy.dtype());
    for (int64_t o = 0; o < l.outer; ++o)
      for (int64_t k = 0; k < n; ++k)
        accumulate(dy.dtype(), l.inner, dy.data<char>() + size_t(o * n + k) * row,
                   dx.data<char>() + size_t(o * l.size + index[k]) * row);
  }
};

struct TakeAttributes {
  Tensor indices; // int64, checked
  int axis;
  Shape x_shape;
};
struct TakeAdjoint final : OpWith<TakeAttributes> { // zeros of x_shape, plus dy's slices at their indices
  using OpWith::OpWith;
  const char *name() const override { return "index_add"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor dy = contiguous_native(in[0]), dx = empty(x_shape, dy.dtype());
    compute(name(), {dy, indices}, {dx}, TakeVjpWork{layout(x_shape, axis)});
    *out = from_native(dx, in[0].dtype());
  }
  void vjp(Vjp &v) const override { v.dx(0, take(v.dy(), indices, axis)); }
};
struct Take final : OpWith<TakeAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "take"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Shape shape;
    for (int i = 0; i < axis; ++i)
      shape.push_back(x_shape[i]);
    for (int64_t s : indices.shape())
      shape.push_back(s);
    for (int i = axis + 1; i < x_shape.size(); ++i)
      shape.push_back(x_shape[i]);
    Tensor x = contiguous(in[0]), y = empty(shape, x.dtype());
    compute(name(), {x, indices}, {y}, TakeWork{layout(x_shape, axis)});
    *out = y;
  }
  void vjp(Vjp &v) const override { v.dx(0, apply(make_op<TakeAdjoint>(*this), {v.dy()})); }
};

struct EmbeddingAttributes : TakeAttributes {
  int64_t padding; // the row that gets no gradient, or -1
};
struct SparseEmbedding final : OpWith<EmbeddingAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "embedding"; }
  void forward(const Tensor *in, int inputs, Tensor *out) const override { Take(*this).forward(in, inputs, out); }
  void vjp(Vjp &v) const override {
    if (v.takes_rows(0))
      return v.dx_rows(0, sum_rows(indices, v.dy(), padding));
    Tensor dy = v.dy();
    if (padding >= 0)
      dy = where(expand_dims(equal(indices, number(double(padding), indices)), {-1}), number(0, dy), dy);
    v.dx(0, apply(make_op<TakeAdjoint>(*this), {dy}));
  }
};
int64_t padding_row(int64_t padding_idx, int64_t rows) {
  if (padding_idx < -rows || padding_idx >= rows)
    fail<IndexError>("[embedding] padding_idx is ", padding_idx, ", expected one of ", rows, " rows: ", -rows, " to ",
                     rows - 1);
  return padding_idx < 0 ? padding_idx + rows : padding_idx;
}

// Elements x[.., index[i,k,j], ..] at i, k, j: the offsets into x's rows
template <class F> void for_each_along(const Tensor &indices, const Layout &l, F f) {
  const int64_t *index = indices.data<int64_t>();
  const int64_t slices = l.outer * l.inner, n = slices ? indices.size() / slices : 0; // along the axis
  for (int64_t o = 0, at = 0; o < l.outer; ++o)
    for (int64_t k = 0; k < n; ++k)
      for (int64_t j = 0; j < l.inner; ++j, ++at)
        f(at, (o * l.size + index[at]) * l.inner + j);
}
template <class F> void with_native(Dtype dtype, F f) {
  switch (compute_type(dtype)) {
  case kernels::Compute::f32:
    return f(float());
  case kernels::Compute::f64:
    return f(double());
  case kernels::Compute::i64:
    return f(int64_t());
  case kernels::Compute::u64:
    return f(uint64_t());
  }
}

struct AlongWork { // y = x[.., index, ..]; in: x, indices
  Layout l;
  void operator()(const Tensor *in, const Tensor *out) const {
    with_native(in[0].dtype(), [&](auto t) {
      using T = decltype(t);
      const T *from = in[0].data<T>();
      T *to = out[0].data<T>();
      for_each_along(in[1], l, [&](int64_t at, int64_t x_at) { to[at] = from[x_at]; });
    });
  }
};
struct AlongVjpWork { // dx[.., index, ..] += dy from zeros; in: dy, indices
  Layout l;
  void operator()(const Tensor *in, const Tensor *out) const {
    std::memset(out[0].data(), 0, out[0].nbytes());
    with_native(in[0].dtype(), [&](auto t) {
      using T = decltype(t);
      const T *from = in[0].data<T>();
      T *to = out[0].data<T>();
      for_each_along(in[1], l, [&](int64_t at, int64_t x_at) { to[x_at] += from[at]; });
    });
  }
};

struct AlongAdjoint final : OpWith<TakeAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "scatter_add"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor dy = contiguous_native(in[0]), dx = empty(x_shape, dy.dtype());
    compute(name(), {dy, indices}, {dx}, AlongVjpWork{layout(x_shape, axis)});
    *out = from_native(dx, in[0].dtype());
  }
  void vjp(Vjp &v) const override { v.dx(0, take_along_axis(v.dy(), indices, axis)); }
};
struct Along final : OpWith<TakeAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "take_along_axis"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor x = contiguous_native(in[0]), y = empty(indices.shape(), x.dtype());
    compute(name(), {x, indices}, {y}, AlongWork{layout(x_shape, axis)});
    *out = from_native(y, in[0].dtype());
  }
  void vjp(Vjp &v) const override { v.dx(0, apply(make_op<AlongAdjoint>(*this), {v.dy()})); }
};

// Index tensors of NumPy's broadcasting take_along_axis: x and indices agree except along the axis.
Tensor broadcast_indices(Tensor &x, const Tensor &indices, int axis, const char *op) {
  if (x.ndim() != indices.ndim())
    fail<ValueError>("[", op, "] indices have shape ", indices.shape(), ", expected as many axes as x ", x.shape());
  Shape a = x.shape(), b = indices.shape();
  a[axis] = b[axis] = 1;
  Shape both = broadcast(a, b, op);
  a = b = both;
  a[axis] = x.shape()[axis];
  b[axis] = indices.shape()[axis];
  x = broadcast_to(x, a);
  return checked(broadcast_to(indices, b), x.shape()[axis], axis, op);
}

} // namespace

Tensor take(const Tensor &x, const Tensor &indices, std::optional<int64_t> axis) {
  if (!axis)
    return take(reshape(x, {x.size()}), indices, 0);
  int a = normalize_axis(*axis, x.ndim(), "take");
  return apply(make_op<Take>({checked(indices, x.shape()[a], a, "take"), a, x.shape()}), {x});
}

Tensor take_along_axis(const Tensor &x, const Tensor &indices, int64_t axis) {
  int a = normalize_axis(axis, x.ndim(), "take_along_axis");
  Tensor z = x;
  Tensor index = broadcast_indices(z, indices, a, "take_along_axis");
  return apply(make_op<Along>({index, a, z.shape()}), {z});
}

Tensor scatter_add(const Tensor &x, const Tensor &indices, const Tensor &src, int64_t axis) {
  int a = normalize_axis(axis, x.ndim(), "scatter_add");
  if (!(indices.shape() == src.shape()))
    fail<ValueError>("[scatter_add] indices have shape ", indices.shape(), " and src ", src.shape(),
                     ", expected the same");
  for (int i = 0; i < x.ndim(); ++i)
    if (x.ndim() != indices.ndim() || (i != a && x.shape()[i] != indices.shape()[i]))
      fail<ValueError>("[scatter_add] indices have shape ", indices.shape(), ", expected x's ", x.shape(),
                       " but for axis ", a);
  Tensor index = checked(indices, x.shape()[a], a, "scatter_add");
  return add(x, apply(make_op<AlongAdjoint>({index, a, x.shape()}), {astype(src, x.dtype())}));
}

Tensor embedding(const Tensor &indices, const Tensor &weight, std::optional<int64_t> padding_idx, bool sparse) {
  if (weight.ndim() != 2)
    fail<ValueError>("[embedding] weight has shape ", weight.shape(), ", expected [num_embeddings, embedding_dim]");
  const Tensor index = checked(indices, weight.shape()[0], 0, "embedding");
  const int64_t row = padding_idx ? padding_row(*padding_idx, weight.shape()[0]) : -1;
  if (sparse)
    return apply(make_op<SparseEmbedding>({{index, 0, weight.shape()}, row}), {weight});
  Tensor rows = apply(make_op<Take>({index, 0, weight.shape()}), {weight});
  if (!padding_idx)
    return rows;
  Tensor padding = expand_dims(equal(index, number(double(row), index)), {-1});
  return where(padding, detach(rows), rows); // the padding row gets no gradient
}

Tensor one_hot(const Tensor &indices, int64_t classes, Dtype dtype) {
  if (classes < 0)
    fail<ValueError>("[one_hot] num_classes is ", classes, ", expected 0 or more");
  Tensor z = checked(indices, classes, 0, "one_hot");
  Shape shape = indices.shape();
  shape.push_back(classes);
  Tensor y = empty(shape, dtype);
  compute("one_hot", {z, scalar(1, dtype)}, {y}, [classes](const Tensor *in, const Tensor *out) {
    const size_t bytes = itemsize(out[0].dtype());
    std::memset(out[0].data(), 0, out[0].nbytes());
    for (int64_t k = 0; k < in[0].size(); ++k)
      std::memcpy(out[0].data<char>() + size_t(k * classes + in[0].data<int64_t>()[k]) * bytes, in[1].data(), bytes);
  });
  return y;
}

Tensors nonzero(const Tensor &x) {
  check_readable("nonzero, or an index by a boolean mask,");
  GradMode off(false);
  Tensor mask = x.dtype() == Dtype::bool_ ? contiguous(x) : compare(CompareOp::NotEqual, x, number(0, x));
  const uint8_t *m = mask.data<uint8_t>();
  int64_t n = 0;
  for (int64_t k = 0; k < mask.size(); ++k)
    n += m[k] != 0;
  Tensors index;
  for (int i = 0; i < x.ndim(); ++i)
    index.push_back(empty({n}, Dtype::int64));
  int64_t found = 0;
  for (int64_t k = 0; k < mask.size(); ++k) {
    if (!m[k])
      continue;
    int64_t rest = k;
    for (int i = x.ndim() - 1; i >= 0; --i) {
      index[size_t(i)].data<int64_t>()[found] = rest % x.shape()[i];
      rest /= x.shape()[i];
    }
    ++found;
  }
  return index;
}

} // namespace cinta::ops
