// Program: a function's work as a list of instructions, in the order in which it was recorded. It is what `ct.compile`
// replays; passes/ make it smaller, verify.cpp says what must hold between them, run.h runs it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cinta/base/site.h"
#include "cinta/kernels/precision.h"
#include "cinta/tape/compute.h"

namespace cinta::replay {

// Where a value's memory comes from.
enum class Role : uint8_t {
  input,     // a tensor that is given at each call
  gradient,  // what a leaf's grad holds when the call begins
  state,     // memory that was there before: parameters, running statistics, an optimizer's moments
  constant,  // made while recording, and by no instruction: 0.5, an array of indices
  host,      // bytes that the host writes before each run: an optimizer's options
  temporary, // made and used within a run
  result,    // made within a run and given out: what the function returns, gradients left in leaves
};
const char *name_of(Role role);

struct Value { // memory that instructions read and write
  Role role;
  size_t bytes;
  bool parameter = false; // products prefer it packed
  int number = -1;        // input: which; gradient: whose leaf; host: which
  StorageRef storage;     // state, constant and host: the memory itself
  int64_t offset = -1;    // temporary: in the arena, after planning
  int64_t first = 0;      // input, gradient: where in it the given tensor's first element lies
};

struct Operand {  // a look at a value
  int value = -1; // none
  Dtype dtype = Dtype::float32;
  int64_t offset = 0; // bytes
  Shape shape;
  Strides strides;
  bool operator==(const Operand &) const;
  explicit operator bool() const { return value >= 0; }
};
bool covers(const Operand &x, const Value &value); // whether it writes or reads every byte

struct Instruction {
  std::shared_ptr<const Work> work;
  std::string name;
  Effect effect = Effect::none;
  double flops = 0;
  std::vector<Operand> in, out;
  kernels::Precision precision = kernels::Precision::highest;
  int layer = 0;                  // whose work it is, in Program::layers
  bool backward = false;          // a gradient rule's
  int site = 0;                   // of the Python code that called for it, in Program::sites
  std::vector<std::string> parts; // fused: the names of what it does
};

struct Leaf {    // whose grad the program reads or writes
  Tensor tensor; // state; empty where an input is the leaf
  int input = -1;
  bool looked = false;  // it asks for the grad that it finds,
  bool there = false;   //   and there was one
  bool reset = false;   // it begins by dropping the grad it finds
  bool dropped = false; // it drops the grad at some time
  bool read = false;    // the grad that it finds is an operand: `found`, a look at that value
  bool set = false;     // it leaves a grad of its own, `grad`, or none
  Operand found, grad;
  Operand rows; // where that grad is row-sparse, and `grad` its values
};

struct Program {
  std::vector<Value> values;
  std::vector<Instruction> instructions;
  std::vector<Instruction> invariants; // run before them, but only when the state that they read has been written
  std::vector<Operand> results;        // what the function returns, its tensors in order
  std::vector<Leaf> leaves;
  std::vector<std::string> layers{""}; // the dotted paths of modules
  std::vector<SharedSite> sites{nullptr};
  int inputs = 0;
  size_t arena = 0; // bytes, after planning
  bool planned = false;
  // what passes report
  size_t bytes_before = 0; // of temporaries, each with memory of its own
  int instructions_before = 0, fused_groups = 0;
};

// Writes an instruction whose work runs; used by passes.
bool writes(const Instruction &i, int value);
bool reads(const Instruction &i, int value);
bool erase_instructions(Program &program, const std::vector<bool> &gone); // whether there were any
bool is_kept(const Value &v); // whether what it holds after a run is seen outside

void verify(const Program &program, const char *after); // throws RuntimeError that names the pass and the instruction
std::string print(const Program &program);

} // namespace cinta::replay
