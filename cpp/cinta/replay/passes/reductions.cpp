// A reduction over rows takes over the chain whose result it reads: block by block the chain's elements are computed,
// and reduced while they are in the second cache. The blocks are those of the reduction alone, so the bits are too.
#include <algorithm>

#include "cinta/base/parallel.h"
#include "cinta/ops/reduce_work.h"
#include "cinta/replay/fused.h"
#include "cinta/replay/passes/passes.h"

namespace cinta::replay {
namespace {

constexpr int64_t kWorthwhile = int64_t(1) << 16; // elements: below, the chain's result stays in the caches anyway

struct ReducedChainWork { // in: the chain's; out: the chain's others, then the reduction's
  FusedWork chain;
  int reduced; // which of the chain's outputs never reaches memory
  ops::ReduceRowsWork reduction;
  void operator()(const Tensor *in, const Tensor *out) const;
};

void ReducedChainWork::operator()(const Tensor *in, const Tensor *out) const {
  struct Context {
    const ReducedChainWork &work;
    kernels::ReduceRows f;
    const Tensor *in, *out;
    int64_t bytes;
  } c{*this, kernels::table().reduce_rows[int(reduction.op)][int(compute_type(chain.dtype))], in, out,
      int64_t(itemsize(chain.dtype))};
  parallel_for(
      reduction.blocks(), double(reduction.rows) * double(reduction.cols) * (chain.cost + 0.3),
      [](void *context, int64_t index) {
        const Context &c = *static_cast<const Context *>(context);
        const ReducedChainWork &w = c.work;
        const ops::ReduceRowsWork::Block b = w.reduction.block(index);
        thread_local std::vector<char> scratch;
        scratch.resize(size_t(b.rows * b.cols * c.bytes) + 64);
        char *const x = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64);
        w.chain.run_range(c.in, c.out, b.first, b.rows * b.cols, w.reduced, x);
        c.f(b.rows, b.cols, x, b.cols, c.out[w.chain.outputs - 1].data<char>() + b.result * c.bytes);
      },
      &c);
}

} // namespace

bool fuse_reductions(Program &p) {
  const size_t before = p.instructions.size();
  for (size_t n = 0; n < p.instructions.size(); ++n) {
    const auto *reduction = as<ops::ReduceRowsWork>(*p.instructions[n].work);
    if (!reduction || reduction->rows * reduction->cols < kWorthwhile)
      continue;
    const Operand x = p.instructions[n].in[0];
    if (p.values[size_t(x.value)].role != Role::temporary)
      continue;
    size_t writer = n;
    bool only = true; // one chain writes it, nobody else reads it
    for (size_t m = 0; m < p.instructions.size(); ++m)
      if (m != n && (reads(p.instructions[m], x.value) || writes(p.instructions[m], x.value))) {
        only &= writer == n && m < n && writes(p.instructions[m], x.value);
        writer = m;
      }
    if (!only || writer == n)
      continue;
    Instruction &producer = p.instructions[writer];
    const auto *chain = as<FusedWork>(*producer.work);
    if (!chain || chain->shape.size() != 1 || chain->dtype != x.dtype)
      continue;
    // It moves down to the reduction: nothing on the way may touch what it writes, or write what it reads.
    bool free = true;
    for (size_t m = writer + 1; m < n && free; ++m) {
      for (const Operand &y : producer.out)
        free &= !reads(p.instructions[m], y.value) && !writes(p.instructions[m], y.value);
      for (const Operand &z : producer.in)
        free &= !z || !writes(p.instructions[m], z.value);
    }
    const auto y =
        std::find_if(producer.out.begin(), producer.out.end(), [&](const Operand &o) { return o.value == x.value; });
    if (!free || x.offset != y->offset || count(x.shape) != count(y->shape))
      continue;
    ReducedChainWork work{*chain, int(y - producer.out.begin()), *reduction};
    Instruction fused = p.instructions[n];
    fused.in = producer.in;
    fused.out = producer.out;
    fused.out.erase(fused.out.begin() + work.reduced);
    fused.out.push_back(p.instructions[n].out[0]);
    fused.parts = producer.parts;
    fused.parts.push_back(fused.name);
    fused.name = "fused";
    fused.work = std::make_shared<WorkOf<ReducedChainWork>>(work);
    p.instructions[n] = std::move(fused);
    p.instructions.erase(p.instructions.begin() + int64_t(writer));
    --n;
  }
  return p.instructions.size() < before;
}

} // namespace cinta::replay
