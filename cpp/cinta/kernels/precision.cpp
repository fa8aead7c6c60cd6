#include "cinta/kernels/precision.h"

#include <atomic>

namespace cinta::kernels {
namespace {
std::atomic<Precision> common{Precision::highest};
thread_local int own = -1;
} // namespace

Precision matmul_precision() { return own < 0 ? common.load(std::memory_order_relaxed) : Precision(own); }

void set_matmul_precision(Precision precision) {
  own = int(precision);
  common.store(precision, std::memory_order_relaxed);
}

MatmulPaths &matmul_paths() {
  static MatmulPaths &paths = *new MatmulPaths;
  return paths;
}

} // namespace cinta::kernels
