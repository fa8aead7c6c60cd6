#include "cinta/watch/finite.h"

#include <algorithm>
#include <cmath>

#include "cinta/ops/op.h"

namespace cinta::watch {
namespace {

template <class T> bool has_fault(const Tensor &x, bool infinity) {
  const T *values = x.data<T>();
  return std::any_of(values, values + x.size(), [=](T v) { return infinity ? !std::isfinite(v) : std::isnan(v); });
}

bool is_faulty(const Tensor &x, bool infinity) {
  if (!x || !is_floating(x.dtype()) || x.size() == 0)
    return false;
  const Tensor native = ops::contiguous_native(x);
  const bool wide = native.dtype() == Dtype::float64;
  // The sum of squares is finite where all numbers are; the look at each of them is for what squares overflow to.
  if (std::isfinite(ops::kernel().sum_squares[wide](native.size(), native.data())))
    return false;
  return wide ? has_fault<double>(native, infinity) : has_fault<float>(native, infinity);
}

std::string text_of(Site site) {
  std::string text = site.code ? describe(site) : "";
  drop_site(site);
  return text;
}

} // namespace

void FiniteWatch::compute(const Label &label, Operands in, Operands out, std::unique_ptr<Work> work) {
  const RecorderScope off(nullptr); // what the work itself calls is part of it
  if (!label.done)
    work->run(in.data(), out.data());
  for (const Tensor &y : out)
    if (is_faulty(y, infinity_))
      return report(label.name, in, out);
}

void FiniteWatch::recorded(const Instr &instr) {
  const auto rule = visited_.empty() ? marks_.end() : marks_.find(visited_.back());
  marks_[&instr] = rule != marks_.end() ? rule->second : std::shared_ptr<Mark>(new Mark{site_outside(), scope});
}

void FiniteWatch::visiting(const Instr *instr) {
  if (instr)
    visited_.push_back(instr);
  else
    visited_.pop_back();
}

void FiniteWatch::returned(const Tensor &gradient) {
  const RecorderScope off(nullptr);
  if (is_faulty(gradient, infinity_))
    report("custom", {}, Operands(&gradient, 1));
}

void FiniteWatch::report(const char *op, Operands in, Operands out) {
  Fault fault{op, !visited_.empty(), scope, "", text_of(site_outside()), {in.begin(), in.end()}, {}};
  fault.out.assign(out.begin(), out.end());
  fault.line = fault.now;
  if (fault.backward) {
    const Instr &instr = *visited_.back();
    const auto mark = marks_.find(&instr);
    const bool known = mark != marks_.end();
    fault.op = instr.op->name();
    fault.scope = known ? mark->second->scope : 0;
    fault.line = describe(known ? mark->second->site : instr.site);
  }
  fault_(fault);
}

} // namespace cinta::watch
