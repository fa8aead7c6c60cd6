#include "cinta/replay/run.h"

#include <chrono>
#include <map>

#include "cinta/ops/elementwise.h"
#include "cinta/tensor/writes.h"

namespace cinta::replay {
namespace {

constexpr uint32_t kAlwaysFresh = ~uint32_t(0); // a version that no write makes stale

void keep(void *) {} // memory that the arena releases

// A write that a replay has done: products pack the weight anew, what saved it finds out.
void mark_replayed(const Tensor &x) {
  Storage &s = *x->storage.get();
  if (x.nbytes() == s.bytes && x.contiguous() && !s.writes)
    ++s.version;
  else
    mark_written(alias(x));
}

// Sets the precision of this thread where an instruction asks for another.
class PrecisionSwitch {
public:
  PrecisionSwitch() : before_(kernels::matmul_precision()), now_(before_) {}
  ~PrecisionSwitch() { to(before_); }
  void to(kernels::Precision p) {
    if (p != now_)
      kernels::set_matmul_precision(now_ = p, false);
  }

private:
  kernels::Precision before_, now_;
};

} // namespace

Executable::Executable(Program program) : program_(std::move(program)), claim_(program_.arena) {
  const size_t n = program_.values.size();
  storages_.resize(n);
  origins_.resize(n);
  looks_.resize(n);
  inputs_.assign(size_t(program_.inputs), -1);
  for (size_t k = 0; k < n; ++k) {
    Value &v = program_.values[k];
    if (v.offset >= 0) {
      storages_[k] = StorageRef(wrap_storage(nullptr, v.bytes, false, nullptr, keep));
      storages_[k]->parameter = v.parameter;
    } else if (v.storage.get()) {
      storages_[k] = v.storage;
    }
    if (storages_[k].get())
      origins_[k] = storages_[k]->data;
    if (v.role == Role::host) {
      hosts_.resize(std::max(hosts_.size(), size_t(v.number) + 1));
      hosts_[size_t(v.number)] = v.storage->data;
    }
    if (v.role == Role::result)
      results_.push_back(int(k));
    if (v.role == Role::input)
      inputs_[size_t(v.number)] = int(k);
  }
  // One body for each look.
  std::vector<std::vector<std::pair<Operand, Tensor>>> made(n);
  const StorageRef nowhere(wrap_storage(nullptr, 0, false, nullptr, keep));
  const auto body = [&](const Operand &x) {
    if (!x)
      return Tensor();
    auto &of_value = made[size_t(x.value)];
    for (const auto &[operand, tensor] : of_value)
      if (operand == x)
        return tensor;
    const size_t k = size_t(x.value);
    const bool placed = storages_[k].get() != nullptr;
    const int64_t in_arena = program_.values[k].offset;
    Tensor t = from_storage(placed ? storages_[k] : nowhere, placed && in_arena < 0 ? origins_[k] + x.offset : nullptr,
                            x.shape, x.strides, x.dtype);
    t->version = kAlwaysFresh;
    if (in_arena >= 0)
      in_arena_.push_back({t.body(), in_arena + x.offset});
    else if (!placed)
      looks_[k].push_back({t.body(), x.offset});
    of_value.emplace_back(x, t);
    return t;
  };
  const auto step = [&](const Instruction &i) {
    Step s{i.work.get(), uint32_t(bodies_.size()), 0, i.precision, uint32_t(written_.size()), 0};
    for (const Operand &x : i.in)
      bodies_.push_back(body(x));
    s.out = uint32_t(bodies_.size());
    for (const Operand &y : i.out) {
      bodies_.push_back(body(y));
      if (y && is_kept(program_.values[size_t(y.value)]) && program_.values[size_t(y.value)].role != Role::result)
        written_.push_back(bodies_.back());
    }
    s.written_end = uint32_t(written_.size());
    return s;
  };
  for (const Instruction &i : program_.invariants) {
    invariants_.push_back(step(i));
    for (const Operand &x : i.in)
      if (x && (program_.values[size_t(x.value)].role == Role::state || storages_[size_t(x.value)]->release))
        watched_.push_back({storages_[size_t(x.value)].get(), 0, 0});
  }
  for (const Instruction &i : program_.instructions)
    steps_.push_back(step(i));
}

// The looks at temporaries follow the block, which another program may have made grow since.
void Executable::move_to(char *arena) {
  if (arena == arena_)
    return;
  arena_ = arena;
  for (size_t k = 0; k < storages_.size(); ++k)
    if (const int64_t offset = program_.values[k].offset; offset >= 0)
      storages_[k]->data = arena + offset;
  for (const Look &look : in_arena_)
    look.body->data = arena + look.offset;
}

const Tensor &Executable::leaf(const Leaf &l, const std::vector<Tensor> &inputs) const {
  return l.input >= 0 ? inputs[size_t(l.input)] : l.tensor;
}

bool Executable::accepts_grads(const std::vector<Tensor> &inputs, std::string *why) const {
  for (const Leaf &l : program_.leaves) {
    const Tensor &t = leaf(l, inputs), &grad = t->grad;
    const bool any = grad || t->grad_rows;
    bool same = true;
    if (l.read)
      same =
          grad && grad.shape() == l.found.shape && grad.strides() == l.found.strides && grad.dtype() == l.found.dtype;
    else if (l.set && !l.reset)
      same = !any;
    if (l.looked)
      same = same && any == l.there;
    if (same)
      continue;
    if (why)
      *why = join("the grad of a parameter of shape ", t.shape(), " is ", any ? "there" : "None", ", expected ",
                  l.read || l.there ? "as it lay when recorded" : "None");
    return false;
  }
  return true;
}

void Executable::place(int value, const StorageRef &storage, char *origin) {
  for (const Look &look : looks_[size_t(value)]) {
    look.body->storage = storage;
    look.body->data = origin + look.offset;
  }
  origins_[size_t(value)] = origin;
}

void Executable::see(const std::vector<Tensor> &inputs) {
  for (size_t k = 0; k < inputs.size(); ++k)
    if (const int value = inputs_[k]; value >= 0)
      place(value, inputs[k]->storage, inputs[k].data<char>() - program_.values[size_t(value)].first);
}

const char *Executable::found(int value) const {
  return looks_[size_t(value)].empty() ? nullptr : origins_[size_t(value)];
}

void Executable::bind(const std::vector<Tensor> &inputs) {
  see(inputs);
  for (const Leaf &l : program_.leaves) {
    const Tensor &t = leaf(l, inputs);
    if (l.read)
      place(l.found.value, t->grad->storage, t->grad.data<char>() - program_.values[size_t(l.found.value)].first);
    else if (l.set && l.reset)
      drop_grad(t);
  }
  for (int value : results_) {
    StorageRef &last = storages_[size_t(value)];
    const Value &v = program_.values[size_t(value)];
    // Looks hold it too; whoever else does may go on reading what an earlier run gave.
    const int32_t ours = 1 + int32_t(looks_[size_t(value)].size());
    if (!last.get() || last->refs > ours || last->exports) {
      last = StorageRef(new_storage(v.bytes));
      place(value, last, last->data);
    }
  }
}

std::vector<Tensor> Executable::finish(const std::vector<Tensor> &inputs) {
  const auto look = [&](const Operand &y) {
    const Value &v = program_.values[size_t(y.value)];
    const size_t k = size_t(y.value);
    const StorageRef &s = v.role == Role::input      ? inputs[size_t(v.number)]->storage
                          : v.role == Role::gradient ? leaf(program_.leaves[size_t(v.number)], inputs)->grad->storage
                                                     : storages_[k];
    Tensor t = from_storage(s, origins_[k] + y.offset, y.shape, y.strides, y.dtype);
    if (v.role != Role::constant)
      return t;
    return ops::keep_value(t); // not what the next run will read
  };
  std::vector<Tensor> results;
  results.reserve(program_.results.size());
  for (const Operand &y : program_.results)
    results.push_back(y ? look(y) : Tensor());
  for (const Leaf &l : program_.leaves)
    if (l.set) {
      const Tensor &t = leaf(l, inputs);
      drop_grad(t);
      if (l.rows)
        set_rows(t, {look(l.rows), look(l.grad)});
      else if (l.grad)
        t->grad = look(l.grad);
    }
  return results;
}

std::vector<uint32_t> Executable::state_versions() const {
  std::vector<uint32_t> versions;
  for (const Value &v : program_.values)
    if (v.role == Role::state)
      versions.push_back(v.storage->version);
  return versions;
}

void Executable::renew() {
  for (Watched &w : watched_) {
    const Storage &s = *w.storage;
    // Others may write through memory they hold or lent us, and no version would tell.
    current_ &= w.version == s.version && w.exported == s.exported && !s.exports && !s.release;
    w = {&s, s.version, s.exported};
  }
  if (current_)
    return;
  PrecisionSwitch precision;
  for (const Step &s : invariants_) {
    precision.to(s.precision);
    s.work->run(&bodies_[s.in], &bodies_[s.out]);
  }
  current_ = true;
}

std::vector<Tensor> Executable::run(const std::vector<Tensor> &inputs) {
  {
    const ArenaLease arena(claim_);
    move_to(arena.data());
    bind(inputs);
    const RecorderScope off(nullptr);
    GradMode no_grad(false);
    renew();
    PrecisionSwitch precision;
    for (const Step &s : steps_) {
      precision.to(s.precision);
      s.work->run(&bodies_[s.in], &bodies_[s.out]);
      for (uint32_t w = s.written; w < s.written_end; ++w)
        mark_replayed(written_[w]);
    }
  }
  return finish(inputs);
}

std::vector<Tensor> Executable::profile(const std::vector<Tensor> &inputs, std::vector<double> &seconds) {
  {
    const ArenaLease arena(claim_);
    move_to(arena.data());
    bind(inputs);
    const RecorderScope off(nullptr);
    GradMode no_grad(false);
    renew();
    PrecisionSwitch precision;
    seconds.clear();
    for (const Step &s : steps_) {
      precision.to(s.precision);
      const auto begin = std::chrono::steady_clock::now();
      s.work->run(&bodies_[s.in], &bodies_[s.out]);
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
      for (uint32_t w = s.written; w < s.written_end; ++w)
        mark_replayed(written_[w]);
    }
  }
  return finish(inputs);
}

} // namespace cinta::replay
