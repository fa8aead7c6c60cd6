#include "cinta/ops/tile_loop.h"

#include <algorithm>

#include "cinta/base/parallel.h"
#include "cinta/kernels/kernels.h"

namespace cinta::ops {
namespace {

constexpr int64_t kTile = 512; // elements converted at a time; all tiles stay in L1
constexpr int64_t kBlock =
    int64_t(1) << 14; // elements per unit of parallel work; fixed, so results never depend on threads

struct Plan {
  Shape shape; // collapsed
  Operand operands[kMaxOperands];
  int n, inputs;
  int64_t size;
  Tile tile;
  const void *context;
  bool converts[kMaxOperands]; // this operand passes through a tile buffer
  bool any_converts;
};

void run_row(const Plan &p, int64_t n, char *const *start) {
  const auto &table = kernels::table();
  const int inner = p.shape.size() - 1;
  void *pointers[kMaxOperands];
  int steps[kMaxOperands];
  if (!p.any_converts) {
    for (int k = 0; k < p.n; ++k) {
      pointers[k] = start[k];
      steps[k] = int(p.operands[k].strides[inner]);
    }
    p.tile(p.context, n, pointers, steps);
    return;
  }
  alignas(64) char buffers[kMaxOperands][kTile * 8];
  for (int64_t done = 0; done < n; done += kTile) {
    int64_t m = std::min(kTile, n - done);
    for (int k = 0; k < p.n; ++k) {
      const Operand &o = p.operands[k];
      int64_t stride = o.strides[inner];
      char *at = start[k] + done * stride * int64_t(itemsize(o.dtype));
      pointers[k] = p.converts[k] ? buffers[k] : at;
      steps[k] = stride == 0 && o.scalar_ok ? 0 : 1;
      if (p.converts[k] && k < p.inputs) {
        if (o.raw)
          for (int64_t i = 0; i < (steps[k] ? m : 1); ++i)
            buffers[k][i] = at[i * stride];
        else
          table.load_tile[int(o.dtype)](steps[k] ? m : 1, at, stride, buffers[k]);
      }
    }
    p.tile(p.context, m, pointers, steps);
    for (int k = p.inputs; k < p.n; ++k) {
      const Operand &o = p.operands[k];
      int64_t stride = o.strides[inner];
      char *at = start[k] + done * stride * int64_t(itemsize(o.dtype));
      if (!p.converts[k])
        continue;
      if (o.raw)
        for (int64_t i = 0; i < m; ++i)
          at[i * stride] = buffers[k][i];
      else
        table.store_tile[int(o.dtype)](m, buffers[k], at, stride);
    }
  }
}

// Elements [block * kBlock, ...) in row-major order of the collapsed shape.
void run_block(void *context, int64_t block) {
  const Plan &p = *static_cast<const Plan *>(context);
  const int dims = p.shape.size();
  int64_t first = block * kBlock, left = std::min(kBlock, p.size - first);
  int64_t index[kMaxDims];
  for (int axis = dims - 1; axis >= 0; --axis) {
    index[axis] = first % p.shape[axis];
    first /= p.shape[axis];
  }
  while (left > 0) {
    char *start[kMaxOperands];
    for (int k = 0; k < p.n; ++k) {
      int64_t at = 0;
      for (int axis = 0; axis < dims; ++axis)
        at += index[axis] * p.operands[k].strides[axis];
      start[k] = p.operands[k].data + at * int64_t(itemsize(p.operands[k].dtype));
    }
    const int64_t n = std::min(left, p.shape[dims - 1] - index[dims - 1]);
    run_row(p, n, start);
    left -= n;
    index[dims - 1] += n;
    if (dims > 1 && n == p.shape[dims - 1]) // the next whole rows begin a step further
      for (; left >= n && index[dims - 2] + 1 < p.shape[dims - 2]; ++index[dims - 2], left -= n) {
        for (int k = 0; k < p.n; ++k)
          start[k] += p.operands[k].strides[dims - 2] * int64_t(itemsize(p.operands[k].dtype));
        run_row(p, n, start);
      }
    for (int axis = dims - 1; axis > 0 && index[axis] == p.shape[axis]; --axis) {
      index[axis] = 0;
      ++index[axis - 1];
    }
  }
}

// Axes by falling stride of the last operand, which is written: its memory is then walked in order.
Shape in_memory_order(const Shape &shape, const Dims &order, Strides *const *strides, int n) {
  Shape sorted = shape;
  for (int i = 0; i < shape.size(); ++i)
    sorted[i] = shape[int(order[i])];
  for (int k = 0; k < n; ++k) {
    const Strides steps = *strides[k];
    for (int i = 0; i < shape.size(); ++i)
      (*strides[k])[i] = steps[int(order[i])];
  }
  return sorted;
}

} // namespace

Shape collapse(const Shape &shape, Strides *const *strides, int n) {
  Shape merged;
  Strides steps[kMaxOperands];
  for (int axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1)
      continue;
    bool merge = !merged.empty();
    for (int k = 0; merge && k < n; ++k)
      merge = steps[k].back() == (*strides[k])[axis] * shape[axis];
    if (merge) {
      merged[merged.size() - 1] *= shape[axis];
      for (int k = 0; k < n; ++k)
        steps[k][steps[k].size() - 1] = (*strides[k])[axis];
    } else {
      merged.push_back(shape[axis]);
      for (int k = 0; k < n; ++k)
        steps[k].push_back((*strides[k])[axis]);
    }
  }
  if (merged.empty()) {
    merged.push_back(1);
    for (int k = 0; k < n; ++k)
      steps[k].push_back(1);
  }
  for (int k = 0; k < n; ++k)
    *strides[k] = steps[k];
  return merged;
}

void tile_loop(const Shape &shape, const Operand *operands, int inputs, int outputs, Tile tile, const void *context,
               double ns_per_element) {
  Plan p;
  p.n = inputs + outputs;
  p.inputs = inputs;
  p.tile = tile;
  p.context = context;
  p.size = count(shape);
  if (p.size == 0)
    return;
  std::copy(operands, operands + p.n, p.operands);
  Strides *strides[kMaxOperands];
  for (int k = 0; k < p.n; ++k)
    strides[k] = &p.operands[k].strides;
  p.shape = collapse(in_memory_order(shape, axes_by_stride(operands[p.n - 1].strides), strides, p.n), strides, p.n);
  const int inner = p.shape.size() - 1;
  p.any_converts = false;
  for (int k = 0; k < p.n; ++k) {
    const Operand &o = p.operands[k];
    bool direct = o.strides[inner] == 1 || (o.strides[inner] == 0 && o.scalar_ok);
    p.converts[k] = !direct || !(o.raw || is_native(o.dtype));
    p.any_converts |= p.converts[k];
  }
  parallel_for((p.size + kBlock - 1) / kBlock, double(p.size) * ns_per_element, run_block, &p);
}

} // namespace cinta::ops
