// Work split over threads, callable from every file, the ISA ones included: plain function pointers, nothing inline.
#pragma once
#include <cstddef>
#include <cstdint>

namespace cinta {

// Runs body(context, block) for every block in [0, blocks), on the pool where `cost_ns` (an estimate of the whole
// work) pays for it, else right here. The borders of blocks are the caller's and must not depend on the thread count:
// that is what keeps results the same, bit for bit, on any number of threads. Called from inside a body it runs
// serially.
void parallel_for(int64_t blocks, double cost_ns, void (*body)(void *context, int64_t block), void *context);

// Called around work of 100 us and more, so that an interpreter can let its other threads run meanwhile.
struct LongWorkHooks {
  void *(*begin)() = nullptr;
  void (*end)(void *) = nullptr;
};
void set_long_work_hooks(const LongWorkHooks &hooks);

// A scratch buffer of this thread, 64-byte aligned, kept and reused; `slot` names who uses it (nested users take
// different slots). Contents are undefined.
enum class Scratch : int {
  pack_a,
  pack_b,
  im2col,
  tile,
  conv,
  reduce,
  softmax,
  norm,
  recurrent,
  attention,
  ctc,
  count
};
void *scratch(Scratch slot, size_t bytes);

int num_threads();           // how many threads a parallel_for may use
void set_num_threads(int n); // throws ValueError unless 1 <= n <= 1024

} // namespace cinta
