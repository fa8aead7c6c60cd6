// Compiled functions for Python: what ct.compile's Python side is made of.
#pragma once
#include <memory>
#include <vector>

#include "bindings/convert.h"
#include "cinta/replay/run.h"

namespace cinta::python {

// One Python value that a recording has looked at: a replay is right for as long as it is what it was.
struct Guard {
  enum Kind { cell, dict, item } kind;
  Ref container, key, expected;
  bool by_value; // numbers, strings: equal and of the same type; else the same object
  bool holds() const;
};

// What a call must look like for a recording to fit, besides its guards.
struct ArgumentSpec {
  bool tensor;
  Dtype dtype;
  Shape shape;
  Strides strides;
  bool requires_grad;
  Ref constant; // no tensor: the same object, or an equal number
};

struct Modes { // of the thread
  bool grad;
  int precision;
  int autocast; // dtype, or -1
  bool operator==(const Modes &) const = default;
  static Modes now();
};

// A recording that can be run: a program, and when it may be.
class Replay {
public:
  Replay(replay::Program program, std::vector<Guard> guards, Ref prepare, Ref rebuild);
  const Guard *broken_guard() const;
  // Runs it; results as Python objects in the function's structure.
  PyObject *call(const std::vector<Tensor> &inputs);
  bool prepare(); // lets the host write its values; false: something has changed there, record again
  // Whether positional arguments fit the spec; then the tensors among them.
  bool fits(PyObject *const *args, Py_ssize_t n, std::vector<Tensor> &inputs) const;

  // The gradients of results that can be differentiated; made with every call's own memory.
  bool differentiable = false;

  replay::Executable executable;
  std::vector<Guard> guards;
  std::vector<ArgumentSpec> arguments; // of a call with positional arguments only, none of them nested
  bool positional = false;
  Modes modes;

private:
  class Busy;
  Ref prepare_, rebuild_;
  bool busy_ = false;
};

void init_compiled_type(PyObject *module);
void define_replay(PyObject *module);

} // namespace cinta::python
