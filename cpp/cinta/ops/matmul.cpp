#include "cinta/ops/matmul.h"

#include <algorithm>

#include "cinta/ops/matmul_work.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

using kernels::Gemm;

Tensor converted(const Tensor &x) { // in the order in which it lies
  const bool transposed = x.strides()[x.ndim() - 2] < x.strides()[x.ndim() - 1];
  return transposed ? matrix_transpose(contiguous_native(matrix_transpose(x))) : contiguous_native(x);
}

// Matrices in a dtype that gemm multiplies: their own, or their compute type.
Tensor native(const Tensor &x) { return is_native(x.dtype()) ? x : converted(x); }

Dtype product_dtype(const Tensor &a, const Tensor &b, const char *op) {
  Dtype dtype = promote(a.dtype(), b.dtype());
  if (dtype == Dtype::bool_)
    fail_dtype(op, dtype, "a number dtype: convert with .astype");
  return dtype;
}

Gemm problem(const Tensor &a, const Tensor &b, const Tensor &c) { // over the last two axes
  int ra = a.ndim() - 2, rb = b.ndim() - 2, rc = c.ndim() - 2;
  return {a.shape()[ra],
          b.shape()[rb + 1],
          a.shape()[ra + 1],
          a.data(),
          a.strides()[ra],
          a.strides()[ra + 1],
          b.data(),
          b.strides()[rb],
          b.strides()[rb + 1],
          c.data(),
          c.strides()[rc],
          false,
          nullptr,
          nullptr};
}

// Whether the products of bfloat16 operands, one or a batch, were computed as they lie in memory.
bool run_bfloat16(Gemm g, const Tensor &a, const Tensor &b, const Tensor &c) {
  const kernels::GemmBfloat16 multiply = kernel().gemm_bfloat16;
  if (a.dtype() != Dtype::bfloat16 || !multiply || !multiply(g)) // the first says whether they all will
    return false;
  for (int64_t i = 1; c.ndim() == 3 && i < c.shape()[0]; ++i) {
    g.A = a.data<uint16_t>() + i * a.strides()[0];
    g.B = b.data<uint16_t>() + i * b.strides()[0];
    g.C = c.data<uint16_t>() + i * c.strides()[0];
    if (g.bias_n)
      g.bias_n = static_cast<const float *>(g.bias_n) + g.bias_n_batch;
    multiply(g);
  }
  return true;
}

double flops(const Tensor &c, const Tensor &a) { return 2.0 * double(c.size()) * double(a.shape(-1)); }

struct BatchProductWork { // z [B,M,N] = a [B,M,K] b [B,K,N] + bias [B,1,N]; in: a, b, bias or not
  bool with_bias;
  void operator()(const Tensor *in, const Tensor *out) const {
    const Tensor &a = in[0], &b = in[1], &z = out[0];
    const auto biased = [&](Gemm g) {
      if (with_bias)
        g.bias_n = in[2].data(), g.bias_n_batch = g.N;
      return g;
    };
    if (run_bfloat16(biased(problem(a, b, z)), a, b, z))
      return;
    const Tensor x = native(a), y = native(b), c = x.dtype() == z.dtype() ? z : empty(z.shape(), x.dtype());
    kernel().gemm_batch[int(compute_type(x.dtype()))](biased(problem(x, y, c)), c.shape()[0], x.strides()[0],
                                                      y.strides()[0], c.strides()[0]);
    if (c.body() != z.body())
      copy(c, z);
  }
};

// [M,K] x [K,N] + bias [N] in their dtype: sums in the compute type, rounded once. `activation`: of a native dtype.
Tensor product(const Tensor &a, const Tensor &b, const Tensor &bias_n = {},
               const std::optional<Activation> &activation = {}) {
  const Tensor z = empty({a.shape()[0], b.shape()[1]}, a.dtype());
  const Tensor in[3] = {a, b, bias_n ? contiguous_native(bias_n) : bias_n};
  const Tensor out[2] = {z, Tensor()};
  if (z.size())
    compute({"matmul", Effect::none, flops(z, a)}, Operands(in, bias_n ? 3 : 2), Operands(out, activation ? 2 : 1),
            ProductWork{bool(bias_n), activation, Sharing::unknown});
  return z;
}

