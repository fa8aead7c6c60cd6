// The passes over a Program, in the order in which they run; each in a file of its own. They tell whether they changed
// it.
#pragma once
#include "cinta/replay/program.h"

namespace cinta::replay {

bool remove_dead_code(Program &p);            // dead_code
bool merge_common_subexpressions(Program &p); // common_subexpressions
bool hoist_invariants(Program &p);            // invariants
bool fuse_epilogues(Program &p);              // epilogues
bool fuse_elementwise(Program &p);            // fusion
bool fuse_reductions(Program &p);             // reductions
bool share_packed_weights(Program &p);        // packing
bool rematerialize(Program &p);               // rematerialization
bool reuse_in_place(Program &p);              // in_place
void plan_memory(Program &p);                 // memory_plan: always runs

std::vector<std::string> pass_names();
// Those of these names, in their order; it is verified after each that changed it. Then memory is planned.
void run_passes(Program &p, const std::vector<std::string> &names);

} // namespace cinta::replay
