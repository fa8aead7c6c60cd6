// Row-sparse gradients: made from what arrives for each index, added, spread out.
#pragma once
#include <algorithm>

#include "cinta/base/parallel.h"
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

// Rows that one thread takes at a time.
inline int64_t rows_per_block(int64_t width) { return std::max<int64_t>(1, 16384 / std::max<int64_t>(width, 1)); }
// f(block) for every block of `size` out of `n`, on the threads where that pays.
template <class F> void for_each_block(int64_t n, int64_t size, double cost_ns, const F &f) {
  parallel_for((n + size - 1) / size, cost_ns, [](void *c, int64_t block) { (*static_cast<const F *>(c))(block); },
               const_cast<void *>(static_cast<const void *>(&f)));
}

} // namespace cinta::ops
