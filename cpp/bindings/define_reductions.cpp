// Reductions, running sums, sorting.
#include "bindings/function.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/reduce.h"

namespace cinta::python {
namespace {

using MaybeAxes = std::optional<Axes>;
using MaybeAxis = std::optional<int64_t>;
constexpr const char *kAxes = " over the axes given (all by default); keepdims leaves them with size 1.";

std::string doc(const char *formula) { return std::string(formula) + kAxes; }

std::pair<Tensor, Tensor> topk(const Tensor &x, int64_t k, int64_t axis, bool largest) {
  ops::Tensors both = ops::topk(x, k, axis, largest);
  return {both[0], both[1]};
}

} // namespace

void define_reductions() {
  define<[](const Tensor &x, const MaybeAxes &axis, bool keepdims, std::optional<Dtype> dtype) {
    return ops::sum(dtype ? ops::astype(x, *dtype) : x, axis, keepdims);
  }>("sum(x, axis=None, keepdims=False, dtype=None)",
     doc("The sum y = x_1 + ... + x_n; small integers add up in 64 bits.\n\nTaken").c_str(), Kind::both);
  define<ops::mean>("mean(x, axis=None, keepdims=False)", doc("The mean y = (x_1 + ... + x_n) / n").c_str(),
                    Kind::both);
  define<ops::var>("var(x, axis=None, ddof=0, keepdims=False)",
                   doc("The variance y = sum (x_i - mean)^2 / (n - ddof)").c_str(), Kind::both);
  define<ops::std_>("std(x, axis=None, ddof=0, keepdims=False)",
                    doc("The standard deviation, the root of the variance,").c_str(), Kind::both);
  define<ops::prod>("prod(x, axis=None, keepdims=False)", doc("The product y = x_1 x_2 ... x_n").c_str(), Kind::both);
  define<ops::max>("max(x, axis=None, keepdims=False)",
                   doc("The largest element (NaN if there is one); equal ones share the gradient. Taken").c_str(),
                   Kind::both);
  define<ops::min>("min(x, axis=None, keepdims=False)",
                   doc("The smallest element (NaN if there is one); equal ones share the gradient. Taken").c_str(),
                   Kind::both);
  define<ops::any>("any(x, axis=None, keepdims=False)", doc("Whether any element is nonzero").c_str(), Kind::both);
  define<ops::all>("all(x, axis=None, keepdims=False)", doc("Whether every element is nonzero").c_str(), Kind::both);
  define<ops::logsumexp>("logsumexp(x, axis=None, keepdims=False)",
                         doc("y = ln(e^x_1 + ... + e^x_n), without overflow,").c_str(), Kind::both);
  define<ops::argmax>("argmax(x, axis=None, keepdims=False)",
                      "The index (int64) of the first largest element along an axis, of the flattened tensor by "
                      "default; NaN counts as largest.",
                      Kind::both);
  define<ops::argmin>("argmin(x, axis=None, keepdims=False)",
                      "The index (int64) of the first smallest element along an axis, of the flattened tensor by "
                      "default; NaN counts as smallest.",
                      Kind::both);
  define<ops::cumsum>("cumsum(x, axis=None)",
                      "Running sums y_i = x_1 + ... + x_i along an axis, of the flattened tensor by default.",
                      Kind::both);
  define<ops::cumprod>("cumprod(x, axis=None)",
                       "Running products y_i = x_1 ... x_i along an axis, of the flattened tensor by default.",
                       Kind::both);
  define<ops::sort>("sort(x, axis=-1, descending=False)", "The elements in order along an axis; stable, NaN last.",
                    Kind::both);
  define<ops::argsort>("argsort(x, axis=-1, descending=False)",
                       "The indices (int64) that sort x along an axis; stable, NaN last.", Kind::both);
  define<topk>("topk(x, k, axis=-1, largest=True)",
               "The k largest (or smallest) elements along an axis in order, and their indices (int64).", Kind::both);
}

} // namespace cinta::python
