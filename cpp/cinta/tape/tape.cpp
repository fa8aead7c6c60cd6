#include "cinta/tape/tape.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "cinta/tape/compute.h"
#include "cinta/tensor/writes.h"

namespace cinta {
namespace {

// A thread's tape may outlive it: instructions that other threads hold keep it.
struct ThreadTape {
  TapeState state{new Tape, true};
  ~ThreadTape() {
    if (state.tape->live == 0)
      delete state.tape;
    else
      state.tape->orphaned = true;
  }
};

Instr *free_list = nullptr; // chained through next_dead
Instr *dead = nullptr;      // waiting for destroy(); a list and a loop, so that long chains need no stack
bool destroying = false;

Instr *new_instr(int inputs, int outputs) {
  Instr *i = free_list;
  if (i)
    free_list = i->next_dead;
  else if (!(i = static_cast<Instr *>(std::malloc(sizeof(Instr)))))
    throw std::bad_alloc();
  new (&i->op) OpRef();
  i->inputs = inputs <= Instr::kInlineInputs
                  ? i->inline_inputs
                  : static_cast<Instr::Input *>(std::malloc(sizeof(Instr::Input) * size_t(inputs)));
  i->outputs = outputs == 1 ? &i->inline_output
                            : static_cast<Instr::Output *>(std::malloc(sizeof(Instr::Output) * size_t(outputs)));
  i->inputs_n = uint16_t(inputs);
  i->outputs_n = uint16_t(outputs);
  i->refs = 0;
  i->freed = i->pending = false;
  i->site = {};
  return i;
}

void append(Tape *tape, Instr *i) {
  i->tape = tape;
  i->position = tape->next_position++;
  i->prev = tape->last;
  i->next = nullptr;
  if (tape->last)
    tape->last->next = i;
  tape->last = i;
  ++tape->live;
}

void destroy(Instr *i) {
  Tape *tape = i->tape;
  (i->next ? i->next->prev : tape->last) = i->prev;
  if (i->prev)
    i->prev->next = i->next;
  if (--tape->live == 0 && tape->orphaned)
    delete tape;
  for (int k = 0; k < i->inputs_n; ++k) {
    i->inputs[k].value.~Tensor();
    if (i->inputs[k].producer)
      release(i->inputs[k].producer);
  }
  for (int k = 0; k < i->outputs_n; ++k) {
    i->outputs[k].value.~Tensor();
    i->outputs[k].grad.~Tensor();
  }
  if (i->inputs != i->inline_inputs)
    std::free(i->inputs);
  if (i->outputs != &i->inline_output)
    std::free(i->outputs);
  drop_site(i->site);
  i->op.~OpRef();
  i->next_dead = free_list;
  free_list = i;
}

// The one tape that this instruction belongs on: its inputs', else the thread's.
Tape *choose_tape(const Op &op, const Tensor *in, int inputs) {
  Tape *tape = nullptr;
  for (int k = 0; k < inputs; ++k) {
    Instr *creator = in[k] ? in[k]->creator : nullptr;
    if (!creator)
      continue;
    if (tape && creator->tape != tape)
      fail<RuntimeError>("[", op.name(),
                         "] operands were recorded by two different threads, expected one: call "
                         ".detach() on one of them, or record both in the same thread");
    tape = creator->tape;
  }
  return tape ? tape : tape_state().tape;
}

} // namespace

constinit thread_local TapeState *current_tape_state = nullptr;

TapeState &make_tape_state() {
  static thread_local ThreadTape own;
  current_tape_state = &own.state;
  return own.state;
}

int64_t live_instructions() { return tape_state().tape->live; }

int64_t tape_position() { return int64_t(tape_state().tape->next_position); }

void retain(Instr *i) { ++i->refs; }

void release(Instr *i) {
  if (--i->refs > 0)
    return;
  i->next_dead = dead;
  dead = i;
  if (destroying)
    return;
  destroying = true;
  while (dead) {
    Instr *next = dead;
    dead = next->next_dead;
    destroy(next);
  }
  destroying = false;
}

void retain_grad(const Tensor &x) {
  if (!x->requires_grad)
    fail<RuntimeError>("[retain_grad] the tensor does not require grad, no gradient will reach it");
  if (!x->creator)
    return;
  x->retains_grad = true;
  x->creator->outputs[x->output_index].retained = x.body();
}

void forget_retained(Instr *creator, int output) { creator->outputs[output].retained = nullptr; }

void apply(const OpRef &op, const Tensor *in, int inputs, Tensor *out) {
  for (int k = 0; k < inputs; ++k)
    if (in[k])
      check_fresh(in[k], op->name());
  {
    GradMode off(false); // what forward calls is part of this instruction
    op->forward(in, inputs, out);
  }
  record(*op, in, inputs, out, op->outputs());
}

Tensor apply(const OpRef &op, std::initializer_list<Tensor> in) {
  Tensor out;
  apply(op, in.begin(), int(in.size()), &out);
  return out;
}

namespace {

// One element of a larger tensor is saved by value: a loop that fills an array element by element writes beside it.
bool is_element(const Tensor &x) { return x.size() == 1 && x->storage->bytes > itemsize(x.dtype()); }

// A number alone, perhaps spread over a shape. A constant like that stays on the tape for a snapshot of it.
bool is_number(const Tensor &x) { return x->storage->bytes == itemsize(x.dtype()); }

Tensor copy_of_element(const Tensor &x) {
  Tensor y = empty(x.shape(), x.dtype());
  compute("copy", {x}, {y},
          [](const Tensor *in, const Tensor *out) { std::memcpy(out[0]->data, in[0]->data, itemsize(in[0].dtype())); });
  if ((y->creator = x->creator)) {
    retain(y->creator);
    y->requires_grad = true;
    y->output_index = x->output_index;
  }
  return y;
}

} // namespace

void record(const Op &op, const Tensor *in, int inputs, Tensor *out, int outputs) {
  if (!tape_state().grad_enabled)
    return;
  bool needed = false;
  for (int k = 0; k < inputs; ++k)
    needed |= in[k] && in[k]->requires_grad;
  if (!needed)
    return;
  Tape *tape = choose_tape(op, in, inputs);
  Instr *i = new_instr(inputs, outputs);
  i->op = OpRef(&op);
  const uint32_t saves = op.saves();
  for (int k = 0; k < inputs; ++k) {
    Instr::Input &input = i->inputs[k];
    new (&input.value) Tensor();
    input.producer = nullptr;
    input.needs = in[k] && in[k]->requires_grad;
    input.saved = !in[k] || (saves & saves::input(k < 15 ? k : 15)) != 0; // that one is absent is known
    if (!in[k])
      continue;
    if (input.needs) {
      input.output_index = in[k]->output_index;
      if ((input.producer = in[k]->creator))
        retain(input.producer);
    }
    if (input.saved || (input.needs && !input.producer)) {
      const bool leaf = input.needs && !input.producer; // known by its body
      input.value = !leaf && is_element(in[k]) ? copy_of_element(in[k]) : in[k];
      input.version = input.value->storage->version;
    } else if (!input.needs && is_number(in[k]) && !is_stale(in[k])) {
      input.value = in[k];
      input.version = input.value->storage->version;
    }
  }
  for (int k = 0; k < outputs; ++k) {
    Instr::Output &output = i->outputs[k];
    new (&output.value) Tensor();
    new (&output.grad) Tensor();
    output.retained = nullptr;
    if (saves & saves::output(k)) {
      output.value = alias(out[k]);
      output.version = out[k]->storage->version;
    }
    if (!is_floating(out[k].dtype()))
      continue;
    Body *b = out[k].body();
    b->creator = i;
    b->requires_grad = true;
    b->output_index = uint8_t(k);
    ++i->refs;
  }
  if (saves)
    i->site = site_here();
  append(tape, i);
  if (Recorder *r = recorder()) [[unlikely]]
    r->recorded(*i);
  if (i->refs == 0) { // no output can carry a gradient
    retain(i);
    release(i);
  }
}

void check_writable(const Tensor &x, const char *op, bool recording, bool fresh) {
  if (x->storage->readonly)
    fail<ValueError>("[", op,
                     "] the tensor looks at read-only memory (a read-only array), expected writable: copy it "
                     "first with ct.tensor(...)");
  if (recording && x->requires_grad && !x->creator)
    fail<RuntimeError>("[", op,
                       "] a leaf tensor that requires grad is written in place: write under ct.no_grad(), or "
                       "use the out-of-place operation");
  for (int i = 0; i < x.ndim(); ++i)
    if (x.strides()[i] == 0 && x.shape()[i] > 1)
      fail<ValueError>("[", op, "] the tensor is a broadcast view of shape ", x.shape(),
                       ", several of its elements share "
                       "memory: write to a .clone()");
  if (fresh)
    check_fresh(x, op);
}

void mark_written(const Tensor &x) { mark_written(x, x); }

void mark_written(const Tensor &x, const Tensor &region) {
  Storage &s = *x->storage.get();
  const Region written(region);
  if (written.end - written.begin >= int64_t(s.bytes) &&
      region.size() * int64_t(itemsize(region.dtype())) >= int64_t(s.bytes)) {
    delete std::exchange(s.writes, nullptr);
  } else {
    if (!s.writes)
      s.writes = new Writes(s.version);
    s.writes->add(s.version + 1, written);
  }
  x->version = ++s.version;
  drop_site(s.written_at);
  s.written_at = site_here();
}

bool overwritten_since(const Tensor &x, uint32_t version) {
  const Storage &s = *x->storage.get();
  return s.version != version && (!s.writes || s.writes->touched(version, Region(x)));
}

void fail_stale(const Tensor &x, const char *op) {
  std::string where =
      x->creator ? join(" (made by ", x->creator->op ? x->creator->op->name() : "an operation", ")") : "";
  fail<RuntimeError>(
      "[", op, "] the operand", where, " shares memory with a tensor that was written in place since, at ",
      describe(x->storage->written_at),
      ": "
      "its values changed but its history did not, so gradients would be wrong; make the view again after the "
      "write, or write to a .clone()");
}

Tensor (*add_gradients)(const Tensor &, const Tensor &) = nullptr;
RowSparseOps row_sparse = {};

} // namespace cinta
