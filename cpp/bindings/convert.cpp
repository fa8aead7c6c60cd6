#include "bindings/convert.h"

#include <cstring>

#include "bindings/row_sparse.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/join.h"
#include "cinta/ops/shape.h"

namespace cinta::python {
namespace {

[[noreturn]] void fail_type(const char *what, PyObject *got, const char *expected) {
  fail<TypeError>("[", what, "] got ", Py_TYPE(got)->tp_name, ", expected ", expected);
}

// The dtype of a buffer's format, if its elements are of native order and kind.
std::optional<Dtype> dtype_of_format(const char *format, Py_ssize_t itemsize) {
  if (!format)
    return Dtype::uint8;
  if (*format == '@' || *format == '=' || *format == '<')
    ++format;
  if (format[0] == 0 || format[1] != 0)
    return std::nullopt;
  auto integer = [&](bool is_signed) {
    switch (itemsize) {
    case 1:
      return is_signed ? Dtype::int8 : Dtype::uint8;
    case 2:
      return is_signed ? Dtype::int16 : Dtype::uint16;
    case 4:
      return is_signed ? Dtype::int32 : Dtype::uint32;
    default:
      return is_signed ? Dtype::int64 : Dtype::uint64;
    }
  };
  switch (*format) {
  case 'f':
    return Dtype::float32;
  case 'd':
    return Dtype::float64;
  case 'e':
    return Dtype::float16;
  case '?':
    return Dtype::bool_;
  case 'b':
  case 'h':
  case 'i':
  case 'l':
  case 'q':
  case 'n':
    return integer(true);
  case 'B':
  case 'H':
  case 'I':
  case 'L':
  case 'Q':
  case 'N':
  case 'c':
    return integer(false);
  default:
    return std::nullopt;
  }
}

void release_view(void *owner) {
  Py_buffer *view = static_cast<Py_buffer *>(owner);
  PyGILState_STATE gil = PyGILState_Ensure();
  PyBuffer_Release(view);
  PyGILState_Release(gil);
  delete view;
}

Ref numpy_attribute(const char *name) {
  static PyObject *numpy = Ref::checked(PyImport_ImportModule("numpy")).release();
  return Ref::checked(PyObject_GetAttrString(numpy, name));
}

bool has_tensor(PyObject *o, int depth = 0) {
  if (is_tensor(o))
    return true;
  if (depth > kMaxDims || (!PyList_Check(o) && !PyTuple_Check(o)))
    return false;
  Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  for (Py_ssize_t i = 0; i < n; ++i)
    if (has_tensor(PySequence_Fast_GET_ITEM(o, i), depth + 1))
      return true;
  return false;
}

// Nested lists: through NumPy, or stacked where tensors are among them.
Tensor from_sequence(PyObject *o, const char *what) {
  if (has_tensor(o)) {
    std::vector<Tensor> parts;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
      parts.push_back(to_tensor(PySequence_Fast_GET_ITEM(o, i), what));
    return ops::stack(parts, 0);
  }
  static PyObject *asarray = numpy_attribute("asarray").release();
  Ref array(PyObject_CallOneArg(asarray, o));
  if (!array) {
    PyErr_Clear();
    fail<ValueError>(
        "[", what, "] the nested lists are ragged or hold something else than numbers, expected rows of equal length");
  }
  Tensor t = from_array(array.get(), false);
  return t.dtype() == Dtype::float64 ? ops::astype(t, Dtype::float32) : t; // lists of Python floats
}

Tensor integer_scalar(PyObject *o, Dtype dtype) {
  int overflow = 0;
  long long value = PyLong_AsLongLongAndOverflow(o, &overflow);
  if (is_floating(dtype))
    return scalar(PyLong_AsDouble(o), dtype);
  Tensor t = empty({}, dtype);
  uint64_t bits = uint64_t(value);
  if (overflow > 0) {
    bits = PyLong_AsUnsignedLongLong(o);
    if (PyErr_Occurred())
      throw PythonError();
  }
  const DtypeInfo &i = info(dtype);
  const int width = int(i.itemsize) * 8;
  bool fits = dtype == Dtype::bool_ ||
              (overflow    ? dtype == Dtype::uint64 && overflow > 0
               : i.signed_ ? width == 64 || (value >= -(1LL << (width - 1)) && value < (1LL << (width - 1)))
                           : value >= 0 && (width == 64 || value < (1LL << width)));
  if (!fits) {
    PyErr_Format(PyExc_OverflowError, "the Python integer %R is out of range for %s", o, i.name);
    throw PythonError();
  }
  kernels::table().store_tile[int(dtype)](1, &bits, t.data(), 1);
  return t;
}

} // namespace

Tensor from_array(PyObject *array, bool copy) {
  auto *view = new Py_buffer;
  if (PyObject_GetBuffer(array, view, PyBUF_STRIDED_RO | PyBUF_FORMAT)) {
    delete view;
    PyErr_Clear();
    Ref dtype(PyObject_GetAttrString(array, "dtype")), text(dtype ? PyObject_Str(dtype.get()) : nullptr);
    PyErr_Clear();
    fail<TypeError>("[tensor] got a ", Py_TYPE(array)->tp_name,
                    text ? join(" of dtype ", PyUnicode_AsUTF8(text.get())) : "", ", expected numbers or booleans");
  }
  std::optional<Dtype> dtype = dtype_of_format(view->format, view->itemsize);
  bool aligned = dtype && reinterpret_cast<uintptr_t>(view->buf) % size_t(view->itemsize) == 0;
  Shape shape;
  Strides strides;
  try {
    for (int i = 0; i < view->ndim; ++i) {
      shape.push_back(view->shape[i]);
      strides.push_back(view->strides[i] / std::max<Py_ssize_t>(view->itemsize, 1));
      aligned &= view->strides[i] % view->itemsize == 0;
    }
  } catch (...) {
    release_view(view);
    throw;
  }
  if (!aligned) {
    std::string format = view->format ? view->format : "B";
    release_view(view);
    if (!dtype)
      fail<TypeError>("[tensor] an array of format '", format,
                      "' has no matching dtype, expected numbers or booleans in native "
                      "byte order: convert it with .astype");
    static PyObject *make = numpy_attribute("array").release(); // copies, so that the elements lie aligned
    return from_array(Ref::checked(PyObject_CallOneArg(make, array)).get(), false);
  }
  Tensor t = from_storage(StorageRef(wrap_storage(view->buf, size_t(view->len), view->readonly, view, release_view)),
                          static_cast<char *>(view->buf), shape, strides, *dtype);
  return copy ? ops::keep_value(t) : t;
}

Tensor to_tensor(PyObject *o, const char *what) {
  if (is_tensor(o))
    return tensor_of(o);
  if (PyFloat_CheckExact(o))
    return scalar(PyFloat_AS_DOUBLE(o), Dtype::float32);
  if (PyBool_Check(o))
    return scalar(o == Py_True, Dtype::bool_);
  if (PyLong_Check(o))
    return integer_scalar(o, Dtype::int64);
  if (PyObject_CheckBuffer(o) && !PyBytes_Check(o))
    return from_array(o, false);
  if (PyList_Check(o) || PyTuple_Check(o))
    return from_sequence(o, what);
  if (is_row_sparse(o))
    fail<TypeError>("[", what, "] got a row-sparse gradient, expected a tensor: call its .to_dense(), or make the ",
                    "embedding with sparse=False");
  if (PyObject_HasAttrString(o, "__array__")) {
    static PyObject *asarray = numpy_attribute("asarray").release();
    return from_array(Ref::checked(PyObject_CallOneArg(asarray, o)).get(), false);
  }
  if (PyFloat_Check(o))
    return scalar(PyFloat_AsDouble(o), Dtype::float32);
  fail_type(what, o, "a tensor, an array, a number, or nested lists of numbers");
}

Tensor weak_number(PyObject *o, Dtype like) {
  if (PyFloat_CheckExact(o))
    return scalar(PyFloat_AS_DOUBLE(o), promote_weak(like, ScalarKind::floating));
  if (PyBool_Check(o))
    return scalar(o == Py_True, like);
  if (PyLong_CheckExact(o))
    return integer_scalar(o, promote_weak(like, ScalarKind::integer));
  return {};
}

bool to_pair(PyObject *a, PyObject *b, Tensor &x, Tensor &y) {
  auto usable = [](PyObject *o) {
    return is_tensor(o) || PyFloat_Check(o) || PyLong_Check(o) || PyList_Check(o) || PyTuple_Check(o) ||
           (PyObject_CheckBuffer(o) && !PyBytes_Check(o)) || PyObject_HasAttrString(o, "__array__");
  };
  if (!usable(a) || !usable(b))
    return false;
  const char *what = "operand";
  if (is_tensor(a)) {
    x = tensor_of(a);
    y = weak_number(b, x.dtype());
    if (!y)
      y = to_tensor(b, what);
  } else {
    y = to_tensor(b, what);
    x = weak_number(a, y.dtype());
    if (!x) {
      x = to_tensor(a, what);
      if (Tensor weak = is_tensor(b) ? Tensor() : weak_number(b, x.dtype()))
        y = weak;
    }
  }
  return true;
}

Tensor From<Tensor>::get(PyObject *o, const char *what) { return to_tensor(o, what); }

double From<double>::get(PyObject *o, const char *what) {
  if (PyFloat_Check(o))
    return PyFloat_AS_DOUBLE(o);
  double value = PyFloat_AsDouble(o);
  if (value == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    fail_type(what, o, "a number");
  }
  return value;
}

int64_t From<int64_t>::get(PyObject *o, const char *what) {
  if (PyFloat_Check(o))
    fail_type(what, o, "an integer");
  Ref index(PyNumber_Index(o));
  if (!index) {
    PyErr_Clear();
    fail_type(what, o, "an integer");
  }
  int64_t value = PyLong_AsLongLong(index.get());
  if (value == -1 && PyErr_Occurred())
    throw PythonError();
  return value;
}

bool From<bool>::get(PyObject *o, const char *) {
  int truth = PyObject_IsTrue(o);
  if (truth < 0)
    throw PythonError();
  return truth;
}

std::string From<std::string>::get(PyObject *o, const char *what) {
  const char *text = PyUnicode_Check(o) ? PyUnicode_AsUTF8(o) : nullptr;
  if (!text)
    fail_type(what, o, "a string");
  return text;
}

Dtype From<Dtype>::get(PyObject *o, const char *what) {
  if (auto dtype = dtype_of(o))
    return *dtype;
  Ref repr(PyObject_Repr(o));
  fail<TypeError>("[", what, "] ", repr ? PyUnicode_AsUTF8(repr.get()) : "?",
                  " is no dtype, expected one of cinta's (ct.float32), "
                  "NumPy's, a name like 'float32', or float, int, bool");
}

std::vector<int64_t> From<std::vector<int64_t>>::get(PyObject *o, const char *what) {
  if (PyIndex_Check(o) && !(is_tensor(o) && tensor_of(o).ndim()) && !PySequence_Check(o))
    return {From<int64_t>::get(o, what)};
  if (is_tensor(o) && tensor_of(o).ndim() == 0)
    return {From<int64_t>::get(o, what)};
  Ref sequence(PySequence_Fast(o, ""));
  if (!sequence) {
    PyErr_Clear();
    fail_type(what, o, "an integer or a sequence of integers");
  }
  std::vector<int64_t> out;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.get()); ++i)
    out.push_back(From<int64_t>::get(PySequence_Fast_GET_ITEM(sequence.get(), i), what));
  return out;
}

