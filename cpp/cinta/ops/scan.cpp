// Running sums and products, and sorting: along one axis.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/index.h"
#include "cinta/ops/join.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

// f(row of x, row of y, n) over x's last axis, contiguous, in the compute type T.
template <class T, class Y, class F> void for_rows(const Tensor &x, const Tensor &y, F f) {
  int64_t n = x.shape(-1);
  for (int64_t row = 0, rows = n ? x.size() / n : 0; row < rows; ++row)
    f(x.data<T>() + row * n, y.data<Y>() + row * n, n);
}
template <class F> void with_type(Dtype dtype, F f) {
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

Dtype running_dtype(Dtype dtype) {
  if (is_floating(dtype) || itemsize(dtype) == 8)
    return dtype;
  return dtype == Dtype::bool_ || info(dtype).signed_ ? Dtype::int64 : Dtype::uint64;
}

struct Cumsum final : OpWith<NoAttributes> { // along the last axis
  using OpWith::OpWith;
  const char *name() const override { return "cumsum"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor x = contiguous_native(in[0]), y = empty(x.shape(), x.dtype());
    compute(name(), {x}, {y}, [](const Tensor *in, const Tensor *out) {
      with_type(in[0].dtype(), [&](auto t) {
        using T = decltype(t);
        using Sum = std::conditional_t<std::is_same_v<T, float>, double, T>;
        for_rows<T, T>(in[0], out[0], [](const T *a, T *b, int64_t n) {
          Sum s = 0;
          for (int64_t i = 0; i < n; ++i)
            b[i] = T(s += Sum(a[i]));
        });
      });
    });
    *out = from_native(y, running_dtype(in[0].dtype()));
  }
  void vjp(Vjp &v) const override {
    Tensor turned = flip(v.dy(), Axes{-1});
    v.dx(0, flip(apply(make_op<Cumsum>({}), {turned}), Axes{-1}));
  }
};

Tensor last_axis(const Tensor &x, std::optional<int64_t> axis, const char *op, int &a) {
  if (!axis) {
    a = -1;
    return reshape(x, {x.size()});
  }
  a = normalize_axis(*axis, x.ndim(), op);
  return moveaxis(x, {a}, {-1});
}
Tensor back(const Tensor &y, int a) { return a < 0 ? y : moveaxis(y, {-1}, {a}); }

// NaN sorts last in either direction, equal values keep their order.
template <class T> bool before(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a < b || (std::isnan(b) && !std::isnan(a));
  else
    return a < b;
}
template <class T> bool before_descending(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a > b || (std::isnan(b) && !std::isnan(a));
  else
    return a > b;
}

} // namespace

Tensor cumsum(const Tensor &x, std::optional<int64_t> axis) {
  int a;
  Tensor z = last_axis(x, axis, "cumsum", a);
  return back(apply(make_op<Cumsum>({}), {z}), a);
}

Tensor cumprod(const Tensor &x, std::optional<int64_t> axis) {
  int a;
  Tensor y = last_axis(astype(x, running_dtype(x.dtype())), axis, "cumprod", a);
  // Doubling steps, products only: zeros are safe for the gradient, to any order.
  int last = y.ndim() - 1;
  for (int64_t step = 1, n = y.shape(-1); step < n; step *= 2)
    y = concat({narrow(y, last, 0, step), multiply(narrow(y, last, step, n - step), narrow(y, last, 0, n - step))},
               last);
  return back(y, a);
}

Tensor argsort(const Tensor &x, int64_t axis, bool descending) {
  check_fresh(x, "argsort");
  GradMode off(false);
  if (x.ndim() == 0)
    fail<ValueError>("[argsort] a 0-d tensor has no axis to sort along, expected at least 1 axis");
  int a;
  Tensor z = contiguous_native(last_axis(x, axis, "argsort", a)), order = empty(z.shape(), Dtype::int64);
  compute("argsort", {z}, {order}, [descending](const Tensor *in, const Tensor *out) {
    with_type(in[0].dtype(), [&](auto t) {
      using T = decltype(t);
      for_rows<T, int64_t>(in[0], out[0], [&](const T *row, int64_t *index, int64_t n) {
        std::iota(index, index + n, int64_t(0));
        if (descending)
          std::stable_sort(index, index + n, [&](int64_t i, int64_t j) { return before_descending(row[i], row[j]); });
        else
          std::stable_sort(index, index + n, [&](int64_t i, int64_t j) { return before(row[i], row[j]); });
      });
    });
  });
  return contiguous(back(order, a));
}

Tensor sort(const Tensor &x, int64_t axis, bool descending) {
  return take_along_axis(x, argsort(x, axis, descending), axis);
}

Tensors topk(const Tensor &x, int64_t k, int64_t axis, bool largest) {
  int a = normalize_axis(axis, x.ndim(), "topk");
  if (k < 0 || k > x.shape()[a])
    fail<ValueError>("[topk] k is ", k, ", expected 0 to ", x.shape()[a], " (the size of axis ", axis, " of shape ",
                     x.shape(), ")");
  Tensor order;
  {
    GradMode off(false);
    order = contiguous(narrow(argsort(x, a, largest), a, 0, k));
  }
  return {take_along_axis(x, order, a), order};
}

} // namespace cinta::ops
