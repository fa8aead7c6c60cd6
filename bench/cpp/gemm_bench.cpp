// Matrix products of each ISA level that runs here, in flop/s: square ones and the small ones of LeNet and the MLP.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"
#include "cinta/kernels/kernels.h"

namespace {

using namespace cinta;

std::vector<float> normal(int64_t n) {
  std::mt19937 generator(7);
  std::normal_distribution<float> distribution;
  std::vector<float> values(static_cast<size_t>(n));
  for (float &value : values)
    value = distribution(generator);
  return values;
}

// C[M,N] = A[M,K] B[K,N]; a transposed operand is stored the other way round.
struct Shape {
  const char *name;
  int64_t M, N, K;
  bool a_transposed, b_transposed;
};

void product(benchmark::State &state, const kernels::Table &table, const Shape &shape) {
  const auto [name, M, N, K, a_transposed, b_transposed] = shape;
  set_num_threads(1);
  const std::vector<float> A = normal(M * K), B = normal(K * N);
  std::vector<float> C(static_cast<size_t>(M * N));
  const kernels::Gemm gemm{M,
                           N,
                           K,
                           A.data(),
                           a_transposed ? 1 : K,
                           a_transposed ? M : 1,
                           B.data(),
                           b_transposed ? 1 : N,
                           b_transposed ? K : 1,
                           C.data(),
                           N,
                           false,
                           nullptr,
                           nullptr};
  for (auto _ : state) {
    table.gemm[int(kernels::Compute::f32)](gemm);
    benchmark::ClobberMemory();
  }
  state.counters["flop/s"] = benchmark::Counter(2.0 * double(M) * double(N) * double(K) * double(state.iterations()),
                                                benchmark::Counter::kIsRate);
}

const int registered = [] {
  const Shape shapes[] = {{"512^3", 512, 512, 512, false, false},          {"1024^3", 1024, 1024, 1024, false, false},
                          {"mlp forward", 128, 256, 784, false, true},     {"mlp dx", 128, 784, 256, false, false},
                          {"mlp dw", 256, 784, 128, true, false},          {"mlp head", 128, 10, 256, false, true},
                          {"lenet fc1", 128, 120, 400, false, true},       {"lenet fc2", 128, 84, 120, false, true},
                          {"lenet fc1 batch 1", 1, 120, 400, false, true}, {"tiny", 16, 2, 8, false, false}};
  for (const std::string &isa : kernels::available_isas())
    for (const Shape &shape : shapes)
      benchmark::RegisterBenchmark(("gemm/" + isa + "/" + shape.name).c_str(), [isa, shape](benchmark::State &state) {
        product(state, kernels::table_of(isa.c_str()), shape);
      });
  return 0;
}();

} // namespace
