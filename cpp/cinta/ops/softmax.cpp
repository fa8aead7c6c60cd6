#include "cinta/ops/softmax.h"

#include <algorithm>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/index.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

int64_t rows_of(const Tensor &x) { return x.shape(-1) ? x.size() / x.shape(-1) : 0; }

struct RowsWork { // y = (log) softmax(x) row by row, over the last axis
  bool log;
  void operator()(const Tensor *in, const Tensor *out) const {
    const Tensor &x = in[0];
    const auto &f = log ? kernel().log_softmax_rows : kernel().softmax_rows;
    f[floating_index(x.dtype())](rows_of(x), x.shape(-1), x.data(), out[0].data());
  }
};
struct RowsVjpWork { // dx of y and dy
  bool log;
  void operator()(const Tensor *in, const Tensor *out) const {
    const Tensor &y = in[0];
    const auto &f = log ? kernel().log_softmax_rows_vjp : kernel().softmax_rows_vjp;
    f[floating_index(y.dtype())](rows_of(y), y.shape(-1), y.data(), in[1].data(), out[0].data());
  }
};

Tensor forward_rows(bool log, const Tensor &x) { // in the compute type
  Tensor z = contiguous_native(x), y = empty(x.shape(), z.dtype());
  if (y.size())
    compute(log ? "log_softmax" : "softmax", {z}, {y}, RowsWork{log});
  return from_native(y, x.dtype());
}
Tensor vjp_rows(bool log, const Tensor &y, const Tensor &dy) {
  Tensor a = contiguous_native(y), b = contiguous_native(dy), dx = empty(y.shape(), a.dtype());
  if (dx.size())
    compute(log ? "log_softmax" : "softmax", {a, b}, {dx}, RowsVjpWork{log});
  return from_native(dx, y.dtype());
}

struct Softmax final : OpWith<NoAttributes> { // over the last axis
  using OpWith::OpWith;
  const char *name() const override { return "softmax"; }
  uint32_t saves() const override { return saves::output(); }
  void forward(const Tensor *in, int, Tensor *out) const override { *out = forward_rows(false, in[0]); }
  void vjp(Vjp &v) const override { // dx = y (dy - sum(y dy))
    const Tensor &y = v.out(), &dy = v.dy();
    v.dx(0, grad_enabled() ? multiply(y, subtract(dy, sum(multiply(y, dy), Axes{-1}, true))) : vjp_rows(false, y, dy));
  }
};

struct LogSoftmax final : OpWith<NoAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "log_softmax"; }
  uint32_t saves() const override { return saves::output(); }
  void forward(const Tensor *in, int, Tensor *out) const override { *out = forward_rows(true, in[0]); }
  void vjp(Vjp &v) const override { // dx = dy - e^y sum(dy)
    const Tensor &y = v.out(), &dy = v.dy();
    v.dx(0, grad_enabled() ? subtract(dy, multiply(exp(y), sum(dy, Axes{-1}, true))) : vjp_rows(true, y, dy));
  }
};

Tensor over_axis(const OpRef &op, const Tensor &x, int64_t axis) {
  check_floating(x, op->name());
  int a = normalize_axis(axis, x.ndim(), op->name());
  if (a == x.ndim() - 1)
    return apply(op, {x});
  return moveaxis(apply(op, {moveaxis(x, {a}, {-1})}), {-1}, {a});
}

kernels::CrossEntropy cross_entropy_problem(const Tensor *in, double label_smoothing) { // of x, target, weight
  return {in[0].shape()[0],     in[0].shape()[1], -1, label_smoothing, in[2] ? in[2].data() : nullptr,
          in[1].data<int64_t>()};
}
struct CrossEntropyWork { // in: x, target, weight; out: loss, logsumexp
  double label_smoothing;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().cross_entropy_rows[floating_index(in[0].dtype())](cross_entropy_problem(in, label_smoothing), in[0].data(),
                                                               out[0].data(), out[1].data());
  }
};
struct CrossEntropyVjpWork { // in: x, target, weight, logsumexp, dy, one for each row or for all; out: dx
  double label_smoothing;
  int scale_step;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().cross_entropy_rows_vjp[floating_index(in[0].dtype())](cross_entropy_problem(in, label_smoothing),
                                                                   in[0].data(), in[3].data(), in[4].data(), scale_step,
                                                                   out[0].data());
  }
};

