#include "cinta/replay/passes/passes.h"

#include <algorithm>

namespace cinta::replay {
namespace {

struct Pass {
  const char *name;
  bool (*run)(Program &);
};
constexpr Pass passes[] = {
    {"dead_code", remove_dead_code},   {"common_subexpressions", merge_common_subexpressions},
    {"invariants", hoist_invariants},  {"epilogues", fuse_epilogues},
    {"fusion", fuse_elementwise},      {"reductions", fuse_reductions},
    {"packing", share_packed_weights}, {"rematerialization", rematerialize},
    {"in_place", reuse_in_place},
};

std::string all() {
  std::string names;
  for (const Pass &pass : passes)
    names += join(names.empty() ? "'" : ", '", pass.name, "'");
  return names;
}

} // namespace

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const Pass &pass : passes)
    names.push_back(pass.name);
  return names;
}

void run_passes(Program &p, const std::vector<std::string> &names) {
  for (const std::string &name : names)
    if (std::none_of(std::begin(passes), std::end(passes), [&](const Pass &pass) { return name == pass.name; }))
      fail<ValueError>("[compile] no pass is called '", name, "', expected some of ", all());
  verify(p, "recording");
  for (const Pass &pass : passes) {
    if (std::find(names.begin(), names.end(), pass.name) == names.end())
      continue;
    if (pass.run(p))
      verify(p, pass.name);
  }
  plan_memory(p);
  verify(p, "memory_plan");
}

} // namespace cinta::replay
