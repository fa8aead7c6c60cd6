// CompiledFunction: the object that ct.compile returns. A call that fits the last recording runs it without any Python
// code; every other call goes to the method `_record_or_replay`.
#include "bindings/replay.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "cinta/kernels/precision.h"
#include "cinta/ops/autocast.h"
#include "cinta/replay/passes/passes.h"

namespace cinta::python {

struct CompiledObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  std::shared_ptr<Replay> *last; // null: none yet
  PyObject *dict, *weakrefs;
};

namespace {

bool same_value(PyObject *a, PyObject *b) {
  if (a == b)
    return true;
  return Py_TYPE(a) == Py_TYPE(b) && PyObject_RichCompareBool(a, b, Py_EQ) == 1;
}
bool is_plain(PyObject *o) {
  return o == Py_None || PyBool_Check(o) || PyLong_CheckExact(o) || PyFloat_CheckExact(o) || PyUnicode_CheckExact(o);
}

// Another number after every change of the dict; 0: unknown.
uint64_t version_of([[maybe_unused]] PyObject *dict) {
#if PY_VERSION_HEX < 0x030c0000 // deprecated since
  return reinterpret_cast<PyDictObject *>(dict)->ma_version_tag;
#else
  return 0;
#endif
}

// What it hears of the host's values goes into a replay's memory, and nothing is computed.
class Refresh final : public Recorder {
public:
  explicit Refresh(replay::Executable &executable) : executable_(executable) {}
  void compute(const Label &, Operands, Operands, std::unique_ptr<Work>) override {}
  Tensor host(const void *bytes, size_t size) override {
    std::memcpy(executable_.host(number_++), bytes, size);
    return Tensor();
  }
  void recorded(const Instr &) override {}
  void visiting(const Instr *) override {}
  void gradient_looked_at(const Tensor &) override {}
  void gradient_reset(const Tensor &) override {}
  [[noreturn]] void read(const char *how) override {
    fail<RuntimeError>("[compile] ", how, " while an optimizer's options are read");
  }

private:
  replay::Executable &executable_;
  int number_ = 0;
};

} // namespace

bool Guard::holds() {
  PyObject *now = nullptr;
  Ref owned;
  switch (kind) {
  case cell:
    now = PyCell_GET(container.get());
    break;
  case dict: {
    const uint64_t current = version_of(container.get());
    if (current && current == version)
      return true;
    now = PyDict_GetItemWithError(container.get(), key.get());
    if (now && (now == expected.get() || (by_value && expected && same_value(now, expected.get())))) {
      version = current;
      return true;
    }
    break;
  }
  case item: {
    const Py_ssize_t i = PyLong_AsSsize_t(key.get());
    now = i < PyList_GET_SIZE(container.get()) ? PyList_GET_ITEM(container.get(), i) : nullptr;
    break;
  }
  case length:
    return PyObject_Size(container.get()) == PyLong_AsSsize_t(expected.get());
  case attribute:
    owned = Ref(PyObject_GetAttr(container.get(), key.get()));
    if (!owned)
      PyErr_Clear();
    now = owned.get();
    break;
  case code:
    now = PyFunction_GET_CODE(container.get());
    break;
  case defaults:
    now = PyFunction_GET_DEFAULTS(container.get());
    break;
  case equal:
    return PyObject_RichCompareBool(container.get(), expected.get(), Py_EQ) == 1;
  case bytes: {
    Py_buffer now_there;
    if (PyObject_GetBuffer(container.get(), &now_there, PyBUF_SIMPLE)) {
      PyErr_Clear();
      return false;
    }
    const bool same = now_there.len == PyBytes_GET_SIZE(expected.get()) &&
                      !std::memcmp(now_there.buf, PyBytes_AS_STRING(expected.get()), size_t(now_there.len));
    PyBuffer_Release(&now_there);
    return same;
  }
  }
  if (!now || !expected)
    return !now && !expected;
  return now == expected.get() || (by_value && same_value(now, expected.get()));
}

Modes Modes::now() {
  const std::optional<Dtype> half = ops::autocast_dtype();
  return {grad_enabled(), int(kernels::matmul_precision()), half ? int(*half) : -1, tape_state().eager > 0};
}

