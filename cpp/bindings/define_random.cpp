// Random numbers: cinta._core.random.
#include "bindings/function.h"
#include "cinta/base/random.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/random.h"
#include "cinta/tape/compute.h"

namespace cinta::python {
namespace {

void write(const Tensor &t, const Tensor &drawn, const char *op) {
  GradMode off(false);
  if (!is_floating(t.dtype()))
    ops::fail_dtype(op, t.dtype(), "a floating dtype");
  ops::copy_inplace(t, drawn);
}

Dtype or_float32(const std::optional<Dtype> &dtype) { return dtype.value_or(Dtype::float32); }

} // namespace

void define_random() {
  define<[](int64_t value) {
    if (recording())
      fail<RuntimeError>("[seed] the stream of random numbers begins again while a function is being recorded, which a "
                         "replay would not do: call seed outside of the compiled function");
    generator() = {uint64_t(value), 0};
  }>("seed(n)", "Starts the stream of random numbers again, as n says.");
  define<[]() -> PyObject * { return Py_BuildValue("(KK)", generator().key, generator().counter); }>(
      "get_state()", "Where the stream stands: (key, counter).");
  define<[](PyObject *state) {
    unsigned long long key, counter;
    if (!PyArg_ParseTuple(state, "KK", &key, &counter))
      throw PythonError();
    if (recording() && key != generator().key)
      fail<RuntimeError>(
          "[set_state] another stream of random numbers begins while a function is being recorded, which "
          "a replay would not do: call set_state outside of the compiled function");
    generator().key = key;
    // In a replay: as far back or ahead from where the stream then stands.
    compute({"set_state", Effect::random}, {}, {},
            [ahead = counter - generator().counter](const Tensor *, const Tensor *) { generator().counter += ahead; });
  }>("set_state(state)", "Goes on from a state that get_state gave.");
  define<[](PyObject *state) -> PyObject * {
    static thread_local Generator own;
    unsigned long long key = 0, counter = 0;
    if (state != Py_None && !PyArg_ParseTuple(state, "KK", &key, &counter))
      throw PythonError();
    if (recording())
      fail<RuntimeError>(
          "[own_stream] another stream of random numbers begins while a function is being recorded, which "
          "a replay would not do: call own_stream outside of the compiled function");
    PyObject *before = own_generator ? Py_BuildValue("(KK)", own.key, own.counter) : Py_NewRef(Py_None);
    own = {key, counter};
    own_generator = state == Py_None ? nullptr : &own;
    return before;
  }>("own_stream(state)",
     "This thread draws from a stream of its own that stands at state, (key, counter), or with None from the process's "
     "again; gives what there was, for the next call.");
  define<[](double low, double high, const Dims &shape, std::optional<Dtype> dtype) {
    return ops::random_uniform(shape, low, high, or_float32(dtype));
  }>("uniform(low=0.0, high=1.0, shape=(), dtype=None)", "Numbers drawn evenly from [low, high).");
  define<[](double mean, double std, const Dims &shape, std::optional<Dtype> dtype) {
    return ops::random_normal(shape, mean, std, or_float32(dtype));
  }>("normal(mean=0.0, std=1.0, shape=(), dtype=None)", "Numbers drawn from the normal distribution.");
  define<[](int64_t low, const std::optional<int64_t> &high, const Dims &shape) {
    return ops::random_integers(shape, high ? low : 0, high.value_or(low));
  }>("integers(low, high=None, shape=())",
     "Integers (int64) drawn evenly from [low, high), from [0, low) with one argument.");
  define<ops::random_permutation>("permutation(n)", "The numbers 0 to n - 1 in random order, int64.");
  define<[](double p, const Dims &shape) { return ops::random_bernoulli(shape, p); }>("bernoulli(p, shape=())",
                                                                                      "True with probability p.");
  define<[](const Tensor &t, double low, double high) {
    write(t, ops::random_uniform(t.shape(), low, high, t.dtype()), "uniform_");
    return t;
  }>("uniform_(t, low=0.0, high=1.0)", "Fills t with numbers drawn evenly from [low, high).");
  define<[](const Tensor &t, double mean, double std) {
    write(t, ops::random_normal(t.shape(), mean, std, t.dtype()), "normal_");
    return t;
  }>("normal_(t, mean=0.0, std=1.0)", "Fills t with numbers drawn from the normal distribution.");
}

} // namespace cinta::python
