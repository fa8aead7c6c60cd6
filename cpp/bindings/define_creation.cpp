// Making tensors.
#include <cmath>

#include "bindings/function.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/shape.h"

namespace cinta::python {
namespace {

const Dims &sizes(const Dims &shape, const char *op) {
  for (int64_t size : shape)
    if (size < 0)
      fail<ValueError>("[", op, "] shape ", shape, " has a negative size, expected 0 or more in every axis");
  return shape;
}

// The data in the dtype asked for; floats must not be rounded to float32 on the way to float64.
Tensor converted(PyObject *data, std::optional<Dtype> dtype, const char *what) {
  if (dtype && PyFloat_CheckExact(data))
    return scalar(PyFloat_AS_DOUBLE(data), *dtype);
  Tensor x = to_tensor(data, what);
  if (!dtype)
    return x;
  if (*dtype == Dtype::float64 && x.dtype() == Dtype::float32 && !is_tensor(data) && PySequence_Check(data)) {
    Ref numpy = Ref::checked(PyImport_ImportModule("numpy"));
    Ref array = Ref::checked(PyObject_CallMethod(numpy.get(), "asarray", "(O)", data));
    x = from_array(array.get(), false);
  }
  return ops::astype(x, *dtype);
}

Tensor make_tensor(PyObject *data, std::optional<Dtype> dtype, bool requires_grad) {
  GradMode off(false);
  Tensor y = ops::keep_value(ops::detach(converted(data, dtype, "tensor")));
  if (requires_grad && !is_floating(y.dtype()))
    fail<TypeError>("[tensor] dtype ", y.dtype(),
                    " cannot require grad, expected a floating dtype: pass floats or dtype=ct.float32");
  if (requires_grad)
    set_requires_grad(y, true);
  return y;
}

Tensor filled(const Dims &shape, PyObject *value, std::optional<Dtype> dtype) {
  Tensor v = converted(value, dtype, "full");
  Tensor y = empty(sizes(shape, "full"), v.dtype());
  GradMode off(false);
  return ops::copy_inplace(y, v, "full");
}

bool is_integer_object(PyObject *o) { return PyLong_Check(o) || (!PyFloat_Check(o) && PyIndex_Check(o)); }

Tensor arange(PyObject *start, PyObject *stop, PyObject *step, std::optional<Dtype> dtype) {
  bool integers = is_integer_object(start) && (stop == Py_None || is_integer_object(stop)) && is_integer_object(step);
  double a = stop == Py_None ? 0 : From<double>::get(start, "arange");
  double b = From<double>::get(stop == Py_None ? start : stop, "arange"), s = From<double>::get(step, "arange");
  if (s == 0)
    fail<ValueError>("[arange] step is 0, expected any other number");
  int64_t n = int64_t(std::max(std::ceil((b - a) / s), 0.0));
  Tensor y = empty({n}, integers ? Dtype::int64 : Dtype::float64);
  for (int64_t i = 0; i < n; ++i)
    if (integers)
      y.data<int64_t>()[i] = int64_t(a) + i * int64_t(s);
    else
      y.data<double>()[i] = a + double(i) * s;
  return ops::astype(y, dtype.value_or(integers ? Dtype::int64 : Dtype::float32));
}

Tensor linspace(double start, double stop, int64_t num, bool endpoint, std::optional<Dtype> dtype) {
  if (num < 0)
    fail<ValueError>("[linspace] num is ", num, ", expected 0 or more");
  Tensor y = empty({num}, Dtype::float64);
  const double steps = double(endpoint ? num - 1 : num);
  for (int64_t i = 0; i < num; ++i)
    y.data<double>()[i] =
        endpoint && i == num - 1 && i > 0 ? stop : start + double(i) * ((stop - start) / std::max(steps, 1.0));
  return ops::astype(y, dtype.value_or(Dtype::float32));
}

Tensor eye(int64_t n, std::optional<int64_t> m, int64_t k, std::optional<Dtype> dtype) {
  GradMode off(false);
  Tensor y = zeros(sizes({n, m.value_or(n)}, "eye"), dtype.value_or(Dtype::float32));
  Tensor d = ops::diagonal(y, k, 0, 1);
  ops::copy_inplace(d, scalar(1, y.dtype()));
  return y;
}

Tensor make_like(const Tensor &x, std::optional<Dtype> dtype, double value) {
  return full(x.shape(), value, dtype.value_or(x.dtype()));
}

} // namespace

void define_creation() {
  define<make_tensor>(
      "tensor(data, dtype=None, requires_grad=False)",
      "A new tensor with a copy of the data.\n\nPython floats become float32, ints int64, bools bool; arrays and "
      "tensors keep their dtype.\n\n>>> ct.tensor([[1.0, 2.0], [3.0, 4.0]]).shape\n(2, 2)");
  define<[](PyObject *data, std::optional<Dtype> dtype) { return converted(data, dtype, "asarray"); }>(
      "asarray(data, dtype=None)",
      "A tensor over the data's memory where that is possible (arrays of a matching dtype), else a copy.");
  define<[](const Dims &shape, std::optional<Dtype> dtype) {
    return zeros(sizes(shape, "zeros"), dtype.value_or(Dtype::float32));
  }>("zeros(shape, dtype=None)", "A tensor of zeros, float32 unless dtype says otherwise.");
  define<[](const Dims &shape, std::optional<Dtype> dtype) {
    return full(sizes(shape, "ones"), 1, dtype.value_or(Dtype::float32));
  }>("ones(shape, dtype=None)", "A tensor of ones, float32 unless dtype says otherwise.");
  define<[](const Dims &shape, std::optional<Dtype> dtype) {
    return empty(sizes(shape, "empty"), dtype.value_or(Dtype::float32));
  }>("empty(shape, dtype=None)", "A tensor whose contents are undefined: whatever the memory held.");
  define<filled>("full(shape, fill_value, dtype=None)", "A tensor with fill_value everywhere.");
  define<arange>("arange(start, stop=None, step=1, dtype=None)",
                 "start, start + step, ... below stop; with one argument 0, 1, ... below it.");
  define<linspace>("linspace(start, stop, num=50, endpoint=True, dtype=None)",
                   "num evenly spaced numbers from start to stop.");
  define<eye>("eye(n, m=None, k=0, dtype=None)", "A matrix [n, m] with ones on the k-th diagonal and zeros elsewhere.");
  define<[](const Tensor &x, std::optional<Dtype> dtype) { return make_like(x, dtype, 0); }>(
      "zeros_like(x, dtype=None)", "Zeros of x's shape and dtype.");
  define<[](const Tensor &x, std::optional<Dtype> dtype) { return make_like(x, dtype, 1); }>(
      "ones_like(x, dtype=None)", "Ones of x's shape and dtype.");
  define<[](const Tensor &x, std::optional<Dtype> dtype) { return empty(x.shape(), dtype.value_or(x.dtype())); }>(
      "empty_like(x, dtype=None)", "Undefined contents in x's shape and dtype.");
  define<[](const Tensor &x, PyObject *value, std::optional<Dtype> dtype) {
    return filled(x.shape(), value, dtype.value_or(x.dtype()));
  }>("full_like(x, fill_value, dtype=None)", "fill_value everywhere in x's shape and dtype.");
}

} // namespace cinta::python
