// The walk of recurrent layers on every level: forward against the formulas in long double, backward against central
// differences of forward. Sequences of different lengths; buffers end where their rows do.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

using Wide = long double;
Wide sigmoid(Wide x) { return 1 / (1 + std::exp(-x)); }

template <class T> struct Problem {
  Cell cell;
  int64_t batch, hidden, out, rows = 0;
  std::vector<int64_t> count, begin;
  std::vector<T> w_hh, w_hr, b_hn, h0, c0, sums; // sums: of the inputs' products, [rows, gates hidden]
  std::vector<T> gates, cells, inner, h;

  Problem(Cell cell, int64_t batch, int64_t hidden, int64_t projected, std::vector<int64_t> alive)
      : cell(cell), batch(batch), hidden(hidden), out(projected ? projected : hidden), count(std::move(alive)) {
    for (int64_t n : count) {
      begin.push_back(rows);
      rows += n;
    }
    std::mt19937 random(7);
    std::normal_distribution<double> normal;
    const auto drawn = [&](std::vector<T> &x, int64_t n, double scale) {
      x.resize(size_t(n));
      for (T &v : x)
        v = T(scale * normal(random));
    };
    drawn(w_hh, width() * out, 1 / std::sqrt(double(out)));
    drawn(w_hr, projected * hidden, 1 / std::sqrt(double(hidden)));
    drawn(b_hn, hidden, 1);
    drawn(h0, batch * out, 1);
    drawn(c0, batch * hidden, 1);
    drawn(sums, rows * width(), 1);
  }
  int64_t width() const { return gates_of(cell) * hidden; }
  bool plain() const { return cell == Cell::tanh || cell == Cell::relu; }

  Recurrence recurrence() {
    return {cell,
            int64_t(count.size()),
            batch,
            hidden,
            out,
            begin.data(),
            count.data(),
            w_hh.data(),
            w_hr.empty() ? nullptr : w_hr.data(),
            b_hn.data(),
            h0.data(),
            c0.data(),
            plain() ? h.data() : gates.data(),
            cells.data(),
            inner.data(),
            h.data()};
  }
  void run(const Table &table) {
    gates = sums, h = plain() ? sums : std::vector<T>(size_t(rows * out));
    cells.resize(size_t(rows * hidden)), inner.resize(w_hr.empty() ? 0 : cells.size());
    table.recurrence[sizeof(T) == 8](recurrence());
  }

  // h of all rows by the formulas.
  std::vector<Wide> exact() const {
    std::vector<Wide> y(size_t(rows * out)), c(size_t(rows * hidden));
    for (size_t s = 0; s < count.size(); ++s)
      for (int64_t i = 0; i < count[s]; ++i) {
        const int64_t row = begin[s] + i, before = s ? begin[s - 1] + i : i;
        const auto h_before = [&](int64_t k) {
          return s ? y[size_t(before * out + k)] : Wide(h0[size_t(i * out + k)]);
        };
        const auto product = [&](int64_t gate, int64_t j) {
          Wide sum = 0;
          for (int64_t k = 0; k < out; ++k)
            sum += Wide(w_hh[size_t((gate * hidden + j) * out + k)]) * h_before(k);
          return sum;
        };
        std::vector<Wide> inside(static_cast<size_t>(hidden));
        for (int64_t j = 0; j < hidden; ++j) {
          const auto z = [&](int64_t gate) { return Wide(sums[size_t(row * width() + gate * hidden + j)]); };
          Wide &to = inside[size_t(j)];
          if (cell == Cell::gru) {
            const Wide r = sigmoid(z(0) + product(0, j)), u = sigmoid(z(1) + product(1, j));
            const Wide n = std::tanh(z(2) + r * (product(2, j) + Wide(b_hn[size_t(j)])));
            to = n + u * (h_before(j) - n);
          } else if (cell == Cell::lstm) {
            const Wide c_before = s ? c[size_t(before * hidden + j)] : Wide(c0[size_t(i * hidden + j)]);
            Wide &state = c[size_t(row * hidden + j)];
            state = sigmoid(z(1) + product(1, j)) * c_before +
                    sigmoid(z(0) + product(0, j)) * std::tanh(z(2) + product(2, j));
            to = sigmoid(z(3) + product(3, j)) * std::tanh(state);
          } else {
            const Wide sum = z(0) + product(0, j);
            to = cell == Cell::tanh ? std::tanh(sum) : sum > 0 ? sum : 0;
          }
        }
        for (int64_t k = 0; k < out; ++k) {
          Wide sum = w_hr.empty() ? inside[size_t(k)] : 0;
          for (int64_t j = 0; !w_hr.empty() && j < hidden; ++j)
            sum += Wide(w_hr[size_t(k * hidden + j)]) * inside[size_t(j)];
          y[size_t(row * out + k)] = sum;
        }
      }
    return y;
  }
};

