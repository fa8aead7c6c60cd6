// Packing: a strip of `lanes` rows of A or columns of B becomes k short contiguous rows, as the micro-kernel reads
// them.
#pragma once
#include <cstdint>

#include "cinta/kernels/cpu/vector/spaced.inl"
#include "cinta/kernels/cpu/vector/transpose.inl"

namespace cinta::kernels::CINTA_ISA {

constexpr int kRowsAhead = 8; // asked for in advance where they are long: rows of a panel lie on different pages

// The source read along the lanes, which lie in its rows; the lanes from `lanes` to `width` are zero.
template <Step kStep, class T>
void pack_copied(int64_t k, int64_t lanes, int64_t width, const T *from, int64_t lane_step, int64_t k_step, T *to) {
  constexpr int W = Vec<T>::width;
  for (int64_t p = 0; p < k; ++p, from += k_step, to += width) {
    int64_t l = 0;
    for (; l + W <= lanes; l += W) {
      const T *const x = from + l * lane_step;
      if (kStep == Step::two) {
        __builtin_prefetch(x + kRowsAhead * k_step);
        __builtin_prefetch(x + kRowsAhead * k_step + W);
      }
      load_spaced<kStep>(x, lane_step).store(to + l);
    }
    for (; l < width; l += W) {
      const Vec<T> x = l < lanes ? load_spaced<kStep>(from + l * lane_step, lane_step, lanes - l) : Vec<T>(T(0));
      if (width - l >= W)
        x.store(to + l);
      else
        x.store_partial(to + l, width - l);
    }
  }
}

// The source read along k: W x W blocks are transposed in registers.
template <Step kStep, class T>
void pack_transposed(int64_t k, int64_t lanes, int64_t width, const T *from, int64_t lane_step, int64_t k_step, T *to) {
  constexpr int W = Vec<T>::width;
  if constexpr (kStep == Step::one)
    k_step = 1; // known to the compiler
  for (int64_t l = 0; l < width; l += W) {
    const int64_t present = lanes - l, room = width - l;
    for (int64_t p = 0; p < k; p += W) {
      const int64_t depth = k - p < W ? k - p : W;
      Vec<T> block[W];
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i)
        block[i] =
            i >= present ? Vec<T>(T(0)) : load_spaced<kStep>(from + (l + i) * lane_step + p * k_step, k_step, depth);
      transpose(block);
      T *out = to + p * width + l;
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) {
        if (i >= depth)
          break;
        if (room >= W)
          block[i].store(out + i * width);
        else
          block[i].store_partial(out + i * width, room);
      }
    }
  }
}

// Strips of half a vector: a vector of the source holds two runs of k, which are transposed side by side.
template <class T> void pack_transposed_half(int64_t k, const T *from, int64_t lane_step, T *to) {
  constexpr int W = Vec<T>::width, H = W / 2;
  for (int64_t p = 0; p < k; p += W) {
    const int64_t depth = k - p < W ? k - p : W;
    Vec<T> block[H];
#pragma GCC unroll 16
    for (int i = 0; i < H; ++i)
      block[i] =
          depth == W ? Vec<T>::load(from + i * lane_step + p) : Vec<T>::load_partial(from + i * lane_step + p, depth);
    transpose_stage<H / 2>(block);
#pragma GCC unroll 16
    for (int i = 0; i < H; i += 2)
      swap_blocks<H>(block[i], block[i + 1]);
#pragma GCC unroll 16
    for (int i = 0; i < H; ++i) { // now the rows of H at p + i and the next, even i, or at p + H + i - 1, odd
      const int64_t at = i % 2 ? H + i - 1 : i, left = depth - at;
      T *out = to + (p + at) * H;
      if (left >= 2)
        block[i].store(out);
      else if (left == 1)
        block[i].store_partial(out, H);
    }
  }
}

// to[p * width + l] = from[l * lane_step + p * k_step] for l < lanes, 0 for the lanes after
template <class T>
void pack_strip(int64_t k, int64_t lanes, int64_t width, const T *from, int64_t lane_step, int64_t k_step, T *to) {
  if (lanes == 1)
    lane_step = 1;
  if constexpr (Vec<T>::width == 16)
    if (k_step == 1 && lane_step != 1 && k > 1 && lanes == 8 && width == 8)
      return pack_transposed_half(k, from, lane_step, to);
  const bool by_rows = k == 1 || (lane_step < k_step && k_step != 1); // whether lanes are nearer to each other
  const Step step = kind_of(by_rows ? lane_step : k_step);
  const auto pack = by_rows ? (step == Step::one   ? pack_copied<Step::one, T>
                               : step == Step::two ? pack_copied<Step::two, T>
                                                   : pack_copied<Step::any, T>)
                            : (step == Step::one   ? pack_transposed<Step::one, T>
                               : step == Step::two ? pack_transposed<Step::two, T>
                                                   : pack_transposed<Step::any, T>);
  pack(k, lanes, width, from, lane_step, k_step, to);
}

} // namespace cinta::kernels::CINTA_ISA
