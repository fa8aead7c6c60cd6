// Backpropagation for Python: backward, what a leaf is, and instructions whose rule is written in Python.
#include "bindings/function.h"

#include <unordered_map>

#include <frameobject.h>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/shape.h"
#include "cinta/tape/compute.h"
#include "cinta/tape/snapshot.h"
#include "cinta/tape/tape.h"

namespace cinta::python {
namespace {

// An instruction whose gradient rule is a Python callable: f(*dys) -> gradients of the inputs, None where there is
// none.
struct CustomAttributes {
  Ref rule;
  int outputs_n;
  std::vector<Shape> shapes; // of the outputs, for gradients that did not arrive
  std::vector<Dtype> dtypes;
  std::vector<Shape> in_shapes; // what gradients must look like
  std::vector<Dtype> in_dtypes;
};
struct Custom final : OpWith<CustomAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return "custom"; }
  int outputs() const override { return outputs_n; }
  bool repeatable() const override { return false; } // what computed them is not here
  void forward(const Tensor *, int, Tensor *) const override {}
  void vjp(Vjp &v) const override {
    Ref args = Ref::checked(PyTuple_New(outputs_n));
    for (int k = 0; k < outputs_n; ++k) {
      Tensor dy = v.dy(k) ? v.dy(k) : zeros(shapes[size_t(k)], dtypes[size_t(k)]);
      PyTuple_SET_ITEM(args.get(), k, wrap(dy));
    }
    Ref result = Ref::checked(PyObject_CallObject(rule.get(), args.get()));
    Ref all(is_tensor(result.get()) ? PyTuple_Pack(1, result.get())
                                    : PySequence_Fast(result.get(), "a rule returns gradients"));
    if (!all)
      throw PythonError();
    if (PySequence_Fast_GET_SIZE(all.get()) != v.inputs())
      fail<ValueError>("[custom] the gradient rule returned ", PySequence_Fast_GET_SIZE(all.get()),
                       " gradients, expected ", v.inputs(), " (one per input, None where there is none)");
    for (int k = 0; k < v.inputs(); ++k) {
      PyObject *g = PySequence_Fast_GET_ITEM(all.get(), k);
      if (g == Py_None || !v.needs(k))
        continue;
      Tensor gradient = to_tensor(g, "custom");
      if (!(gradient.shape() == in_shapes[size_t(k)]))
        fail<ValueError>("[custom] the gradient rule returned shape ", gradient.shape(), " for input ", k,
                         ", expected ", in_shapes[size_t(k)]);
      if (Recorder *r = recorder()) [[unlikely]]
        r->returned(gradient);
      v.dx(k, ops::astype(gradient, in_dtypes[size_t(k)]));
    }
  }
};

std::vector<Tensor> custom_node(const std::vector<Tensor> &outputs, const std::vector<Tensor> &inputs, PyObject *rule) {
  CustomAttributes a{Ref::borrowed(rule), int(outputs.size()), {}, {}, {}, {}};
  for (const Tensor &x : inputs) {
    a.in_shapes.push_back(x.shape());
    a.in_dtypes.push_back(x.dtype());
  }
  std::vector<Tensor> fresh;
  for (const Tensor &y : outputs) {
    a.shapes.push_back(y.shape());
    a.dtypes.push_back(y.dtype());
    fresh.push_back(ops::detach(y));
  }
  if (outputs.empty() || outputs.size() > 15)
    fail<ValueError>("[custom_node] got ", outputs.size(), " outputs, expected 1 to 15");
  OpRef op = make_op<Custom>(a);
  record(*op, inputs.data(), int(inputs.size()), fresh.data(), int(fresh.size()));
  return fresh;
}

std::vector<Tensor> tensors_of(PyObject *o, const char *what) {
  if (is_tensor(o))
    return {tensor_of(o)};
  return From<std::vector<Tensor>>::get(o, what);
}

PyObject *run_backward(PyObject *outputs, PyObject *gradients, PyObject *inputs, bool retain_graph, bool create_graph,
                       bool allow_unused, int64_t since) {
  const BackwardOptions options{retain_graph, create_graph, uint64_t(since), false};
  std::vector<Tensor> ys = tensors_of(outputs, "backward");
  std::vector<Tensor> seeds = gradients == Py_None ? std::vector<Tensor>() : tensors_of(gradients, "backward");
  if (inputs == Py_None) {
    backward(ys, seeds, nullptr, options);
    Py_RETURN_NONE;
  }
  std::vector<Tensor> xs = tensors_of(inputs, "backward"), found = backward(ys, seeds, &xs, options);
  for (size_t k = 0; k < found.size(); ++k)
    if (!found[k] && !allow_unused)
      fail<RuntimeError>("[backward] the outputs do not depend on input ", k, " (shape ", xs[k].shape(),
                         "): pass allow_unused=True to get None");
  return to_python(found);
}

