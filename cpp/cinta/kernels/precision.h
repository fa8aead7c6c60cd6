// How exactly float32 matrix products and convolutions are computed where a faster way than float32 FMA exists.
#pragma once
#include <cstdint>

namespace cinta::kernels {

enum class Precision : int {
  strict,  // float32 FMA only
  highest, // as exact as float32 FMA or better: three bfloat16 parts, six products, and FMA out of their range
  high,    // two parts, three products: relative error about 4e-6
  medium,  // one part: bfloat16 products, relative error about 2e-3
};

Precision matmul_precision(); // of this thread
// For this thread; `shared`: also for threads that have not set their own.
void set_matmul_precision(Precision precision, bool shared);
// Where a thread of the pool computes for another: as that one has it, for a scope.
class PrecisionScope {
public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope &) = delete;
  PrecisionScope &operator=(const PrecisionScope &) = delete;

private:
  int before_;
};

// How many products and convolutions took which way, since the process began.
struct MatmulPaths {
  uint64_t fma = 0;          // float32 FMA
  uint64_t split = 0;        // bfloat16 parts on the tile unit
  uint64_t packed = 0;       // times a weight was packed ahead, to be shared by products
  uint64_t winograd = 0;     // 3x3 convolutions with fewer products, by float32 FMA
  uint64_t out_of_range = 0; // begun in parts or as Winograd's, found inf, nan or extreme ranges, done again by FMA
};
MatmulPaths &matmul_paths();
// Products may be parts of larger work on several threads.
static inline __attribute__((always_inline)) void count(uint64_t &path) {
  __atomic_fetch_add(&path, 1, __ATOMIC_RELAXED);
}

} // namespace cinta::kernels
