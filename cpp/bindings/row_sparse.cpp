#include "bindings/row_sparse.h"

#include "bindings/function.h"
#include "cinta/ops/row_sparse.h"

namespace cinta::python {
namespace {

PyTypeObject *row_sparse_type = nullptr; // once its module is loaded

Tensor part(PyObject *o, const char *name) { return tensor_of(Ref::checked(PyObject_GetAttrString(o, name)).get()); }

} // namespace

bool is_row_sparse(PyObject *o) { return row_sparse_type && Py_TYPE(o) == row_sparse_type; }

PyObject *wrap_rows(const RowSparse &gradient, const Shape &shape) {
  if (!row_sparse_type)
    Ref::checked(PyImport_ImportModule("cinta.row_sparse")); // which tells us its type
  Ref rows(wrap(gradient.rows)), values(wrap(gradient.values)), dims(to_python(shape));
  static PyObject *const made = PyUnicode_InternFromString("_made");
  return PyObject_CallMethodObjArgs(reinterpret_cast<PyObject *>(row_sparse_type), made, rows.get(), values.get(),
                                    dims.get(), nullptr);
}

RowSparse rows_of(PyObject *o) { return {part(o, "_rows"), part(o, "_values")}; }

RowSparse rows_of(PyObject *o, const Tensor &leaf) {
  const RowSparse gradient = rows_of(o);
  Ref shape = Ref::checked(PyObject_GetAttrString(o, "shape")), own(to_python(leaf.shape()));
  const int same = PyObject_RichCompareBool(shape.get(), own.get(), Py_EQ);
  if (same < 0)
    throw PythonError();
  if (!same || gradient.values.dtype() != leaf.dtype())
    fail<ValueError>("[grad] got a row-sparse gradient of shape ",
                     PyUnicode_AsUTF8(Ref::checked(PyObject_Str(shape.get())).get()), " and dtype ",
                     gradient.values.dtype(), ", expected ", leaf.shape(), " and ", leaf.dtype());
  return gradient;
}

std::vector<RowSparse> From<std::vector<RowSparse>>::get(PyObject *o, const char *what) {
  Ref sequence(PySequence_Fast(o, "expected a sequence of gradients"));
  if (!sequence)
    throw PythonError();
  std::vector<RowSparse> out;
  for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(sequence.get()); ++k) {
    PyObject *item = PySequence_Fast_GET_ITEM(sequence.get(), k);
    out.push_back(is_row_sparse(item) ? rows_of(item) : RowSparse{Tensor(), to_tensor(item, what)});
  }
  return out;
}

void define_row_sparse() {
  define<[](PyObject *type) {
    row_sparse_type = reinterpret_cast<PyTypeObject *>(Py_NewRef(type));
    Py_RETURN_NONE;
  }>("_set_row_sparse_type(type)", "Tells the core what a row-sparse gradient is in Python.");
  define<[](const Tensor &indices, const Tensor &values) {
    const RowSparse sums = ops::sum_rows(indices, values);
    return std::pair(sums.rows, sums.values);
  }>("_sum_rows(indices, values)", "The indices [n], sorted, each once, and the sum of its values [n,..] for each.");
  define<[](const Tensor &rows, const Tensor &values) {
    check_readable("how many rows a row-sparse gradient has");
    const RowSparse used = ops::trimmed({rows, values});
    return std::pair(used.rows, used.values);
  }>("_trimmed_rows(rows, values)", "The rows that are not -1, and their values.");
  define<[](const Tensor &rows, const Tensor &values, const std::vector<int64_t> &shape) {
    Shape whole;
    for (int64_t n : shape)
      whole.push_back(n);
    return ops::to_dense({rows, values}, whole);
  }>("_dense_rows(rows, values, shape)", "Zeros of this shape, with values in these rows.");
}

} // namespace cinta::python
