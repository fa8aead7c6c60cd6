#include "bindings/tensor_object.h"

#include <new>

#include "bindings/convert.h"
#include "cinta/ops/shape.h"

namespace cinta::python {

PyTypeObject *tensor_type;

namespace {

// Dead objects of the exact type wait here for the next result.
constexpr int kFreeObjects = 512;
TensorObject *free_objects[kFreeObjects];
int free_count = 0;

PyObject *new_object(PyTypeObject *type) {
  TensorObject *o;
  if (type == tensor_type && free_count) {
    o = free_objects[--free_count];
    PyObject_Init(reinterpret_cast<PyObject *>(o), type);
  } else if (type == tensor_type) {
    o = PyObject_New(TensorObject, type);
  } else {
    o = reinterpret_cast<TensorObject *>(type->tp_alloc(type, 0));
  }
  if (!o)
    return nullptr;
  new (&o->tensor) Tensor();
  o->weakrefs = nullptr;
  return reinterpret_cast<PyObject *>(o);
}

void deallocate(PyObject *self) {
  auto *o = reinterpret_cast<TensorObject *>(self);
  if (o->weakrefs)
    PyObject_ClearWeakRefs(self);
  if (o->tensor && o->tensor->object == self)
    o->tensor->object = nullptr;
  o->tensor.~Tensor();
  PyTypeObject *type = Py_TYPE(self);
  if (type == tensor_type) {
    if (free_count < kFreeObjects)
      free_objects[free_count++] = o;
    else
      PyObject_Free(o);
    Py_DECREF(type); // as for every instance of a heap type
    return;
  }
  type->tp_free(self);
  Py_DECREF(type);
}

// Tensor(data, requires_grad=False): shares a tensor's memory, copies anything else.
PyObject *construct(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"data", "requires_grad", nullptr};
  PyObject *data = nullptr;
  int requires_grad = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p:Tensor", const_cast<char **>(names), &data, &requires_grad))
    return nullptr;
  return guarded([&]() -> PyObject * {
    Tensor t = is_tensor(data) ? ops::detach(tensor_of(data)) : ops::clone(to_tensor(data, "Tensor"));
    if (requires_grad && !is_floating(t.dtype()))
      fail<TypeError>("[Tensor] dtype ", t.dtype(), " cannot require grad, expected a floating dtype");
    if (requires_grad)
      set_requires_grad(t, true);
    PyObject *o = new_object(type);
    if (!o)
      return nullptr;
    t->object = o;
    tensor_of(o) = std::move(t);
    return o;
  });
}

Py_hash_t hash(PyObject *self) { return Py_hash_t(reinterpret_cast<size_t>(self) >> 4); }

} // namespace

PyObject *wrap(Tensor t) {
  if (!t)
    Py_RETURN_NONE;
  if (t->object)
    return Py_NewRef(static_cast<PyObject *>(t->object));
  PyObject *o = new_object(tensor_type);
  if (!o)
    return nullptr;
  t->object = o;
  tensor_of(o) = std::move(t);
  return o;
}

void rebind(PyObject *self, Tensor t) {
  Tensor &own = tensor_of(self);
  if (own.body() == t.body())
    return;
  if (own->object == self)
    own->object = nullptr;
  t->object = self;
  own = std::move(t);
}

PyObject *raise_current() {
  try {
    throw;
  } catch (const PythonError &) {
  } catch (const ValueError &e) {
    PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const TypeError &e) {
    PyErr_SetString(PyExc_TypeError, e.what());
  } catch (const IndexError &e) {
    PyErr_SetString(PyExc_IndexError, e.what());
  } catch (const MemoryError &e) {
    PyErr_SetString(PyExc_MemoryError, e.what());
  } catch (const std::bad_alloc &) {
    PyErr_NoMemory();
  } catch (const std::exception &e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
  return nullptr;
}

void init_tensor_type(PyObject *module) {
  static PyMemberDef members[] = {
      {"__weaklistoffset__", T_PYSSIZET, offsetof(TensorObject, weakrefs), READONLY, nullptr}, {}};
  std::vector<PyType_Slot> slots = {
      {Py_tp_new, reinterpret_cast<void *>(construct)},
      {Py_tp_dealloc, reinterpret_cast<void *>(deallocate)},
      {Py_tp_hash, reinterpret_cast<void *>(hash)},
      {Py_tp_repr, reinterpret_cast<void *>(tensor_repr)},
      {Py_tp_str, reinterpret_cast<void *>(tensor_str)},
      {Py_tp_methods, tensor_methods},
      {Py_tp_getset, tensor_properties},
      {Py_tp_members, members},
      {Py_tp_iter, reinterpret_cast<void *>(tensor_iter)},
      {Py_mp_length, reinterpret_cast<void *>(tensor_length)},
      {Py_mp_subscript, reinterpret_cast<void *>(tensor_get_item)},
      {Py_mp_ass_subscript, reinterpret_cast<void *>(tensor_set_item)},
      {Py_bf_getbuffer, reinterpret_cast<void *>(tensor_get_buffer)},
      {Py_bf_releasebuffer, reinterpret_cast<void *>(tensor_release_buffer)},
      {Py_tp_doc,
       const_cast<char *>("An array of numbers that remembers how it was computed.\n\n"
                          "Made by ct.tensor and every operation; speaks NumPy's words (shape, axis, reshape) and "
                          "PyTorch's (requires_grad, backward, grad).")}};
  for (PyType_Slot *s = operator_slots; s->slot; ++s)
    slots.push_back(*s);
  slots.push_back({0, nullptr});
  static PyType_Spec spec = {"cinta._core.Tensor", sizeof(TensorObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                             nullptr};
  spec.slots = slots.data();
  tensor_type = reinterpret_cast<PyTypeObject *>(Ref::checked(PyType_FromSpec(&spec)).release());
  if (PyObject_SetAttrString(reinterpret_cast<PyObject *>(tensor_type), "__array_ufunc__", Py_None) < 0)
    throw PythonError(); // None on the type: NumPy's operators then ask ours
  PyModule_AddObjectRef(module, "Tensor", reinterpret_cast<PyObject *>(tensor_type));
}

} // namespace cinta::python
