// Backpropagation: one reverse loop over the tape from the last output, visiting the instructions that hold a gradient.
#include <exception>
#include <list>
#include <unordered_map>

#include "cinta/kernels/kernels.h"
#include "cinta/tape/compute.h"

namespace cinta {
namespace {

bool exclusive(const Tensor &t) {
  return t->refs == 1 && t->storage->refs == 1 && !t->creator && is_native(t.dtype()) && !t->storage->readonly &&
         !t->storage->parameter && // a parameter's writes are counted
         (t.contiguous() || is_dense(t.shape(), t.strides()));
}
// Whether an exclusive tensor and another have their elements in the same order in memory.
bool in_same_order(const Tensor &own, const Tensor &other) {
  return own.contiguous() ? other.contiguous() : own.strides() == other.strides();
}

void add_to(const Tensor &sum, const Tensor &gradient) {
  compute("accumulate", {sum, gradient}, {sum}, AccumulateWork{});
}

// slot += gradient, in place where nobody else can see it.
void accumulate(Tensor &slot, Tensor gradient) {
  if (!slot) {
    slot = std::move(gradient);
  } else if (!grad_enabled() && exclusive(slot) && in_same_order(slot, gradient)) {
    add_to(slot, gradient);
  } else if (!grad_enabled() && exclusive(gradient) && in_same_order(gradient, slot)) {
    add_to(gradient, slot);
    slot = std::move(gradient);
  } else {
    slot = add_gradients(slot, gradient);
  }
}

Tensor owned(Tensor gradient) { // for .grad, which users may write to
  if (exclusive(gradient) || gradient->requires_grad)
    return gradient;
  Tensor zero = scalar(0, gradient.dtype());
  return add_gradients(gradient, zero);
}

class Heard { // whoever listens knows whose rule is running, for a scope
public:
  explicit Heard(const Instr *i) : recorder_(recorder()) { recorder_->visiting(i); }
  ~Heard() { recorder_->visiting(nullptr); }
  Heard(const Heard &) = delete;
  Heard &operator=(const Heard &) = delete;

private:
  Recorder *recorder_;
};

class Walk final : public Vjp {
public:
  Walk(const std::vector<Tensor> *wanted, BackwardOptions options)
      : wanted_(wanted), options_(options), around_(std::exchange(current_, this)) {
    if (options.onward && !around_) {
      current_ = nullptr; // no destructor will run
      fail<RuntimeError>("[backward] an onward walk got no walk around it, expected to be called by a gradient rule");
    }
    if (!wanted)
      return;
    found_.resize(wanted->size());
    for (size_t k = 0; k < wanted->size(); ++k) {
      const Tensor &w = (*wanted)[k];
      slots_.emplace(key(w->creator ? static_cast<void *>(w->creator) : w.body(), w->creator ? w->output_index : 0), k);
    }
  }

  ~Walk() { current_ = around_; }
  Walk(const Walk &) = delete;
  Walk &operator=(const Walk &) = delete;

  void seed(const Tensor &output, Tensor gradient) {
    if (output->creator)
      arrive(output->creator, output->output_index, std::move(gradient));
    else
      arrive_leaf(output, std::move(gradient));
  }

  void run() {
    Instr *i = start_;
    std::exception_ptr error;
    while (i && pending_ > 0) {
      if (!i->pending) {
        i = i->prev;
        continue;
      }
      if (!error) {
        try {
          visit(*i);
        } catch (...) {
          error = std::current_exception(); // go on, to leave no gradients behind
        }
      }
      Instr *prev = i->prev;
      leave(*i);
      i = prev;
    }
    if (error)
      std::rethrow_exception(error);
  }

  std::vector<Tensor> take_found() { return std::move(found_); }

  const Tensor &in(int i) const override {
    const Instr::Input &input = now_->inputs[i];
    if (!input.saved || !input.value || input.value->storage->version == input.version) [[likely]]
      return input.value;
    return as_it_was(input.value, input.version, join("input ", i));
  }
  const Tensor &out(int i) const override {
    Instr::Output &output = now_->outputs[i];
    const bool written = output.value->storage->version != output.version; // perhaps beside it
    if (written && overwritten_since(output.value, output.version))
      fail_overwritten(output.value, join("output ", i));
    if (!options_.create_graph && !written)
      return output.value;
    // For the higher order the alias gets its place in the graph, for the time of this visit.
    Tensor &linked = linked_[i];
    linked = alias(output.value);
    linked->version = output.value->storage->version;
    if (!options_.create_graph)
      return linked;
    linked->creator = now_;
    linked->requires_grad = true;
    linked->output_index = uint8_t(i);
    retain(now_);
    return linked;
  }
  const Tensor &dy(int i) const override { return now_->outputs[i].grad; }
  bool needs(int i) const override { return now_->inputs[i].needs; }
  int inputs() const override { return now_->inputs_n; }
  Tensor gathered(int i) const override {
    const Instr::Input &input = now_->inputs[i];
    const Instr *producer = input.producer;
    if (grad_enabled() || !input.needs || (producer ? producer->position < options_.since : wanted_ || options_.onward))
      return {};
    const Tensor &slot = producer ? producer->outputs[input.output_index].grad : input.value->grad;
    return slot && slot.contiguous() && exclusive(slot) ? slot : Tensor();
  }
  void dx(int i, Tensor gradient) override {
    Instr::Input &input = now_->inputs[i];
    if (!input.needs || !gradient)
      return;
    if (input.producer)
      arrive(input.producer, input.output_index, std::move(gradient));
    else
      arrive_leaf(input.value, std::move(gradient));
  }

