// Softmax and the losses, fused where training spends its time.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

enum class Reduction { none, sum, mean, batchmean };
Reduction reduction_of(const std::string &name, const char *op);

Tensor softmax(const Tensor &x, int64_t axis);
Tensor log_softmax(const Tensor &x, int64_t axis);

// x [N,C,..]; target: indices [N,..] or probabilities of x's shape. 'mean' divides by the weight of the valid targets.
struct CrossEntropyOptions {
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;
};
Tensor cross_entropy(const Tensor &x, const Tensor &target, const Tensor &weight, const CrossEntropyOptions &options);
Tensor nll_loss(const Tensor &log_probabilities, const Tensor &target, const Tensor &weight, int64_t ignore_index,
                Reduction reduction);

Tensor mse_loss(const Tensor &x, const Tensor &target, Reduction reduction);
Tensor l1_loss(const Tensor &x, const Tensor &target, Reduction reduction);
Tensor huber_loss(const Tensor &x, const Tensor &target, Reduction reduction, double delta);
Tensor smooth_l1_loss(const Tensor &x, const Tensor &target, Reduction reduction, double beta);
Tensor binary_cross_entropy(const Tensor &x, const Tensor &target, const Tensor &weight, Reduction reduction);
Tensor binary_cross_entropy_with_logits(const Tensor &x, const Tensor &target, const Tensor &weight,
                                        Reduction reduction, const Tensor &pos_weight);
Tensor kl_div(const Tensor &x, const Tensor &target, Reduction reduction, bool log_target);
Tensor hinge_loss(const Tensor &x, const Tensor &target, double margin, Reduction reduction);

} // namespace cinta::ops
