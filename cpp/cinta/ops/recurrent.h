// Recurrent layers: one layer in one direction over a whole sequence, as one operation.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

using kernels::Cell;

struct RecurrentWeights {
  Tensor ih, hh, bias_ih, bias_hh; // [gates H, I], [gates H, P], [gates H] or empty
  Tensor hr = {};                  // [P, H]: lstm's projection, or empty
};
struct RecurrentStates {
  Tensor y, h, c; // [T,B,P]; the last ones [B,P] and, of lstm, [B,H]
};
// x [T,B,I]; h0 [B,P] and c0 [B,H], or empty: zeros; lengths [B] of int64, or empty: all T. Beyond its length a
// sequence is not read, its y is 0, and its last states are those at its own end. reverse: from there to its beginning.
RecurrentStates recurrent(Cell cell, const Tensor &x, const Tensor &h0, const Tensor &c0,
                          const RecurrentWeights &weights, const Tensor &lengths, bool reverse);

} // namespace cinta::ops
