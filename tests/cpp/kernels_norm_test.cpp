// Normalisation on every level, in both memory orders, against plain loops in double.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

template <class T> constexpr int kSlot = sizeof(T) == 8;
template <class T> constexpr double kTolerance = sizeof(T) == 8 ? 1e-13 : 3e-6;

template <class T> std::vector<T> normal(int64_t n, double mean, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> distribution(mean, 1);
  std::vector<T> values(static_cast<size_t>(n));
  for (T &x : values)
    x = T(distribution(random));
  return values;
}

struct Expected {
  std::vector<double> y, dx, dweight, dbias;
};

// Which element, which set of statistics: for (outer, channel, inner).
int64_t place(const Norm &g, int64_t o, int64_t c, int64_t i) {
  return g.channels_last ? (o * g.inner + i) * g.channels + c : (o * g.channels + c) * g.inner + i;
}
size_t set_of(const Norm &g, int64_t o, int64_t c) {
  return size_t(g.groups ? o * g.groups + c / (g.channels / g.groups) : c);
}
template <class F> void for_each(const Norm &g, F f) {
  for (int64_t o = 0; o < g.outer; ++o)
    for (int64_t c = 0; c < g.channels; ++c)
      for (int64_t i = 0; i < g.inner; ++i)
        f(size_t(place(g, o, c, i)), size_t(c), set_of(g, o, c));
}

template <class T> Expected expected(const Norm &g, const std::vector<T> &x, const std::vector<T> &dy,
                                     const std::vector<T> &given_mean, const std::vector<T> &given_var) {
  const size_t sets = size_t(g.groups ? g.outer * g.groups : g.channels);
  const double n = double(x.size()) / double(sets);
  const T *weight = static_cast<const T *>(g.weight), *bias = static_cast<const T *>(g.bias);
  std::vector<double> mean(sets), var(sets), sum(sets), sum_z(sets);
  for_each(g, [&](size_t at, size_t, size_t s) { mean[s] += double(x[at]) / n; });
  for_each(g, [&](size_t at, size_t, size_t s) { var[s] += std::pow(double(x[at]) - mean[s], 2) / n; });
  for (size_t s = 0; g.fixed && s < sets; ++s)
    mean[s] = double(given_mean[s]), var[s] = double(given_var[s]);
  const auto r = [&](size_t s) { return 1 / std::sqrt(var[s] + g.eps); };
  const auto z = [&](size_t at, size_t s) { return (double(x[at]) - mean[s]) * r(s); };
  const auto w = [&](size_t c) { return weight ? double(weight[c]) : 1; };
  Expected e{std::vector<double>(x.size()), std::vector<double>(x.size()), std::vector<double>(size_t(g.channels)),
             std::vector<double>(size_t(g.channels))};
  for_each(g, [&](size_t at, size_t c, size_t s) {
    e.y[at] = z(at, s) * w(c) + (bias ? double(bias[c]) : 0);
    e.dweight[c] += double(dy[at]) * z(at, s);
    e.dbias[c] += double(dy[at]);
    sum[s] += double(dy[at]) * w(c);
    sum_z[s] += double(dy[at]) * w(c) * z(at, s);
  });
  for_each(g, [&](size_t at, size_t c, size_t s) {
    e.dx[at] = r(s) * (double(dy[at]) * w(c) - (g.fixed ? 0 : sum[s] / n + z(at, s) * sum_z[s] / n));
  });
  return e;
}

template <class T> double distance(const std::vector<T> &got, const std::vector<double> &expected, double size = 1) {
  double worst = 0;
  for (double e : expected)
    size = std::fmax(size, std::fabs(e));
  for (size_t i = 0; i < got.size(); ++i)
    worst = std::fmax(worst, std::fabs(double(got[i]) - expected[i]));
  return worst / size;
}

template <class T> void check_norm(const Table &table, Norm g, bool affine) {
  CAPTURE(table.isa);
  CAPTURE(g.outer);
  CAPTURE(g.channels);
  CAPTURE(g.inner);
  CAPTURE(g.channels_last);
  CAPTURE(g.groups);
  const int64_t size = g.outer * g.channels * g.inner;
  const auto x = normal<T>(size, 3, 1), dy = normal<T>(size, 0.5, 2);
  const auto weight = normal<T>(g.channels, 1, 3), bias = normal<T>(g.channels, 0, 4);
  if (affine)
    g.weight = weight.data(), g.bias = bias.data();
  auto mean = normal<T>(g.groups ? g.outer * g.groups : g.channels, 3, 5), var = mean;
  for (T &v : var)
    v = std::fabs(v);
  const Expected e = expected(g, x, dy, mean, var);
  std::vector<T> y(x.size()), dx(x.size()), dw(weight.size()), db(weight.size()), alone(x.size());
  table.norm[kSlot<T>](g, x.data(), y.data(), mean.data(), var.data());
  table.norm_vjp[kSlot<T>](g, x.data(), dy.data(), mean.data(), var.data(), dx.data(), dw.data(), db.data());
  CHECK(distance(y, e.y) < kTolerance<T>);
  CHECK(distance(dx, e.dx) < kTolerance<T>);
  // the rounding of the mean is multiplied by the sum of dy
  CHECK(distance(dw, e.dweight, double(g.outer * g.inner) / 2) < kTolerance<T>);
  CHECK(distance(db, e.dbias) < kTolerance<T>);
  table.norm_vjp[kSlot<T>](g, x.data(), dy.data(), mean.data(), var.data(), alone.data(), nullptr, nullptr);
  CHECK(alone == dx);
  std::vector<T> again(weight.size());
  table.norm_vjp[kSlot<T>](g, x.data(), dy.data(), mean.data(), var.data(), nullptr, again.data(), nullptr);
  CHECK(again == dw);
}

} // namespace

TEST_CASE("normalisation and its gradients") {
  struct Size {
    int64_t outer, channels, inner;
  };
  for (const std::string &isa : available_isas())
    for (const Size &s :
         {Size{5, 6, 1}, {7, 4, 3}, {3, 2, 35}, {9, 32, 49}, {37, 130, 1}, {2, 4, 2500}, {2, 1100, 4}, {33, 8, 2100}})
      for (int64_t groups : {0, 1, 2})
        for (bool last : {false, true})
          for (bool fixed : {false, true}) {
            if (fixed && groups)
              continue;
            const Norm g{s.outer, s.channels, s.inner, last, groups, fixed, 1e-3, nullptr, nullptr};
            check_norm<float>(table_of(isa.c_str()), g, !last || groups == 2);
            check_norm<double>(table_of(isa.c_str()), g, last);
          }
}

TEST_CASE("normalisation far from zero, and of nothing") {
  for (const std::string &isa : available_isas()) {
    const Table &table = table_of(isa.c_str());
    const auto x = normal<float>(64 * 4 * 64, 1000, 7);
    std::vector<float> y(x.size()), mean(4), var(4), dw(4, 7.f), db(4, 7.f);
    for (bool last : {false, true}) {
      const Norm g{64, 4, 64, last, 0, false, 0, nullptr, nullptr};
      table.norm[0](g, x.data(), y.data(), mean.data(), var.data());
      for (float v : var)
        CHECK((v > 0.9f && v < 1.1f));
      const Norm none{0, 4, 64, last, 0, false, 1e-5, nullptr, nullptr};
      table.norm[0](none, x.data(), y.data(), mean.data(), var.data());
      table.norm_vjp[0](none, x.data(), x.data(), mean.data(), var.data(), y.data(), dw.data(), db.data());
      CHECK((dw[0] == 0 && db[3] == 0));
    }
  }
}