  bool takes_rows(int i) const override {
    const Instr::Input &input = now_->inputs[i];
    return input.needs && !input.producer && !grad_enabled() && leaves_take_rows();
  }
  void dx_rows(int i, RowSparse gradient) override { arrive_rows(now_->inputs[i].value, std::move(gradient)); }

private:
  static size_t key(void *p, int index) { return reinterpret_cast<size_t>(p) + size_t(index); }

  void arrive(Instr *producer, int output, Tensor gradient) {
    if (producer->position < options_.since) {
      if (options_.onward)
        around_->arrive(producer, output, std::move(gradient));
      return;
    }
    if (now_ && producer->position >= now_->position)
      fail<RuntimeError>("[checkpoint] the second run used a tensor (from ", producer->op->name(),
                         ") made after the first, "
                         "expected the same ones: do not rebind what a checkpointed function takes from outside");
    if (!producer->pending) {
      producer->pending = true;
      retain(producer);
      ++pending_;
      if (!start_ || producer->position > start_->position)
        start_ = producer;
    }
    accumulate(producer->outputs[output].grad, std::move(gradient));
  }

  void arrive_leaf(const Tensor &leaf, Tensor gradient) {
    if (options_.onward) {
      around_->arrive_leaf(leaf, std::move(gradient));
    } else if (wanted_) {
      auto range = slots_.equal_range(key(leaf.body(), 0));
      for (auto it = range.first; it != range.second; ++it)
        accumulate(found_[it->second], gradient);
    } else if (leaf->grad_rows) {
      hear_of_grad(leaf);
      Tensor sum = row_sparse.to_dense(*leaf->grad_rows, leaf.shape());
      drop_grad(leaf);
      accumulate(sum, std::move(gradient));
      leaf->grad = owned(std::move(sum));
    } else if (leaf->grad) {
      accumulate(leaf->grad, std::move(gradient));
    } else {
      leaf->grad = owned(std::move(gradient));
    }
  }

  bool leaves_take_rows() const { return options_.onward ? around_->leaves_take_rows() : !wanted_; }

  void arrive_rows(const Tensor &leaf, RowSparse gradient) {
    if (leaf->grad_rows) {
      hear_of_grad(leaf);
      set_rows(leaf, row_sparse.add(*leaf->grad_rows, gradient));
    } else if (!leaf->grad) {
      set_rows(leaf, std::move(gradient));
    } else if (exclusive(leaf->grad) && leaf->grad.contiguous()) {
      row_sparse.add_to(leaf->grad, gradient);
    } else {
      leaf->grad = add_gradients(leaf->grad, row_sparse.to_dense(gradient, leaf.shape()));
    }
  }

  static void hear_of_grad(const Tensor &leaf) { // rows that a replay would not find
    if (Recorder *r = recorder()) [[unlikely]]
      r->gradient_looked_at(leaf);
  }

  void visit(Instr &i) {
    if (i.freed)
      fail<RuntimeError>("[backward] this graph was walked before and its saved values were freed: pass "
                         "retain_graph=True to the first backward, or compute the loss again");
    now_ = &i;
    if (wanted_)
      for (int k = 0; k < i.outputs_n; ++k) {
        auto range = slots_.equal_range(key(&i, k));
        for (auto it = range.first; it != range.second; ++it)
          if (i.outputs[k].grad)
            accumulate(found_[it->second], i.outputs[k].grad);
      }
    for (int k = 0; k < i.outputs_n; ++k)
      if (Body *body = i.outputs[k].retained; body && i.outputs[k].grad)
        body->grad = body->grad ? add_gradients(body->grad, i.outputs[k].grad) : i.outputs[k].grad;
    if (recorder()) [[unlikely]] {
      const Heard heard(&i);
      i.op->vjp(*this);
    } else {
      i.op->vjp(*this);
    }
    for (Tensor &linked : linked_)
      linked = Tensor();
    fresh_.clear();
  }

  // Saved values go as the walk passes, unless they are asked to stay.
  void leave(Instr &i) {
    for (int k = 0; k < i.outputs_n; ++k)
      i.outputs[k].grad = Tensor();
    if (!options_.retain_graph && !i.freed) {
      i.freed = true;
      for (int k = 0; k < i.inputs_n; ++k) {
        i.inputs[k].value = Tensor();
        if (Instr *producer = std::exchange(i.inputs[k].producer, nullptr))
          release(producer);
      }
      for (int k = 0; k < i.outputs_n; ++k)
        i.outputs[k].value = Tensor();
      i.op = OpRef();
    }
    i.pending = false;
    --pending_;
    release(&i);
  }

