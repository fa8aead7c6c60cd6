// NumPy's indexing: basic items make a view, arrays of integers or booleans pick elements.
#include <algorithm>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/index.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

bool is_set(const Tensor &flag) { // 0-d boolean
  check_readable("an index by a boolean");
  return *flag.data<uint8_t>();
}

// One item per axis of x (and new axes), the ellipsis spelled out, masks turned into index arrays.
std::vector<Item> expand(const Tensor &x, const std::vector<Item> &items) {
  int used = 0, ellipses = 0;
  for (const Item &item : items) {
    ellipses += item.kind == Item::ellipsis;
    bool mask = item.kind == Item::array && item.index.dtype() == Dtype::bool_;
    used += mask ? item.index.ndim() : item.kind != Item::new_axis && item.kind != Item::ellipsis;
  }
  if (ellipses > 1)
    fail<IndexError>("[index] ", ellipses, " ellipses, expected at most one");
  if (used > x.ndim())
    fail<IndexError>("[index] ", used, " indices for a tensor of ", x.ndim(), " axes (shape ", x.shape(), ")");
  std::vector<Item> out;
  int axis = 0;
  auto whole = [&](int n) {
    for (; n > 0; --n, ++axis)
      out.push_back({Item::slice, 0, 0, 1, false, false, {}});
  };
  for (const Item &item : items) {
    if (item.kind == Item::ellipsis) {
      whole(x.ndim() - used);
    } else if (item.kind == Item::array && item.index.dtype() == Dtype::bool_) {
      for (int i = 0; i < item.index.ndim(); ++i)
        if (item.index.shape()[i] != x.shape()[axis + i])
          fail<IndexError>("[index] the boolean mask has shape ", item.index.shape(), ", expected it to match axis ",
                           axis + i, " of size ", x.shape()[axis + i]);
      if (item.index.ndim() == 0) // NumPy's: a new axis of size 1 or 0
        out.push_back({Item::new_axis, 0, 0, 1, false, false, zeros({is_set(item.index) ? 1 : 0}, Dtype::int64)});
      for (Tensor &index : nonzero(item.index))
        out.push_back({Item::array, 0, 0, 1, false, false, index});
      axis += item.index.ndim();
    } else {
      out.push_back(item);
      axis += item.kind != Item::new_axis;
    }
  }
  whole(x.ndim() - axis);
  return out;
}

Range range_of(const Item &item, int64_t size) { // Python's slice semantics
  if (item.step == 0)
    fail<ValueError>("[index] the step of a slice is 0, expected any other number");
  auto clamp = [&](int64_t v, int64_t low, int64_t high) {
    return std::min(std::max(v < 0 ? v + size : v, low), high);
  };
  bool forward = item.step > 0;
  int64_t low = forward ? 0 : -1, high = forward ? size : size - 1;
  int64_t start = item.has_start ? clamp(item.start, low, high) : forward ? 0 : size - 1;
  int64_t stop = item.has_stop ? clamp(item.stop, low, high) : forward ? size : -1;
  int64_t n = forward ? (stop - start + item.step - 1) / item.step : (stop - start + item.step + 1) / item.step;
  return {start, item.step, std::max<int64_t>(n, 0)};
}

int64_t position(const Item &item, int64_t size, int axis) {
  if (item.start < -size || item.start >= size)
    fail<IndexError>("[index] index ", item.start, " is out of range for axis ", axis, " of size ", size, ", expected ",
                     -size, " to ", size - 1);
  return item.start < 0 ? item.start + size : item.start;
}

void check_indices(const Tensor &indices, int axis, int64_t size) {
  compute({"index", Effect::check}, {contiguous(indices)}, {}, [axis, size](const Tensor *in, const Tensor *) {
    const int64_t *i = in[0].data<int64_t>();
    for (int64_t n = 0; n < in[0].size(); ++n)
      if (i[n] < -size || i[n] >= size)
        fail<IndexError>("[index] index ", i[n], " is out of range for axis ", axis, " of size ", size, ", expected ",
                         -size, " to ", size - 1);
  });
}

} // namespace

