// Neighbours taken apart and put together: `even` and `odd` are the lanes of a and b, read as one row.
#pragma once
#include "cinta/kernels/cpu/avx2/vec.h"

namespace cinta::kernels::avx2 {

CINTA_FN __m256 middle_swapped(__m256 x) { // quarters 0 2 1 3
  return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(x), 0xd8));
}

CINTA_FN void split_pairs(Vec<float> a, Vec<float> b, Vec<float> &even, Vec<float> &odd) {
  even = middle_swapped(_mm256_shuffle_ps(a.v, b.v, 0x88));
  odd = middle_swapped(_mm256_shuffle_ps(a.v, b.v, 0xdd));
}
CINTA_FN void split_pairs(Vec<double> a, Vec<double> b, Vec<double> &even, Vec<double> &odd) {
  even = _mm256_permute4x64_pd(_mm256_unpacklo_pd(a.v, b.v), 0xd8);
  odd = _mm256_permute4x64_pd(_mm256_unpackhi_pd(a.v, b.v), 0xd8);
}
CINTA_FN void join_pairs(Vec<float> even, Vec<float> odd, Vec<float> &a, Vec<float> &b) {
  const __m256 low = middle_swapped(even.v), high = middle_swapped(odd.v);
  a = _mm256_unpacklo_ps(low, high);
  b = _mm256_unpackhi_ps(low, high);
}
CINTA_FN void join_pairs(Vec<double> even, Vec<double> odd, Vec<double> &a, Vec<double> &b) {
  const __m256d low = _mm256_permute4x64_pd(even.v, 0xd8), high = _mm256_permute4x64_pd(odd.v, 0xd8);
  a = _mm256_unpacklo_pd(low, high);
  b = _mm256_unpackhi_pd(low, high);
}
// Lanes 0, 2, .. of a, then lanes 1, 3, .. of b.
CINTA_FN Vec<float> alternate(Vec<float> a, Vec<float> b) { return middle_swapped(_mm256_shuffle_ps(a.v, b.v, 0xd8)); }
CINTA_FN Vec<double> alternate(Vec<double> a, Vec<double> b) {
  return _mm256_permute4x64_pd(_mm256_shuffle_pd(a.v, b.v, 0xa), 0xd8);
}

} // namespace cinta::kernels::avx2
