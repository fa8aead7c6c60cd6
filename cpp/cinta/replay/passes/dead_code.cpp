// Instructions whose results nobody reads, and that nothing outside sees, go.
#include <algorithm>

#include "cinta/replay/passes/passes.h"

namespace cinta::replay {

bool remove_dead_code(Program &p) {
  std::vector<bool> wanted(p.values.size());
  for (size_t k = 0; k < p.values.size(); ++k)
    wanted[k] = is_kept(p.values[k]);
  std::vector<bool> dead(p.instructions.size());
  for (size_t n = p.instructions.size(); n-- > 0;) {
    const Instruction &i = p.instructions[n];
    const bool live = i.effect != Effect::none || std::any_of(i.out.begin(), i.out.end(), [&](const Operand &y) {
                        return y && wanted[size_t(y.value)];
                      });
    dead[n] = !live;
    if (live)
      for (const Operand &x : i.in)
        if (x)
          wanted[size_t(x.value)] = true;
  }
  return erase_instructions(p, dead);
}

} // namespace cinta::replay
