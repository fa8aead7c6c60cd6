// What fusion is made of: an instruction as a stage, a group of them, and what the group becomes.
#pragma once
#include <vector>

#include "cinta/replay/fused.h"
#include "cinta/replay/program.h"

namespace cinta::replay {

struct Member { // an instruction in the form of a stage: which of its operands the kernel reads, in which order
  Stage stage;
  std::vector<int> in; // positions in Instruction::in
  uint32_t steps;      // bits of `in`: may be one value for all
  double cost;
  Dtype dtype;
};

// Whether the instruction is one that chains are made of, and the stage that it would be.
bool as_member(const Instruction &i, Member &m);
bool is_spread(const Operand &x); // one number over a shape

struct Group {
  std::vector<int> members; // instructions
  Shape shape;
  Dtype dtype;
  bool flat = true;      // every operand is contiguous, or one number
  bool reshaped = false; // members differ in shape, so it must stay flat
  bool open = true;
};

// Its operands from outside, what goes out, and stages.
struct FusedGroup {
  std::vector<Operand> in, out;
  FusedWork work;
  bool fits = true; // in the operands and registers that a chain may have
};
// `members`: of all instructions; `users`: of all values, the instructions that read or write them.
FusedGroup fused(const Program &p, const Group &g, const std::vector<Member> &members,
                 const std::vector<std::vector<int>> &users);

} // namespace cinta::replay
