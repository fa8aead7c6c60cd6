#include "cinta/ops/elementwise_work.h"

#include "cinta/ops/elementwise_rules.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

constexpr double kCheap = 0.3, kDear = 2; // ns per element, for deciding on threads
struct UnaryContext {
  kernels::Unary forward;
  kernels::UnaryVjp vjp;
  const double *parameters;
};
struct BinaryContext {
  kernels::Binary forward;
  kernels::BinaryVjp vjp;
};

// A constant, 0-d beside larger operands, is read as it is, without being spread over their shape.
Operand spread(const Tensor &t, const Tensor &over) {
  Operand o = scalar_operand(t);
  if (t.ndim() == 0 && over.ndim())
    o.strides = Strides(over.ndim(), 0);
  return o;
}

} // namespace

double cost(UnaryOp op) { return op <= UnaryOp::Sqrt || op == UnaryOp::Relu ? kCheap : kDear; }
double cost(BinaryOp op) { return op <= BinaryOp::Div ? kCheap : kDear; }

void UnaryWork::operator()(const Tensor *in, const Tensor *out) const {
  const Tensor &x = in[0], &y = out[0];
  UnaryContext c{kernel().unary[int(op)][int(compute_type(x.dtype()))], nullptr, parameters.value};
  if (is_simple(x) && y.contiguous()) {
    c.forward(x.size(), x.data(), y.data(), c.parameters);
    return;
  }
  Operand operands[2] = {operand(x), operand(y)};
  tile_loop(
      x.shape(), operands, 1, 1,
      [](const void *context, int64_t n, void *const *p, const int *) {
        const auto &c = *static_cast<const UnaryContext *>(context);
        c.forward(n, p[0], p[1], c.parameters);
      },
      &c, cost(op));
}

void UnaryVjpWork::operator()(const Tensor *in, const Tensor *out) const {
  const Tensor &x = in[0], &y = in[1], &dy = in[2], &dx = out[0];
  UnaryContext c{nullptr, kernel().unary_vjp[int(op)][floating_index(dy.dtype())], parameters.value};
  if (is_simple(dy) && x.contiguous() && y.contiguous() && dx.contiguous()) {
    c.vjp(dy.size(), x.data(), y.data(), dy.data(), dx.data(), c.parameters);
    return;
  }
  Operand operands[4] = {operand(x), operand(y), operand(dy), operand(dx)};
  tile_loop(
      dy.shape(), operands, 3, 1,
      [](const void *context, int64_t n, void *const *p, const int *) {
        const auto &c = *static_cast<const UnaryContext *>(context);
        c.vjp(n, p[0], p[1], p[2], p[3], c.parameters);
      },
      &c, cost(op));
}

void BinaryWork::operator()(const Tensor *in, const Tensor *out) const {
  const Tensor &a = in[0], &b = in[1], &y = out[0];
  BinaryContext c{kernel().binary[int(op)][int(compute_type(a.dtype()))], nullptr};
  if (is_simple(y) && a.contiguous() && b.contiguous()) {
    c.forward(y.size(), a.data(), a.size() == y.size(), b.data(), b.size() == y.size(), y.data());
    return;
  }
  Operand operands[3] = {spread(a, y), spread(b, y), operand(y)};
  tile_loop(
      y.shape(), operands, 2, 1,
      [](const void *context, int64_t n, void *const *p, const int *steps) {
        static_cast<const BinaryContext *>(context)->forward(n, p[0], steps[0], p[1], steps[1], p[2]);
      },
      &c, cost(op));
}

void BinaryVjpWork::operator()(const Tensor *in, const Tensor *out) const {
  const Tensor &a = in[0], &b = in[1], &y = in[2], &dy = in[3], &d = out[0];
  const auto &rules = which == 0 ? kernel().binary_vjp_a : kernel().binary_vjp_b;
  BinaryContext c{nullptr, rules[int(op)][floating_index(dy.dtype())]};
  if (is_simple(dy) && a.contiguous() && b.contiguous() && y.contiguous() && d.contiguous()) {
    c.vjp(dy.size(), a.data(), a.size() == dy.size(), b.data(), b.size() == dy.size(), y.data(), dy.data(), d.data());
    return;
  }
  Operand operands[5] = {spread(a, dy), spread(b, dy), operand(y), operand(dy), operand(d)};
  tile_loop(
      dy.shape(), operands, 4, 1,
      [](const void *context, int64_t n, void *const *p, const int *steps) {
        static_cast<const BinaryContext *>(context)->vjp(n, p[0], steps[0], p[1], steps[1], p[2], p[3], p[4]);
      },
      &c, cost(op));
}

void CompareWork::operator()(const Tensor *in, const Tensor *out) const {
  const kernels::Compare f = kernel().compare[int(op)][int(compute_type(in[0].dtype()))];
  Operand operands[3] = {spread(in[0], out[0]), spread(in[1], out[0]), raw_operand(out[0])};
  tile_loop(
      out[0].shape(), operands, 2, 1,
      [](const void *context, int64_t n, void *const *p, const int *steps) {
        (*static_cast<const kernels::Compare *>(context))(n, p[0], steps[0], p[1], steps[1],
                                                          static_cast<uint8_t *>(p[2]));
      },
      &f, kCheap);
}

void SelectWork::operator()(const Tensor *in, const Tensor *out) const {
  const kernels::Select f = kernel().select[int(compute_type(out[0].dtype()))];
  Operand operands[4] = {raw_operand(in[0]), spread(in[1], out[0]), spread(in[2], out[0]), operand(out[0])};
  tile_loop(
      out[0].shape(), operands, 3, 1,
      [](const void *context, int64_t n, void *const *p, const int *steps) {
        (*static_cast<const kernels::Select *>(context))(n, static_cast<const uint8_t *>(p[0]), p[1], steps[1], p[2],
                                                         steps[2], p[3]);
      },
      &f, kCheap);
}

} // namespace cinta::ops
