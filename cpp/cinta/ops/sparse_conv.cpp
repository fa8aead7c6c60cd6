#include "cinta/ops/sparse_conv.h"

#include <cstring>

#include "cinta/ops/conv_run.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

using kernels::Connection, kernels::Connections, kernels::Direction;

// Forward, its gradient by the input and by the weight are bilinear; the rules of each are the other two.
Tensor forward(const ConvGeometry &g, const Tensor &x, const Tensor &weight, const Tensor &table, const Tensor &bias);
Tensor backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &weight, const Tensor &table);
Tensor backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy, const Tensor &table, int64_t count);

// The table [O,C] as a list, in the order of planes of y or, for dx, of x.
struct ConnectionList {
  std::vector<int32_t> first;
  std::vector<Connection> list;
  ConnectionList(const ConvGeometry &g, const Tensor &table, int64_t expected, bool adjoint) {
    const bool *connected = table.data<bool>();
    for (int64_t at = 0; at < g.O * g.C; ++at)
      if (connected[at])
        list.push_back({int32_t(at % g.C), int32_t(at / g.C), int32_t(list.size())});
    if (int64_t(list.size()) != expected)
      fail<ValueError>("[sparse_conv2d] connections has ", list.size(), " true places, expected ", expected,
                       ", one for each kernel in weight [", expected, ",1,", g.KH, ",", g.KW, "]");
    first.assign(size_t(adjoint ? g.C : g.O) + 1, 0);
    for (const Connection &c : list)
      ++first[size_t(adjoint ? c.from : c.to) + 1];
    for (size_t i = 1; i < first.size(); ++i)
      first[i] += first[i - 1];
    if (adjoint) {
      std::vector<int32_t> next(first);
      std::vector<Connection> turned(list.size());
      for (const Connection &c : list)
        turned[size_t(next[size_t(c.from)]++)] = {c.to, c.from, c.weight};
      list = std::move(turned);
    }
  }
  Connections view() const { return {int64_t(first.size()) - 1, int64_t(list.size()), first.data(), list.data()}; }
};

// ---- as a whole convolution, zeros where nothing is connected

// f(place in the dense weight, place in the packed one) for every connection
template <class F> void for_connections(const ConvGeometry &g, const Tensor &table, F f) {
  const bool *connected = table.data<bool>();
  for (int64_t at = 0, p = 0; at < g.O * g.C; ++at)
    if (connected[at])
      f(at, p++);
}
Tensor dense(const ConvGeometry &g, const Tensor &weight, const Tensor &table) {
  const Tensor whole = empty({g.O, g.C, g.KH, g.KW}, weight.dtype());
  const size_t bytes = size_t(g.KH * g.KW) * itemsize(weight.dtype());
  std::memset(whole.data(), 0, whole.nbytes());
  for_connections(g, table, [&](int64_t at, int64_t p) {
    std::memcpy(whole.data<char>() + size_t(at) * bytes, weight.data<char>() + size_t(p) * bytes, bytes);
  });
  return whole;
}
void pick(const ConvGeometry &g, const Tensor &whole, const Tensor &table, const Tensor &weight) {
  const Tensor from = contiguous(whole);
  const size_t bytes = size_t(g.KH * g.KW) * itemsize(weight.dtype());
  for_connections(g, table, [&](int64_t at, int64_t p) {
    std::memcpy(weight.data<char>() + size_t(p) * bytes, from.data<char>() + size_t(at) * bytes, bytes);
  });
}
void put(const Tensor &computed, const Tensor &into) {
  if (computed.body() != into.body())
    copy(computed, into);
}

// ---- which way

// Whether connections are so few that one after the other is quicker than all that there could be, for which other
// kernels may need fewer steps than one for each product: Winograd's half, the tile unit's a quarter.
bool by_connections(const ConvGeometry &g, Direction direction, const Tensor &x, int64_t count) {
  if (x.dtype() != Dtype::float32)
    return false;
  double share = kernel().sparse_share(g, direction);
  const auto fits = kernel().conv2d_strided_fits;
  if (fits && fits(g, direction) != kernels::ResultOrder::none)
    share *= kernel().gemm_bfloat16 ? 0.25 : 0.5;
  return double(count) <= share * double(g.O * g.C);
}

