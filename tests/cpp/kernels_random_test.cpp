// Philox against its published test vectors, and what is made of it.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

using Block = std::array<uint32_t, 4>;

// Written from the paper, one block at a time.
Block philox(Block c, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t(0xD2511F53) * c[0], b = uint64_t(0xCD9E8D57) * c[2];
    c = {uint32_t(b >> 32) ^ c[1] ^ k0, uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ k1, uint32_t(a)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

constexpr uint64_t kKey = 0x299f31d0a4093822;

template <class T> std::vector<T> normal(const Table &table, int64_t n, uint64_t first) {
  std::vector<T> y(static_cast<size_t>(n));
  table.normal_fill[sizeof(T) == 8](n, kKey, first, 0, 1, y.data());
  return y;
}

} // namespace

TEST_CASE("philox 4x32-10 has its known answers") {
  CHECK(philox({0, 0, 0, 0}, 0, 0) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({~0u, ~0u, ~0u, ~0u}, ~0u, ~0u) == Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("bits are the words of the blocks in order, wherever a call begins") {
  for (const std::string &isa : available_isas())
    for (uint64_t first : {uint64_t(0), uint64_t(5), uint64_t(1021), (uint64_t(1) << 34) - 3})
      for (int64_t n : {0, 1, 3, 128, 1000}) {
        std::vector<uint32_t> y(size_t(n) + 1, 7);
        table_of(isa.c_str()).bits_fill(n, kKey, first, y.data());
        int wrong = 0;
        for (int64_t i = 0; i < n; ++i) {
          const uint64_t word = first + uint64_t(i), block = word / 4;
          const Block b = philox({uint32_t(block), uint32_t(block >> 32), 0, 0}, uint32_t(kKey), uint32_t(kKey >> 32));
          wrong += b[word % 4] != y[size_t(i)];
        }
        CHECK(wrong == 0);
        CHECK(y.back() == 7);
      }
}

TEST_CASE("uniform numbers: in the interval, same bits on every level and thread count") {
  const int64_t n = 50001;
  std::vector<float> reference(n);
  std::vector<double> reference64(n);
  table_of("scalar").uniform_fill[0](n, kKey, 3, -1, 2, reference.data());
  table_of("scalar").uniform_fill[1](n, kKey, 3, 0, 1, reference64.data());
  double mean = 0;
  for (float x : reference) {
    REQUIRE((x >= -1 && x < 2));
    mean += double(x) / double(n);
  }
  CHECK(std::fabs(mean - 0.5) < 5 * std::sqrt(9.0 / 12 / double(n)));
  for (const std::string &isa : available_isas())
    for (int threads : {1, 3}) {
      cinta::set_num_threads(threads);
      std::vector<float> y(n);
      std::vector<double> y64(n);
      table_of(isa.c_str()).uniform_fill[0](n, kKey, 3, -1, 2, y.data());
      table_of(isa.c_str()).uniform_fill[1](n, kKey, 3, 0, 1, y64.data());
      CHECK(y == reference);
      CHECK(y64 == reference64);
    }
}

TEST_CASE_TEMPLATE("normal(n) is part of normal(m), and normal", T, float, double) {
  const std::vector<T> reference = normal<T>(table_of("scalar"), 40000, 0);
  double moments[5] = {};
  for (T x : reference)
    for (int k = 1; k <= 4; ++k)
      moments[k] += std::pow(double(x), k) / double(reference.size());
  CHECK(std::fabs(moments[1]) < 0.025);
  CHECK(std::fabs(moments[2] - 1) < 0.035);
  CHECK(std::fabs(moments[3]) < 0.1);
  CHECK(std::fabs(moments[4] - 3) < 0.25);
  for (const std::string &isa : available_isas()) {
    const std::vector<T> all = normal<T>(table_of(isa.c_str()), 40000, 0);
    const std::vector<T> part = normal<T>(table_of(isa.c_str()), 777, 1235);
    CHECK(std::equal(part.begin(), part.end(), all.begin() + 1235));
    double worst = 0;
    for (size_t i = 0; i < all.size(); ++i)
      worst = std::fmax(worst, std::fabs(double(all[i] - reference[i])));
    CHECK(worst < (sizeof(T) == 8 ? 1e-13 : 5e-6));
  }
}

TEST_CASE("dropout keeps the right share, scales it and remembers it") {
  const int64_t n = 100000;
  const std::vector<float> x(n, 3);
  for (const std::string &isa : available_isas())
    for (double p : {0.0, 0.25, 1.0}) {
      std::vector<float> y(n);
      std::vector<uint8_t> mask(n);
      table_of(isa.c_str()).dropout_fill[0](n, kKey, 9, p, x.data(), y.data(), mask.data());
      int64_t kept = 0, wrong = 0;
      for (int64_t i = 0; i < n; ++i) {
        kept += mask[size_t(i)];
        wrong += y[size_t(i)] != (mask[size_t(i)] ? 3 * float(1 / (1 - p)) : 0.0f);
      }
      CHECK(wrong == 0);
      CHECK(std::fabs(double(kept) / double(n) - (1 - p)) <= 5 * std::sqrt(p * (1 - p) / double(n)));
    }
}
