// How a group of elementwise instructions becomes one: which kernel call each is, and where its operands are.
#include <algorithm>
#include <array>

#include "cinta/ops/tile_loop.h"
#include "cinta/replay/passes/fusion.h"

namespace cinta::replay {

using namespace cinta::ops;

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

bool is_spread(const Operand &x) {
  return !x.shape.empty() && count(x.shape) > 1 && x.dtype != Dtype::bool_ &&
         std::all_of(x.strides.begin(), x.strides.end(), [](int64_t s) { return s == 0; });
}

namespace {

// Whether nobody but the group's members sees the value.
bool is_internal(const Program &p, const Group &g, const std::vector<int> &users, int value) {
  return p.values[size_t(value)].role == Role::temporary &&
         std::includes(g.members.begin(), g.members.end(), users.begin(), users.end());
}

} // namespace

FusedGroup fused(const Program &p, const Group &g, const std::vector<Member> &members,
                 const std::vector<std::vector<int>> &users) {
  FusedGroup b;
  FusedWork &f = b.work;
  f.dtype = g.dtype;
  f.cost = 0;
  f.shape = g.flat ? Shape{count(g.shape)} : g.shape;
  // Places: inputs first, then outputs, then registers; numbered when all are known.
  struct Place {
    enum { nowhere, input, output, reg } kind = nowhere;
    int index = 0;
  };
  std::vector<Place> now(p.values.size());    // where a value's elements are
  std::vector<int> last_read(now.size(), -1); // of a value, by member
  for (size_t k = 0; k < g.members.size(); ++k)
    for (const Operand &x : p.instructions[size_t(g.members[k])].in)
      if (x)
        last_read[size_t(x.value)] = int(k);
  std::vector<bool> register_used;
  std::vector<std::array<Place, 5>> places; // of each stage: four in, one out
  for (size_t k = 0; k < g.members.size(); ++k) {
    const Instruction &i = p.instructions[size_t(g.members[k])];
    const Member &m = members[size_t(g.members[k])];
    f.cost += m.cost;
    f.stages.push_back(m.stage);
    std::array<Place, 5> at{};
    for (size_t j = 0; j < m.in.size(); ++j) {
      Operand x = i.in[size_t(m.in[j])];
      const bool steps = m.steps >> j & 1;
      if (is_spread(x)) // over a register, in a tile
        x.shape = Shape{}, x.strides = Strides{};
      at[j] = now[size_t(x.value)];
      if (at[j].kind == Place::nowhere) {
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
      }
    }
    // Registers whose last reader this is are free for later results; for its own too, where elements are as wide.
    const auto free_registers = [&] {
      for (const Operand &x : i.in)
        if (x && last_read[size_t(x.value)] == int(k) && now[size_t(x.value)].kind == Place::reg)
          register_used[size_t(now[size_t(x.value)].index)] = false;
    };
    const bool masks = m.stage.kind == Stage::select || m.stage.kind == Stage::compare;
    if (!masks)
      free_registers();
    const Operand &y = i.out[0];
    Place to = now[size_t(y.value)];
    if (to.kind != Place::nowhere) {
      if (to.kind == Place::reg)
        register_used[size_t(to.index)] = true;
    } else if (is_internal(p, g, users[size_t(y.value)], y.value)) {
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
    now[size_t(y.value)] = to;
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
  b.fits = f.inputs + f.outputs <= ops::kMaxOperands && f.registers <= kMaxRegisters;
  const auto number = [&](const Place &x) {
    return int8_t(x.kind == Place::input    ? x.index
                  : x.kind == Place::output ? f.inputs + x.index
                                            : f.inputs + f.outputs + x.index);
  };
  for (size_t k = 0; k < f.stages.size(); ++k) {
    for (size_t j = 0; j < 4; ++j)
      f.stages[k].in[j] = j < members[size_t(g.members[k])].in.size() ? number(places[k][j]) : int8_t(0);
    f.stages[k].out = number(places[k][4]);
  }
  for (const auto *list : {&b.in, &b.out})
    for (const Operand &x : *list)
      f.masks.push_back(x.dtype == Dtype::bool_);
  return b;
}

} // namespace cinta::replay