struct SparseConvWork { // in: the two factors, table, perhaps bias
  ConvGeometry g;
  Direction direction;
  bool biased;
  int64_t count;
  void operator()(const Tensor *in, const Tensor *out) const {
    const RecorderScope off(nullptr);
    const GradMode no_grad(false);
    const Tensor &table = in[2], bias = biased ? in[3] : Tensor();
    const ConnectionList list(g, table, count, direction == Direction::backward_data);
    if (in[0].size() == 0 || in[1].size() == 0)
      return start(bias, out[0]);
    if (by_connections(g, direction, in[0], count)) {
      const float *a = in[0].data<float>(), *b = in[1].data<float>();
      float *result = out[0].data<float>();
      if (direction == Direction::backward_weight)
        kernel().sparse_weight(g, list.view(), a, b, result);
      else
        kernel().sparse_filter(g, direction == Direction::backward_data, list.view(), a, b,
                               biased ? bias.data<float>() : nullptr, result);
    } else if (direction == Direction::forward) {
      put(run_conv(g, in[0], dense(g, in[1], table), bias, out[0]), out[0]);
    } else if (direction == Direction::backward_data) {
      put(run_backward_data(g, in[0], dense(g, in[1], table), out[0]), out[0]);
    } else {
      pick(g, run_backward_weight(g, in[0], in[1], Tensor()), table, out[0]);
    }
  }
  // A sum over nothing.
  void start(const Tensor &bias, const Tensor &y) const {
    if (bias)
      copy(broadcast_to(reshape(bias, {1, g.O, 1, 1}), y.shape()), y);
    else
      std::memset(y.data(), 0, y.nbytes());
  }
};

Tensor computed(const char *name, const ConvGeometry &g, Direction direction, const Tensor *in, int n,
                const Shape &shape, int64_t count) {
  Tensor operand[4];
  for (int i = 0; i < n; ++i)
    operand[i] = i == 2 ? contiguous(in[i]) : contiguous_native(in[i]);
  const Tensor y = empty(shape, operand[0].dtype());
  const double flops = 2.0 * double(g.N * count) * double(g.OH * g.OW) * double(g.KH * g.KW);
  compute({name, Effect::check, flops}, Operands(operand, size_t(n)), {&y, 1},
          SparseConvWork{g, direction, n > 3, count});
  return from_native(y, in[0].dtype());
}

struct SparseConv final : OpWith<ConvGeometry> {
  using OpWith::OpWith;
  const char *name() const override { return "sparse_conv2d"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1) | saves::input(2); }
  void forward(const Tensor *in, int n, Tensor *out) const override {
    *out = computed(name(), *this, Direction::forward, in, n, {N, O, OH, OW}, in[1].shape()[0]);
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, backward_data(*this, v.dy(), v.in(1), v.in(2)));
    if (v.needs(1))
      v.dx(1, backward_weight(*this, v.in(0), v.dy(), v.in(2), v.in(1).shape()[0]));
    if (v.inputs() > 3 && v.needs(3))
      v.dx(3, sum(v.dy(), Axes{0, 2, 3}));
  }
};

struct SparseConvBackwardData final : OpWith<ConvGeometry> { // dx of dy and weight
  using OpWith::OpWith;
  const char *name() const override { return "sparse_conv2d_backward_data"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1) | saves::input(2); }
  void forward(const Tensor *in, int n, Tensor *out) const override {
    *out = computed(name(), *this, Direction::backward_data, in, n, {N, C, H, W}, in[1].shape()[0]);
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, ops::forward(*this, v.dy(), v.in(1), v.in(2), {}));
    if (v.needs(1))
      v.dx(1, backward_weight(*this, v.dy(), v.in(0), v.in(2), v.in(1).shape()[0]));
  }
};

