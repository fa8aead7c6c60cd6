// Connectionist temporal classification (Graves et al., 2006), a sequence at a time. Its states are the labels and the
// blanks around them, blank i before label i, in two rows: a step in time takes a vector of each.
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/ctc/scaled.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

template <class T> struct CtcStates { // of one frame; there is one blank more than labels, whose row has a zero instead
  ScaledRow<T> blanks, labels;
  static int64_t elements(int64_t width) { return 4 * width; }
};
// Where sequence n's rows begin in alpha.
template <class T> int64_t alpha_begin(const Ctc &c, int64_t n) {
  const int64_t labels_before = n < c.batch ? c.spans[3 * n] : c.labels;
  return c.frames * CtcStates<T>::elements(labels_before + n);
}

template <class T> void clear(T *begin, T *end) {
  for_vectors<T>(0, end - begin, [=](int64_t i, int64_t n) { store_some(Vec<T>(T(0)), begin + i, n); });
}

template <class T> struct CtcSequence {
  int64_t length, width, frames, blank, classes, step; // length: of the labels; width: blanks
  const int64_t *targets;
  const T *log_probs;
  T *alpha;
  int64_t run;    // frames whose probabilities are taken together
  T *emitted;     // those of the labels and, last, of the blank, frame by frame
  T *skip, *more; // skip[i]: whether label i may follow label i - 1 at once; room for a frame more

  static constexpr int64_t kRunElements = 4096;

  CtcSequence(const Ctc &c, int64_t n, const void *given, void *kept)
      : length(c.spans[3 * n + 1]), width(length + 1), frames(c.spans[3 * n + 2]), blank(c.blank), classes(c.classes),
        step(c.frame_step), targets(c.targets + c.spans[3 * n]),
        log_probs(static_cast<const T *>(given) + n * c.batch_step),
        alpha(static_cast<T *>(kept) + alpha_begin<T>(c, n)), run(width < kRunElements ? kRunElements / width : 1) {
    emitted = static_cast<T *>(scratch(Scratch::ctc, size_t((2 * run + 6) * width) * sizeof(T)));
    skip = emitted + 2 * run * width;
    more = skip + width;
    for (int64_t i = 0; i < length; ++i)
      skip[i] = T(i > 0 && targets[i] != targets[i - 1]);
    skip[length] = T(0);
  }

  // Forward, the row of labels begins with its zero, label i is at i + 1: what a step reads is the one before.
  CtcStates<T> states(int64_t frame) const {
    T *row = frame < 0 ? more : alpha + frame * CtcStates<T>::elements(width);
    return {{row, width}, {row + 2 * width, width}};
  }
  ScaledRow<T> emissions(int64_t frame) const { // of those emit() took last
    ScaledRow<T> all(emitted, run * width);
    all.m += frame % run * width;
    all.e += frame % run * width;
    return all;
  }
  void emit(int64_t first, int64_t end) const {
    const ScaledRow<T> all(emitted, run * width);
    for (int64_t t = first; t < end; ++t)
      for (int64_t i = 0; i < width; ++i)
        all.m[(t - first) * width + i] = log_probs[t * step + (i < length ? targets[i] : blank)];
    for_vectors<T>(0, (end - first) * width,
                   [&](int64_t i, int64_t n) { all.set(i, n, scaled_exp(load_some(all.m + i, n))); });
  }

  // alpha: the probability of all ways to a state, its own label at its own frame included.
  void forward() const {
    const CtcStates<T> start = states(-1);
    for (int64_t i = 0; i < width; ++i) {
      start.blanks.put(i, i == 0);
      start.labels.put(i, false);
    }
    for (int64_t t = 0; t < frames; ++t) {
      if (t % run == 0)
        emit(t, t + run < frames ? t + run : frames);
      forward_step(states(t - 1), states(t), emissions(t));
    }
  }
  void forward_step(CtcStates<T> from, CtcStates<T> to, ScaledRow<T> p) const {
    const Scaled<T> p_blank = p.everywhere(length);
    to.labels.put(0, false);
    for_vectors<T>(0, width, [&](int64_t i, int64_t n) {
      const Scaled<T> stays = from.blanks.get(i, n), arrives = stays + from.labels.get(i, n);
      to.blanks.set(i, n, arrives * p_blank);
      if (const int64_t own = n < length - i ? n : length - i; own > 0) {
        const Mask<T> skips = load_some(skip + i, own) > Vec<T>(T(0));
        const Scaled<T> before = select(skips, arrives, stays);
        to.labels.set(i + 1, own, (from.labels.get(i + 1, own) + before) * p.get(i, own));
      }
    });
  }
  // The probability of all alignments, m 2^e with m in double.
  double total(T &e) const {
    const CtcStates<T> last = states(frames - 1);
    const T a = last.blanks.e[length], b = last.labels.e[length];
    const auto below = [](T gap) { return int(gap > T(-2000) ? gap : T(-2000)); };
    e = a > b ? a : b;
    return __builtin_ldexp(double(last.blanks.m[length]), below(a - e)) +
           __builtin_ldexp(double(last.labels.m[length]), below(b - e));
  }

  // beta: the probability of all ways from a state to the end, without its own label. The share of all alignments that
  // are in a state at a frame, alpha beta / total, is minus the gradient.
  void backward(double scale, double total, T total_e, T *dx) const {
    const CtcStates<T> ends{{more, width}, {more + 2 * width, width}}; // beta times the label's probability, a frame on
    T *const shares = more + 4 * width;
    for (int64_t i = 0; i < width; ++i) {
      ends.blanks.put(i, i == length);
      ends.labels.put(i, false);
    }
    const Scaled<T> factor{Vec<T>(T(scale / total)), Vec<T>(-total_e)};
    for (int64_t t = frames - 1; t >= 0; --t) {
      if (t == frames - 1 || t % run == run - 1)
        emit(t / run * run, t + 1);
      const Vec<T> blanks = backward_step(states(t), ends, emissions(t), factor, shares);
      T *const row = dx + t * step;
      clear(row, row + classes);
      row[blank] = -reduce_add(blanks);
      for (int64_t i = 0; i < length; ++i)
        row[targets[i]] -= shares[i];
    }
  }
  CINTA_FN Vec<T> backward_step(CtcStates<T> alpha, CtcStates<T> ends, ScaledRow<T> p, Scaled<T> factor,
                                T *shares) const { // the shares of the blanks, added
    const Scaled<T> p_blank = p.everywhere(length);
    Vec<T> sum(T(0));
    for_vectors<T>(0, width, [&](int64_t i, int64_t n) {
      const Scaled<T> blank = ends.blanks.get(i, n), label = ends.labels.get(i, n), from_blank = blank + label;
      const int64_t own = n < length - i ? n : length - i;
      if (own > 0) {
        const Mask<T> skips = load_some(skip + i + 1, own) > Vec<T>(T(0));
        const Scaled<T> next = ends.blanks.get(i + 1, own), next_label = ends.labels.get(i + 1, own);
        const Scaled<T> from_label = label + select(skips, next + next_label, next);
        store_some(share(alpha.labels.get(i + 1, own), from_label, factor), shares + i, own);
        ends.labels.set(i, own, from_label * p.get(i, own));
      }
      sum += share(alpha.blanks.get(i, n), from_blank, factor);
      ends.blanks.set(i, n, from_blank * p_blank);
    });
    return sum;
  }
  CINTA_FN static Vec<T> share(Scaled<T> alpha, Scaled<T> beta, Scaled<T> factor) {
    const Vec<T> e = alpha.e + beta.e + factor.e, least(kLeastExponent<T>);
    const Vec<T> y = scale_by_power(alpha.m * beta.m * factor.m, min(Vec<T>(T(126)), max(least, e)));
    return select(e < least, Vec<T>(T(0)), y);
  }
};

