// What functions see besides their arguments, for python/cinta/replay/: reach.py and captured.py.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <unordered_set>

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

// A module and all below it, parents first, as Module.named_modules goes.
class ModuleWalk {
public:
  ModuleWalk(py::str label, py::dict seen) : label_(std::move(label)), seen_(std::move(seen)) {}

  // (path, module) of each; (label, module, a copy of its attributes); tensors among these; and, with labels, what else
  // can lead further. What is in `seen`, by identity, led there before.
  py::tuple from(const py::object &root) {
    visit(root, py::str());
    for (const py::handle &entry : attributes_)
      for (const auto &[name, value] : py::reinterpret_borrow<py::dict>(PyTuple_GET_ITEM(entry.ptr(), 2)))
        look(py::reinterpret_borrow<py::object>(PyTuple_GET_ITEM(entry.ptr(), 0)), name, value);
    return py::make_tuple(walk_, attributes_, tensors_, further_);
  }

private:
  static py::object owned(PyObject *o) {
    if (!o)
      throw py::error_already_set();
    return py::reinterpret_steal<py::object>(o);
  }
  static py::str interned(const char *name) { return owned(PyUnicode_InternFromString(name)); }
  static py::object join(const py::object &outer, const py::handle &inner) { // by a dot
    const Py_ssize_t n = PyUnicode_GET_LENGTH(outer.ptr()), m = PyUnicode_GET_LENGTH(inner.ptr());
    if (!n || !m)
      return n ? outer : py::reinterpret_borrow<py::object>(inner);
    const Py_UCS4 widest = std::max(PyUnicode_MAX_CHAR_VALUE(outer.ptr()), PyUnicode_MAX_CHAR_VALUE(inner.ptr()));
    py::object text = owned(PyUnicode_New(n + 1 + m, widest));
    PyUnicode_CopyCharacters(text.ptr(), 0, outer.ptr(), 0, n);
    PyUnicode_WriteChar(text.ptr(), n, '.');
    PyUnicode_CopyCharacters(text.ptr(), n + 1, inner.ptr(), 0, m);
    return text;
  }
  bool is_registry(const py::handle &name) const { // interned, as names of attributes are
    return name.is(modules_) || name.is(parameters_) || name.is(buffers_);
  }

  void visit(const py::object &module, const py::object &path) {
    if (!visited_.insert(module.ptr()).second)
      return;
    seen_[owned(PyLong_FromVoidPtr(module.ptr()))] = module;
    walk_.append(py::make_tuple(path, module));
    const py::object own = module.attr(dict_);
    attributes_.append(py::make_tuple(join(label_, path), module, owned(PyDict_Copy(own.ptr()))));
    for (const auto &[name, _] : py::dict(own[modules_]))
      if (const py::object child = own[name]; !child.is_none())
        visit(child, join(path, name));
  }
  void look(const py::object &where, const py::handle &name, const py::handle &value) {
    if (is_plain(value.ptr()) || is_registry(name) ||
        (PyTuple_CheckExact(value.ptr()) && holds_plain_alone(value.ptr())))
      return;
    const py::object key = owned(PyLong_FromVoidPtr(value.ptr()));
    const int seen = PyDict_Contains(seen_.ptr(), key.ptr());
    if (seen < 0 || (!seen && is_tensor(value.ptr()) && PyDict_SetItem(seen_.ptr(), key.ptr(), value.ptr())))
      throw py::error_already_set();
    if (!seen && is_tensor(value.ptr()))
      tensors_.append(value);
    else if (!seen)
      further_.append(py::make_tuple(value, join(where, name)));
  }

  const py::str dict_ = interned("__dict__"), modules_ = interned("_module_names"),
                parameters_ = interned("_parameter_names"), buffers_ = interned("_buffer_names");
  py::str label_;
  py::dict seen_;
  std::unordered_set<PyObject *> visited_;
  py::list walk_, attributes_, tensors_, further_;
};

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

// How far b begins after a, where they overlap.
std::optional<ptrdiff_t> overlap(const Tensor &a, const Tensor &b) {
  if (a->storage.get() != b->storage.get())
    return std::nullopt;
  const Region of_a(a), of_b(b);
  const bool both = of_a.begin < of_b.end && of_b.begin < of_a.end;
  return both ? std::optional<ptrdiff_t>(b.data<char>() - a.data<char>()) : std::nullopt;
}

// What calls with these tensors must have in common to share a recording: dtypes, shapes, strides, whether they require
// grad, and how those that share memory lie to each other.
py::bytes forms(const py::list &list) {
  std::string bytes;
  const auto add = [&](auto... numbers) {
    const int64_t all[] = {int64_t(numbers)...};
    bytes.append(reinterpret_cast<const char *>(all), sizeof all);
  };
  const std::vector<Tensor> tensors = tensors_in(list);
  for (size_t k = 0; k < tensors.size(); ++k) {
    const Tensor &x = tensors[k];
    add(x.dtype(), x.requires_grad(), x.ndim());
    for (int d = 0; d < x.ndim(); ++d)
      add(x.shape()[d], x.strides()[d]);
    for (size_t j = 0; j < k; ++j)
      if (const auto distance = overlap(tensors[j], x))
        add(j, *distance);
    add(-1);
  }
  return bytes;
}

} // namespace

void define_captured(PyObject *module) {
  py::module_ m = py::reinterpret_borrow<py::module_>(module);
  py::class_<Guards>(m, "_Guards").def(py::init(&guards_of), py::arg("guards")).def("broken", [](Guards &g) {
    return first_broken(g.all);
  });
  m.def(
      "_walk_modules",
      [](const py::object &root, const py::str &label, const py::dict &seen) {
        return ModuleWalk(label, seen).from(root);
      },
      py::arg("root"), py::arg("label"), py::arg("seen"));
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
  m.def("_overlap", [](const py::object &a, const py::object &b) {
    return overlap(tensor_of(a.ptr()), tensor_of(b.ptr())).has_value();
  });
  m.def("_forms", forms, py::arg("tensors"));
  m.def("_moved", [](const py::list &tensors, const py::list &aliases) { // the first with other memory, or -1
    const std::vector<Tensor> now = tensors_in(tensors), then = tensors_in(aliases);
    const auto moved = [](const Tensor &x, const Tensor &y) { // empty ones lie nowhere
      return x.size() && (x->storage.get() != y->storage.get() || x.data() != y.data());
    };
    for (size_t k = 0; k < now.size(); ++k)
      if (moved(now[k], then[k]))
        return int(k);
    return -1;
  });
  m.def("_own_bytes", [](const py::handle &o) { // an object's own memory, without what it refers to
    const Py_ssize_t head = sizeof(PyObject), all = Py_TYPE(o.ptr())->tp_basicsize;
    return py::bytes(reinterpret_cast<const char *>(o.ptr()) + head, size_t(std::max(head, all) - head));
  });
}

} // namespace cinta::python
