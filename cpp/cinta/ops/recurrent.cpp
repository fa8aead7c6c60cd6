#include "cinta/ops/recurrent.h"

#include "cinta/ops/elementwise.h"
#include "cinta/ops/join.h"
#include "cinta/ops/matmul.h"
#include "cinta/ops/recurrent_work.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

using W = RecurrentWork;

const char *name_of(Cell cell) { return cell == Cell::lstm ? "lstm" : cell == Cell::gru ? "gru" : "rnn"; }

Tensor step_of(const Tensor &x, int64_t t) { return squeeze(narrow(x, 0, t, 1), Axes{0}); }

// The layer step by step, in ops: what derivatives of any order are made of.
RecurrentStates step_form(Cell cell, bool reverse, const Tensor *in) {
  const Tensor &x = in[W::x], &w_hh = in[W::w_hh];
  const int64_t steps = x.shape()[0], batch = x.shape()[1], P = w_hh.shape()[1];
  const int64_t H = w_hh.shape()[0] / kernels::gates_of(cell);
  Tensor h = in[W::h0] ? in[W::h0] : zeros({batch, P}, x.dtype());
  Tensor c = in[W::c0] || cell != Cell::lstm ? in[W::c0] : zeros({batch, H}, x.dtype());
  Tensors y{size_t(steps)};
  for (int64_t s = 0; s < steps; ++s) {
    const int64_t t = reverse ? steps - 1 - s : s;
    const Tensor of_x = linear(step_of(x, t), in[W::w_ih], in[W::b_ih]), of_h = linear(h, w_hh, in[W::b_hh]);
    const auto gate = [&](const Tensor &sums, int k) { return narrow(sums, 1, k * H, H); };
    Tensor next, next_c = c;
    if (cell == Cell::gru) {
      const Tensor r = sigmoid(add(gate(of_x, 0), gate(of_h, 0))), u = sigmoid(add(gate(of_x, 1), gate(of_h, 1)));
      const Tensor n = tanh(add(gate(of_x, 2), multiply(r, gate(of_h, 2))));
      next = add(n, multiply(u, subtract(h, n)));
    } else if (cell == Cell::lstm) {
      const Tensor z = add(of_x, of_h);
      next_c = add(multiply(sigmoid(gate(z, 1)), c), multiply(sigmoid(gate(z, 0)), tanh(gate(z, 2))));
      next = multiply(sigmoid(gate(z, 3)), tanh(next_c));
      if (in[W::w_hr])
        next = linear(next, in[W::w_hr], Tensor());
    } else {
      const Tensor z = add(of_x, of_h);
      next = cell == Cell::tanh ? tanh(z) : relu(z);
    }
    if (in[W::lengths]) {
      const Tensor alive = expand_dims(greater(in[W::lengths], scalar(double(t), Dtype::int64)), {1});
      y[size_t(t)] = where(alive, next, zeros({batch, P}, x.dtype()));
      h = where(alive, next, h);
      if (c)
        c = where(alive, next_c, c);
    } else {
      y[size_t(t)] = h = next, c = next_c;
    }
  }
  return {steps ? stack(y, 0) : zeros({0, batch, P}, x.dtype()), h, c};
}

struct RecurrentAttributes {
  Cell cell;
  bool reverse;
};
struct Recurrent final : OpWith<RecurrentAttributes> { // RecurrentWork's inputs and outputs
  using OpWith::OpWith;
  const char *name() const override { return name_of(cell); }
  int outputs() const override { return W::outputs; }
  uint32_t saves() const override {
    return saves::inputs | saves::output(W::y) | saves::output(W::gates) | saves::output(W::cells) |
           saves::output(W::inner) | saves::output(W::rows);
  }

