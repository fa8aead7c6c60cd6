#include "cinta/tensor/shape.h"

#include <algorithm>
#include <cstdlib>

namespace cinta {

int64_t count(const Shape &shape) {
  int64_t n = 1;
  bool zero = std::find(shape.begin(), shape.end(), 0) != shape.end();
  for (int64_t d : shape) {
    if (d < 0)
      fail<ValueError>("a shape has no negative sizes, got ", shape);
    if (!zero && __builtin_mul_overflow(n, d, &n))
      fail<ValueError>("shape ", shape, " has more elements than can be counted in 64 bits");
  }
  return zero ? 0 : n;
}

Strides contiguous_strides(const Shape &shape) {
  Strides strides(shape.size(), 1);
  for (int i = shape.size() - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * std::max<int64_t>(shape[i + 1], 1);
  return strides;
}

Dims axes_by_stride(const Strides &strides) {
  Dims order;
  for (int axis = 0; axis < strides.size(); ++axis) {
    int at = axis;
    while (at > 0 && std::abs(strides[int(order[at - 1])]) < std::abs(strides[axis]))
      --at;
    order.insert(at, axis);
  }
  return order;
}

bool is_dense(const Shape &shape, const Strides &strides) {
  const Dims order = axes_by_stride(strides);
  int64_t expected = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    const int axis = int(order[i]);
    if (shape[axis] == 1)
      continue;
    if (strides[axis] != expected)
      return false;
    expected *= shape[axis];
  }
  return true;
}

bool is_contiguous(const Shape &shape, const Strides &strides) {
  int64_t expected = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    if (shape[i] == 0)
      return true;
    if (shape[i] == 1)
      continue;
    if (strides[i] != expected)
      return false;
    expected *= shape[i];
  }
  return true;
}

Shape broadcast(const Shape &a, const Shape &b, const char *op) {
  int n = std::max(a.size(), b.size());
  Shape out(n, 1);
  for (int i = 0; i < n; ++i) {
    int ia = i - (n - a.size()), ib = i - (n - b.size());
    int64_t da = ia < 0 ? 1 : a[ia], db = ib < 0 ? 1 : b[ib];
    if (da != db && da != 1 && db != 1)
      fail<ValueError>("[", op, "] shapes ", a, " and ", b, " do not broadcast: axis ", i - n, " has sizes ", da,
                       " and ", db, ", expected equal sizes or 1");
    out[i] = da == 1 ? db : da;
  }
  return out;
}

int normalize_axis(int64_t axis, int ndim, const char *op) {
  if (axis < -ndim || axis >= ndim)
    fail<ValueError>("[", op, "] axis ", axis, " is out of range for a tensor of ", ndim, " axes, expected ", -ndim,
                     " to ", ndim - 1);
  return int(axis < 0 ? axis + ndim : axis);
}

Axes normalize_axes(const Axes &axes, int ndim, const char *op) {
  Axes out;
  for (int64_t axis : axes)
    out.push_back(normalize_axis(axis, ndim, op));
  std::sort(out.begin(), out.end());
  for (int i = 1; i < out.size(); ++i)
    if (out[i] == out[i - 1])
      fail<ValueError>("[", op, "] axis ", out[i], " is given twice in ", axes);
  return out;
}

std::ostream &operator<<(std::ostream &out, const Dims &dims) {
  out << '[';
  for (int i = 0; i < dims.size(); ++i)
    out << (i ? "," : "") << dims[i];
  return out << ']';
}

} // namespace cinta
