#include "cinta/ops/shape.h"

#include <algorithm>

#include "cinta/ops/elementwise_work.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

struct ReshapeAttributes {
  Shape from, to;
  Strides strides;
};
struct Reshape final : OpWith<ReshapeAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "reshape"; }
  void forward(const Tensor *in, int, Tensor *out) const override { *out = view(in[0], to, strides); }
  void vjp(Vjp &v) const override { v.dx(0, reshape(v.dy(), from)); }
};

struct TransposeAttributes {
  Axes axes;
};
struct Transpose final : OpWith<TransposeAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "transpose"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Shape shape;
    Strides strides;
    for (int64_t axis : axes) {
      shape.push_back(in[0].shape()[int(axis)]);
      strides.push_back(in[0].strides()[int(axis)]);
    }
    *out = view(in[0], shape, strides);
  }
  void vjp(Vjp &v) const override {
    Axes inverse(axes.size(), 0);
    for (int i = 0; i < axes.size(); ++i)
      inverse[int(axes[i])] = i;
    v.dx(0, transpose(v.dy(), inverse));
  }
};

struct BroadcastAttributes {
  Shape from, to;
};
struct Broadcast final : OpWith<BroadcastAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "broadcast_to"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Strides strides(to.size(), 0);
    int lead = to.size() - from.size();
    for (int i = 0; i < from.size(); ++i)
      if (from[i] == to[lead + i] && from[i] != 1)
        strides[lead + i] = in[0].strides()[i];
    *out = view(in[0], to, strides);
  }
  void vjp(Vjp &v) const override { v.dx(0, sum_to(v.dy(), from)); }
};

struct RangesAttributes {
  Shape full;
  std::vector<Range> ranges;
  double fill = 0; // Embed: the value around
};
Tensor look(const Tensor &x, const std::vector<Range> &ranges) {
  Shape shape;
  Strides strides;
  int64_t offset = 0;
  for (int i = 0; i < x.ndim(); ++i) {
    const Range &r = ranges[size_t(i)];
    shape.push_back(r.count);
    strides.push_back(x.strides()[i] * r.step);
    if (r.count)
      offset += r.start * x.strides()[i];
  }
  return view(x, shape, strides, count(shape) ? offset : 0);
}
struct Slice final : OpWith<RangesAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "slice"; }
  void forward(const Tensor *in, int, Tensor *out) const override { *out = look(in[0], ranges); }
  void vjp(Vjp &v) const override {
    const Tensor sum = v.gathered(0);
    if (!sum || sum.dtype() != v.dy().dtype())
      return v.dx(0, embed(v.dy(), full, ranges));
    if (const Tensor part = look(sum, ranges); part.size()) // a loop over x[t] costs what x has, not its square
      compute("accumulate", {part, v.dy()}, {part}, BinaryWork{BinaryOp::Add});
  }
};
struct Embed final : OpWith<RangesAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "embed"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = fill == 0 ? zeros(full, in[0].dtype()) : cinta::full(full, fill, in[0].dtype());
    copy(in[0], look(*out, ranges));
  }
  void vjp(Vjp &v) const override { v.dx(0, slice(v.dy(), ranges)); }
};

struct DiagonalAttributes {
  Shape full;
  int64_t offset;
  int axis1, axis2;
};
Tensor look_diagonal(const Tensor &x, const DiagonalAttributes &a) {
  Shape shape;
  Strides strides;
  for (int i = 0; i < x.ndim(); ++i)
    if (i != a.axis1 && i != a.axis2) {
      shape.push_back(x.shape()[i]);
      strides.push_back(x.strides()[i]);
    }
  int64_t down = std::max<int64_t>(-a.offset, 0), right = std::max<int64_t>(a.offset, 0);
  int64_t n = std::max<int64_t>(std::min(x.shape()[a.axis1] - down, x.shape()[a.axis2] - right), 0);
  shape.push_back(n);
  strides.push_back(x.strides()[a.axis1] + x.strides()[a.axis2]);
  return view(x, shape, strides, n ? down * x.strides()[a.axis1] + right * x.strides()[a.axis2] : 0);
}
struct EmbedDiagonal final : OpWith<DiagonalAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "embed_diagonal"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = zeros(full, in[0].dtype());
    copy(in[0], look_diagonal(*out, *this));
  }
  void vjp(Vjp &v) const override { v.dx(0, diagonal(v.dy(), offset, axis1, axis2)); }
};
struct Diagonal final : OpWith<DiagonalAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "diagonal"; }
  void forward(const Tensor *in, int, Tensor *out) const override { *out = look_diagonal(in[0], *this); }
  void vjp(Vjp &v) const override { v.dx(0, apply(make_op<EmbedDiagonal>(*this), {v.dy()})); }
};

