// What a recurrent layer computes: all products with inputs at once, then the walk over time; and backward the walk
// first, then all products for the gradients at once.
#pragma once
#include "cinta/ops/recurrent.h"

namespace cinta::ops {

struct RecurrentWork {
  Cell cell;
  bool reverse;
  enum : int { x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, lengths, inputs };
  // gates [T B, gates H], cells and inner [T B, H]: as kernels::Recurrence has them; rows [T B, P]: h as the walk has
  // it, where there are lengths
  enum : int { y, h, c, gates, cells, inner, rows, outputs };
  void operator()(const Tensor *in, const Tensor *out) const;
};

struct RecurrentVjpWork { // in: the inputs and outputs of RecurrentWork, then dy, dh, dc; out: gradients of the inputs
  Cell cell;
  bool reverse;
  enum { dy = int(RecurrentWork::inputs) + int(RecurrentWork::outputs), dh, dc, operands };
  void operator()(const Tensor *in, const Tensor *out) const;
};

} // namespace cinta::ops
