// Convolution at stride 1 in float32 with fewer products than taps, 2.25 times fewer for 3x3 and more, in every
// direction and either memory order: when it pays, and what it is not used for.
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

constexpr double kPaysBelow = 0.75; // of the direct products

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

template <class F> int64_t tiles_of(int64_t outputs) { return ceil_div(outputs, F::outputs); }

// A kernel of one column is one of one row of images on their side.
inline Conv2d turned(const Conv2d &g) {
  Conv2d t = g;
  t.H = g.W, t.W = g.H, t.KH = g.KW, t.KW = g.KH, t.OH = g.OW, t.OW = g.OH, t.pad_h = g.pad_w, t.pad_w = g.pad_h;
  return t;
}
inline Images turned(const Images &x) { return {x.data, {x.strides.n, x.strides.c, x.strides.w, x.strides.h}}; }
inline bool one_column(const Conv2d &g) { return g.KW == 1 && g.KH > 1; }

// f(filterings down and across) that take least time for a correlation, or for a gradient of weights. Four outputs
// at a time lose digits, which long sums lose anyway: so long that PyTorch's error is larger.
template <class F> auto with_filtering(const Conv2d &g, Direction direction, F f) {
  constexpr int64_t kLong = 640, kLongBack = 320, kLongWeight = 16000; // activations have zeros, gradients have not
  const int64_t taps = g.C * g.KH * g.KW, places = g.N * g.OH * g.OW;
  const bool long_sums = direction == Direction::forward         ? taps >= kLong
                         : direction == Direction::backward_data ? taps >= kLongBack
                                                                 : g.KH > 1 && places >= kLongWeight;
  using One = Filtering<1, 1>;
  using Two = Filtering<2, 3>;
  using Three = Filtering<3, 4>;
  using Four = Filtering<4, 3>;
  const auto cost = [&]<class Down, class Across>(Down, Across) {
    constexpr int64_t kTilesOfWeights = 50; // for which products take as long as weights to their points
    const int64_t tiles = g.N * tiles_of<Down>(g.OH) * tiles_of<Across>(g.OW);
    return KernelBlocks<Down, Across>(g.KH, g.KW, g.C).products() * (tiles + kTilesOfWeights);
  };
  if (g.KH > 1)
    return long_sums && cost(Two{}, Four{}) < cost(Two{}, Two{}) ? f(Two{}, Four{}) : f(Two{}, Two{});
  const int64_t two = cost(One{}, Two{}), three = cost(One{}, Three{}), four = cost(One{}, Four{});
  if (!long_sums || (two <= three && two <= four))
    return f(One{}, Two{});
  return four <= three ? f(One{}, Four{}) : f(One{}, Three{});
}

// Whether lanes are filled, and products so much fewer that they pay for the transforms.
inline ResultOrder winograd_fits(const Conv2d &given, Direction direction) {
  const Conv2d g = one_column(given) ? turned(given) : given;
  const Conv2d a = direction == Direction::backward_data ? adjoint(g) : g;
  const bool plain = g.stride_h == 1 && g.stride_w == 1 && g.dilation_h == 1 && g.dilation_w == 1 && g.KW > 1 &&
                     g.KH * g.KW <= kMostTaps && a.pad_h >= 0 && a.pad_w >= 0;
  if (!plain || matmul_precision() == Precision::strict || a.C < 24 || a.O < 24 || lanes_used(a.O) <= 0.7)
    return ResultOrder::none;
  const bool pays = with_filtering(a, direction, [&]<class Down, class Across>(Down, Across) {
    const int64_t tiles = tiles_of<Down>(a.OH) * tiles_of<Across>(a.OW);
    const double products = double(tiles * KernelBlocks<Down, Across>(g.KH, g.KW, a.C).products());
    return a.N * tiles * Down::outputs * Across::outputs >= 96 &&
           products < kPaysBelow * double(a.OH * a.OW * g.KH * g.KW);
  });
  return pays ? ResultOrder::either : ResultOrder::none;
}

template <class Down, class Across>
bool winograd(const Conv2d &g, Direction direction, const Images &x, float *w, const float *bias, const Images &y) {
  const int64_t taps = g.KH * g.KW;
  const Sized from{x, g.C, g.H, g.W}, to{y, g.O, g.OH, g.OW};
  if (direction == Direction::backward_data) {
    const Conv2d a = adjoint(g);
    Correlation<Down, Across> job{to,
                                  from,
                                  g.N,
                                  a.pad_h,
                                  a.pad_w,
                                  w,
                                  nullptr,
                                  taps,
                                  g.C * taps,
                                  true,
                                  {g.KH, g.KW, g.O},
                                  Panels(g.C),
                                  tiles_of<Down>(g.H),
                                  tiles_of<Across>(g.W)};
    return correlate(job);
  }
  Correlation<Down, Across> job{from,
                                to,
                                g.N,
                                g.pad_h,
                                g.pad_w,
                                w,
                                bias,
                                g.C * taps,
                                taps,
                                false,
                                {g.KH, g.KW, g.C},
                                Panels(g.O),
                                tiles_of<Down>(g.OH),
                                tiles_of<Across>(g.OW)};
  return correlate(job);
}

template <class Down, class Across> bool winograd_weight(const Conv2d &g, const Images &x, float *w, const Images &y) {
  WeightSum<Down, Across> sum{
      {x, g.C, g.H, g.W},   {y, g.O, g.OH, g.OW},  g.N, g.pad_h, g.pad_w, w, {g.KH, g.KW, g.C}, Panels(g.O),
      tiles_of<Down>(g.OH), tiles_of<Across>(g.OW)};
  return sum_weights(sum);
}

inline bool winograd(const Conv2d &g, Direction direction, const Images &x, float *w, const float *bias,
                     const Images &y) {
  if (one_column(g)) // planes cannot lie on their side
    return x.strides.c == 1 && y.strides.c == 1 && winograd(turned(g), direction, turned(x), w, bias, turned(y));
  bool done;
  if (direction == Direction::backward_weight)
    done = with_filtering(g, direction, [&]<class Down, class Across>(Down, Across) {
      if constexpr (Down::taps == 1 && Across::outputs > 2)
        return false; // never asked for
      else
        return winograd_weight<Down, Across>(g, x, w, y);
    });
  else
    done = with_filtering(
        direction == Direction::forward ? g : adjoint(g), direction,
        [&]<class Down, class Across>(Down, Across) { return winograd<Down, Across>(g, direction, x, w, bias, y); });
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