// The strides of `to` over the same memory, if there are any: every new axis must lie within one run of old axes that
// are walked in one stride.
bool view_strides(const Shape &from, const Strides &old, const Shape &to, Strides &strides) {
  Shape shape;
  Strides step;
  for (int i = 0; i < from.size(); ++i)
    if (from[i] != 1) {
      shape.push_back(from[i]);
      step.push_back(old[i]);
    }
  strides = Strides(to.size(), 1);
  int i = 0, j = 0;
  while (i < shape.size() && j < to.size()) {
    int i_end = i + 1, j_end = j + 1;
    int64_t a = shape[i], b = to[j];
    while (a != b)
      if (a < b) {
        if (i_end == shape.size())
          return false;
        a *= shape[i_end++];
      } else {
        if (j_end == to.size())
          return false;
        b *= to[j_end++];
      }
    for (int k = i; k + 1 < i_end; ++k)
      if (step[k] != shape[k + 1] * step[k + 1])
        return false;
    strides[j_end - 1] = step[i_end - 1];
    for (int k = j_end - 1; k > j; --k)
      strides[k - 1] = strides[k] * to[k];
    i = i_end;
    j = j_end;
  }
  return true;
}

} // namespace

Tensor reshape(const Tensor &x, const Shape &shape) {
  Shape to = shape;
  int free_axis = -1;
  int64_t known = 1;
  for (int i = 0; i < to.size(); ++i) {
    if (to[i] == -1 && free_axis < 0)
      free_axis = i;
    else if (to[i] < 0)
      fail<ValueError>("[reshape] shape ", shape, " has a negative size, expected at most one -1");
    else
      known *= to[i];
  }
  if (free_axis >= 0)
    to[free_axis] = known ? x.size() / known : 0;
  if (count(to) != x.size() || (free_axis >= 0 && known == 0 && x.size() != 0))
    fail<ValueError>("[reshape] a tensor of shape ", x.shape(), " (", x.size(), " elements) cannot take shape ", shape,
                     ", expected sizes whose product is ", x.size());
  Strides strides;
  if (x.size() == 0 || x.contiguous())
    strides = contiguous_strides(to);
  else if (!view_strides(x.shape(), x.strides(), to, strides))
    return reshape(clone(x), to);
  return apply(make_op<Reshape>({x.shape(), to, strides}), {x});
}

Tensor transpose(const Tensor &x, const Axes &axes) {
  Axes order;
  for (int64_t axis : axes)
    order.push_back(normalize_axis(axis, x.ndim(), "transpose"));
  if (axes.empty())
    for (int i = x.ndim() - 1; i >= 0; --i)
      order.push_back(i);
  Axes sorted = normalize_axes(order, x.ndim(), "transpose");
  if (sorted.size() != x.ndim())
    fail<ValueError>("[transpose] axes ", axes, " name ", axes.size(), " axes, expected all ", x.ndim(), " of shape ",
                     x.shape());
  return apply(make_op<Transpose>({order}), {x});
}

Tensor swapaxes(const Tensor &x, int64_t a, int64_t b) {
  Axes order;
  for (int i = 0; i < x.ndim(); ++i)
    order.push_back(i);
  int i = normalize_axis(a, x.ndim(), "swapaxes"), j = normalize_axis(b, x.ndim(), "swapaxes");
  std::swap(order[i], order[j]);
  return x.ndim() ? apply(make_op<Transpose>({order}), {x}) : x;
}

Tensor matrix_transpose(const Tensor &x) {
  if (x.ndim() < 2)
    fail<ValueError>("[mT] a tensor of shape ", x.shape(), " is no matrix, expected at least 2 axes");
  return swapaxes(x, -1, -2);
}

Tensor moveaxis(const Tensor &x, const Axes &source, const Axes &destination) {
  if (source.size() != destination.size())
    fail<ValueError>("[moveaxis] source ", source, " and destination ", destination, " differ in length");
  normalize_axes(source, x.ndim(), "moveaxis");
  normalize_axes(destination, x.ndim(), "moveaxis");
  Axes order(x.ndim(), -1);
  std::vector<bool> moved(size_t(x.ndim()), false);
  for (int k = 0; k < source.size(); ++k) {
    int from = normalize_axis(source[k], x.ndim(), "moveaxis");
    order[normalize_axis(destination[k], x.ndim(), "moveaxis")] = from;
    moved[size_t(from)] = true;
  }
  for (int i = 0, at = 0; i < x.ndim(); ++i) {
    if (moved[size_t(i)])
      continue;
    while (order[at] >= 0)
      ++at;
    order[at] = i;
  }
  return transpose(x, order);
}

