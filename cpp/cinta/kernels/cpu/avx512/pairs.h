// Neighbours taken apart and put together: `even` and `odd` are the lanes of a and b, read as one row.
#pragma once
#include "cinta/kernels/cpu/avx512/vec.h"

namespace cinta::kernels::avx512 {

CINTA_FN void split_pairs(Vec<float> a, Vec<float> b, Vec<float> &even, Vec<float> &odd) {
  const __m512i first = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  even = _mm512_permutex2var_ps(a.v, first, b.v);
  odd = _mm512_permutex2var_ps(a.v, _mm512_add_epi32(first, _mm512_set1_epi32(1)), b.v);
}
CINTA_FN void split_pairs(Vec<double> a, Vec<double> b, Vec<double> &even, Vec<double> &odd) {
  const __m512i first = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
  even = _mm512_permutex2var_pd(a.v, first, b.v);
  odd = _mm512_permutex2var_pd(a.v, _mm512_add_epi64(first, _mm512_set1_epi64(1)), b.v);
}
CINTA_FN void join_pairs(Vec<float> even, Vec<float> odd, Vec<float> &a, Vec<float> &b) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  a = _mm512_permutex2var_ps(even.v, low, odd.v);
  b = _mm512_permutex2var_ps(even.v, _mm512_add_epi32(low, _mm512_set1_epi32(8)), odd.v);
}
CINTA_FN void join_pairs(Vec<double> even, Vec<double> odd, Vec<double> &a, Vec<double> &b) {
  const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  a = _mm512_permutex2var_pd(even.v, low, odd.v);
  b = _mm512_permutex2var_pd(even.v, _mm512_add_epi64(low, _mm512_set1_epi64(4)), odd.v);
}
// Lanes 0, 2, .. of a, then lanes 1, 3, .. of b.
CINTA_FN Vec<float> alternate(Vec<float> a, Vec<float> b) {
  return _mm512_permutex2var_ps(a.v, _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31), b.v);
}
CINTA_FN Vec<double> alternate(Vec<double> a, Vec<double> b) {
  return _mm512_permutex2var_pd(a.v, _mm512_setr_epi64(0, 2, 4, 6, 9, 11, 13, 15), b.v);
}

} // namespace cinta::kernels::avx512