// [B,M,K] x [B,K,N] + bias [B,N], as above.
Tensor batch_product(const Tensor &a, const Tensor &b, const Tensor &bias = {}) {
  const Tensor z = empty({a.shape()[0], a.shape()[1], b.shape()[2]}, a.dtype());
  const Tensor in[3] = {a, b, bias ? contiguous_native(bias) : bias};
  if (z.size())
    compute({"matmul", Effect::none, flops(z, a)}, Operands(in, bias ? 3 : 2), Operands(&z, 1),
            BatchProductWork{bool(bias)});
  return z;
}

// Batched products [.., M,K] x [.., K,N], batch axes already equal.
struct Matmul final : OpWith<NoAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "matmul"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    GradMode off(false);
    if (in[0].ndim() == 2) {
      *out = product(in[0], in[1]);
      return;
    }
    Shape shape = in[0].shape();
    shape[shape.size() - 1] = in[1].shape(-1);
    int64_t batch = 1;
    for (int i = 0; i < shape.size() - 2; ++i)
      batch *= shape[i];
    Tensor a = merge_batch(in[0], batch); // the batch axes as one, a copy only where strides demand it
    Tensor b = merge_batch(in[1], batch);
    *out = reshape(batch_product(a, b), shape);
  }
  static Tensor merge_batch(const Tensor &x, int64_t batch) { return reshape(x, {batch, x.shape(-2), x.shape(-1)}); }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, matmul(v.dy(), matrix_transpose(v.in(1))));
    if (v.needs(1))
      v.dx(1, matmul(matrix_transpose(v.in(0)), v.dy()));
  }
};

struct LinearAttributes {
  std::optional<Activation> activation; // only where nothing is recorded
};
struct Linear final : OpWith<LinearAttributes> { // x [M,K], weight [N,K], bias [N]; or each with a batch axis in front
  using OpWith::OpWith;
  const char *name() const override { return "linear"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1); }
  void forward(const Tensor *in, int n, Tensor *out) const override {
    GradMode off(false);
    const Tensor weight = matrix_transpose(in[1]), bias = n > 2 ? in[2] : Tensor();
    *out = weight.ndim() == 3 ? batch_product(in[0], weight, bias) : product(in[0], weight, bias, activation);
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, matmul(v.dy(), v.in(1)));
    if (v.needs(1))
      v.dx(1, matmul(matrix_transpose(v.dy()), v.in(0)));
    if (v.inputs() > 2 && v.needs(2))
      v.dx(2, sum(v.dy(), Axes{-2}, false));
  }
};

// Layers of the same shape side by side: x [B,..,I], weight [B,O,I], bias [B,O].
Tensor apply_linears(const OpRef &op, const Tensor &x, const Tensor &weight, const Tensor &bias) {
  const int64_t batch = weight.shape()[0], outputs = weight.shape()[1], features = weight.shape()[2];
  if (x.ndim() < 2 || x.shape()[0] != batch || x.shape(-1) != features)
    fail<ValueError>("[linear] input has shape ", x.shape(), ", expected [", batch, ", ..., ", features,
                     "] (weight [batch,out,in] = ", weight.shape(), ")");
  if (bias && !(bias.shape() == Shape{batch, outputs}))
    fail<ValueError>("[linear] bias has shape ", bias.shape(), ", expected ", Shape{batch, outputs},
                     " (weight [batch,out,in] = ", weight.shape(), ")");
  const Dtype dtype = product_dtype(x, weight, "linear");
  Shape shape = x.shape();
  shape[shape.size() - 1] = outputs;
  int64_t rows = 1;
  for (int i = 1; i < x.ndim() - 1; ++i)
    rows *= x.shape()[i];
  const Tensor in[3] = {reshape(astype(x, dtype), {batch, rows, features}), astype(weight, dtype),
                        bias ? astype(bias, dtype) : bias};
  Tensor y;
  apply(op, in, bias ? 3 : 2, &y);
  return reshape(y, shape);
}

