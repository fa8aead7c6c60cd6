// The optimizers' fused updates, and what gradient clipping needs.
#include <cmath>

#include "bindings/function.h"
#include "bindings/row_sparse.h"
#include "cinta/ops/update.h"

namespace cinta::python {
namespace {

using Tensors = std::vector<Tensor>;
using ops::Gradients;
using Maybe = std::optional<Tensors>;
constexpr const char *kLists =
    "\n\nEvery list has one entry per parameter; parameters and states are written in place.";

Tensors or_none(const Maybe &tensors) { return tensors.value_or(Tensors()); }

} // namespace

void define_optim() {
  define<[](const Tensors &params, const Gradients &grads, const Maybe &velocities, double lr, double momentum,
            double dampening, double weight_decay, bool nesterov, bool maximize, bool first, bool lazy) {
    ops::sgd_step(params, grads, or_none(velocities),
                  {lr, momentum, dampening, weight_decay, nesterov, maximize, first, lazy});
  }>("sgd_step(params, grads, velocities, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, "
     "maximize=False, first=False, lazy=False)",
     join("v = momentum v + (1 - dampening) g, p -= lr v: one SGD update.", kLists).c_str());
  define<[](const Tensors &params, const Gradients &grads, const Tensors &m, const Tensors &v, const Maybe &v_max,
            int64_t step, double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled,
            bool maximize, bool lazy) {
    ops::adam_step(params, grads, m, v, or_none(v_max),
                   {lr, beta1, beta2, eps, weight_decay, 1 - std::pow(beta1, double(step)),
                    1 - std::pow(beta2, double(step)), decoupled, maximize, lazy});
  }>("adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, step, lr, beta1=0.9, beta2=0.999, eps=1e-8, "
     "weight_decay=0.0, "
     "decoupled=False, maximize=False, lazy=False)",
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
  define<[](const Tensors &params, const Tensors &grads, const Tensors &squares, const Tensors &deltas, double lr,
            double rho, double eps, double weight_decay, bool maximize) {
    ops::adadelta_step(params, grads, squares, deltas, {lr, rho, eps, weight_decay, maximize});
  }>("adadelta_step(params, grads, square_avgs, acc_deltas, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0.0, "
     "maximize=False)",
     join("p -= lr d with d = ((u + eps) / (s + eps))^(1/2) g, s and u the running means of g^2 and d^2: one Adadelta "
          "update.",
          kLists)
         .c_str());
  define<[](const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &v, const Tensors &mu_products,
            double lr, double beta1, double beta2, double eps, double weight_decay, double bias2, double mu,
            double mu_next, bool decoupled, bool maximize) {
    ops::nadam_step(params, grads, m, v, mu_products,
                    {lr, beta1, beta2, eps, weight_decay, bias2, mu, mu_next, decoupled, maximize});
  }>("nadam_step(params, grads, exp_avgs, exp_avg_sqs, mu_products, lr, beta1, beta2, eps, weight_decay, bias2, mu, "
     "mu_next, decoupled=False, maximize=False)",
     join("Adam with Nesterov's momentum mu, bias2 = 1 - beta2^step: one NAdam update; mu_products are single float64.",
          kLists)
         .c_str());
  define<[](const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &v, double lr, double beta1,
            double beta2, double eps, double weight_decay, double bias1, double bias2, double rectify, bool decoupled,
            bool maximize) {
    ops::radam_step(params, grads, m, v,
                    {lr, beta1, beta2, eps, weight_decay, bias1, bias2, rectify, decoupled, maximize});
  }>("radam_step(params, grads, exp_avgs, exp_avg_sqs, lr, beta1, beta2, eps, weight_decay, bias1, bias2, rectify, "
     "decoupled=False, maximize=False)",
     join(
         "Adam's step times `rectify`, or without scaling where that is 0; bias_i = 1 - beta_i^step: one RAdam update.",
         kLists)
         .c_str());
  define<[](const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &largest, int64_t step,
            double lr, double beta1, double beta2, double eps, double weight_decay, bool maximize) {
    ops::adamax_step(params, grads, m, largest,
                     {lr, beta1, beta2, eps, weight_decay, 1 - std::pow(beta1, double(step)), maximize});
  }>("adamax_step(params, grads, exp_avgs, exp_infs, step, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, "
     "maximize=False)",
     join("p -= lr m / (1 - beta1^step) / u with u = max(beta2 u, |g| + eps): one Adamax update.", kLists).c_str());
  define<[](const Tensors &params, const Tensors &grads, const Tensors &m, double lr, double beta1, double beta2,
            double weight_decay, bool maximize) {
    ops::lion_step(params, grads, m, {lr, beta1, beta2, weight_decay, maximize});
  }>("lion_step(params, grads, exp_avgs, lr, beta1=0.9, beta2=0.99, weight_decay=0.0, maximize=False)",
     join("p -= lr sign(beta1 m + (1 - beta1) g): one Lion update.", kLists).c_str());
  define<[](const Tensors &params, const Tensors &grads, const Tensors &before, const Tensors &step_sizes,
            double eta_minus, double eta_plus, double step_min, double step_max, bool maximize) {
    ops::rprop_step(params, grads, before, step_sizes, {eta_minus, eta_plus, step_min, step_max, maximize});
  }>("rprop_step(params, grads, prevs, step_sizes, eta_minus=0.5, eta_plus=1.2, step_min=1e-6, step_max=50.0, "
     "maximize=False)",
     join("p -= sign(g) step_size, each size growing while its gradient keeps its sign: one Rprop update.", kLists)
         .c_str());
  define<ops::total_norm>("total_norm(tensors)",
                          "The L2 norm over all elements of all tensors or gradients, in float64; 0-d float64.");
  define<ops::lerp_inplace>("lerp_(averages, values, share)",
                            "a += share (x - a) for every average a and its value x, in place; share is one number.");
  define<ops::clip_norm_inplace>(
      "clip_norm_(tensors, norm, max_norm)",
      "Scales every tensor by max_norm / (norm + 1e-6), in place, where that is below 1 (or NaN).");
}

} // namespace cinta::python
