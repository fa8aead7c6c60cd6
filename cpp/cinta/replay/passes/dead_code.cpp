// Instructions whose results nobody reads, and that nothing outside sees, go.
#include <algorithm>

#include "cinta/replay/passes/passes.h"

namespace cinta::replay {

void remove_dead_code(Program &p) {
  std::vector<bool> wanted(p.values.size());
  for (size_t k = 0; k < p.values.size(); ++k)
    wanted[k] = is_kept(p.values[k]);
  std::vector<bool> live(p.instructions.size());
  for (size_t n = p.instructions.size(); n-- > 0;) {
    const Instruction &i = p.instructions[n];
    live[n] = i.effect != Effect::none ||
              std::any_of(i.out.begin(), i.out.end(), [&](const Operand &y) { return y && wanted[size_t(y.value)]; });
    if (live[n])
      for (const Operand &x : i.in)
        if (x)
          wanted[size_t(x.value)] = true;
  }
  size_t kept = 0;
  for (size_t n = 0; n < p.instructions.size(); ++n)
    if (live[n]) {
      if (kept != n)
        p.instructions[kept] = std::move(p.instructions[n]);
      ++kept;
    }
  p.instructions.resize(kept);
}

} // namespace cinta::replay