Tensor apply_linear(const OpRef &op, const Tensor &x, const Tensor &weight, const Tensor &bias) {
  if (weight.ndim() == 3)
    return apply_linears(op, x, weight, bias);
  if (weight.ndim() != 2)
    fail<ValueError>("[linear] weight has shape ", weight.shape(), ", expected [out,in] or [batch,out,in]");
  if (x.ndim() == 0 || x.shape(-1) != weight.shape()[1])
    fail<ValueError>("[linear] input has ", x.ndim() ? x.shape(-1) : 0, " features (shape ", x.shape(), "), expected ",
                     weight.shape()[1], " (weight [out,in] = ", weight.shape(), ")");
  if (bias && !(bias.shape() == Shape{weight.shape()[0]}))
    fail<ValueError>("[linear] bias has shape ", bias.shape(), ", expected [", weight.shape()[0],
                     "] (weight [out,in] = ", weight.shape(), ")");
  Dtype dtype = product_dtype(x, weight, "linear");
  Tensor rows = astype(x, dtype);
  if (x.ndim() != 2)
    rows = reshape(rows, {x.size() / std::max<int64_t>(x.shape(-1), 1), x.shape(-1)});
  Tensor in[3] = {rows, astype(weight, dtype), bias ? astype(bias, dtype) : bias}, y;
  apply(op, in, bias ? 3 : 2, &y);
  if (x.ndim() == 2)
    return y;
  Shape shape = x.shape();
  shape[shape.size() - 1] = weight.shape()[0];
  return reshape(y, shape);
}

} // namespace

void ProductWork::operator()(const Tensor *in, const Tensor *out) const {
  const Tensor &a = in[0], &b = in[1], bias = with_bias ? in[2] : Tensor();
  const bool keeps = activation && out[1];
  const Tensor &z = keeps ? out[1] : out[0];
  Gemm g = problem(a, b, z);
  g.bias_n = bias ? bias.data() : nullptr;
  if (run_bfloat16(g, a, b, z))
    return;
  const Tensor x = native(a), y = native(b), c = x.dtype() == z.dtype() ? z : empty(z.shape(), x.dtype());
  gemm(x, y, c, bias, activation, keeps ? out[0] : Tensor(), sharing);
  if (c.body() != z.body())
    copy(c, z);
}

void gemm(const Tensor &a, const Tensor &b, const Tensor &c, const Tensor &bias_n,
          const std::optional<Activation> &activation, const Tensor &activated, Sharing sharing) {
  if (c.size() == 0)
    return;
  Gemm g = problem(a, b, c);
  g.bias_n = bias_n ? bias_n.data() : nullptr;
  if (activation) {
    g.activation = kernel().unary[int(activation->op)][int(compute_type(c.dtype()))];
    g.activation_params = activation->parameters.value;
    g.activated = activated ? activated.data() : nullptr;
  }
  const PackedWeights weights(b, g, sharing);
  kernel().gemm[int(compute_type(a.dtype()))](g);
}

void add_gemm(const Tensor &a, const Tensor &b, const Tensor &c) {
  if (c.size() == 0)
    return;
  Gemm g = problem(a, b, c);
  g.accumulate = true;
  const PackedWeights weights(b, g);
  kernel().gemm[int(compute_type(a.dtype()))](g);
}

Tensor matmul(const Tensor &a, const Tensor &b) {
  if (a.ndim() == 0 || b.ndim() == 0)
    fail<ValueError>("[matmul] operands have shapes ", a.shape(), " and ", b.shape(),
                     ", expected at least 1 axis each: "
                     "multiply by a scalar with *");
  Dtype dtype = product_dtype(a, b, "matmul");
  Tensor x = astype(a, dtype), y = astype(b, dtype);
  if (a.ndim() == 1)
    x = expand_dims(x, {0});
  if (b.ndim() == 1)
    y = expand_dims(y, {1});
  if (x.shape(-1) != y.shape(-2))
    fail<ValueError>("[matmul] shapes ", a.shape(), " and ", b.shape(), " do not fit: axis -1 of the first has size ",
                     x.shape(-1), ", axis ", b.ndim() == 1 ? -1 : -2, " of the second ", y.shape(-2),
                     ", expected the same");
  if (x.ndim() > 2 || y.ndim() > 2) {
    Shape xb(x.shape()), yb(y.shape());
    for (Shape *s : {&xb, &yb}) {
      s->erase(s->size() - 1);
      s->erase(s->size() - 1);
    }
    if (yb.empty() && b.ndim() > 1) { // one matrix for all: a single product
      Shape out = xb;
      out.push_back(x.shape(-2));
      out.push_back(y.shape(-1));
      Tensor z = matmul(reshape(x, {count(xb) * x.shape(-2), x.shape(-1)}), y);
      return a.ndim() == 1 ? squeeze(reshape(z, out), Axes{-2}) : reshape(z, out);
    }
    Shape batch = broadcast(xb, yb, "matmul");
    xb = yb = batch;
    for (int i : {-2, -1}) {
      xb.push_back(x.shape(i));
      yb.push_back(y.shape(i));
    }
    x = broadcast_to(x, xb);
    y = broadcast_to(y, yb);
  }
  Tensor z = apply(make_op<Matmul>({}), {x, y});
  if (a.ndim() == 1)
    z = squeeze(z, Axes{-2});
  return b.ndim() == 1 ? squeeze(z, Axes{-1}) : z;
}