Dims From<Dims>::get(PyObject *o, const char *what) {
  Dims dims;
  if (PyLong_CheckExact(o)) {
    dims.push_back(From<int64_t>::get(o, what));
    return dims;
  }
  for (int64_t v : From<std::vector<int64_t>>::get(o, what))
    dims.push_back(v);
  return dims;
}

std::vector<Tensor> From<std::vector<Tensor>>::get(PyObject *o, const char *what) {
  Ref sequence(PySequence_Fast(o, ""));
  if (!sequence) {
    PyErr_Clear();
    fail_type(what, o, "a sequence of tensors");
  }
  std::vector<Tensor> out;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.get()); ++i) {
    PyObject *item = PySequence_Fast_GET_ITEM(sequence.get(), i);
    out.push_back(item == Py_None ? Tensor() : to_tensor(item, what));
  }
  return out;
}

PyObject *to_python(const std::vector<Tensor> &tensors) {
  Ref list = Ref::checked(PyList_New(Py_ssize_t(tensors.size())));
  for (size_t i = 0; i < tensors.size(); ++i)
    PyList_SET_ITEM(list.get(), Py_ssize_t(i), tensors[i] ? wrap(tensors[i]) : Py_NewRef(Py_None));
  return list.release();
}

PyObject *to_python(const std::pair<Tensor, Tensor> &pair) {
  return PyTuple_Pack(2, Ref(wrap(pair.first)).get(), Ref(wrap(pair.second)).get());
}

PyObject *to_python(const Dims &dims) {
  Ref tuple = Ref::checked(PyTuple_New(dims.size()));
  for (int i = 0; i < dims.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), i, PyLong_FromLongLong(dims[i]));
  return tuple.release();
}

} // namespace cinta::python
