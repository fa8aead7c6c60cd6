// The Python object of a Tensor: a raw CPython type, because an operation must cost tens of nanoseconds.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "cinta/tensor/tensor.h"

namespace cinta::python {

struct TensorObject {
  PyObject_HEAD Tensor tensor;
  PyObject *weakrefs;
};

extern PyTypeObject *tensor_type;

inline bool is_tensor(PyObject *o) { return Py_TYPE(o) == tensor_type || PyType_IsSubtype(Py_TYPE(o), tensor_type); }
inline Tensor &tensor_of(PyObject *o) { return reinterpret_cast<TensorObject *>(o)->tensor; }

PyObject *wrap(Tensor t);              // a new reference; the same object for the same body
void rebind(PyObject *self, Tensor t); // self's value after an in-place write
void init_tensor_type(PyObject *module);

// The exception in flight becomes Python's; always returns null.
PyObject *raise_current();

// Runs f, turning C++ exceptions into Python's.
template <class F> auto guarded(F &&f) -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    raise_current();
    if constexpr (std::is_pointer_v<decltype(f())>)
      return nullptr;
    else
      return -1;
  }
}

struct PythonError {}; // thrown where Python's error is already set

// An owned reference.
class Ref {
public:
  Ref() = default;
  explicit Ref(PyObject *o) : o_(o) {}
  Ref(Ref &&other) noexcept : o_(std::exchange(other.o_, nullptr)) {}
  Ref(const Ref &other) : o_(other.o_) { Py_XINCREF(o_); }
  Ref &operator=(Ref other) noexcept {
    std::swap(o_, other.o_);
    return *this;
  }
  ~Ref() { Py_XDECREF(o_); }
  static Ref borrowed(PyObject *o) {
    Py_XINCREF(o);
    return Ref(o);
  }
  static Ref checked(PyObject *o) { // of a call that may have failed
    if (!o)
      throw PythonError();
    return Ref(o);
  }
  PyObject *get() const { return o_; }
  PyObject *release() { return std::exchange(o_, nullptr); }
  explicit operator bool() const { return o_ != nullptr; }

private:
  PyObject *o_ = nullptr;
};

// slots and tables that the type is put together from, one file each
extern PyMethodDef tensor_methods[];
extern PyGetSetDef tensor_properties[];
extern PyType_Slot operator_slots[];
Py_ssize_t tensor_length(PyObject *self);
PyObject *tensor_iter(PyObject *self);
PyObject *tensor_get_item(PyObject *self, PyObject *key);
int tensor_set_item(PyObject *self, PyObject *key, PyObject *value);
int tensor_get_buffer(PyObject *self, Py_buffer *buffer, int flags);
void tensor_release_buffer(PyObject *self, Py_buffer *buffer);
PyObject *tensor_repr(PyObject *self);
PyObject *tensor_str(PyObject *self);

} // namespace cinta::python
