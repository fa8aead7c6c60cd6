// Elements that lie a step apart in memory as the lanes of one vector.
#pragma once

// clang-format off
#define CINTA_QUOTE(path) #path
#define CINTA_HEADER(path) CINTA_QUOTE(path)
#include CINTA_HEADER(cinta/kernels/cpu/CINTA_ISA/pairs.h)
#undef CINTA_HEADER
#undef CINTA_QUOTE
// clang-format on

namespace cinta::kernels::CINTA_ISA {

enum class Step { one, two, any };

CINTA_FN Step kind_of(int64_t step) { return step == 1 ? Step::one : step == 2 ? Step::two : Step::any; }

// Nothing past the last of the elements is read.
template <Step kStep, class T> CINTA_FN Vec<T> load_spaced(const T *p, int64_t step) {
  constexpr int W = Vec<T>::width;
  if constexpr (kStep == Step::one)
    return Vec<T>::load(p);
  if constexpr (kStep == Step::two)
    return alternate(Vec<T>::load(p), Vec<T>::load(p + W - 1));
  T lanes[W];
#pragma GCC unroll 16
  for (int l = 0; l < W; ++l)
    lanes[l] = p[l * step];
  return Vec<T>::load(lanes);
}

// The first n lanes, 0 < n <= W, zero after them.
template <Step kStep, class T> CINTA_FN Vec<T> load_spaced(const T *p, int64_t step, int64_t n) {
  constexpr int W = Vec<T>::width;
  if constexpr (kStep == Step::one)
    return Vec<T>::load_partial(p, n);
  if constexpr (kStep == Step::two) {
    const int64_t span = 2 * n - 1, low = span < W ? span : W;
    return alternate(Vec<T>::load_partial(p, low),
                     Vec<T>::load_partial(span > W ? p + W - 1 : p, span - low + (span > W)));
  }
  T lanes[W] = {};
  for (int64_t l = 0; l < n; ++l)
    lanes[l] = p[l * step];
  return Vec<T>::load(lanes);
}

} // namespace cinta::kernels::CINTA_ISA
