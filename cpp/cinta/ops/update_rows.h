// Updates by row-sparse gradients: which rows an optimizer's kernel has to go over, and with what.
#pragma once
#include <algorithm>
#include <cstring>

#include "cinta/ops/row_sparse.h"

namespace cinta::ops {

inline bool all_zero(const char *p, size_t bytes) {
  static constexpr char zeros[256] = {};
  if (bytes >= sizeof(uint64_t)) { // mostly all that it takes
    uint64_t first;
    std::memcpy(&first, p, sizeof first);
    if (first)
      return false;
  }
  for (; bytes > sizeof zeros; p += sizeof zeros, bytes -= sizeof zeros)
    if (std::memcmp(p, zeros, sizeof zeros))
      return false;
  return std::memcmp(p, zeros, bytes) == 0;
}

// update(row, n, g): n rows from there on, by their gradients g, native.
struct GivenRows {
  const int64_t *rows;
  const char *values;
  int64_t n, width; // rows, and elements of each
  size_t bytes;     // of a row

  GivenRows(const Tensor &rows, const Tensor &values, int64_t width)
      : rows(rows.data<int64_t>()), values(values.data<char>()), n(used_rows(rows)), width(width),
        bytes(size_t(width) * itemsize(values.dtype())) {}

  // Those rows alone.
  template <class F> void update_given(const F &update) const {
    const int64_t size = rows_per_block(width);
    for_each_block(n, size, double(n * width), [&](int64_t block) {
      for (int64_t k = block * size; k < std::min(n, (block + 1) * size); ++k)
        update(rows[k], 1, values + size_t(k) * bytes);
    });
  }

  // All of `height` rows, the others by a gradient of zero; where still(row) tells that this changes nothing, not.
  template <class F, class S> void update_all(int64_t height, const F &update, const S &still) const {
    const int64_t size = rows_per_block(width);
    const Tensor zero = zeros({size * int64_t(bytes)}, Dtype::uint8);
    for_each_block(height, size, double(height * width), [&](int64_t block) {
      const int64_t end = std::min(height, (block + 1) * size);
      int64_t k = std::lower_bound(rows, rows + n, block * size) - rows;
      for (int64_t row = block * size; row < end;) {
        if (k < n && rows[k] == row) {
          update(row++, 1, values + size_t(k) * bytes);
          ++k;
          continue;
        }
        const int64_t begin = row, next = k < n ? std::min(end, rows[k]) : end;
        while (row < next && !still(row))
          ++row;
        if (row > begin)
          update(begin, row - begin, zero.data());
        while (row < next && still(row))
          ++row;
      }
    });
  }
};

} // namespace cinta::ops
