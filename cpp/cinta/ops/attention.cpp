#include "cinta/ops/attention.h"

#include <cmath>
#include <limits>

#include "cinta/ops/attention_work.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/join.h"
#include "cinta/ops/matmul.h"
#include "cinta/ops/random.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/softmax.h"

namespace cinta::ops {
namespace {

using W = AttentionWork;
constexpr double kNone = -std::numeric_limits<double>::infinity();
const char *const op = "scaled_dot_product_attention";

// In ops, with all weights at once: what derivatives of any order are made of, and gradients of a mask.
// kept: what dropout multiplies the weights with, or empty.
Tensor whole_form(const Tensor *in, double scale, bool is_causal, const Tensor &kept) {
  const Tensor &q = in[W::q], &k = in[W::k], &mask = in[W::mask];
  const int64_t T = q.shape()[2], S = k.shape()[2];
  Tensor scores = matmul(multiply(q, scale), matrix_transpose(k)), blind;
  if (is_causal) // +0 to where a position looks, -inf ahead of it
    scores = where(equal(tril(full({T, S}, 1, scores.dtype()), 0), number(0, scores)), number(kNone, scores), scores);
  if (mask) {
    scores = add(scores, mask);
    GradMode off(false);
    blind = equal(max(detach(scores), Axes{-1}, true), number(kNone, scores));
  }
  if (blind)
    scores = where(blind, number(0, scores), scores);
  Tensor weights = softmax(scores, -1);
  if (blind)
    weights = where(blind, number(0, weights), weights);
  return astype(matmul(kept ? multiply(weights, kept) : weights, in[W::v]), in[W::v].dtype());
}

Tensor strided_native(const Tensor &x) { // features next to each other, in the compute type
  return is_native(x.dtype()) && (x.shape(-1) < 2 || x.strides()[3] == 1) ? x : contiguous_native(x);
}
// [B,H,T,F] in memory of the order [B,T,H,F]: heads side by side are what a projection has made and will read.
Tensor heads_inside(const Shape &shape, Dtype dtype) {
  const Tensor x = empty({shape[0], shape[2], shape[1], shape[3]}, dtype);
  const Strides &s = x.strides();
  return view(x, shape, {s[0], s[2], s[1], s[3]});
}

struct AttentionAttributes {
  double scale, dropout_p;
  bool is_causal;
};
struct Attention final : OpWith<AttentionAttributes> { // AttentionWork's inputs and outputs
  using OpWith::OpWith;
  const char *name() const override { return op; }
  int outputs() const override { return W::outputs; }
  bool repeatable() const override { return dropout_p == 0; }
  uint32_t saves() const override { return saves::inputs | saves::output(W::draws); }
  double flops(const Tensor *in) const {
    const Tensor &q = in[W::q], &v = in[W::v];
    const double pairs = double(q.shape()[0] * q.shape()[1] * q.shape()[2]) * double(v.shape()[2]);
    return 2 * pairs * double(q.shape()[3] + v.shape()[3]) * (is_causal ? 0.5 : 1);
  }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor native[W::inputs];
    for (int i = 0; i < W::inputs; ++i)
      native[i] = i == W::mask ? in[i] : strided_native(in[i]);
    Shape shape = in[W::q].shape();
    shape[3] = in[W::v].shape()[3];
    const Tensor result[W::outputs] = {heads_inside(shape, native[W::q].dtype()),
                                       dropout_p > 0 ? empty({2}, Dtype::int64) : Tensor()};
    if (result[W::y].size())
      compute({op, dropout_p > 0 ? Effect::random : Effect::none, flops(in)}, native, result,
              W{scale, dropout_p, is_causal});
    out[W::y] = from_native(result[W::y], in[W::q].dtype());
    out[W::draws] = result[W::draws] ? result[W::draws] : empty({0}, Dtype::int64);
  }

  void vjp(Vjp &v) const override {
    const Tensor &dy = v.dy(W::y);
    if (!dy)
      return;
    if (grad_enabled())
      return recorded_vjp(v);
    using B = AttentionVjpWork;
    Tensor operands[B::operands], result[3];
    for (int i = W::q; i <= W::v; ++i) {
      operands[i] = strided_native(v.in(i));
      if (v.needs(i))
        result[i] = heads_inside(v.in(i).shape(), operands[i].dtype());
    }
    operands[W::mask] = v.in(W::mask);
    operands[B::draws] = dropout_p > 0 ? v.out(W::draws) : Tensor();
    operands[B::dy] = strided_native(dy);
    compute({op, Effect::none, 2.5 * flops(operands)}, operands, result, B{{scale, dropout_p, is_causal}});
    for (int i = W::q; i <= W::v; ++i)
      if (result[i])
        v.dx(i, from_native(result[i], v.in(i).dtype()));
  }

