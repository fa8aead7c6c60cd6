// Optimizer updates: one pass over memory, PyTorch's formulas in PyTorch's order.
#include "cinta/kernels/cpu/vector/blocks.inl"
#include "cinta/kernels/cpu/vmath/vmath.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

constexpr int64_t kUpdateBlock = 16384;

// One vector of an array that may be absent, and may be partial.
template <class T> struct Lanes {
  T *p;
  int64_t n;
  CINTA_FN Lanes(void *array, int64_t i, int64_t count) : p(static_cast<T *>(array) + i), n(count) {}
  CINTA_FN Vec<T> load() const { return n == Vec<T>::width ? Vec<T>::load(p) : Vec<T>::load_partial(p, n); }
  CINTA_FN void store(Vec<T> x) const {
    if (n == Vec<T>::width)
      x.store(p);
    else
      x.store_partial(p, n);
  }
};

// update(i, n) for each vector [i, i + n) of the arrays
template <class T, class F> void update_each(int64_t count, double ns_per_element, F update) {
  constexpr int W = Vec<T>::width;
  for_blocks(count, kUpdateBlock, double(count) * ns_per_element, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + W <= end; i += W)
      update(i, int64_t(W));
    if (i < end)
      update(i, end - i);
  });
}

// The gradient with its sign and, where asked for, the weights' pull to zero.
template <class T> CINTA_FN Vec<T> gradient(const void *g, int64_t i, int64_t n, bool maximize, T decay, Vec<T> p) {
  Vec<T> d = Lanes<T>(const_cast<void *>(g), i, n).load();
  if (maximize)
    d = -d;
  return decay != T(0) ? fma(Vec<T>(decay), p, d) : d;
}

template <class T> void sgd_step(int64_t count, const Sgd &o, void *p_, const void *g_, void *velocity_) {
  const T decay = T(o.weight_decay), momentum = T(o.momentum), fresh = T(1 - o.dampening), step = T(-o.lr);
  update_each<T>(count, 0.4, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n);
    const Vec<T> weights = p.load();
    Vec<T> d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    if (velocity_) {
      const Lanes<T> velocity(velocity_, i, n);
      const Vec<T> v = o.first ? d : fma(Vec<T>(fresh), d, velocity.load() * Vec<T>(momentum));
      velocity.store(v);
      d = o.nesterov ? fma(Vec<T>(momentum), v, d) : v;
    }
    p.store(fma(Vec<T>(step), d, weights));
  });
}

template <class T>
void adam_step(int64_t count, const Adam &o, void *p_, const void *g_, void *m_, void *v_, void *v_max_) {
  const T decay = T(o.decoupled ? 0 : o.weight_decay), keep = T(o.decoupled ? 1 - o.lr * o.weight_decay : 1);
  const T fresh1 = T(1 - o.beta1), beta2 = T(o.beta2), fresh2 = T(1 - o.beta2), eps = T(o.eps);
  const T step = T(-o.lr / o.bias1), unbias = T(1 / __builtin_sqrt(o.bias2));
  update_each<T>(count, 0.8, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), m(m_, i, n), v(v_, i, n);
    const Vec<T> weights = p.load() * Vec<T>(keep);
    const Vec<T> d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    const Vec<T> m_old = m.load(), first = fma(Vec<T>(fresh1), d - m_old, m_old);
    Vec<T> second = fma(Vec<T>(fresh2) * d, d, v.load() * Vec<T>(beta2));
    m.store(first);
    v.store(second);
    if (v_max_) {
      const Lanes<T> v_max(v_max_, i, n);
      second = maximum(v_max.load(), second);
      v_max.store(second);
    }
    p.store(fma(Vec<T>(step), first / fma(sqrt(second), Vec<T>(unbias), Vec<T>(eps)), weights));
  });
}

template <class T> void rmsprop_step(int64_t count, const Rmsprop &o, void *p_, const void *g_, void *square_,
                                     void *velocity_, void *mean_) {
  const T decay = T(o.weight_decay), alpha = T(o.alpha), fresh = T(1 - o.alpha), eps = T(o.eps), step = T(-o.lr);
  const T momentum = T(o.momentum);
  update_each<T>(count, 0.8, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), square(square_, i, n);
    const Vec<T> weights = p.load(), d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    Vec<T> spread = fma(Vec<T>(fresh) * d, d, square.load() * Vec<T>(alpha));
    square.store(spread);
    if (mean_) {
      const Lanes<T> mean(mean_, i, n);
      const Vec<T> old = mean.load(), average = fma(Vec<T>(fresh), d - old, old);
      mean.store(average);
      spread = fma(-average, average, spread);
    }
    Vec<T> move = d / (sqrt(spread) + Vec<T>(eps));
    if (velocity_) {
      const Lanes<T> velocity(velocity_, i, n);
      move = fma(velocity.load(), Vec<T>(momentum), move);
      velocity.store(move);
    }
    p.store(fma(Vec<T>(step), move, weights));
  });
}

template <class T> void adagrad_step(int64_t count, const Adagrad &o, void *p_, const void *g_, void *sum_) {
  const T decay = T(o.weight_decay), eps = T(o.eps), step = T(-o.lr);
  update_each<T>(count, 0.6, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), sum(sum_, i, n);
    const Vec<T> weights = p.load(), d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    const Vec<T> total = fma(d, d, sum.load());
    sum.store(total);
    p.store(fma(Vec<T>(step), d / (sqrt(total) + Vec<T>(eps)), weights));
  });
}

// Sixteen sums of doubles on every level, so that each level gives the same bits.
template <class T> double sum_squares_block(int64_t n, const T *x) {
  double lanes[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 16; ++l)
      lanes[l] += double(x[i + l]) * double(x[i + l]);
  for (int l = 0; i + l < n; ++l)
    lanes[l] += double(x[i + l]) * double(x[i + l]);
  for (int half = 8; half >= 1; half /= 2)
    for (int l = 0; l < half; ++l)
      lanes[l] += lanes[l + half];
  return lanes[0];
}

template <class T> double sum_squares(int64_t count, const void *x_) {
  const T *x = static_cast<const T *>(x_);
  if (count <= kUpdateBlock)
    return sum_squares_block(count, x);
  const int64_t blocks = (count + kUpdateBlock - 1) / kUpdateBlock;
  double *sums = static_cast<double *>(scratch(Scratch::reduce, size_t(blocks) * sizeof(double)));
  for_blocks(count, kUpdateBlock, double(count) * 0.2, [=](int64_t begin, int64_t end) {
    sums[begin / kUpdateBlock] = sum_squares_block(end - begin, x + begin);
  });
  double sum = 0;
  for (int64_t b = 0; b < blocks; ++b)
    sum += sums[b];
  return sum;
}

void fill_optim(Table &table) {
  table.sgd_step[0] = sgd_step<float>;
  table.sgd_step[1] = sgd_step<double>;
  table.adam_step[0] = adam_step<float>;
  table.adam_step[1] = adam_step<double>;
  table.rmsprop_step[0] = rmsprop_step<float>;
  table.rmsprop_step[1] = rmsprop_step<double>;
  table.adagrad_step[0] = adagrad_step<float>;
  table.adagrad_step[1] = adagrad_step<double>;
  table.sum_squares[0] = sum_squares<float>;
  table.sum_squares[1] = sum_squares<double>;
}

} // namespace cinta::kernels::CINTA_ISA
