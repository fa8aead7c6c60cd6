// Of which elements, and with which weights, resampling makes each new one along an axis.
#pragma once
#include <cstdint>
#include <vector>

namespace cinta::ops {

enum class Interpolation : uint8_t { nearest, nearest_exact, linear, cubic, area };

struct ResampleRule {
  int64_t size, out;
  Interpolation how;
  double step; // from one new element to the next, in old ones
  bool align_corners, antialias;
  bool operator==(const ResampleRule &) const = default;
};

// New element i is the sum over k < count[i] of weights[i taps + k] x[first[i] + k].
struct ResampleWeights {
  ResampleRule rule;
  bool adjoint; // x and y have changed sides
  int64_t taps;
  std::vector<int64_t> first, count;
  std::vector<double> weights;
  bool unchanged() const; // whether y = x
  bool operator==(const ResampleWeights &o) const { return rule == o.rule && adjoint == o.adjoint; }
};
ResampleWeights resample_weights(const ResampleRule &rule);
ResampleWeights transposed(const ResampleWeights &w);

} // namespace cinta::ops
