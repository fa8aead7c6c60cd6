// Where temporaries lie in one arena: two of them share bytes only if one is last used before the other is first.
// Values are placed one after the other, each at the lowest place that is free during its life (Pisarchyk and Lee,
// "Efficient Memory Management for Deep Neural Net Inference", 2020); of several orders the one that needs least is
// taken.
#include <algorithm>

#include "cinta/replay/passes/passes.h"

namespace cinta::replay {
namespace {

constexpr int64_t kAlign = 64;

struct Life {
  int value;
  int64_t bytes;
  int first = -1, last = -1; // instructions
  int length() const { return last - first + 1; }
};

struct Plan {
  std::vector<int64_t> offsets; // of lives, in their order
  int64_t bytes = 0;
};

Plan place(const std::vector<Life> &lives, const std::vector<size_t> &order) {
  Plan plan{std::vector<int64_t>(lives.size()), 0};
  std::vector<size_t> placed; // by offset
  for (size_t k : order) {
    const Life &l = lives[k];
    int64_t at = 0;
    for (size_t other : placed) {
      const Life &o = lives[other];
      if (o.last < l.first || o.first > l.last)
        continue;
      if (plan.offsets[other] - at >= l.bytes)
        break;
      at = std::max(at, plan.offsets[other] + o.bytes);
    }
    plan.offsets[k] = at;
    plan.bytes = std::max(plan.bytes, at + l.bytes);
    const auto by_offset = [&](int64_t a, size_t b) { return a < plan.offsets[b]; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), at, by_offset), k);
  }
  return plan;
}

// No plan can do with less: what lives at the same time.
int64_t least_bytes(const std::vector<Life> &lives, size_t instructions) {
  std::vector<int64_t> change(instructions + 1);
  for (const Life &l : lives) {
    change[size_t(l.first)] += l.bytes;
    change[size_t(l.last) + 1] -= l.bytes;
  }
  int64_t now = 0, most = 0;
  for (int64_t c : change)
    most = std::max(most, now += c);
  return most;
}

} // namespace

void plan_memory(Program &p) {
  std::vector<Life> of_values(p.values.size());
  for (size_t n = 0; n < p.instructions.size(); ++n)
    for (const auto *list : {&p.instructions[n].in, &p.instructions[n].out})
      for (const Operand &x : *list)
        if (x) {
          Life &l = of_values[size_t(x.value)];
          l.first = l.first < 0 ? int(n) : l.first;
          l.last = int(n);
        }
  std::vector<Life> lives;
  p.bytes_before = 0;
  for (size_t k = 0; k < of_values.size(); ++k) {
    Life l = of_values[k];
    const Value &v = p.values[k];
    if (v.role != Role::temporary || l.first < 0)
      continue;
    l.value = int(k);
    l.bytes = std::max<int64_t>(kAlign, (int64_t(v.bytes) + kAlign - 1) / kAlign * kAlign);
    p.bytes_before += size_t(l.bytes);
    lives.push_back(l);
  }
  using Before = bool (*)(const Life &, const Life &);
  constexpr Before orders[] = {
      [](const Life &a, const Life &b) { return a.bytes > b.bytes; },
      [](const Life &a, const Life &b) { return a.length() > b.length(); },
      [](const Life &a, const Life &b) { return double(a.bytes) * a.length() > double(b.bytes) * b.length(); },
      [](const Life &a, const Life &b) { return a.first < b.first; },
      [](const Life &a, const Life &b) { return a.last > b.last; },
  };
  const int64_t least = least_bytes(lives, p.instructions.size());
  Plan best;
  for (const Before before : orders) {
    if (!best.offsets.empty() && best.bytes == least)
      break;
    std::vector<size_t> order(lives.size());
    for (size_t k = 0; k < order.size(); ++k)
      order[k] = k;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return before(lives[a], lives[b]); });
    Plan plan = place(lives, order);
    if (best.offsets.empty() || plan.bytes < best.bytes)
      best = std::move(plan);
  }
  for (size_t k = 0; k < lives.size(); ++k)
    p.values[size_t(lives[k].value)].offset = best.offsets[k];
  p.arena = size_t(best.bytes);
  p.planned = true;
}

} // namespace cinta::replay
