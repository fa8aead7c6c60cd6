#include "cinta/ops/ctc.h"

#include <algorithm>
#include <limits>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/index.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

const char *const op = "ctc_loss";
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNone = -1e30; // the logarithm of 0 in the step form: differences of it stay numbers
constexpr int kSpan = 3;        // of a sequence: its first label, how many, how many frames

// Frame after frame or sequence after sequence, in the compute type: dx will lie as x does.
Tensor rows_native(const Tensor &x) {
  const int64_t T = x.shape()[0], N = x.shape()[1], C = x.shape()[2];
  const Strides &s = x.strides();
  const bool by_frames = (T < 2 || s[0] == N * C) && (N < 2 || s[1] == C);
  const bool by_sequences = (T < 2 || s[0] == C) && (N < 2 || s[1] == T * C);
  const bool fits = is_native(x.dtype()) && (C < 2 || s[2] == 1) && (by_frames || by_sequences);
  return fits ? x : contiguous_native(x);
}
kernels::Ctc problem(const Tensor &x, const Tensor &targets, const Tensor &spans, int64_t blank) {
  return {x.shape()[0],
          x.shape()[1],
          x.shape()[2],
          targets.size(),
          blank,
          x.strides()[0],
          x.strides()[1],
          targets.data<int64_t>(),
          spans.data<int64_t>()};
}

template <class T> void replace_infinity(const Tensor &loss) {
  std::replace(loss.data<T>(), loss.data<T>() + loss.size(), T(kInf), T(0));
}
struct CtcWork { // in: log_probs, targets, spans; out: loss, alpha
  int64_t blank;
  bool zero_infinity;
  bool operator==(const CtcWork &) const = default;
  void operator()(const Tensor *in, const Tensor *out) const {
    const int type = floating_index(in[0].dtype());
    kernel().ctc[type](problem(in[0], in[1], in[2], blank), in[0].data(), out[0].data(), out[1].data());
    if (zero_infinity)
      type ? replace_infinity<double>(out[0]) : replace_infinity<float>(out[0]);
  }
};
struct CtcVjpWork { // in: log_probs, targets, spans, alpha, dy; out: dx, laid out as log_probs
  int64_t blank;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().ctc_vjp[floating_index(in[0].dtype())](problem(in[0], in[1], in[2], blank), in[0].data(), in[3].data(),
                                                    in[4].data(), out[0].data());
  }
};

struct CtcAttributes {
  Tensor targets, spans;  // int64 [labels] and [N,3]
  int64_t blank, longest; // longest: labels of any sequence, at most
  bool zero_infinity;
};
struct CtcLoss final : OpWith<CtcAttributes> { // loss [N] of log_probs [T,N,C]; the second output is alpha
  using OpWith::OpWith;
  const char *name() const override { return op; }
  int outputs() const override { return 2; }
  uint32_t saves() const override { return saves::input(0) | saves::output(1); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    const Tensor x = rows_native(in[0]);
    const int64_t T = x.shape()[0], N = x.shape()[1];
    out[0] = empty({N}, x.dtype());
    out[1] = empty({T * 4 * (targets.size() + N)}, x.dtype());
    compute(op, {x, targets, spans}, {out[0], out[1]}, CtcWork{blank, zero_infinity});
  }
  void vjp(Vjp &v) const override {
    const Tensor &dy = v.dy(0);
    if (!dy)
      return;
    if (grad_enabled())
      return recorded_vjp(v);
    const Tensor x = rows_native(v.in(0)), dx = view(empty({x.size()}, x.dtype()), x.shape(), x.strides());
    compute(op, {x, targets, spans, v.out(1), contiguous_native(dy)}, {dx}, CtcVjpWork{blank});
    v.dx(0, from_native(dx, v.in(0).dtype()));
  }

