#include "cinta/ops/resample_weights.h"

#include <algorithm>
#include <cmath>

namespace cinta::ops {
namespace {

// Keys 1981: the cubic through its neighbours whose slope at distance 1 is a.
double cubic(double x, double a) {
  x = std::fabs(x);
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}
double triangle(double x) { return std::max(1 - std::fabs(x), 0.0); }

struct Terms { // of one new element, at places that may lie outside
  int64_t first = 0;
  std::vector<double> weights;
};

// A filter as wide as the step, so that every old element counts; what lies outside is left out (Pillow's way).
Terms antialiased(const ResampleRule &r, int64_t i) {
  const double wide = std::max(r.step, 1.0), support = (r.how == Interpolation::cubic ? 2 : 1) * wide;
  const double centre = r.step * (double(i) + 0.5);
  Terms t{std::max<int64_t>(int64_t(centre - support + 0.5), 0), {}};
  const int64_t end = std::min<int64_t>(int64_t(centre + support + 0.5), r.size);
  double sum = 0;
  for (int64_t at = t.first; at < end; ++at) {
    const double x = (double(at) - centre + 0.5) / wide;
    t.weights.push_back(r.how == Interpolation::cubic ? cubic(x, -0.5) : triangle(x));
    sum += t.weights.back();
  }
  for (double &w : t.weights)
    w /= sum;
  return t;
}

Terms terms(const ResampleRule &r, int64_t i) {
  const bool exact = r.step == double(r.size) / double(r.out); // then whole numbers say where an element begins
  switch (r.how) {
  case Interpolation::nearest:
    return {exact ? i * r.size / r.out : int64_t(std::floor(double(i) * r.step)), {1}};
  case Interpolation::nearest_exact:
    return {exact ? (2 * i + 1) * r.size / (2 * r.out) : int64_t(std::floor((double(i) + 0.5) * r.step)), {1}};
  case Interpolation::area: {
    const int64_t begin = i * r.size / r.out, end = ((i + 1) * r.size + r.out - 1) / r.out;
    return {begin, std::vector<double>(size_t(end - begin), 1 / double(end - begin))};
  }
  case Interpolation::linear:
  case Interpolation::cubic:
    break;
  }
  if (r.antialias)
    return antialiased(r, i);
  double at = r.align_corners ? double(i) * r.step : (double(i) + 0.5) * r.step - 0.5;
  if (r.how == Interpolation::linear)
    at = std::max(at, 0.0);
  const double left = std::floor(at), t = at - left;
  if (r.how == Interpolation::linear)
    return {int64_t(left), {1 - t, t}};
  return {int64_t(left) - 1, {cubic(1 + t, -0.75), cubic(t, -0.75), cubic(1 - t, -0.75), cubic(2 - t, -0.75)}};
}

} // namespace

bool ResampleWeights::unchanged() const {
  if (rule.size != rule.out)
    return false;
  for (size_t i = 0; i < first.size(); ++i)
    for (int64_t k = 0; k < count[i]; ++k)
      if (weights[i * size_t(taps) + size_t(k)] != (first[i] + k == int64_t(i) ? 1 : 0))
        return false;
  return true;
}

ResampleWeights resample_weights(const ResampleRule &rule) {
  ResampleWeights w{rule, false, 1, {}, {}, {}};
  std::vector<Terms> all(static_cast<size_t>(rule.out));
  for (int64_t i = 0; i < rule.out; ++i) { // elements at the ends stand for what lies beyond them
    const Terms given = terms(rule, i);
    const auto inside = [&](int64_t at) { return std::clamp<int64_t>(at, 0, rule.size - 1); };
    const int64_t n = int64_t(given.weights.size()), first = inside(given.first);
    Terms &t = all[size_t(i)] = {first, std::vector<double>(size_t(inside(given.first + n - 1) - first + 1))};
    for (int64_t k = 0; k < n; ++k)
      t.weights[size_t(inside(given.first + k) - first)] += given.weights[size_t(k)];
    w.taps = std::max(w.taps, int64_t(t.weights.size()));
  }
  w.weights.resize(size_t(rule.out * w.taps));
  for (int64_t i = 0; i < rule.out; ++i) {
    const Terms &t = all[size_t(i)];
    w.first.push_back(t.first);
    w.count.push_back(int64_t(t.weights.size()));
    std::copy(t.weights.begin(), t.weights.end(), w.weights.begin() + i * w.taps);
  }
  return w;
}

// Windows begin and end in order, so those that reach an old element follow each other.
ResampleWeights transposed(const ResampleWeights &w) {
  const int64_t inputs = w.rule.size;
  ResampleWeights t{w.rule, !w.adjoint, 1, std::vector<int64_t>(size_t(inputs)), std::vector<int64_t>(size_t(inputs)),
                    {}};
  for (size_t i = 0; i < w.first.size(); ++i)
    for (int64_t k = 0; k < w.count[i]; ++k) {
      const size_t at = size_t(w.first[i] + k);
      if (t.count[at]++ == 0)
        t.first[at] = int64_t(i);
      t.taps = std::max(t.taps, t.count[at]);
    }
  t.weights.resize(size_t(inputs * t.taps));
  for (size_t i = 0; i < w.first.size(); ++i)
    for (int64_t k = 0; k < w.count[i]; ++k) {
      const int64_t at = w.first[i] + k;
      t.weights[size_t(at * t.taps + int64_t(i) - t.first[size_t(at)])] = w.weights[i * size_t(w.taps) + size_t(k)];
    }
  return t;
}

} // namespace cinta::ops
