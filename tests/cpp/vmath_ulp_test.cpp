// The float functions that networks use, over all floats: the largest error in units of the last place, on every level.
// Every 251st float by default, seconds; with CINTA_EXHAUSTIVE set every one of the 2^32, minutes.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"

using namespace cinta;
using namespace cinta::kernels;

namespace {

struct Function {
  const char *name;
  UnaryOp op;
  double (*exact)(double);
  double bound; // as stated in vmath.inl
};
double sigmoid(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
const Function kFunctions[] = {
    {"exp", UnaryOp::Exp, [](double x) { return std::exp(x); }, 0.8},
    {"log", UnaryOp::Log, [](double x) { return std::log(x); }, 0.9},
    {"tanh", UnaryOp::Tanh, [](double x) { return std::tanh(x); }, 0.9},
    {"sigmoid", UnaryOp::Sigmoid, sigmoid, 2.0},
    {"erf", UnaryOp::Erf, [](double x) { return std::erf(x); }, 1.4},
};

float of_bits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

// In units of the last place of the exact result, which below the normal floats is the smallest denormal.
double ulps(float got, double exact) {
  if (std::isnan(got) || std::isnan(exact))
    return std::isnan(got) == std::isnan(exact) ? 0 : HUGE_VAL;
  const float nearest = float(exact);
  if (std::isinf(nearest) || std::isinf(got))
    return got == nearest ? 0 : HUGE_VAL;
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::fabs(double(got) - exact) * std::ldexp(1., 24 - std::max(exponent, -125));
}

constexpr int64_t kBlocks = 4096, kEach = (int64_t(1) << 32) / kBlocks;

struct Search {
  const Function &f;
  int64_t step;
  std::vector<const Table *> levels; // that have a kernel of their own
  std::vector<double> worst;         // [block][level]
};

void search(void *context, int64_t block) {
  Search &s = *static_cast<Search *>(context);
  constexpr int64_t n = 4096;
  float x[n], y[n];
  double exact[n];
  const int64_t begin = (block * kEach + s.step - 1) / s.step * s.step, end = (block + 1) * kEach;
  for (int64_t at = begin; at < end; at += n * s.step) {
    int64_t count = 0;
    for (; count < n && at + count * s.step < end; ++count) {
      x[count] = of_bits(uint32_t(at + count * s.step));
      exact[count] = s.f.exact(double(x[count]));
    }
    for (size_t l = 0; l < s.levels.size(); ++l) {
      s.levels[l]->unary[int(s.f.op)][int(Compute::f32)](count, x, y, nullptr);
      double &worst = s.worst[size_t(block) * s.levels.size() + l];
      for (int64_t i = 0; i < count; ++i)
        worst = std::fmax(worst, ulps(y[i], exact[i]));
    }
  }
}

} // namespace

TEST_CASE("errors of exp, log, tanh, sigmoid and erf over all floats") {
  const bool all = std::getenv("CINTA_EXHAUSTIVE") != nullptr;
  for (const Function &f : kFunctions) {
    Search s{f, all ? 1 : 251, {}, {}};
    for (const std::string &isa : available_isas()) {
      const Table &level = table_of(isa.c_str());
      const auto kernel = [&f](const Table &t) { return t.unary[int(f.op)][int(Compute::f32)]; };
      const bool new_here = s.levels.empty() || kernel(level) != kernel(*s.levels.back());
      if (new_here && (!all || isa != "scalar")) // scalar: the same on one lane, whose fused products are library calls
        s.levels.push_back(&level);
    }
    s.worst.resize(size_t(kBlocks) * s.levels.size());
    parallel_for(kBlocks, 1e9, search, &s);
    for (size_t l = 0; l < s.levels.size(); ++l) {
      double worst = 0;
      for (size_t b = 0; b < size_t(kBlocks); ++b)
        worst = std::fmax(worst, s.worst[b * s.levels.size() + l]);
      const std::string level = s.levels[l]->isa;
      CAPTURE(level);
      CAPTURE(f.name);
      if (all)
        MESSAGE(f.name, " ", level, " ", worst);
      CHECK(worst <= f.bound);
    }
  }
}