  // The gradient of the step form, recorded while it is walked.
  void recorded_vjp(Vjp &v) const {
    const uint64_t since = uint64_t(tape_position());
    const Tensors wanted = {reshape(v.in(0), v.in(0).shape())};
    const Tensors found = backward({step_form(wanted[0])}, {v.dy(0)}, &wanted, {true, true, since});
    if (found[0])
      v.dx(0, found[0]);
  }
  // The loss frame by frame, in ops and in float64: what derivatives of any order are made of.
  Tensor step_form(const Tensor &given) const {
    const int64_t T = given.shape()[0], N = given.shape()[1], L = longest;
    const Tensor x = maximum(astype(given, Dtype::float64), scalar(kNone, Dtype::float64));
    const Tensor labels = empty({N, L}, Dtype::int64), skips = empty({N, L}, Dtype::bool_);
    compute({op}, {targets, spans}, {labels, skips}, [blank = blank](const Tensor *in, const Tensor *out) {
      padded(in[0].data<int64_t>(), in[1].data<int64_t>(), blank, out[0], out[1]);
    });
    const Tensor of_label = take_along_axis(x, broadcast_to(expand_dims(labels, {0}), {T, N, L}), 2);
    const Tensor of_blank = narrow(x, 2, blank, 1), frames = narrow(spans, 1, 2, 1);
    const auto at = [](const Tensor &y, int64_t t) { return squeeze(narrow(y, 0, t, 1), Axes{0}); };
    const auto shifted = [&](const Tensor &y) { return embed(y, {N, L + 1}, {{0, 1, N}, {1, 1, L}}, kNone); };
    Tensor blanks = embed(zeros({N, 1}, x.dtype()), {N, L + 1}, {{0, 1, N}, {0, 1, 1}}, kNone);
    Tensor states = full({N, L}, kNone, x.dtype()); // of labels
    for (int64_t t = 0; t < T; ++t) {
      const Tensor arrives = logaddexp(blanks, shifted(states));
      const Tensor before = where(skips, narrow(arrives, 1, 0, L), narrow(blanks, 1, 0, L));
      const Tensor alive = greater(frames, scalar(double(t), Dtype::int64));
      blanks = where(alive, add(arrives, at(of_blank, t)), blanks);
      states = where(alive, add(logaddexp(states, before), at(of_label, t)), states);
    }
    const Tensor end = narrow(spans, 1, 1, 1);
    const Tensor log_p = logaddexp(take_along_axis(blanks, end, 1), take_along_axis(shifted(states), end, 1));
    const Tensor impossible = less(detach(log_p), number(kNone / 2, log_p)); // NaN is not
    const Tensor loss = where(impossible, number(zero_infinity ? 0 : kInf, log_p), neg(log_p));
    return astype(reshape(loss, {N}), is_native(given.dtype()) ? given.dtype() : Dtype::float32);
  }
  // The labels of each sequence in a row, blank behind them, and whether each may follow the one before at once.
  static void padded(const int64_t *targets, const int64_t *spans, int64_t blank, const Tensor &labels,
                     const Tensor &skips) {
    const int64_t N = labels.shape()[0], L = labels.shape()[1];
    for (int64_t n = 0; n < N; ++n)
      for (int64_t i = 0; i < L; ++i) {
        const int64_t *const label = targets + spans[kSpan * n] + i;
        const bool inside = i < spans[kSpan * n + 1];
        labels.data<int64_t>()[n * L + i] = inside ? *label : blank;
        skips.data<bool>()[n * L + i] = inside && i > 0 && label[0] != label[-1];
      }
  }
};

Tensor integers(const Tensor &t, const char *what) { // int64, contiguous; an empty list has no dtype of its own
  if (!is_integer(t.dtype()) && t.size())
    fail_dtype(op, t.dtype(), (std::string(what) + " of an integer dtype").c_str());
  GradMode off(false);
  const Tensor y = empty(t.shape(), Dtype::int64);
  copy(t, y);
  return y;
}

