// Optimizer updates on every level against the formulas written out in long double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

using Wide = long double;

template <class T> constexpr int kSlot = sizeof(T) == 8;

// One weight with up to three numbers of state, all in T and all again in long double.
template <class T> struct Weights {
  std::vector<T> p, g, s[3];
  std::vector<Wide> exact_p, exact[3];

  explicit Weights(int64_t n) : p(static_cast<size_t>(n)), g(p), s{p, p, p}, exact_p(p.size()) {
    std::mt19937 random(11);
    std::normal_distribution<double> normal;
    for (size_t i = 0; i < p.size(); ++i) {
      exact_p[i] = p[i] = T(normal(random));
      g[i] = T(normal(random));
    }
    for (auto &state : exact)
      state.resize(p.size());
  }
  double error() const {
    double worst = 0;
    for (size_t i = 0; i < p.size(); ++i)
      worst = std::fmax(worst, std::fabs(double(Wide(p[i]) - exact_p[i])));
    return worst;
  }
};

// Three steps over odd sizes, and over several blocks; `exact` does for one weight what `step` does for all.
template <class T, class Step, class Exact> void check_steps(Step step, Exact exact) {
  for (int64_t n : {0, 1, 7, 16, 100, 40001}) {
    CAPTURE(n);
    Weights<T> w(n);
    for (int t = 1; t <= 3; ++t) {
      step(n, t, w);
      for (size_t i = 0; i < w.p.size(); ++i)
        exact(t, w.exact_p[i], Wide(w.g[i]), w.exact[0][i], w.exact[1][i], w.exact[2][i]);
    }
    CHECK(w.error() < (sizeof(T) == 8 ? 1e-13 : 2e-5));
  }
}

template <class T> void check_sgd(const Table &table, Sgd o) {
  check_steps<T>(
      [&](int64_t n, int t, Weights<T> &w) {
        o.first = t == 1;
        table.sgd_step[kSlot<T>](n, o, w.p.data(), w.g.data(), o.momentum != 0 ? w.s[0].data() : nullptr);
      },
      [&](int t, Wide &p, Wide g, Wide &v, Wide &, Wide &) {
        g = (o.maximize ? -g : g) + o.weight_decay * p;
        if (o.momentum != 0) {
          v = t == 1 ? g : o.momentum * v + (1 - o.dampening) * g;
          g = o.nesterov ? g + o.momentum * v : v;
        }
        p -= o.lr * g;
      });
}

template <class T> void check_adam(const Table &table, bool decoupled, bool amsgrad) {
  Adam o{0.01, 0.9, 0.99, 1e-8, 0.1, 0, 0, decoupled, false};
  const auto set_time = [&](int t) {
    o.bias1 = 1 - std::pow(o.beta1, t);
    o.bias2 = 1 - std::pow(o.beta2, t);
  };
  check_steps<T>(
      [&](int64_t n, int t, Weights<T> &w) {
        set_time(t);
        table.adam_step[kSlot<T>](n, o, w.p.data(), w.g.data(), w.s[0].data(), w.s[1].data(),
                                  amsgrad ? w.s[2].data() : nullptr);
      },
      [&](int t, Wide &p, Wide g, Wide &m, Wide &v, Wide &most) {
        set_time(t);
        if (decoupled)
          p *= 1 - o.lr * o.weight_decay;
        else
          g += o.weight_decay * p;
        m = o.beta1 * m + (1 - o.beta1) * g;
        v = o.beta2 * v + (1 - o.beta2) * g * g;
        most = std::fmax(most, v);
        p -= o.lr / o.bias1 * m / (std::sqrt(amsgrad ? most : v) / std::sqrt(Wide(o.bias2)) + o.eps);
      });
}

template <class T> void check_rmsprop(const Table &table, double momentum, bool centered) {
  const Rmsprop o{0.01, 0.9, 1e-8, 0.1, momentum, true};
  check_steps<T>(
      [&](int64_t n, int, Weights<T> &w) {
        table.rmsprop_step[kSlot<T>](n, o, w.p.data(), w.g.data(), w.s[0].data(),
                                     momentum != 0 ? w.s[1].data() : nullptr, centered ? w.s[2].data() : nullptr);
      },
      [&](int, Wide &p, Wide g, Wide &square, Wide &v, Wide &mean) {
        g = -g + o.weight_decay * p;
        square = o.alpha * square + (1 - o.alpha) * g * g;
        mean = o.alpha * mean + (1 - o.alpha) * g;
        const Wide spread = std::sqrt(centered ? square - mean * mean : square) + o.eps;
        v = momentum * v + g / spread;
        p -= o.lr * v;
      });
}

template <class T> void check_adagrad(const Table &table, Adagrad o) {
  check_steps<T>(
      [&](int64_t n, int, Weights<T> &w) { table.adagrad_step[kSlot<T>](n, o, w.p.data(), w.g.data(), w.s[0].data()); },
      [&](int, Wide &p, Wide g, Wide &sum, Wide &, Wide &) {
        g += o.weight_decay * p;
        sum += g * g;
        p -= o.lr * g / (std::sqrt(sum) + o.eps);
      });
}

