// GFLOP/s of the implicit im2col kernels in three directions, and GB/s of 2x2 pooling, per ISA level.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

enum class Direction { forward, backward_data, backward_weight };

struct Case {
  const char *name;
  int64_t N, C, size, O, kernel, pad;
};
const Case kCases[] = {
    {"lenet1 128x1x32x32 5x5", 128, 1, 32, 6, 5, 0}, {"lenet2 128x6x14x14 5x5", 128, 6, 14, 16, 5, 0},
    {"lenet1 1x1x32x32 5x5", 1, 1, 32, 6, 5, 0},     {"lenet2 1x6x14x14 5x5", 1, 6, 14, 16, 5, 0},
    {"32x64x32x32 3x3", 32, 64, 32, 64, 3, 1},       {"32x128x16x16 3x3", 32, 128, 16, 128, 3, 1},
    {"32x256x8x8 3x3", 32, 256, 8, 256, 3, 1}};

void convolution(benchmark::State &state, const Table &table, const Case &c, Direction direction) {
  const int64_t out = c.size + 2 * c.pad - c.kernel + 1;
  const Conv2d g{c.N,
                 c.C,
                 c.size,
                 c.size,
                 c.O,
                 c.kernel,
                 c.kernel,
                 out,
                 out,
                 1,
                 1,
                 c.pad,
                 c.pad,
                 1,
                 1,
                 c.C * c.size * c.size,
                 c.O * out * out};
  cinta::set_num_threads(1);
  const int64_t taps = c.O * c.C * c.kernel * c.kernel;
  std::vector<float> x(size_t(c.N * g.x_batch), 1), w(size_t(taps), 1), y(size_t(c.N * g.y_batch), 1);
  for (auto _ : state) {
    if (direction == Direction::forward)
      table.conv2d_forward(g, x.data(), w.data(), nullptr, y.data());
    else if (direction == Direction::backward_data)
      table.conv2d_backward_data(g, y.data(), w.data(), x.data());
    else
      table.conv2d_backward_weight(g, x.data(), y.data(), w.data());
    benchmark::ClobberMemory();
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * double(c.N * out * out * taps), benchmark::Counter::kIsIterationInvariantRate);
}

void pooling(benchmark::State &state, const Table &table, int64_t planes, int64_t size, bool maximum) {
  cinta::set_num_threads(1);
  const int64_t out = size / 2;
  const Pool2d g{planes, size, size, out, out, 2, 2, 2, 2, 0, 0, 1, 1, true, 0};
  std::vector<float> x(size_t(planes * size * size), 1), y(size_t(planes * out * out));
  std::vector<int64_t> index(y.size());
  for (auto _ : state) {
    if (maximum)
      table.max_pool[0](g, x.data(), y.data(), index.data());
    else
      table.avg_pool[0](g, x.data(), y.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * int64_t(sizeof(float) * (x.size() + y.size())));
}

const int registered = [] {
  const std::pair<const char *, Direction> directions[] = {{"forward", Direction::forward},
                                                           {"backward data", Direction::backward_data},
                                                           {"backward weight", Direction::backward_weight}};
  for (const std::string &isa : available_isas()) {
    const Table &table = table_of(isa.c_str());
    for (const Case &c : kCases)
      for (const auto &[name, direction] : directions)
        benchmark::RegisterBenchmark(("conv/" + isa + "/" + c.name + "/" + name).c_str(), convolution, table, c,
                                     direction);
    for (auto [planes, size] : {std::pair(128 * 6, 28), std::pair(128 * 16, 10)})
      for (bool maximum : {false, true})
        benchmark::RegisterBenchmark(("pool/" + isa + (maximum ? "/max " : "/avg ") + std::to_string(size)).c_str(),
                                     pooling, table, planes, size, maximum);
  }
  return 0;
}();

} // namespace
