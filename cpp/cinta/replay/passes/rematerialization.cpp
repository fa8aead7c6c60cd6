// What is cheap to compute is computed once more where backward needs it, and need not be kept until then: the memory
// of a network's activations falls by up to a half (Chen et al., "Training Deep Nets with Sublinear Memory Cost",
// 2016). The same instruction on the same operands gives the same bits.
//
// A value is given up at the moment of most memory, where all that its instruction reads is there at its next use
// anyway, or can be had in the same way.
#include <algorithm>

#include "cinta/replay/passes/passes.h"

namespace cinta::replay {
namespace {

constexpr size_t kLarge = size_t(1) << 20;            // bytes: smaller values stay
constexpr size_t kWorthwhile = size_t(32) << 20;      // bytes at a time: programs that need less stay as they are
constexpr double kBytesPerNs = 30, kFlopsPerNs = 200; // of a core, about
constexpr double kMostTime = 0.03;                    // of the program's
constexpr double kMostNsPerByte = 0.3;                // of the value: products cost more
constexpr int kLongestChain = 4;                      // instructions

class Rematerialization {
public:
  explicit Rematerialization(Program &p) : p_(p) {}

  bool run() {
    size_t all = 0;
    for (const Value &v : p_.values)
      all += v.role == Role::temporary ? v.bytes : 0;
    bool changed = false;
    if (all < kWorthwhile)
      return changed;
    for (const Instruction &i : p_.instructions)
      budget_ += cost(i) * kMostTime;
    while (round())
      changed = true;
    return changed;
  }

private:
  struct Choice {
    int value;
    size_t at;                 // the instruction before which it is computed again
    std::vector<size_t> chain; // by these
    double cost;
  };

  double cost(const Instruction &i) const {
    double bytes = 0;
    for (const auto *list : {&i.in, &i.out})
      for (const Operand &x : *list)
        if (x)
          bytes += double(count(x.shape)) * double(itemsize(x.dtype));
    return i.flops / kFlopsPerNs + bytes / kBytesPerNs;
  }
  bool is_temporary(int value) const { return p_.values[size_t(value)].role == Role::temporary; }

  void look() {
    const size_t n = p_.instructions.size();
    writers_.assign(p_.values.size(), {});
    uses_.assign(p_.values.size(), {});
    for (size_t k = 0; k < n; ++k) {
      for (const Operand &y : p_.instructions[k].out)
        if (y)
          writers_[size_t(y.value)].push_back(k), uses_[size_t(y.value)].push_back(k);
      for (const Operand &x : p_.instructions[k].in)
        if (x)
          uses_[size_t(x.value)].push_back(k);
    }
    std::vector<int64_t> change(n + 1);
    for (size_t v = 0; v < uses_.size(); ++v)
      if (!uses_[v].empty()) {
        std::sort(uses_[v].begin(), uses_[v].end());
        if (is_temporary(int(v))) {
          change[uses_[v].front()] += int64_t(p_.values[v].bytes);
          change[uses_[v].back() + 1] -= int64_t(p_.values[v].bytes);
        }
      }
    int64_t now = 0, most = -1;
    for (size_t k = 0; k < n; ++k)
      if ((now += change[k]) > most)
        most = now, peak_ = k;
    most_ = size_t(std::max<int64_t>(most, 0));
  }

  // Whether what x looked at for instruction `then` is there, unchanged, before instruction `at`.
  bool is_there(const Operand &x, size_t then, size_t at) const {
    const size_t v = size_t(x.value);
    if (std::any_of(writers_[v].begin(), writers_[v].end(), [&](size_t w) { return w > then && w < at; }))
      return false;
    return !is_temporary(x.value) || (uses_[v].back() >= at && !given_up(x.value));
  }
  bool given_up(int value) const {
    return std::any_of(chosen_.begin(), chosen_.end(), [&](const Choice &c) { return c.value == value; });
  }

