// CTC on every level: against logarithms added in long double, over the labels with a blank around each; the gradient
// against the ways from both ends. Sequences of different lengths; buffers end where their elements do.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

using Wide = long double;
constexpr Wide kNone = -std::numeric_limits<Wide>::infinity();
using Rows = std::vector<std::vector<Wide>>;

Wide logaddexp(Wide a, Wide b) {
  const Wide top = std::fmax(a, b);
  return top == kNone ? kNone : top + std::log(std::exp(a - top) + std::exp(b - top));
}

template <class T> struct Batch {
  int64_t frames, classes, blank;
  std::vector<int64_t> targets, spans;
  std::vector<T> log_probs;

  Batch(int64_t frames, int64_t classes, const std::vector<int64_t> &lengths, double size) // the later, the shorter
      : frames(frames), classes(classes), blank(classes / 2) {
    std::mt19937 random(3);
    std::normal_distribution<double> normal(0, size);
    for (size_t n = 0; n < lengths.size(); ++n) {
      spans.insert(spans.end(), {int64_t(targets.size()), lengths[n], frames - int64_t(n)});
      for (int64_t i = 0; i < lengths[n]; ++i)
        targets.push_back((blank + 1 + int64_t(random() % size_t(classes - 1))) % classes);
    }
    for (int64_t i = 0; i < frames * batch() * classes; ++i)
      log_probs.push_back(T(normal(random)));
  }
  int64_t batch() const { return int64_t(spans.size()) / 3; }
  Ctc problem() const {
    return {frames,  batch(),        classes,     int64_t(targets.size()), blank, batch() * classes,
            classes, targets.data(), spans.data()};
  }
  // log p of sequence n, and its gradient [frames, classes].
  Wide reference(int64_t n, std::vector<Wide> &gradient) const {
    const int64_t length = spans[size_t(3 * n + 1)], T_ = spans[size_t(3 * n + 2)], states = 2 * length + 1;
    const auto label = [&](int64_t s) { return s % 2 ? targets[size_t(spans[size_t(3 * n)] + s / 2)] : blank; };
    const auto p = [&](int64_t t, int64_t s) {
      return Wide(log_probs[size_t((t * batch() + n) * classes + label(s))]);
    };
    const auto skips = [&](int64_t s) { return s > 1 && s % 2 && label(s) != label(s - 2); };
    Rows alpha(size_t(T_), std::vector<Wide>(size_t(states), kNone)), beta = alpha;
    for (int64_t t = 0; t < T_; ++t)
      for (int64_t s = 0; s < states; ++s) {
        Wide ways = t ? alpha[size_t(t - 1)][size_t(s)] : s < 2 ? Wide(0) : kNone;
        if (t && s > 0)
          ways = logaddexp(ways, alpha[size_t(t - 1)][size_t(s - 1)]);
        if (t && skips(s))
          ways = logaddexp(ways, alpha[size_t(t - 1)][size_t(s - 2)]);
        alpha[size_t(t)][size_t(s)] = ways + p(t, s);
      }
    for (int64_t t = T_ - 1; t >= 0; --t)
      for (int64_t s = 0; s < states; ++s) {
        Wide ways = t == T_ - 1 ? (s >= states - 2 ? Wide(0) : kNone) : kNone;
        for (int64_t to = s; t < T_ - 1 && to < states && to <= s + 2; ++to)
          if (to < s + 2 || skips(to))
            ways = logaddexp(ways, beta[size_t(t + 1)][size_t(to)] + p(t + 1, to));
        beta[size_t(t)][size_t(s)] = ways;
      }
    Wide total = T_ ? kNone : length ? kNone : Wide(0);
    for (int64_t s = 0; T_ && s < states; ++s)
      total = logaddexp(total, alpha[size_t(T_ - 1)][size_t(s)] + beta[size_t(T_ - 1)][size_t(s)]);
    gradient.assign(size_t(frames * classes), 0);
    for (int64_t t = 0; total > kNone && t < T_; ++t)
      for (int64_t s = 0; s < states; ++s)
        gradient[size_t(t * classes + label(s))] -=
            std::exp(alpha[size_t(t)][size_t(s)] + beta[size_t(t)][size_t(s)] - total);
    return total;
  }
};

template <class T> void check(const Table &table, const Batch<T> &b) {
  constexpr int slot = sizeof(T) == 8;
  const double tolerance = double(std::numeric_limits<T>::epsilon()) * (16 + 0.1 * double(b.frames));
  const auto count = size_t(b.batch());
  std::vector<T> loss(count), alpha(size_t(b.frames * 4) * (b.targets.size() + count)), dy(count),
      dx(b.log_probs.size());
  for (size_t n = 0; n < count; ++n)
    dy[n] = T(n + 1);
  table.ctc[slot](b.problem(), b.log_probs.data(), loss.data(), alpha.data());
  table.ctc_vjp[slot](b.problem(), b.log_probs.data(), alpha.data(), dy.data(), dx.data());
  std::vector<Wide> gradient;
  for (int64_t n = 0; n < b.batch(); ++n) {
    CAPTURE(table.isa);
    CAPTURE(n);
    const double total = double(b.reference(n, gradient));
    if (std::isinf(total))
      CHECK(double(loss[size_t(n)]) == -total);
    else
      CHECK(std::fabs(double(loss[size_t(n)]) + total) <= tolerance * (1 + std::fabs(total)));
    double worst = 0;
    for (int64_t t = 0; t < b.frames; ++t)
      for (int64_t c = 0; c < b.classes; ++c)
        worst = std::fmax(worst, std::fabs(double(dx[size_t((t * b.batch() + n) * b.classes + c)]) / double(n + 1) -
                                           double(gradient[size_t(t * b.classes + c)])));
    CHECK(worst <= tolerance);
  }
}

template <class T> void check_all(const Table &table) {
  check(table, Batch<T>(9, 3, {0, 1, 2, 3, 4, 9}, 1)); // the last does not fit
  check(table, Batch<T>(70, 12, {15, 16, 17, 31, 32, 33}, 2));
  check(table, Batch<T>(2, 5, {1, 1, 0}, 1));  // no frame for the last
  check(table, Batch<T>(300, 6, {64, 5}, 20)); // far below the smallest float
}

} // namespace

TEST_CASE("ctc and its gradient") {
  for (const std::string &isa : available_isas()) {
    check_all<float>(table_of(isa.c_str()));
    check_all<double>(table_of(isa.c_str()));
  }
}
