#include "cinta/tape/snapshot.h"

#include <algorithm>
#include <map>
#include <unordered_set>

namespace cinta {
namespace {

std::vector<Instr *> leading_to(const Tensor &output, int64_t limit) {
  std::vector<Instr *> found;
  std::unordered_set<Instr *> seen;
  const auto visit = [&](Instr *i) {
    if (!i || !seen.insert(i).second)
      return;
    if (i->freed)
      fail<RuntimeError>(
          "[draw] a backward has passed and freed what the instructions had saved: draw before backward, "
          "or call it with retain_graph=True");
    if (int64_t(found.size()) == limit)
      fail<ValueError>("[draw] more than ", limit, " instructions lead to the output, expected at most ", limit,
                       ": draw fewer steps or layers, or cut off what comes before with .detach()");
    found.push_back(i);
  };
  visit(output->creator);
  for (size_t k = 0; k < found.size(); ++k)
    for (int n = 0; n < found[k]->inputs_n; ++n)
      visit(found[k]->inputs[n].producer);
  std::sort(found.begin(), found.end(), [](Instr *a, Instr *b) { return a->position < b->position; });
  return found;
}

Tensor unrecorded(const Tensor &x) {
  Tensor y = alias(x);
  y->version = y->storage->version;
  return y;
}

// While it lives, a walk leaves the gradients alone that bodies asked to keep.
class RetainedAside {
public:
  explicit RetainedAside(const std::vector<Instr *> &instrs) {
    for (Instr *i : instrs)
      for (int k = 0; k < i->outputs_n; ++k)
        if (Body *body = std::exchange(i->outputs[k].retained, nullptr)) {
          ++body->refs;
          aside_.emplace_back(&i->outputs[k], Tensor(body));
        }
  }
  ~RetainedAside() {
    for (auto &[output, body] : aside_)
      output->retained = body.body();
  }
  RetainedAside(const RetainedAside &) = delete;
  RetainedAside &operator=(const RetainedAside &) = delete;

private:
  std::vector<std::pair<Instr::Output *, Tensor>> aside_;
};

// Reads everything from the tape before it computes anything: kernels let other threads in.
class Reader {
public:
  Reader(const Tensor &output, int64_t limit) : output_(output), instrs_(leading_to(output, limit)) {
    for (Instr *i : instrs_)
      read(*i);
    for (size_t v = 0; v < written_.size(); ++v)
      if (written_[v])
        snapshot_.values[v].forward = Tensor();
    snapshot_.output = value_of(output->creator, output->output_index, output);
  }

  void find(const std::vector<Tensor> &named) {
    for (const Tensor &x : named) {
      auto it = index_.find(key(x->creator, x->output_index, x));
      snapshot_.named.push_back(it == index_.end() ? -1 : it->second);
    }
  }

  void compute() {
    GradMode off(false);
    for (size_t k = 0; k < ops_.size(); ++k)
      compute(*ops_[k], snapshot_.steps[k]);
    Tensor &y = snapshot_.values[size_t(snapshot_.output)].forward;
    if (!output_->creator)
      y = output_;
    else if (!y && output_->storage->version == output_->storage->recorded_write) // as its instruction left it
      y = unrecorded(output_);
  }

  Snapshot differentiate() {
    std::vector<Tensor> wanted;
    std::vector<size_t> places;
    for (size_t v = 0; v < wanted_.size(); ++v)
      if (wanted_[v])
        wanted.push_back(wanted_[v]), places.push_back(v);
    const RetainedAside aside(instrs_);
    BackwardOptions options;
    options.retain_graph = true;
    std::vector<Tensor> found = backward({output_}, {full(output_.shape(), 1, output_.dtype())}, &wanted, options);
    for (size_t k = 0; k < found.size(); ++k)
      snapshot_.values[places[k]].gradient = std::move(found[k]);
    return std::move(snapshot_);
  }

private:
  using Key = std::pair<const void *, int>; // an instruction and which of its outputs, or the body of a leaf
  static Key key(Instr *producer, int output, const Tensor &leaf) {
    return producer ? Key(producer, output) : Key(leaf.body(), 0);
  }

