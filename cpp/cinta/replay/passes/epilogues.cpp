// A product applies the activation that follows it while its result is in the first caches: the same bits, one pass
// less.
#include <algorithm>

#include "cinta/ops/elementwise_work.h"
#include "cinta/ops/matmul_work.h"
#include "cinta/replay/passes/passes.h"

namespace cinta::replay {
namespace {

bool touches(const Instruction &i, int value) { return reads(i, value) || writes(i, value); }

// The instruction after n that first reads what it gives; -1 where that is written or the program ends before.
int reader(const Program &p, size_t n) {
  const int z = p.instructions[n].out[0].value;
  for (size_t m = n + 1; m < p.instructions.size(); ++m)
    if (touches(p.instructions[m], z))
      return int(m);
  return -1;
}

} // namespace

bool fuse_epilogues(Program &p) {
  const int before = p.fused_groups;
  for (size_t n = 0; n < p.instructions.size(); ++n) {
    const auto *product = as<ops::ProductWork>(*p.instructions[n].work);
    if (!product || product->activation)
      continue;
    const Operand z = p.instructions[n].out[0];
    const int m = reader(p, n);
    const auto *unary = m < 0 ? nullptr : as<ops::UnaryWork>(*p.instructions[size_t(m)].work);
    if (!unary || p.values[size_t(z.value)].role != Role::temporary || !is_native(z.dtype))
      continue;
    const Instruction &second = p.instructions[size_t(m)];
    const Operand &x = second.in[0], y = second.out[0];
    // All of z, read as it was written; y is new there, and nothing in between looks at its memory.
    const auto between = p.instructions.begin() + int64_t(n) + 1;
    if (x.value != z.value || x.dtype != z.dtype || x.offset != z.offset || count(x.shape) != count(z.shape) ||
        !is_contiguous(x.shape, x.strides) || !is_contiguous(y.shape, y.strides) || y.dtype != z.dtype ||
        y.value == z.value || !covers(y, p.values[size_t(y.value)]) ||
        std::any_of(between, p.instructions.begin() + m, [&](const Instruction &i) { return touches(i, y.value); }) ||
        !kernels::table().unary[int(unary->op)][int(compute_type(z.dtype))])
      continue;
    bool kept = false;
    for (size_t k = size_t(m) + 1; k < p.instructions.size(); ++k)
      kept |= touches(p.instructions[k], z.value);
    Operand activated = y; // in the shape of the product
    activated.shape = z.shape, activated.strides = z.strides;
    Instruction &i = p.instructions[n];
    i.work = std::make_shared<WorkOf<ops::ProductWork>>(
        ops::ProductWork{product->with_bias, ops::Activation{unary->op, unary->parameters}, product->sharing});
    i.out = {activated, kept ? z : Operand()};
    i.parts = {i.name, second.name};
    p.instructions.erase(p.instructions.begin() + m);
    ++p.fused_groups;
  }
  return p.fused_groups > before;
}

} // namespace cinta::replay
