// compute: every place where elements of tensors are read or written goes through it. What it is given runs at once,
// and while a Program is recorded it becomes an instruction, to be run again.
//
//   compute("exp", {x}, {y}, [=](const Tensor *in, const Tensor *out) { kernel(n, in[0].data(), out[0].data()); });
//
// `in`: all that is read; `out`: all that is written, of its final shape (a tensor that is changed stands in both). The
// function captures attributes only: tensors come to it as arguments, others at each replay.
#pragma once
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <type_traits>

#include "cinta/tape/tape.h"

namespace cinta {

enum class Effect : uint8_t {
  none,   // the result depends on the operands alone
  random, // draws numbers: the order of draws matters
  check,  // may refuse what it reads
};

struct Label { // of an instruction
  const char *name;
  Effect effect = Effect::none;
  double flops = 0;
  bool done = false; // has run already, to find out where its results lie
  Label(const char *name, Effect effect = Effect::none, double flops = 0, bool done = false)
      : name(name), effect(effect), flops(flops), done(done) {}
};

// What an instruction of a Program runs. A kind that passes want to recognise is a named struct, not a lambda.
class Work {
public:
  virtual ~Work() = default;
  virtual void run(const Tensor *in, const Tensor *out) const = 0;
  virtual bool same(const Work &other) const = 0; // the same function of its operands; false where in doubt
  // Whether result `out` may be written where operand `in` lies, if both lie alike and nothing reads that one
  // afterwards.
  virtual bool may_overwrite(int out, int in) const = 0;
};

template <class F> class WorkOf final : public Work {
public:
  explicit WorkOf(const F &f) : f(f) {}
  void run(const Tensor *in, const Tensor *out) const override { f(in, out); }
  bool same(const Work &other) const override {
    const auto *that = dynamic_cast<const WorkOf *>(&other);
    if constexpr (requires { f == f; })
      return that && f == that->f;
    else if constexpr (std::is_empty_v<F>)
      return that;
    else if constexpr (std::is_trivially_copyable_v<F>)
      return that && std::memcmp(&f, &that->f, sizeof f) == 0;
    else
      return false;
  }
  bool may_overwrite(int out, int in) const override {
    if constexpr (requires { f.may_overwrite(out, in); })
      return f.may_overwrite(out, in);
    else
      return requires { F::elementwise; };
  }
  const F f;
};
// The struct that a work was made of, or null.
template <class F> const F *as(const Work &work) {
  const auto *w = dynamic_cast<const WorkOf<F> *>(&work);
  return w ? &w->f : nullptr;
}

using Operands = std::span<const Tensor>;

// Who listens to this thread's computing: replay/recording writes it down, watch/finite looks at the results,
// tape/flop_counter counts.
class Recorder {
public:
  virtual bool replays() const { return true; } // whether what it hears will run again without Python
  // Runs the work, where it is not done already, and keeps it.
  virtual void compute(const Label &label, Operands in, Operands out, std::unique_ptr<Work> work) = 0;
  // A tensor of these bytes that a replay will find changed: what the optimizers' options are kept in.
  virtual Tensor host(const void *bytes, size_t size) = 0;
  virtual void recorded(const Instr &instr) = 0;           // was put on the tape
  virtual void visiting(const Instr *instr) = 0;           // backward is about to run its rule, or null: has run it
  virtual void gradient_looked_at(const Tensor &leaf) = 0; // somebody asks for its grad, or whether it has one
  virtual void gradient_reset(const Tensor &leaf) = 0;     // somebody sets or drops its grad
  // Somebody wants to see elements outside of any compute; throws where a replay could not.
  virtual void read(const char *how) = 0;
  virtual void returned(const Tensor & /*gradient*/) {} // by a rule written in Python

protected:
  ~Recorder() = default;
};

inline Recorder *recorder() { return tape_state().recorder; }
inline bool recording() { return recorder() && recorder()->replays(); }

template <class F> void compute(const Label &label, Operands in, Operands out, const F &f) {
  if (Recorder *r = recorder()) [[unlikely]]
    r->compute(label, in, out, std::make_unique<WorkOf<F>>(f));
  else
    f(in.data(), out.data());
}
template <class F>
void compute(const Label &label, std::initializer_list<Tensor> in, std::initializer_list<Tensor> out, const F &f) {
  compute(label, Operands(in.begin(), in.size()), Operands(out.begin(), out.size()), f);
}

// Before elements are read where no replay would read them again.
inline void check_readable(const char *how) {
  if (Recorder *r = recorder()) [[unlikely]]
    r->read(how);
}

class RecorderScope { // who listens, for a scope; null: nobody
public:
  explicit RecorderScope(Recorder *r) : before_(std::exchange(tape_state().recorder, r)) {}
  ~RecorderScope() { tape_state().recorder = before_; }
  RecorderScope(const RecorderScope &) = delete;
  RecorderScope &operator=(const RecorderScope &) = delete;

private:
  Recorder *before_;
};

} // namespace cinta