struct WeightAttributes : ConvGeometry {
  int64_t count; // of connections
};
struct SparseConvBackwardWeight final : OpWith<WeightAttributes> { // dweight of x and dy
  using OpWith::OpWith;
  const char *name() const override { return "sparse_conv2d_backward_weight"; }
  uint32_t saves() const override { return saves::input(0) | saves::input(1) | saves::input(2); }
  void forward(const Tensor *in, int n, Tensor *out) const override {
    *out = computed(name(), *this, Direction::backward_weight, in, n, {count, 1, KH, KW}, count);
  }
  void vjp(Vjp &v) const override {
    if (v.needs(0))
      v.dx(0, backward_data(*this, v.in(1), v.dy(), v.in(2)));
    if (v.needs(1))
      v.dx(1, ops::forward(*this, v.in(0), v.dy(), v.in(2), {}));
  }
};

Tensor forward(const ConvGeometry &g, const Tensor &x, const Tensor &weight, const Tensor &table, const Tensor &bias) {
  Tensor in[4] = {x, weight, table, bias}, y;
  apply(make_op<SparseConv>(g), in, bias ? 4 : 3, &y);
  return y;
}
Tensor backward_data(const ConvGeometry &g, const Tensor &dy, const Tensor &weight, const Tensor &table) {
  return apply(make_op<SparseConvBackwardData>(g), {dy, weight, table});
}
Tensor backward_weight(const ConvGeometry &g, const Tensor &x, const Tensor &dy, const Tensor &table, int64_t count) {
  return apply(make_op<SparseConvBackwardWeight>({g, count}), {x, dy, table});
}

void check(const Tensor &x, const Tensor &weight, const Tensor &table, const Tensor &bias) {
  check_floating(x, "sparse_conv2d");
  if (x.ndim() != 4)
    fail<ValueError>("[sparse_conv2d] input has shape ", x.shape(), ", expected [N,C,H,W] or [C,H,W]");
  if (table.dtype() != Dtype::bool_)
    fail<TypeError>("[sparse_conv2d] connections is ", table.dtype(),
                    ", expected bool: which output channel sees which "
                    "input channel");
  if (table.ndim() != 2 || table.shape()[1] != x.shape()[1])
    fail<ValueError>("[sparse_conv2d] connections has shape ", table.shape(), ", expected [O,", x.shape()[1],
                     "]: a row for each output channel, a column for each channel of the input ", x.shape());
  if (weight.ndim() != 4 || weight.shape()[1] != 1)
    fail<ValueError>("[sparse_conv2d] weight has shape ", weight.shape(),
                     ", expected [P,1,KH,KW]: a kernel for each of the P connections");
  if (bias && !(bias.shape() == Shape{table.shape()[0]}))
    fail<ValueError>("[sparse_conv2d] bias has shape ", bias.shape(), ", expected [", table.shape()[0],
                     "] (one per output channel)");
  for (const Tensor *t : {&weight, &bias})
    if (*t && t->dtype() != x.dtype())
      fail<TypeError>("[sparse_conv2d] ", t == &bias ? "bias" : "weight", " is ", t->dtype(), ", expected ", x.dtype(),
                      " as the input: convert one with .astype");
}

} // namespace

Tensor sparse_conv2d(const Tensor &x, const Tensor &weight, const Tensor &connections, const Tensor &bias,
                     const Dims &stride, const Padding &padding, const Dims &dilation) {
  if (x.ndim() == 3)
    return squeeze(sparse_conv2d(expand_dims(x, {0}), weight, connections, bias, stride, padding, dilation), Axes{0});
  check(x, weight, connections, bias);
  const Shape ws = weight.shape();
  ConvGeometry g = conv2d_geometry(x.shape(), ws[2], ws[3], stride, padding, dilation, "sparse_conv2d");
  g.O = connections.shape()[0], g.groups = 1;
  g.x_batch = g.C * g.H * g.W, g.y_batch = g.O * g.OH * g.OW;
  return forward(g, x, weight, connections, bias);
}

} // namespace cinta::ops