  int add(Tensor wanted) {
    snapshot_.values.emplace_back();
    wanted_.push_back(std::move(wanted));
    written_.push_back(false);
    return int(wanted_.size()) - 1;
  }
  int value_of(Instr *producer, int output, const Tensor &leaf) {
    auto [it, fresh] = index_.try_emplace(key(producer, output, leaf), 0);
    if (fresh)
      it->second = add(producer ? output_of(producer, output) : leaf->requires_grad ? leaf : Tensor());
    return it->second;
  }
  static Tensor output_of(Instr *producer, int output) { // a body that backward knows for that output
    Tensor x = scalar(0, Dtype::float32);
    x->creator = producer;
    x->output_index = uint8_t(output);
    x->requires_grad = true;
    retain(producer);
    return x;
  }

  void read(Instr &i) {
    Snapshot::Step step{i.op->name(), i.site.code ? describe(i.site) : "", {}, {}};
    for (int k = 0; k < i.inputs_n; ++k) {
      const Instr::Input &in = i.inputs[k];
      const bool absent = in.saved && !in.value, lost = !in.saved && !in.value && !in.producer;
      step.inputs.push_back(absent ? -1 : lost ? add({}) : value_of(in.producer, in.output_index, in.value));
      if (in.value)
        know(step.inputs.back(), in.producer ? unrecorded(in.value) : in.value, in.version);
    }
    for (int k = 0; k < i.outputs_n; ++k) {
      step.outputs.push_back(value_of(&i, k, {}));
      if (const Tensor &saved = i.outputs[k].value)
        know(step.outputs.back(), unrecorded(saved), i.outputs[k].version);
    }
    snapshot_.steps.push_back(std::move(step));
    ops_.push_back(i.op);
  }

  // What one instruction saved of a value. Where another saw it before a write, nobody knows it.
  void know(int v, const Tensor &x, uint32_t version) {
    if (overwritten_since(x, version))
      written_[size_t(v)] = true;
    else
      snapshot_.values[size_t(v)].forward = x;
  }

  void compute(const Op &op, const Snapshot::Step &step) {
    std::vector<Tensor> in, out(step.outputs.size());
    bool known = op.repeatable();
    for (int v : step.inputs) {
      in.push_back(v < 0 || !snapshot_.values[size_t(v)].forward ? Tensor()
                                                                 : unrecorded(snapshot_.values[size_t(v)].forward));
      known &= v < 0 || in.back();
    }
    bool wanted = false;
    for (int v : step.outputs)
      wanted |= !snapshot_.values[size_t(v)].forward;
    if (!known || !wanted)
      return;
    op.forward(in.data(), int(in.size()), out.data());
    for (size_t k = 0; k < out.size(); ++k)
      if (Tensor &forward = snapshot_.values[size_t(step.outputs[k])].forward; !forward)
        forward = out[k];
  }

  const Tensor output_;
  const std::vector<Instr *> instrs_;
  std::vector<OpRef> ops_;
  std::vector<Tensor> wanted_; // by value: what backward is asked for; they keep the instructions
  std::vector<bool> written_;  // by value
  std::map<Key, int> index_;
  Snapshot snapshot_;
};

} // namespace

Snapshot snapshot(const Tensor &output, const std::vector<Tensor> &named, int64_t limit) {
  if (!output->requires_grad)
    fail<RuntimeError>("[draw] the output (shape ", output.shape(), ", dtype ", output.dtype(),
                       ") does not depend on any tensor that requires grad, so nothing was recorded: set requires_grad "
                       "on an input, or look for .detach() or no_grad() on the way");
  check_fresh(output, "draw");
  Reader reader(output, limit);
  reader.find(named);
  reader.compute();
  return reader.differentiate();
}

} // namespace cinta
