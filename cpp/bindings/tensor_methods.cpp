// What a Tensor knows and does itself; the operations that are methods too come from the families.
#include "bindings/function.h"
#include "bindings/row_sparse.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/shape.h"
#include "cinta/tape/compute.h"

namespace cinta::python {

PyObject *tensor_item(PyObject *self);
PyObject *tensor_dlpack(PyObject *self, PyObject *args, PyObject *kwargs);

namespace {

PyObject *get_shape(PyObject *o, void *) { return to_python(tensor_of(o).shape()); }
PyObject *get_strides(PyObject *o, void *) { return to_python(tensor_of(o).strides()); }
PyObject *get_ndim(PyObject *o, void *) { return PyLong_FromLong(tensor_of(o).ndim()); }
PyObject *get_size(PyObject *o, void *) { return PyLong_FromLongLong(tensor_of(o).size()); }
PyObject *get_nbytes(PyObject *o, void *) { return PyLong_FromSize_t(tensor_of(o).nbytes()); }
PyObject *get_itemsize(PyObject *o, void *) { return PyLong_FromSize_t(itemsize(tensor_of(o).dtype())); }
PyObject *get_dtype(PyObject *o, void *) { return Py_NewRef(dtype_object(tensor_of(o).dtype())); }
PyObject *get_device(PyObject *, void *) { return PyUnicode_InternFromString("cpu"); }
PyObject *get_version(PyObject *o, void *) { return PyLong_FromUnsignedLong(tensor_of(o)->storage->version); }
PyObject *get_is_leaf(PyObject *o, void *) { return PyBool_FromLong(!tensor_of(o)->creator); }
PyObject *get_T(PyObject *o, void *) {
  return guarded([&] { return wrap(ops::transpose(tensor_of(o), {})); });
}
PyObject *get_mT(PyObject *o, void *) {
  return guarded([&] { return wrap(ops::matrix_transpose(tensor_of(o))); });
}
PyObject *get_requires_grad(PyObject *o, void *) { return PyBool_FromLong(tensor_of(o).requires_grad()); }
int set_requires_grad(PyObject *o, PyObject *value, void *) {
  return guarded([&]() -> int {
    const Tensor &t = tensor_of(o);
    bool wanted = value && From<bool>::get(value, "requires_grad");
    if (wanted && !is_floating(t.dtype()))
      fail<TypeError>("[requires_grad] dtype ", t.dtype(), " cannot require grad, expected a floating dtype");
    if (t->creator && !wanted)
      fail<RuntimeError>("[requires_grad] the tensor is the result of ",
                         "an operation, only leaves can be switched off: use .detach()");
    set_requires_grad(t, wanted);
    return 0;
  });
}
PyObject *get_grad(PyObject *o, void *) {
  return guarded([&] {
    if (Recorder *r = recorder()) [[unlikely]]
      r->gradient_looked_at(tensor_of(o));
    const Tensor &t = tensor_of(o);
    return t->grad_rows ? wrap_rows(*t->grad_rows, t.shape()) : wrap(t->grad);
  });
}
int set_grad(PyObject *o, PyObject *value, void *) {
  return guarded([&]() -> int {
    const Tensor &t = tensor_of(o);
    if (Recorder *r = recorder())
      r->gradient_reset(t);
    if (!value || value == Py_None) {
      drop_grad(t);
      return 0;
    }
    if (is_row_sparse(value)) {
      set_rows(t, rows_of(value, t));
      return 0;
    }
    Tensor g = to_tensor(value, "grad");
    if (!(g.shape() == t.shape()) || g.dtype() != t.dtype())
      fail<ValueError>("[grad] got shape ", g.shape(), " and dtype ", g.dtype(), ", expected ", t.shape(), " and ",
                       t.dtype());
    drop_grad(t);
    t->grad = g;
    return 0;
  });
}

PyObject *get_data(PyObject *o, void *) {
  return guarded([&] { return wrap(ops::detach(tensor_of(o))); });
}
int set_data(PyObject *o, PyObject *value, void *) {
  return guarded([&]() -> int {
    if (!value || !is_tensor(value))
      fail<TypeError>("[data] got ", value ? Py_TYPE(value)->tp_name : "nothing", ", expected a tensor");
    const Tensor &own = tensor_of(o);
    if (own->creator)
      fail<RuntimeError>("[data] the tensor is the result of an operation, only a leaf's memory can be exchanged");
    Tensor t = ops::detach(tensor_of(value));
    if (t.data() == own.data() && t->storage.get() == own->storage.get() && t.shape() == own.shape() &&
        t.strides() == own.strides() && t.dtype() == own.dtype()) { // p.data -= x
      own->version = t->version;
      return 0;
    }
    t->requires_grad = own.requires_grad() && is_floating(t.dtype());
    t->storage->parameter |= own->storage->parameter;
    rebind(o, t);
    return 0;
  });
}

PyObject *item(PyObject *self, PyObject *) { return tensor_item(self); }
PyObject *zero_grad(PyObject *self, PyObject *) {
  return set_grad(self, nullptr, nullptr) ? nullptr : Py_NewRef(Py_None);
}
PyObject *is_contiguous_(PyObject *self, PyObject *) { return PyBool_FromLong(tensor_of(self).contiguous()); }

PyObject *numpy(PyObject *self, PyObject *) {
  return guarded([&]() -> PyObject * {
    const Tensor &t = tensor_of(self);
    if (t.requires_grad())
      fail<RuntimeError>(
          "[numpy] the tensor requires grad, an array of it would escape the tape: use .detach().numpy()");
    return numpy_array(t, self);
  });
}

PyObject *array(PyObject *self, PyObject *args, PyObject *kwargs) { // __array__(dtype=None, copy=None)
  static const char *names[] = {"dtype", "copy", nullptr};
  PyObject *dtype = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:__array__", const_cast<char **>(names), &dtype, &copy))
    return nullptr;
  Ref a(guarded([&] { return numpy_array(tensor_of(self), self); }));
  if (!a)
    return nullptr;
  if (dtype != Py_None)
    a = Ref(PyObject_CallMethod(a.get(), "astype", "O", dtype));
  if (a && copy == Py_True && dtype == Py_None)
    a = Ref(PyObject_CallMethod(a.get(), "copy", nullptr));
  return a.release();
}

// The values as an array to read from: bfloat16, which NumPy lacks, as float32.
PyObject *readable_array(PyObject *self) {
  const Tensor &t = tensor_of(self);
  if (t.dtype() != Dtype::bfloat16)
    return numpy_array(t, self);
  GradMode off(false);
  Ref wide(wrap(ops::astype(ops::detach(t), Dtype::float32)));
  return numpy_array(tensor_of(wide.get()), wide.get());
}

PyObject *through_numpy(PyObject *self, const char *method, PyObject *argument = nullptr) {
  Ref a(guarded([&] { return readable_array(self); }));
  if (!a)
    return nullptr;
  return argument ? PyObject_CallMethod(a.get(), method, "O", argument) : PyObject_CallMethod(a.get(), method, nullptr);
}
PyObject *tolist(PyObject *self, PyObject *) { return through_numpy(self, "tolist"); }
PyObject *format(PyObject *self, PyObject *spec) {
  if (tensor_of(self).ndim() == 0) {
    Ref value(tensor_item(self));
    return value ? PyObject_Format(value.get(), spec) : nullptr;
  }
  if (PyUnicode_GetLength(spec) == 0)
    return PyObject_Str(self);
  PyErr_Format(PyExc_TypeError, "a tensor of %d axes takes no format, expected 0-d: print it with {}",
               tensor_of(self).ndim());
  return nullptr;
}

PyObject *dlpack_device(PyObject *, PyObject *) { return Py_BuildValue("(ii)", 1, 0); } // kDLCPU

// Pickled as bytes, dtype and shape; the history stays behind.
PyObject *reduce(PyObject *self, PyObject *) {
  return guarded([&]() -> PyObject * {
    check_readable("pickle or copy.deepcopy");
    GradMode off(false);
    Tensor t = ops::contiguous(ops::detach(tensor_of(self)));
    Ref core = Ref::checked(PyImport_ImportModule("cinta._core"));
    Ref make = Ref::checked(PyObject_GetAttrString(core.get(), "_from_bytes"));
    Ref bytes = Ref::checked(PyBytes_FromStringAndSize(t.data<char>(), Py_ssize_t(t.nbytes())));
    Ref shape(to_python(t.shape()));
    return Py_BuildValue("(O(OOOOi))", make.get(), Py_TYPE(self), bytes.get(), dtype_object(t.dtype()), shape.get(),
                         int(tensor_of(self).requires_grad() && !tensor_of(self)->creator));
  });
}

PyObject *deepcopy(PyObject *self, PyObject *) {
  Ref parts(reduce(self, nullptr));
  return parts ? PyObject_CallObject(PyTuple_GET_ITEM(parts.get(), 0), PyTuple_GET_ITEM(parts.get(), 1)) : nullptr;
}

PyObject *class_getitem(PyObject *type, PyObject *) { return Py_NewRef(type); } // Tensor[...] in annotations

std::string indent_array(PyObject *self) { // the values as NumPy prints them
  Ref a = Ref::checked(readable_array(self));
  static PyObject *array2string = [] {
    Ref numpy = Ref::checked(PyImport_ImportModule("numpy"));
    return Ref::checked(PyObject_GetAttrString(numpy.get(), "array2string")).release();
  }();
  Ref args(PyTuple_Pack(1, a.get())), kwargs(Py_BuildValue("{s:s,s:s}", "separator", ", ", "prefix", "tensor("));
  Ref text = Ref::checked(PyObject_Call(array2string, args.get(), kwargs.get()));
  return PyUnicode_AsUTF8(text.get());
}

} // namespace

PyObject *tensor_repr(PyObject *self) {
  return guarded([&]() -> PyObject * {
    const Tensor &t = tensor_of(self);
    std::string text = "tensor(" + indent_array(self);
    if (t.dtype() != Dtype::float32 && t.dtype() != Dtype::int64 && t.dtype() != Dtype::bool_)
      text += std::string(", dtype=") + info(t.dtype()).name;
    if (t->creator)
      text += std::string(", grad_fn=") + (t->creator->op ? t->creator->op->name() : "freed");
    else if (t.requires_grad())
      text += ", requires_grad=True";
    return PyUnicode_FromString((text + ")").c_str());
  });
}

PyObject *tensor_str(PyObject *self) {
  Ref a(guarded([&] { return readable_array(self); }));
  if (!a)
    return nullptr;
  if (tensor_of(self).ndim() == 0) { // as NumPy's scalars print: 2.772588722239781
    Ref empty(PyTuple_New(0));
    Ref scalar(PyObject_GetItem(a.get(), empty.get()));
    return scalar ? PyObject_Str(scalar.get()) : nullptr;
  }
  return PyObject_Str(a.get());
}

PyGetSetDef tensor_properties[] = {
    {"shape", get_shape, nullptr, "The size of every axis.", nullptr},
    {"strides", get_strides, nullptr, "How many elements lie between neighbours along every axis.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of axes.", nullptr},
    {"size", get_size, nullptr, "The number of elements.", nullptr},
    {"nbytes", get_nbytes, nullptr, "The bytes of all elements.", nullptr},
    {"itemsize", get_itemsize, nullptr, "The bytes of one element.", nullptr},
    {"dtype", get_dtype, nullptr, "The type of the elements.", nullptr},
    {"device", get_device, nullptr, "Where the elements lie: 'cpu'.", nullptr},
    {"version", get_version, nullptr, "How often the memory was written in place.", nullptr},
    {"is_leaf", get_is_leaf, nullptr, "Whether no recorded operation made it.", nullptr},
    {"T", get_T, nullptr, "The axes in reverse order, a view.", nullptr},
    {"mT", get_mT, nullptr, "The last two axes exchanged, a view.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad, "Whether gradients reach it.", nullptr},
    {"data", get_data, set_data, "The values without history; assigning exchanges a leaf's memory, dtype and shape.",
     nullptr},
    {"grad", get_grad, set_grad, "The gradient that backward() has summed up here, or None.", nullptr},
    {}};

PyMethodDef tensor_methods[] = {
    {"item", item, METH_NOARGS, "item()\n--\n\nThe value of a tensor of one element, as a Python number."},
    {"tolist", tolist, METH_NOARGS, "tolist()\n--\n\nThe values as nested Python lists."},
    {"numpy", numpy, METH_NOARGS, "numpy()\n--\n\nA NumPy array over the same memory."},
    {"is_contiguous", is_contiguous_, METH_NOARGS,
     "is_contiguous()\n--\n\nWhether the elements lie in order without gaps."},
    {"zero_grad", zero_grad, METH_NOARGS, "zero_grad()\n--\n\nForgets the gradient."},
    {"__array__", reinterpret_cast<PyCFunction>(reinterpret_cast<void *>(array)), METH_VARARGS | METH_KEYWORDS,
     nullptr},
    {"__dlpack__", reinterpret_cast<PyCFunction>(reinterpret_cast<void *>(tensor_dlpack)), METH_VARARGS | METH_KEYWORDS,
     nullptr},
    {"__dlpack_device__", dlpack_device, METH_NOARGS, nullptr},
    {"__format__", format, METH_O, nullptr},
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {"__deepcopy__", deepcopy, METH_O, nullptr},
    {"__class_getitem__", class_getitem, METH_O | METH_CLASS, nullptr},
    {}};

} // namespace cinta::python
