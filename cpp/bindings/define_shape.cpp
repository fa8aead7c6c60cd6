// Views, and putting tensors together and apart.
#include "bindings/function.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/join.h"
#include "cinta/ops/shape.h"

namespace cinta::python {
namespace {

using MaybeAxes = std::optional<Axes>;

// np.split's second argument: a number of equal parts, or the borders between parts.
std::vector<Tensor> split(const Tensor &x, PyObject *sections, int64_t axis) {
  std::vector<int64_t> borders;
  if (!PyIndex_Check(sections) || PySequence_Check(sections)) {
    borders = From<std::vector<int64_t>>::get(sections, "split");
  } else {
    int64_t n = From<int64_t>::get(sections, "split"), size = x.shape()[normalize_axis(axis, x.ndim(), "split")];
    if (n < 1 || size % n)
      fail<ValueError>("[split] axis ", axis, " of shape ", x.shape(), " has size ", size,
                       ", which does not divide into ", n, " equal parts: give the borders, as in [3, 5]");
    for (int64_t k = 1; k < n; ++k)
      borders.push_back(k * (size / n));
  }
  return ops::split(x, borders, axis);
}

std::vector<std::pair<int64_t, int64_t>> widths_of(PyObject *o, int ndim) { // 2, (1, 2), ((1, 2), (0, 3))
  if (PyIndex_Check(o) && !PySequence_Check(o)) {
    int64_t w = From<int64_t>::get(o, "pad");
    return {{w, w}};
  }
  Ref outer(PySequence_Fast(o, "pad_width"));
  if (!outer)
    throw PythonError();
  std::vector<std::pair<int64_t, int64_t>> widths;
  Py_ssize_t n = PySequence_Fast_GET_SIZE(outer.get());
  bool flat = n == 2 && !PySequence_Check(PySequence_Fast_GET_ITEM(outer.get(), 0));
  if (flat) {
    auto pair = From<std::vector<int64_t>>::get(o, "pad");
    return std::vector<std::pair<int64_t, int64_t>>(size_t(ndim), {pair[0], pair[1]});
  }
  for (Py_ssize_t i = 0; i < n; ++i) {
    auto pair = From<std::vector<int64_t>>::get(PySequence_Fast_GET_ITEM(outer.get(), i), "pad");
    if (pair.size() == 1)
      pair.push_back(pair[0]);
    if (pair.size() != 2)
      fail<ValueError>("[pad] pad_width has an entry of ", pair.size(), " numbers, expected (before, after)");
    widths.emplace_back(pair[0], pair[1]);
  }
  return widths;
}

} // namespace

void define_shape() {
  define<[](const Tensor &x, const Dims &shape) { return ops::reshape(x, shape); }>(
      "reshape(x, *shape)", "The same elements in another shape, a view where strides allow it; one size may be -1.",
      Kind::both);
  define<[](const Tensor &x, const MaybeAxes &axes) { return ops::transpose(x, axes.value_or(Axes())); }>(
      "transpose(x, *axes)", "The axes in another order (reversed by default), a view.", Kind::method);
  define<[](const Tensor &x, const MaybeAxes &axes) { return ops::transpose(x, axes.value_or(Axes())); }>(
      "transpose(x, axes=None)", "The axes in another order (reversed by default), a view.");
  define<ops::swapaxes>("swapaxes(x, axis1, axis2)", "Two axes exchanged, a view.", Kind::both);
  define<ops::moveaxis>("moveaxis(x, source, destination)", "Axes moved to other places, a view.", Kind::both);
  define<ops::squeeze>("squeeze(x, axis=None)", "Without the axes of size 1 (all of them by default), a view.",
                       Kind::both);
  define<ops::expand_dims>("expand_dims(x, axis)", "With new axes of size 1 at the places given, a view.", Kind::both);
  define<[](const Tensor &x) { return ops::reshape(x, {x.size()}); }>("ravel(x)", "All elements in one axis.",
                                                                      Kind::both);
  define<ops::flatten>("flatten(x, start_axis=0, end_axis=-1)", "The axes from start_axis to end_axis as one.",
                       Kind::both);
  define<ops::broadcast_to>("broadcast_to(x, shape)", "x repeated to fill a shape, a view.", Kind::both);
  define<ops::flip>("flip(x, axis=None)", "The elements in reverse order along axes (all by default), a view.",
                    Kind::both);
  define<ops::diagonal>("diagonal(x, offset=0, axis1=0, axis2=1)", "The diagonal of two axes as the last axis, a view.",
                        Kind::both);
  define<ops::clone>("clone(x)", "A copy in memory of its own.", Kind::both);
  define<ops::contiguous>("contiguous(x)", "x itself where its elements lie in order, else a copy in which they do.",
                          Kind::both);
  define<ops::astype>("astype(x, dtype)", "The values converted to another dtype; x itself where it has it.",
                      Kind::both);
  define<ops::concat>("concat(tensors, axis=0)", "Tensors joined along an axis that they have.");
  define<ops::stack>("stack(tensors, axis=0)", "Tensors of one shape joined along a new axis.");
  define<split>("split(x, sections, axis=0)",
                "Views of parts along an axis: sections is a number of equal parts, or the borders.", Kind::both);
  define<[](const Tensor &x, const Dims &reps) { return ops::tile(x, reps); }>(
      "tile(x, reps)", "x repeated as a whole along axes.", Kind::both);
  define<ops::repeat>("repeat(x, repeats, axis=None)",
                      "Every element repeated along an axis, of the flattened tensor by default.", Kind::both);
  define<[](const Tensor &x, PyObject *width, const std::string &mode, double value) {
    return ops::pad(x, widths_of(width, x.ndim()), mode, value);
  }>("pad(x, pad_width, mode='constant', value=0)",
     "x with more elements before and after along axes; mode 'constant', 'edge', 'reflect' or 'wrap' says which.",
     Kind::both);
  define<ops::roll>("roll(x, shift, axis=None)",
                    "Elements shifted along axes, those that fall off come back on the other side.", Kind::both);
  define<ops::tril>("tril(x, k=0)", "The elements on and below the k-th diagonal, zeros above.", Kind::both);
  define<ops::triu>("triu(x, k=0)", "The elements on and above the k-th diagonal, zeros below.", Kind::both);
  define<ops::diag>("diag(x, k=0)", "A matrix with the vector x on its k-th diagonal; of a matrix its diagonal.",
                    Kind::both);
}

} // namespace cinta::python