Replay::Replay(replay::Program program, std::vector<std::string> passes, std::vector<Guard> guards,
               const std::vector<Ref> &seen, Ref host, Ref rebuild, const std::vector<Tensor> &inputs)
    : guards(std::move(guards)), modes(Modes::now()), recorded_(std::move(program)), passes_(std::move(passes)),
      inputs_(inputs), host_(std::move(host)), rebuild_(std::move(rebuild)) {
  for (const Ref &o : seen) {
    const Tensor &t = tensor_of(o.get());
    if (t.requires_grad())
      outside_.push_back(t->storage.get());
    seen_.push_back({o, t.data(), t.requires_grad()});
  }
  // Memory that is only read may be shared by whoever likes.
  std::vector<bool> written(recorded_.values.size());
  for (const replay::Instruction &i : recorded_.instructions)
    for (const replay::Operand &y : i.out)
      if (y)
        written[size_t(y.value)] = true;
  const auto values = std::span(recorded_.values);
  const bool argument = std::any_of(values.begin(), values.end(), [&](const replay::Value &v) {
    return v.role == replay::Role::input && written[size_t(&v - values.data())];
  });
  for (size_t k = 0; k < values.size(); ++k)
    if (values[k].role == replay::Role::state && (written[k] || argument))
      outside_.push_back(values[k].storage.get());
  std::sort(outside_.begin(), outside_.end());
  outside_.erase(std::unique(outside_.begin(), outside_.end()), outside_.end());
  for (const Tensor &x : inputs)
    pinned_.push_back(std::binary_search(outside_.begin(), outside_.end(), x->storage.get()) ? x.data() : nullptr);
}

replay::Executable &Replay::executable() {
  if (!executable_) {
    replay::run_passes(recorded_, passes_);
    executable_ = std::make_unique<replay::Executable>(std::move(recorded_));
    executable_->see(inputs_);
    recorded_ = {};
    inputs_.clear();
  }
  return *executable_;
}

bool Replay::accepts(const std::vector<Tensor> &inputs, std::string *why) {
  const auto refuse = [&](auto... parts) {
    if (why)
      *why = join(parts...);
    return false;
  };
  for (const Seen &s : seen_) {
    const Tensor &t = tensor_of(s.tensor.get());
    if (t.data() != s.data || t.requires_grad() != s.requires_grad)
      return refuse("a tensor of shape ", t.shape(), " that it sees ",
                    t.data() != s.data  ? "has other memory than"
                    : t.requires_grad() ? "requires grad, unlike"
                                        : "requires no grad, unlike",
                    " when it was recorded");
  }
  for (size_t k = 0; k < inputs.size(); ++k) {
    const bool outside = std::binary_search(outside_.begin(), outside_.end(), inputs[k]->storage.get());
    if ((outside ? inputs[k].data() : nullptr) != pinned_[k])
      return refuse("argument ", k, outside ? " shares" : " no longer shares", " memory with a tensor that it sees");
  }
  return executable().accepts_grads(inputs, why);
}

int Replay::traverse(visitproc visit, void *arg) const {
  for (const Guard &g : guards) {
    Py_VISIT(g.container.get());
    Py_VISIT(g.key.get());
    Py_VISIT(g.expected.get());
  }
  for (const ArgumentSpec &a : arguments)
    Py_VISIT(a.constant.get());
  for (const Seen &s : seen_)
    Py_VISIT(s.tensor.get());
  Py_VISIT(host_.get());
  Py_VISIT(rebuild_.get());
  return 0;
}

void Replay::clear() {
  const auto dropped = std::make_tuple(std::exchange(guards, {}), std::exchange(arguments, {}),
                                       std::exchange(seen_, {}), std::move(host_),
                                       std::move(rebuild_)); // goes when nothing here refers to it any more
  positional = false;
}

int first_broken(std::vector<Guard> &guards) {
  const auto broken = std::find_if(guards.begin(), guards.end(), [](Guard &g) { return !g.holds(); });
  return broken == guards.end() ? -1 : int(broken - guards.begin());
}

class Replay::Busy { // kernels let other threads in
public:
  explicit Busy(Replay &r) : r_(r) {
    if (r.busy_)
      fail<RuntimeError>("[compile] the function is being run by another thread, expected one call at a time: guard it "
                         "with a lock, or compile it once per thread");
    r.busy_ = true;
  }
  ~Busy() { r_.busy_ = false; }
  Busy(const Busy &) = delete;
  Busy &operator=(const Busy &) = delete;

private:
  Replay &r_;
};

bool Replay::prepare() {
  static PyObject *const name = PyUnicode_InternFromString("prepare");
  if (!host_)
    return true;
  Refresh refresh(executable());
  const RecorderScope scope(&refresh);
  return Ref::checked(PyObject_CallMethodNoArgs(host_.get(), name)).get() == Py_True;
}

PyObject *Replay::call(const std::vector<Tensor> &inputs) {
  std::vector<Tensor> results;
  {
    const Busy busy(*this);
    if (!prepare())
      return nullptr;
    try {
      results = executable_->run(inputs);
    } catch (...) {
      if (host_)
        Ref::checked(PyObject_CallMethod(host_.get(), "take_back", nullptr));
      throw;
    }
  }
  if (!rebuild_)
    return results.empty() ? Py_NewRef(Py_None) : wrap(std::move(results[0]));
  Ref list = Ref::checked(to_python(results));
  if (!differentiable)
    return Ref::checked(PyObject_CallOneArg(rebuild_.get(), list.get())).release();
  Ref given = Ref::checked(to_python(inputs));
  return Ref::checked(PyObject_CallFunctionObjArgs(rebuild_.get(), list.get(), given.get(), nullptr)).release();
}

