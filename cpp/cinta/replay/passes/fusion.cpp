// Chains of elementwise instructions over the same elements become one, which runs them tile by tile.
//
// A group grows as the program is walked. It will run where its last member stands, so it is open to new members as
// long as nothing in between reads or writes what a member writes, or writes what a member reads.
#include <algorithm>
#include <array>
#include <map>

#include "cinta/ops/tile_loop.h"
#include "cinta/replay/fused.h"
#include "cinta/replay/passes/passes.h"

namespace cinta::replay {
namespace {

using namespace cinta::ops;

struct Member { // an instruction in the form of a stage: which of its operands the kernel reads, in which order
  Stage stage;
  std::vector<int> in; // positions in Instruction::in
  uint32_t steps;      // bits of `in`: may be one value for all
  double cost;
  Dtype dtype;
};

// The stage that an instruction would be; kind of it none where it is nothing to fuse.
bool as_member(const Instruction &i, Member &m) {
  m.stage = {};
  m.dtype = i.in.empty() ? Dtype::bool_ : i.in[0].dtype;
  const Work &w = *i.work;
  if (const auto *unary = as<UnaryWork>(w)) {
    m.stage.kind = Stage::unary, m.stage.op = uint8_t(unary->op), m.stage.parameters = unary->parameters;
    m.in = {0}, m.steps = 0, m.cost = cost(unary->op);
  } else if (const auto *vjp = as<UnaryVjpWork>(w)) {
    m.stage.kind = Stage::unary_vjp, m.stage.op = uint8_t(vjp->op), m.stage.parameters = vjp->parameters;
    m.in = {0, 1, 2}, m.steps = 0, m.cost = cost(vjp->op);
  } else if (const auto *binary = as<BinaryWork>(w)) {
    m.stage.kind = Stage::binary, m.stage.op = uint8_t(binary->op);
    m.in = {0, 1}, m.steps = 3, m.cost = cost(binary->op);
  } else if (const auto *vjp = as<BinaryVjpWork>(w)) {
    m.stage.kind = Stage::binary_vjp, m.stage.op = uint8_t(vjp->op), m.stage.which = uint8_t(vjp->which);
    m.in = {0, 1, 2, 3}, m.steps = 3, m.cost = cost(vjp->op);
  } else if (const auto *compare = as<CompareWork>(w)) {
    m.stage.kind = Stage::compare, m.stage.op = uint8_t(compare->op);
    m.in = {0, 1}, m.steps = 3, m.cost = cost(BinaryOp::Add);
  } else if (as<SelectWork>(w)) {
    m.stage.kind = Stage::select;
    m.in = {0, 1, 2}, m.steps = 6, m.cost = cost(BinaryOp::Add), m.dtype = i.in[1].dtype;
  } else if (as<CopyWork>(w)) {
    m.stage.kind = Stage::copy;
    m.in = {0}, m.steps = 0, m.cost = cost(UnaryOp::Neg);
  } else if (as<AccumulateWork>(w)) {
    m.stage.kind = Stage::binary, m.stage.op = uint8_t(BinaryOp::Add);
    m.in = {0, 1}, m.steps = 0, m.cost = cost(BinaryOp::Add);
  } else {
    return false;
  }
  return m.dtype == Dtype::float32 || m.dtype == Dtype::float64;
}

bool is_contiguous(const Operand &x) { return cinta::is_contiguous(x.shape, x.strides); }

struct Group {
  std::vector<int> members; // instructions
  Shape shape;
  Dtype dtype;
  bool flat = true;      // every operand is contiguous, or one number
  bool reshaped = false; // members differ in shape, so it must stay flat
  bool open = true;
};

class Fusion {
public:
  explicit Fusion(Program &p)
      : p_(p), members_(p.instructions.size()), is_member_(p.instructions.size()), users_(p.values.size()) {
    for (size_t n = 0; n < p.instructions.size(); ++n)
      for (const auto *list : {&p.instructions[n].in, &p.instructions[n].out})
        for (const Operand &x : *list)
          if (x && (users_[size_t(x.value)].empty() || users_[size_t(x.value)].back() != int(n)))
            users_[size_t(x.value)].push_back(int(n));
  }