template <class T> void check_forward(const Table &table, Problem<T> p) {
  p.run(table);
  const std::vector<Wide> exact = p.exact();
  double worst = 0;
  for (size_t i = 0; i < exact.size(); ++i)
    worst = std::fmax(worst, std::fabs(double(Wide(p.h[i]) - exact[i])));
  CHECK(worst < (sizeof(T) == 8 ? 1e-13 : 4e-6));
}

void check_backward(const Table &table, Problem<double> p) {
  p.run(table);
  std::vector<double> seed(p.h.size());
  for (size_t i = 0; i < seed.size(); ++i)
    seed[i] = std::cos(double(i));
  const auto loss = [&](Problem<double> q) {
    q.run(table);
    double sum = 0;
    for (size_t i = 0; i < seed.size(); ++i)
      sum += seed[i] * q.h[i];
    return sum;
  };
  std::vector<double> dh = seed, dc(p.c0.size()), dh0(p.h0.size()), dgates(p.sums.size()), dcells(p.cells.size());
  std::vector<double> dinner(p.inner.size());
  table.recurrence_vjp[1](p.recurrence(),
                          {dh.data(), dc.data(), dh0.data(), dgates.data(), dcells.data(), dinner.data()});
  const auto check = [&](std::vector<double> Problem<double>::*of, const std::vector<double> &gradient,
                         const char *what) {
    CAPTURE(what);
    double worst = 0;
    for (size_t i = 0; i < gradient.size(); i += 1 + gradient.size() / 40) {
      Problem<double> low = p, high = p;
      (low.*of)[i] -= 1e-5;
      (high.*of)[i] += 1e-5;
      worst = std::fmax(worst, std::fabs((loss(high) - loss(low)) / 2e-5 - gradient[i]));
    }
    CHECK(worst < 1e-7);
  };
  check(&Problem<double>::sums, dgates, "sums");
  check(&Problem<double>::h0, dh0, "h0");
  if (p.cell == Cell::lstm)
    check(&Problem<double>::c0, dc, "c0");
}

} // namespace

TEST_CASE("recurrent: the walk over time, forward and backward") {
  for (const std::string &isa : available_isas()) {
    CAPTURE(isa);
    const Table &table = table_of(isa.c_str());
    for (Cell cell : {Cell::tanh, Cell::relu, Cell::lstm, Cell::gru})
      for (int64_t projected : {0, 3}) {
        if (projected && cell != Cell::lstm)
          continue;
        CAPTURE(int(cell));
        CAPTURE(projected);
        check_forward(table, Problem<float>(cell, 23, 21, projected, {23, 23, 15, 14, 3, 1, 0}));
        check_forward(table, Problem<double>(cell, 5, 35, projected, {4, 4, 1}));
        check_forward(table, Problem<float>(cell, 1, 150, projected, {1, 1, 1}));
        check_backward(table, Problem<double>(cell, 7, 9, projected, {6, 5, 5, 1}));
      }
  }
}
