// What is computed from constants alone is computed now, and is a constant.
#include <algorithm>

#include "cinta/replay/passes/passes.h"

namespace cinta::replay {

void fold_constants(Program &p) {
  std::vector<int> writers(p.values.size());
  for (const Instruction &i : p.instructions)
    for (const Operand &y : i.out)
      if (y)
        ++writers[size_t(y.value)];
  const auto is_constant = [&](const Operand &x) { return !x || p.values[size_t(x.value)].role == Role::constant; };
  const auto is_own = [&](const Operand &y) { // nobody else writes there, nothing outside sees it
    return !y || (p.values[size_t(y.value)].role == Role::temporary && writers[size_t(y.value)] == 1 &&
                  covers(y, p.values[size_t(y.value)]));
  };
  const auto look = [&](const Operand &x) {
    if (!x)
      return Tensor();
    Value &v = p.values[size_t(x.value)];
    if (!v.storage.get()) {
      v.storage = StorageRef(new_storage(v.bytes));
      v.storage->parameter = v.parameter;
    }
    return from_storage(v.storage, v.storage->data + x.offset, x.shape, x.strides, x.dtype);
  };
  const auto folded = [&](const Instruction &i) {
    if (i.effect != Effect::none || i.in.empty() || !std::all_of(i.in.begin(), i.in.end(), is_constant) ||
        !std::all_of(i.out.begin(), i.out.end(), is_own))
      return false;
    std::vector<Tensor> in, out;
    std::transform(i.in.begin(), i.in.end(), std::back_inserter(in), look);
    std::transform(i.out.begin(), i.out.end(), std::back_inserter(out), look);
    const kernels::Precision before = kernels::matmul_precision();
    kernels::set_matmul_precision(i.precision, false);
    i.work->run(in.data(), out.data());
    kernels::set_matmul_precision(before, false);
    for (const Operand &y : i.out)
      if (y)
        p.values[size_t(y.value)].role = Role::constant;
    return true;
  };
  p.instructions.erase(std::remove_if(p.instructions.begin(), p.instructions.end(), folded), p.instructions.end());
}

} // namespace cinta::replay