Tensor get_item(const Tensor &x, const std::vector<Item> &given) {
  std::vector<Item> items = expand(x, given);
  const bool advanced =
      std::any_of(items.begin(), items.end(), [](const Item &i) { return i.kind == Item::array || i.index; });
  // First everything basic, as one view; beside arrays an integer counts as an array too.
  std::vector<Range> ranges;
  Shape shape; // after integers go and new axes come
  std::vector<std::pair<int, Tensor>> arrays;
  int axis = 0;
  bool whole = true;
  for (const Item &item : items) {
    if (item.kind == Item::new_axis) {
      if (item.index) // a 0-d boolean picks from it
        arrays.emplace_back(shape.size(), item.index);
      shape.push_back(1);
      continue;
    }
    int64_t size = x.shape()[axis];
    if (item.kind == Item::integer) {
      int64_t at = position(item, size, axis);
      ranges.push_back({at, 1, 1});
      if (advanced) {
        arrays.emplace_back(shape.size(), zeros({}, Dtype::int64));
        shape.push_back(1);
      }
      whole = false;
    } else if (item.kind == Item::slice) {
      Range r = range_of(item, size);
      whole &= r.start == 0 && r.step == 1 && r.count == size;
      ranges.push_back(r);
      shape.push_back(r.count);
    } else {
      arrays.emplace_back(shape.size(), item.index);
      ranges.push_back({0, 1, size});
      shape.push_back(size);
    }
    ++axis;
  }
  Tensor y = whole ? x : slice(x, ranges);
  if (!(y.shape() == shape))
    y = reshape(y, shape);
  if (!advanced)
    return y.body() == x.body() ? slice(x, ranges) : y; // always a new look
  if (arrays.size() == 1)
    return take(y, arrays[0].second, arrays[0].first);

  // Several arrays: broadcast together, their axes in front as one, picked by a combined index.
  Shape picked;
  for (auto &[at, index] : arrays) {
    const int n = std::min(picked.size(), index.ndim());
    for (int i = 1; i <= n; ++i)
      if (const int64_t p = picked[picked.size() - i], q = index.shape(-i); p != q && p != 1 && q != 1)
        fail<IndexError>("[index] index arrays of shapes ", picked, " and ", index.shape(), " do not broadcast");
    picked = broadcast(picked, index.shape(), "index");
  }
  Axes source, destination;
  Tensor flat = zeros(picked, Dtype::int64);
  int64_t merged = 1;
  bool adjacent = true;
  for (size_t k = 0; k < arrays.size(); ++k) {
    auto &[at, index] = arrays[k];
    int64_t size = y.shape()[at];
    if (!is_integer(index.dtype()))
      fail<IndexError>("[index] an index array has dtype ", index.dtype(), ", expected integers or booleans");
    Tensor i = astype(index, Dtype::int64);
    check_indices(i, at, size); // names the axis before indices are combined
    i = where(less(i, number(0, i)), add(i, double(size)), i);
    flat = add(multiply(flat, double(size)), i);
    merged *= size;
    source.push_back(at);
    destination.push_back(int64_t(k));
    adjacent &= k == 0 || at == arrays[k - 1].first + 1;
  }
  int first = arrays[0].first, lead = int(arrays.size());
  Tensor front = moveaxis(y, source, destination);
  Shape rest{merged};
  for (int i = lead; i < front.ndim(); ++i)
    rest.push_back(front.shape()[i]);
  Tensor z = take(reshape(front, rest), flat, 0);
  if (!adjacent || first == 0)
    return z;
  Axes from, to; // back to where the first array stood
  for (int i = 0; i < picked.size(); ++i) {
    from.push_back(i);
    to.push_back(first + i);
  }
  return moveaxis(z, from, to);
}

