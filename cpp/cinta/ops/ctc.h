// Connectionist temporal classification: the loss of labels whose places among the frames nobody knows.
#pragma once
#include "cinta/ops/softmax.h"

namespace cinta::ops {

struct CtcOptions {
  int64_t blank = 0;
  Reduction reduction = Reduction::mean; // each loss by its target's length (1 at least), then over the batch
  bool zero_infinity = false;
};
// log_probs [T,N,C] or [T,C]; targets [N,S], or one after the other [sum of target_lengths]; lengths [N], integers.
Tensor ctc_loss(const Tensor &log_probs, const Tensor &targets, const Tensor &input_lengths,
                const Tensor &target_lengths, const CtcOptions &options);

} // namespace cinta::ops
