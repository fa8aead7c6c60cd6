// Where temporaries lie in one arena: two of them share bytes only if one is last used before the other is first.
// Large ones are placed first, each at the lowest place that is free during its life (Pisarchyk and Lee, "Efficient
// Memory Management for Deep Neural Net Inference", 2020: greedy by size).
#include <algorithm>

#include "cinta/replay/passes/passes.h"

namespace cinta::replay {
namespace {

constexpr int64_t kAlign = 64;

struct Life {
  int value;
  int64_t bytes;
  int first = -1, last = -1; // instructions
};

} // namespace

void plan_memory(Program &p) {
  std::vector<Life> lives(p.values.size());
  for (size_t n = 0; n < p.instructions.size(); ++n)
    for (const auto *list : {&p.instructions[n].in, &p.instructions[n].out})
      for (const Operand &x : *list)
        if (x) {
          Life &l = lives[size_t(x.value)];
          l.first = l.first < 0 ? int(n) : l.first;
          l.last = int(n);
        }
  std::vector<Life> order;
  p.bytes_before = 0;
  for (size_t k = 0; k < lives.size(); ++k) {
    if (p.values[k].role != Role::temporary || lives[k].first < 0)
      continue;
    lives[k].value = int(k);
    lives[k].bytes = std::max<int64_t>(kAlign, (int64_t(p.values[k].bytes) + kAlign - 1) / kAlign * kAlign);
    p.bytes_before += size_t(lives[k].bytes);
    order.push_back(lives[k]);
  }
  std::stable_sort(order.begin(), order.end(), [](const Life &a, const Life &b) { return a.bytes > b.bytes; });
  std::vector<Life> placed; // by offset
  for (const Life &l : order) {
    int64_t at = 0;
    for (const Life &other : placed) {
      if (other.last < l.first || other.first > l.last)
        continue;
      const int64_t offset = p.values[size_t(other.value)].offset;
      if (offset - at >= l.bytes)
        break;
      at = std::max(at, offset + other.bytes);
    }
    p.values[size_t(l.value)].offset = at;
    p.arena = std::max(p.arena, size_t(at + l.bytes));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), at,
                                   [&](int64_t a, const Life &b) { return a < p.values[size_t(b.value)].offset; }),
                  l);
  }
  p.planned = true;
}

} // namespace cinta::replay