struct CrossEntropyAttributes {
  Tensor target; // int64 [rows], -1 where ignored
  Tensor weight; // [C] or empty, in x's compute dtype
  double label_smoothing;
};
// loss [rows] of x [rows,C]; the second output is logsumexp [rows], for backward
struct CrossEntropy final : OpWith<CrossEntropyAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "cross_entropy"; }
  int outputs() const override { return 2; }
  uint32_t saves() const override { return saves::input(0) | saves::output(1); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor x = contiguous_native(in[0]);
    out[0] = empty({x.shape()[0]}, x.dtype());
    out[1] = empty({x.shape()[0]}, x.dtype());
    compute(name(), {x, target, weight}, {out[0], out[1]}, CrossEntropyWork{label_smoothing});
  }
  void vjp(Vjp &v) const override {
    const Tensor &x = v.in(0), &dy = v.dy(0);
    if (!dy)
      return;
    if (grad_enabled()) { // the same loss in differentiable pieces: d loss / d x = coefficient softmax(x) - q
      Tensor q = coefficients(x);
      Tensor total = sum(q, Axes{1}, true);
      v.dx(0, multiply(expand_dims(dy, {1}), subtract(multiply(total, softmax(x, 1)), q)));
      return;
    }
    Tensor z = contiguous_native(x), lse = contiguous_native(v.out(1)), dx = empty(x.shape(), z.dtype());
    bool one = dy.ndim() == 1 && dy.size() > 1 && dy.strides()[0] == 0 && is_native(dy.dtype());
    Tensor scale = one ? dy : contiguous_native(dy);
    compute(name(), {z, target, weight, lse, scale}, {dx}, CrossEntropyVjpWork{label_smoothing, one ? 0 : 1});
    v.dx(0, from_native(dx, x.dtype()));
  }
  // What -log softmax is weighted with: one-hot mixed with uniform, times the class weights; 0 in ignored rows.
  Tensor coefficients(const Tensor &x) const {
    const int64_t classes = x.shape()[1];
    Tensor valid = expand_dims(astype(greater_equal(target, number(0, target)), x.dtype()), {1});
    Tensor at = where(less(target, number(0, target)), number(0, target), target);
    Tensor hot = one_hot(at, classes, x.dtype());
    Tensor q = add(multiply(hot, 1 - label_smoothing), label_smoothing / double(classes));
    if (weight)
      q = multiply(q, astype(weight, x.dtype()));
    return multiply(q, valid);
  }
};

// [N,C,d1,..] as rows [N d1 .., C]
Tensor as_rows(const Tensor &x, const char *op) {
  if (x.ndim() == 1)
    return reshape(x, {1, x.size()});
  if (x.ndim() == 2)
    return x;
  if (x.ndim() == 0)
    fail<ValueError>("[", op, "] input is 0-d, expected [N,C] or [N,C,d1,...]");
  Tensor last = moveaxis(x, {1}, {-1});
  return reshape(last, {last.size() / std::max<int64_t>(last.shape(-1), 1), last.shape(-1)});
}

Shape target_shape(const Tensor &x) {
  Shape shape = x.shape();
  shape.erase(x.ndim() == 1 ? 0 : 1);
  return shape;
}

// Class indices as int64 rows, -1 where ignored; everything else must lie in [0, classes).
Tensor checked_target(const Tensor &x, const Tensor &target, int64_t classes, int64_t ignore_index, const char *op) {
  if (!is_integer(target.dtype()))
    fail<TypeError>("[", op, "] target has dtype ", target.dtype(), " and shape ", target.shape(),
                    ", expected class indices "
                    "(an integer dtype) of shape ",
                    target_shape(x), " or probabilities of shape ", x.shape());
  if (!(target.shape() == target_shape(x)))
    fail<ValueError>("[", op, "] target has shape ", target.shape(), ", expected ", target_shape(x), " (input ",
                     x.shape(), ")");
  Tensor rows = empty({target.size()}, Dtype::int64);
  {
    GradMode off(false);
    copy(reshape(target, {target.size()}), rows);
  }
  compute({op, Effect::check}, {rows}, {rows}, [op, classes, ignore_index](const Tensor *, const Tensor *out) {
    int64_t *t = out[0].data<int64_t>();
    for (int64_t i = 0; i < out[0].size(); ++i) {
      if (t[i] == ignore_index)
        t[i] = -1;
      else if (t[i] < 0 || t[i] >= classes)
        fail<IndexError>("[", op, "] target ", t[i], " at row ", i, " is out of range, expected 0 to ", classes - 1,
                         " (", classes, " classes) or ignore_index ", ignore_index);
    }
  });
  return rows;
}

void check_weight(const Tensor &weight, int64_t classes, const char *op) {
  if (weight && !(weight.shape() == Shape{classes}))
    fail<ValueError>("[", op, "] weight has shape ", weight.shape(), ", expected [", classes, "] (one per class)");
}

