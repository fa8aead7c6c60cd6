// The exchange that transposes are made of: lanes l with bit D set of `a` against lanes l - D of `b`.
#pragma once
#include "cinta/kernels/cpu/avx2/vec.h"

namespace cinta::kernels::avx2 {

template <int D> CINTA_FN void swap_blocks(Vec<double> &a, Vec<double> &b) {
  const __m256d x = a.v, y = b.v;
  if constexpr (D == 2) {
    a = _mm256_permute2f128_pd(x, y, 0x20);
    b = _mm256_permute2f128_pd(x, y, 0x31);
  } else {
    static_assert(D == 1);
    a = _mm256_unpacklo_pd(x, y);
    b = _mm256_unpackhi_pd(x, y);
  }
}

template <int D> CINTA_FN void swap_blocks(Vec<float> &a, Vec<float> &b) {
  if constexpr (D == 1) {
    const __m256 x = a.v, y = b.v;
    a = _mm256_blend_ps(x, _mm256_moveldup_ps(y), 0xaa);
    b = _mm256_blend_ps(_mm256_movehdup_ps(x), y, 0xaa);
  } else {
    Vec<double> x = _mm256_castps_pd(a.v), y = _mm256_castps_pd(b.v);
    swap_blocks<D / 2>(x, y);
    a = _mm256_castpd_ps(x.v);
    b = _mm256_castpd_ps(y.v);
  }
}

} // namespace cinta::kernels::avx2
