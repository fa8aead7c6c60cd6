// The exchange that transposes are made of: lanes l with bit D set of `a` against lanes l - D of `b`.
#pragma once
#include "cinta/kernels/cpu/avx512/vec.h"

namespace cinta::kernels::avx512 {

template <int D> CINTA_FN void swap_blocks(Vec<double> &a, Vec<double> &b) {
  const __m512d x = a.v, y = b.v;
  if constexpr (D == 4) {
    a = _mm512_maskz_shuffle_f64x2(0xff, x, y, 0x44);
    b = _mm512_maskz_shuffle_f64x2(0xff, x, y, 0xee);
  } else if constexpr (D == 2) {
    a = _mm512_mask_permutex_pd(x, 0xcc, y, 0x44);
    b = _mm512_mask_permutex_pd(y, 0x33, x, 0xee);
  } else {
    static_assert(D == 1);
    a = _mm512_maskz_unpacklo_pd(0xff, x, y);
    b = _mm512_maskz_unpackhi_pd(0xff, x, y);
  }
}

template <int D> CINTA_FN void swap_blocks(Vec<float> &a, Vec<float> &b) {
  if constexpr (D == 1) {
    const __m512 x = a.v, y = b.v;
    a = _mm512_mask_moveldup_ps(x, 0xaaaa, y);
    b = _mm512_mask_movehdup_ps(y, 0x5555, x);
  } else {
    Vec<double> x = _mm512_castps_pd(a.v), y = _mm512_castps_pd(b.v);
    swap_blocks<D / 2>(x, y);
    a = _mm512_castpd_ps(x.v);
    b = _mm512_castpd_ps(y.v);
  }
}

} // namespace cinta::kernels::avx512
