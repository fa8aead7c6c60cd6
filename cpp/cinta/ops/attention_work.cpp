#include "cinta/ops/attention_work.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "cinta/base/parallel.h"
#include "cinta/base/random.h"
#include "cinta/kernels/precision.h"

namespace cinta::ops {
namespace {

using W = AttentionWork;

template <class T> struct Head { // one matrix of a tensor of four axes
  T *data = nullptr;
  int64_t row = 0, col = 1;
  Head() = default;
  Head(const Tensor &t, int64_t b, int64_t h) {
    if (!t)
      return;
    data = t.data<T>() + b * t.strides()[0] + h * t.strides()[1];
    row = t.strides()[2], col = t.strides()[3];
  }
  Head from(int64_t r) const { // from row r on
    Head rows = *this;
    rows.data += r * row;
    return rows;
  }
  Head transposed() const {
    Head t = *this;
    std::swap(t.row, t.col);
    return t;
  }
};

template <class T> Head<T> matrix(T *data, int64_t row) {
  Head<T> m;
  m.data = data, m.row = row;
  return m;
}

template <class T> constexpr int kFloating = std::is_same_v<T, double> ? 1 : 0;

template <class T> void clear(int64_t rows, int64_t columns, const Head<T> &x) {
  for (int64_t i = 0; i < rows; ++i)
    std::fill_n(x.data + i * x.row, columns, T(0));
}

// C = A B or C += A B, A [M,K]; serial inside of the heads' parallel_for
template <class T>
void multiply(int64_t M, int64_t N, int64_t K, const Head<T> &a, const Head<T> &b, const Head<T> &c, bool accumulate) {
  constexpr auto compute = int(std::is_same_v<T, double> ? kernels::Compute::f64 : kernels::Compute::f32);
  if (M && N && K)
    kernel().gemm[compute](
        {M, N, K, a.data, a.row, a.col, b.data, b.row, b.col, c.data, c.row, accumulate, nullptr, nullptr});
  else if (!accumulate)
    clear(M, N, c);
}

template <class T> void scaled_rows(int64_t rows, int64_t columns, T scale, const Head<T> &x, const Head<T> &y) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      y.data[i * y.row + j] = scale * x.data[i * x.row + j];
}

constexpr int64_t kMostRows = 128;
// Rows of a block: enough for a product, few enough that their weights stay in the cache and, causal, that few lie
// ahead.
int64_t block_rows(int64_t keys, bool is_causal) {
  return std::clamp<int64_t>((int64_t(1) << 16) / std::max<int64_t>(keys, 1), 32,
                             is_causal ? kMostRows / 2 : kMostRows);
}

struct Shapes {
  int64_t batch, heads, T, S, E, V, rows;
  Shapes(const Tensor &q, const Tensor &k, const Tensor &v, bool is_causal)
      : batch(q.shape()[0]), heads(q.shape()[1]), T(q.shape()[2]), S(k.shape()[2]), E(q.shape()[3]), V(v.shape()[3]),
        rows(std::min(block_rows(S, is_causal), T)) {}
  double cost_ns(int products) const {
    return double(batch * heads) * double(T * S) * (double(E + V) * products * 0.01 + 1);
  }
};

// Keys that rows up to `end` see.
int64_t seen(bool is_causal, int64_t end, int64_t S) { return is_causal ? std::min(end, S) : S; }

// Room for a block, on this thread: weights twice, scaled queries, what dropout kept.
template <class T> struct Room {
  T *weights, *gradients, *queries;
  uint8_t *kept;
  explicit Room(const Shapes &s) {
    const auto part = size_t(s.rows * s.S + 16);
    weights = static_cast<T *>(scratch(Scratch::attention, (2 * part + size_t(s.rows * s.E)) * sizeof(T) + part));
    gradients = weights + part, queries = gradients + part;
    kept = reinterpret_cast<uint8_t *>(queries + s.rows * s.E);
  }
};

// The weights of rows [first, first + rows), before dropout, over their first `keys` keys.
template <class T> void weights_of(const W &work, const Shapes &s, int64_t first, int64_t rows, int64_t keys,
                                   const Head<T> &q, const Head<T> &k, const Head<T> &mask, const Room<T> &room) {
  constexpr T none = -std::numeric_limits<T>::infinity();
  scaled_rows(rows, s.E, T(work.scale), q.from(first), matrix(room.queries, s.E));
  multiply(rows, keys, s.E, matrix(room.queries, s.E), k.transposed(), matrix(room.weights, keys), false);
  bool blind[kMostRows] = {}; // rows that see nothing
  for (int64_t i = 0; i < rows; ++i) {
    T *row = room.weights + i * keys;
    const int64_t ahead = work.is_causal ? std::min(first + i + 1, keys) : keys;
    std::fill(row + ahead, row + keys, none);
    if (!mask.data)
      continue;
    const T *m = mask.data + (first + i) * mask.row;
    if (mask.col == 1)
      for (int64_t j = 0; j < ahead; ++j)
        row[j] += m[j];
    else
      for (int64_t j = 0; j < ahead; ++j)
        row[j] += m[j * mask.col];
    blind[i] = std::all_of(row, row + keys, [](T x) { return x == none; });
  }
  kernel().softmax_rows[kFloating<T>](rows, keys, room.weights, room.weights);
  for (int64_t i = 0; i < rows; ++i)
    if (blind[i])
      std::fill_n(room.weights + i * keys, keys, T(0));
}

template <class T> void drop(double p, const int64_t *draws, int64_t row, const Shapes &s, int64_t count, const T *x,
                             T *y, uint8_t *kept) {
  kernel().dropout_fill[kFloating<T>](count, uint64_t(draws[0]), uint64_t(draws[1]) + uint64_t(row * s.S), p, x, y,
                                      kept);
}

// head(b, h, its number), on all threads where there are several heads, else with the threads left to its kernels.
template <class F> void for_heads(const Shapes &s, double cost_ns, const F &head) {
  struct Context {
    const F &head;
    int64_t heads;
    kernels::Precision precision;
  } context{head, s.heads, kernels::matmul_precision()};
  const int64_t count = s.batch * s.heads;
  if (count < 4) {
    for (int64_t n = 0; n < count; ++n)
      head(n / s.heads, n % s.heads, n);
    return;
  }
  parallel_for(
      count, cost_ns,
      [](void *c, int64_t n) {
        const auto &given = *static_cast<Context *>(c);
        const kernels::PrecisionScope scope(given.precision);
        given.head(n / given.heads, n % given.heads, n);
      },
      &context);
}

template <class T> void forward(const W &work, const Tensor *in, const Tensor *out) {
  const Shapes s(in[W::q], in[W::k], in[W::v], work.is_causal);
  const int64_t *draws = out[W::draws] ? out[W::draws].data<int64_t>() : nullptr;
  for_heads(s, s.cost_ns(1), [&](int64_t b, int64_t h, int64_t n) {
    const Head<T> q(in[W::q], b, h), k(in[W::k], b, h), v(in[W::v], b, h), mask(in[W::mask], b, h), y(out[W::y], b, h);
    const Room<T> room(s);
    for (int64_t first = 0; first < s.T; first += s.rows) {
      const int64_t rows = std::min(s.rows, s.T - first), keys = seen(work.is_causal, first + rows, s.S);
      weights_of(work, s, first, rows, keys, q, k, mask, room);
      if (draws)
        drop(work.dropout_p, draws, n * s.T + first, s, rows * keys, room.weights, room.weights, room.kept);
      multiply(rows, s.V, keys, matrix(room.weights, keys), v, y.from(first), false);
    }
  });
}

template <class T> void backward(const W &work, const Tensor *in, const Tensor *out) {
  using B = AttentionVjpWork;
  const Shapes s(in[W::q], in[W::k], in[W::v], work.is_causal);
  const int64_t *draws = in[B::draws] ? in[B::draws].data<int64_t>() : nullptr;
  for_heads(s, s.cost_ns(3), [&](int64_t b, int64_t h, int64_t n) {
    const Head<T> q(in[W::q], b, h), k(in[W::k], b, h), v(in[W::v], b, h), mask(in[W::mask], b, h), dy(in[B::dy], b, h);
    const Head<T> dq(out[0], b, h), dk(out[1], b, h), dv(out[2], b, h);
    const Room<T> room(s);
    clear(dk.data ? s.S : 0, s.E, dk);
    clear(dv.data ? s.S : 0, s.V, dv);
    for (int64_t first = 0; first < s.T; first += s.rows) {
      const int64_t rows = std::min(s.rows, s.T - first), keys = seen(work.is_causal, first + rows, s.S);
      weights_of(work, s, first, rows, keys, q, k, mask, room);
      const Head<T> p = matrix(room.weights, keys), dp = matrix(room.gradients, keys);
      if (draws) // gradients: for now the weights that dropout left
        drop(work.dropout_p, draws, n * s.T + first, s, rows * keys, p.data, dp.data, room.kept);
      if (dv.data)
        multiply(keys, s.V, rows, (draws ? dp : p).transposed(), dy.from(first), dv, true);
      if (!dq.data && !dk.data)
        continue;
      multiply(rows, keys, s.V, dy.from(first), v.transposed(), dp, false);
      if (draws)
        kernel().dropout_vjp[kFloating<T>](rows * keys, 1 / (1 - work.dropout_p), room.kept, dp.data, dp.data);
      kernel().softmax_rows_vjp[kFloating<T>](rows, keys, p.data, dp.data, dp.data);
      if (dk.data)
        multiply(keys, s.E, rows, dp.transposed(), matrix(room.queries, s.E), dk, true);
      if (dq.data) {
        multiply(rows, s.E, keys, dp, k, dq.from(first), false);
        scaled_rows(rows, s.E, T(work.scale), dq.from(first), dq.from(first));
      }
    }
  });
}

template <class T> void kept(const AttentionKeptWork &work, const int64_t *draws, const Tensor &y) {
  const int64_t heads = y.shape()[0] * y.shape()[1], T_ = y.shape()[2], S = y.shape()[3];
  const int64_t most = std::min(block_rows(S, work.is_causal), T_);
  const Tensor ones = full({most * S}, 1, y.dtype()), found = empty({most * S}, y.dtype());
  const Tensor mask = empty({most * S}, Dtype::bool_);
  std::memset(y.data(), 0, y.nbytes());
  for (int64_t n = 0; n < heads; ++n)
    for (int64_t first = 0; first < T_; first += most) {
      const int64_t rows = std::min(most, T_ - first), keys = seen(work.is_causal, first + rows, S);
      kernel().dropout_fill[kFloating<T>](rows * keys, uint64_t(draws[0]),
                                          uint64_t(draws[1]) + uint64_t((n * T_ + first) * S), work.dropout_p,
                                          ones.data(), found.data(), mask.data<uint8_t>());
      for (int64_t i = 0; i < rows; ++i)
        std::copy_n(found.data<T>() + i * keys, keys, y.data<T>() + (n * T_ + first + i) * S);
    }
}

} // namespace

void AttentionWork::operator()(const Tensor *in, const Tensor *out) const {
  if (out[draws]) {
    const Shapes s(in[q], in[k], in[v], is_causal);
    int64_t *drawn = out[draws].data<int64_t>();
    drawn[0] = int64_t(generator().key);
    drawn[1] = int64_t(generator().take(uint64_t(s.batch * s.heads * s.T * s.S)));
  }
  in[q].dtype() == Dtype::float64 ? forward<double>(*this, in, out) : forward<float>(*this, in, out);
}
void AttentionVjpWork::operator()(const Tensor *in, const Tensor *out) const {
  in[W::q].dtype() == Dtype::float64 ? backward<double>(forward, in, out) : backward<float>(forward, in, out);
}
void AttentionKeptWork::operator()(const Tensor *in, const Tensor *out) const {
  const int64_t *draws = in[0].data<int64_t>();
  out[0].dtype() == Dtype::float64 ? kept<double>(*this, draws, out[0]) : kept<float>(*this, draws, out[0]);
}

} // namespace cinta::ops
