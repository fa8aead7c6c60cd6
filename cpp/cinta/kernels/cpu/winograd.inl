// 3x3 convolution at stride 1 in float32 with 2.25 times fewer products than taps, in every direction and either
// memory order: when it pays, and what it is not used for.
#include "cinta/base/parallel.h"
#include "cinta/kernels/kernels.h"
#include "cinta/kernels/precision.h"

// Each builds on those above it.
// clang-format off
#include "cinta/kernels/cpu/conv/planes.inl"
#include "cinta/kernels/cpu/winograd/tiles.inl"
#include "cinta/kernels/cpu/winograd/images.inl"
#include "cinta/kernels/cpu/winograd/product.inl"
#include "cinta/kernels/cpu/winograd/blocks.inl"
// clang-format on

namespace cinta::kernels::CINTA_ISA {
namespace {

// Whether the transforms' sums and products of numbers so large keep their digits: bits of the largest magnitudes.
inline bool in_range(uint32_t a, uint32_t b) {
  const auto exponent = [](uint32_t bits) { return int(bits >> 23) - 127; };
  if (a == 0 || b == 0) // all zero: exact, unless the other side holds an infinity or a NaN
    return exponent(a | b) < 120;
  const int product = exponent(a) + exponent(b);
  return exponent(a) < 120 && exponent(b) < 120 && exponent(a) >= -100 && exponent(b) >= -100 && product >= -90 &&
         product < 100;
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA

#include "cinta/kernels/cpu/winograd/forward.inl"
#include "cinta/kernels/cpu/winograd/weight.inl"

namespace cinta::kernels::CINTA_ISA {
namespace {

inline int64_t tiles_of(int64_t outputs) { return ceil_div(outputs, kTileOutputs); }

// Whether lanes are filled, and products so much fewer that they pay for the transforms.
inline ResultOrder winograd_fits(const Conv2d &g, Direction direction) {
  const Conv2d a = direction == Direction::backward_data ? adjoint(g) : g;
  const bool plain = g.stride_h == 1 && g.stride_w == 1 && g.dilation_h == 1 && g.dilation_w == 1 && g.KH > 1 &&
                     g.KW > 1 && g.KH * g.KW <= kMostTaps && a.pad_h >= 0 && a.pad_w >= 0;
  const int64_t tiles = tiles_of(a.OH) * tiles_of(a.OW);
  const double products = double(tiles * KernelBlocks(g.KH, g.KW, a.C).products());
  const bool pays = plain && matmul_precision() != Precision::strict && a.C >= 24 && a.O >= 24 &&
                    lanes_used(a.O) > 0.7 && a.N * tiles >= 24 && products < 0.75 * double(a.OH * a.OW * g.KH * g.KW);
  return pays ? ResultOrder::either : ResultOrder::none;
}

inline bool winograd(const Conv2d &g, Direction direction, const Images &x, float *w, const float *bias,
                     const Images &y) {
  const int64_t taps = g.KH * g.KW;
  const Sized from{x, g.C, g.H, g.W}, to{y, g.O, g.OH, g.OW};
  bool done;
  if (direction == Direction::backward_weight) {
    WeightSum sum{
        from, to, g.N, g.pad_h, g.pad_w, w, KernelBlocks(g.KH, g.KW, g.C), Panels(g.O), tiles_of(g.OH), tiles_of(g.OW)};
    done = sum_weights(sum);
  } else if (direction == Direction::forward) {
    Correlation job{from,
                    to,
                    g.N,
                    g.pad_h,
                    g.pad_w,
                    w,
                    bias,
                    g.C * taps,
                    taps,
                    false,
                    KernelBlocks(g.KH, g.KW, g.C),
                    Panels(g.O),
                    tiles_of(g.OH),
                    tiles_of(g.OW)};
    done = correlate(job);
  } else {
    const Conv2d a = adjoint(g);
    Correlation job{to,
                    from,
                    g.N,
                    a.pad_h,
                    a.pad_w,
                    w,
                    nullptr,
                    taps,
                    g.C * taps,
                    true,
                    KernelBlocks(g.KH, g.KW, g.O),
                    Panels(g.C),
                    tiles_of(g.H),
                    tiles_of(g.W)};
    done = correlate(job);
  }
  count(done ? matmul_paths().winograd : matmul_paths().out_of_range);
  return done;
}

} // namespace

void fill_winograd(Table &table) {
  if (Vec<float>::width == 1)
    return;
  table.conv2d_strided_fits = winograd_fits;
  table.conv2d_strided = winograd;
}

} // namespace cinta::kernels::CINTA_ISA
