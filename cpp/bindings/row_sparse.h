// Row-sparse gradients as Python sees them: objects of cinta.row_sparse.RowSparse.
#pragma once
#include "bindings/convert.h"
#include "cinta/tensor/row_sparse.h"

namespace cinta::python {

bool is_row_sparse(PyObject *o);
PyObject *wrap_rows(const RowSparse &gradient, const Shape &shape); // a new reference
RowSparse rows_of(PyObject *o);
RowSparse rows_of(PyObject *o, const Tensor &leaf); // ValueError where it does not fit

// A gradient of either kind.
template <> struct From<std::vector<RowSparse>> {
  static std::vector<RowSparse> get(PyObject *o, const char *what);
  static constexpr auto type = "Sequence[Any]";
};

} // namespace cinta::python