Tensor squeeze(const Tensor &x, const std::optional<Axes> &axes) {
  Axes drop = normalize_axes(axes.value_or(Axes()), x.ndim(), "squeeze");
  for (int64_t axis : drop)
    if (x.shape()[int(axis)] != 1)
      fail<ValueError>("[squeeze] axis ", axis, " of shape ", x.shape(), " has size ", x.shape()[int(axis)],
                       ", expected 1");
  Shape to;
  for (int i = 0; i < x.ndim(); ++i)
    if (axes ? std::find(drop.begin(), drop.end(), i) == drop.end() : x.shape()[i] != 1)
      to.push_back(x.shape()[i]);
  return reshape(x, to);
}

Tensor expand_dims(const Tensor &x, const Axes &axes) {
  int n = x.ndim() + axes.size();
  Axes at = normalize_axes(axes, n, "expand_dims");
  Shape to = x.shape();
  for (int64_t axis : at)
    to.insert(int(axis), 1);
  return reshape(x, to);
}

Tensor flatten(const Tensor &x, int64_t start_axis, int64_t end_axis) {
  if (x.ndim() == 0)
    return reshape(x, {1});
  int start = normalize_axis(start_axis, x.ndim(), "flatten"), end = normalize_axis(end_axis, x.ndim(), "flatten");
  if (start > end)
    fail<ValueError>("[flatten] start_axis ", start_axis, " comes after end_axis ", end_axis);
  Shape to;
  int64_t size = 1;
  for (int i = 0; i < x.ndim(); ++i) {
    size = i > start && i <= end ? size * x.shape()[i] : x.shape()[i];
    if (i < start || i >= end)
      to.push_back(size);
  }
  return reshape(x, to);
}

Tensor broadcast_to(const Tensor &x, const Shape &shape) {
  if (x.shape() == shape)
    return x;
  if (!(broadcast(x.shape(), shape, "broadcast_to") == shape))
    fail<ValueError>("[broadcast_to] shape ", x.shape(), " does not broadcast to ", shape);
  return apply(make_op<Broadcast>({x.shape(), shape}), {x});
}

Tensor sum_to(const Tensor &x, const Shape &shape) {
  if (x.shape() == shape)
    return x;
  Axes axes;
  int lead = x.ndim() - shape.size();
  for (int i = 0; i < x.ndim(); ++i)
    if (i < lead || (shape[i - lead] == 1 && x.shape()[i] != 1))
      axes.push_back(i);
  Tensor y = axes.empty() ? x : sum(x, axes, true);
  return reshape(y, shape);
}

Tensor slice(const Tensor &x, const std::vector<Range> &ranges) {
  return apply(make_op<Slice>({x.shape(), ranges, 0}), {x});
}

Tensor narrow(const Tensor &x, int axis, int64_t start, int64_t n) {
  std::vector<Range> ranges;
  for (int i = 0; i < x.ndim(); ++i)
    ranges.push_back(i == axis ? Range{start, 1, n} : Range{0, 1, x.shape()[i]});
  return slice(x, ranges);
}

Tensor embed(const Tensor &x, const Shape &shape, const std::vector<Range> &ranges, double fill) {
  return apply(make_op<Embed>({shape, ranges, fill}), {x});
}

Tensor flip(const Tensor &x, const std::optional<Axes> &axes) {
  Axes flipped = axes ? normalize_axes(*axes, x.ndim(), "flip") : Axes();
  std::vector<Range> ranges;
  for (int i = 0; i < x.ndim(); ++i) {
    bool turn = !axes || std::find(flipped.begin(), flipped.end(), i) != flipped.end();
    ranges.push_back(turn ? Range{x.shape()[i] - 1, -1, x.shape()[i]} : Range{0, 1, x.shape()[i]});
  }
  return slice(x, ranges);
}

Tensor diagonal(const Tensor &x, int64_t offset, int64_t axis1, int64_t axis2) {
  int a = normalize_axis(axis1, x.ndim(), "diagonal"), b = normalize_axis(axis2, x.ndim(), "diagonal");
  if (a == b)
    fail<ValueError>("[diagonal] axis1 and axis2 are both ", axis1, ", expected two different axes");
  return apply(make_op<Diagonal>({x.shape(), offset, a, b}), {x});
}

Tensor contiguous(const Tensor &x) { return x.contiguous() ? x : clone(x); }

Tensor detach(const Tensor &x) {
  check_fresh(x, "detach");
  return alias(x);
}

} // namespace cinta::ops
