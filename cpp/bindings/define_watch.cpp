// What ct.Monitor and ct.debug look at a running training with.
#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/function.h"
#include "bindings/replay.h"
#include "cinta/ops/statistics.h"
#include "cinta/watch/finite.h"

namespace py = pybind11;

namespace cinta::python {
namespace {

py::list list_of(const std::vector<Tensor> &tensors) { return py::reinterpret_steal<py::list>(to_python(tensors)); }

// Listens to this thread's work from start() to stop().
class PythonWatch {
public:
  PythonWatch(bool infinity, const py::object &fault)
      : watch_(infinity, [fault](const watch::Fault &f) {
          const py::tuple args =
              py::make_tuple(f.op, f.backward, f.scope, f.line, f.now, list_of(f.in), list_of(f.out));
          Ref::checked(PyObject_CallObject(fault.ptr(), args.ptr()));
        }) {}
  ~PythonWatch() { stop(); }
  PythonWatch(const PythonWatch &) = delete;
  PythonWatch &operator=(const PythonWatch &) = delete;

  void start() {
    if (recorder())
      fail<RuntimeError>("[debug] ", recording() ? "a function is being recorded by ct.compile" : "is on already",
                         " in this thread, expected one at a time: put the call inside the with block");
    tape_state().recorder = &watch_;
  }
  void stop() {
    if (tape_state().recorder == &watch_)
      tape_state().recorder = nullptr;
  }
  int scope() const { return watch_.scope; }
  void set_scope(int scope) { watch_.scope = scope; }

private:
  watch::FiniteWatch watch_;
};

} // namespace

void define_statistics() {
  define<ops::unit_statistics>(
      "unit_statistics(x, axis, low, high)",
      "For each unit along an axis of x: its sum, its sum of squares, and how many of its values lie outside of\n"
      "(low, high); float64 [3, units], in one pass over x.");
}

void define_watch(PyObject *module) {
  py::module_ m = py::reinterpret_borrow<py::module_>(module);
  py::class_<PythonWatch>(m, "_FiniteWatch", "Looks for NaN and infinity in every result; see ct.debug.")
      .def(py::init<bool, py::object>(), py::arg("infinity"), py::arg("fault"))
      .def("start", &PythonWatch::start)
      .def("stop", &PythonWatch::stop)
      .def_property("scope", &PythonWatch::scope, &PythonWatch::set_scope);
  m.def(
      "_want_eager", [](bool wanted) { tape_state().eager += wanted ? 1 : -1; }, py::arg("wanted"),
      "Lets compiled functions run as they were written in this thread, until that is taken back.");
  m.def("_is_eager", [] { return tape_state().eager > 0; });
}

} // namespace cinta::python
