// Products of matrices.
#include "bindings/function.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/matmul.h"

namespace cinta::python {
namespace {

Tensor tensordot(const Tensor &a, const Tensor &b, PyObject *axes) {
  if (PyIndex_Check(axes) && !PySequence_Check(axes)) {
    int64_t n = From<int64_t>::get(axes, "tensordot");
    Axes last, first;
    for (int64_t i = 0; i < n; ++i) {
      last.push_back(i - n);
      first.push_back(i);
    }
    return ops::tensordot(a, b, last, first);
  }
  Ref pair(PySequence_Fast(axes, "tensordot"));
  if (!pair)
    throw PythonError();
  if (PySequence_Fast_GET_SIZE(pair.get()) != 2)
    fail<ValueError>("[tensordot] axes has ", PySequence_Fast_GET_SIZE(pair.get()),
                     " entries, expected a number or a pair");
  return ops::tensordot(a, b, From<Dims>::get(PySequence_Fast_GET_ITEM(pair.get(), 0), "tensordot"),
                        From<Dims>::get(PySequence_Fast_GET_ITEM(pair.get(), 1), "tensordot"));
}

Tensor einsum(const std::string &equation, PyObject *operands) {
  bool one = is_tensor(operands) || PyObject_CheckBuffer(operands);
  const auto all =
      one ? std::vector<Tensor>{to_tensor(operands, "einsum")} : From<std::vector<Tensor>>::get(operands, "einsum");
  return ops::einsum(equation, autocast(ops::Autocast::half, all));
}

} // namespace

void define_linear_algebra() {
  define<ops::matmul>(
      "matmul(a, b)",
      "The matrix product [..,M,K] [..,K,N] -> [..,M,N]; leading axes are broadcast, vectors as in NumPy.", Kind::both);
  define<[](const Tensor &x, const Tensor &weight, const std::optional<Tensor> &bias) {
    return ops::linear(x, weight, bias.value_or(Tensor()));
  }>("linear(x, weight, bias=None)",
     "y = x W^T + b with x [..,in], weight [out,in], bias [out]; or a batch of them: x [N,..,in], weight [N,out,in], "
     "bias [N,out].");
  define<einsum>("einsum(equation, *operands)", "Einstein summation: einsum('ij,jk->ik', a, b) is the matrix product.");
  define<tensordot>("tensordot(a, b, axes=2)",
                    "The sum of products over the last axes of a and the first of b, or over the pairs of axes given.");
  define<ops::outer>("outer(a, b)", "y[i,j] = a[i] b[j], of the flattened operands.");
  define<ops::inner>("inner(a, b)", "The sum of products over the last axis of both.");
  define<ops::dot>("dot(a, b)", "NumPy's dot: the inner product of vectors, the product of matrices.", Kind::both);
  define<ops::kron>("kron(a, b)", "The Kronecker product: every element of a times all of b.");
}

} // namespace cinta::python
