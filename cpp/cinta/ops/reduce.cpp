#include "cinta/ops/reduce.h"

#include <algorithm>

#include "cinta/base/parallel.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/index.h"
#include "cinta/ops/join.h"
#include "cinta/ops/reduce_work.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

using kernels::Compute;
using kernels::ReduceOp;

constexpr int64_t kChunk = int64_t(1) << 16; // elements per unit of work; fixed, so that sums never depend on threads

struct Axis { // a run of neighbouring axes that are all reduced, or all kept
  int64_t size;
  bool reduced;
};

const char *name_of(ReduceOp op) {
  static const char *names[] = {"sum", "prod", "max", "min"};
  return names[int(op)];
}

} // namespace

int64_t ReduceRowsWork::blocks() const {
  const int64_t per_block = std::max<int64_t>(1, kChunk / std::max<int64_t>(cols, 1));
  return chunks > 1 ? rows * chunks : (rows + per_block - 1) / per_block;
}

ReduceRowsWork::Block ReduceRowsWork::block(int64_t index) const {
  if (chunks > 1) {
    const int64_t row = index / chunks, first = index % chunks * kChunk, n = std::min(kChunk, cols - first);
    return {row * cols + first, 1, n, index};
  }
  const int64_t per_block = std::max<int64_t>(1, kChunk / std::max<int64_t>(cols, 1)), first = index * per_block;
  return {first * cols, std::min(per_block, rows - first), cols, first};
}

void ReduceRowsWork::operator()(const Tensor *in, const Tensor *out) const {
  struct Context {
    const ReduceRowsWork &work;
    kernels::ReduceRows f;
    const char *x;
    char *y;
    int64_t bytes;
  } c{*this, kernel().reduce_rows[int(op)][int(compute_type(in[0].dtype()))], in[0].data<char>(), out[0].data<char>(),
      int64_t(itemsize(in[0].dtype()))};
  parallel_for(
      blocks(), double(rows) * double(cols) * 0.3,
      [](void *context, int64_t index) {
        const Context &c = *static_cast<const Context *>(context);
        const Block b = c.work.block(index);
        c.f(b.rows, b.cols, c.x + b.first * c.bytes, b.cols, c.y + b.result * c.bytes);
      },
      &c);
}

