// What a recording becomes when its function has returned: a program, or one with its gradient's.
#include <algorithm>

#include "cinta/replay/recording.h"

namespace cinta::replay {

Program Recording::finish(const std::vector<Tensor> &results) {
  check_aliases();
  for (const Tensor &x : results) {
    const Operand y = given_out(x);
    if (Value &v = program_.values[size_t(y.value)]; v.role == Role::temporary)
      v.role = Role::result;
    program_.results.push_back(y);
  }
  for (Leaf &l : program_.leaves) {
    const Tensor &leaf = l.input >= 0 ? inputs_[size_t(l.input)] : l.tensor;
    const Tensor &grad = leaf->grad;
    l.rows = {};
    if (leaf->grad_rows && !was_there(*leaf->grad_rows->rows->storage.get())) {
      l.set = true;
      l.grad = given_out(leaf->grad_rows->values);
      l.rows = given_out(leaf->grad_rows->rows);
      for (const Operand &y : {l.grad, l.rows})
        if (Value &v = program_.values[size_t(y.value)]; v.role == Role::temporary)
          v.role = Role::result;
      continue;
    }
    if (!grad) {
      l.set = l.dropped;
      l.grad = {};
      continue;
    }
    const Storage &s = *grad->storage.get();
    const auto found = known_.find({&s, s.serial});
    if (found == known_.end() && was_there(s))
      continue; // nobody touched it
    const Operand y = given_out(grad);
    Value &v = program_.values[size_t(y.value)];
    if (v.role == Role::gradient)
      continue; // written in place
    if (v.role == Role::temporary)
      v.role = Role::result;
    l.set = true;
    l.grad = y;
  }
  program_.instructions_before = int(program_.instructions.size());
  note_makers();
  return std::move(program_);
}

void Recording::note_makers() {
  std::vector<bool> seen(program_.values.size());
  for (const Instruction &i : program_.instructions)
    for (const Operand &y : i.out) {
      if (!y || seen[size_t(y.value)])
        continue;
      seen[size_t(y.value)] = true;
      if (program_.values[size_t(y.value)].role == Role::temporary && keys_[size_t(y.value)].storage)
        made_.emplace_back(keys_[size_t(y.value)], program_.sites[size_t(i.site)]);
    }
}

std::vector<Tensor> Recording::leaves() const {
  std::vector<Tensor> tensors;
  for (const Leaf &l : program_.leaves) {
    const Tensor &t = l.input >= 0 ? inputs_[size_t(l.input)] : l.tensor;
    if (t->requires_grad)
      tensors.push_back(t);
  }
  return tensors;
}

void Recording::begin_backward(const std::vector<Tensor> &seeds) {
  if (row_sparse_site_ >= 0) // a replay's gradient would be dense
    fail<ValueError>("[compile] ", name_, " reads an embedding with sparse=True at ",
                     describe(program_.sites[size_t(row_sparse_site_)]),
                     " and returns results that are differentiated outside, ",
                     "expected its backward() inside: compile the whole step, call it under ct.no_grad(), or make the ",
                     "embedding with sparse=False");
  split_ = program_.instructions.size();
  prologue_ = 0;
  for (const Tensor &seed : seeds) {
    const Storage &s = *seed->storage.get();
    seeds_.push_back(int(program_.values.size()));
    known_.emplace(Key{&s, s.serial}, seeds_.back());
    program_.values.push_back({Role::input, s.bytes, false, -1, {}, -1});
    keys_.push_back({&s, s.serial});
  }
}

std::pair<Program, Program> Recording::finish_both(const std::vector<Tensor> &results,
                                                   const std::vector<Tensor> &gradients) {
  program_.leaves.clear(); // nobody's grad changes
  std::vector<Operand> given;
  for (const Tensor &x : results)
    given.push_back(given_out(x));
  std::vector<Operand> grads;
  for (const Tensor &g : gradients)
    grads.push_back(g ? given_out(g) : Operand());
  const auto split = program_.instructions.begin() + int64_t(split_);
  Program forward = program_, backward = program_;
  forward.instructions.assign(program_.instructions.begin(), split);
  backward.instructions.assign(split, program_.instructions.end());
  backward.inputs = program_.inputs;
  forward.results = given;
  // Values that the first writes and the second reads are results of the first and inputs of the second.
  for (size_t k = 0; k < program_.values.size(); ++k) {
    Value &made = forward.values[k], &used = backward.values[k];
    if (made.role != Role::temporary)
      continue;
    const auto writes_it = [&](const Instruction &i) { return writes(i, int(k)); };
    const auto reads_it = [&](const Instruction &i) { return reads(i, int(k)); };
    const bool written = std::any_of(forward.instructions.begin(), forward.instructions.end(), writes_it);
    const bool read = std::any_of(backward.instructions.begin(), backward.instructions.end(), reads_it) ||
                      std::any_of(grads.begin(), grads.end(), [&](const Operand &g) { return g.value == int(k); });
    if (std::any_of(given.begin(), given.end(), [&](const Operand &y) { return y.value == int(k); }))
      made.role = Role::result;
    if (!written || !read)
      continue;
    made.role = Role::result;
    const Shape shape{int64_t(made.bytes)};
    forward.results.push_back({int(k), Dtype::uint8, 0, shape, contiguous_strides(shape)});
    used.role = Role::input;
    used.number = backward.inputs++;
  }
  for (int seed : seeds_) {
    backward.values[size_t(seed)].number = backward.inputs++;
    forward.values[size_t(seed)].role = Role::temporary; // nobody's there
  }
  for (const Operand &g : grads)
    if (g && backward.values[size_t(g.value)].role == Role::temporary)
      backward.values[size_t(g.value)].role = Role::result;
  backward.results = std::move(grads);
  for (Program *p : {&forward, &backward})
    p->instructions_before = int(p->instructions.size());
  return {std::move(forward), std::move(backward)};
}

std::vector<std::string> Recording::leaked() const {
  std::vector<std::string> sites;
  for (const auto &[key, site] : made_)
    if (key.storage->refs && key.storage->serial == key.serial)
      sites.push_back(describe(site));
  return sites;
}

} // namespace cinta::replay
