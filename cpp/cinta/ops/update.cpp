#include "cinta/ops/update.h"

#include <cmath>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

// What a kernel updates: the tensor's own memory, or a native copy that is written back.
class Updated {
public:
  explicit Updated(const Tensor &t) : tensor_(t), work_(t ? contiguous_native(t) : t) {}
  void *data() const { return work_ ? work_.data() : nullptr; }
  void finish() const {
    if (!tensor_)
      return;
    if (work_.body() != tensor_.body())
      copy(work_, tensor_);
    mark_written(tensor_);
  }

private:
  Tensor tensor_, work_;
};

void check(const Tensors &params, const Tensors &grads, const char *op) {
  if (params.size() != grads.size())
    fail<ValueError>("[", op, "] got ", params.size(), " parameters and ", grads.size(),
                     " gradients, expected as many");
}
void check(const Tensor &p, const Tensor &other, const char *what, const char *op) {
  if (!(p.shape() == other.shape()) || p.dtype() != other.dtype())
    fail<ValueError>("[", op, "] a ", what, " has shape ", other.shape(), " and dtype ", other.dtype(), ", expected ",
                     p.shape(), " and ", p.dtype(), " as its parameter");
}

const Tensor &state(const Tensors &states, size_t k) {
  static const Tensor &none = *new Tensor();
  return k < states.size() ? states[k] : none;
}

// update(index into kernels, n, p, g, states...) for every parameter
template <class F> void each(const char *op, const Tensors &params, const Tensors &grads,
                             std::initializer_list<const Tensors *> states, F update) {
  check(params, grads, op);
  for (size_t k = 0; k < params.size(); ++k) { // everything is checked before anything is written
    check_floating(params[k], op);
    check(params[k], grads[k], "gradient", op);
    check_writable(params[k], op, false);
    for (const Tensors *list : states)
      if (const Tensor &s = state(*list, k)) {
        check(params[k], s, "state", op);
        check_writable(s, op, false);
      }
  }
  for (size_t k = 0; k < params.size(); ++k) {
    const Tensor &p = params[k];
    void *data[3] = {};
    std::vector<Updated> updated;
    updated.reserve(4);
    updated.emplace_back(p);
    int i = 0;
    for (const Tensors *list : states) {
      updated.emplace_back(state(*list, k));
      data[i++] = updated.back().data();
    }
    Tensor g = contiguous_native(grads[k]);
    update(floating_index(p.dtype()), p.size(), updated[0].data(), g.data(), data);
    for (const Updated &u : updated)
      u.finish();
  }
}

} // namespace

void sgd_step(const Tensors &params, const Tensors &grads, const Tensors &velocities, const kernels::Sgd &options) {
  each("sgd_step", params, grads, {&velocities},
       [&](int f, int64_t n, void *p, const void *g, void **s) { kernel().sgd_step[f](n, options, p, g, s[0]); });
}

void adam_step(const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &v, const Tensors &v_max,
               const kernels::Adam &options) {
  each("adam_step", params, grads, {&m, &v, &v_max}, [&](int f, int64_t n, void *p, const void *g, void **s) {
    kernel().adam_step[f](n, options, p, g, s[0], s[1], s[2]);
  });
}

void rmsprop_step(const Tensors &params, const Tensors &grads, const Tensors &squares, const Tensors &velocities,
                  const Tensors &means, const kernels::Rmsprop &options) {
  each("rmsprop_step", params, grads, {&squares, &velocities, &means},
       [&](int f, int64_t n, void *p, const void *g, void **s) {
         kernel().rmsprop_step[f](n, options, p, g, s[0], s[1], s[2]);
       });
}

void adagrad_step(const Tensors &params, const Tensors &grads, const Tensors &sums, const kernels::Adagrad &options) {
  each("adagrad_step", params, grads, {&sums},
       [&](int f, int64_t n, void *p, const void *g, void **s) { kernel().adagrad_step[f](n, options, p, g, s[0]); });
}

double total_norm(const Tensors &tensors) {
  double sum = 0;
  for (const Tensor &t : tensors) {
    check_floating(t, "total_norm");
    Tensor x = contiguous_native(t);
    sum += kernel().sum_squares[floating_index(x.dtype())](x.size(), x.data());
  }
  return std::sqrt(sum);
}

void scale_inplace(const Tensors &tensors, double factor) {
  GradMode off(false);
  for (const Tensor &t : tensors)
    binary_inplace(BinaryOp::Mul, t, number(factor, t));
}

} // namespace cinta::ops
