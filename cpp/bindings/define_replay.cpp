// Recordings and replays for Python; what users see of them is python/cinta/replay/.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/function.h"
#include "bindings/replay.h"
#include "cinta/ops/elementwise.h"
#include "cinta/replay/passes/passes.h"
#include "cinta/replay/profile.h"
#include "cinta/replay/recording.h"

namespace py = pybind11;

namespace cinta::python {

void set_last(PyObject *self, std::shared_ptr<Replay> replay);

namespace {

std::vector<Tensor> tensors_of(const py::list &list) {
  std::vector<Tensor> tensors;
  for (const py::handle &o : list)
    tensors.push_back(o.is_none() ? Tensor() : to_tensor(o.ptr(), "compile"));
  return tensors;
}
py::list list_of(const std::vector<Tensor> &tensors) { return py::reinterpret_steal<py::list>(to_python(tensors)); }
py::object checked(PyObject *o) {
  if (!o)
    throw py::error_already_set();
  return py::reinterpret_steal<py::object>(o);
}

// A recording of this thread's work, from its making to finish() or abandon().
class PythonRecording {
public:
  // `layers`: the paths of the modules that are being called, the innermost last.
  PythonRecording(std::string name, const py::list &inputs, const py::list &layers)
      : inputs_(inputs), recording_(std::move(name), tensors_of(inputs), [layers] { return last_of(layers); }) {
    if (recorder())
      fail<RuntimeError>("[compile] a recording is under way in this thread, expected one at a time");
    tape_state().recorder = &recording_;
  }
  ~PythonRecording() { abandon(); }
  PythonRecording(const PythonRecording &) = delete;
  PythonRecording &operator=(const PythonRecording &) = delete;

  void abandon() {
    if (tape_state().recorder == &recording_)
      tape_state().recorder = nullptr;
  }
  void pause() {
    recording_.pause();
    abandon();
  }
  void resume() {
    recording_.resume();
    tape_state().recorder = &recording_;
  }
  replay::Program finish(const py::list &results) {
    abandon();
    return recording_.finish(tensors_of(results));
  }
  py::list leaves() const { return list_of(recording_.leaves()); }
  void begin_backward(const py::list &seeds) { recording_.begin_backward(tensors_of(seeds)); }
  std::pair<replay::Program, replay::Program> finish_both(const py::list &results, const py::list &gradients) {
    abandon();
    return recording_.finish_both(tensors_of(results), tensors_of(gradients));
  }
  std::vector<std::string> leaked() const { return recording_.leaked(); }

private:
  static std::string_view last_of(const py::list &names) {
    const Py_ssize_t n = PyList_GET_SIZE(names.ptr());
    Py_ssize_t size = 0;
    const char *text = n ? PyUnicode_AsUTF8AndSize(PyList_GET_ITEM(names.ptr(), n - 1), &size) : "";
    return {text, size_t(size)};
  }

