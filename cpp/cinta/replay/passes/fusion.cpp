// Chains of elementwise instructions over the same elements become one, which runs them tile by tile.
//
// A group grows as the program is walked. It will run where its last member stands, so it is open to new members as
// long as nothing in between reads or writes what a member writes, or writes what a member reads.
#include <algorithm>

#include "cinta/ops/tile_loop.h"
#include "cinta/replay/passes/fusion.h"
#include "cinta/replay/passes/passes.h"

namespace cinta::replay {
namespace {

using namespace cinta::ops;

bool is_contiguous(const Operand &x) { return cinta::is_contiguous(x.shape, x.strides); }

class Fusion {
public:
  explicit Fusion(Program &p) : p_(p), members_(p.instructions.size()), users_(p.values.size()) {
    for (size_t n = 0; n < p.instructions.size(); ++n)
      for (const auto *list : {&p.instructions[n].in, &p.instructions[n].out})
        for (const Operand &x : *list)
          if (x && (users_[size_t(x.value)].empty() || users_[size_t(x.value)].back() != int(n)))
            users_[size_t(x.value)].push_back(int(n));
  }

  bool run() {
    for (size_t n = 0; n < p_.instructions.size(); ++n) {
      Member m;
      bool fuses = as_member(p_.instructions[n], m);
      if (fuses)
        gather_constants(p_.instructions[n], m);
      fuses = fuses && fits_alone(p_.instructions[n], m);
      members_[n] = m;
      const int joined = fuses ? join_group(int(n)) : -1;
      for (size_t g = 0; g < groups_.size(); ++g)
        if (groups_[g].open && int(g) != joined && conflicts(groups_[g], p_.instructions[n]))
          groups_[g].open = false;
    }
    return rewrite();
  }

private:
  // It is a constant again where the kernel takes one.
  static void gather_constants(Instruction &i, const Member &m) {
    for (size_t k = 0; k < m.in.size(); ++k)
      if (Operand &x = i.in[size_t(m.in[k])]; (m.steps >> k & 1) && is_spread(x))
        x.shape = Shape{}, x.strides = Strides{};
  }
  // Whether its operands are what a fused instruction can read: whole tensors, or constants where a kernel takes one.
  bool fits_alone(const Instruction &i, const Member &m) const {
    if (i.out.size() != 1 || count(i.out[0].shape) == 0)
      return false;
    const Operand &y = i.out[0];
    for (size_t k = 0; k < m.in.size(); ++k) {
      const Operand &x = i.in[size_t(m.in[k])];
      const bool mask = m.stage.kind == Stage::select && k == 0;
      if (x.dtype != (mask ? Dtype::bool_ : m.dtype))
        return false;
      if (!(x.shape == y.shape) && !(x.shape.empty() && (m.steps >> k & 1)))
        return false;
      if (x.value == y.value && !(x == y))
        return false;
      if (m.stage.kind == Stage::copy && !(x.strides == y.strides)) // transposing copies have kernels of their own
        return false;
    }
    return y.dtype == (m.stage.kind == Stage::compare ? Dtype::bool_ : m.dtype);
  }

  bool all_contiguous(const Instruction &i) const {
    for (const auto *list : {&i.in, &i.out})
      for (const Operand &x : *list)
        if (x && !is_contiguous(x) && !is_spread(x))
          return false;
    return true;
  }

  static bool touches(const Instruction &i, int value) { return reads(i, value) || writes(i, value); }
  bool conflicts(const Group &g, const Instruction &i) const {
    for (int n : g.members) {
      const Instruction &member = p_.instructions[size_t(n)];
      for (const Operand &y : member.out)
        if (touches(i, y.value))
          return true;
      for (const Operand &x : member.in)
        if (x && writes(i, x.value))
          return true;
    }
    return false;
  }
  // Whether instruction i reads what the group computes, or both read the same tensor.
  bool related(const Group &g, const Instruction &i) const {
    for (int n : g.members) {
      const Instruction &member = p_.instructions[size_t(n)];
      if (reads(i, member.out[0].value))
        return true;
      for (const Operand &x : member.in)
        if (x && !x.shape.empty() && reads(i, x.value))
          return true;
    }
    return false;
  }
  // Values are looked at in one way only, wherever one of them is written.
  bool same_looks(const Group &g, const Instruction &i) const {
    for (int n : g.members) {
      const Instruction &member = p_.instructions[size_t(n)];
      const auto agree = [&](const Operand &a, const Operand &b) {
        if (!a || !b || a.value != b.value)
          return true;
        if (g.flat && is_contiguous(a) && is_contiguous(b))
          return a.offset == b.offset && a.dtype == b.dtype && count(a.shape) == count(b.shape);
        return a == b;
      };
      for (const Operand &y : member.out)
        for (const auto *list : {&i.in, &i.out})
          for (const Operand &x : *list)
            if (!agree(y, x))
              return false;
      for (const Operand &x : member.in)
        for (const Operand &y : i.out)
          if (!agree(x, y))
            return false;
    }
    return true;
  }
  size_t operands(const std::vector<int> &members) const {
    std::vector<int> values;
    for (int n : members)
      for (const auto *list : {&p_.instructions[size_t(n)].in, &p_.instructions[size_t(n)].out})
        for (const Operand &x : *list)
          if (x && std::find(values.begin(), values.end(), x.value) == values.end())
            values.push_back(x.value);
    return values.size();
  }

