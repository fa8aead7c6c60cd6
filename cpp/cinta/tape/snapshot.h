// Snapshot: a small tape as it stands, for looking at: the instructions that lead to an output, every value that flows
// between them, and its gradient. The tape and everybody's grad stay as they are.
#pragma once
#include <string>
#include <vector>

#include "cinta/tape/tape.h"

namespace cinta {

struct Snapshot {
  struct Value {
    Tensor forward;  // empty where it was not saved and cannot be computed again
    Tensor gradient; // empty where none arrives
  };
  struct Step {
    std::string op, site;             // site: empty where unknown
    std::vector<int> inputs, outputs; // into values, by position; -1: an input that is absent
  };
  std::vector<Value> values;
  std::vector<Step> steps; // in execution order
  std::vector<int> named;  // into values: where each of the tensors asked for is; -1: nowhere
  int output;              // into values
};

// Gradients start with 1 at every element of the output. More than `limit` instructions are an error.
Snapshot snapshot(const Tensor &output, const std::vector<Tensor> &named, int64_t limit);

} // namespace cinta
