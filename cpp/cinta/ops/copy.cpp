// The same values into other memory: by bytes, by transposed planes, by rows, or tile by tile with conversion.
#include <algorithm>
#include <cstring>

#include "cinta/base/parallel.h"
#include "cinta/ops/elementwise_work.h"
#include "cinta/ops/tile_loop.h"

namespace cinta::ops {
namespace {

// double to float, rounded to odd: a second rounding, to a half type, then gives what a direct one would.
void to_odd_float(int64_t n, const void *x, void *y) {
  for (int64_t i = 0; i < n; ++i) {
    const double d = static_cast<const double *>(x)[i];
    float f = float(d);
    uint32_t bits;
    std::memcpy(&bits, &f, 4);
    if (double(f) != d && f == f && (bits & 0x7fffffff) != 0x7f800000) {
      bits -= (f < 0 ? -double(f) : double(f)) > (d < 0 ? -d : d); // towards zero
      bits |= 1;
      std::memcpy(&f, &bits, 4);
    }
    static_cast<float *>(y)[i] = f;
  }
}

void copy_bytes(const char *x, char *y, int64_t n) {
  static constexpr int64_t block = int64_t(1) << 18;
  struct Bytes {
    const char *x;
    char *y;
    int64_t n;
  } bytes{x, y, n};
  const auto body = [](void *context, int64_t i) {
    const Bytes &b = *static_cast<const Bytes *>(context);
    std::memcpy(b.y + i * block, b.x + i * block, size_t(std::min(block, b.n - i * block)));
  };
  parallel_for((n + block - 1) / block, double(n) * 0.05, body, &bytes);
}

// One plane of a transposing copy: rows are the axis in which x is contiguous, columns that in which y is.
struct Planes {
  kernels::TransposeCopy f;
  const char *x;
  char *y;
  Shape shape; // of the axes around
  Strides x_strides, y_strides;
  int64_t rows, cols, x_stride, y_stride, strips;
  int64_t bytes;
};
constexpr int64_t kStrip = 64; // rows of y per unit of work, or columns where there are few rows

void copy_strip(void *context, int64_t block) {
  const Planes &p = *static_cast<const Planes *>(context);
  int64_t plane = block / p.strips, strip = block % p.strips, from = 0, to = 0;
  for (int axis = p.shape.size() - 1; axis >= 0; --axis) {
    from += plane % p.shape[axis] * p.x_strides[axis];
    to += plane % p.shape[axis] * p.y_strides[axis];
    plane /= p.shape[axis];
  }
  if (p.rows >= p.cols) {
    const int64_t first = strip * kStrip, n = std::min(kStrip, p.rows - first);
    p.f(n, p.cols, p.x + (from + first) * p.bytes, p.x_stride, p.y + (to + first * p.y_stride) * p.bytes, p.y_stride);
  } else {
    const int64_t first = strip * kStrip, n = std::min(kStrip, p.cols - first);
    p.f(p.rows, n, p.x + (from + first * p.x_stride) * p.bytes, p.x_stride, p.y + (to + first) * p.bytes, p.y_stride);
  }
}

// Whether x and y are contiguous in two different axes; then the copy is done, plane by plane.
bool copy_transposed(const Tensor &x, const Tensor &y) {
  Strides a = x.strides(), b = y.strides(), *both[2] = {&a, &b};
  const Shape shape = collapse(y.shape(), both, 2);
  int row = -1, col = -1;
  for (int axis = 0; axis < shape.size(); ++axis) {
    row = a[axis] == 1 ? axis : row;
    col = b[axis] == 1 ? axis : col;
  }
  if (row < 0 || col < 0 || row == col)
    return false;
  Planes q{};
  q.bytes = int64_t(itemsize(x.dtype()));
  q.f = kernels::table().transpose_copy[q.bytes == 8 ? 3 : q.bytes == 4 ? 2 : q.bytes == 2 ? 1 : 0];
  q.x = x.data<char>(), q.y = y.data<char>();
  q.rows = shape[row], q.cols = shape[col], q.x_stride = a[col], q.y_stride = b[row];
  q.strips = (std::max(q.rows, q.cols) + kStrip - 1) / kStrip;
  int64_t planes = 1;
  for (int axis = 0; axis < shape.size(); ++axis)
    if (axis != row && axis != col) {
      q.shape.push_back(shape[axis]);
      q.x_strides.push_back(a[axis]);
      q.y_strides.push_back(b[axis]);
      planes *= shape[axis];
    }
  parallel_for(planes * q.strips, double(x.size()) * 0.4, copy_strip, &q);
  return true;
}

// A contiguous copy in x's compute type, by strips of rows: of several planes where these are small, of some columns
// where rows are long.
struct Rows {
  kernels::LoadRows f;
  const char *x;
  char *y;
  Shape shape; // of the axes around
  Strides x_strides;
  int64_t planes, rows, cols, x_row, x_col, strip_planes, strip_rows, strip_cols, row_strips, col_strips;
  int64_t x_bytes, y_bytes;
};

void copy_strip_of_rows(void *context, int64_t block) {
  const Rows &p = *static_cast<const Rows *>(context);
  const int64_t col = block % p.col_strips * p.strip_cols, row = block / p.col_strips % p.row_strips * p.strip_rows;
  const int64_t first = block / p.col_strips / p.row_strips * p.strip_planes;
  const int64_t rows = std::min(p.strip_rows, p.rows - row), cols = std::min(p.strip_cols, p.cols - col);
  int64_t from = row * p.x_row + col * p.x_col, to = (first * p.rows + row) * p.cols + col;
  Dims at(p.shape.size(), 0);
  int64_t left = first;
  for (int axis = p.shape.size() - 1; axis >= 0; left /= p.shape[axis--]) {
    at[axis] = left % p.shape[axis];
    from += at[axis] * p.x_strides[axis];
  }
  for (int64_t plane = first; plane < std::min(p.planes, first + p.strip_planes); ++plane, to += p.rows * p.cols) {
    p.f(rows, cols, p.x + from * p.x_bytes, p.x_row, p.x_col, p.y + to * p.y_bytes);
    for (int axis = p.shape.size() - 1; axis >= 0; --axis) { // to the next plane
      from += p.x_strides[axis];
      if (++at[axis] < p.shape[axis])
        break;
      from -= at[axis] * p.x_strides[axis];
      at[axis] = 0;
    }
  }
}

bool copy_rows(const Tensor &x, const Tensor &y) {
  if (!y.contiguous() || !is_native(y.dtype()) || compute_type(x.dtype()) != compute_type(y.dtype()))
    return false;
  constexpr int64_t strip = 1 << 14; // elements
  Strides a = x.strides(), b = y.strides(), *both[2] = {&a, &b};
  const Shape shape = collapse(y.shape(), both, 2);
  const int last = shape.size() - 1;
  Rows r{};
  r.f = kernels::table().load_rows[int(x.dtype())];
  r.x = x.data<char>(), r.y = y.data<char>();
  r.x_bytes = int64_t(itemsize(x.dtype())), r.y_bytes = int64_t(itemsize(y.dtype()));
  r.cols = shape[last], r.x_col = a[last];
  r.rows = last ? shape[last - 1] : 1, r.x_row = last ? a[last - 1] : 0;
  r.strip_cols = std::min(r.cols, strip), r.strip_rows = std::max<int64_t>(1, strip / r.cols);
  r.col_strips = (r.cols + r.strip_cols - 1) / r.strip_cols;
  r.row_strips = (r.rows + r.strip_rows - 1) / r.strip_rows;
  for (int axis = 0; axis < last - 1; ++axis) {
    r.shape.push_back(shape[axis]);
    r.x_strides.push_back(a[axis]);
  }
  r.planes = count(r.shape), r.strip_planes = std::max<int64_t>(1, strip / (r.rows * r.cols));
  parallel_for((r.planes + r.strip_planes - 1) / r.strip_planes * r.row_strips * r.col_strips, double(x.size()) * 0.3,
               copy_strip_of_rows, &r);
  return true;
}

struct CopyContext {
  kernels::ConvertTile convert; // null: the compute types agree
  size_t bytes;
};

void copy_tile(const void *context, int64_t n, void *const *pointers, const int *) {
  const CopyContext &c = *static_cast<const CopyContext *>(context);
  char *y = static_cast<char *>(pointers[1]);
  const char *x = static_cast<const char *>(pointers[0]);
  if (c.convert)
    c.convert(n, x, y);
  else
    std::memcpy(y, x, size_t(n) * c.bytes);
}

} // namespace

void copy(const Tensor &x, const Tensor &y) {
  if (x.size())
    compute("copy", Operands(&x, 1), Operands(&y, 1), CopyWork{});
}

void CopyWork::operator()(const Tensor *in, const Tensor *out) const {
  const Tensor &x = in[0], &y = out[0];
  if (x.dtype() == y.dtype() && x.contiguous() && y.contiguous())
    return copy_bytes(x.data<char>(), y.data<char>(), int64_t(x.nbytes()));
  if (x.dtype() == y.dtype() && copy_transposed(x, y))
    return;
  if (copy_rows(x, y))
    return;
  using kernels::Compute;
  Compute from = compute_type(x.dtype()), to = compute_type(y.dtype());
  CopyContext c{from == to ? nullptr : kernels::table().convert_tile[int(from)][int(to)],
                to == Compute::f32 ? size_t(4) : size_t(8)};
  if (from == Compute::f64 && to == Compute::f32 && y.dtype() != Dtype::float32)
    c.convert = to_odd_float;
  Operand operands[2] = {operand(x), operand(y)};
  tile_loop(y.shape(), operands, 1, 1, copy_tile, &c, 0.5);
}

} // namespace cinta::ops
