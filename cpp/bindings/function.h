// Functions for Python from C++ ones: define<f>("name(x, axis=None)", doc) reads names and defaults from the text,
// types from f, and makes a METH_FASTCALL function; a Tensor method of the same name where asked.
#pragma once
#include <string>
#include <vector>

#include "bindings/convert.h"
#include "cinta/ops/autocast.h"

namespace cinta::python {

struct Parameter {
  PyObject *name; // interned
  std::string text;
  Ref default_;          // empty: required
  bool variadic = false; // *name: takes the positional rest as one tuple, or a single sequence
};
struct Signature {
  std::string name;
  std::vector<Parameter> parameters;
  std::string python; // "sum(x: ArrayLike, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor"
  std::string doc;    // with the text signature that inspect reads
  ops::Autocast autocast = ops::Autocast::none; // what it does to tensors among its arguments
};
enum class Kind { function, method, both };

Signature parse(const char *text, const char *doc);
void annotate(Signature &signature, const std::vector<const char *> &types, const char *result);
// Arguments in the order of the parameters, borrowed (a variadic tuple is kept in `rest`); false with Python's error
// set.
bool arrange(const Signature &signature, PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names,
             PyObject **out, Ref &rest);
void add_function(Signature &signature, PyCFunction function, PyCFunction method, Kind kind);
std::vector<std::string> function_names(); // of what was defined since the last install
void install_functions(PyObject *module);  // what was defined goes into the module and the Tensor type

template <class T> T autocast(ops::Autocast policy, T value) {
  if (policy == ops::Autocast::none)
    return value;
  if constexpr (std::is_same_v<T, Tensor>) {
    return ops::autocast(policy, value);
  } else if constexpr (std::is_same_v<T, std::optional<Tensor>>) {
    return value ? std::optional(ops::autocast(policy, *value)) : value;
  } else if constexpr (std::is_same_v<T, std::vector<Tensor>>) {
    for (Tensor &x : value)
      x = ops::autocast(policy, x);
    return value;
  } else {
    return value;
  }
}

template <class F> struct Call;
template <class R, class... A> struct Call<R (*)(A...)> {
  static constexpr size_t n = sizeof...(A);
  static std::vector<const char *> types() { return {From<std::decay_t<A>>::type...}; }
  static const char *result() { return result_type<R>(); }
  template <class F, size_t... I>
  static PyObject *run(F f, PyObject *const *a, const Signature &s, std::index_sequence<I...>) {
    if constexpr (std::is_void_v<R>) {
      f(From<std::decay_t<A>>::get(a[I], s.name.c_str())...);
      Py_RETURN_NONE;
    } else {
      return to_python(f(autocast(s.autocast, From<std::decay_t<A>>::get(a[I], s.name.c_str()))...));
    }
  }
};

template <auto f> struct Bound {
  static inline Signature &signature = *new Signature; // never destroyed: Python is gone by then
  using Caller = Call<decltype(+f)>;
  static PyObject *call(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    PyObject *a[Caller::n + 1];
    Ref rest;
    if (!arrange(signature, self, args, n, names, a, rest))
      return nullptr;
    try {
      return Caller::run(+f, a, signature, std::make_index_sequence<Caller::n>());
    } catch (...) {
      return raise_current();
    }
  }
  static PyObject *function(PyObject *, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    return call(nullptr, args, n, names);
  }
};

template <auto f> void define(const char *text, const char *doc, Kind kind = Kind::function) {
  using B = Bound<f>;
  B::signature = parse(text, doc);
  annotate(B::signature, B::Caller::types(), B::Caller::result());
  add_function(B::signature, reinterpret_cast<PyCFunction>(reinterpret_cast<void *>(&B::function)),
               reinterpret_cast<PyCFunction>(reinterpret_cast<void *>(&B::call)), kind);
}

// the families, one file each
void define_creation();
void define_elementwise();
void define_reductions();
void define_shape();
void define_indexing();
void define_row_sparse();
void define_linear_algebra();
void define_nn();
void define_conv();
void define_pool();
void define_resample();
void define_recurrent();
void define_attention();
void define_augment();
void define_losses();
void define_random();
void define_autodiff();
void define_optim();
void define_statistics();

} // namespace cinta::python
