#include "cinta/ops/join.h"

#include <algorithm>

#include "cinta/ops/channels_last.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/index.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

struct ConcatAttributes {
  int axis;
  std::vector<int64_t> sizes; // of each part along the axis
};
struct Concat final : OpWith<ConcatAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "concat"; }
  void forward(const Tensor *in, int n, Tensor *out) const override {
    Shape shape = in[0].shape();
    shape[axis] = 0;
    for (int64_t size : sizes)
      shape[axis] += size;
    const bool last = std::any_of(in, in + n, [](const Tensor &part) { return lies_channels_last(part); });
    *out = last ? empty_channels_last(shape, in[0].dtype()) : empty(shape, in[0].dtype());
    GradMode off(false);
    int64_t start = 0;
    for (int k = 0; k < n; ++k) {
      copy(in[k], narrow(*out, axis, start, sizes[size_t(k)]));
      start += sizes[size_t(k)];
    }
  }
  void vjp(Vjp &v) const override {
    int64_t start = 0;
    for (int k = 0; k < v.inputs(); ++k) {
      if (v.needs(k))
        v.dx(k, narrow(v.dy(), axis, start, sizes[size_t(k)]));
      start += sizes[size_t(k)];
    }
  }
};

struct Split final : OpWith<ConcatAttributes> { // views that lie next to each other and leave nothing out
  using OpWith::OpWith;
  const char *name() const override { return "split"; }
  int outputs() const override { return int(sizes.size()); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    GradMode off(false);
    int64_t start = 0;
    for (size_t k = 0; k < sizes.size(); ++k) {
      out[k] = narrow(in[0], axis, start, sizes[k]);
      start += sizes[k];
    }
  }
  void vjp(Vjp &v) const override { // one copy of each part, where slices would each fill a whole gradient
    Tensors parts;
    Tensor some;
    for (int k = 0; k < outputs(); ++k) {
      parts.push_back(v.dy(k));
      if (parts.back())
        some = parts.back();
    }
    for (size_t k = 0; k < parts.size(); ++k)
      if (Shape shape = some.shape(); !parts[k]) {
        shape[axis] = sizes[k];
        parts[k] = zeros(shape, some.dtype());
      }
    v.dx(0, concat(parts, axis));
  }
};

Dtype common_dtype(const Tensors &parts) {
  Dtype dtype = parts[0].dtype();
  for (const Tensor &part : parts)
    dtype = promote(dtype, part.dtype());
  return dtype;
}

} // namespace

Tensor concat(const Tensors &parts, int64_t axis) {
  if (parts.empty())
    fail<ValueError>("[concat] no tensors were given, expected at least one");
  const int ndim = parts[0].ndim();
  if (ndim == 0)
    fail<ValueError>("[concat] tensor 0 is 0-d, expected at least 1 axis: use ct.stack");
  ConcatAttributes a{normalize_axis(axis, ndim, "concat"), {}};
  Dtype dtype = common_dtype(parts);
  Tensors same;
  for (size_t k = 0; k < parts.size(); ++k) {
    const Shape &shape = parts[k].shape();
    for (int i = 0; i < ndim; ++i)
      if (shape.size() != ndim || (i != a.axis && shape[i] != parts[0].shape()[i]))
        fail<ValueError>("[concat] tensor ", k, " has shape ", shape, ", expected ", parts[0].shape(),
                         " (tensor 0) but for axis ", a.axis);
    a.sizes.push_back(shape[a.axis]);
    same.push_back(astype(parts[k], dtype));
  }
  Tensor out;
  apply(make_op<Concat>(a), same.data(), int(same.size()), &out);
  return out;
}

