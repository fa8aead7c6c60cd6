// What is computed from constants, and from state that the program only reads, becomes a constant: it is computed
// before the first run, and again only when that state has been written.
#include <algorithm>

#include "cinta/replay/passes/passes.h"

namespace cinta::replay {

bool hoist_invariants(Program &p) {
  std::vector<int> writers(p.values.size());
  for (const Instruction &i : p.instructions)
    for (const Operand &y : i.out)
      if (y)
        ++writers[size_t(y.value)];
  const auto lasts = [&](const Operand &x) {
    if (!x)
      return true;
    const Role role = p.values[size_t(x.value)].role;
    return role == Role::constant || (role == Role::state && !writers[size_t(x.value)]);
  };
  const auto is_own = [&](const Operand &y) { // nobody else writes there, nothing outside sees it
    return !y || (p.values[size_t(y.value)].role == Role::temporary && writers[size_t(y.value)] == 1 &&
                  covers(y, p.values[size_t(y.value)]));
  };
  const auto hoisted = [&](Instruction &i) {
    if (i.effect != Effect::none || i.in.empty() || !std::all_of(i.in.begin(), i.in.end(), lasts) ||
        !std::all_of(i.out.begin(), i.out.end(), is_own))
      return false;
    for (const Operand &y : i.out)
      if (y) {
        Value &v = p.values[size_t(y.value)];
        v.role = Role::constant;
        v.storage = StorageRef(new_storage(v.bytes));
        v.storage->parameter = v.parameter;
      }
    p.invariants.push_back(std::move(i));
    return true;
  };
  std::vector<Instruction> others;
  for (Instruction &i : p.instructions)
    if (!hoisted(i))
      others.push_back(std::move(i));
  const bool changed = others.size() < p.instructions.size();
  p.instructions = std::move(others);
  return changed;
}

} // namespace cinta::replay
