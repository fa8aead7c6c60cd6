#include "cinta/replay/profile.h"

#include <cstring>

#include "cinta/base/random.h"

namespace cinta::replay {
namespace {

class SameNumbersAfterwards { // the stream goes on from where it stood
public:
  SameNumbersAfterwards() : before_(generator()) {}
  ~SameNumbersAfterwards() { generator() = before_; }
  SameNumbersAfterwards(const SameNumbersAfterwards &) = delete;
  SameNumbersAfterwards &operator=(const SameNumbersAfterwards &) = delete;

private:
  Generator before_;
};

StorageRef copy_of(const char *from, size_t bytes) { // null: zeros
  StorageRef s(new_storage(bytes));
  if (from)
    std::memcpy(s->data, from, bytes);
  else
    std::memset(s->data, 0, bytes);
  return s;
}

bool is_written(const Program &p, int value) {
  for (const Instruction &i : p.instructions)
    if (writes(i, value))
      return true;
  return false;
}

} // namespace

std::vector<std::vector<double>> profile(const Executable &executable, const std::vector<Tensor> *inputs, int runs) {
  Program p = executable.program();
  for (size_t k = 0; k < p.values.size(); ++k)
    if (Value &v = p.values[k]; v.role == Role::state && is_written(p, int(k))) {
      const bool parameter = v.storage->parameter;
      v.storage = copy_of(v.storage->data, v.bytes);
      v.storage->parameter = parameter; // products pack it, as they pack the original
    }
  std::vector<Tensor> copies(size_t(p.inputs), empty({0}, Dtype::uint8)); // of those that nothing looks at
  for (size_t k = 0; k < p.values.size(); ++k)
    if (const Value &v = p.values[k]; v.role == Role::input) {
      const char *from = inputs ? (*inputs)[size_t(v.number)].data<char>() - v.first : executable.found(int(k));
      const StorageRef s = copy_of(from, v.bytes);
      copies[size_t(v.number)] = from_storage(s, s->data + v.first, {0}, {1}, Dtype::uint8);
    }
  std::vector<Tensor> leaves, grads;
  for (Leaf &l : p.leaves) {
    Tensor grad;
    if (l.read) {
      const Value &v = p.values[size_t(l.found.value)];
      const Tensor there = l.input < 0 ? l.tensor->grad : Tensor();
      const bool alike = there && there.shape() == l.found.shape && there.strides() == l.found.strides;
      const StorageRef s = copy_of(alike ? there.data<char>() - v.first : nullptr, v.bytes);
      grad = from_storage(s, s->data + v.first, l.found.shape, l.found.strides, l.found.dtype);
    }
    if (l.input < 0)
      l.tensor = empty({0}, Dtype::float32);
    leaves.push_back(l.input < 0 ? l.tensor : copies[size_t(l.input)]);
    grads.push_back(std::move(grad));
  }
  const SameNumbersAfterwards stream;
  Executable copy(std::move(p));
  std::vector<std::vector<double>> seconds(size_t(runs) + 1);
  for (std::vector<double> &run : seconds) {
    for (size_t k = 0; k < leaves.size(); ++k)
      drop_grad(leaves[k]), leaves[k]->grad = grads[k];
    copy.profile(copies, run);
  }
  seconds.erase(seconds.begin());
  return seconds;
}

} // namespace cinta::replay