Tensor weight_of(const Tensor &target, const Tensor &weight, Dtype dtype) { // per row, 0 where ignored
  Tensor valid = astype(greater_equal(target, number(0, target)), dtype);
  if (!weight)
    return valid;
  Tensor at = where(less(target, number(0, target)), number(0, target), target);
  return multiply(valid, take(astype(weight, dtype), at, 0));
}

// What a mean divides by: how many rows are not ignored, or the sum of their classes' weights. 0-d, of like's dtype.
Tensor valid_weight(const Tensor &target, const Tensor &weight, const Tensor &like) {
  const Tensor each = weight ? contiguous(astype(weight_of(target, weight, weight.dtype()), Dtype::float64)) : target;
  const Tensor y = empty({}, like.dtype());
  compute("valid_weight", {each}, {y}, [weighted = bool(weight)](const Tensor *in, const Tensor *out) {
    const int64_t n = in[0].size();
    double sum = 0;
    if (weighted)
      for (int64_t i = 0; i < n; ++i)
        sum += in[0].data<double>()[i];
    else
      sum = double(std::count_if(in[0].data<int64_t>(), in[0].data<int64_t>() + n, [](int64_t i) { return i >= 0; }));
    copy(scalar(sum, Dtype::float64), out[0]);
  });
  return y;
}

} // namespace

Tensor softmax(const Tensor &x, int64_t axis) { return over_axis(make_op<Softmax>({}), x, axis); }
Tensor log_softmax(const Tensor &x, int64_t axis) { return over_axis(make_op<LogSoftmax>({}), x, axis); }

Tensor cross_entropy(const Tensor &x, const Tensor &target, const Tensor &weight, const CrossEntropyOptions &options) {
  const char *op = "cross_entropy";
  check_floating(x, op);
  Tensor rows = as_rows(x, op);
  const int64_t classes = rows.shape()[1];
  check_weight(weight, classes, op);
  if (options.label_smoothing < 0 || options.label_smoothing > 1)
    fail<ValueError>("[cross_entropy] label_smoothing is ", options.label_smoothing, ", expected 0 to 1");
  if (is_floating(target.dtype())) {
    if (!(target.shape() == x.shape()))
      fail<ValueError>("[cross_entropy] target probabilities have shape ", target.shape(), ", expected ", x.shape(),
                       " as the input");
    Tensor q = astype(as_rows(target, op), x.dtype());
    if (options.label_smoothing > 0)
      q = add(multiply(q, 1 - options.label_smoothing), options.label_smoothing / double(classes));
    if (weight)
      q = multiply(q, astype(weight, x.dtype()));
    Tensor loss = neg(sum(multiply(q, log_softmax(rows, 1)), Axes{1}, false));
    return options.reduction == Reduction::none  ? reshape(loss, target_shape(x))
           : options.reduction == Reduction::sum ? sum(loss)
                                                 : mean(loss);
  }
  Tensor t = checked_target(x, target, classes, options.ignore_index, op);
  Dtype native = x.dtype() == Dtype::float64 ? Dtype::float64 : Dtype::float32;
  Tensor w = weight ? contiguous(astype(detach(weight), native)) : weight, out[2];
  apply(make_op<CrossEntropy>({t, w, options.label_smoothing}), &rows, 1, out);
  Tensor loss = out[0];
  if (options.reduction == Reduction::none)
    return astype(reshape(loss, target_shape(x)), x.dtype());
  Tensor total = sum(loss);
  if (options.reduction == Reduction::sum)
    return astype(total, x.dtype());
  return astype(divide(total, valid_weight(t, w, total)), x.dtype());
}

Tensor nll_loss(const Tensor &x, const Tensor &target, const Tensor &weight, int64_t ignore_index,
                Reduction reduction) {
  const char *op = "nll_loss";
  check_floating(x, op);
  Tensor rows = as_rows(x, op);
  check_weight(weight, rows.shape()[1], op);
  Tensor t = checked_target(x, target, rows.shape()[1], ignore_index, op);
  Tensor w = weight_of(t, weight, x.dtype());
  Tensor at = expand_dims(where(less(t, number(0, t)), number(0, t), t), {1});
  Tensor loss = neg(multiply(w, squeeze(take_along_axis(rows, at, 1), Axes{1})));
  if (reduction == Reduction::none)
    return reshape(loss, target_shape(x));
  return reduction == Reduction::sum ? sum(loss) : divide(sum(loss), sum(w));
}

} // namespace cinta::ops
