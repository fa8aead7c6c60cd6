// Memory shared with others without copies: the buffer protocol, NumPy, DLPack; and bytes for pickling.
#include <cstring>

#include "bindings/function.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/shape.h"
#include "cinta/tape/compute.h"

namespace cinta::python {
namespace {

struct Export { // what a buffer looks at, kept alive while it is out
  Tensor tensor;
  Py_ssize_t shape[kMaxDims], strides[kMaxDims];
};

const char *format_of(Dtype dtype) {
  static const char *formats[] = {"f", "d", nullptr, "e", "b", "h", "i", "q", "B", "H", "I", "Q", "?"};
  return formats[int(dtype)];
}

// ---- DLPack, as dlpack.h lays it out: versioned (1.x), and plain for those that know no other
struct DLDevice {
  int32_t type, id;
};
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DLTensor {
  void *data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape, *strides;
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void *context;
  void (*deleter)(DLManagedTensor *);
};
struct DLManagedTensorVersioned {
  struct {
    uint32_t major, minor;
  } version;
  void *context;
  void (*deleter)(DLManagedTensorVersioned *);
  uint64_t flags;
  DLTensor tensor;
};
enum DLFlags : uint64_t { dl_read_only = 1, dl_copied = 2 };
template <class Managed> constexpr const char *kCapsule = "dltensor";
template <> inline constexpr const char *kCapsule<DLManagedTensorVersioned> = "dltensor_versioned";
enum DLCode : uint8_t { dl_int = 0, dl_uint = 1, dl_float = 2, dl_bfloat = 4, dl_bool = 6 };

DLDataType dl_type(Dtype dtype) {
  uint8_t bits = uint8_t(itemsize(dtype) * 8);
  uint8_t code = dtype == Dtype::bool_      ? dl_bool
                 : dtype == Dtype::bfloat16 ? dl_bfloat
                 : is_floating(dtype)       ? dl_float
                 : info(dtype).signed_      ? dl_int
                                            : dl_uint;
  return {code, bits, 1};
}

std::optional<Dtype> dtype_of_dl(DLDataType type) {
  for (int i = 0; i < kDtypes; ++i) {
    DLDataType t = dl_type(Dtype(i));
    if (t.code == type.code && t.bits == type.bits && type.lanes == 1)
      return Dtype(i);
  }
  return std::nullopt;
}

template <class Managed> struct DLExport {
  Tensor tensor;
  int64_t shape[kMaxDims], strides[kMaxDims];
  Managed managed;
};

template <class Managed> void destroy_export(Managed *m) {
  PyGILState_STATE gil = PyGILState_Ensure();
  auto *e = static_cast<DLExport<Managed> *>(m->context);
  end_export(*e->tensor->storage.get());
  delete e;
  PyGILState_Release(gil);
}

template <class Managed> void release_managed(void *owner) {
  auto *m = static_cast<Managed *>(owner);
  if (m->deleter)
    m->deleter(m);
}

template <class Managed> void destroy_capsule(PyObject *capsule) { // nobody took it
  if (PyCapsule_IsValid(capsule, kCapsule<Managed>))
    release_managed<Managed>(PyCapsule_GetPointer(capsule, kCapsule<Managed>));
}

template <class Managed> PyObject *to_capsule(const Tensor &t, uint64_t flags) {
  check_readable("DLPack");
  auto *e = new DLExport<Managed>{t, {}, {}, {}};
  for (int i = 0; i < t.ndim(); ++i) {
    e->shape[i] = t.shape()[i];
    e->strides[i] = t.strides()[i];
  }
  begin_export(*t->storage.get());
  Managed &m = e->managed;
  m.tensor = {t.data(), {1, 0}, t.ndim(), dl_type(t.dtype()), e->shape, e->strides, 0};
  m.context = e;
  m.deleter = destroy_export<Managed>;
  if constexpr (requires { m.version; }) {
    m.version = {1, 0};
    m.flags = flags;
  }
  return PyCapsule_New(&m, kCapsule<Managed>, destroy_capsule<Managed>);
}

template <class Managed> Tensor take_capsule(PyObject *capsule) {
  auto *m = static_cast<Managed *>(PyCapsule_GetPointer(capsule, kCapsule<Managed>));
  bool readonly = false;
  if constexpr (requires { m->version; }) {
    if (m->version.major > 1)
      fail<ValueError>("[from_dlpack] the capsule has DLPack version ", m->version.major, ".", m->version.minor,
                       ", expected 1.x");
    readonly = m->flags & dl_read_only;
  }
  const DLTensor &d = m->tensor;
  std::optional<Dtype> dtype = dtype_of_dl(d.dtype);
  if (d.device.type != 1)
    fail<ValueError>("[from_dlpack] the tensor lies on device type ", d.device.type, ", expected the CPU (1)");
  if (!dtype)
    fail<TypeError>("[from_dlpack] dtype code ", int(d.dtype.code), " with ", int(d.dtype.bits), " bits and ",
                    d.dtype.lanes, " lanes has no match here");
  Shape shape;
  Strides strides;
  for (int i = 0; i < d.ndim; ++i)
    shape.push_back(d.shape[i]);
  if (d.strides)
    for (int i = 0; i < d.ndim; ++i)
      strides.push_back(d.strides[i]);
  else
    strides = contiguous_strides(shape);
  char *data = static_cast<char *>(d.data) + d.byte_offset;
  const size_t bytes = size_t(count(shape)) * itemsize(*dtype);
  Tensor t = from_storage(StorageRef(wrap_storage(data, bytes, readonly, m, release_managed<Managed>)), data, shape,
                          strides, *dtype);
  PyCapsule_SetName(capsule, "used_dltensor");
  PyCapsule_SetDestructor(capsule, nullptr);
  return t;
}

// Asked for a versioned capsule first; who does not know the argument gives the plain one.
Ref ask_for_capsule(PyObject *source) {
  Ref method = Ref::checked(PyObject_GetAttrString(source, "__dlpack__"));
  Ref none(PyTuple_New(0)), wanted = Ref::checked(Py_BuildValue("{s:(ii)}", "max_version", 1, 0));
  if (PyObject *capsule = PyObject_Call(method.get(), none.get(), wanted.get()))
    return Ref(capsule);
  if (!PyErr_ExceptionMatches(PyExc_TypeError))
    throw PythonError();
  PyErr_Clear();
  return Ref::checked(PyObject_CallNoArgs(method.get()));
}

Tensor from_dlpack(PyObject *source) {
  Ref capsule = PyCapsule_CheckExact(source) ? Ref::borrowed(source) : ask_for_capsule(source);
  if (PyCapsule_IsValid(capsule.get(), kCapsule<DLManagedTensorVersioned>))
    return take_capsule<DLManagedTensorVersioned>(capsule.get());
  if (!PyCapsule_IsValid(capsule.get(), kCapsule<DLManagedTensor>))
    fail<ValueError>("[from_dlpack] the capsule holds no tensor, expected one that was not taken before");
  return take_capsule<DLManagedTensor>(capsule.get());
}

PyObject *from_bytes(PyObject *, PyObject *args) {
  PyObject *type, *bytes, *dtype, *shape;
  int requires_grad;
  if (!PyArg_ParseTuple(args, "OSOOi", &type, &bytes, &dtype, &shape, &requires_grad))
    return nullptr;
  return guarded([&]() -> PyObject * {
    Tensor t = empty(From<Dims>::get(shape, "unpickle"), From<Dtype>::get(dtype, "unpickle"));
    if (size_t(PyBytes_GET_SIZE(bytes)) != t.nbytes())
      fail<ValueError>("[unpickle] got ", PyBytes_GET_SIZE(bytes), " bytes, expected ", t.nbytes());
    std::memcpy(t.data(), PyBytes_AS_STRING(bytes), t.nbytes());
    if (requires_grad)
      set_requires_grad(t, true);
    Ref plain(wrap(t));
    if (type == reinterpret_cast<PyObject *>(tensor_type))
      return plain.release();
    return PyObject_CallFunction(type, "OO", plain.get(), requires_grad ? Py_True : Py_False);
  });
}

} // namespace

int tensor_get_buffer(PyObject *self, Py_buffer *buffer, int flags) {
  return guarded([&]() -> int {
    const Tensor &t = tensor_of(self);
    check_readable("an array's view (numpy(), tolist(), print)");
    const char *format = format_of(t.dtype());
    auto refuse = [&](const char *why) {
      PyErr_SetString(PyExc_BufferError, why);
      return -1;
    };
    buffer->obj = nullptr;
    if (!format)
      return refuse("bfloat16 has no buffer format: convert with .astype(ct.float32)");
    if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE && t->storage->readonly)
      return refuse("the tensor's memory is read-only");
    if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES && !t.contiguous())
      return refuse("the tensor is not contiguous: call .contiguous() first");
    auto *e = new Export{t, {}, {}};
    for (int i = 0; i < t.ndim(); ++i) {
      e->shape[i] = t.shape()[i];
      e->strides[i] = t.strides()[i] * Py_ssize_t(itemsize(t.dtype()));
    }
    if (!t->storage->readonly)
      begin_export(*t->storage.get());
    buffer->buf = t.data();
    buffer->obj = Py_NewRef(self);
    buffer->len = Py_ssize_t(t.nbytes());
    buffer->itemsize = Py_ssize_t(itemsize(t.dtype()));
    buffer->readonly = t->storage->readonly;
    buffer->ndim = t.ndim();
    buffer->format = flags & PyBUF_FORMAT ? const_cast<char *>(format) : nullptr;
    buffer->shape = flags & PyBUF_ND ? e->shape : nullptr;
    buffer->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? e->strides : nullptr;
    buffer->suboffsets = nullptr;
    buffer->internal = e;
    return 0;
  });
}

