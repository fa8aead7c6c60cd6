// The optimizers' fused updates, and what gradient clipping needs.
#include <cmath>

#include "bindings/function.h"
#include "cinta/ops/update.h"

namespace cinta::python {
namespace {

using Tensors = std::vector<Tensor>;
using Maybe = std::optional<Tensors>;
constexpr const char *kLists =
    "\n\nEvery list has one entry per parameter; parameters and states are written in place.";

Tensors or_none(const Maybe &tensors) { return tensors.value_or(Tensors()); }

} // namespace

void define_optim() {
  define<[](const Tensors &params, const Tensors &grads, const Maybe &velocities, double lr, double momentum,
            double dampening, double weight_decay, bool nesterov, bool maximize, bool first) {
    ops::sgd_step(params, grads, or_none(velocities),
                  {lr, momentum, dampening, weight_decay, nesterov, maximize, first});
  }>("sgd_step(params, grads, velocities, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, "
     "maximize=False, first=False)",
     join("v = momentum v + (1 - dampening) g, p -= lr v: one SGD update.", kLists).c_str());
  define<[](const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &v, const Maybe &v_max,
            int64_t step, double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled,
            bool maximize) {
    ops::adam_step(params, grads, m, v, or_none(v_max),
                   {lr, beta1, beta2, eps, weight_decay, 1 - std::pow(beta1, double(step)),
                    1 - std::pow(beta2, double(step)), decoupled, maximize});
  }>("adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, step, lr, beta1=0.9, beta2=0.999, eps=1e-8, "
     "weight_decay=0.0, "
     "decoupled=False, maximize=False)",
     join("p -= lr (m / (1 - beta1^step)) / ((v / (1 - beta2^step))^(1/2) + eps): one Adam update (AdamW where "
          "decoupled).",
          kLists)
         .c_str());
  define<[](const Tensors &params, const Tensors &grads, const Tensors &squares, const Maybe &velocities,
            const Maybe &means, double lr, double alpha, double eps, double weight_decay, double momentum,
            bool maximize) {
    ops::rmsprop_step(params, grads, squares, or_none(velocities), or_none(means),
                      {lr, alpha, eps, weight_decay, momentum, maximize});
  }>("rmsprop_step(params, grads, square_avgs, momentum_buffers, grad_avgs, lr, alpha=0.99, eps=1e-8, "
     "weight_decay=0.0, momentum=0.0, "
     "maximize=False)",
     join("p -= lr g / (s^(1/2) + eps) with s the running mean of g^2: one RMSprop update.", kLists).c_str());
  define<[](const Tensors &params, const Tensors &grads, const Tensors &sums, double lr, double eps,
            double weight_decay, bool maximize) {
    ops::adagrad_step(params, grads, sums, {lr, eps, weight_decay, maximize});
  }>("adagrad_step(params, grads, sums, lr, eps=1e-10, weight_decay=0.0, maximize=False)",
     join("p -= lr g / (s^(1/2) + eps) with s the sum of g^2: one Adagrad update.", kLists).c_str());
  define<ops::total_norm>("total_norm(tensors)",
                          "The L2 norm over all elements of all tensors, summed in float64; 0-d float64.");
  define<ops::clip_norm_inplace>(
      "clip_norm_(tensors, norm, max_norm)",
      "Scales every tensor by max_norm / (norm + 1e-6), in place, where that is below 1 (or NaN).");
}

} // namespace cinta::python
