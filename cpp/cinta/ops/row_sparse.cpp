#include "cinta/ops/row_sparse.h"

#include <algorithm>
#include <cstring>

#include "cinta/ops/join.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

void accumulate(Dtype dtype, size_t n, const char *x, char *y) {
  kernel().accumulate[int(compute_type(dtype))](int64_t(n), x, y);
}

struct SumRowsWork { // in: indices [n], dy [n,D]; out: rows [n], values [n,D]
  int64_t without;
  void operator()(const Tensor *in, const Tensor *out) const {
    const int64_t n = in[0].size(), *index = in[0].data<int64_t>();
    std::vector<std::pair<int64_t, int64_t>> places; // an index and where it stands: in the order of both
    places.reserve(size_t(n));
    for (int64_t k = 0; k < n; ++k)
      if (index[k] >= 0 && index[k] != without)
        places.emplace_back(index[k], k);
    std::sort(places.begin(), places.end());
    std::vector<size_t> begins; // of each row's places
    int64_t *rows = out[0].data<int64_t>();
    for (size_t k = 0; k < places.size(); ++k)
      if (k == 0 || places[k].first != places[k - 1].first) {
        rows[begins.size()] = places[k].first;
        begins.push_back(k);
      }
    const size_t count = begins.size(), width = size_t(row_width(in[1]));
    begins.push_back(places.size());
    std::fill(rows + count, rows + n, -1);
    const size_t bytes = width * itemsize(in[1].dtype());
    const char *dy = in[1].data<char>();
    char *values = out[1].data<char>();
    std::memset(values + count * bytes, 0, out[1].nbytes() - count * bytes);
    const int64_t per_block = rows_per_block(int64_t(width));
    for_each_block(int64_t(count), per_block, double(places.size() * width) * 0.3, [&](int64_t block) {
      const size_t first = size_t(block * per_block), end = std::min(count, first + size_t(per_block));
      for (size_t r = first; r < end; ++r) {
        std::memset(values + r * bytes, 0, bytes);
        for (size_t k = begins[r]; k < begins[r + 1]; ++k)
          accumulate(in[1].dtype(), width, dy + size_t(places[k].second) * bytes, values + r * bytes);
      }
    });
  }
};

struct AddRowsWork { // sum[rows] += values; in: sum, rows, values
  void operator()(const Tensor *in, const Tensor *out) const {
    const size_t width = size_t(row_width(in[2])), bytes = width * itemsize(in[2].dtype());
    for (int64_t k = 0, n = used_rows(in[1]); k < n; ++k)
      accumulate(in[2].dtype(), width, in[2].data<char>() + size_t(k) * bytes,
                 out[0].data<char>() + size_t(in[1].data<int64_t>()[k]) * bytes);
  }
};

struct SpreadRowsWork { // in: rows, values; out: zeros but for the rows
  void operator()(const Tensor *in, const Tensor *out) const {
    const size_t bytes = size_t(row_width(in[1])) * itemsize(in[1].dtype());
    std::memset(out[0].data(), 0, out[0].nbytes());
    for (int64_t k = 0, n = used_rows(in[0]); k < n && bytes; ++k)
      std::memcpy(out[0].data<char>() + size_t(in[0].data<int64_t>()[k]) * bytes,
                  in[1].data<char>() + size_t(k) * bytes, bytes);
  }
};

// Both are sums from zero already: adding them from zero gives the bits of adding them.
RowSparse add(const RowSparse &a, const RowSparse &b) {
  return sum_rows(concat({a.rows, b.rows}, 0), concat({a.values, b.values}, 0));
}

void add_to(const Tensor &sum, const RowSparse &gradient) {
  compute("accumulate_rows", {sum, gradient.rows, contiguous(gradient.values)}, {sum}, AddRowsWork{});
}

[[maybe_unused]] const bool given_to_the_tape = (row_sparse = {add, add_to, to_dense}, true);

} // namespace

int64_t row_width(const Tensor &values) { return values.shape(0) ? values.size() / values.shape(0) : 0; }
int64_t used_rows(const Tensor &rows) {
  const int64_t *r = rows.data<int64_t>();
  return std::find(r, r + rows.size(), -1) - r;
}

RowSparse sum_rows(const Tensor &indices, const Tensor &dy, int64_t without) {
  const int64_t n = indices.size();
  Shape shape{n};
  for (int i = indices.ndim(); i < dy.ndim(); ++i)
    shape.push_back(dy.shape()[i]);
  const Tensor terms = contiguous_native(dy), values = empty(shape, terms.dtype()), rows = empty({n}, Dtype::int64);
  compute("sum_rows", {indices, view(terms, shape, contiguous_strides(shape))}, {rows, values}, SumRowsWork{without});
  const RowSparse all{rows, from_native(values, dy.dtype())};
  return recording() ? all : trimmed(all);
}

RowSparse trimmed(const RowSparse &gradient) {
  const int64_t n = used_rows(gradient.rows);
  if (n == gradient.rows.size())
    return gradient;
  Shape shape = gradient.values.shape();
  shape[0] = n;
  return {view(gradient.rows, {n}, {1}), view(gradient.values, shape, gradient.values.strides())};
}

Tensor to_dense(const RowSparse &gradient, const Shape &shape) {
  const Tensor y = empty(shape, gradient.values.dtype());
  compute("spread_rows", {gradient.rows, contiguous(gradient.values)}, {y}, SpreadRowsWork{});
  return y;
}

} // namespace cinta::ops
