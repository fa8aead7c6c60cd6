// Optimizer updates: parameters and their states written in place, one fused pass over memory each.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

// Every list is as long as params; a list of states may be empty where the method keeps none.
void sgd_step(const Tensors &params, const Tensors &grads, const Tensors &velocities, const kernels::Sgd &options);
void adam_step(const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &v, const Tensors &v_max,
               const kernels::Adam &options);
void rmsprop_step(const Tensors &params, const Tensors &grads, const Tensors &squares, const Tensors &velocities,
                  const Tensors &means, const kernels::Rmsprop &options);
void adagrad_step(const Tensors &params, const Tensors &grads, const Tensors &sums, const kernels::Adagrad &options);

double total_norm(const Tensors &tensors); // L2 over all of them, summed in double
void scale_inplace(const Tensors &tensors, double factor);

} // namespace cinta::ops
