#include "cinta/replay/fused.h"

#include <algorithm>

#include "cinta/ops/tile_loop.h"

namespace cinta::replay {
namespace {

constexpr int64_t kTile = 1024; // elements; the registers of a chain stay in the first or second cache

void spread(const void *value, int64_t bytes, int64_t n, char *to) {
  for (int64_t i = 0; i < n; ++i)
    std::memcpy(to + i * bytes, value, size_t(bytes));
}

// Runs all stages over n elements. Pointers and steps are of the operands.
void run_tile(const void *context, int64_t n, void *const *pointers, const int *steps) {
  const FusedWork &f = *static_cast<const FusedWork *>(context);
  const kernels::Table &k = kernels::table();
  const int compute = int(compute_type(f.dtype)), floating = f.dtype == Dtype::float64, operands = f.inputs + f.outputs;
  const int64_t bytes = int64_t(itemsize(f.dtype));
  alignas(64) char registers[kMaxRegisters][kTile * 8];
  void *at[ops::kMaxOperands + kMaxRegisters];
  int step[ops::kMaxOperands + kMaxRegisters];
  for (int r = 0; r < f.registers; ++r)
    at[operands + r] = registers[r], step[operands + r] = 1;
  for (int o = 0; o < operands; ++o)
    step[o] = o < f.inputs ? steps[o] : 1;
  for (int o = 0; o < f.inputs; ++o)
    if (f.spread[size_t(o)] >= 0) {
      spread(pointers[o], bytes, std::min(kTile, n), registers[f.spread[size_t(o)]]);
      at[o] = registers[f.spread[size_t(o)]], step[o] = 1;
    }
  for (int64_t done = 0; done < n; done += kTile) {
    const int64_t m = std::min(kTile, n - done);
    for (int o = 0; o < operands; ++o)
      if (o >= f.inputs || f.spread[size_t(o)] < 0)
        at[o] = static_cast<char *>(pointers[o]) + done * step[o] * (f.masks[size_t(o)] ? 1 : bytes);
    for (const Stage &s : f.stages) {
      void *const x = at[s.in[0]], *const y = at[s.out];
      const int8_t *in = s.in;
      switch (s.kind) {
      case Stage::unary:
        k.unary[s.op][compute](m, x, y, s.parameters.value);
        break;
      case Stage::unary_vjp:
        k.unary_vjp[s.op][floating](m, x, at[in[1]], at[in[2]], y, s.parameters.value);
        break;
      case Stage::binary:
        k.binary[s.op][compute](m, x, step[in[0]], at[in[1]], step[in[1]], y);
        break;
      case Stage::binary_vjp:
        (s.which ? k.binary_vjp_b : k.binary_vjp_a)[s.op][floating](m, x, step[in[0]], at[in[1]], step[in[1]],
                                                                    at[in[2]], at[in[3]], y);
        break;
      case Stage::compare:
        k.compare[s.op][compute](m, x, step[in[0]], at[in[1]], step[in[1]], static_cast<uint8_t *>(y));
        break;
      case Stage::select:
        k.select[compute](m, static_cast<const uint8_t *>(x), at[in[1]], step[in[1]], at[in[2]], step[in[2]], y);
        break;
      case Stage::copy:
        std::memcpy(y, x, size_t(m * bytes));
        break;
      }
    }
  }
}

} // namespace

bool FusedWork::may_overwrite(int out, int in) const {
  bool written = false;
  for (const Stage &s : stages) {
    if (written && std::find(s.in, s.in + 4, int8_t(in)) != s.in + 4)
      return false;
    written |= s.out == inputs + out;
  }
  return true;
}

void FusedWork::run_range(const Tensor *in, const Tensor *out, int64_t first, int64_t n, int aside,
                          void *memory) const {
  void *pointers[ops::kMaxOperands];
  int steps[ops::kMaxOperands];
  const int64_t all = count(shape);
  for (int o = 0; o < inputs + outputs; ++o) {
    if (o == inputs + aside) {
      pointers[o] = memory;
      continue;
    }
    const int given = o - inputs - (o > inputs + aside);
    const Tensor &t = o < inputs ? in[o] : out[given];
    steps[o] = t.size() == all;
    pointers[o] = t.data<char>() + first * steps[o] * int64_t(itemsize(t.dtype()));
  }
  run_tile(this, n, pointers, steps);
}

void FusedWork::operator()(const Tensor *in, const Tensor *out) const {
  const int operands = inputs + outputs;
  const int64_t n = count(shape);
  bool simple = n <= int64_t(1) << 14;
  for (int o = 0; o < operands && simple; ++o)
    simple = (o < inputs ? in[o] : out[o - inputs]).contiguous();
  if (simple) {
    void *pointers[ops::kMaxOperands];
    int steps[ops::kMaxOperands];
    for (int o = 0; o < operands; ++o) {
      const Tensor &t = o < inputs ? in[o] : out[o - inputs];
      pointers[o] = t.data();
      steps[o] = t.size() == n;
    }
    return run_tile(this, n, pointers, steps);
  }
  ops::Operand all[ops::kMaxOperands];
  for (int o = 0; o < operands; ++o) {
    const Tensor &t = o < inputs ? in[o] : out[o - inputs];
    ops::Operand &x = all[o];
    x.data = t.data<char>();
    x.dtype = t.dtype();
    x.scalar_ok = o < inputs && (steps[size_t(o)] || spread[size_t(o)] >= 0);
    x.raw = masks[size_t(o)];
    x.strides = t.size() != n        ? Strides(shape.size(), 0) // a constant
                : t.shape() == shape ? t.strides()
                                     : contiguous_strides(shape);
  }
  ops::tile_loop(shape, all, inputs, outputs, run_tile, this, cost);
}

} // namespace cinta::replay
