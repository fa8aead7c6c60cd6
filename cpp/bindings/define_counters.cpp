// What a step costs, for Python: FLOPs and allocations while a `with` lasts.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/function.h"
#include "cinta/tape/flop_counter.h"
#include "cinta/tensor/memory_trace.h"

namespace py = pybind11;

namespace cinta::python {
namespace {

class PythonFlopCounter {
public:
  ~PythonFlopCounter() { exit(); }
  void enter() {
    if (recorder())
      fail<RuntimeError>("FLOPs are counted, or a function recorded, in this thread already, expected one at a time");
    tape_state().recorder = &counter_;
  }
  void exit() {
    if (recorder() == &counter_)
      tape_state().recorder = nullptr;
  }
  double flops() const { return counter_.flops; }

private:
  FlopCounter counter_;
};

class PythonMemoryTrace {
public:
  ~PythonMemoryTrace() { exit(); }
  void enter() {
    if (has_memory_trace())
      fail<RuntimeError>("allocations are traced already, expected one trace at a time");
    set_memory_trace(&trace_);
    entered_ = true;
  }
  void exit() {
    if (entered_)
      set_memory_trace(nullptr);
    entered_ = false;
  }
  size_t count() const { return trace_.events.size(); }
  const std::vector<int64_t> &events() const { return trace_.events; }

private:
  MemoryTrace trace_;
  bool entered_ = false;
};

} // namespace

void define_counters(PyObject *module) {
  auto m = py::reinterpret_borrow<py::module_>(module);
  py::class_<PythonFlopCounter>(m, "_FlopCounter")
      .def(py::init<>())
      .def("__enter__", [](const py::object &self) { return self.cast<PythonFlopCounter &>().enter(), self; })
      .def("__exit__", [](PythonFlopCounter &self, const py::args &) { self.exit(); })
      .def_property_readonly("flops", &PythonFlopCounter::flops);
  py::class_<PythonMemoryTrace>(m, "_MemoryTrace")
      .def(py::init<>())
      .def("__enter__", [](const py::object &self) { return self.cast<PythonMemoryTrace &>().enter(), self; })
      .def("__exit__", [](PythonMemoryTrace &self, const py::args &) { self.exit(); })
      .def_property_readonly("count", &PythonMemoryTrace::count)
      .def_property_readonly("events", &PythonMemoryTrace::events);
  m.def("_block_bytes", block_bytes);
}

} // namespace cinta::python
