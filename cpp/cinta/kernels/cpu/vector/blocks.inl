// A loop over [0, n) in blocks whose borders depend on nothing but n, on the threads where that pays.
#pragma once
#include "cinta/base/parallel.h"

namespace cinta::kernels::CINTA_ISA {

template <class F> void for_blocks(int64_t n, int64_t block, double cost_ns, const F &f) {
  if (n <= block)
    return n > 0 ? f(int64_t(0), n) : void();
  struct Work {
    const F &f;
    int64_t n, block;
  } work{f, n, block};
  const auto body = [](void *context, int64_t i) {
    const Work &w = *static_cast<const Work *>(context);
    const int64_t end = (i + 1) * w.block;
    w.f(i * w.block, end < w.n ? end : w.n);
  };
  parallel_for((n + block - 1) / block, cost_ns, body, &work);
}

} // namespace cinta::kernels::CINTA_ISA
