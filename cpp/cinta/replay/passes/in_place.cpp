// An elementwise instruction writes over an operand that nobody reads afterwards: one buffer instead of two.
#include <algorithm>

#include "cinta/replay/passes/passes.h"

namespace cinta::replay {
namespace {

// Whether y may take x's memory in instruction n.
bool may_take(const Program &p, size_t n, const Operand &x, const Operand &y, const std::vector<int> &first,
              const std::vector<int> &last) {
  if (!x || x.value == y.value)
    return false;
  const Value &from = p.values[size_t(x.value)], &to = p.values[size_t(y.value)];
  return last[size_t(x.value)] == int(n) && first[size_t(y.value)] == int(n) && from.role == Role::temporary &&
         to.role == Role::temporary && from.bytes == to.bytes && from.parameter == to.parameter && x.dtype == y.dtype &&
         x.shape == y.shape && x.strides == y.strides && x.offset == 0 && y.offset == 0 && covers(y, to);
}

} // namespace

bool reuse_in_place(Program &p) {
  bool changed = false;
  std::vector<int> first(p.values.size(), -1), last(p.values.size(), -1), stands_for(p.values.size());
  for (size_t k = 0; k < stands_for.size(); ++k)
    stands_for[k] = int(k);
  for (size_t n = 0; n < p.instructions.size(); ++n)
    for (const auto *list : {&p.instructions[n].in, &p.instructions[n].out})
      for (const Operand &x : *list)
        if (x) {
          first[size_t(x.value)] = first[size_t(x.value)] < 0 ? int(n) : first[size_t(x.value)];
          last[size_t(x.value)] = int(n);
        }
  for (size_t n = 0; n < p.instructions.size(); ++n) {
    Instruction &i = p.instructions[n];
    for (auto *list : {&i.in, &i.out})
      for (Operand &x : *list)
        if (x)
          x.value = stands_for[size_t(x.value)];
    for (size_t k = 0; k < i.out.size(); ++k) {
      Operand &y = i.out[k];
      const auto x = !y ? i.in.end() : std::find_if(i.in.begin(), i.in.end(), [&](const Operand &x) {
        // Every other look of the instruction at that memory must be the same one.
        return may_take(p, n, x, y, first, last) && i.work->may_overwrite(int(k), int(&x - i.in.data())) &&
               std::all_of(i.in.begin(), i.in.end(), [&](const Operand &z) { return z.value != x.value || z == x; }) &&
               std::none_of(i.out.begin(), i.out.end(), [&](const Operand &z) { return z.value == x.value; });
      });
      if (x == i.in.end())
        continue;
      const int taken = x->value, old = y.value;
      last[size_t(taken)] = last[size_t(old)];
      for (int &s : stands_for)
        if (s == old)
          s = taken;
      y.value = taken;
      changed = true;
    }
  }
  return changed;
}

} // namespace cinta::replay
