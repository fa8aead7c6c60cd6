// The elementwise operations: names and documentation come from the formulas.
#include "bindings/function.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/elementwise_rules.h"

namespace cinta::python {
namespace {

using ops::BinaryOp;
using ops::CompareOp;
using ops::UnaryOp;

template <UnaryOp op> Tensor unary(const Tensor &x) { return ops::unary(op, x); }

// Two operands: a Python number takes the other's dtype.
template <auto f> Tensor paired(PyObject *a, PyObject *b) {
  Tensor x, y;
  if (!to_pair(a, b, x, y))
    fail<TypeError>("got ", Py_TYPE(a)->tp_name, " and ", Py_TYPE(b)->tp_name, ", expected tensors, arrays or numbers");
  return f(x, y);
}
template <BinaryOp op> Tensor binary(const Tensor &a, const Tensor &b) { return ops::binary(op, a, b); }
template <CompareOp op> Tensor compare(const Tensor &a, const Tensor &b) { return ops::compare(op, a, b); }

std::string text(const char *name, const char *arguments) { return std::string(name) + arguments; }
std::string sentence(const char *doc, const char *more) { return std::string("Elementwise ") + doc + "." + more; }

Tensor where(PyObject *condition, PyObject *a, PyObject *b) {
  Tensor x, y;
  if (!to_pair(a, b, x, y))
    fail<TypeError>("[where] got ", Py_TYPE(a)->tp_name, " and ", Py_TYPE(b)->tp_name,
                    ", expected tensors, arrays or numbers");
  return ops::where(to_tensor(condition, "where"), x, y);
}

Tensor clip(const Tensor &x, PyObject *low, PyObject *high) {
  auto number = [](PyObject *o) { return o == Py_None || PyFloat_CheckExact(o) || PyLong_CheckExact(o); };
  if (number(low) && number(high))
    return ops::clip(x, From<std::optional<double>>::get(low, "clip"), From<std::optional<double>>::get(high, "clip"));
  Tensor y = x; // bounds that are arrays
  if (low != Py_None)
    y = ops::maximum(y, number(low) ? weak_number(low, x.dtype()) : to_tensor(low, "clip"));
  if (high != Py_None)
    y = ops::minimum(y, number(high) ? weak_number(high, x.dtype()) : to_tensor(high, "clip"));
  return y;
}

} // namespace

void define_elementwise() {
#define CINTA_DEFINE(Struct, name)                                                                                     \
  if (UnaryOp::Struct != UnaryOp::LeakyRelu && UnaryOp::Struct != UnaryOp::Elu && UnaryOp::Struct != UnaryOp::Clip &&  \
      UnaryOp::Struct != UnaryOp::Softplus && UnaryOp::Struct != UnaryOp::Gelu &&                                      \
      UnaryOp::Struct != UnaryOp::GeluTanh)                                                                            \
    define<unary<UnaryOp::Struct>>(                                                                                    \
        text(#name, "(x)").c_str(),                                                                                    \
        sentence(ops::rule(UnaryOp::Struct).doc, " x and y have the same shape [...].").c_str(), Kind::both);
  CINTA_UNARY_OPS(CINTA_DEFINE)
#undef CINTA_DEFINE
#define CINTA_DEFINE(Struct, name)                                                                                     \
  define<paired<binary<BinaryOp::Struct>>>(                                                                            \
      text(#name, "(a, b)").c_str(), sentence(ops::rule(BinaryOp::Struct).doc, " a and b are broadcast.").c_str());
  CINTA_BINARY_OPS(CINTA_DEFINE)
#undef CINTA_DEFINE
#define CINTA_DEFINE(Struct, name)                                                                                     \
  define<paired<compare<CompareOp::Struct>>>(                                                                          \
      text(#name, "(a, b)").c_str(),                                                                                   \
      sentence(ops::rule(CompareOp::Struct).doc, " a and b are broadcast, y is boolean.").c_str());
  CINTA_COMPARE_OPS(CINTA_DEFINE)
#undef CINTA_DEFINE
  define<[](const Tensor &x) { return ops::neg(x); }>("negative(x)", "Elementwise y = -x; another name of neg.");
  define<ops::leaky_relu>("leaky_relu(x, negative_slope=0.01)", sentence(ops::rule(UnaryOp::LeakyRelu).doc, "").c_str(),
                          Kind::both);
  define<ops::elu>("elu(x, alpha=1.0)", sentence(ops::rule(UnaryOp::Elu).doc, "").c_str(), Kind::both);
  define<ops::softplus>("softplus(x, beta=1.0, threshold=20.0)", sentence(ops::rule(UnaryOp::Softplus).doc, "").c_str(),
                        Kind::both);
  define<clip>("clip(x, min=None, max=None)", sentence(ops::rule(UnaryOp::Clip).doc, "").c_str(), Kind::both);
  define<[](const Tensor &x, const std::string &approximate) {
    if (approximate != "none" && approximate != "tanh")
      fail<ValueError>("[gelu] approximate is '", approximate, "', expected 'none' or 'tanh'");
    return ops::gelu(x, approximate == "tanh");
  }>("gelu(x, approximate='none')",
     sentence(ops::rule(UnaryOp::Gelu).doc, " approximate='tanh': the form with tanh (Hendrycks and Gimpel 2016).")
         .c_str(),
     Kind::both);
  define<where>("where(condition, x, y)", "Elementwise x where the condition holds, else y; all three are broadcast.");
  define<paired<ops::logaddexp>>("logaddexp(a, b)",
                                 "Elementwise y = ln(e^a + e^b), without overflow. a and b are broadcast.");
  define<ops::logical_not>("logical_not(x)", "Elementwise y = (x == 0), boolean.", Kind::both);
  define<[](const Tensor &a, const Tensor &b) { return ops::logical("logical_and", a, b); }>(
      "logical_and(a, b)", "Elementwise whether both a and b are nonzero. a and b are broadcast.");
  define<[](const Tensor &a, const Tensor &b) { return ops::logical("logical_or", a, b); }>(
      "logical_or(a, b)", "Elementwise whether a or b is nonzero. a and b are broadcast.");
  define<[](const Tensor &a, const Tensor &b) { return ops::logical("logical_xor", a, b); }>(
      "logical_xor(a, b)", "Elementwise whether exactly one of a and b is nonzero. a and b are broadcast.");
  define<ops::isnan>("isnan(x)", "Elementwise whether x is NaN.", Kind::both);
  define<ops::isinf>("isinf(x)", "Elementwise whether x is infinite.", Kind::both);
  define<ops::isfinite>("isfinite(x)", "Elementwise whether x is neither infinite nor NaN.", Kind::both);
}

} // namespace cinta::python
