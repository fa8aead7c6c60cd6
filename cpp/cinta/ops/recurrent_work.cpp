#include "cinta/ops/recurrent_work.h"

#include <cstring>

#include "cinta/ops/matmul.h"
#include "cinta/ops/recurrent_rows.h"

namespace cinta::ops {
namespace {

char *bytes_of(const Tensor &t) { return t ? t.data<char>() : nullptr; }
size_t row_bytes(const Tensor &t) { return size_t(t.shape(-1)) * itemsize(t.dtype()); }

Tensor columns(const Tensor &x, int64_t first, int64_t count) { // of a matrix
  return view(x, {x.shape(0), count}, x.strides(), first);
}
Tensor rows_of(const Tensor &x, int64_t first, int64_t count) {
  return view(x, {count, x.shape(-1)}, {x.shape(-1), 1}, first * x.shape(-1));
}
Tensor transposed(const Tensor &x) { return view(x, {x.shape(1), x.shape(0)}, {x.strides()[1], x.strides()[0]}); }

// One state for each sequence, in the walk's order; empty: zeros.
Tensor sorted(const Rows &rows, const Tensor &states) {
  if (!states || !rows.packed)
    return states;
  const Tensor walk = empty(states.shape(), states.dtype());
  rows.sort(bytes_of(states), bytes_of(walk), row_bytes(states));
  return walk;
}
// A padded batch [T,B,columns] as rows of the walk.
Tensor gathered(const Rows &rows, const Tensor &padded) {
  const int64_t width = padded.shape(-1);
  if (!rows.packed)
    return view(padded, {rows.total, width}, {width, 1});
  const Tensor walk = empty({rows.total, width}, padded.dtype());
  rows.gather(bytes_of(padded), bytes_of(walk), row_bytes(padded));
  return walk;
}

// What goes into the gates besides products: both biases, but gru's W_hn has its own inside the reset gate.
Tensor gate_bias(Cell cell, const Tensor &b_ih, const Tensor &b_hh) {
  const int64_t outside = b_hh ? (cell == Cell::gru ? 2 * b_hh.size() / 3 : b_hh.size()) : 0;
  if (!outside)
    return b_ih;
  const Tensor bias = b_ih ? empty(b_ih.shape(), b_ih.dtype()) : zeros(b_hh.shape(), b_hh.dtype());
  if (b_ih)
    std::memcpy(bias.data(), b_ih.data(), b_ih.nbytes());
  const Tensor sum = view(bias, {outside}, {1}), other = view(b_hh, {outside}, {1});
  AccumulateWork{}(std::initializer_list<Tensor>{sum, other}.begin(), &sum);
  return bias;
}

struct Layer { // the walk's arguments, and what keeps them alive
  Rows rows;
  Tensor h0, c0;
  kernels::Recurrence problem;

