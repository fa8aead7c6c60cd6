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

void product(benchmark::State &state, const kernels::Table &table, int64_t M, int64_t N, int64_t K) {
  set_num_threads(1);
  const std::vector<float> A = normal(M * K), B = normal(K * N);
  std::vector<float> C(static_cast<size_t>(M * N));
  const kernels::Gemm gemm{M, N, K, A.data(), K, 1, B.data(), N, 1, C.data(), N, false, nullptr, nullptr};
  for (auto _ : state) {
    table.gemm[int(kernels::Compute::f32)](gemm);
    benchmark::ClobberMemory();
  }
  state.counters["flop/s"] = benchmark::Counter(2.0 * double(M) * double(N) * double(K) * double(state.iterations()),
                                                benchmark::Counter::kIsRate);
}

const int registered = [] {
  const int64_t shapes[][3] = {{512, 512, 512}, {1024, 1024, 1024}, {128, 256, 784}, {128, 10, 256}, {1, 120, 400}};
  for (const std::string &isa : kernels::available_isas())
    for (const auto &[M, N, K] : shapes)
      benchmark::RegisterBenchmark(
          ("gemm/" + isa + "/" + std::to_string(M) + "x" + std::to_string(N) + "x" + std::to_string(K)).c_str(),
          [isa, M = M, N = N, K = K](benchmark::State &state) {
            product(state, kernels::table_of(isa.c_str()), M, N, K);
          });
  return 0;
}();

} // namespace
