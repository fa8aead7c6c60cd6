#include "bindings/function.h"

#include <cstring>

namespace cinta::python {
namespace {

struct Registered {
  Signature *signature;
  PyCFunction function, method;
  Kind kind;
};
std::vector<Registered> &registry() {
  static std::vector<Registered> &all = *new std::vector<Registered>;
  return all;
}

std::string strip(const std::string &s) {
  size_t from = s.find_first_not_of(' '), to = s.find_last_not_of(' ');
  return from == std::string::npos ? "" : s.substr(from, to - from + 1);
}

Ref evaluate(const std::string &text) { // the default of a parameter, as Python reads it
  Ref globals(PyDict_New());
  PyDict_SetItemString(globals.get(), "__builtins__", PyEval_GetBuiltins());
  return Ref::checked(PyRun_String(text.c_str(), Py_eval_input, globals.get(), globals.get()));
}

// Splits at commas outside brackets.
std::vector<std::string> split(const std::string &text) {
  std::vector<std::string> parts;
  int depth = 0;
  std::string part;
  for (char c : text) {
    depth += c == '(' || c == '[';
    depth -= c == ')' || c == ']';
    if (c == ',' && depth == 0) {
      parts.push_back(strip(part));
      part.clear();
    } else {
      part += c;
    }
  }
  if (!strip(part).empty())
    parts.push_back(strip(part));
  return parts;
}

bool fail_arguments(const Signature &s, const std::string &what) {
  PyErr_Format(PyExc_TypeError, "%s() %s; the signature is %s", s.name.c_str(), what.c_str(), s.python.c_str());
  return false;
}

} // namespace

Signature parse(const char *text, const char *doc) {
  Signature s;
  std::string t = text;
  size_t open = t.find('(');
  s.name = t.substr(0, open);
  s.autocast = ops::autocast_policy(s.name);
  for (const std::string &part : split(t.substr(open + 1, t.rfind(')') - open - 1))) {
    Parameter p;
    size_t equals = part.find('=');
    std::string name = strip(part.substr(0, equals));
    if (name[0] == '*') {
      p.variadic = true;
      name = name.substr(1);
    }
    p.name = PyUnicode_InternFromString(name.c_str());
    p.text = name;
    if (equals != std::string::npos)
      p.default_ = evaluate(strip(part.substr(equals + 1)));
    s.parameters.push_back(std::move(p));
  }
  s.doc = s.name + t.substr(open) + "\n--\n\n" + doc;
  return s;
}

void annotate(Signature &s, const std::vector<const char *> &types, const char *result) {
  if (types.size() != s.parameters.size())
    Py_FatalError(("signature and function differ: " + s.name).c_str());
  s.python = s.name + "(";
  for (size_t k = 0; k < s.parameters.size(); ++k) {
    const Parameter &p = s.parameters[k];
    s.python += k ? ", " : "";
    s.python += p.variadic ? "*" + p.text + ": Any" : p.text + ": " + types[k];
    if (!p.default_)
      continue;
    Ref repr = Ref::checked(PyObject_Repr(p.default_.get()));
    s.python += (p.default_.get() == Py_None ? " | None = " : " = ") + std::string(PyUnicode_AsUTF8(repr.get()));
  }
  s.python += std::string(") -> ") + result;
}

bool arrange(const Signature &s, PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names, PyObject **out,
             Ref &rest) {
  const size_t all = s.parameters.size(), shift = self ? 1 : 0;
  size_t given = size_t(n) + shift;
  if (self)
    out[0] = self;
  if (given > all || (all > shift && s.parameters[all - 1].variadic) ||
      (given > 1 && all > 1 && s.parameters[1].variadic)) {
    size_t at = 0;
    while (at < all && !s.parameters[at].variadic)
      ++at;
    if (at == all)
      return fail_arguments(s, "takes " + std::to_string(all) + " arguments, got " + std::to_string(given));
    for (size_t k = shift; k < at && k < given; ++k)
      out[k] = args[k - shift];
    size_t tail = given > at ? given - at : 0;
    if (tail == 1) {
      out[at] = args[at - shift];
    } else {
      Ref tuple(PyTuple_New(Py_ssize_t(tail)));
      for (size_t k = 0; k < tail; ++k)
        PyTuple_SET_ITEM(tuple.get(), Py_ssize_t(k), Py_NewRef(args[at + k - shift]));
      rest = std::move(tuple);
      out[at] = rest.get();
    }
    given = at + 1;
  } else {
    for (size_t k = shift; k < given; ++k)
      out[k] = args[k - shift];
  }
  for (size_t k = given; k < all; ++k)
    out[k] = nullptr;
  if (names) {
    Py_ssize_t count = PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyObject *name = PyTuple_GET_ITEM(names, i);
      size_t k = 0;
      while (k < all && s.parameters[k].name != name && PyUnicode_Compare(s.parameters[k].name, name) != 0)
        ++k;
      if (k == all)
        return fail_arguments(s, std::string("has no argument '") + PyUnicode_AsUTF8(name) + "'");
      if (k < given && !(s.parameters[k].variadic && size_t(n) + shift <= k))
        return fail_arguments(s, std::string("got argument '") + PyUnicode_AsUTF8(name) + "' twice");
      out[k] = args[n + i];
    }
  }
  for (size_t k = 0; k < all; ++k)
    if (!out[k] && !(out[k] = s.parameters[k].default_.get()))
      return fail_arguments(s, "misses argument '" + s.parameters[k].text + "'");
  return true;
}

void add_function(Signature &signature, PyCFunction function, PyCFunction method, Kind kind) {
  registry().push_back({&signature, function, method, kind});
}

std::vector<std::string> function_names() {
  std::vector<std::string> names;
  for (const Registered &r : registry())
    if (r.kind != Kind::method)
      names.push_back(r.signature->name);
  return names;
}

void install_functions(PyObject *module) {
  Ref signatures(PyDict_New()), method_signatures(PyDict_New()), methods(PyList_New(0)), functions(PyList_New(0));
  for (Registered &r : registry()) {
    const char *name = r.signature->name.c_str();
    auto definition = [&](PyCFunction f) { // lives as long as the module: for ever
      return new PyMethodDef{name, f, METH_FASTCALL | METH_KEYWORDS, r.signature->doc.c_str()};
    };
    Ref text(PyUnicode_FromString(r.signature->python.c_str())), key(PyUnicode_FromString(name));
    if (r.kind != Kind::method) {
      PyDict_SetItem(signatures.get(), key.get(), text.get());
      Ref f =
          Ref::checked(PyCFunction_NewEx(definition(r.function), nullptr, Ref(PyModule_GetNameObject(module)).get()));
      PyModule_AddObjectRef(module, name, f.get());
      PyList_Append(functions.get(), key.get());
    }
    if (r.kind != Kind::function) {
      Ref f = Ref::checked(PyDescr_NewMethod(tensor_type, definition(r.method)));
      PyDict_SetItem(method_signatures.get(), key.get(), text.get());
      PyDict_SetItem(tensor_type->tp_dict, key.get(), f.get());
      PyList_Append(methods.get(), key.get());
    }
  }
  PyType_Modified(tensor_type);
  registry().clear();
  PyModule_AddObjectRef(module, "_signatures", signatures.get());
  PyModule_AddObjectRef(module, "_method_signatures", method_signatures.get());
  PyModule_AddObjectRef(module, "_functions", functions.get());
  PyModule_AddObjectRef(module, "_methods", methods.get());
}

} // namespace cinta::python