Tensor stack(const Tensors &parts, int64_t axis) {
  if (parts.empty())
    fail<ValueError>("[stack] no tensors were given, expected at least one");
  Tensors expanded;
  for (size_t k = 0; k < parts.size(); ++k) {
    if (!(parts[k].shape() == parts[0].shape()))
      fail<ValueError>("[stack] tensor ", k, " has shape ", parts[k].shape(), ", expected ", parts[0].shape(),
                       " as tensor 0");
    expanded.push_back(expand_dims(parts[k], {axis}));
  }
  return concat(expanded, axis < 0 ? axis + parts[0].ndim() + 1 : axis);
}

Tensors split(const Tensor &x, const std::vector<int64_t> &borders, int64_t axis) {
  int a = normalize_axis(axis, x.ndim(), "split");
  const int64_t size = x.shape()[a];
  std::vector<int64_t> starts, sizes;
  bool side_by_side = !borders.empty();
  int64_t start = 0;
  for (size_t k = 0; k <= borders.size(); ++k) {
    int64_t stop = k < borders.size() ? borders[k] : size;
    stop = std::clamp<int64_t>(stop < 0 ? stop + size : stop, 0, size);
    side_by_side = side_by_side && start <= stop;
    starts.push_back(std::min(start, size));
    sizes.push_back(std::max<int64_t>(stop - start, 0));
    start = stop;
  }
  Tensors out(sizes.size());
  if (side_by_side)
    apply(make_op<Split>({a, sizes}), &x, 1, out.data());
  else
    for (size_t k = 0; k < out.size(); ++k)
      out[k] = narrow(x, a, starts[k], sizes[k]);
  return out;
}

// Both as a broadcast against new axes, then a reshape: the gradient follows.
Tensor tile(const Tensor &x, const Dims &repeats) {
  int n = std::max(x.ndim(), repeats.size());
  Shape split_shape, wide, merged;
  for (int i = 0; i < n; ++i) {
    int xi = i - (n - x.ndim()), ri = i - (n - repeats.size());
    int64_t size = xi < 0 ? 1 : x.shape()[xi], times = ri < 0 ? 1 : repeats[ri];
    if (times < 0)
      fail<ValueError>("[tile] repeats ", repeats, " has a negative number, expected 0 or more");
    if (times != 1) {
      split_shape.push_back(1);
      wide.push_back(times);
    }
    split_shape.push_back(size);
    wide.push_back(size);
    merged.push_back(size * times);
  }
  return clone(reshape(broadcast_to(reshape(x, split_shape), wide), merged));
}

Tensor repeat(const Tensor &x, const std::vector<int64_t> &repeats, std::optional<int64_t> axis) {
  if (!axis)
    return repeat(reshape(x, {x.size()}), repeats, 0);
  int a = normalize_axis(*axis, x.ndim(), "repeat");
  const int64_t size = x.shape()[a];
  if (repeats.size() != 1 && int64_t(repeats.size()) != size)
    fail<ValueError>("[repeat] ", repeats.size(), " repeats for axis ", a, " of size ", size, ", expected 1 or ", size);
  std::vector<int64_t> picked;
  for (int64_t i = 0; i < size; ++i) {
    int64_t times = repeats[repeats.size() == 1 ? 0 : size_t(i)];
    if (times < 0)
      fail<ValueError>("[repeat] repeats has ", times, ", expected 0 or more");
    picked.insert(picked.end(), size_t(times), i);
  }
  Tensor index = empty({int64_t(picked.size())}, Dtype::int64);
  std::copy(picked.begin(), picked.end(), index.data<int64_t>());
  return take(x, index, a);
}

