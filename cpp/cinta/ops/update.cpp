#include "cinta/ops/update.h"

#include <cmath>

#include "cinta/ops/elementwise_work.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"
#include "cinta/ops/update_rows.h"

namespace cinta::ops {
namespace {

// What a kernel updates: the tensor's own memory, or a native copy that is written back.
class Updated {
public:
  explicit Updated(const Tensor &t) : tensor_(t), work_(t ? contiguous_native(t) : t) {}
  char *data() const { return work_ ? work_.data<char>() : nullptr; }
  void finish() const {
    if (work_.body() != tensor_.body())
      copy(work_, tensor_);
  }

private:
  Tensor tensor_, work_;
};

template <class Grads> void check(const Tensors &params, const Grads &grads, const char *op) {
  if (params.size() != grads.size())
    fail<ValueError>("[", op, "] got ", params.size(), " parameters and ", grads.size(),
                     " gradients, expected as many");
}
const Tensor &values_of(const Tensor &gradient) { return gradient; }
const Tensor &values_of(const RowSparse &gradient) { return gradient.values; }
const Tensor &rows_of(const Tensor &) {
  static const Tensor &none = *new Tensor();
  return none;
}
const Tensor &rows_of(const RowSparse &gradient) { return gradient.rows; }

void check(const Tensor &p, const Tensor &other, const char *what, const char *op) {
  if (!(p.shape() == other.shape()) || p.dtype() != other.dtype())
    fail<ValueError>("[", op, "] a ", what, " has shape ", other.shape(), " and dtype ", other.dtype(), ", expected ",
                     p.shape(), " and ", p.dtype(), " as its parameter");
}
void check_rows(const Tensor &p, const Tensor &rows, const Tensor &values, const char *op) {
  Shape expected = p.shape();
  if (expected.size())
    expected[0] = rows.size();
  if (!p.ndim() || rows.dtype() != Dtype::int64 || rows.ndim() != 1 || !(values.shape() == expected) ||
      values.dtype() != p.dtype())
    fail<ValueError>("[", op, "] a row-sparse gradient has ", rows.size(), " rows and values of shape ", values.shape(),
                     " and dtype ", values.dtype(), ", expected those of a parameter of shape ", p.shape(),
                     " and dtype ", p.dtype());
}
void check_scalar(const Tensor &state, const char *op) {
  if (state.ndim() != 0 || state.dtype() != Dtype::float64)
    fail<ValueError>("[", op, "] a state has shape ", state.shape(), " and dtype ", state.dtype(),
                     ", expected one float64");
}

const Tensor &state(const Tensors &states, size_t k) {
  static const Tensor &none = *new Tensor();
  return k < states.size() ? states[k] : none;
}

void step(const kernels::Sgd &o, int f, int64_t n, void *p, const void *g, void *const *s) {
  kernel().sgd_step[f](n, o, p, g, s[0]);
}
void step(const kernels::Adam &o, int f, int64_t n, void *p, const void *g, void *const *s) {
  kernel().adam_step[f](n, o, p, g, s[0], s[1], s[2]);
}
void step(const kernels::Rmsprop &o, int f, int64_t n, void *p, const void *g, void *const *s) {
  kernel().rmsprop_step[f](n, o, p, g, s[0], s[1], s[2]);
}
void step(const kernels::Adagrad &o, int f, int64_t n, void *p, const void *g, void *const *s) {
  kernel().adagrad_step[f](n, o, p, g, s[0]);
}
void step(const kernels::Nadam &o, int f, int64_t n, void *p, const void *g, void *const *s) {
  double &mu_product = *static_cast<double *>(s[2]);
  mu_product *= o.mu;
  kernel().nadam_step[f](n, o, mu_product, p, g, s[0], s[1]);
}
void step(const kernels::Radam &o, int f, int64_t n, void *p, const void *g, void *const *s) {
  kernel().radam_step[f](n, o, p, g, s[0], s[1]);
}
void step(const kernels::Adamax &o, int f, int64_t n, void *p, const void *g, void *const *s) {
  kernel().adamax_step[f](n, o, p, g, s[0], s[1]);
}
void step(const kernels::Adadelta &o, int f, int64_t n, void *p, const void *g, void *const *s) {
  kernel().adadelta_step[f](n, o, p, g, s[0], s[1]);
}
void step(const kernels::Lion &o, int f, int64_t n, void *p, const void *g, void *const *s) {
  kernel().lion_step[f](n, o, p, g, s[0]);
}
void step(const kernels::Rprop &o, int f, int64_t n, void *p, const void *g, void *const *s) {
  kernel().rprop_step[f](n, o, p, g, s[0], s[1]);
}

constexpr int kStates = 3;                                  // at most
template <class Options> constexpr int kRequiredStates = 2; // the first ones; those behind may be left out
template <> constexpr int kRequiredStates<kernels::Sgd> = 0;
template <> constexpr int kRequiredStates<kernels::Rmsprop> = 1;
template <> constexpr int kRequiredStates<kernels::Adagrad> = 1;
template <> constexpr int kRequiredStates<kernels::Lion> = 1;
template <> constexpr int kRequiredStates<kernels::Nadam> = 3;
// Which of them is one float64 for the whole parameter, not a number for each of its elements.
template <class Options> constexpr int kScalarState = -1;
template <> constexpr int kScalarState<kernels::Nadam> = 2;

// One parameter's update. in: p, its states (empty where it has none), g, and, while a Program is recorded, the options
// as bytes, which a replay finds changed; out: p and its states.
template <class Options> struct UpdateWork {
  Options options;
  void operator()(const Tensor *in, const Tensor *out) const {
    const Tensor &g = in[1 + kStates], &host = in[2 + kStates];
    const Updated p(out[0]), states[kStates] = {Updated(out[1]), Updated(out[2]), Updated(out[3])};
    void *const data[kStates] = {states[0].data(), states[1].data(), states[2].data()};
    const Tensor gradient = contiguous_native(g);
    step(host ? *host.data<Options>() : options, floating_index(g.dtype()), g.size(), p.data(), gradient.data(), data);
    p.finish();
    for (const Updated &s : states)
      s.finish();
  }
};

// Whether a row without gradient, whose moments are zero, stays as it is to the last bit.
bool rests(const kernels::Sgd &o) { return o.weight_decay == 0 && !o.maximize; }
bool rests(const kernels::Adam &o) { return o.weight_decay == 0 && !o.maximize && o.eps > 0; }
template <class Options> constexpr int kMoments = 0;
template <> constexpr int kMoments<kernels::Sgd> = 1;
template <> constexpr int kMoments<kernels::Adam> = 2; // the largest second moment only divides the first

constexpr int64_t kRowsAhead = 16;

// The same by a row-sparse gradient. in: p, its states, values, options, rows.
template <class Options> struct RowUpdateWork {
  Options options;
  void operator()(const Tensor *in, const Tensor *out) const {
    const Tensor &host = in[2 + kStates], values = contiguous_native(in[1 + kStates]);
    const Options o = host ? *host.data<Options>() : options;
    const int64_t height = out[0].shape(0);
    const GivenRows given(in[3 + kStates], values, out[0].size() / std::max<int64_t>(height, 1));
    const Updated p(out[0]), states[kStates] = {Updated(out[1]), Updated(out[2]), Updated(out[3])};
    const auto at = [&](const Updated &array, int64_t row) {
      return array.data() ? array.data() + size_t(row) * given.bytes : nullptr;
    };
    const auto update = [&](int64_t row, int64_t n, const void *g) {
      void *const data[kStates] = {at(states[0], row), at(states[1], row), at(states[2], row)};
      step(o, floating_index(values.dtype()), n * given.width, at(p, row), g, data);
    };
    const bool resting = rests(o);
    const auto still = [&](int64_t row) {
      for (int s = 0; s < kMoments<Options> && resting; ++s) {
        if (!states[s].data())
          continue;
        if (row + kRowsAhead < height) // rows are looked at faster than memory answers
          __builtin_prefetch(at(states[s], row + kRowsAhead));
        if (!all_zero(at(states[s], row), given.bytes))
          return false;
      }
      return resting;
    };
    if (o.lazy || (resting && !states[0].data()))
      given.update_given(update);
    else
      given.update_all(height, update, still);
    p.finish();
    for (const Updated &s : states)
      s.finish();
  }
};

template <class Options, class Grads> void each(const char *op, const Tensors &params, const Grads &grads,
                                                std::initializer_list<const Tensors *> states, const Options &options) {
  check(params, grads, op);
  int position = 0;
  for (const Tensors *list : states)
    if (position++ < kRequiredStates<Options> ? list->size() != params.size()
                                              : !list->empty() && list->size() != params.size())
      fail<ValueError>("[", op, "] got ", params.size(), " parameters and ", list->size(), " states, expected as many");
  for (size_t k = 0; k < params.size(); ++k) { // everything is checked before anything is written
    check_floating(params[k], op);
    if (const Tensor &rows = rows_of(grads[k]))
      check_rows(params[k], rows, values_of(grads[k]), op);
    else
      check(params[k], values_of(grads[k]), "gradient", op);
    check_writable(params[k], op, false);
    int i = 0;
    for (const Tensors *list : states) {
      if (const Tensor &s = state(*list, k)) {
        if (i == kScalarState<Options>)
          check_scalar(s, op);
        else
          check(params[k], s, "state", op);
        check_writable(s, op, false);
      }
      ++i;
    }
  }
  const Tensor host = recorder() ? recorder()->host(&options, sizeof options) : Tensor();
  for (size_t k = 0; k < params.size(); ++k) {
    Tensor in[4 + kStates] = {params[k]};
    int i = 1;
    for (const Tensors *list : states)
      in[i++] = state(*list, k);
    in[1 + kStates] = values_of(grads[k]);
    in[2 + kStates] = host;
    in[3 + kStates] = rows_of(grads[k]);
    const Operands out(in, 1 + kStates);
    bool of_rows = false;
    if constexpr (std::is_same_v<Grads, Gradients>)
      if ((of_rows = bool(in[3 + kStates])))
        compute(op, Operands(in, 4 + kStates), out, RowUpdateWork<Options>{options});
    if (!of_rows)
      compute(op, Operands(in, 3 + kStates), out, UpdateWork<Options>{options});
    for (int s = 0; s <= kStates; ++s)
      if (in[s])
        mark_written(in[s]);
  }
}

} // namespace

void sgd_step(const Tensors &params, const Gradients &grads, const Tensors &velocities, const kernels::Sgd &options) {
  each("sgd_step", params, grads, {&velocities}, options);
}

void adam_step(const Tensors &params, const Gradients &grads, const Tensors &m, const Tensors &v, const Tensors &v_max,
               const kernels::Adam &options) {
  each("adam_step", params, grads, {&m, &v, &v_max}, options);
}

void rmsprop_step(const Tensors &params, const Tensors &grads, const Tensors &squares, const Tensors &velocities,
                  const Tensors &means, const kernels::Rmsprop &options) {
  each("rmsprop_step", params, grads, {&squares, &velocities, &means}, options);
}

void adagrad_step(const Tensors &params, const Tensors &grads, const Tensors &sums, const kernels::Adagrad &options) {
  each("adagrad_step", params, grads, {&sums}, options);
}

void adadelta_step(const Tensors &params, const Tensors &grads, const Tensors &squares, const Tensors &deltas,
                   const kernels::Adadelta &options) {
  each("adadelta_step", params, grads, {&squares, &deltas}, options);
}

void nadam_step(const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &v,
                const Tensors &mu_products, const kernels::Nadam &options) {
  each("nadam_step", params, grads, {&m, &v, &mu_products}, options);
}

void radam_step(const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &v,
                const kernels::Radam &options) {
  each("radam_step", params, grads, {&m, &v}, options);
}

void adamax_step(const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &largest,
                 const kernels::Adamax &options) {
  each("adamax_step", params, grads, {&m, &largest}, options);
}

void lion_step(const Tensors &params, const Tensors &grads, const Tensors &m, const kernels::Lion &options) {
  each("lion_step", params, grads, {&m}, options);
}

void rprop_step(const Tensors &params, const Tensors &grads, const Tensors &before, const Tensors &step_sizes,
                const kernels::Rprop &options) {
  each("rprop_step", params, grads, {&before, &step_sizes}, options);
}

Tensor total_norm(const Gradients &grads) {
  Tensors in;
  for (const RowSparse &g : grads) {
    check_floating(g.values, "total_norm");
    in.push_back(g.values);
    in.push_back(g.rows);
  }
  const Tensor y = empty({}, Dtype::float64);
  compute("total_norm", in, Operands(&y, 1), [n = grads.size()](const Tensor *in, const Tensor *out) {
    double sum = 0;
    for (size_t k = 0; k < n; ++k) {
      const Tensor x = contiguous_native(in[2 * k]), &rows = in[2 * k + 1];
      const int f = floating_index(x.dtype());
      sum += rows ? kernel().sum_squares_of_rows[f](used_rows(rows), row_width(x), rows.data<int64_t>(), x.data())
                  : kernel().sum_squares[f](x.size(), x.data());
    }
    *out[0].data<double>() = std::sqrt(sum);
  });
  return y;
}

void lerp_inplace(const Tensors &averages, const Tensors &values, const Tensor &share) {
  if (averages.size() != values.size())
    fail<ValueError>("[lerp_] got ", averages.size(), " averages and ", values.size(), " values, expected as many");
  if (share.ndim() != 0)
    fail<ValueError>("[lerp_] share has shape ", share.shape(), ", expected one number");
  for (size_t k = 0; k < averages.size(); ++k) {
    check_floating(averages[k], "lerp_");
    check(averages[k], values[k], "value", "lerp_");
    check_writable(averages[k], "lerp_", false);
  }
  const Tensor exact = astype(share, Dtype::float64);
  for (size_t k = 0; k < averages.size(); ++k) {
    const Tensor in[3] = {averages[k], values[k], exact};
    compute("lerp_", Operands(in, 3), Operands(in, 1), [](const Tensor *in, const Tensor *out) {
      const Updated average(out[0]);
      const Tensor value = contiguous_native(in[1]);
      kernel().lerp_step[floating_index(value.dtype())](value.size(), *in[2].data<double>(), average.data(),
                                                        value.data());
      average.finish();
    });
    mark_written(averages[k]);
  }
}

void clip_norm_inplace(const Tensors &tensors, const Tensor &norm, double max_norm) {
  for (const Tensor &t : tensors)
    check_writable(t, "clip_norm_", false);
  Tensors in = tensors;
  in.push_back(astype(norm, Dtype::float64));
  compute("clip_norm_", in, tensors, [max_norm, n = tensors.size()](const Tensor *in, const Tensor *out) {
    // NaN and infinity go through, as gradients of NaN and 0: a NaN must not be hidden by the comparison.
    const double factor = max_norm / (*in[n].data<double>() + 1e-6);
    for (size_t k = 0; k < n && !(factor >= 1); ++k) {
      const Tensor operands[2] = {out[k], number(factor, out[k])};
      BinaryWork{BinaryOp::Mul}(operands, &out[k]);
    }
  });
  for (const Tensor &t : tensors)
    mark_written(t);
}

} // namespace cinta::ops