namespace {

// y[rows]; long rows are cut into chunks whose results are reduced again.
Tensor reduce_rows(ReduceOp op, const Tensor &x, int64_t rows, int64_t cols) {
  const int64_t chunks = cols > 2 * kChunk ? (cols + kChunk - 1) / kChunk : 1;
  Tensor y = empty({rows * chunks}, x.dtype());
  compute(name_of(op), Operands(&x, 1), Operands(&y, 1), ReduceRowsWork{op, rows, cols, chunks});
  return chunks == 1 ? y : reduce_rows(op, y, rows, chunks);
}

struct Columns {
  kernels::ReduceColumns f;
  const char *x;
  char *y;
  int64_t rows, cols, chunks, chunk;
  size_t bytes;
};

struct ReduceColumnsWork { // y[outer, chunks, cols] from x[outer, rows, cols]
  ReduceOp op;
  int64_t outer, rows, cols, chunk, chunks;
  void operator()(const Tensor *in, const Tensor *out) const;
};
void ReduceColumnsWork::operator()(const Tensor *in, const Tensor *out) const {
  const Tensor &x = in[0], &y = out[0];
  Columns c;
  c.f = kernel().reduce_columns[int(op)][int(compute_type(x.dtype()))];
  c.chunk = chunk;
  c.chunks = chunks;
  c.x = x.data<char>();
  c.y = y.data<char>();
  c.rows = rows;
  c.cols = cols;
  c.bytes = itemsize(x.dtype());
  parallel_for(
      outer * c.chunks, double(x.size()) * 0.3,
      [](void *context, int64_t block) {
        const Columns &c = *static_cast<Columns *>(context);
        int64_t o = block / c.chunks, first = block % c.chunks * c.chunk;
        c.f(std::min(c.chunk, c.rows - first), c.cols, c.x + size_t((o * c.rows + first) * c.cols) * c.bytes, c.cols,
            c.y + size_t(block * c.cols) * c.bytes);
      },
      &c);
}

Tensor reduce_columns(ReduceOp op, const Tensor &x, int64_t outer, int64_t rows, int64_t cols) { // y[outer, cols]
  const int64_t chunk = std::max<int64_t>(16, kChunk / std::max<int64_t>(cols, 1));
  const int64_t chunks = std::max<int64_t>(1, (rows + chunk - 1) / chunk);
  Tensor y = empty({outer * chunks * cols}, x.dtype());
  compute(name_of(op), Operands(&x, 1), Operands(&y, 1), ReduceColumnsWork{op, outer, rows, cols, chunk, chunks});
  return chunks == 1 ? y : reduce_columns(op, y, outer, chunks, cols);
}

// One run of axes after the other, from the last: as rows where it is innermost, else as columns.
Tensor reduce(ReduceOp op, const Tensor &input, const Axes &axes, bool keepdims) {
  Tensor x = contiguous_native(input);
  std::vector<Axis> runs;
  Shape shape;
  for (int i = 0; i < input.ndim(); ++i) {
    bool reduced = std::find(axes.begin(), axes.end(), i) != axes.end();
    int64_t size = input.shape()[i];
    if (!reduced)
      shape.push_back(size);
    else if (keepdims)
      shape.push_back(1);
    if (!runs.empty() && runs.back().reduced == reduced)
      runs.back().size *= size;
    else
      runs.push_back({size, reduced});
  }
  bool reduced_any = false;
  for (size_t k = runs.size(); k-- > 0;) {
    if (!runs[k].reduced)
      continue;
    int64_t outer = 1, inner = 1;
    for (size_t j = 0; j < k; ++j)
      outer *= runs[j].size;
    for (size_t j = k + 1; j < runs.size(); ++j)
      inner *= runs[j].reduced ? 1 : runs[j].size;
    x = inner == 1 ? reduce_rows(op, x, outer, runs[k].size) : reduce_columns(op, x, outer, runs[k].size, inner);
    reduced_any = true;
  }
  if (!reduced_any && x.body() == input.body())
    x = keep_value(x);
  return view(x, shape, contiguous_strides(shape));
}

Dtype sum_dtype(Dtype dtype) { // small integers add up in 64 bits, as in NumPy
  if (is_floating(dtype) || itemsize(dtype) == 8)
    return dtype;
  return dtype == Dtype::bool_ || info(dtype).signed_ ? Dtype::int64 : Dtype::uint64;
}

struct ReduceAttributes {
  ReduceOp op;
  Axes axes;
  bool keepdims;
  Shape x_shape, kept; // kept: the result's shape with keepdims
};
struct Reduce final : OpWith<ReduceAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return name_of(op); }
  uint32_t saves() const override { return op == ReduceOp::Sum ? saves::none : saves::input(0) | saves::output(); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    bool adds = op == ReduceOp::Sum || op == ReduceOp::Prod;
    *out = from_native(reduce(op, in[0], axes, keepdims), adds ? sum_dtype(in[0].dtype()) : in[0].dtype());
  }
  void vjp(Vjp &v) const override {
    Tensor dy = reshape(v.dy(), kept);
    if (op == ReduceOp::Sum) {
      v.dx(0, broadcast_to(dy, x_shape));
      return;
    }
    // max and min: equal shares to all that reach it
    Tensor hit = astype(equal(v.in(0), reshape(detach(v.out()), kept)), dy.dtype());
    v.dx(0, multiply(hit, divide(dy, sum(hit, axes, true))));
  }
};

