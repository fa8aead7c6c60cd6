// Losses that are a formula per element and a reduction.
#include "cinta/ops/elementwise.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/softmax.h"

namespace cinta::ops {
namespace {

Tensor reduced(const Tensor &loss, Reduction reduction) {
  switch (reduction) {
  case Reduction::none:
    return loss;
  case Reduction::sum:
    return sum(loss);
  case Reduction::mean:
    return mean(loss);
  case Reduction::batchmean:
    return divide(sum(loss), number(double(loss.ndim() ? loss.shape()[0] : 1), loss));
  }
  return loss;
}

void check_same_shape(const Tensor &x, const Tensor &target, const char *op) {
  if (!(x.shape() == target.shape()))
    fail<ValueError>("[", op, "] target has shape ", target.shape(), ", expected ", x.shape(),
                     " as the input: reshape it, "
                     "a broadcast between the two is nearly always a mistake");
}

Tensor difference(const Tensor &x, const Tensor &target, const char *op) {
  check_floating(x, op);
  check_same_shape(x, target, op);
  return subtract(x, astype(target, x.dtype()));
}

// 1/2 d^2 where |d| <= delta, else delta (|d| - delta/2)
Tensor huber(const Tensor &d, double delta) {
  Tensor a = abs(d), inside = multiply(square(d), 0.5);
  return where(less_equal(detach(a), number(delta, a)), inside, multiply(add(a, -0.5 * delta), delta));
}

} // namespace

Reduction reduction_of(const std::string &name, const char *op) {
  if (name == "none")
    return Reduction::none;
  if (name == "sum")
    return Reduction::sum;
  if (name == "mean")
    return Reduction::mean;
  if (name == "batchmean" && std::string(op) == "kl_div")
    return Reduction::batchmean;
  fail<ValueError>("[", op, "] reduction is '", name, "', expected 'mean', 'sum' or 'none'");
}

Tensor mse_loss(const Tensor &x, const Tensor &target, Reduction reduction) {
  return reduced(square(difference(x, target, "mse_loss")), reduction);
}

Tensor l1_loss(const Tensor &x, const Tensor &target, Reduction reduction) {
  return reduced(abs(difference(x, target, "l1_loss")), reduction);
}

Tensor huber_loss(const Tensor &x, const Tensor &target, Reduction reduction, double delta) {
  if (!(delta > 0))
    fail<ValueError>("[huber_loss] delta is ", delta, ", expected above 0");
  return reduced(huber(difference(x, target, "huber_loss"), delta), reduction);
}

Tensor smooth_l1_loss(const Tensor &x, const Tensor &target, Reduction reduction, double beta) {
  if (!(beta >= 0))
    fail<ValueError>("[smooth_l1_loss] beta is ", beta, ", expected 0 or more");
  if (beta == 0)
    return l1_loss(x, target, reduction);
  Tensor loss = huber(difference(x, target, "smooth_l1_loss"), beta);
  return reduced(divide(loss, number(beta, loss)), reduction);
}

Tensor binary_cross_entropy(const Tensor &x, const Tensor &given, const Tensor &weight, Reduction reduction) {
  check_floating(x, "binary_cross_entropy");
  check_same_shape(x, given, "binary_cross_entropy");
  Tensor target = astype(given, x.dtype()), floor = number(-100, x); // logarithms are held above -100, as in PyTorch
  if (x.size())
    compute({"binary_cross_entropy", Effect::check},
            {astype(max(detach(x)), Dtype::float64), astype(min(detach(x)), Dtype::float64)}, {},
            [](const Tensor *in, const Tensor *) {
              if (*in[0].data<double>() > 1 || *in[1].data<double>() < 0)
                fail<ValueError>("[binary_cross_entropy] the input has values outside [0, 1], expected probabilities: "
                                 "for logits use binary_cross_entropy_with_logits");
            });
  Tensor yes = maximum(log(x), floor), no = maximum(log1p(neg(x)), floor);
  Tensor loss = neg(add(multiply(target, yes), multiply(subtract(1, target), no)));
  return reduced(weight ? multiply(loss, astype(weight, x.dtype())) : loss, reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor &x, const Tensor &given, const Tensor &weight, Reduction reduction,
                                        const Tensor &pos_weight) {
  check_floating(x, "binary_cross_entropy_with_logits");
  check_same_shape(x, given, "binary_cross_entropy_with_logits");
  Tensor target = astype(given, x.dtype());
  // -log sigmoid(x) = softplus(-x): (1 - t) x + (1 + (p - 1) t) softplus(-x)
  Tensor tail = softplus(neg(x), 1, 40);
  if (pos_weight)
    tail = multiply(add(multiply(add(astype(pos_weight, x.dtype()), -1), target), 1), tail);
  Tensor loss = add(multiply(subtract(1, target), x), tail);
  return reduced(weight ? multiply(loss, astype(weight, x.dtype())) : loss, reduction);
}

Tensor kl_div(const Tensor &x, const Tensor &given, Reduction reduction, bool log_target) {
  check_floating(x, "kl_div");
  check_same_shape(x, given, "kl_div");
  Tensor t = astype(given, x.dtype());
  if (log_target)
    return reduced(multiply(exp(t), subtract(t, x)), reduction);
  Tensor positive = greater(detach(t), number(0, t));
  Tensor safe = where(positive, t, number(1, t)); // 0 log 0 = 0
  return reduced(subtract(where(positive, multiply(t, log(safe)), number(0, t)), multiply(t, x)), reduction);
}

Tensor hinge_loss(const Tensor &x, const Tensor &given, double margin, Reduction reduction) {
  check_floating(x, "hinge_loss");
  check_same_shape(x, given, "hinge_loss");
  Tensor target = astype(given, x.dtype());
  return reduced(relu(subtract(margin, multiply(target, x))), reduction);
}

} // namespace cinta::ops
