// Optimizer updates: parameters and their states written in place, one fused pass over memory each.
#pragma once
#include "cinta/ops/op.h"
#include "cinta/tensor/row_sparse.h"

namespace cinta::ops {

using Gradients = std::vector<RowSparse>; // dense ones have no rows

// Every list is as long as params; a list of states may be empty where the method keeps none.
void sgd_step(const Tensors &params, const Gradients &grads, const Tensors &velocities, const kernels::Sgd &options);
void adam_step(const Tensors &params, const Gradients &grads, const Tensors &m, const Tensors &v, const Tensors &v_max,
               const kernels::Adam &options);
void rmsprop_step(const Tensors &params, const Tensors &grads, const Tensors &squares, const Tensors &velocities,
                  const Tensors &means, const kernels::Rmsprop &options);
void adagrad_step(const Tensors &params, const Tensors &grads, const Tensors &sums, const kernels::Adagrad &options);
void adadelta_step(const Tensors &params, const Tensors &grads, const Tensors &squares, const Tensors &deltas,
                   const kernels::Adadelta &options);
// mu_products: one float64 for each parameter, the product of all momenta so far.
void nadam_step(const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &v,
                const Tensors &mu_products, const kernels::Nadam &options);
void radam_step(const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &v,
                const kernels::Radam &options);
void adamax_step(const Tensors &params, const Tensors &grads, const Tensors &m, const Tensors &largest,
                 const kernels::Adamax &options);
void lion_step(const Tensors &params, const Tensors &grads, const Tensors &m, const kernels::Lion &options);
void rprop_step(const Tensors &params, const Tensors &grads, const Tensors &before, const Tensors &step_sizes,
                const kernels::Rprop &options);

// The L2 norm over all of them, summed in double, with the bits of dense gradients; 0-d float64.
Tensor total_norm(const Gradients &grads);
// a += share (x - a) for every pair, in place; share: 0-d
void lerp_inplace(const Tensors &averages, const Tensors &values, const Tensor &share);
// Scales all of them by max_norm / (norm + 1e-6) where that is below 1, in place.
void clip_norm_inplace(const Tensors &tensors, const Tensor &norm, double max_norm);

} // namespace cinta::ops
