// What functions see besides their arguments, for python/cinta/replay/: reach.py and captured.py.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "bindings/replay.h"
#include "cinta/tensor/writes.h"

namespace py = pybind11;

namespace cinta::python {
namespace {

Guards guards_of(const py::list &tuples) {
  static PyObject *const kinds[] = {PyUnicode_InternFromString("cell"),      PyUnicode_InternFromString("dict"),
                                    PyUnicode_InternFromString("item"),      PyUnicode_InternFromString("length"),
                                    PyUnicode_InternFromString("attribute"), PyUnicode_InternFromString("code"),
                                    PyUnicode_InternFromString("defaults"),  PyUnicode_InternFromString("equal"),
                                    PyUnicode_InternFromString("bytes")};
  Guards guards;
  guards.all.reserve(tuples.size());
  for (const py::handle &tuple : tuples) {
    const auto part = [&](int k) { return PyTuple_GET_ITEM(tuple.ptr(), k); };
    const auto kind = std::find(std::begin(kinds), std::end(kinds), part(0)); // literals are interned
    if (kind == std::end(kinds))
      fail<ValueError>("[compile] no guard is called '", PyUnicode_AsUTF8(part(0)), "'");
    guards.all.push_back({Guard::Kind(kind - kinds), Ref::borrowed(part(1)), Ref::borrowed(part(2)),
                          part(3) == Py_Ellipsis ? Ref() : Ref::borrowed(part(3)), part(4) == Py_True});
  }
  return guards;
}

bool is_plain(PyObject *o) { // of a type that reach.PLAIN has
  return o == Py_None || PyBool_Check(o) || PyLong_CheckExact(o) || PyFloat_CheckExact(o) || PyUnicode_CheckExact(o) ||
         PyBytes_CheckExact(o) || PyComplex_CheckExact(o);
}
bool holds_plain_alone(PyObject *tuple) {
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(tuple); ++k)
    if (!is_plain(PyTuple_GET_ITEM(tuple, k)))
      return false;
  return true;
}

// A copy of each object's attributes; and among all but those passed over, what can lead further: the number of the
// object, the name, the value.
py::tuple attributes(const py::list &objects, const py::tuple &passed_over) {
  py::list copies, further;
  for (size_t k = 0; k < objects.size(); ++k) {
    const py::dict own = objects[k].attr("__dict__");
    copies.append(py::reinterpret_steal<py::object>(PyDict_Copy(own.ptr())));
    for (const auto &[name, value] : own) {
      if (is_plain(value.ptr()) || (PyTuple_CheckExact(value.ptr()) && holds_plain_alone(value.ptr())))
        continue;
      if (std::none_of(passed_over.begin(), passed_over.end(), [n = name](const py::handle &p) { return p.is(n); }))
        further.append(py::make_tuple(k, name, value));
    }
  }
  return py::make_tuple(copies, further);
}

// A storage of its own over the same memory: what an argument reads is told from what the function sees by itself.
StorageRef twin_of(const StorageRef &s) {
  return StorageRef(wrap_storage(s->data, s->bytes, s->readonly, new StorageRef(s),
                                 [](void *owner) { delete static_cast<StorageRef *>(owner); }));
}

std::vector<Tensor> tensors_in(const py::list &list) {
  std::vector<Tensor> tensors;
  for (const py::handle &o : list)
    tensors.push_back(tensor_of(o.ptr()));
  return tensors;
}

} // namespace

void define_captured(PyObject *module) {
  py::module_ m = py::reinterpret_borrow<py::module_>(module);
  py::class_<Guards>(m, "_Guards").def(py::init(&guards_of), py::arg("guards")).def("broken", [](const Guards &g) {
    return first_broken(g.all);
  });
  m.def("_attributes", attributes, py::arg("objects"), py::arg("passed_over"));
  m.def("_apart", [](const py::list &inputs, const py::list &seen) {
    std::vector<Tensor> given = tensors_in(inputs);
    const std::vector<Tensor> others = tensors_in(seen);
    std::vector<std::pair<const Storage *, StorageRef>> twins;
    for (Tensor &x : given) {
      const Storage *own = x->storage.get();
      const auto shared = [&](const Tensor &other) { return other->storage.get() == own; };
      if (x.requires_grad() || std::none_of(others.begin(), others.end(), shared))
        continue;
      auto twin = std::find_if(twins.begin(), twins.end(), [&](const auto &t) { return t.first == own; });
      if (twin == twins.end())
        twin = twins.emplace(twins.end(), own, twin_of(x->storage));
      x = from_storage(twin->second, x.data<char>(), x.shape(), x.strides(), x.dtype());
    }
    return py::reinterpret_steal<py::list>(to_python(given));
  });
  m.def("_overlap", [](const py::object &a, const py::object &b) { // how far b begins after a, where they overlap
    const Tensor &x = tensor_of(a.ptr()), &y = tensor_of(b.ptr());
    const Region of_x(x), of_y(y);
    const bool overlap = x->storage.get() == y->storage.get() && of_x.begin < of_y.end && of_y.begin < of_x.end;
    return overlap ? std::optional<ptrdiff_t>(y.data<char>() - x.data<char>()) : std::nullopt;
  });
  m.def("_lie_alike", [](const py::object &a, const py::object &b) { // where they have elements at all
    const Tensor &x = tensor_of(a.ptr()), &y = tensor_of(b.ptr());
    return !x.size() || (x->storage.get() == y->storage.get() && x.data() == y.data());
  });
  m.def("_own_bytes", [](const py::handle &o) { // an object's own memory, without what it refers to
    const Py_ssize_t head = sizeof(PyObject), all = Py_TYPE(o.ptr())->tp_basicsize;
    return py::bytes(reinterpret_cast<const char *>(o.ptr()) + head, size_t(std::max(head, all) - head));
  });
}

} // namespace cinta::python
