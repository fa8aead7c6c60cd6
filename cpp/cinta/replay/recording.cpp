#include "cinta/replay/recording.h"

#include <algorithm>
#include <cstring>

#include "cinta/ops/elementwise_work.h"
#include "cinta/tensor/writes.h"

namespace cinta::replay {
namespace {

std::string here() {
  Site site = site_here();
  std::string text = describe(site);
  drop_site(site);
  return text;
}

struct ZeroWork { // memory that begins as zeros
  void operator()(const Tensor *, const Tensor *out) const { std::memset(out[0].data(), 0, out[0].nbytes()); }
};

size_t extent(const Tensor &x) { // bytes from its first element in memory to its last
  const Region r(x);
  return size_t(r.end - r.begin);
}
StorageRef share(Storage *s) {
  ++s->refs;
  return StorageRef(s);
}

} // namespace

Recording::Recording(std::string name, const std::vector<Tensor> &inputs, std::function<std::string()> layer)
    : name_(std::move(name)), layer_(std::move(layer)), begin_(next_serial()), inputs_(inputs) {
  program_.inputs = int(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    const Tensor &x = inputs[k];
    program_.values.push_back({Role::input, extent(x), x->storage->parameter, int(k), {}, -1});
    keys_.push_back({});
  }
}

// The input whose elements x looks at, or -1.
int Recording::input_of(const Tensor &x) const {
  for (size_t k = 0; k < inputs_.size(); ++k) {
    const Tensor &input = inputs_[k];
    if (input->storage.get() != x->storage.get())
      continue;
    const Region whole(input), part(x);
    if (x.size() == 0 || (part.begin >= whole.begin && part.end <= whole.end))
      return int(k);
  }
  return -1;
}

bool Recording::was_there(const Storage &s) const {
  if (s.serial < begin_)
    return true;
  for (const auto &[from, to] : paused_)
    if (s.serial >= from && s.serial < to)
      return true;
  return false;
}

void Recording::see_leaf(const Tensor &x) {
  if (x->requires_grad && !x->creator)
    leaf_of(x);
}

int Recording::leaf_of(const Tensor &leaf) {
  for (size_t k = 0; k < program_.leaves.size(); ++k) {
    const Leaf &l = program_.leaves[k];
    if ((l.input >= 0 ? inputs_[size_t(l.input)] : l.tensor).body() == leaf.body())
      return int(k);
  }
  Leaf l;
  for (size_t k = 0; k < inputs_.size() && l.input < 0; ++k)
    if (inputs_[k].body() == leaf.body())
      l.input = int(k);
  if (l.input < 0) {
    if (!was_there(*leaf->storage.get()))
      return -1; // the function's own
    l.tensor = leaf;
  }
  program_.leaves.push_back(std::move(l));
  return int(program_.leaves.size()) - 1;
}

// The value that x looks at, made where it is not known yet.
int Recording::value_of(const Tensor &x, bool written) {
  if (const int input = input_of(x); input >= 0)
    return input;
  Storage *s = x->storage.get();
  const Key key{s, s->serial};
  if (const auto found = known_.find(key); found != known_.end()) {
    Value &v = program_.values[size_t(found->second)];
    v.parameter |= s->parameter;
    if (written && v.role == Role::constant)
      initialise(found->second, x);
    return found->second;
  }
  const int index = int(program_.values.size());
  Value v{Role::temporary, s->bytes, s->parameter, -1, {}, -1};
  const bool whole = size_t(x.size()) * itemsize(x.dtype()) == s->bytes;
  if (was_there(*s)) {
    v.role = Role::state;
    for (size_t k = 0; k < program_.leaves.size() && v.role == Role::state; ++k) {
      Leaf &l = program_.leaves[k];
      const Tensor &leaf = l.input >= 0 ? inputs_[size_t(l.input)] : l.tensor, &grad = leaf->grad;
      if (!grad || grad->storage.get() != s || leaf.body() == x.body())
        continue;
      v.role = Role::gradient;
      v.number = int(k);
      v.bytes = extent(grad);
      l.read = true;
      found_grads_[index] = grad.data<char>();
      l.found = {index, grad.dtype(), 0, grad.shape(), grad.strides()};
    }
  } else if (!written || !whole) {
    v.role = Role::constant;
  }
  if (v.role == Role::state || v.role == Role::constant)
    v.storage = share(s);
  const bool begins = v.role == Role::constant && written;
  program_.values.push_back(std::move(v));
  known_.emplace(key, index);
  keys_.push_back(key);
  if (begins)
    initialise(index, x);
  return index;
}

// What the function made by itself and now writes in part: each run begins with the same bytes.
void Recording::initialise(int value, const Tensor &x) {
  Value &v = program_.values[size_t(value)];
  const Storage &s = *x->storage.get();
  const bool zero = std::all_of(s.data, s.data + s.bytes, [](char c) { return c == 0; });
  Instruction i;
  i.name = zero ? "zero" : "copy";
  i.site = here();
  const Shape shape{int64_t(s.bytes)};
  const Operand all{value, Dtype::uint8, 0, shape, contiguous_strides(shape)};
  v.role = Role::temporary;
  v.storage = StorageRef();
  if (zero) {
    i.work = std::make_shared<WorkOf<ZeroWork>>(ZeroWork{});
  } else {
    const Tensor snapshot = empty(shape, Dtype::uint8);
    std::memcpy(snapshot.data(), s.data, s.bytes);
    program_.values.push_back({Role::constant, s.bytes, false, -1, snapshot->storage, -1});
    keys_.push_back({nullptr, 0});
    i.in.push_back({int(program_.values.size()) - 1, Dtype::uint8, 0, shape, contiguous_strides(shape)});
    i.work = std::make_shared<WorkOf<ops::CopyWork>>(ops::CopyWork{});
  }
  i.out.push_back(all);
  program_.instructions.insert(program_.instructions.begin() + int64_t(prologue_++), std::move(i));
}

Operand Recording::operand(const Tensor &x, bool written) {
  if (!x)
    return {};
  const int value = value_of(x, written);
  const Value &v = program_.values[size_t(value)];
  const char *origin = x->storage->data;
  if (v.role == Role::input)
    origin = inputs_[size_t(value)].data<char>();
  else if (v.role == Role::gradient)
    origin = found_grads_[value];
  return {value, x.dtype(), x.data<char>() - origin, x.shape(), x.strides()};
}

void Recording::compute(const Label &label, Operands in, Operands out, std::unique_ptr<Work> work) {
  Instruction i;
  for (const Tensor &x : in)
    if (x)
      see_leaf(x);
  for (const Tensor &x : in)
    i.in.push_back(operand(x, false));
  for (const Tensor &x : out)
    i.out.push_back(operand(x, true));
  i.name = label.name;
  i.effect = label.effect;
  i.flops = label.flops;
  i.precision = kernels::matmul_precision();
  i.backward = visited_ != nullptr;
  if (visited_ && i.name == visited_->op->name()) // its derivative, which goes by its name
    i.name += "_backward";
  i.layer = visited_ ? layers_[visited_] : layer_();
  i.site = here();
  i.work = std::move(work);
  if (!label.done) {
    const RecorderScope off(nullptr); // what the work itself calls is part of it
    i.work->run(in.data(), out.data());
  }
  program_.instructions.push_back(std::move(i));
}

Tensor Recording::host(const void *bytes, size_t size) {
  const Tensor t = empty({int64_t(size)}, Dtype::uint8);
  std::memcpy(t.data(), bytes, size);
  const Storage &s = *t->storage.get();
  int hosts = 0;
  for (const Value &v : program_.values)
    hosts += v.role == Role::host;
  known_.emplace(Key{&s, s.serial}, int(program_.values.size()));
  program_.values.push_back({Role::host, s.bytes, false, hosts, t->storage, -1});
  keys_.push_back({&s, s.serial});
  return t;
}

void Recording::recorded(const Instr &instr) {
  layers_[&instr] = layer_();
  for (int k = 0; k < instr.inputs_n; ++k)
    if (const Instr::Input &input = instr.inputs[k]; input.needs && !input.producer)
      leaf_of(input.value);
}

void Recording::visiting(const Instr *instr) { visited_ = instr; }

void Recording::gradient_reset(const Tensor &leaf) {
  const int k = leaf->creator ? -1 : leaf_of(leaf);
  if (k < 0)
    return;
  Leaf &l = program_.leaves[size_t(k)];
  const Storage *s = leaf->grad ? leaf->grad->storage.get() : nullptr;
  if (!l.dropped && !l.read && !(s && known_.count({s, s->serial})))
    l.reset = true;
  l.dropped = true;
}

void Recording::read(const char *how) {
  fail<RuntimeError>("[compile] ", how, " reads a tensor's value while ", name_, " is being recorded, at ", here(),
                     ": a replay would not run this line again. Return the tensor and read it outside, choose with "
                     "ct.where, or call the function without ct.compile");
}

void Recording::pause() { pause_begin_ = next_serial(); }
void Recording::resume() { paused_.emplace_back(pause_begin_, next_serial()); }

Program Recording::finish(const std::vector<Tensor> &results) {
  for (const Tensor &x : results) {
    const Operand y = operand(x, false);
    if (Value &v = program_.values[size_t(y.value)]; v.role == Role::temporary)
      v.role = Role::result;
    program_.results.push_back(y);
  }
  for (Leaf &l : program_.leaves) {
    const Tensor &leaf = l.input >= 0 ? inputs_[size_t(l.input)] : l.tensor;
    const Tensor &grad = leaf->grad;
    if (!grad) {
      l.set = l.dropped;
      l.grad = {};
      continue;
    }
    const Storage &s = *grad->storage.get();
    const auto found = known_.find({&s, s.serial});
    if (found == known_.end() && was_there(s))
      continue; // nobody touched it
    const Operand y = operand(grad, false);
    Value &v = program_.values[size_t(y.value)];
    if (v.role == Role::gradient)
      continue; // written in place
    if (v.role == Role::temporary)
      v.role = Role::result;
    l.set = true;
    l.grad = y;
  }
  program_.instructions_before = int(program_.instructions.size());
  return program_;
}

std::vector<std::string> Recording::leaked() const {
  std::vector<std::string> sites;
  for (size_t k = 0; k < keys_.size(); ++k) {
    const Key &key = keys_[k];
    if (program_.values[k].role != Role::temporary || !key.storage || key.storage->refs == 0 ||
        key.storage->serial != key.serial)
      continue;
    for (const Instruction &i : program_.instructions)
      if (writes(i, int(k))) {
        sites.push_back(i.site);
        break;
      }
  }
  return sites;
}

} // namespace cinta::replay
