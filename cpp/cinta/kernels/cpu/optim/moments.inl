// Updates by running means of the gradient and of its size: Adam and its relatives.
#pragma once
#include "cinta/kernels/cpu/optim/lanes.inl"

namespace cinta::kernels::CINTA_ISA {

template <class T>
void adam_step(int64_t count, const Adam &o, void *p_, const void *g_, void *m_, void *v_, void *v_max_) {
  const T decay = T(o.decoupled ? 0 : o.weight_decay), keep = T(o.decoupled ? 1 - o.lr * o.weight_decay : 1);
  const T fresh1 = T(1 - o.beta1), beta2 = T(o.beta2), fresh2 = T(1 - o.beta2), eps = T(o.eps);
  const T step = T(-o.lr / o.bias1), unbias = T(1 / __builtin_sqrt(o.bias2));
  update_each<T>(count, 0.8, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), m(m_, i, n), v(v_, i, n);
    const Vec<T> weights = p.load() * Vec<T>(keep);
    const Vec<T> d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    const Vec<T> first = average<T>(m.load(), fresh1, d);
    Vec<T> second = average_square<T>(v.load(), beta2, fresh2, d);
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

template <class T>
void nadam_step(int64_t count, const Nadam &o, double mu_product, void *p_, const void *g_, void *m_, void *v_) {
  const T decay = T(o.decoupled ? 0 : o.weight_decay), keep = T(o.decoupled ? 1 - o.lr * o.weight_decay : 1);
  const T fresh1 = T(1 - o.beta1), beta2 = T(o.beta2), fresh2 = T(1 - o.beta2), eps = T(o.eps);
  const T unbias = T(1 / __builtin_sqrt(o.bias2)), fresh_step = T(-o.lr * (1 - o.mu) / (1 - mu_product));
  const T mean_step = T(-o.lr * o.mu_next / (1 - mu_product * o.mu_next));
  update_each<T>(count, 0.9, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), m(m_, i, n), v(v_, i, n);
    const Vec<T> weights = p.load() * Vec<T>(keep);
    const Vec<T> d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    const Vec<T> first = average<T>(m.load(), fresh1, d), second = average_square<T>(v.load(), beta2, fresh2, d);
    m.store(first);
    v.store(second);
    const Vec<T> move = fma(Vec<T>(mean_step), first, Vec<T>(fresh_step) * d);
    p.store(weights + move / fma(sqrt(second), Vec<T>(unbias), Vec<T>(eps)));
  });
}

template <class T> void radam_step(int64_t count, const Radam &o, void *p_, const void *g_, void *m_, void *v_) {
  const T decay = T(o.decoupled ? 0 : o.weight_decay), keep = T(o.decoupled ? 1 - o.lr * o.weight_decay : 1);
  const T fresh1 = T(1 - o.beta1), beta2 = T(o.beta2), fresh2 = T(1 - o.beta2), eps = T(o.eps);
  const T plain = T(-o.lr / o.bias1), step = T(-o.lr / o.bias1 * o.rectify * __builtin_sqrt(o.bias2));
  const bool adaptive = o.rectify > 0;
  update_each<T>(count, 0.8, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), m(m_, i, n), v(v_, i, n);
    const Vec<T> weights = p.load() * Vec<T>(keep);
    const Vec<T> d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    const Vec<T> first = average<T>(m.load(), fresh1, d), second = average_square<T>(v.load(), beta2, fresh2, d);
    m.store(first);
    v.store(second);
    p.store(adaptive ? fma(Vec<T>(step), first / (sqrt(second) + Vec<T>(eps)), weights)
                     : fma(Vec<T>(plain), first, weights));
  });
}

template <class T> void adamax_step(int64_t count, const Adamax &o, void *p_, const void *g_, void *m_, void *most_) {
  const T decay = T(o.weight_decay), fresh = T(1 - o.beta1), beta2 = T(o.beta2), eps = T(o.eps);
  const T step = T(-o.lr / o.bias1);
  update_each<T>(count, 0.6, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), m(m_, i, n), most(most_, i, n);
    const Vec<T> weights = p.load(), d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    const Vec<T> first = average<T>(m.load(), fresh, d);
    const Vec<T> largest = maximum(most.load() * Vec<T>(beta2), abs(d) + Vec<T>(eps));
    m.store(first);
    most.store(largest);
    p.store(fma(Vec<T>(step), first / largest, weights));
  });
}

} // namespace cinta::kernels::CINTA_ISA