Axes all_or(const OptionalAxes &axes, const Tensor &x, const char *op) {
  if (axes)
    return normalize_axes(*axes, x.ndim(), op);
  Axes every;
  for (int i = 0; i < x.ndim(); ++i)
    every.push_back(i);
  return every;
}

Tensor run(ReduceOp op, const Tensor &x, const OptionalAxes &given, bool keepdims, const char *name) {
  Axes axes = all_or(given, x, name);
  Shape kept = x.shape();
  int64_t n = 1;
  for (int64_t axis : axes) {
    n *= kept[int(axis)];
    kept[int(axis)] = 1;
  }
  if ((op == ReduceOp::Max || op == ReduceOp::Min) && n == 0 && !axes.empty())
    fail<ValueError>("[", name, "] axes ", axes, " of shape ", x.shape(), " hold no elements, expected at least one");
  return apply(make_op<Reduce>({op, axes, keepdims, x.shape(), kept}), {x});
}

int64_t elements(const Tensor &x, const OptionalAxes &axes, const char *op) {
  int64_t n = 1;
  for (int64_t axis : all_or(axes, x, op))
    n *= x.shape()[int(axis)];
  return n;
}

} // namespace

Tensor sum(const Tensor &x, const OptionalAxes &axes, bool keepdims) {
  return run(ReduceOp::Sum, x, axes, keepdims, "sum");
}
Tensor max(const Tensor &x, const OptionalAxes &axes, bool keepdims) {
  return run(ReduceOp::Max, x, axes, keepdims, "max");
}
Tensor min(const Tensor &x, const OptionalAxes &axes, bool keepdims) {
  return run(ReduceOp::Min, x, axes, keepdims, "min");
}

Tensor prod(const Tensor &x, const OptionalAxes &axes, bool keepdims) {
  if (!grad_enabled() || !x.requires_grad())
    return run(ReduceOp::Prod, x, axes, keepdims, "prod");
  // Halves multiplied together: its gradient needs no division, so zeros are safe, to any order.
  Tensor y = x;
  for (int64_t a : all_or(axes, x, "prod")) {
    int axis = int(a);
    if (y.shape()[axis] == 0)
      return add(sum(y, axes, keepdims), 1.0);
    for (int64_t n; (n = y.shape()[axis]) > 1;) {
      Tensor z = multiply(narrow(y, axis, 0, n / 2), narrow(y, axis, n / 2, n / 2));
      y = n % 2 ? concat({z, narrow(y, axis, n - 1, 1)}, axis) : z;
    }
  }
  return keepdims ? y : sum(y, axes, false); // all sizes are 1
}

Tensor widened(const Tensor &x) {
  if (!is_floating(x.dtype()))
    return astype(x, Dtype::float64);
  return is_native(x.dtype()) ? x : astype(x, Dtype::float32);
}
Tensor narrowed(const Tensor &y, Dtype like) { return is_floating(like) ? astype(y, like) : y; }

Tensor mean(const Tensor &x, const OptionalAxes &axes, bool keepdims) {
  Tensor y = sum(widened(x), axes, keepdims);
  return narrowed(divide(y, number(double(elements(x, axes, "mean")), y)), x.dtype());
}

Tensor var(const Tensor &x, const OptionalAxes &axes, double ddof, bool keepdims) {
  Tensor z = widened(x);
  Tensor y = sum(square(subtract(z, mean(z, axes, true))), axes, keepdims);
  return narrowed(divide(y, number(std::max(double(elements(x, axes, "var")) - ddof, 0.0), y)), x.dtype());
}

Tensor std_(const Tensor &x, const OptionalAxes &axes, double ddof, bool keepdims) {
  return narrowed(sqrt(var(widened(x), axes, ddof, keepdims)), x.dtype());
}

