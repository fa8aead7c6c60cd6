// Picking and placing by index.
#include "bindings/function.h"
#include "cinta/ops/index.h"

namespace cinta::python {

void define_indexing() {
  define<ops::take>("take(x, indices, axis=None)",
                    "The elements (slices) of x at integer indices along an axis, of the flattened tensor by default.",
                    Kind::both);
  define<ops::take_along_axis>(
      "take_along_axis(x, indices, axis)",
      "y[i,j] = x[indices[i,j],j] for axis 0, and so on; x and indices agree or broadcast elsewhere.", Kind::both);
  define<ops::scatter_add>("scatter_add(x, indices, src, axis)",
                           "x with src[i,j] added at [indices[i,j],j] for axis 0, and so on; repeated indices add up.",
                           Kind::both);
  define<[](const Tensor &indices, int64_t num_classes, std::optional<Dtype> dtype) {
    return ops::one_hot(indices, num_classes, dtype.value_or(Dtype::float32));
  }>("one_hot(indices, num_classes, dtype=None)",
     "A last axis with 1 at each index and 0 elsewhere: [..] becomes [..,num_classes].");
  define<ops::nonzero>("nonzero(x)", "The indices of nonzero elements: one int64 tensor per axis.", Kind::both);
  define<ops::embedding>(
      "embedding(indices, weight, padding_idx=None, sparse=False)",
      "The rows of weight [num_embeddings, embedding_dim] at the indices; row padding_idx gets no gradient.\n\n"
      "sparse: backward() leaves in weight.grad a ct.RowSparse, the gradients of the rows that were read, where weight "
      "is a leaf and nothing else adds a dense gradient to it. ct.grad, create_graph and a weight that is itself "
      "computed get a dense one.");
}

} // namespace cinta::python