template <class T> void check_adadelta(const Table &table, Adadelta o) {
  check_steps<T>(
      [&](int64_t n, int, Weights<T> &w) {
        table.adadelta_step[kSlot<T>](n, o, w.p.data(), w.g.data(), w.s[0].data(), w.s[1].data());
      },
      [&](int, Wide &p, Wide g, Wide &square, Wide &moved, Wide &) {
        g = (o.maximize ? -g : g) + o.weight_decay * p;
        square = o.rho * square + (1 - o.rho) * g * g;
        const Wide move = std::sqrt(moved + o.eps) / std::sqrt(square + o.eps) * g;
        moved = o.rho * moved + (1 - o.rho) * move * move;
        p -= o.lr * move;
      });
}

template <class T> void check_nadam(const Table &table, bool decoupled) {
  Nadam o{0.01, 0.9, 0.99, 1e-8, 0.1, 0, 0, 0, decoupled, false};
  double product = 1;
  const auto set_time = [&](int t) {
    o.bias2 = 1 - std::pow(o.beta2, t);
    o.mu = o.beta1 * (1 - 0.5 * std::pow(0.96, t * 0.004));
    o.mu_next = o.beta1 * (1 - 0.5 * std::pow(0.96, (t + 1) * 0.004));
  };
  check_steps<T>(
      [&](int64_t n, int t, Weights<T> &w) {
        set_time(t);
        product = (t == 1 ? 1 : product) * o.mu;
        table.nadam_step[kSlot<T>](n, o, product, w.p.data(), w.g.data(), w.s[0].data(), w.s[1].data());
      },
      [&](int, Wide &p, Wide g, Wide &m, Wide &v, Wide &) {
        if (decoupled)
          p *= 1 - o.lr * o.weight_decay;
        else
          g += o.weight_decay * p;
        m = o.beta1 * m + (1 - o.beta1) * g;
        v = o.beta2 * v + (1 - o.beta2) * g * g;
        const Wide size = std::sqrt(v / o.bias2) + o.eps;
        p -= o.lr * ((1 - o.mu) / (1 - product) * g + o.mu_next / (1 - product * o.mu_next) * m) / size;
      });
}

template <class T> void check_radam(const Table &table, double rectify, bool decoupled) {
  Radam o{0.01, 0.9, 0.99, 1e-8, 0.1, 0, 0, rectify, decoupled, true};
  const auto set_time = [&](int t) {
    o.bias1 = 1 - std::pow(o.beta1, t);
    o.bias2 = 1 - std::pow(o.beta2, t);
  };
  check_steps<T>(
      [&](int64_t n, int t, Weights<T> &w) {
        set_time(t);
        table.radam_step[kSlot<T>](n, o, w.p.data(), w.g.data(), w.s[0].data(), w.s[1].data());
      },
      [&](int t, Wide &p, Wide g, Wide &m, Wide &v, Wide &) {
        set_time(t);
        g = -g;
        if (decoupled)
          p *= 1 - o.lr * o.weight_decay;
        else
          g += o.weight_decay * p;
        m = o.beta1 * m + (1 - o.beta1) * g;
        v = o.beta2 * v + (1 - o.beta2) * g * g;
        p -= o.lr * m / o.bias1 * (rectify > 0 ? rectify * std::sqrt(Wide(o.bias2)) / (std::sqrt(v) + o.eps) : 1);
      });
}

template <class T> void check_adamax(const Table &table, Adamax o) {
  check_steps<T>(
      [&](int64_t n, int t, Weights<T> &w) {
        o.bias1 = 1 - std::pow(o.beta1, t);
        table.adamax_step[kSlot<T>](n, o, w.p.data(), w.g.data(), w.s[0].data(), w.s[1].data());
      },
      [&](int, Wide &p, Wide g, Wide &m, Wide &most, Wide &) {
        g = (o.maximize ? -g : g) + o.weight_decay * p;
        m = o.beta1 * m + (1 - o.beta1) * g;
        most = std::fmax(o.beta2 * most, std::fabs(g) + o.eps);
        p -= o.lr / o.bias1 * m / most;
      });
}

template <class T> void check_lion(const Table &table, Lion o) {
  check_steps<T>(
      [&](int64_t n, int, Weights<T> &w) { table.lion_step[kSlot<T>](n, o, w.p.data(), w.g.data(), w.s[0].data()); },
      [&](int, Wide &p, Wide g, Wide &m, Wide &, Wide &) {
        g = o.maximize ? -g : g;
        const Wide c = o.beta1 * m + (1 - o.beta1) * g;
        p = p * (1 - o.lr * o.weight_decay) - o.lr * Wide((c > 0) - (c < 0));
        m = o.beta2 * m + (1 - o.beta2) * g;
      });
}