  int join_group(int n) {
    const Instruction &i = p_.instructions[size_t(n)];
    const bool flat = all_contiguous(i);
    int home = -1;
    for (int g = int(groups_.size()) - 1; g >= 0; --g) {
      Group &group = groups_[size_t(g)];
      if (!group.open || group.dtype != members_[size_t(n)].dtype || !related(group, i))
        continue;
      const bool same_shape = group.shape == i.out[0].shape;
      if (!(same_shape && (flat || !group.reshaped)) &&
          !(flat && group.flat && count(group.shape) == count(i.out[0].shape)))
        continue;
      Group merged = group;
      merged.flat &= flat;
      merged.reshaped |= !same_shape;
      merged.members.push_back(n);
      if (home >= 0) { // it brings two groups together
        Group &first = groups_[size_t(home)];
        if (!(first.shape == group.shape) && !(first.flat && group.flat))
          continue;
        merged.members.insert(merged.members.end(), first.members.begin(), first.members.end());
        std::sort(merged.members.begin(), merged.members.end());
        merged.members.erase(std::unique(merged.members.begin(), merged.members.end()), merged.members.end());
        merged.flat &= first.flat;
        merged.reshaped |= first.reshaped || !(first.shape == group.shape);
        if (merged.reshaped && !merged.flat)
          continue;
      }
      if (!same_looks(group, i) || operands(merged.members) > size_t(ops::kMaxOperands) + kMaxRegisters ||
          merged.members.size() > kMaxStages || !fits(merged))
        continue;
      if (home >= 0) {
        group.open = false;
        group.members.clear();
        groups_[size_t(home)] = std::move(merged);
      } else {
        group = std::move(merged);
        home = g;
      }
    }
    if (home >= 0)
      return home;
    groups_.push_back({{n}, i.out[0].shape, members_[size_t(n)].dtype, flat, false, true});
    return int(groups_.size()) - 1;
  }

  bool fits(const Group &g) const {
    size_t looks = 0;
    for (int n : g.members)
      looks += p_.instructions[size_t(n)].in.size() + 1;
    const bool surely = looks <= size_t(std::min(ops::kMaxOperands, kMaxRegisters)); // as most groups do
    return surely || fused(p_, g, members_, users_).fits;
  }

  bool rewrite() {
    std::vector<bool> gone(p_.instructions.size());
    for (const Group &g : groups_) {
      if (g.members.size() < 2)
        continue;
      FusedGroup b = replay::fused(p_, g, members_, users_);
      Instruction fused = p_.instructions[size_t(g.members.back())]; // its place, its layer
      fused.name = "fused";
      fused.in = std::move(b.in);
      fused.out = std::move(b.out);
      fused.effect = Effect::none;
      fused.work = std::make_shared<WorkOf<FusedWork>>(b.work);
      for (int n : g.members) {
        fused.parts.push_back(p_.instructions[size_t(n)].name);
        gone[size_t(n)] = true;
      }
      gone[size_t(g.members.back())] = false;
      p_.instructions[size_t(g.members.back())] = std::move(fused);
      ++p_.fused_groups;
    }
    return erase_instructions(p_, gone);
  }

  static constexpr size_t kMaxStages = 48;

  Program &p_;
  std::vector<Member> members_;
  std::vector<std::vector<int>> users_; // of values: the instructions that read or write them
  std::vector<Group> groups_;
};

} // namespace

bool fuse_elementwise(Program &p) { return Fusion(p).run(); }

} // namespace cinta::replay
