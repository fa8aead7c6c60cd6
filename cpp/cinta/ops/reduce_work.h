// What a reduction over the last axis computes, by name: replay's passes put it at the end of a chain.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

struct ReduceRowsWork { // y[rows, chunks] from x[rows, cols]
  kernels::ReduceOp op;
  int64_t rows, cols, chunks;

  struct Block {        // of work: neighbouring elements of x, in rows or part of one
    int64_t first;      // element
    int64_t rows, cols; // how they are reduced
    int64_t result;     // first place in y
  };
  int64_t blocks() const; // fixed by the shape, so that sums never depend on threads
  Block block(int64_t index) const;
  void operator()(const Tensor *in, const Tensor *out) const;
};

} // namespace cinta::ops
