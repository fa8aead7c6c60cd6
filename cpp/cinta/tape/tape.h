// The tape: instructions in execution order, which is their topological order. Backward is one reverse loop.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "cinta/base/site.h"
#include "cinta/tape/op.h"

namespace cinta {

class Tape;
class Recorder; // tape/compute.h

class Instr {
public:
  struct Input {
    Tensor value;     // where it is saved, a leaf, or a constant that is a single number
    Instr *producer;  // where it has one
    uint32_t version; // of value's storage when it was saved
    uint8_t output_index;
    bool needs;
    bool saved;
  };
  struct Output {
    Tensor value;   // an alias where it is saved
    Tensor grad;    // collected during a walk
    Body *retained; // the body that asked to keep its gradient, while it lives
    uint32_t version;
  };

  OpRef op;
  Tape *tape;
  Instr *prev, *next; // neighbours in execution order
  uint64_t position;
  int32_t refs;
  uint16_t inputs_n;
  uint16_t outputs_n;
  bool freed;   // a backward without retain_graph has passed
  bool pending; // holds a gradient in the walk under way
  Site site;
  Input *inputs;
  Output *outputs;
  Instr *next_dead;

  static constexpr int kInlineInputs = 3;
  Input inline_inputs[kInlineInputs];
  Output inline_output;
};

// A list of live instructions; those nobody can need any more leave it at once.
class Tape {
public:
  Instr *last = nullptr;
  uint64_t next_position = 0;
  int64_t live = 0;
  const void *walker = nullptr; // the thread state whose backward is under way
  bool orphaned = false;        // its thread has ended; it goes with its last instruction
};

struct TapeState {
  Tape *tape;
  bool grad_enabled;
  Recorder *recorder = nullptr;
  int eager = 0; // how many want to see inside of compiled functions, which run as they were written then
};
// Of this thread; made when first asked for. A plain pointer in static thread storage: one load on the hot path.
extern constinit thread_local TapeState *current_tape_state [[gnu::tls_model("initial-exec")]];
TapeState &make_tape_state();
inline TapeState &tape_state() {
  TapeState *state = current_tape_state;
  return state ? *state : make_tape_state();
}

inline bool grad_enabled() { return tape_state().grad_enabled; }

class GradMode { // sets it for a scope
public:
  explicit GradMode(bool enabled) : before_(std::exchange(tape_state().grad_enabled, enabled)) {}
  ~GradMode() { tape_state().grad_enabled = before_; }
  GradMode(const GradMode &) = delete;
  GradMode &operator=(const GradMode &) = delete;

private:
  bool before_;
};

[[gnu::cold]] void fail_stale(const Tensor &x, const char *op);
// A recorded view, or any view of storage with recorded writes, must not be read after somebody else wrote there.
inline bool is_stale(const Tensor &x) {
  const Storage &s = *x->storage.get();
  return x->version != s.version && (x->creator || x->version < s.recorded_write);
}
inline void check_fresh(const Tensor &x, const char *op) {
  if (is_stale(x)) [[unlikely]]
    fail_stale(x, op);
}

// Runs op on the inputs and puts it on the tape where an input needs a gradient.
void apply(const OpRef &op, const Tensor *in, int inputs, Tensor *out);
Tensor apply(const OpRef &op, std::initializer_list<Tensor> in);

// Puts an instruction that has already run on the tape, if grad mode is on and an input needs a gradient.
void record(const Op &op, const Tensor *in, int inputs, Tensor *out, int outputs);

// In-place bookkeeping: after x's storage was written. `recorded`: the write is on the tape, `result` its new body.
void check_writable(const Tensor &x, const char *op, bool recording, bool fresh = true);
void mark_written(const Tensor &x);
void mark_written(const Tensor &x, const Tensor &region); // a view of x: the part that was written
// Whether x's memory was written since its storage had this version.
bool overwritten_since(const Tensor &x, uint32_t version);

struct BackwardOptions {
  bool retain_graph = false;
  bool create_graph = false;
  uint64_t since = 0;  // instructions recorded before this position are left alone: they lead to none of the inputs
  bool onward = false; // what flows out of that segment goes on in the walk around this one, which checkpoint does
};
// Walks back from outputs. With `inputs`: returns their gradients (empty where none arrives). Without: adds to leaves'
// grad.
std::vector<Tensor> backward(const std::vector<Tensor> &outputs, const std::vector<Tensor> &seeds,
                             const std::vector<Tensor> *inputs, BackwardOptions options);

void retain_grad(const Tensor &x); // keeps x's gradient in x->grad, leaf or not
int64_t live_instructions();       // on this thread's tape
int64_t tape_position();           // of the next instruction on it

struct AccumulateWork { // y += x; in: y, x
  void operator()(const Tensor *in, const Tensor *out) const;
};
// Sum of two gradients, recorded where grad mode is on; given by ops at start-up (tape lies below ops).
extern Tensor (*add_gradients)(const Tensor &, const Tensor &);
struct RowSparseOps { // from ops, too: ops/row_sparse.h
  RowSparse (*add)(const RowSparse &, const RowSparse &);
  void (*add_to)(const Tensor &sum, const RowSparse &); // in place; sum: contiguous, native
  Tensor (*to_dense)(const RowSparse &, const Shape &);
};
extern RowSparseOps row_sparse;

} // namespace cinta
