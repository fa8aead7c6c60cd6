// The operators of Tensor, as CPython's number slots: the hot path of every program.
#include "bindings/convert.h"
#include "cinta/ops/autocast.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/matmul.h"

namespace cinta::python {
namespace {

using ops::BinaryOp;
using ops::CompareOp;
using ops::UnaryOp;

template <BinaryOp op> PyObject *binary(PyObject *a, PyObject *b) {
  try {
    if (Py_TYPE(a) == tensor_type && Py_TYPE(b) == tensor_type)
      return wrap(ops::binary(op, tensor_of(a), tensor_of(b)));
    Tensor x, y;
    if (!to_pair(a, b, x, y))
      Py_RETURN_NOTIMPLEMENTED;
    return wrap(ops::binary(op, x, y));
  } catch (...) {
    return raise_current();
  }
}

template <BinaryOp op> PyObject *inplace(PyObject *a, PyObject *b) {
  try {
    Tensor x, y;
    if (!to_pair(a, b, x, y))
      Py_RETURN_NOTIMPLEMENTED;
    rebind(a, ops::binary_inplace(op, x, y));
    return Py_NewRef(a);
  } catch (...) {
    return raise_current();
  }
}

template <UnaryOp op> PyObject *unary(PyObject *a) {
  try {
    return wrap(ops::unary(op, tensor_of(a)));
  } catch (...) {
    return raise_current();
  }
}

PyObject *positive(PyObject *a) { return Py_NewRef(a); }

PyObject *power(PyObject *a, PyObject *b, PyObject *modulus) {
  if (modulus != Py_None)
    Py_RETURN_NOTIMPLEMENTED;
  if (is_tensor(a) && is_floating(tensor_of(a).dtype()) && (PyFloat_CheckExact(b) || PyLong_CheckExact(b))) {
    double exponent = PyFloat_AsDouble(b);
    if (exponent == 2) // exact, and its derivative needs no logarithm
      return unary<UnaryOp::Square>(a);
    if (exponent == 1)
      return guarded([&] { return wrap(ops::multiply(tensor_of(a), 1.0)); });
    PyErr_Clear();
  }
  return binary<BinaryOp::Pow>(a, b);
}
PyObject *inplace_power(PyObject *a, PyObject *b, PyObject *) { return inplace<BinaryOp::Pow>(a, b); }

PyObject *matmul(PyObject *a, PyObject *b) {
  return guarded([&]() -> PyObject * {
    Tensor x, y;
    if (!to_pair(a, b, x, y))
      Py_RETURN_NOTIMPLEMENTED;
    return wrap(ops::matmul(ops::autocast(ops::Autocast::half, x), ops::autocast(ops::Autocast::half, y)));
  });
}

PyObject *compare(PyObject *a, PyObject *b, int operation) {
  static constexpr CompareOp ops_of[] = {CompareOp::Less,     CompareOp::LessEqual, CompareOp::Equal,
                                         CompareOp::NotEqual, CompareOp::Greater,   CompareOp::GreaterEqual};
  return guarded([&]() -> PyObject * {
    Tensor x, y;
    if (!to_pair(a, b, x, y))
      Py_RETURN_NOTIMPLEMENTED;
    return wrap(ops::compare(ops_of[operation], x, y));
  });
}

Tensor single(PyObject *a, const char *what) {
  const Tensor &t = tensor_of(a);
  if (t.size() != 1)
    fail<ValueError>("[", what, "] a tensor of shape ", t.shape(), " is not one value, expected one element",
                     std::string(what) == "bool" ? ": use .any() or .all()" : ": index it, or use .tolist()");
  check_readable(std::string(what) == "item" ? ".item()" : std::string(what) == "bool" ? "bool() or if" : what);
  GradMode off(false);
  return ops::contiguous_native(t);
}

int truth(PyObject *a) {
  return guarded([&]() -> int {
    Tensor t = single(a, "bool");
    switch (compute_type(t.dtype())) {
    case kernels::Compute::f32:
      return *t.data<float>() != 0;
    case kernels::Compute::f64:
      return *t.data<double>() != 0;
    default:
      return *t.data<int64_t>() != 0;
    }
  });
}

PyObject *item(PyObject *a, const char *what) {
  return guarded([&]() -> PyObject * {
    Tensor t = single(a, what);
    switch (compute_type(t.dtype())) {
    case kernels::Compute::f32:
      return PyFloat_FromDouble(double(*t.data<float>()));
    case kernels::Compute::f64:
      return PyFloat_FromDouble(*t.data<double>());
    case kernels::Compute::u64:
      return PyLong_FromUnsignedLongLong(*t.data<uint64_t>());
    default:
      break;
    }
    if (tensor_of(a).dtype() == Dtype::bool_)
      return PyBool_FromLong(*t.data<int64_t>() != 0);
    return PyLong_FromLongLong(*t.data<int64_t>());
  });
}

PyObject *to_float(PyObject *a) {
  Ref value(item(a, "float"));
  return value ? PyNumber_Float(value.get()) : nullptr;
}
PyObject *to_int(PyObject *a) {
  Ref value(item(a, "int"));
  return value ? PyNumber_Long(value.get()) : nullptr;
}
PyObject *to_index(PyObject *a) {
  if (is_floating(tensor_of(a).dtype()) || tensor_of(a).ndim() > 0) {
    PyErr_Format(PyExc_TypeError, "only a 0-d tensor of integers can be an index, got %d axes of %s",
                 tensor_of(a).ndim(), info(tensor_of(a).dtype()).name);
    return nullptr;
  }
  return to_int(a);
}

PyObject *divmod(PyObject *a, PyObject *b) {
  Ref q(binary<BinaryOp::FloorDivide>(a, b));
  Ref r(q ? binary<BinaryOp::Remainder>(a, b) : nullptr);
  return r ? PyTuple_Pack(2, q.get(), r.get()) : nullptr;
}

template <class F> void *slot(F f) { return reinterpret_cast<void *>(f); }

} // namespace

PyObject *tensor_item(PyObject *self) { return item(self, "item"); }

PyType_Slot operator_slots[] = {
    {Py_nb_add, slot(binary<BinaryOp::Add>)},
    {Py_nb_subtract, slot(binary<BinaryOp::Sub>)},
    {Py_nb_multiply, slot(binary<BinaryOp::Mul>)},
    {Py_nb_true_divide, slot(binary<BinaryOp::Div>)},
    {Py_nb_floor_divide, slot(binary<BinaryOp::FloorDivide>)},
    {Py_nb_remainder, slot(binary<BinaryOp::Remainder>)},
    {Py_nb_divmod, slot(divmod)},
    {Py_nb_power, slot(power)},
    {Py_nb_matrix_multiply, slot(matmul)},
    {Py_nb_and, slot(binary<BinaryOp::BitwiseAnd>)},
    {Py_nb_or, slot(binary<BinaryOp::BitwiseOr>)},
    {Py_nb_xor, slot(binary<BinaryOp::BitwiseXor>)},
    {Py_nb_lshift, slot(binary<BinaryOp::LeftShift>)},
    {Py_nb_rshift, slot(binary<BinaryOp::RightShift>)},
    {Py_nb_inplace_add, slot(inplace<BinaryOp::Add>)},
    {Py_nb_inplace_subtract, slot(inplace<BinaryOp::Sub>)},
    {Py_nb_inplace_multiply, slot(inplace<BinaryOp::Mul>)},
    {Py_nb_inplace_true_divide, slot(inplace<BinaryOp::Div>)},
    {Py_nb_inplace_floor_divide, slot(inplace<BinaryOp::FloorDivide>)},
    {Py_nb_inplace_remainder, slot(inplace<BinaryOp::Remainder>)},
    {Py_nb_inplace_power, slot(inplace_power)},
    {Py_nb_inplace_and, slot(inplace<BinaryOp::BitwiseAnd>)},
    {Py_nb_inplace_or, slot(inplace<BinaryOp::BitwiseOr>)},
    {Py_nb_inplace_xor, slot(inplace<BinaryOp::BitwiseXor>)},
    {Py_nb_inplace_lshift, slot(inplace<BinaryOp::LeftShift>)},
    {Py_nb_inplace_rshift, slot(inplace<BinaryOp::RightShift>)},
    {Py_nb_negative, slot(unary<UnaryOp::Neg>)},
    {Py_nb_positive, slot(positive)},
    {Py_nb_absolute, slot(unary<UnaryOp::Abs>)},
    {Py_nb_invert, slot(unary<UnaryOp::Invert>)},
    {Py_nb_bool, slot(truth)},
    {Py_nb_float, slot(to_float)},
    {Py_nb_int, slot(to_int)},
    {Py_nb_index, slot(to_index)},
    {Py_tp_richcompare, slot(compare)},
    {0, nullptr},
};

} // namespace cinta::python