  double flops(const Tensor *in) const { // of one direction
    const int64_t rows = in[W::x].shape()[0] * in[W::x].shape()[1];
    return 2.0 * double(rows) *
           double(in[W::w_ih].size() + in[W::w_hh].size() + (in[W::w_hr] ? in[W::w_hr].size() : 0));
  }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor native[W::inputs];
    for (int i = 0; i < W::inputs; ++i)
      native[i] = in[i] ? contiguous_native(in[i]) : in[i];
    const Tensor &x = native[W::x], &w_hh = in[W::w_hh];
    const int64_t steps = x.shape()[0], batch = x.shape()[1], rows = steps * batch;
    const int64_t G = w_hh.shape()[0], H = G / kernels::gates_of(cell), P = w_hh.shape()[1];
    const auto made = [&](bool wanted, const Shape &shape) { return wanted ? empty(shape, x.dtype()) : Tensor(); };
    Tensor result[W::outputs];
    result[W::y] = made(true, {steps, batch, P});
    result[W::h] = made(true, {batch, P});
    result[W::c] = made(cell == Cell::lstm, {batch, H});
    result[W::gates] = made(cell > Cell::relu, {rows, G});
    result[W::cells] = made(cell > Cell::relu, {rows, H});
    result[W::inner] = made(bool(in[W::w_hr]), {rows, H});
    result[W::rows] = made(bool(in[W::lengths]), {rows, P});
    compute({name(), in[W::lengths] ? Effect::check : Effect::none, flops(in)}, native, result, W{cell, reverse});
    for (int i = 0; i < W::outputs; ++i)
      out[i] = !result[i] ? empty({0}, x.dtype()) : i <= W::c ? from_native(result[i], in[W::x].dtype()) : result[i];
  }

  void vjp(Vjp &v) const override {
    if (grad_enabled())
      return recorded_vjp(v);
    Tensor operands[RecurrentVjpWork::operands], result[W::inputs];
    const Dtype dtype = v.in(W::x).dtype();
    for (int i = 0; i < W::inputs; ++i) {
      operands[i] = v.in(i) ? contiguous_native(v.in(i)) : v.in(i);
      if (i != W::lengths && v.needs(i))
        result[i] = empty(v.in(i).shape(), operands[W::x].dtype());
    }
    const bool of_lstm = cell == Cell::lstm, packed = bool(v.in(W::lengths));
    const auto saved = [&](int i, bool there) { operands[int(W::inputs) + i] = there ? v.out(i) : Tensor(); };
    if (!packed)
      operands[int(W::inputs) + int(W::y)] = contiguous_native(v.out(W::y));
    saved(W::gates, cell > Cell::relu);
    saved(W::cells, cell > Cell::relu);
    saved(W::inner, bool(v.in(W::w_hr)));
    saved(W::rows, packed);
    for (int i = W::y; i <= W::c; ++i)
      if (v.dy(i) && (i != W::c || of_lstm))
        operands[RecurrentVjpWork::dy + i] = contiguous_native(v.dy(i));
    compute({name(), Effect::none, 2 * flops(operands)}, operands, result, RecurrentVjpWork{cell, reverse});
    for (int i = 0; i < W::inputs; ++i)
      if (result[i])
        v.dx(i, from_native(result[i], i == W::x ? dtype : v.in(i).dtype()));
  }

  // The gradient of the step form, recorded while it is walked.
  void recorded_vjp(Vjp &v) const {
    const uint64_t since = uint64_t(tape_position());
    Tensor in[W::inputs];
    Tensors wanted;
    std::vector<int> places;
    for (int i = 0; i < W::inputs; ++i) {
      in[i] = v.in(i);
      if (i == W::lengths || !v.needs(i))
        continue;
      in[i] = reshape(in[i], in[i].shape());
      wanted.push_back(in[i]);
      places.push_back(i);
    }
    const RecurrentStates states = step_form(cell, reverse, in);
    Tensors ends, seeds;
    const Tensor *const outputs[] = {&states.y, &states.h, &states.c};
    for (int i = W::y; i <= W::c; ++i)
      if (v.dy(i) && *outputs[i] && (*outputs[i]).requires_grad()) {
        ends.push_back(*outputs[i]);
        seeds.push_back(v.dy(i));
      }
    const Tensors found = backward(ends, seeds, &wanted, {true, true, since});
    for (size_t k = 0; k < places.size(); ++k)
      if (found[k])
        v.dx(places[k], found[k]);
  }
};

void check_shape(const Tensor &t, const Shape &expected, const char *what, const char *meaning, const char *op) {
  if (t && !(t.shape() == expected))
    fail<ValueError>("[", op, "] ", what, " has shape ", t.shape(), ", expected ", expected, " (", meaning, ")");
}

} // namespace

RecurrentStates recurrent(Cell cell, const Tensor &x, const Tensor &h0, const Tensor &c0,
                          const RecurrentWeights &weights, const Tensor &lengths, bool reverse) {
  const char *op = name_of(cell);
  check_floating(x, op);
  if (x.ndim() != 3)
    fail<ValueError>("[", op, "] input has shape ", x.shape(), ", expected [T,B,I] (steps, batch, features)");
  const int64_t gates = kernels::gates_of(cell), batch = x.shape()[1];
  const Tensor &w_ih = weights.ih, &w_hh = weights.hh;
  if (w_hh.ndim() != 2 || w_hh.shape()[0] % gates)
    fail<ValueError>("[", op, "] weight_hh has shape ", w_hh.shape(), ", expected [", gates, " H, H]");
  const int64_t G = w_hh.shape()[0], H = G / gates, P = weights.hr && weights.hr.ndim() ? weights.hr.shape()[0] : H;
  if (w_ih.ndim() != 2 || w_ih.shape()[1] != x.shape()[2])
    fail<ValueError>("[", op, "] input has ", x.shape()[2], " features (shape ", x.shape(), "), expected ",
                     w_ih.ndim() == 2 ? w_ih.shape()[1] : 0, " (weight_ih [", gates, " H, I] = ", w_ih.shape(), ")");
  check_shape(w_ih, {G, x.shape()[2]}, "weight_ih", "[gates H, I]", op);
  check_shape(w_hh, {G, P}, "weight_hh", "[gates H, H], or the projection's size", op);
  check_shape(weights.bias_ih, {G}, "bias_ih", "[gates H]", op);
  check_shape(weights.bias_hh, {G}, "bias_hh", "[gates H]", op);
  check_shape(weights.hr, {P, H}, "weight_hr", "[P, H]", op);
  check_shape(h0, {batch, P}, "h0", "[B, H], or the projection's size", op);
  check_shape(c0, {batch, H}, "c0", "[B, H]", op);
  check_shape(lengths, {batch}, "lengths", "one for each sequence", op);
  if (lengths && (is_floating(lengths.dtype()) || lengths.dtype() == Dtype::bool_))
    fail_dtype(op, lengths.dtype(), "lengths of an integer dtype");
  const auto fitted = [&](const Tensor &t) { return t ? astype(t, x.dtype()) : t; };
  const Tensor in[W::inputs] = {x,
                                fitted(h0),
                                fitted(c0),
                                fitted(w_ih),
                                fitted(w_hh),
                                fitted(weights.bias_ih),
                                fitted(weights.bias_hh),
                                fitted(weights.hr),
                                lengths ? astype(lengths, Dtype::int64) : lengths};
  Tensor out[W::outputs];
  apply(make_op<Recurrent>({cell, reverse}), in, W::inputs, out);
  return {out[W::y], out[W::h], cell == Cell::lstm ? out[W::c] : Tensor()};
}

} // namespace cinta::ops
