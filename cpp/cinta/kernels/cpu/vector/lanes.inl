// Walking contiguous elements vector by vector, the last one in part.
#pragma once
#include <cstdint>

namespace cinta::kernels::CINTA_ISA {

// f(first, count) for whole vectors and what is left of [begin, end).
template <class T, class F> CINTA_FN void for_vectors(int64_t begin, int64_t end, F f) {
  constexpr int W = Vec<T>::width;
  int64_t c = begin;
  for (; c + W <= end; c += W)
    f(c, int64_t(W));
  if (c < end)
    f(c, end - c);
}

template <class T> CINTA_FN Vec<T> load_some(const T *p, int64_t n) {
  return n == Vec<T>::width ? Vec<T>::load(p) : Vec<T>::load_partial(p, n);
}
template <class T> CINTA_FN void store_some(Vec<T> x, T *p, int64_t n) {
  if (n == Vec<T>::width)
    x.store(p);
  else
    x.store_partial(p, n);
}

} // namespace cinta::kernels::CINTA_ISA
