// t[...] and t[...] = value: what Python writes between the brackets, as items.
#include "bindings/convert.h"
#include "cinta/ops/index.h"
#include "cinta/ops/shape.h"

namespace cinta::python {
namespace {

using ops::Item;

int64_t bound(PyObject *o) { // of a slice; huge numbers are clamped as Python does
  Ref index = Ref::checked(PyNumber_Index(o));
  int overflow = 0;
  long long v = PyLong_AsLongLongAndOverflow(index.get(), &overflow);
  return overflow ? (overflow > 0 ? INT64_MAX / 2 : INT64_MIN / 2) : v;
}

Item to_item(PyObject *o) {
  Item item{Item::array, 0, 0, 1, false, false, {}};
  if (PyLong_Check(o) && !PyBool_Check(o)) {
    item.kind = Item::integer;
    item.start = From<int64_t>::get(o, "index");
  } else if (o == Py_None) {
    item.kind = Item::new_axis;
  } else if (o == Py_Ellipsis) {
    item.kind = Item::ellipsis;
  } else if (PySlice_Check(o)) {
    auto *s = reinterpret_cast<PySliceObject *>(o);
    item.kind = Item::slice;
    if ((item.has_start = s->start != Py_None))
      item.start = bound(s->start);
    if ((item.has_stop = s->stop != Py_None))
      item.stop = bound(s->stop);
    if (s->step != Py_None)
      item.step = bound(s->step);
  } else if (PyFloat_Check(o) || PyUnicode_Check(o)) {
    fail<IndexError>("[index] got ", Py_TYPE(o)->tp_name,
                     ", expected integers, slices, '...', None, or arrays of integers or booleans");
  } else {
    item.index = ops::detach(to_tensor(o, "index"));
    Dtype dtype = item.index.dtype();
    if (item.index.size() == 0 && is_floating(dtype) && !is_tensor(o) && (PyList_Check(o) || PyTuple_Check(o)))
      item.index = ops::detach(zeros(item.index.shape(), dtype = Dtype::int64)); // x[[]]
    if (is_floating(dtype))
      fail<IndexError>("[index] got an array of ", dtype, ", expected integers or booleans");
    if (item.index.ndim() == 0 && dtype != Dtype::bool_) { // a NumPy integer or 0-d tensor counts as an integer
      item.kind = Item::integer;
      item.start = From<int64_t>::get(o, "index");
    }
  }
  return item;
}

std::vector<Item> to_items(PyObject *key) {
  std::vector<Item> items;
  if (!PyTuple_Check(key)) {
    items.push_back(to_item(key));
    return items;
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); ++i)
    items.push_back(to_item(PyTuple_GET_ITEM(key, i)));
  return items;
}

} // namespace

Py_ssize_t tensor_length(PyObject *self) {
  const Tensor &t = tensor_of(self);
  if (t.ndim() == 0) {
    PyErr_SetString(PyExc_TypeError, "a 0-d tensor has no length");
    return -1;
  }
  return t.shape()[0];
}

PyObject *tensor_iter(PyObject *self) { // over the first axis; as a list of views, so that unpacking is one step
  return guarded([&]() -> PyObject * {
    const Tensor &t = tensor_of(self);
    if (t.ndim() == 0)
      fail<TypeError>("[iter] a 0-d tensor has no axis to iterate over: use .item()");
    check_fresh(t, "iter");
    std::vector<Tensor> rows;
    for (int64_t i = 0; i < t.shape()[0]; ++i)
      rows.push_back(ops::get_item(t, {Item{Item::integer, i, 0, 1, false, false, {}}}));
    return PyObject_GetIter(Ref(to_python(rows)).get());
  });
}

PyObject *tensor_get_item(PyObject *self, PyObject *key) {
  return guarded([&]() -> PyObject * {
    const Tensor &t = tensor_of(self);
    check_fresh(t, "index");
    return wrap(ops::get_item(t, to_items(key)));
  });
}

int tensor_set_item(PyObject *self, PyObject *key, PyObject *value) {
  if (!value) {
    PyErr_SetString(PyExc_TypeError, "elements of a tensor cannot be deleted: pick the others with a mask");
    return -1;
  }
  return guarded([&]() -> int {
    const Tensor t = tensor_of(self);
    Tensor v = weak_number(value, t.dtype());
    rebind(self, ops::set_item(t, to_items(key), v ? v : to_tensor(value, "set_item")));
    return 0;
  });
}

} // namespace cinta::python
