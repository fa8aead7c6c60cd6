// Row-sparse gradients: made from what arrives for each index, added, spread out.
#pragma once
#include "cinta/ops/op.h"
#include "cinta/tensor/row_sparse.h"

namespace cinta::ops {

// The sum of the slices dy[i..] for each index; indices [i..] of int64, those below 0 and `without` are passed over.
// The terms of a row are added in their order, from zero, as in a dense gradient.
RowSparse sum_rows(const Tensor &indices, const Tensor &dy, int64_t without = -1);

int64_t row_width(const Tensor &values);      // elements of a row
int64_t used_rows(const Tensor &rows);        // how many places of a row-sparse gradient are in use
RowSparse trimmed(const RowSparse &gradient); // to these
Tensor to_dense(const RowSparse &gradient, const Shape &shape);

} // namespace cinta::ops
