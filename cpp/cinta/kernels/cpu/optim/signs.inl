// Updates that look at signs alone: Lion, Rprop.
#pragma once
#include "cinta/kernels/cpu/optim/lanes.inl"

namespace cinta::kernels::CINTA_ISA {

// -1, 0 or 1, and NaN where x is.
template <class T> CINTA_FN Vec<T> sign(Vec<T> x) {
  return select(x == Vec<T>(0), Vec<T>(0), select(x == x, copysign(Vec<T>(1), x), x));
}

template <class T> void lion_step(int64_t count, const Lion &o, void *p_, const void *g_, void *m_) {
  const T keep = T(1 - o.lr * o.weight_decay), step = T(-o.lr), fresh1 = T(1 - o.beta1), fresh2 = T(1 - o.beta2);
  update_each<T>(count, 0.5, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), m(m_, i, n);
    const Vec<T> d = gradient<T>(g_, i, n, o.maximize, T(0), Vec<T>(0)), mean = m.load();
    m.store(average<T>(mean, fresh2, d));
    p.store(fma(Vec<T>(step), sign(average<T>(mean, fresh1, d)), p.load() * Vec<T>(keep)));
  });
}

template <class T>
void rprop_step(int64_t count, const Rprop &o, void *p_, const void *g_, void *before_, void *size_) {
  const T shrink = T(o.eta_minus), grow = T(o.eta_plus), least = T(o.step_min), most = T(o.step_max);
  update_each<T>(count, 0.6, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n), before(before_, i, n), size(size_, i, n);
    const Vec<T> d = gradient<T>(g_, i, n, o.maximize, T(0), Vec<T>(0)), agreement = d * before.load();
    const Mask<T> turned = agreement < Vec<T>(0);
    // Not a number goes through: 1 + NaN.
    const Vec<T> factor =
        select(turned, Vec<T>(shrink), select(agreement > Vec<T>(0), Vec<T>(grow), agreement + Vec<T>(1)));
    const Vec<T> reach = minimum(maximum(size.load() * factor, Vec<T>(least)), Vec<T>(most));
    const Vec<T> taken = select(turned, Vec<T>(0), d); // a step over a minimum is not followed by another at once
    size.store(reach);
    before.store(taken);
    p.store(fma(-sign(taken), reach, p.load()));
  });
}

} // namespace cinta::kernels::CINTA_ISA