namespace {
Tensor truth(const Tensor &x) { return x.dtype() == Dtype::bool_ ? x : compare(CompareOp::NotEqual, x, number(0, x)); }
Tensor truth_reduce(ReduceOp op, const Tensor &x, const OptionalAxes &given, bool keepdims, const char *name) {
  GradMode off(false);
  Axes axes = all_or(given, x, name);
  Tensor hits = run(ReduceOp::Sum, truth(x), axes, keepdims, name); // empty axes: any is false, all is true
  int64_t n = elements(x, given, name);
  return op == ReduceOp::Max ? greater(hits, number(0, hits)) : equal(hits, number(double(n), hits));
}
} // namespace

Tensor any(const Tensor &x, const OptionalAxes &axes, bool keepdims) {
  return truth_reduce(ReduceOp::Max, x, axes, keepdims, "any");
}
Tensor all(const Tensor &x, const OptionalAxes &axes, bool keepdims) {
  return truth_reduce(ReduceOp::Min, x, axes, keepdims, "all");
}

Tensor logsumexp(const Tensor &x, const OptionalAxes &axes, bool keepdims) {
  Tensor z = widened(x);
  if (elements(z, axes, "logsumexp") == 0) // the logarithm of an empty sum
    return narrowed(log(sum(z, axes, keepdims)), x.dtype());
  Tensor top = max(detach(z), axes, true);
  top = where(isfinite(top), top, number(0, top));
  Tensor y = log(sum(exp(subtract(z, top)), axes, true));
  y = narrowed(add(y, top), x.dtype());
  return keepdims ? y : squeeze(y, all_or(axes, x, "logsumexp"));
}

// ---- argmax, argmin

namespace {
struct ArgWork { // the place of the extremum in each of [rows, cols]
  bool maximum;
  int64_t rows, cols;
  void operator()(const Tensor *in, const Tensor *out) const {
    const auto f = maximum ? kernel().argmax_rows : kernel().argmin_rows;
    struct Arg {
      kernels::ArgReduceRows f;
      const char *x;
      int64_t *y;
      int64_t rows, cols, per_block, row_bytes;
    } work{f[int(compute_type(in[0].dtype()))],
           in[0].data<char>(),
           out[0].data<int64_t>(),
           rows,
           cols,
           std::max<int64_t>(1, kChunk / cols),
           cols * int64_t(itemsize(in[0].dtype()))};
    parallel_for((rows + work.per_block - 1) / work.per_block, double(in[0].size()) * 0.5,
                 [](void *context, int64_t block) {
                   const Arg &a = *static_cast<const Arg *>(context);
                   const int64_t first = block * a.per_block, n = std::min(a.per_block, a.rows - first);
                   a.f(n, a.cols, a.x + first * a.row_bytes, a.cols, a.y + first);
                 },
                 &work);
  }
};

Tensor arg(const Tensor &x, std::optional<int64_t> axis, bool keepdims, bool maximum) {
  const char *name = maximum ? "argmax" : "argmin";
  check_fresh(x, name);
  GradMode off(false);
  int a = axis ? normalize_axis(*axis, x.ndim(), name) : 0;
  Tensor moved = axis ? moveaxis(x, {a}, {-1}) : reshape(x, {x.size()});
  int64_t cols = moved.shape(-1), rows = cols ? moved.size() / cols : 0;
  if (cols == 0)
    fail<ValueError>("[", name, "] shape ", x.shape(), " has no elements along the axis, expected at least one");
  Tensor z = contiguous_native(moved);
  Shape shape;
  for (int i = 0; i < x.ndim(); ++i)
    if (!axis || i == a) {
      if (keepdims)
        shape.push_back(1);
    } else {
      shape.push_back(x.shape()[i]);
    }
  Tensor y = empty(shape, Dtype::int64);
  compute(name, {z}, {y}, ArgWork{maximum, rows, cols});
  return y;
}
} // namespace

Tensor argmax(const Tensor &x, std::optional<int64_t> axis, bool keepdims) { return arg(x, axis, keepdims, true); }
Tensor argmin(const Tensor &x, std::optional<int64_t> axis, bool keepdims) { return arg(x, axis, keepdims, false); }

} // namespace cinta::ops
