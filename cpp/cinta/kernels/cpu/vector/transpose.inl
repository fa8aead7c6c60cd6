// Blocks of W vectors, W the lanes of one: transposed, or each summed over its lanes.
#pragma once

// clang-format off
#define CINTA_QUOTE(path) #path
#define CINTA_HEADER(path) CINTA_QUOTE(path)
#include CINTA_HEADER(cinta/kernels/cpu/CINTA_ISA/transpose.h)
#undef CINTA_HEADER
#undef CINTA_QUOTE
// clang-format on

namespace cinta::kernels::CINTA_ISA {

template <int D, class T, int W> CINTA_FN void transpose_stage(Vec<T> (&rows)[W]) {
  if constexpr (D >= 1) {
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i)
      if (!(i & D))
        swap_blocks<D>(rows[i], rows[i + D]);
    transpose_stage<D / 2>(rows);
  }
}

template <class T, int W> CINTA_FN void transpose(Vec<T> (&rows)[W]) { transpose_stage<W / 2>(rows); }

// Lane l of the result is the sum of all lanes of rows[l].
template <int D, class T, int W> CINTA_FN Vec<T> sum_each(Vec<T> (&rows)[W]) {
  if constexpr (D == 0) {
    return rows[0];
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < D; ++i) {
      swap_blocks<D>(rows[i], rows[i + D]);
      rows[i] += rows[i + D];
    }
    return sum_each<D / 2>(rows);
  }
}

} // namespace cinta::kernels::CINTA_ISA