namespace {

bool is_basic(const std::vector<Item> &items) { // so that get_item gives a view
  return std::none_of(items.begin(), items.end(), [](const Item &i) { return i.kind == Item::array; });
}

Tensor spread(const Tensor &value, const Shape &shape) {
  Tensor v = value;
  while (v.ndim() > shape.size() && v.shape()[0] == 1) // leading axes of size 1 are dropped, as in NumPy
    v = squeeze(v, Axes{0});
  bool fits = v.ndim() <= shape.size();
  for (int i = 1; fits && i <= v.ndim(); ++i)
    fits = v.shape(-i) == 1 || v.shape(-i) == shape[shape.size() - i];
  if (!fits)
    fail<ValueError>("[set_item] the value has shape ", value.shape(), ", which does not broadcast to ", shape,
                     ", the shape of what is written");
  return broadcast_to(v, shape);
}

// Writes value into target[items], no questions asked.
void assign(const Tensor &target, const std::vector<Item> &items, const Tensor &value) {
  GradMode off(false);
  if (is_basic(items)) {
    Tensor region = get_item(alias(target), items);
    copy(spread(value, region.shape()), region);
    return;
  }
  // Where each picked element lies: the same picking, done on the elements' offsets.
  Tensor offsets = zeros({}, Dtype::int64);
  for (int axis = 0; axis < target.ndim(); ++axis) {
    Shape shape(target.ndim(), 1);
    shape[axis] = target.shape()[axis];
    Tensor steps = empty(shape, Dtype::int64);
    for (int64_t i = 0; i < shape[axis]; ++i)
      steps.data<int64_t>()[i] = i * target.strides()[axis];
    offsets = add(offsets, steps);
  }
  Tensor picked = contiguous(get_item(broadcast_to(offsets, target.shape()), items));
  Tensor values = contiguous(astype(spread(value, picked.shape()), target.dtype()));
  compute("set_item", {values, picked, target}, {target}, [](const Tensor *in, const Tensor *out) {
    const size_t bytes = itemsize(out[0].dtype());
    for (int64_t k = 0; k < in[1].size(); ++k)
      std::copy_n(in[0].data<char>() + size_t(k) * bytes, bytes,
                  out[0].data<char>() + in[1].data<int64_t>()[k] * int64_t(bytes));
  });
}

// value_shape without the leading axes of size 1 that what is written does not have.
Shape without_lead(Shape shape, const Tensor &dy, const std::vector<Item> &items) {
  GradMode off(false);
  const int n = get_item(detach(dy), items).ndim();
  while (shape.size() > n)
    shape.erase(0);
  return shape;
}

struct SetItemAttributes {
  std::vector<Item> items;
  Shape shape, value_shape;
};
struct SetItem final : OpWith<SetItemAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "set_item"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    *out = keep_value(in[0]);
    assign(*out, items, in[1]);
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0)) {
      Tensor written = zeros(shape, Dtype::bool_);
      assign(written, items, scalar(1, Dtype::bool_));
      v.dx(0, where(written, number(0, v.dy()), v.dy()));
    }
    if (v.needs(1))
      v.dx(1, reshape(sum_to(get_item(v.dy(), items), without_lead(value_shape, v.dy(), items)), value_shape));
  }
};

} // namespace

namespace {

// Python's x[i] += v writes through the view x[i], then assigns that view back: x is stale by that one write, which
// this assignment makes part of its history.
bool assigns_back(const Tensor &x, const std::vector<Item> &items, const Tensor &value) {
  const Storage *s = x->storage.get();
  if (value->storage.get() != s || value->version != s->version || x->version + 1 != s->version || !is_basic(items))
    return false;
  GradMode off(false);
  Tensor now = alias(x);
  now->version = s->version;
  Tensor region = get_item(now, items);
  return region->data == value->data && region.shape() == value.shape() && region.strides() == value.strides() &&
         region.dtype() == value.dtype();
}

} // namespace

// What an assignment writes: the view where items give one, else all.
static Tensor region_of(const Tensor &x, const std::vector<Item> &items) {
  GradMode off(false);
  return is_basic(items) ? get_item(alias(x), items) : x;
}

Tensor set_item(const Tensor &x, const std::vector<Item> &items, const Tensor &given) {
  bool recording = grad_enabled() && (x.requires_grad() || given.requires_grad());
  check_writable(x, "set_item", recording, !assigns_back(x, items, given));
  check_fresh(given, "set_item");
  Tensor value = astype(given, x.dtype());
  if (value->storage.get() == x->storage.get())
    value = keep_value(value);
  Tensor y = alias(x);
  y->version = y->storage->version;
  assign(y, items, value);
  mark_written(y, region_of(y, items));
  if (!recording) {
    x->version = y->version;
    return x;
  }
  y->storage->recorded_write = y->version;
  const Tensor in[2] = {x, value};
  record(*make_op<SetItem>({items, x.shape(), value.shape()}), in, 2, &y, 1);
  return y;
}

} // namespace cinta::ops