Tensor linear(const Tensor &x, const Tensor &weight, const Tensor &bias) {
  static const OpRef &op = *new OpRef(make_op<Linear>({}));
  return apply_linear(op, x, weight, bias);
}

Tensor linear(const Tensor &x, const Tensor &weight, const Tensor &bias, const Activation &activation) {
  const Dtype dtype = product_dtype(x, weight, "linear");
  const bool records =
      grad_enabled() && (x.requires_grad() || weight.requires_grad() || (bias && bias.requires_grad()));
  if (records || weight.ndim() != 2 || !is_native(dtype) ||
      !kernel().unary[int(activation.op)][int(compute_type(dtype))])
    return unary(activation.op, linear(x, weight, bias), activation.parameters);
  return apply_linear(make_op<Linear>({std::optional(activation)}), x, weight, bias);
}

Tensor tensordot(const Tensor &a, const Tensor &b, const Axes &a_axes, const Axes &b_axes) {
  if (a_axes.size() != b_axes.size())
    fail<ValueError>("[tensordot] axes ", a_axes, " and ", b_axes, " differ in length");
  Axes order_a, order_b, sum_a, sum_b;
  Shape out;
  int64_t m = 1, n = 1, k = 1;
  for (int i = 0; i < a_axes.size(); ++i) {
    sum_a.push_back(normalize_axis(a_axes[i], a.ndim(), "tensordot"));
    sum_b.push_back(normalize_axis(b_axes[i], b.ndim(), "tensordot"));
    int64_t sa = a.shape()[int(sum_a[i])], sb = b.shape()[int(sum_b[i])];
    if (sa != sb)
      fail<ValueError>("[tensordot] axis ", a_axes[i], " of ", a.shape(), " and axis ", b_axes[i], " of ", b.shape(),
                       " have sizes ", sa, " and ", sb, ", expected the same");
    k *= sa;
  }
  auto in = [](const Axes &axes, int i) { return std::find(axes.begin(), axes.end(), i) != axes.end(); };
  for (int i = 0; i < a.ndim(); ++i)
    if (!in(sum_a, i)) {
      order_a.push_back(i);
      out.push_back(a.shape()[i]);
      m *= a.shape()[i];
    }
  for (int64_t i : sum_a)
    order_a.push_back(i);
  for (int64_t i : sum_b)
    order_b.push_back(i);
  for (int i = 0; i < b.ndim(); ++i)
    if (!in(sum_b, i)) {
      order_b.push_back(i);
      out.push_back(b.shape()[i]);
      n *= b.shape()[i];
    }
  Tensor x = a.ndim() ? transpose(a, order_a) : a, y = b.ndim() ? transpose(b, order_b) : b;
  return reshape(matmul(reshape(x, {m, k}), reshape(y, {k, n})), out);
}

Tensor outer(const Tensor &a, const Tensor &b) {
  return multiply(reshape(a, {a.size(), 1}), reshape(b, {1, b.size()}));
}

Tensor inner(const Tensor &a, const Tensor &b) {
  return a.ndim() == 0 || b.ndim() == 0 ? multiply(a, b) : tensordot(a, b, {-1}, {-1});
}

Tensor dot(const Tensor &a, const Tensor &b) {
  if (a.ndim() == 0 || b.ndim() == 0)
    return multiply(a, b);
  return a.ndim() <= 2 && b.ndim() <= 2 ? matmul(a, b) : tensordot(a, b, {-1}, {b.ndim() == 1 ? -1 : -2});
}

Tensor kron(const Tensor &a, const Tensor &b) {
  int n = std::max(a.ndim(), b.ndim());
  Shape sa, sb, out;
  for (int i = 0; i < n; ++i) {
    int ia = i - (n - a.ndim()), ib = i - (n - b.ndim());
    int64_t x = ia < 0 ? 1 : a.shape()[ia], y = ib < 0 ? 1 : b.shape()[ib];
    sa.push_back(x);
    sa.push_back(1);
    sb.push_back(1);
    sb.push_back(y);
    out.push_back(x * y);
  }
  return reshape(multiply(reshape(a, sa), reshape(b, sb)), out);
}

} // namespace cinta::ops
