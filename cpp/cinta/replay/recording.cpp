#include "cinta/replay/recording.h"

#include <algorithm>
#include <cstring>

#include "cinta/ops/elementwise_work.h"
#include "cinta/tensor/writes.h"

namespace cinta::replay {
namespace {

constexpr size_t kMuch = size_t(16) << 20;

void give_back() { // memory that nobody uses now: a recording is the time of most
  if (memory_stats().cached > kMuch)
    empty_cache(false);
}

struct ZeroWork { // memory that begins as zeros
  void operator()(const Tensor *, const Tensor *out) const { std::memset(out[0].data(), 0, out[0].nbytes()); }
};

StorageRef share(Storage *s) {
  ++s->refs;
  return StorageRef(s);
}

} // namespace

Recording::Recording(std::string name, const std::vector<Tensor> &inputs, std::function<std::string_view()> layer)
    : name_(std::move(name)), layer_(std::move(layer)), begin_(next_serial()), inputs_(inputs) {
  give_back_unused();
  program_.inputs = int(inputs.size());
  program_.instructions.reserve(64);
  program_.values.reserve(128);
  known_.reserve(128);
  for (size_t k = 0; k < inputs.size(); ++k)
    add_input(int(k));
}

// Where we are, as a number. Most instructions are where the one before them was.
int Recording::site() {
  Site now = site_outside();
  auto &sites = program_.sites;
  for (size_t k = sites.size(); k-- > 1;)
    if (sites[k]->code == now.code && sites[k]->instruction == now.instruction) {
      drop_site(now);
      return int(k);
    }
  sites.push_back(share(now));
  return int(sites.size()) - 1;
}
int Recording::layer() {
  const std::string_view now = layer_();
  for (size_t k = program_.layers.size(); k-- > 0;)
    if (program_.layers[k] == now)
      return int(k);
  program_.layers.emplace_back(now);
  return int(program_.layers.size()) - 1;
}

// Inputs that overlap share one value, so that no pass takes them for different memory.
void Recording::add_input(int k) {
  const Tensor &x = inputs_[size_t(k)];
  const Region own(x);
  const char *begin = own.begin, *end = own.end;
  int root = k;
  const auto joins = [&](int j) {
    const char *other = origins_[size_t(j)];
    return inputs_[size_t(j)]->storage.get() == x->storage.get() && begin < other + program_.values[size_t(j)].bytes &&
           other < end;
  };
  for (int j = 0; j < k; ++j) {
    if (roots_[size_t(j)] != j || !joins(j))
      continue;
    begin = std::min(begin, origins_[size_t(j)]);
    end = std::max(end, origins_[size_t(j)] + program_.values[size_t(j)].bytes);
    root = std::min(root, j);
    for (int &r : roots_)
      r = r == j ? root : r;
  }
  roots_.push_back(root);
  origins_.push_back(begin);
  program_.values.push_back({Role::input, size_t(end - begin), x->storage->parameter, k, {}, -1, 0});
  keys_.push_back({});
  Value &v = program_.values[size_t(root)];
  origins_[size_t(root)] = begin;
  v.bytes = size_t(end - begin);
  v.first = inputs_[size_t(root)].data<char>() - begin;
}

// The value of the input whose elements x looks at, or -1.
int Recording::input_of(const Tensor &x) const {
  for (size_t k = 0; k < inputs_.size(); ++k) {
    if (inputs_[k]->storage.get() != x->storage.get())
      continue;
    const Region whole(inputs_[k]), part(x);
    if (x.size() == 0 || (part.begin >= whole.begin && part.end <= whole.end))
      return roots_[k];
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
  if (leaf->grad && input_of(leaf->grad) >= 0)
    fail<ValueError>("[compile] an argument of ", name_, " is the grad of a parameter that it trains, expected other ",
                     "memory: read the grad inside, or pass a copy");
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
      const Region region(grad);
      v.bytes = size_t(region.end - region.begin);
      v.first = grad.data<char>() - region.begin;
      l.read = true;
      found_grads_[index] = region.begin;
      l.found = {index, grad.dtype(), v.first, grad.shape(), grad.strides()};
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
  i.site = site();
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
  program_.instructions.insert(program_.instructions.begin() + int64_t(split_ + prologue_++), std::move(i));
}

Operand Recording::operand(const Tensor &x, bool written) {
  if (!x)
    return {};
  const int value = value_of(x, written);
  const Value &v = program_.values[size_t(value)];
  const char *origin = x->storage->data;
  if (v.role == Role::input && size_t(value) < inputs_.size()) // not a seed
    origin = origins_[size_t(value)];
  else if (v.role == Role::gradient)
    origin = found_grads_[value];
  return {value, x.dtype(), x.data<char>() - origin, x.shape(), x.strides()};
}

void Recording::compute(const Label &label, Operands in, Operands out, std::unique_ptr<Work> work) {
  Instruction i;
  for (const Tensor &x : in)
    if (x)
      see_leaf(x);
  i.in.reserve(in.size());
  for (const Tensor &x : in)
    i.in.push_back(operand(x, false));
  i.out.reserve(out.size());
  for (const Tensor &x : out)
    i.out.push_back(operand(x, true));
  i.name = label.name;
  i.effect = label.effect;
  i.flops = label.flops;
  i.precision = kernels::matmul_precision();
  i.backward = visited_ != nullptr;
  if (visited_ && i.name == visited_->op->name()) // its derivative, which goes by its name
    i.name += "_backward";
  i.layer = visited_ ? layers_[visited_] : layer();
  i.site = site();
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
  known_.emplace(Key{&s, s.serial}, int(program_.values.size()));
  program_.values.push_back({Role::host, s.bytes, false, hosts_++, t->storage, -1});
  keys_.push_back({&s, s.serial});
  return t;
}

void Recording::recorded(const Instr &instr) {
  layers_[&instr] = layer();
  const bool takes_rows = std::string_view(instr.op->name()) == "embedding"; // the row-sparse one
  for (int k = 0; k < instr.inputs_n; ++k)
    if (const Instr::Input &input = instr.inputs[k]; input.needs && !input.producer) {
      leaf_of(input.value);
      if (takes_rows && row_sparse_site_ < 0)
        row_sparse_site_ = site();
    }
}

void Recording::visiting(const Instr *instr) { visited_ = instr; }

void Recording::gradient_looked_at(const Tensor &leaf) {
  const int k = leaf->creator ? -1 : leaf_of(leaf);
  if (k < 0)
    return;
  Leaf &l = program_.leaves[size_t(k)];
  if (leaf->grad_rows && was_there(*leaf->grad_rows->rows->storage.get()))
    fail<ValueError>("[compile] the grad of a parameter of shape ", leaf.shape(), " is row-sparse from before ", name_,
                     " at ", describe(program_.sites[size_t(site())]),
                     ", expected None: call zero_grad() first, inside or before, ", "or set grad to its to_dense()");
  const Storage *s = leaf->grad ? leaf->grad->storage.get() : nullptr;
  if (l.looked || l.dropped || (s && !was_there(*s)))
    return;
  l.looked = true;
  l.there = s;
}

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
  fail<RuntimeError>("[compile] ", how, " reads a tensor's value while ", name_, " is being recorded, at ",
                     describe(program_.sites[size_t(site())]),
                     ": a replay would not run this line again. Return the tensor and read it outside, choose with "
                     "ct.where, or call the function without ct.compile");
}

void Recording::pause() {
  pause_begin_ = next_serial();
  give_back(); // what is made here is there to stay
}
void Recording::resume() { paused_.emplace_back(pause_begin_, next_serial()); }

// A look at what the caller gets, who may write there: a constant goes on in memory of its own.
Operand Recording::given_out(const Tensor &x) {
  const Operand y = operand(x, false);
  Value &v = program_.values[size_t(y.value)];
  if (v.role == Role::constant && !v.storage->release) { // not an array's
    const StorageRef own(new_storage(v.bytes));
    std::memcpy(own->data, v.storage->data, v.bytes);
    v.storage = own;
  }
  return y;
}

// Passes take values for different memory: what an argument shares with state may not be written.
void Recording::check_aliases() const {
  for (const Value &v : program_.values)
    for (size_t k = 0; v.role == Role::state && k < inputs_.size(); ++k) {
      const char *begin = origins_[size_t(roots_[k])], *state_begin = v.storage->data;
      if (begin >= state_begin + v.bytes || state_begin >= begin + program_.values[size_t(roots_[k])].bytes)
        continue;
      const int state = int(&v - program_.values.data());
      for (const Instruction &i : program_.instructions)
        if (writes(i, state) || writes(i, roots_[k]))
          fail<ValueError>("[compile] argument ", k, " of ", name_, " shares memory with a tensor that the function ",
                           "sees without being given it, and ", i.name, " at ",
                           describe(program_.sites[size_t(i.site)]), " writes there: pass a copy");
    }
}

} // namespace cinta::replay