struct Problem {
  int64_t T, N, C, S, blank; // S: columns of targets, or -1 where they lie one after the other
};
void check(const Problem &p, int64_t labels, const int64_t *targets, const int64_t *input_lengths,
           const int64_t *target_lengths, int64_t *spans) {
  int64_t total = 0;
  for (int64_t n = 0; n < p.N; ++n) {
    const int64_t frames = input_lengths[n], length = target_lengths[n], first = p.S < 0 ? total : n * p.S;
    if (frames < 0 || frames > p.T)
      fail<ValueError>("[ctc_loss] input_lengths[", n, "] is ", frames, ", expected 0 to ", p.T,
                       ", the frames of log_probs");
    if (length < 0 || (p.S >= 0 && length > p.S))
      fail<ValueError>("[ctc_loss] target_lengths[", n, "] is ", length, ", expected 0 to ", p.S < 0 ? labels : p.S);
    if ((total += length) > labels && p.S < 0)
      break;
    for (int64_t i = 0; i < length; ++i) {
      const int64_t label = targets[first + i];
      if (label < 0 || label >= p.C)
        fail<IndexError>("[ctc_loss] target ", label, " at place ", i, " of sequence ", n,
                         " is out of range, expected 0 to ", p.C - 1, " (", p.C, " classes)");
      if (label == p.blank)
        fail<ValueError>("[ctc_loss] target ", label, " at place ", i, " of sequence ", n,
                         " is the blank, expected labels: give blank= a class that no target has");
    }
    spans[kSpan * n] = first;
    spans[kSpan * n + 1] = length;
    spans[kSpan * n + 2] = frames;
  }
  if (p.S < 0 && total != labels)
    fail<ValueError>("[ctc_loss] targets one after the other have ", labels, " labels, expected the sum of ",
                     "target_lengths, ", total, total > labels ? " or more" : "");
}

Tensor lengths_of(const Tensor &given, int64_t N, bool batched, const char *what) {
  const Tensor lengths = integers(given, what);
  if (!(lengths.shape() == Shape{N} || (!batched && lengths.ndim() == 0)))
    fail<ValueError>("[ctc_loss] ", what, " have shape ", given.shape(), ", expected [", N,
                     "], one for each sequence of log_probs");
  return lengths.ndim() ? lengths : reshape(lengths, {1});
}

} // namespace

Tensor ctc_loss(const Tensor &given, const Tensor &given_targets, const Tensor &input_lengths,
                const Tensor &target_lengths, const CtcOptions &options) {
  check_floating(given, op);
  if (given.ndim() != 2 && given.ndim() != 3)
    fail<ValueError>("[ctc_loss] log_probs have shape ", given.shape(), ", expected [T,N,C] or [T,C] (frames, ",
                     "sequences, classes)");
  const bool batched = given.ndim() == 3;
  const Tensor x = batched ? given : expand_dims(given, {1});
  const int64_t T = x.shape()[0], N = x.shape()[1], C = x.shape()[2];
  if (options.blank < 0 || options.blank >= C)
    fail<ValueError>("[ctc_loss] blank is ", options.blank, ", expected 0 to ", C - 1, ", one of ", C, " classes");
  if (given_targets.ndim() != 1 && !(given_targets.ndim() == 2 && given_targets.shape()[0] == N))
    fail<ValueError>("[ctc_loss] targets have shape ", given_targets.shape(), ", expected [", N,
                     ",S] or, one after the other, [sum of target_lengths]");
  const Tensor targets = integers(given_targets, "targets");
  const Tensor frames = lengths_of(input_lengths, N, batched, "input_lengths");
  const Tensor lengths = lengths_of(target_lengths, N, batched, "target_lengths");
  const int64_t columns = targets.ndim() == 2 ? targets.shape()[1] : batched ? -1 : targets.size();
  const Problem problem{T, N, C, columns, options.blank};
  const Tensor spans = empty({N, kSpan}, Dtype::int64);
  compute({op, Effect::check}, {targets, frames, lengths}, {spans}, [problem](const Tensor *in, const Tensor *out) {
    check(problem, in[0].size(), in[0].data<int64_t>(), in[1].data<int64_t>(), in[2].data<int64_t>(),
          out[0].data<int64_t>());
  });
  int64_t longest = problem.S < 0 ? targets.size() : problem.S;
  if (!recording() && N) // a program has to know without looking
    longest = *std::max_element(lengths.data<int64_t>(), lengths.data<int64_t>() + N);

  Tensor out[2];
  apply(make_op<CtcLoss>({targets, spans, options.blank, longest, options.zero_infinity}), &x, 1, out);
  Tensor loss = out[0];
  if (options.reduction == Reduction::mean)
    loss = mean(divide(loss, astype(maximum(lengths, scalar(1, Dtype::int64)), loss.dtype())));
  else if (options.reduction == Reduction::sum)
    loss = sum(loss);
  else if (!batched)
    loss = reshape(loss, {});
  return astype(loss, given.dtype());
}

} // namespace cinta::ops
