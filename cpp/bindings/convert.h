// Python values to C++ and back: one From<T> for every type that an operation takes, one to_python for every result.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "bindings/tensor_object.h"

namespace cinta::python {

// A tensor from a Tensor, an array, a number or nested lists; numbers and lists as ct.tensor makes them.
Tensor to_tensor(PyObject *o, const char *what);
// A Python number, taking the dtype of the tensor it meets (NumPy 2: Python scalars are weak); empty if it is none.
Tensor weak_number(PyObject *o, Dtype like);
// Both operands of an operation; false if one of them is nothing that it takes.
bool to_pair(PyObject *a, PyObject *b, Tensor &x, Tensor &y);
Tensor from_array(PyObject *array, bool copy); // anything with the buffer protocol
std::optional<Dtype> dtype_of(PyObject *o);    // what names a dtype; none if o does not
PyObject *dtype_object(Dtype dtype);           // borrowed
PyObject *numpy_array(const Tensor &t, PyObject *owner);
PyObject *numpy_dtype(Dtype dtype); // new reference

template <class T> struct From;
#define CINTA_FROM(T, python_type)                                                                                     \
  template <> struct From<T> {                                                                                         \
    static T get(PyObject *o, const char *what);                                                                       \
    static constexpr auto type = python_type;                                                                          \
  };
struct ShapeArgument { // an int or a sequence of ints
  Shape shape;
};
struct Number { // whatever a fill value can be
  PyObject *object;
};
CINTA_FROM(Tensor, "ArrayLike")
CINTA_FROM(double, "float")
CINTA_FROM(int64_t, "int")
CINTA_FROM(bool, "bool")
CINTA_FROM(std::string, "str")
CINTA_FROM(Dtype, "DTypeLike")
CINTA_FROM(Dims, "int | Sequence[int]")
CINTA_FROM(std::vector<int64_t>, "int | Sequence[int]")
CINTA_FROM(std::vector<Tensor>, "Sequence[ArrayLike]")
#undef CINTA_FROM
template <> struct From<PyObject *> {
  static PyObject *get(PyObject *o, const char *) { return o; }
  static constexpr auto type = "Any";
};
template <class T> struct From<std::optional<T>> {
  static std::optional<T> get(PyObject *o, const char *what) {
    return o == Py_None ? std::nullopt : std::optional<T>(From<T>::get(o, what));
  }
  static constexpr auto type = From<T>::type; // "| None" comes from the default
};

inline PyObject *to_python(Tensor t) { return wrap(std::move(t)); }
inline PyObject *to_python(PyObject *o) { return o; }
inline PyObject *to_python(bool b) { return PyBool_FromLong(b); }
inline PyObject *to_python(double d) { return PyFloat_FromDouble(d); }
inline PyObject *to_python(int64_t i) { return PyLong_FromLongLong(i); }
inline PyObject *to_python(Dtype d) { return Py_NewRef(dtype_object(d)); }
PyObject *to_python(const std::vector<Tensor> &tensors); // a list; empty tensors are None
PyObject *to_python(const std::pair<Tensor, Tensor> &pair);
PyObject *to_python(const Dims &dims); // a tuple

template <class T> constexpr const char *result_type() {
  if constexpr (std::is_same_v<T, Tensor>)
    return "Tensor";
  else if constexpr (std::is_same_v<T, std::vector<Tensor>>)
    return "list[Tensor]";
  else if constexpr (std::is_same_v<T, std::pair<Tensor, Tensor>>)
    return "tuple[Tensor, Tensor]";
  else if constexpr (std::is_same_v<T, bool>)
    return "bool";
  else if constexpr (std::is_same_v<T, double>)
    return "float";
  else if constexpr (std::is_same_v<T, int64_t>)
    return "int";
  else if constexpr (std::is_same_v<T, void>)
    return "None";
  else
    return "Any";
}

void init_dtypes(PyObject *module);

} // namespace cinta::python