  // Adds what computes the value before instruction c.at, in order; false where that cannot be done.
  bool add_maker(int value, Choice &c) const {
    if (writers_[size_t(value)].size() != 1 || given_up(value))
      return false;
    const size_t maker = writers_[size_t(value)][0];
    if (std::find(c.chain.begin(), c.chain.end(), maker) != c.chain.end())
      return true;
    const Instruction &i = p_.instructions[maker];
    if (i.effect != Effect::none || c.chain.size() == kLongestChain)
      return false;
    for (const Operand &y : i.out)
      if (y && (!is_temporary(y.value) || writers_[size_t(y.value)].size() != 1 || reads(i, y.value) ||
                !covers(y, p_.values[size_t(y.value)])))
        return false;
    for (const Operand &x : i.in)
      if (x && !is_there(x, maker, c.at) && (!is_temporary(x.value) || !add_maker(x.value, c)))
        return false;
    c.chain.push_back(maker);
    c.cost += cost(i);
    return true;
  }

  bool round() {
    look();
    if (most_ < kWorthwhile)
      return false;
    std::vector<Choice> choices;
    for (size_t v = 0; v < p_.values.size(); ++v) {
      const auto next = std::lower_bound(uses_[v].begin(), uses_[v].end(), peak_);
      if (!is_temporary(int(v)) || p_.values[v].bytes < kLarge || next == uses_[v].begin() || next == uses_[v].end() ||
          *next == peak_)
        continue;
      Choice c{int(v), *next, {}, 0};
      if (add_maker(c.value, c) && c.cost < kMostNsPerByte * double(p_.values[v].bytes))
        choices.push_back(std::move(c));
    }
    std::stable_sort(choices.begin(), choices.end(), [&](const Choice &a, const Choice &b) {
      return a.cost * double(p_.values[size_t(b.value)].bytes) < b.cost * double(p_.values[size_t(a.value)].bytes);
    });
    chosen_.clear();
    for (const Choice &c : choices) {
      Choice again{c.value, c.at, {}, 0}; // of what is still there
      if (c.cost <= budget_ && !is_needed(c.value) && add_maker(c.value, again) && again.chain == c.chain) {
        budget_ -= c.cost;
        chosen_.push_back(again);
      }
    }
    apply();
    return !chosen_.empty();
  }
  // Whether a value that was given up is computed from this one.
  bool is_needed(int value) const {
    return std::any_of(chosen_.begin(), chosen_.end(), [&](const Choice &c) {
      return std::any_of(c.chain.begin(), c.chain.end(), [&](size_t k) { return reads(p_.instructions[k], value); });
    });
  }

  void apply() {
    std::vector<std::vector<Instruction>> before(p_.instructions.size());
    for (const Choice &c : chosen_) {
      std::vector<std::pair<int, int>> anew; // values and those that stand for them
      const auto rename = [&](Operand &x) {
        for (const auto &[from, to] : anew)
          if (x && x.value == from)
            x.value = to;
      };
      for (size_t k : c.chain) {
        Instruction i = p_.instructions[k];
        std::for_each(i.in.begin(), i.in.end(), rename);
        for (Operand &y : i.out)
          if (y) {
            anew.emplace_back(y.value, int(p_.values.size()));
            p_.values.push_back(Value(p_.values[size_t(y.value)]));
            rename(y);
          }
        i.backward = true;
        before[c.at].push_back(std::move(i));
      }
      const auto own = std::find_if(anew.begin(), anew.end(), [&](const auto &a) { return a.first == c.value; });
      for (size_t k = c.at; k < p_.instructions.size(); ++k)
        for (Operand &x : p_.instructions[k].in)
          if (x && x.value == c.value)
            x.value = own->second;
    }
    std::vector<Instruction> all;
    for (size_t k = 0; k < p_.instructions.size(); ++k) {
      std::move(before[k].begin(), before[k].end(), std::back_inserter(all));
      all.push_back(std::move(p_.instructions[k]));
    }
    p_.instructions = std::move(all);
  }

  Program &p_;
  double budget_ = 0;                               // ns
  std::vector<std::vector<size_t>> writers_, uses_; // of values: instructions
  size_t peak_ = 0, most_ = 0;                      // where most memory is in use, and how much
  std::vector<Choice> chosen_;                      // in this round
};

} // namespace

bool rematerialize(Program &p) { return Rematerialization(p).run(); }

} // namespace cinta::replay