bool Replay::fits(PyObject *const *args, Py_ssize_t n, std::vector<Tensor> &inputs) const {
  if (!positional || size_t(n) != arguments.size())
    return false;
  for (Py_ssize_t k = 0; k < n; ++k) {
    const ArgumentSpec &a = arguments[size_t(k)];
    if (!a.tensor) {
      if (args[k] != a.constant.get() && !(is_plain(args[k]) && same_value(args[k], a.constant.get())))
        return false;
      continue;
    }
    if (!is_tensor(args[k]))
      return false;
    const Tensor &t = tensor_of(args[k]);
    if (t.dtype() != a.dtype || !(t.shape() == a.shape) || !(t.strides() == a.strides) ||
        t.requires_grad() != a.requires_grad || t->creator)
      return false;
    for (const Tensor &before : inputs)
      if (before->storage.get() == t->storage.get()) // the slow way looks closer
        return false;
    inputs.push_back(t);
  }
  return true;
}

namespace {

CompiledObject *compiled(PyObject *o) { return reinterpret_cast<CompiledObject *>(o); }

PyObject *slow_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names) {
  static PyObject *const name = PyUnicode_InternFromString("_record_or_replay");
  Ref method(PyObject_GetAttr(self, name));
  return method ? PyObject_Vectorcall(method.get(), args, nargsf, names) : nullptr;
}

PyObject *call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names) {
  CompiledObject *o = compiled(self);
  const Py_ssize_t n = PyVectorcall_NARGS(nargsf);
  if (o->last && !names && !recorder()) {
    const std::shared_ptr<Replay> replay = *o->last; // it may be replaced meanwhile
    PyObject *result = guarded([&]() -> PyObject * {
      std::vector<Tensor> inputs;
      inputs.reserve(size_t(n));
      if (!replay->fits(args, n, inputs) || !(replay->modes == Modes::now()) || first_broken(replay->guards) >= 0 ||
          !replay->accepts(inputs, nullptr))
        return nullptr;
      return replay->call(inputs);
    });
    if (result || PyErr_Occurred())
      return result;
  }
  return slow_call(self, args, size_t(n), names);
}

PyObject *create(PyTypeObject *type, PyObject *, PyObject *) {
  if (type->tp_call == PyVectorcall_Call) // before Python 3.12 classes written in Python do not inherit this
    type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
  PyObject *self = type->tp_alloc(type, 0);
  if (self)
    compiled(self)->vectorcall = call;
  return self;
}

int traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(compiled(self)->dict);
  return 0;
}
int clear(PyObject *self) {
  Py_CLEAR(compiled(self)->dict);
  delete std::exchange(compiled(self)->last, nullptr);
  return 0;
}
void deallocate(PyObject *self) {
  PyObject_GC_UnTrack(self);
  if (compiled(self)->weakrefs)
    PyObject_ClearWeakRefs(self);
  clear(self);
  PyTypeObject *type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

} // namespace

void set_last(PyObject *self, std::shared_ptr<Replay> replay) {
  delete std::exchange(compiled(self)->last, replay ? new std::shared_ptr<Replay>(std::move(replay)) : nullptr);
}

void init_compiled_type(PyObject *module) {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(CompiledObject, vectorcall), READONLY, nullptr},
      {"__dictoffset__", T_PYSSIZET, offsetof(CompiledObject, dict), READONLY, nullptr},
      {"__weaklistoffset__", T_PYSSIZET, offsetof(CompiledObject, weakrefs), READONLY, nullptr},
      {}};
  static PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void *>(create)},
                                {Py_tp_dealloc, reinterpret_cast<void *>(deallocate)},
                                {Py_tp_traverse, reinterpret_cast<void *>(traverse)},
                                {Py_tp_clear, reinterpret_cast<void *>(clear)},
                                {Py_tp_call, reinterpret_cast<void *>(PyVectorcall_Call)},
                                {Py_tp_members, members},
                                {Py_tp_doc, const_cast<char *>("What ct.compile returns is a subclass of this.")},
                                {0, nullptr}};
  static PyType_Spec spec = {"cinta._core.CompiledFunction", sizeof(CompiledObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
                             slots};
  Ref type = Ref::checked(PyType_FromSpec(&spec));
  PyModule_AddObjectRef(module, "CompiledFunction", type.get());
}

} // namespace cinta::python