Tensor pad(const Tensor &x, const std::vector<std::pair<int64_t, int64_t>> &given, const std::string &mode,
           double value) {
  std::vector<std::pair<int64_t, int64_t>> widths = given;
  if (widths.size() == 1)
    widths.resize(size_t(x.ndim()), given[0]);
  if (int(widths.size()) != x.ndim())
    fail<ValueError>("[pad] pad_width has ", widths.size(), " pairs, expected 1 or ", x.ndim(), " for shape ",
                     x.shape());
  for (auto [before, after] : widths)
    if (before < 0 || after < 0)
      fail<ValueError>("[pad] pad_width has (", before, ", ", after, "), expected 0 or more: cut with a slice instead");
  if (mode == "constant") {
    Shape shape;
    std::vector<Range> ranges;
    for (int i = 0; i < x.ndim(); ++i) {
      auto [before, after] = widths[size_t(i)];
      shape.push_back(before + x.shape()[i] + after);
      ranges.push_back({before, 1, x.shape()[i]});
    }
    return embed(x, shape, ranges, value);
  }
  if (mode != "edge" && mode != "reflect" && mode != "wrap")
    fail<ValueError>("[pad] mode is '", mode, "', expected 'constant', 'edge', 'reflect' or 'wrap'");
  Tensor y = x; // the other modes pick existing elements, axis by axis
  for (int i = 0; i < x.ndim(); ++i) {
    auto [before, after] = widths[size_t(i)];
    const int64_t n = x.shape()[i];
    if (before + after == 0)
      continue;
    if (n == 0)
      fail<ValueError>("[pad] axis ", i, " of shape ", x.shape(), " is empty, mode '", mode, "' has nothing to repeat");
    Tensor index = empty({before + n + after}, Dtype::int64);
    for (int64_t k = 0; k < index.size(); ++k) {
      int64_t at = k - before, period = mode == "reflect" ? std::max<int64_t>(2 * (n - 1), 1) : n;
      if (mode == "edge")
        at = std::clamp<int64_t>(at, 0, n - 1);
      else
        at = (at % period + period) % period;
      index.data<int64_t>()[k] = mode == "reflect" && at >= n ? period - at : at;
    }
    y = take(y, index, i);
  }
  return y;
}

Tensor roll(const Tensor &x, const Dims &shifts, const std::optional<Axes> &axes) {
  if (!axes)
    return reshape(roll(reshape(x, {x.size()}), shifts, Axes{0}), x.shape());
  if (shifts.size() != axes->size() && shifts.size() != 1)
    fail<ValueError>("[roll] ", shifts.size(), " shifts for ", axes->size(), " axes, expected as many");
  Tensor y = x;
  for (int k = 0; k < axes->size(); ++k) {
    int axis = normalize_axis((*axes)[k], x.ndim(), "roll");
    const int64_t n = x.shape()[axis];
    if (n == 0)
      continue;
    int64_t shift = (shifts[shifts.size() == 1 ? 0 : k] % n + n) % n;
    if (shift)
      y = concat({narrow(y, axis, n - shift, shift), narrow(y, axis, 0, n - shift)}, axis);
  }
  return y.body() == x.body() ? clone(x) : y;
}

namespace {
Tensor triangle(const Tensor &x, int64_t k, bool lower) {
  if (x.ndim() < 2)
    return triangle(broadcast_to(x, {x.size(), x.size()}), k, lower); // NumPy's meaning for a vector
  const int64_t rows = x.shape(-2), cols = x.shape(-1);
  Tensor keep = empty({rows, cols}, Dtype::bool_);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j)
      keep.data<uint8_t>()[i * cols + j] = lower ? j - i <= k : j - i >= k;
  return where(keep, x, number(0, x));
}
} // namespace

Tensor tril(const Tensor &x, int64_t k) { return triangle(x, k, true); }
Tensor triu(const Tensor &x, int64_t k) { return triangle(x, k, false); }

Tensor diag(const Tensor &x, int64_t k) {
  if (x.ndim() == 2)
    return diagonal(x, k, 0, 1);
  if (x.ndim() != 1)
    fail<ValueError>("[diag] got shape ", x.shape(), ", expected 1 or 2 axes");
  const int64_t n = x.size() + std::abs(k); // the diagonal of an n x n matrix is every (n + 1)-th element
  int64_t first = k >= 0 ? k : -k * n;
  Tensor spread = embed(x, {n * n}, {{first, n + 1, x.size()}});
  return reshape(spread, {n, n});
}

} // namespace cinta::ops