  // The gradient of the whole form, recorded while it is walked.
  void recorded_vjp(Vjp &v) const {
    const uint64_t since = uint64_t(tape_position());
    Tensor in[W::inputs], kept;
    Tensors wanted;
    std::vector<int> places;
    for (int i = 0; i < W::inputs; ++i) {
      in[i] = v.in(i);
      if (i == W::mask || !v.needs(i))
        continue;
      in[i] = reshape(in[i], in[i].shape());
      wanted.push_back(in[i]);
      places.push_back(i);
    }
    if (dropout_p > 0) {
      const Shape &q = in[W::q].shape();
      const Tensor drawn = empty({q[0], q[1], q[2], in[W::k].shape()[2]}, strided_native(in[W::q]).dtype());
      compute({op}, {v.out(W::draws)}, {drawn}, AttentionKeptWork{dropout_p, is_causal});
      kept = from_native(drawn, in[W::q].dtype());
    }
    const Tensor y = whole_form(in, scale, is_causal, kept);
    const Tensors found = backward({y}, {v.dy(W::y)}, &wanted, {true, true, since});
    for (size_t k = 0; k < places.size(); ++k)
      if (found[k])
        v.dx(places[k], found[k]);
  }
};

// As [B,H,rows,columns], batch axes broadcast.
Tensor four_axes(const Tensor &x, const Shape &batch) {
  Shape shape = batch;
  shape.push_back(x.shape(-2));
  shape.push_back(x.shape(-1));
  const Tensor wide = broadcast_to(x, shape);
  if (batch.size() == 2)
    return wide;
  const int64_t heads = batch.size() < 2 ? 1 : batch[batch.size() - 1];
  return reshape(wide, {heads ? count(batch) / heads : 0, heads, x.shape(-2), x.shape(-1)});
}

Shape batch_of(const Tensor &x) {
  Shape batch = x.shape();
  batch.erase(batch.size() - 1);
  batch.erase(batch.size() - 1);
  return batch;
}

// Every head of k or v for `heads` of q's, in a row.
Tensor shared_heads(const Tensor &x, const Tensor &q, const char *what) {
  if (x.ndim() < 3 || q.ndim() < 3 || !x.shape(-3) || q.shape(-3) % x.shape(-3))
    fail<ValueError>("[", op, "] ", what, " has shape ", x.shape(), ", expected heads on axis -3 whose number divides ",
                     "that of the query's (", q.shape(), "), as enable_gqa asks");
  const int64_t heads = q.shape(-3) / x.shape(-3);
  if (heads == 1)
    return x;
  Shape wide = x.shape(), shape = x.shape();
  wide.insert(wide.size() - 2, heads);
  shape[shape.size() - 3] *= heads;
  return reshape(broadcast_to(expand_dims(x, {-3}), wide), shape);
}

// Additive, in q's compute type.
Tensor additive(const Tensor &mask, const Tensor &q) {
  const Dtype dtype = q.dtype() == Dtype::float64 ? Dtype::float64 : Dtype::float32;
  if (mask.dtype() == Dtype::bool_)
    return where(mask, scalar(0, dtype), scalar(kNone, dtype));
  if (!is_floating(mask.dtype()))
    fail_dtype(op, mask.dtype(), "attn_mask of bool (true takes part) or of a floating dtype (added)");
  return astype(mask, dtype);
}

} // namespace

Tensor attention(const Tensor &query, const Tensor &key, const Tensor &value, const Tensor &mask,
                 const AttentionOptions &options) {
  for (const Tensor *x : {&query, &key, &value}) {
    check_floating(*x, op);
    if (x->ndim() < 2)
      fail<ValueError>("[", op, "] query, key and value have shapes ", query.shape(), ", ", key.shape(), " and ",
                       value.shape(), ", expected [..,T,E], [..,S,E] and [..,S,V]");
  }
  if (query.shape(-1) != key.shape(-1) || key.shape(-2) != value.shape(-2))
    fail<ValueError>(
        "[", op, "] query, key and value have shapes ", query.shape(), ", ", key.shape(), " and ", value.shape(),
        ", expected [..,T,E], [..,S,E] and [..,S,V]: the same features of query and key, as many values as keys");
  if (!(options.dropout_p >= 0 && options.dropout_p < 1))
    fail<ValueError>("[", op, "] dropout_p is ", options.dropout_p, ", expected 0 to below 1");
  const Dtype dtype = promote(promote(query.dtype(), key.dtype()), value.dtype());
  const Tensor q = astype(query, dtype);
  const Tensor k = astype(options.enable_gqa ? shared_heads(key, q, "key") : key, dtype);
  const Tensor v = astype(options.enable_gqa ? shared_heads(value, q, "value") : value, dtype);
  const Shape batch = broadcast(broadcast(batch_of(q), batch_of(k), op), batch_of(v), op);
  Shape scores = batch, result = batch;
  scores.push_back(q.shape(-2)), scores.push_back(k.shape(-2));
  result.push_back(q.shape(-2)), result.push_back(v.shape(-1));
  Tensor in[W::inputs] = {four_axes(q, batch), four_axes(k, batch), four_axes(v, batch), Tensor()};
  if (mask) {
    if (!(broadcast(scores, mask.shape(), op) == scores))
      fail<ValueError>("[", op, "] attn_mask has shape ", mask.shape(), ", expected one that broadcasts to ", scores,
                       " (batch axes, queries, keys)");
    Tensor m = additive(mask, q);
    while (m.ndim() < 2)
      m = expand_dims(m, {0});
    in[W::mask] = four_axes(broadcast_to(m, scores), batch);
  }
  const double scale = options.scale.value_or(1 / std::sqrt(double(std::max<int64_t>(q.shape(-1), 1))));
  Tensor out[W::outputs];
  if (mask && grad_enabled() && in[W::mask].requires_grad()) {
    Tensor kept;
    if (options.dropout_p > 0)
      kept = dropout(full({in[W::q].shape()[0], in[W::q].shape()[1], q.shape(-2), k.shape(-2)}, 1, dtype),
                     options.dropout_p, true);
    out[W::y] = whole_form(in, scale, options.is_causal, kept);
  } else {
    apply(make_op<Attention>({scale, options.dropout_p, options.is_causal}), in, W::inputs, out);
  }
  return batch.size() == 2 ? out[W::y] : reshape(out[W::y], result);
}

} // namespace cinta::ops
