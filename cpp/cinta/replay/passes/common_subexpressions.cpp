// An instruction that does what an earlier one did, on operands that were not written since, gives way to it.
#include <algorithm>

#include "cinta/replay/passes/passes.h"

namespace cinta::replay {
namespace {

bool same(const Instruction &a, const Instruction &b) {
  if (a.in != b.in || a.precision != b.precision || a.out.size() != b.out.size() || !a.work->same(*b.work))
    return false;
  for (size_t k = 0; k < a.out.size(); ++k) {
    const Operand &x = a.out[k], &y = b.out[k];
    if (x.dtype != y.dtype || x.offset != y.offset || !(x.shape == y.shape) || !(x.strides == y.strides))
      return false;
  }
  return true;
}

} // namespace

bool merge_common_subexpressions(Program &p) {
  std::vector<int> writers(p.values.size()); // how many instructions write it
  for (const Instruction &i : p.instructions)
    for (const Operand &y : i.out)
      if (y)
        ++writers[size_t(y.value)];
  const auto pure = [&](const Instruction &i) {
    return i.effect == Effect::none && std::all_of(i.out.begin(), i.out.end(), [&](const Operand &y) {
             return !y || (p.values[size_t(y.value)].role == Role::temporary && writers[size_t(y.value)] == 1 &&
                           covers(y, p.values[size_t(y.value)]));
           });
  };
  std::vector<int> stands_for(p.values.size()); // the value whose contents it would have
  for (size_t k = 0; k < stands_for.size(); ++k)
    stands_for[k] = int(k);
  std::vector<size_t> available; // instructions that later ones may equal
  std::vector<bool> gone(p.instructions.size());
  for (size_t n = 0; n < p.instructions.size(); ++n) {
    Instruction &i = p.instructions[n];
    for (auto *list : {&i.in, &i.out})
      for (Operand &x : *list)
        if (x)
          x.value = stands_for[size_t(x.value)];
    const bool candidate = pure(i);
    const auto earlier = !candidate ? available.end() : std::find_if(available.begin(), available.end(), [&](size_t m) {
      return same(p.instructions[m], i);
    });
    if (earlier != available.end()) {
      const Instruction &first = p.instructions[*earlier];
      for (size_t k = 0; k < i.out.size(); ++k)
        if (i.out[k])
          stands_for[size_t(i.out[k].value)] = first.out[k].value;
      gone[n] = true;
      continue;
    }
    if (candidate) { // nothing before it knows what it writes
      available.push_back(n);
      continue;
    }
    // What this one writes, those before no longer give.
    available.erase(std::remove_if(available.begin(), available.end(),
                                   [&](size_t m) {
                                     return std::any_of(i.out.begin(), i.out.end(), [&](const Operand &y) {
                                       return y &&
                                              (reads(p.instructions[m], y.value) || writes(p.instructions[m], y.value));
                                     });
                                   }),
                    available.end());
  }
  for (Operand &y : p.results)
    if (y)
      y.value = stands_for[size_t(y.value)];
  return erase_instructions(p, gone);
}

} // namespace cinta::replay
