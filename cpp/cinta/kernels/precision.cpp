#include "cinta/kernels/precision.h"

#include <atomic>

namespace cinta::kernels {
namespace {
std::atomic<Precision> common{Precision::highest};
thread_local int own = -1;
} // namespace

Precision matmul_precision() { return own < 0 ? common.load(std::memory_order_relaxed) : Precision(own); }

void set_matmul_precision(Precision precision, bool shared) {
  own = int(precision);
  if (shared)
    common.store(precision, std::memory_order_relaxed);
}

PrecisionScope::PrecisionScope(Precision precision) : before_(own) { own = int(precision); }
PrecisionScope::~PrecisionScope() { own = before_; }

MatmulPaths &matmul_paths() {
  static MatmulPaths &paths = *new MatmulPaths;
  return paths;
}

} // namespace cinta::kernels