  Layer(Cell cell, bool reverse, const Tensor *in, const Tensor *out)
      : rows(in[RecurrentWork::x].shape()[0], in[RecurrentWork::x].shape()[1], in[RecurrentWork::lengths], reverse),
        h0(sorted(rows, in[RecurrentWork::h0])), c0(sorted(rows, in[RecurrentWork::c0])) {
    using W = RecurrentWork;
    const Tensor &w_hh = in[W::w_hh], &b_hh = in[W::b_hh], &h = rows.packed ? out[W::rows] : out[W::y];
    const int64_t hidden = w_hh.shape()[0] / kernels::gates_of(cell);
    const char *const b_hn =
        cell == Cell::gru && b_hh ? b_hh.data<char>() + size_t(2 * hidden) * itemsize(b_hh.dtype()) : nullptr;
    problem = {cell,
               rows.steps,
               rows.batch,
               hidden,
               w_hh.shape()[1],
               rows.begin.data(),
               rows.count.data(),
               w_hh.data(),
               bytes_of(in[W::w_hr]),
               b_hn,
               bytes_of(h0),
               bytes_of(c0),
               cell <= Cell::relu ? h.data() : out[W::gates].data(),
               bytes_of(out[W::cells]),
               bytes_of(out[W::inner]),
               h.data()};
  }
};

// The states after each sequence's last step, or the initial ones.
void take_last(const Rows &rows, const Tensor &walk, const Tensor &initial, const Tensor &states) {
  const size_t bytes = row_bytes(states);
  const Tensor end = rows.packed ? empty(states.shape(), states.dtype()) : states;
  for (int64_t i = 0; i < rows.batch; ++i) {
    char *const to = bytes_of(end) + size_t(i) * bytes;
    const int64_t row = rows.last[size_t(i)];
    if (row >= 0)
      std::memcpy(to, bytes_of(walk) + size_t(row) * bytes, bytes);
    else if (initial)
      std::memcpy(to, bytes_of(initial) + size_t(i) * bytes, bytes);
    else
      std::memset(to, 0, bytes);
  }
  if (rows.packed)
    rows.unsort(bytes_of(end), bytes_of(states), bytes);
}

// Rows [first, first + h.shape[0]) of the walk and the states before each of them; the others had none before.
struct Before {
  int64_t first;
  Tensor h;
};
Before before(const Layer &layer, const Tensor &h) {
  const Rows &rows = layer.rows;
  if (!rows.packed && !layer.h0 && rows.steps) { // rows follow their predecessors
    const int64_t later = rows.total - rows.batch, first = rows.begin[0] == 0 ? rows.batch : 0;
    return {first, rows_of(h, rows.batch - first, later)};
  }
  const Tensor states = empty({rows.total, h.shape(-1)}, h.dtype());
  rows.previous(bytes_of(h), bytes_of(layer.h0), bytes_of(states), row_bytes(states));
  return {0, states};
}

void sum_rows(const Tensor &x, const Tensor &y) {
  kernel().reduce_columns[int(kernels::ReduceOp::Sum)][int(compute_type(x.dtype()))](
      x.shape()[0], x.shape()[1], x.data(), x.strides()[0], y.data());
}

// The last state of a sequence without steps is its initial one.
void pass_initial(const Rows &rows, const Tensor &dh, const Tensor &dh0) {
  for (int64_t i = 0; i < rows.batch; ++i)
    if (rows.last[size_t(i)] < 0)
      std::memcpy(bytes_of(dh0) + size_t(i) * row_bytes(dh0), bytes_of(dh) + size_t(i) * row_bytes(dh), row_bytes(dh));
}

// Adds the gradients of the last states to those of the rows they are.
template <class T> void add_last(const Rows &rows, const T *states, int64_t width, T *dh) {
  for (int64_t i = 0; i < rows.batch; ++i)
    for (int64_t j = 0, row = rows.last[size_t(i)]; row >= 0 && j < width; ++j)
      dh[row * width + j] += states[i * width + j];
}
void add_last(const Rows &rows, const Tensor &states, const Tensor &dh) {
  if (dh.dtype() == Dtype::float64)
    add_last(rows, states.data<double>(), dh.shape(-1), dh.data<double>());
  else
    add_last(rows, states.data<float>(), dh.shape(-1), dh.data<float>());
}

// The products of a layer's only step with the initial states, and what they add to the gradient of those.
void first_products(Cell cell, const Layer &layer, const Tensor *in, const Tensor &sums, const Tensor &cells) {
  using W = RecurrentWork;
  const int64_t alive = layer.rows.total, H = layer.problem.hidden, gated = cell == Cell::gru ? 2 * H : sums.shape(-1);
  const Tensor h0 = rows_of(layer.h0, 0, alive), &w = in[W::w_hh];
  add_gemm(h0, transposed(rows_of(w, 0, gated)), columns(sums, 0, gated));
  if (cell == Cell::gru)
    gemm(h0, transposed(rows_of(w, gated, H)), view(cells, {alive, H}, {H, 1}),
         in[W::b_hh] ? view(in[W::b_hh], {H}, {1}, gated) : Tensor());
}
void first_products_vjp(int64_t alive, const Tensor &w, const Tensor &dgates, const Tensor &dcells, const Tensor &dh0) {
  const int64_t gated = dcells ? 2 * dcells.shape(-1) : dgates.shape(-1);
  const Tensor dh = rows_of(dh0, 0, alive);
  add_gemm(columns(dgates, 0, gated), rows_of(w, 0, gated), dh);
  if (dcells)
    add_gemm(dcells, rows_of(w, gated, w.shape()[0] - gated), dh);
}

} // namespace

void RecurrentWork::operator()(const Tensor *in, const Tensor *out) const {
  const Layer layer(cell, reverse, in, out);
  const Rows &rows = layer.rows;
  const Tensor &walk = rows.packed ? out[RecurrentWork::rows] : out[y];
  const Tensor &sums = cell <= Cell::relu ? walk : out[gates];
  const int64_t width = in[w_ih].shape()[0];
  gemm(gathered(rows, in[x]), transposed(in[w_ih]), view(sums, {rows.total, width}, {width, 1}),
       gate_bias(cell, in[b_ih], in[b_hh]));
  if (rows.steps == 1 && layer.h0)
    first_products(cell, layer, in, view(sums, {rows.total, width}, {width, 1}), out[cells]);
  kernel().recurrence[floating_index(in[x].dtype())](layer.problem);
  if (rows.packed)
    rows.scatter(bytes_of(walk), bytes_of(out[y]), row_bytes(walk));
  take_last(rows, walk, layer.h0, out[h]);
  if (cell == Cell::lstm)
    take_last(rows, out[cells], layer.c0, out[c]);
}

void RecurrentVjpWork::operator()(const Tensor *in, const Tensor *out) const {
  using W = RecurrentWork;
  const Tensor *const forward = in + W::inputs;
  const Layer layer(cell, reverse, in, forward);
  const Rows &rows = layer.rows;
  const kernels::Recurrence &r = layer.problem;
  const Dtype dtype = in[W::x].dtype();
  const int64_t total = rows.total, H = r.hidden, P = r.out, G = kernels::gates_of(cell) * H;
  const auto buffer = [&](int64_t count, int64_t width, bool wanted = true) {
    return wanted ? empty({count, width}, dtype) : Tensor();
  };

  const Tensor dh_rows = buffer(total, P);
  if (!in[dy])
    std::memset(dh_rows.data(), 0, dh_rows.nbytes());
  else if (rows.packed)
    rows.gather(bytes_of(in[dy]), bytes_of(dh_rows), row_bytes(dh_rows));
  else
    std::memcpy(dh_rows.data(), in[dy].data(), dh_rows.nbytes());
  if (in[dh])
    add_last(rows, sorted(rows, in[dh]), dh_rows);
  const Tensor dc0 = buffer(rows.batch, H, cell == Cell::lstm), dh0 = buffer(rows.batch, P, bool(out[W::h0]));
  if (dc0)
    in[dc] ? void(std::memcpy(dc0.data(), sorted(rows, in[dc]).data(), dc0.nbytes()))
           : void(std::memset(dc0.data(), 0, dc0.nbytes()));
  if (dh0) { // a sequence of no steps ends where it began
    std::memset(dh0.data(), 0, dh0.nbytes());
    if (in[dh])
      pass_initial(rows, sorted(rows, in[dh]), dh0);
  }
  const Tensor dgates = buffer(total, G), dcells = buffer(total, H, cell == Cell::gru);
  const Tensor dinner = buffer(total, H, bool(in[W::w_hr]));
  kernel().recurrence_vjp[floating_index(dtype)](
      r, {dh_rows.data(), bytes_of(dc0), bytes_of(dh0), dgates.data(), bytes_of(dcells), bytes_of(dinner)});
  if (dh0 && rows.steps == 1)
    first_products_vjp(total, in[W::w_hh], dgates, dcells, dh0);

  const auto give_initial = [&](const Tensor &walk, const Tensor &to) {
    if (to && rows.packed)
      rows.unsort(bytes_of(walk), bytes_of(to), row_bytes(to));
    else if (to)
      std::memcpy(to.data(), walk.data(), to.nbytes());
  };
  give_initial(dh0, out[W::h0]);
  give_initial(dc0, out[W::c0]);
  if (out[W::x]) {
    const Tensor dx = rows.packed ? buffer(total, in[W::x].shape(-1)) : rows_of(out[W::x], 0, total);
    gemm(dgates, in[W::w_ih], dx);
    if (rows.packed)
      rows.scatter(bytes_of(dx), bytes_of(out[W::x]), row_bytes(dx));
  }
  if (out[W::w_ih])
    gemm(transposed(dgates), gathered(rows, in[W::x]), out[W::w_ih]);
  const Tensor &h = rows.packed ? forward[W::rows] : forward[W::y];
  const Tensor h_rows = view(h, {total, P}, {P, 1});
  const int64_t gated = cell == Cell::gru ? 2 * H : G; // what the products of h add to
  if (out[W::w_hh]) {
    const Before b = before(layer, h_rows);
    const Tensor dg = rows_of(dgates, b.first, b.h.shape()[0]);
    gemm(transposed(columns(dg, 0, gated)), b.h, rows_of(out[W::w_hh], 0, gated));
    if (dcells)
      gemm(transposed(rows_of(dcells, b.first, b.h.shape()[0])), b.h, rows_of(out[W::w_hh], gated, H));
  }
  if (out[W::b_ih])
    sum_rows(dgates, out[W::b_ih]);
  if (out[W::b_hh]) {
    sum_rows(columns(dgates, 0, gated), out[W::b_hh]);
    if (dcells)
      sum_rows(dcells, view(out[W::b_hh], {H}, {1}, gated));
  }
  if (out[W::w_hr])
    gemm(transposed(dh_rows), view(forward[W::inner], {total, H}, {H, 1}), out[W::w_hr]);
}

} // namespace cinta::ops
