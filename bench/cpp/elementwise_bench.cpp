// One tile of 4096 floats, in the first-level cache, through elementwise kernels of each ISA level: elements per
// second.
#include <benchmark/benchmark.h>

#include <vector>

#include "cinta/kernels/dispatch.h"
#include "cinta/kernels/kernels.h"

namespace {

using namespace cinta::kernels;
constexpr int64_t kTile = 4096;

void unary(benchmark::State &state, Unary kernel) {
  std::vector<float> x(kTile), y(kTile);
  for (int64_t i = 0; i < kTile; ++i)
    x[static_cast<size_t>(i)] = 0.1f + 3.0f * float(i) / kTile;
  for (auto _ : state) {
    kernel(kTile, x.data(), y.data(), nullptr);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(kTile * state.iterations());
}

const int registered = [] {
  const std::pair<const char *, UnaryOp> ops[] = {{"exp", UnaryOp::Exp},   {"log", UnaryOp::Log},
                                                  {"tanh", UnaryOp::Tanh}, {"sigmoid", UnaryOp::Sigmoid},
                                                  {"sin", UnaryOp::Sin},   {"erf", UnaryOp::Erf}};
  for (const std::string &isa : available_isas())
    for (const auto &[name, op] : ops)
      benchmark::RegisterBenchmark((std::string(name) + "/" + isa).c_str(), [isa, op = op](benchmark::State &state) {
        unary(state, table_of(isa.c_str()).unary[int(op)][int(Compute::f32)]);
      });
  return 0;
}();

} // namespace