// body(sequence's number), on the threads where that pays.
template <class F> void for_sequences(const Ctc &c, double ns_per_state, double ns_per_frame, const F &body) {
  const double frames = double(c.frames), batch = double(c.batch);
  const auto run = [](void *f, int64_t n) { (*static_cast<const F *>(f))(n); };
  parallel_for(c.batch, frames * ((double(c.labels) + batch) * ns_per_state + batch * ns_per_frame), run,
               const_cast<F *>(&body));
}

template <class T> void ctc(const Ctc &c, const void *log_probs, void *loss, void *alpha) {
  for_sequences(c, 1 + 16 / Vec<T>::width, 20, [&](int64_t n) {
    const CtcSequence<T> s(c, n, log_probs, alpha);
    s.forward();
    // Whoever watches results looks at all of them.
    T *const end = static_cast<T *>(alpha) + alpha_begin<T>(c, n + 1);
    clear(s.states(s.frames).blanks.m, end);
    T e;
    const double total = s.total(e);
    static_cast<T *>(loss)[n] = T(0 - (__builtin_log(total) + double(e) * 0x1.62e42fefa39efp-1));
  });
}

template <class T> void ctc_vjp(const Ctc &c, const void *log_probs, const void *alpha, const void *dy, void *dx_) {
  for_sequences(c, 3 + 48 / Vec<T>::width, 20 + double(c.classes) / 8, [&](int64_t n) {
    T *const dx = static_cast<T *>(dx_) + n * c.batch_step;
    T e = 0;
    const CtcSequence<T> s(c, n, log_probs, const_cast<void *>(alpha));
    const double total = s.frames ? s.total(e) : 0;
    if (total != 0) // there is an alignment, or NaN
      s.backward(double(static_cast<const T *>(dy)[n]), total, e, dx);
    for (int64_t t = total != 0 ? s.frames : 0; t < c.frames; ++t)
      clear(dx + t * c.frame_step, dx + t * c.frame_step + c.classes);
  });
}

void fill_ctc(Table &table) {
  table.ctc[0] = ctc<float>;
  table.ctc[1] = ctc<double>;
  table.ctc_vjp[0] = ctc_vjp<float>;
  table.ctc_vjp[1] = ctc_vjp<double>;
}

} // namespace cinta::kernels::CINTA_ISA
