// The gradient of a table of which few rows were read: a gradient for each of those rows, and zero everywhere else.
#pragma once
#include "cinta/tensor/tensor.h"

namespace cinta {

// rows [n] of int64, ascending, each once; values [n, ..], what stands in them. Places at the end that stay unused, as
// where a Program must not depend on how many rows differ, have row -1 and zeros. Without rows: a dense gradient.
struct RowSparse {
  Tensor rows, values;
};

void set_rows(const Tensor &leaf, RowSparse gradient); // in place of the grad that leaf has
void drop_grad(const Tensor &leaf);                    // of either kind

} // namespace cinta
