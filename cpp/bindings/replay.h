// Compiled functions for Python: what ct.compile's Python side is made of.
#pragma once
#include <memory>
#include <vector>

#include "bindings/convert.h"
#include "cinta/replay/run.h"

namespace cinta::python {

// One Python value that a recording has looked at: a replay is right for as long as it is what it was.
struct Guard {
  enum Kind {
    cell,      // a closure's variable
    dict,      // a dict's entry under the key
    item,      // a list's entry at the key
    length,    // the number of entries
    attribute, // under the key
    code,      // a function's
    defaults,  // of its arguments
    equal,     // the container itself, compared
    bytes,     // of an array, compared
  } kind;
  Ref container, key, expected; // expected is null where nothing was there
  bool by_value;                // numbers, strings: equal and of the same type; else the same object
  uint64_t version = 0;         // of the dict when it held
  bool holds();
};

int first_broken(std::vector<Guard> &guards); // its number, or -1
struct Guards {                               // on their way from Python into a replay
  std::vector<Guard> all;
};

// A tensor that the function sees besides its arguments.
struct Seen {
  Ref tensor;
  const void *data; // where its elements lay when recorded
  bool requires_grad;
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
  bool eager;   // never while recording
  bool operator==(const Modes &) const = default;
  static Modes now();
};

// A recording that can be run: a program, and when it may be.
class Replay {
public:
  // `host` prepares what the host decides anew, and takes that back where a run fails; `inputs`: of the recorded call.
  Replay(replay::Program program, std::vector<std::string> passes, std::vector<Guard> guards,
         const std::vector<Ref> &seen, Ref host, Ref rebuild, const std::vector<Tensor> &inputs);
  // Why a call with these does not fit after all: grads that are there or not, memory shared with what is seen; or
  // null.
  bool accepts(const std::vector<Tensor> &inputs, std::string *why);
  // Runs it; results as Python objects in the function's structure. Null without an error: the host does not fit.
  PyObject *call(const std::vector<Tensor> &inputs);
  // Whether positional arguments fit the spec; then the tensors among them.
  bool fits(PyObject *const *args, Py_ssize_t n, std::vector<Tensor> &inputs) const;

  // The gradients of results that can be differentiated; made with every call's own memory.
  bool differentiable = false;

  // Made when somebody asks for it first: a recording that is never replayed costs no passes.
  replay::Executable &executable();

  std::vector<Guard> guards;
  std::vector<ArgumentSpec> arguments; // of a call with positional arguments only, none of them nested
  bool positional = false;
  Modes modes;

  int traverse(visitproc visit, void *arg) const; // for Python's collector of cycles
  void clear();

private:
  class Busy;
  bool prepare();                   // lets the host write its values; false: it does not fit
  replay::Program recorded_;        // until there is the executable
  std::vector<std::string> passes_; // that make it so
  std::vector<Tensor> inputs_;      // of the recorded call, until then
  std::unique_ptr<replay::Executable> executable_;
  std::vector<Seen> seen_;
  std::vector<const Storage *> outside_; // storages that arguments may not share unless recorded so, in order
  std::vector<const void *> pinned_;     // for each input: where it must lie, as it is seen from outside too; or null
  Ref host_, rebuild_;
  bool busy_ = false;
};

void init_compiled_type(PyObject *module);
void define_replay(PyObject *module);
void define_watch(PyObject *module);
void define_captured(PyObject *module);

} // namespace cinta::python