void backward_onward(const std::vector<Tensor> &outputs, const std::vector<Tensor> &gradients, int64_t since,
                     bool create_graph) {
  backward(outputs, gradients, nullptr, {create_graph, create_graph, uint64_t(since), true});
}

void method_backward(const Tensor &self, const std::optional<Tensor> &gradient, bool retain_graph, bool create_graph) {
  std::vector<Tensor> seeds;
  if (gradient)
    seeds.push_back(*gradient);
  backward({self}, seeds, nullptr, {retain_graph, create_graph});
}

PyObject *indices(const std::vector<int> &from) {
  Ref list = Ref::checked(PyList_New(Py_ssize_t(from.size())));
  for (size_t k = 0; k < from.size(); ++k)
    PyList_SET_ITEM(list.get(), Py_ssize_t(k), PyLong_FromLong(from[k]));
  return list.release();
}

PyObject *snapshot_as_lists(const Tensor &output, const std::vector<Tensor> &named, int64_t limit) {
  const Snapshot s = snapshot(output, named, limit);
  std::vector<Tensor> forward, gradient;
  for (const Snapshot::Value &v : s.values)
    forward.push_back(v.forward), gradient.push_back(v.gradient);
  Ref steps = Ref::checked(PyList_New(0));
  for (const Snapshot::Step &step : s.steps)
    if (Ref row(
            Py_BuildValue("(ssNN)", step.op.c_str(), step.site.c_str(), indices(step.inputs), indices(step.outputs)));
        !row || PyList_Append(steps.get(), row.get()) < 0)
      throw PythonError();
  return Py_BuildValue("(NNNNi)", steps.release(), to_python(forward), to_python(gradient), indices(s.named), s.output);
}

PyObject *autocast_object(std::optional<Dtype> dtype) { return dtype ? to_python(*dtype) : Py_NewRef(Py_None); }

// ---- where in Python an operation was recorded

Site site_of(PyFrameObject *frame) { // takes it over
  if (!frame)
    return {};
  Site site{PyFrame_GetCode(frame), 0};
#if PY_VERSION_HEX >= 0x030b0000
  site.instruction = PyFrame_GetLasti(frame);
#else
  site.instruction = frame->f_lasti * 2;
#endif
  Py_DECREF(frame);
  return site;
}
Site python_here() { return site_of(PyThreadState_GetFrame(PyThreadState_Get())); }
bool runs_library(PyFrameObject *frame) {
  Ref globals(PyObject_GetAttrString(reinterpret_cast<PyObject *>(frame), "f_globals"));
  PyObject *name = globals ? PyDict_GetItemString(globals.get(), "__name__") : nullptr;
  const std::string module = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : "";
  const std::string package = module.substr(0, module.find('.'));
  return package == "cinta" || package == "numpy" || package == "copy";
}
// The same, remembered by the file that the frame's code is from.
bool in_library(PyFrameObject *frame) {
  static std::unordered_map<PyObject *, std::pair<Ref, bool>> &known =
      *new std::unordered_map<PyObject *, std::pair<Ref, bool>>;
  Ref code(reinterpret_cast<PyObject *>(PyFrame_GetCode(frame)));
  PyObject *file = reinterpret_cast<PyCodeObject *>(code.get())->co_filename;
  if (const auto found = known.find(file); found != known.end())
    return found->second.second;
  if (known.size() > 4096) // code made at run time
    known.clear();
  const bool library = runs_library(frame);
  if (const char *text = PyUnicode_AsUTF8(file); text && text[0] != '<') // several modules may share "<string>"
    known.emplace(file, std::pair(Ref::borrowed(file), library));
  return library;
}
Site python_outside() {
  PyFrameObject *frame = PyThreadState_GetFrame(PyThreadState_Get());
  while (frame && in_library(frame)) {
    PyFrameObject *caller = PyFrame_GetBack(frame);
    Py_DECREF(frame);
    frame = caller;
  }
  return site_of(frame);
}
void drop_python(Site site) { Py_DECREF(static_cast<PyObject *>(site.code)); }
std::string describe_python(Site site) {
  auto *code = static_cast<PyCodeObject *>(site.code);
  const char *file = PyUnicode_AsUTF8(code->co_filename);
  return join(file ? file : "?", ":", PyCode_Addr2Line(code, site.instruction));
}

} // namespace

