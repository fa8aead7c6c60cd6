// Which products share a weight's packed form: those that read the same look at it with no write in between. It is
// packed for the first of them and read by all; a weight that is read once between writes is left as it lies. Of one
// that the program never writes, in inference say, the next replay may read it again: that is told by its version, as
// ever.
#include <algorithm>
#include <vector>

#include "cinta/ops/matmul_work.h"
#include "cinta/replay/passes/passes.h"

namespace cinta::replay {

bool share_packed_weights(Program &p) {
  const auto weight = [&](const Instruction &i) -> const Operand * {
    const auto *product = as<ops::ProductWork>(*i.work);
    return product && p.values[size_t(i.in[1].value)].parameter ? &i.in[1] : nullptr;
  };
  const auto stays = [&](int value) {
    return std::none_of(p.instructions.begin(), p.instructions.end(),
                        [=](const Instruction &i) { return writes(i, value); });
  };
  std::vector<bool> decided(p.instructions.size());
  for (size_t n = 0; n < p.instructions.size(); ++n) {
    const Operand *b = decided[n] ? nullptr : weight(p.instructions[n]);
    if (!b)
      continue;
    std::vector<size_t> readers{n};
    for (size_t m = n + 1; m < p.instructions.size() && !writes(p.instructions[m], b->value); ++m)
      if (const Operand *other = weight(p.instructions[m]); other && *other == *b)
        readers.push_back(m);
    for (size_t m : readers) {
      ops::ProductWork work = *as<ops::ProductWork>(*p.instructions[m].work);
      work.sharing = readers.size() > 1 ? ops::Sharing::shared
                     : stays(b->value)  ? ops::Sharing::unknown
                                        : ops::Sharing::alone;
      p.instructions[m].work = std::make_shared<WorkOf<ops::ProductWork>>(work);
      decided[m] = true;
    }
  }
  return std::find(decided.begin(), decided.end(), true) != decided.end();
}

} // namespace cinta::replay
