// A chain of elementwise instructions, run tile by tile: what lies between two of them never leaves the first cache.
#pragma once
#include "cinta/ops/elementwise_work.h"

namespace cinta::replay {

struct Stage { // one kernel call for a tile
  enum Kind : uint8_t { unary, unary_vjp, binary, binary_vjp, compare, select, copy } kind;
  uint8_t op, which;
  int8_t in[4]; // places: operands of the fused instruction [0, operands), then registers
  int8_t out;
  ops::Parameters parameters;
};

constexpr int kMaxRegisters = 16;

struct FusedWork {
  std::vector<Stage> stages;
  std::vector<uint8_t> masks; // of operands: whether it is one of booleans
  std::vector<uint8_t> steps; // of inputs: whether all stages that read it take one value for a whole tile
  std::vector<int8_t> spread; // of inputs: the register that a constant is spread over where some do not, or -1
  int inputs, outputs, registers;
  Dtype dtype; // of all that are no masks
  Shape shape; // over which the operands are looked at
  double cost; // ns per element
  void operator()(const Tensor *in, const Tensor *out) const;
  // Over n elements from `first` on, of operands that are all contiguous; output `aside` goes to other memory.
  void run_range(const Tensor *in, const Tensor *out, int64_t first, int64_t n, int aside, void *memory) const;
  bool may_overwrite(int out, int in) const; // no stage reads `in` after `out` is written
};

} // namespace cinta::replay