void define_autodiff() {
  site_hooks = {python_here, python_outside, drop_python, describe_python};
  define<run_backward>(
      "backward(outputs, gradients=None, inputs=None, retain_graph=False, create_graph=False, allow_unused=True, "
      "since=0)",
      "Walks back from outputs: sums gradients into the leaves' grad, or returns those of the inputs given. "
      "What was recorded before the tape position `since` is left alone.");
  define<backward_onward>(
      "backward_onward(outputs, gradients, since, create_graph=False)",
      "Inside a rule: walks back over what was recorded from `since` on, and hands what flows out of it to the walk "
      "that called the rule.");
  define<tape_position>("tape_position()", "The position of the next instruction on this thread's tape.");
  define<method_backward>(
      "backward(self, gradient=None, retain_graph=False, create_graph=False)",
      "Sums the gradient of this tensor with respect to every leaf that requires grad into the leaf's grad.\n\n"
      "gradient: of the final result with respect to this tensor; 1 for a scalar. The graph is freed unless "
      "retain_graph; create_graph records the walk itself, for higher derivatives.",
      Kind::method);
  define<custom_node>("custom_node(outputs, inputs, vjp)",
                      "The outputs, recorded as computed from the inputs with a gradient rule written in Python: "
                      "vjp(*dys) returns one gradient per input.");
  define<snapshot_as_lists>(
      "tape_snapshot(output, named, limit)",
      "What led to the output: (steps, values, gradients, named, output). A step is (op, site, inputs, outputs); "
      "inputs, outputs, named and output count into values and gradients, -1 for none.");
  define<[]() { return grad_enabled(); }>("is_grad_enabled()", "Whether operations are recorded in this thread.");
  define<[](bool enabled) { return std::exchange(tape_state().grad_enabled, enabled); }>(
      "set_grad_enabled(enabled)", "Switches recording on or off in this thread; returns what it was.");
  define<[]() { return autocast_object(ops::autocast_dtype()); }>(
      "get_autocast()", "The half dtype that products take in this thread (see ct.autocast), or None.");
  define<[](std::optional<Dtype> dtype) { return autocast_object(ops::set_autocast(dtype)); }>(
      "set_autocast(dtype=None)", "Sets what get_autocast() gives, None for off; returns what it was.");
  define<[]() { return live_instructions(); }>("live_instructions()",
                                               "How many instructions this thread's tape holds.");
  define<ops::detach>("detach(x)", "The same values over the same memory, without the history.", Kind::both);
  define<[](PyObject *self, bool flag) {
    if (PyObject_SetAttrString(self, "requires_grad", flag ? Py_True : Py_False))
      throw PythonError();
    return Py_NewRef(self);
  }>("requires_grad_(self, requires_grad=True)", "Sets requires_grad and returns the tensor.", Kind::method);
  define<[](PyObject *self) {
    retain_grad(tensor_of(self));
    return Py_NewRef(self);
  }>("retain_grad(self)", "Keeps the gradient in grad though the tensor is no leaf.", Kind::method);

  // writing in place
  define<[](PyObject *self, PyObject *source) {
    Tensor weak = weak_number(source, tensor_of(self).dtype());
    rebind(self, ops::copy_inplace(Tensor(tensor_of(self)), weak ? weak : to_tensor(source, "copy_")));
    return Py_NewRef(self);
  }>("copy_(self, source)", "Writes the source's values, broadcast and converted, into this tensor's memory.",
     Kind::method);
  define<[](PyObject *self, PyObject *value) {
    Tensor weak = weak_number(value, tensor_of(self).dtype());
    rebind(self, ops::copy_inplace(Tensor(tensor_of(self)), weak ? weak : to_tensor(value, "fill_"), "fill_"));
    return Py_NewRef(self);
  }>("fill_(self, value)", "Writes one value into all elements.", Kind::method);
  define<[](PyObject *self) {
    rebind(self, ops::copy_inplace(Tensor(tensor_of(self)), ops::number(0, tensor_of(self))));
    return Py_NewRef(self);
  }>("zero_(self)", "Writes zeros into all elements.", Kind::method);

  // conversions by name
  define<[](const Tensor &x, PyObject *target) {
    if (PyUnicode_Check(target) && !dtype_of(target)) {
      if (PyUnicode_CompareWithASCIIString(target, "cpu") != 0)
        fail<ValueError>("[to] got '", PyUnicode_AsUTF8(target), "', expected a dtype or the device 'cpu'");
      return x;
    }
    return ops::astype(x, From<Dtype>::get(target, "to"));
  }>("to(x, target)", "x as another dtype, or on another device.", Kind::method);
  define<[](const Tensor &x) { return ops::astype(x, Dtype::float32); }>("float(x)", "x as float32.", Kind::method);
  define<[](const Tensor &x) { return ops::astype(x, Dtype::float64); }>("double(x)", "x as float64.", Kind::method);
  define<[](const Tensor &x) { return ops::astype(x, Dtype::int64); }>("long(x)", "x as int64.", Kind::method);
}

} // namespace cinta::python