// The gradient turns its sign in every other step.
template <class T> void check_rprop(const Table &table, Rprop o) {
  check_steps<T>(
      [&](int64_t n, int t, Weights<T> &w) {
        if (t == 1)
          std::fill(w.s[1].begin(), w.s[1].end(), T(0.01));
        for (T &g : w.g)
          g = t == 2 ? -g : g;
        table.rprop_step[kSlot<T>](n, o, w.p.data(), w.g.data(), w.s[0].data(), w.s[1].data());
      },
      [&](int t, Wide &p, Wide g, Wide &before, Wide &size, Wide &) {
        if (t == 1)
          size = 0.01L;
        g = o.maximize ? -g : g;
        const Wide q = g * before;
        size = std::fmin(std::fmax(size * (q > 0   ? o.eta_plus
                                           : q < 0 ? o.eta_minus
                                                   : 1),
                                   Wide(o.step_min)),
                         Wide(o.step_max));
        g = q < 0 ? 0 : g;
        p -= size * Wide((g > 0) - (g < 0));
        before = g;
      });
}

template <class T> void check_lerp(const Table &table) {
  check_steps<T>([&](int64_t n, int, Weights<T> &w) { table.lerp_step[kSlot<T>](n, 0.125, w.p.data(), w.g.data()); },
                 [&](int, Wide &p, Wide g, Wide &, Wide &, Wide &) { p += 0.125L * (g - p); });
}

template <class T> void check_all(const Table &table) {
  check_sgd<T>(table, {0.1, 0, 0, 0, false, false, true});
  check_sgd<T>(table, {0.1, 0.9, 0.1, 0.01, false, true, true});
  check_sgd<T>(table, {0.1, 0.9, 0, 0.01, true, false, true});
  for (int variant = 0; variant < 4; ++variant) {
    check_adam<T>(table, variant % 2, variant / 2);
    check_rmsprop<T>(table, variant % 2 ? 0.5 : 0, variant / 2);
  }
  check_adagrad<T>(table, {0.1, 1e-10, 0.01, false});
  check_adadelta<T>(table, {1, 0.9, 1e-6, 0.01, false});
  check_adadelta<T>(table, {0.5, 0.8, 1e-3, 0, true});
  for (bool decoupled : {false, true}) {
    check_nadam<T>(table, decoupled);
    check_radam<T>(table, 0, decoupled);
    check_radam<T>(table, 0.3, decoupled);
  }
  check_adamax<T>(table, {0.1, 0.9, 0.99, 1e-8, 0.01, 0, false});
  check_adamax<T>(table, {0.1, 0.9, 0.99, 1e-8, 0, 0, true});
  check_lion<T>(table, {0.01, 0.9, 0.99, 0.1, false});
  check_lion<T>(table, {0.01, 0.5, 0.9, 0, true});
  check_lerp<T>(table);
  check_rprop<T>(table, {0.5, 1.2, 1e-6, 50, false});
  check_rprop<T>(table, {0.4, 1.5, 0.009, 0.012, true});
}

} // namespace

TEST_CASE("optimizer steps follow their formulas") {
  for (const std::string &isa : available_isas()) {
    CAPTURE(isa);
    check_all<float>(table_of(isa.c_str()));
    check_all<double>(table_of(isa.c_str()));
  }
}

TEST_CASE("sum_squares is exact in double and the same on every level and thread count") {
  const Weights<float> w(100003);
  Wide exact = 0;
  for (float g : w.g)
    exact += Wide(g) * Wide(g);
  const double first = table_of("scalar").sum_squares[0](100003, w.g.data());
  CHECK(std::fabs(double(Wide(first) - exact)) < 1e-13 * double(exact));
  for (const std::string &isa : available_isas())
    for (int threads : {1, 3}) {
      cinta::set_num_threads(threads);
      CHECK(table_of(isa.c_str()).sum_squares[0](100003, w.g.data()) == first);
    }
  CHECK(table().sum_squares[1](0, nullptr) == 0);
}

TEST_CASE("sum_squares_of_rows has the bits of sum_squares over the rows with zeros between them") {
  for (int64_t width : {1, 7, 64, 1000, 40000}) {
    const std::vector<int64_t> rows = {0, 2, 3, 9, 40, 41};
    const Weights<float> w(int(int64_t(rows.size()) * width));
    std::vector<float> whole(size_t(44 * width));
    for (size_t k = 0; k < rows.size(); ++k)
      std::copy_n(w.g.data() + int64_t(k) * width, width, whole.data() + rows[k] * width);
    for (const std::string &isa : available_isas()) {
      const Table &t = table_of(isa.c_str());
      CHECK(t.sum_squares_of_rows[0](int64_t(rows.size()), width, rows.data(), w.g.data()) ==
            t.sum_squares[0](int64_t(whole.size()), whole.data()));
    }
  }
  CHECK(table().sum_squares_of_rows[1](0, 5, nullptr, nullptr) == 0);
}
