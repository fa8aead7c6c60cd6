// Neighbours taken apart and put together: with one lane there is nothing to move.
#pragma once
#include "cinta/kernels/cpu/scalar/vec.h"

namespace cinta::kernels::scalar {

template <class T> CINTA_FN void split_pairs(Vec<T> a, Vec<T> b, Vec<T> &even, Vec<T> &odd) { even = a, odd = b; }
template <class T> CINTA_FN void join_pairs(Vec<T> even, Vec<T> odd, Vec<T> &a, Vec<T> &b) { a = even, b = odd; }
template <class T> CINTA_FN Vec<T> alternate(Vec<T> a, Vec<T>) { return a; }

} // namespace cinta::kernels::scalar