void tensor_release_buffer(PyObject *, Py_buffer *buffer) {
  auto *e = static_cast<Export *>(buffer->internal);
  if (!buffer->readonly)
    end_export(*e->tensor->storage.get());
  delete e;
}

PyObject *numpy_array(const Tensor &t, PyObject *owner) {
  check_readable(".numpy(), .tolist() or print");
  if (t.dtype() == Dtype::bfloat16)
    fail<TypeError>("[numpy] NumPy has no bfloat16, expected another dtype: convert with .astype(ct.float32)");
  static PyObject *asarray = [] {
    Ref numpy = Ref::checked(PyImport_ImportModule("numpy"));
    return Ref::checked(PyObject_GetAttrString(numpy.get(), "asarray")).release();
  }();
  Ref view = Ref::checked(PyMemoryView_FromObject(owner));
  return Ref::checked(PyObject_CallOneArg(asarray, view.get())).release();
}

PyObject *tensor_dlpack(PyObject *self, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"stream", "max_version", "dl_device", "copy", nullptr};
  PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", const_cast<char **>(names), &stream, &version,
                                   &device, &copy))
    return nullptr;
  return guarded([&]() -> PyObject * {
    Tensor t = tensor_of(self);
    if (t.requires_grad())
      fail<RuntimeError>("[__dlpack__] the tensor requires grad, others would not see its history: use .detach()");
    int type = 1, id = 0;
    unsigned major = 0, minor = 0;
    if (device != Py_None && !PyArg_ParseTuple(device, "ii", &type, &id))
      return nullptr;
    if (version != Py_None && !PyArg_ParseTuple(version, "II", &major, &minor))
      return nullptr;
    if (type != 1) {
      PyErr_Format(PyExc_BufferError, "[__dlpack__] asked for device type %d, expected the CPU (1)", type);
      return nullptr;
    }
    uint64_t flags = 0;
    if (copy != Py_None && PyObject_IsTrue(copy)) {
      t = ops::clone(t);
      flags |= dl_copied;
    }
    if (t->storage->readonly)
      flags |= dl_read_only;
    if (major >= 1)
      return to_capsule<DLManagedTensorVersioned>(t, flags);
    if (t->storage->readonly) {
      PyErr_SetString(PyExc_BufferError, "read-only memory cannot be handed out through DLPack below version 1: pass "
                                         "max_version=(1, 0), or copy it first");
      return nullptr;
    }
    return to_capsule<DLManagedTensor>(t, 0);
  });
}

void define_interchange(PyObject *module) {
  define<[](PyObject *source) { return from_dlpack(source); }>(
      "from_dlpack(x)", "A tensor over the memory of an array that speaks DLPack, without a copy.");
  static PyMethodDef bytes = {"_from_bytes", from_bytes, METH_VARARGS, nullptr};
  PyModule_AddObjectRef(module, "_from_bytes", Ref(PyCFunction_New(&bytes, nullptr)).get());
}

} // namespace cinta::python
