// Updates scaled by what the squared gradient has been: RMSprop, Adagrad, Adadelta.
#pragma once
#include "cinta/kernels/cpu/optim/lanes.inl"

namespace cinta::kernels::CINTA_ISA {

template <class T> void rmsprop_step(int64_t count, const Rmsprop &o, void *p_, const void *g_, void *square_,
                                     void *velocity_, void *mean_) {
  const T decay = T(o.weight_decay), alpha = T(o.alpha), fresh = T(1 - o.alpha), eps = T(o.eps), step = T(-o.lr);
  const T momentum = T(o.momentum);
  update_each<T>(count, 0.8, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), square(square_, i, n);
    const Vec<T> weights = p.load(), d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    Vec<T> spread = average_square<T>(square.load(), alpha, fresh, d);
    square.store(spread);
    if (mean_) {
      const Lanes<T> mean(mean_, i, n);
      const Vec<T> centre = average<T>(mean.load(), fresh, d);
      mean.store(centre);
      spread = fma(-centre, centre, spread);
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

template <class T>
void adadelta_step(int64_t count, const Adadelta &o, void *p_, const void *g_, void *square_, void *delta_) {
  const T decay = T(o.weight_decay), rho = T(o.rho), fresh = T(1 - o.rho), eps = T(o.eps), step = T(-o.lr);
  update_each<T>(count, 0.9, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), square(square_, i, n), delta(delta_, i, n);
    const Vec<T> weights = p.load(), d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    const Vec<T> spread = average_square<T>(square.load(), rho, fresh, d), moved = delta.load();
    const Vec<T> move = sqrt(moved + Vec<T>(eps)) / sqrt(spread + Vec<T>(eps)) * d;
    square.store(spread);
    delta.store(average_square<T>(moved, rho, fresh, move));
    p.store(fma(Vec<T>(step), move, weights));
  });
}

} // namespace cinta::kernels::CINTA_ISA
