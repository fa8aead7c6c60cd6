// The passes over a Program, in the order in which they run; each in a file of its own.
#pragma once
#include "cinta/replay/program.h"

namespace cinta::replay {

void remove_dead_code(Program &p);            // dead_code
void merge_common_subexpressions(Program &p); // common_subexpressions
void hoist_invariants(Program &p);            // invariants
void fuse_epilogues(Program &p);              // epilogues
void fuse_elementwise(Program &p);            // fusion
void fuse_reductions(Program &p);             // reductions
void share_packed_weights(Program &p);        // packing
void reuse_in_place(Program &p);              // in_place
void plan_memory(Program &p);                 // memory_plan: always runs

std::vector<std::string> pass_names();
// Those of these names, in their order, verified after each; then memory is planned.
void run_passes(Program &p, const std::vector<std::string> &names);

} // namespace cinta::replay
