#include "cinta/kernels/gemm_activation.h"

namespace cinta::kernels {
namespace {

// Of the level.
GemmFn multiply;
GemmBatchFn multiply_batch;

void activate(const Gemm &g, int64_t item) {
  const float *c = static_cast<const float *>(g.C) + item;
  float *y = static_cast<float *>(g.activated ? g.activated : g.C) + item;
  for (int64_t i = 0; i < g.M; ++i)
    g.activation(g.N, c + i * g.ldc, y + i * g.ldc, g.activation_params);
}

void gemm(const Gemm &g) {
  Gemm plain = g;
  plain.activation = nullptr;
  multiply(plain);
  if (g.activation)
    activate(g, 0);
}

void gemm_batch(const Gemm &g, int64_t batch, int64_t a_batch, int64_t b_batch, int64_t c_batch) {
  Gemm plain = g;
  plain.activation = nullptr;
  multiply_batch(plain, batch, a_batch, b_batch, c_batch);
  for (int64_t i = 0; g.activation && i < batch; ++i)
    activate(g, i * c_batch);
}

} // namespace

void activate_after_gemm(Table &table) {
  multiply = table.gemm[int(Compute::f32)];
  multiply_batch = table.gemm_batch[int(Compute::f32)];
  table.gemm[int(Compute::f32)] = gemm;
  table.gemm_batch[int(Compute::f32)] = gemm_batch;
}

} // namespace cinta::kernels