  void run() {
    for (size_t n = 0; n < p_.instructions.size(); ++n) {
      Member m;
      is_member_[n] = as_member(p_.instructions[n], m);
      if (is_member_[n])
        gather_constants(p_.instructions[n], m);
      is_member_[n] = is_member_[n] && fits_alone(p_.instructions[n], m);
      members_[n] = m;
      const int joined = is_member_[n] ? join_group(int(n)) : -1;
      for (size_t g = 0; g < groups_.size(); ++g)
        if (groups_[g].open && int(g) != joined && conflicts(groups_[g], p_.instructions[n]))
          groups_[g].open = false;
    }
    rewrite();
  }

private:
  // One number that was spread over a shape.
  static bool is_spread(const Operand &x) {
    return !x.shape.empty() && count(x.shape) > 1 && x.dtype != Dtype::bool_ &&
           std::all_of(x.strides.begin(), x.strides.end(), [](int64_t s) { return s == 0; });
  }
  // It is a constant again where the kernel takes one.
  static void gather_constants(Instruction &i, const Member &m) {
    for (size_t k = 0; k < m.in.size(); ++k)
      if (Operand &x = i.in[size_t(m.in[k])]; (m.steps >> k & 1) && is_spread(x))
        x.shape = Shape{}, x.strides = Strides{};
  }
  // Whether its operands are what a fused instruction can read: whole tensors, or constants where a kernel takes one.
  bool fits_alone(const Instruction &i, const Member &m) const {
    const Operand &y = i.out[0];
    if (i.out.size() != 1 || count(y.shape) == 0)
      return false;
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

  // What a group becomes: its operands from outside, what goes out, and stages.
  struct Built {
    std::vector<Operand> in, out;
    FusedWork work;
    bool ok = true;
  };
  bool is_internal(const Group &g, int value) const {
    return p_.values[size_t(value)].role == Role::temporary &&
           std::includes(g.members.begin(), g.members.end(), users_[size_t(value)].begin(),
                         users_[size_t(value)].end());
  }
  Built build(const Group &g) const {
    Built b;
    FusedWork &f = b.work;
    f.dtype = g.dtype;
    f.cost = 0;
    f.shape = g.flat ? Shape{count(g.shape)} : g.shape;
    // Places: inputs first, then outputs, then registers; numbered when all are known.
    struct Place {
      enum { input, output, reg } kind;
      int index;
    };
    std::map<int, Place> now;     // where a value's elements are
    std::map<int, int> last_read; // of an internal value, by member
    for (size_t k = 0; k < g.members.size(); ++k)
      for (const Operand &x : p_.instructions[size_t(g.members[k])].in)
        if (x)
          last_read[x.value] = int(k);
    std::vector<bool> register_used;
    std::vector<std::array<Place, 5>> places; // of each stage: four in, one out
    for (size_t k = 0; k < g.members.size(); ++k) {
      const Instruction &i = p_.instructions[size_t(g.members[k])];
      const Member &m = members_[size_t(g.members[k])];
      f.cost += m.cost;
      f.stages.push_back(m.stage);
      std::array<Place, 5> at{};
      for (size_t j = 0; j < m.in.size(); ++j) {
        Operand x = i.in[size_t(m.in[j])];
        const bool steps = m.steps >> j & 1;
        if (is_spread(x)) // over a register, in a tile
          x.shape = Shape{}, x.strides = Strides{};
        auto found = now.find(x.value);
        if (found == now.end()) {
          // The same value at other offsets is another operand; nothing of the group writes it.
          size_t index = 0;
          while (index < b.in.size() && !(b.in[index] == x))
            ++index;
          if (index == b.in.size()) {
            b.in.push_back(x);
            f.steps.push_back(1);
          }
          f.steps[index] &= uint8_t(steps);
          at[j] = {Place::input, int(index)};
        } else {
          at[j] = found->second;
        }
      }
      // Registers whose last reader this is are free for later results; for its own too, where elements are as wide.
      const auto free_registers = [&] {
        for (const Operand &x : i.in)
          if (x && last_read[x.value] == int(k))
            if (const auto found = now.find(x.value); found != now.end() && found->second.kind == Place::reg)
              register_used[size_t(found->second.index)] = false;
      };
      const bool masks = m.stage.kind == Stage::select || m.stage.kind == Stage::compare;
      if (!masks)
        free_registers();
      const Operand &y = i.out[0];
      Place to;
      if (const auto found = now.find(y.value); found != now.end()) {
        to = found->second;
        if (to.kind == Place::reg)
          register_used[size_t(to.index)] = true;
      } else if (is_internal(g, y.value)) {
        size_t r = 0;
        while (r < register_used.size() && register_used[r])
          ++r;
        if (r == register_used.size())
          register_used.push_back(true);
        register_used[r] = true;
        to = {Place::reg, int(r)};
      } else {
        b.out.push_back(y);
        to = {Place::output, int(b.out.size()) - 1};
      }
      if (masks)
        free_registers();
      if (to.kind == Place::reg)
        register_used[size_t(to.index)] = true;
      now[y.value] = to;
      at[4] = to;
      places.push_back(at);
    }
    for (size_t o = 0; o < b.in.size(); ++o) {
      const bool constant = b.in[o].shape.empty() && !f.steps[o];
      f.spread.push_back(constant ? int8_t(register_used.size()) : int8_t(-1));
      if (constant)
        register_used.push_back(true);
    }
    f.inputs = int(b.in.size());
    f.outputs = int(b.out.size());
    f.registers = int(register_used.size());
    b.ok = f.inputs + f.outputs <= ops::kMaxOperands && f.registers <= kMaxRegisters;
    const auto number = [&](const Place &x) {
      return int8_t(x.kind == Place::input    ? x.index
                    : x.kind == Place::output ? f.inputs + x.index
                                              : f.inputs + f.outputs + x.index);
    };
    for (size_t k = 0; k < f.stages.size(); ++k) {
      for (size_t j = 0; j < 4; ++j)
        f.stages[k].in[j] = j < members_[size_t(g.members[k])].in.size() ? number(places[k][j]) : int8_t(0);
      f.stages[k].out = number(places[k][4]);
    }
    for (const auto *list : {&b.in, &b.out})
      for (const Operand &x : *list)
        f.masks.push_back(x.dtype == Dtype::bool_);
    return b;
  }
  bool fits(const Group &g) const { return build(g).ok; }

  void rewrite() {
    std::vector<bool> gone(p_.instructions.size());
    for (const Group &g : groups_) {
      if (g.members.size() < 2)
        continue;
      Built b = build(g);
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
    size_t kept = 0;
    for (size_t n = 0; n < p_.instructions.size(); ++n)
      if (!gone[n]) {
        if (kept != n)
          p_.instructions[kept] = std::move(p_.instructions[n]);
        ++kept;
      }
    p_.instructions.resize(kept);
  }

  static constexpr size_t kMaxStages = 48;

  Program &p_;
  std::vector<Member> members_;
  std::vector<bool> is_member_;
  std::vector<std::vector<int>> users_; // of values: the instructions that read or write them
  std::vector<Group> groups_;
};

} // namespace

void fuse_elementwise(Program &p) { Fusion(p).run(); }

} // namespace cinta::replay
