// ct.float32 and the others: objects with a name, a size and the NumPy dtype they match.
#include <cstring>

#include "bindings/convert.h"

namespace cinta::python {
namespace {

struct DtypeObject {
  PyObject_HEAD Dtype dtype;
};
PyTypeObject *dtype_type;
PyObject *objects[kDtypes];

Dtype dtype_in(PyObject *o) { return reinterpret_cast<DtypeObject *>(o)->dtype; }

PyObject *dtype_str(PyObject *o) { return PyUnicode_FromString(info(dtype_in(o)).name); }
PyObject *dtype_repr(PyObject *o) {
  return PyUnicode_FromFormat("cinta.%s%s", info(dtype_in(o)).name, dtype_in(o) == Dtype::bool_ ? "_" : "");
}
PyObject *dtype_reduce(PyObject *o, PyObject *) { // pickled by name
  return PyUnicode_FromFormat("%s%s", info(dtype_in(o)).name, dtype_in(o) == Dtype::bool_ ? "_" : "");
}
PyObject *dtype_compare(PyObject *a, PyObject *b, int operation) {
  if (operation != Py_EQ && operation != Py_NE)
    Py_RETURN_NOTIMPLEMENTED;
  auto other = dtype_of(b);
  bool equal = other && *other == dtype_in(a);
  return PyBool_FromLong(equal == (operation == Py_EQ));
}
Py_hash_t dtype_hash(PyObject *o) { return Py_hash_t(dtype_in(o)) + 7919; }

PyGetSetDef properties[] = {
    {"name", [](PyObject *o, void *) { return dtype_str(o); }, nullptr, "Its name: 'float32'.", nullptr},
    {"itemsize", [](PyObject *o, void *) { return PyLong_FromLong(long(itemsize(dtype_in(o)))); }, nullptr,
     "Bytes per element.", nullptr},
    {"is_floating", [](PyObject *o, void *) { return PyBool_FromLong(is_floating(dtype_in(o))); }, nullptr,
     "Whether it is a floating dtype.", nullptr},
    {"numpy", [](PyObject *o, void *) { return numpy_dtype(dtype_in(o)); }, nullptr,
     "NumPy's dtype of the same kind, None for bfloat16.", nullptr},
    {}};
PyMethodDef methods[] = {{"__reduce__", dtype_reduce, METH_NOARGS, nullptr}, {}};

// By name, as strings and NumPy's objects give it.
std::optional<Dtype> by_name(const char *name) {
  for (int i = 0; i < kDtypes; ++i)
    if (!std::strcmp(name, info(Dtype(i)).name))
      return Dtype(i);
  if (!std::strcmp(name, "bool_"))
    return Dtype::bool_;
  return std::nullopt;
}

} // namespace

std::optional<Dtype> dtype_of(PyObject *o) {
  if (Py_TYPE(o) == dtype_type)
    return dtype_in(o);
  if (o == reinterpret_cast<PyObject *>(&PyFloat_Type))
    return Dtype::float64;
  if (o == reinterpret_cast<PyObject *>(&PyLong_Type))
    return Dtype::int64;
  if (o == reinterpret_cast<PyObject *>(&PyBool_Type))
    return Dtype::bool_;
  if (PyUnicode_Check(o))
    return by_name(PyUnicode_AsUTF8(o));
  for (const char *attribute : {"name", "__name__"}) { // np.dtype('float32'), np.float32
    Ref name(PyObject_GetAttrString(o, attribute));
    if (!name)
      PyErr_Clear();
    else if (PyUnicode_Check(name.get()))
      return by_name(PyUnicode_AsUTF8(name.get()));
  }
  return std::nullopt;
}

PyObject *dtype_object(Dtype dtype) { return objects[int(dtype)]; }

PyObject *numpy_dtype(Dtype dtype) {
  if (dtype == Dtype::bfloat16)
    Py_RETURN_NONE;
  Ref numpy = Ref::checked(PyImport_ImportModule("numpy"));
  return PyObject_CallMethod(numpy.get(), "dtype", "s", info(dtype).name);
}

void init_dtypes(PyObject *module) {
  static PyType_Slot slots[] = {
      {Py_tp_str, reinterpret_cast<void *>(dtype_str)},
      {Py_tp_repr, reinterpret_cast<void *>(dtype_repr)},
      {Py_tp_richcompare, reinterpret_cast<void *>(dtype_compare)},
      {Py_tp_hash, reinterpret_cast<void *>(dtype_hash)},
      {Py_tp_getset, properties},
      {Py_tp_methods, methods},
      {Py_tp_doc, const_cast<char *>("The type of a tensor's elements: ct.float32, ct.int64, ...")},
      {0, nullptr}};
  static PyType_Spec spec = {"cinta._core.dtype", sizeof(DtypeObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  dtype_type = reinterpret_cast<PyTypeObject *>(Ref::checked(PyType_FromSpec(&spec)).release());
  PyModule_AddObjectRef(module, "dtype", reinterpret_cast<PyObject *>(dtype_type));
  for (int i = 0; i < kDtypes; ++i) {
    auto *o = PyObject_New(DtypeObject, dtype_type);
    o->dtype = Dtype(i);
    objects[i] = reinterpret_cast<PyObject *>(o);
    PyModule_AddObjectRef(module, i == int(Dtype::bool_) ? "bool_" : info(Dtype(i)).name, objects[i]);
  }
}

} // namespace cinta::python
