// GFLOP/s of the implicit im2col kernels in three directions, and GB/s of 2x2 pooling, per ISA level.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

struct Case {
  const char *name;
  int64_t N, C, size, O, kernel, pad;
};
const Case kCases[] = {
    {"lenet1 128x1x32x32 5x5", 128, 1, 32, 6, 5, 0}, {"lenet2 128x6x14x14 5x5", 128, 6, 14, 16, 5, 0},
    {"lenet1 1x1x32x32 5x5", 1, 1, 32, 6, 5, 0},     {"lenet2 1x6x14x14 5x5", 1, 6, 14, 16, 5, 0},
    {"32x64x32x32 3x3", 32, 64, 32, 64, 3, 1},       {"32x128x16x16 3x3", 32, 128, 16, 128, 3, 1},
    {"32x256x8x8 3x3", 32, 256, 8, 256, 3, 1}};

Conv2d geometry(const Case &c) {
  const int64_t out = c.size + 2 * c.pad - c.kernel + 1;
  Conv2d g{};
  g.N = c.N, g.C = c.C, g.H = g.W = c.size;
  g.O = c.O, g.KH = g.KW = c.kernel, g.OH = g.OW = out;
  g.stride_h = g.stride_w = g.dilation_h = g.dilation_w = 1;
  g.pad_h = g.pad_w = c.pad;
  g.x_batch = c.C * c.size * c.size, g.y_batch = c.O * out * out;
  return g;
}

// `either_order`: by the level's kernels for images in either memory order, else by its direct ones.
void convolution(benchmark::State &state, const Table &table, const Case &c, Direction direction, bool either_order) {
  const Conv2d g = geometry(c);
  cinta::set_num_threads(1);
  const int64_t taps = c.O * c.C * c.kernel * c.kernel;
  std::vector<float> x(size_t(c.N * g.x_batch), 1), w(size_t(taps), 1), y(size_t(c.N * g.y_batch), 1);
  const Images xi{x.data(), {g.x_batch, g.H * g.W, g.W, 1}}, yi{y.data(), {g.y_batch, g.OH * g.OW, g.OW, 1}};
  for (auto _ : state) {
    if (either_order)
      table.conv2d_strided(g, direction, xi, w.data(), nullptr, yi);
    else if (direction == Direction::forward)
      table.conv2d_forward(g, x.data(), w.data(), nullptr, y.data());
    else if (direction == Direction::backward_data)
      table.conv2d_backward_data(g, y.data(), w.data(), x.data());
    else
      table.conv2d_backward_weight(g, x.data(), y.data(), w.data());
    benchmark::ClobberMemory();
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * double(c.N * g.OH * g.OW * taps), benchmark::Counter::kIsIterationInvariantRate);
}

void pooling(benchmark::State &state, const Table &table, int64_t planes, int64_t size, bool maximum) {
  cinta::set_num_threads(1);
  const int64_t out = size / 2;
  Pool2d g{};
  g.images = planes, g.channels = 1, g.H = g.W = size, g.OH = g.OW = out;
  g.KH = g.KW = g.stride_h = g.stride_w = 2, g.dilation_h = g.dilation_w = 1;
  g.count_include_pad = true;
  std::vector<float> x(size_t(planes * size * size), 1), y(size_t(planes * out * out)), place(y.size());
  for (auto _ : state) {
    if (maximum)
      table.max_pool[0](g, x.data(), y.data(), place.data());
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
        for (bool either_order : {false, true}) {
          const auto fits = table.conv2d_strided_fits;
          const bool by_tiles = isa == "amx"; // whose results have their channels last: another benchmark's
          if (either_order && (by_tiles || !fits || fits(geometry(c), direction) == ResultOrder::none))
            continue;
          benchmark::RegisterBenchmark(
              ((either_order ? "winograd/" : "conv/") + isa + "/" + c.name + "/" + name).c_str(), convolution, table, c,
              direction, either_order);
        }
    for (auto [planes, size] : {std::pair(128 * 6, 28), std::pair(128 * 16, 10)})
      for (bool maximum : {false, true})
        benchmark::RegisterBenchmark(("pool/" + isa + (maximum ? "/max " : "/avg ") + std::to_string(size)).c_str(),
                                     pooling, table, planes, size, maximum);
  }
  return 0;
}();

} // namespace