  // A saved value whose storage was written since, beside it: another look at the same memory, fresh again.
  const Tensor &as_it_was(const Tensor &value, uint32_t version, const std::string &which) const {
    if (overwritten_since(value, version) || (value.requires_grad() && !value->creator))
      fail_overwritten(value, which);
    Tensor &now = fresh_.emplace_back(alias(value));
    now->version = value->storage->version;
    if (options_.create_graph && value->creator) {
      now->creator = value->creator;
      now->output_index = value->output_index;
      now->requires_grad = true;
      retain(now->creator);
    }
    return now;
  }

  [[noreturn]] void fail_overwritten(const Tensor &x, const std::string &which) const {
    fail<RuntimeError>("[backward] ", now_->op->name(), " at ", describe(now_->site), " saved its ", which, " (shape ",
                       x.shape(), ") for the gradient, but it was overwritten in place at ",
                       describe(x->storage->written_at),
                       ": use the out-of-place operation there, or write to a .clone()");
  }

  const std::vector<Tensor> *wanted_;
  BackwardOptions options_;
  std::unordered_multimap<size_t, size_t> slots_; // where gradients of the wanted go
  std::vector<Tensor> found_;
  Instr *start_ = nullptr;
  Instr *now_ = nullptr;
  mutable Tensor linked_[16];
  mutable std::list<Tensor> fresh_;
  int64_t pending_ = 0;
  Walk *around_; // the walk one of whose rules runs this one
  static thread_local Walk *current_;
};

thread_local Walk *Walk::current_ = nullptr;

// One thread at a time walks a tape; walks within walks of the same thread are fine.
class Walking {
public:
  explicit Walking(Tape *tape) : tape_(tape), before_(tape ? tape->walker : nullptr) {
    const void *me = &tape_state();
    if (before_ && before_ != me)
      fail<RuntimeError>(
          "[backward] another thread is walking this tape, expected one backward at a time: guard it with a lock");
    if (tape_)
      tape_->walker = me;
  }
  ~Walking() {
    if (tape_)
      tape_->walker = before_;
  }
  Walking(const Walking &) = delete;
  Walking &operator=(const Walking &) = delete;

private:
  Tape *tape_;
  const void *before_;
};

} // namespace

void AccumulateWork::operator()(const Tensor *in, const Tensor *out) const {
  kernels::table().accumulate[int(compute_type(out[0].dtype()))](out[0].size(), in[1].data(), out[0].data());
}

std::vector<Tensor> backward(const std::vector<Tensor> &outputs, const std::vector<Tensor> &seeds,
                             const std::vector<Tensor> *inputs, BackwardOptions options) {
  for (const Tensor &y : outputs)
    if (!y->requires_grad)
      fail<RuntimeError>(
          "[backward] the output (shape ", y.shape(), ", dtype ", y.dtype(),
          ") does not depend on any "
          "tensor that requires grad: set requires_grad on an input, or look for .detach() or no_grad() on the way");
  options.retain_graph |= options.create_graph;
  if (!outputs.empty() && outputs[0]->creator && outputs[0]->creator->tape != tape_state().tape)
    options.since = 0; // a position of another thread's tape says nothing here
  Walk walk(inputs, options);
  GradMode mode(options.create_graph);
  for (size_t k = 1; k < outputs.size(); ++k)
    if (outputs[k]->creator && outputs[0]->creator && outputs[k]->creator->tape != outputs[0]->creator->tape)
      fail<RuntimeError>("[backward] outputs 0 and ", k,
                         " were recorded by two threads, expected one: call backward in each");
  for (size_t k = 0; k < outputs.size(); ++k) {
    const Tensor &y = outputs[k];
    Tensor seed = k < seeds.size() ? seeds[k] : Tensor();
    if (!seed) {
      if (y.size() != 1)
        fail<ValueError>("[backward] the output has shape ", y.shape(),
                         ", expected a scalar: reduce it with .sum() or "
                         ".mean(), or pass the gradient of the output");
      seed = full(y.shape(), 1, y.dtype());
    } else if (!(seed.shape() == y.shape()) || seed.dtype() != y.dtype()) {
      fail<ValueError>("[backward] gradient has shape ", seed.shape(), " and dtype ", seed.dtype(), ", expected ",
                       y.shape(), " and ", y.dtype(), " as the output");
    }
    walk.seed(y, std::move(seed));
  }
  const Tensor keep = outputs.empty() ? Tensor() : outputs[0]; // its tape lives as long as it
  const Walking walking(keep && keep->creator ? keep->creator->tape : nullptr);
  walk.run();
  return walk.take_found();
}

} // namespace cinta
