#include "cinta/replay/program.h"

#include <algorithm>

namespace cinta::replay {

const char *name_of(Role role) {
  static const char *names[] = {"input", "gradient", "state", "constant", "host", "temporary", "result"};
  return names[int(role)];
}

bool Operand::operator==(const Operand &o) const {
  return value == o.value && dtype == o.dtype && offset == o.offset && shape == o.shape && strides == o.strides;
}

bool covers(const Operand &x, const Value &value) {
  return size_t(count(x.shape)) * itemsize(x.dtype) == value.bytes && is_dense(x.shape, x.strides);
}

bool writes(const Instruction &i, int value) {
  for (const Operand &y : i.out)
    if (y.value == value)
      return true;
  return false;
}
bool reads(const Instruction &i, int value) {
  for (const Operand &x : i.in)
    if (x.value == value)
      return true;
  return false;
}

bool erase_instructions(Program &p, const std::vector<bool> &gone) {
  if (std::find(gone.begin(), gone.end(), true) == gone.end())
    return false;
  size_t n = 0;
  p.instructions.erase(
      std::remove_if(p.instructions.begin(), p.instructions.end(), [&](const Instruction &) { return gone[n++]; }),
      p.instructions.end());
  return true;
}

bool is_kept(const Value &v) {
  return v.role == Role::input || v.role == Role::gradient || v.role == Role::state || v.role == Role::result;
}

void verify(const Program &p, const char *after) {
  std::vector<bool> defined(p.values.size());
  for (size_t k = 0; k < p.values.size(); ++k)
    defined[k] = p.values[k].role != Role::temporary && p.values[k].role != Role::result;
  for (size_t n = 0; n < p.instructions.size(); ++n) {
    const Instruction &i = p.instructions[n];
    const auto refuse = [&](const Operand &x, const char *what) {
      fail<RuntimeError>("[compile] the program is broken after ", after, ": instruction ", n, " (", i.name, ") ", what,
                         " value ", x.value, ": please report this with the function that was compiled");
    };
    const auto check = [&](const Operand &x, bool reading) {
      if (x.value < 0)
        return;
      if (size_t(x.value) >= p.values.size())
        refuse(x, "uses the unknown");
      const Value &v = p.values[size_t(x.value)];
      if (v.role != Role::input && v.role != Role::gradient) { // strides may be negative there
        int64_t below = 0, above = 0;                          // elements
        bool empty = false;
        for (int d = 0; d < x.shape.size(); ++d) {
          (x.strides[d] < 0 ? below : above) += (x.shape[d] - 1) * x.strides[d];
          empty |= x.shape[d] == 0;
        }
        const int64_t bytes = int64_t(itemsize(x.dtype));
        if (!empty && (x.offset + below * bytes < 0 || x.offset + (above + 1) * bytes > int64_t(v.bytes)))
          refuse(x, "reaches beyond");
      }
      if (reading && !defined[size_t(x.value)])
        refuse(x, "reads, before anything was written there,");
    };
    for (const Operand &x : i.in)
      check(x, true);
    for (const Operand &y : i.out) {
      check(y, false);
      if (y.value >= 0) {
        if (const Role role = p.values[size_t(y.value)].role; role == Role::constant || role == Role::host)
          refuse(y, "writes the constant");
        defined[size_t(y.value)] = true;
      }
    }
  }
  for (const Operand &y : p.results)
    if (y.value >= 0 && !defined[size_t(y.value)])
      fail<RuntimeError>("[compile] the program is broken after ", after, ": it returns value ", y.value,
                         ", which nothing writes: please report this with the function that was compiled");
}

} // namespace cinta::replay