  py::list inputs_;
  replay::Recording recording_;
};

// Guards hold what may hold the function itself: cycles that Python's collector has to see.
void collected(PyHeapTypeObject *heap) {
  PyTypeObject *type = &heap->ht_type;
  type->tp_flags |= Py_TPFLAGS_HAVE_GC;
  type->tp_traverse = [](PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    return py::detail::is_holder_constructed(self) ? py::cast<const Replay &>(py::handle(self)).traverse(visit, arg)
                                                   : 0;
  };
  type->tp_clear = [](PyObject *self) {
    if (py::detail::is_holder_constructed(self))
      py::cast<Replay &>(py::handle(self)).clear();
    return 0;
  };
}

py::object operand(const replay::Program &p, const replay::Operand &x) {
  if (!x)
    return py::none();
  py::dict d;
  d["value"] = x.value;
  d["offset"] = x.offset;
  d["shape"] = checked(to_python(x.shape));
  d["strides"] = checked(to_python(x.strides));
  d["dtype"] = info(x.dtype).name;
  d["itemsize"] = itemsize(x.dtype);
  const replay::Value &v = p.values[size_t(x.value)];
  const Shape &shape = x.shape;
  bool one = v.role == replay::Role::constant && count(shape) > 0; // number, perhaps spread over a shape
  for (int axis = 0; axis < shape.size(); ++axis)
    one = one && (shape[axis] == 1 || x.strides[axis] == 0);
  if (one) // a copy of it
    d["constant"] =
        checked(wrap(ops::keep_value(from_storage(v.storage, v.storage->data + x.offset, {}, {}, x.dtype))));
  return d;
}
py::list operands(const replay::Program &p, const std::vector<replay::Operand> &xs) {
  py::list list;
  for (const replay::Operand &x : xs)
    list.append(operand(p, x));
  return list;
}

int state_of(const replay::Program &p, const Tensor &x) { // the value that is its memory, or -1
  for (size_t k = 0; k < p.values.size(); ++k)
    if (p.values[k].role == replay::Role::state && p.values[k].storage.get() == x->storage.get())
      return int(k);
  return -1;
}

// A program as plain Python data, for printing and drawing.
py::dict describe(const replay::Program &p) {
  const auto described = [&](const std::vector<replay::Instruction> &list) {
    py::list instructions;
    for (const replay::Instruction &i : list) {
      py::dict d;
      d["name"] = i.name;
      d["in"] = operands(p, i.in);
      d["out"] = operands(p, i.out);
      d["flops"] = i.flops;
      d["layer"] = p.layers[size_t(i.layer)];
      d["backward"] = i.backward;
      d["site"] = cinta::describe(p.sites[size_t(i.site)]);
      d["parts"] = i.parts;
      instructions.append(d);
    }
    return instructions;
  };
  py::list values, leaves;
  for (const replay::Value &v : p.values) {
    py::dict d;
    d["role"] = replay::name_of(v.role);
    d["bytes"] = v.bytes;
    d["number"] = v.number;
    d["offset"] = v.offset;
    d["parameter"] = v.parameter;
    values.append(d);
  }
  for (const replay::Leaf &l : p.leaves) {
    py::dict d;
    d["input"] = l.input;
    d["state"] = l.input < 0 ? state_of(p, l.tensor) : -1;
    d["found"] = operand(p, l.read ? l.found : replay::Operand());
    d["grad"] = operand(p, l.set ? l.grad : replay::Operand());
    d["rows"] = operand(p, l.set ? l.rows : replay::Operand());
    leaves.append(d);
  }
  py::dict d;
  d["values"] = values;
  d["instructions"] = described(p.instructions);
  d["invariants"] = described(p.invariants);
  d["results"] = operands(p, p.results);
  d["leaves"] = leaves;
  d["inputs"] = p.inputs;
  d["arena"] = p.arena;
  d["bytes_before"] = p.bytes_before;
  d["instructions_before"] = p.instructions_before;
  d["fused_groups"] = p.fused_groups;
  return d;
}

} // namespace

void define_replay(PyObject *module) {
  init_compiled_type(module);
  py::module_ m = py::reinterpret_borrow<py::module_>(module);
  py::class_<replay::Program>(m, "_Program").def("describe", describe);
  py::class_<PythonRecording>(m, "_Recording", "Records this thread's work; see ct.compile.")
      .def(py::init<std::string, py::list, py::list>(), py::arg("name"), py::arg("inputs"), py::arg("layers"))
      .def("pause", &PythonRecording::pause)
      .def("resume", &PythonRecording::resume)
      .def("abandon", &PythonRecording::abandon)
      .def("finish", &PythonRecording::finish, py::arg("results"))
      .def("leaves", &PythonRecording::leaves)
      .def("begin_backward", &PythonRecording::begin_backward, py::arg("seeds"))
      .def("finish_both", &PythonRecording::finish_both, py::arg("results"), py::arg("gradients"))
      .def("leaked", &PythonRecording::leaked);
  py::class_<Replay, std::shared_ptr<Replay>>(m, "_Replay", "A recording that can be run; see ct.compile.",
                                              py::custom_type_setup(collected))
      .def(py::init([](replay::Program &program, std::vector<std::string> passes, Guards &guards, const py::list &seen,
                       py::object host, py::object rebuild, const py::list &inputs) {
             std::vector<Ref> tensors;
             for (const py::handle &t : seen)
               tensors.push_back(Ref::borrowed(t.ptr()));
             return std::make_shared<Replay>( // which takes program and guards over
                 std::move(program), std::move(passes), std::move(guards.all), tensors,
                 host.is_none() ? Ref() : Ref::borrowed(host.ptr()),
                 rebuild.is_none() ? Ref() : Ref::borrowed(rebuild.ptr()), tensors_of(inputs));
           }),
           py::arg("program"), py::arg("passes"), py::arg("guards"), py::arg("seen"), py::arg("host"),
           py::arg("rebuild"), py::arg("inputs"))
      .def("broken_guard", [](Replay &r) { return first_broken(r.guards); })
      .def("set_guard",
           [](Replay &r, int k, const py::object &o) {
             r.guards[size_t(k)].expected = Ref::borrowed(o.ptr());
             r.guards[size_t(k)].version = 0;
           })
      .def("why_not",
           [](Replay &r, const py::list &inputs) { // "": it accepts them
             std::string why;
             return r.accepts(tensors_of(inputs), &why) ? std::string() : why;
           })
      .def_readwrite("differentiable", &Replay::differentiable)
      .def("state_versions", [](Replay &r) { return r.executable().state_versions(); })
      .def("call",
           [](Replay &r, const py::list &inputs) { // NotImplemented: the host does not fit
             PyObject *result = r.call(tensors_of(inputs));
             return result || PyErr_Occurred() ? checked(result)
                                               : py::reinterpret_borrow<py::object>(Py_NotImplemented);
           })
      .def("profile",
           [](Replay &r, const py::object &inputs, int runs) { // None: the latest call's
             std::vector<Tensor> given;
             if (!inputs.is_none())
               given = tensors_of(inputs);
             return replay::profile(r.executable(), inputs.is_none() ? nullptr : &given, runs);
           })
      .def("state_of",
           [](Replay &r, const py::object &x) { return state_of(r.executable().program(), tensor_of(x.ptr())); })
      .def("set_arguments",
           [](Replay &r, const py::object &arguments) { // None: not positional
             r.arguments.clear();
             r.positional = !arguments.is_none();
             for (const py::handle &o : r.positional ? py::list(arguments) : py::list()) {
               ArgumentSpec a{is_tensor(o.ptr()), Dtype::float32, {}, {}, false, Ref::borrowed(o.ptr())};
               if (a.tensor) {
                 const Tensor &t = tensor_of(o.ptr());
                 a = {true, t.dtype(), t.shape(), t.strides(), t.requires_grad(), Ref()};
               }
               r.arguments.push_back(std::move(a));
             }
           })
      .def("describe", [](Replay &r) { return describe(r.executable().program()); });
  m.def("_set_last", [](const py::object &compiled, std::shared_ptr<Replay> replay) {
    set_last(compiled.ptr(), std::move(replay));
  });
  m.def("_pass_names", replay::pass_names);
  m.def("_has_history", [](const py::object &x) { // that backward could still walk
    const Instr *creator = tensor_of(x.ptr())->creator;
    return creator && !creator->freed;
  });
  m.def(
      "is_recording", [] { return recording(); }, "Whether ct.compile is recording in this thread.");
}

} // namespace cinta::python
