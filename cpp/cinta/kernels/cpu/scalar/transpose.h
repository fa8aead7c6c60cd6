// One lane: nothing to exchange.
#pragma once
#include "cinta/kernels/cpu/scalar/vec.h"

namespace cinta::kernels::scalar {

template <int D, class T> CINTA_FN void swap_blocks(Vec<T> &, Vec<T> &) {}

} // namespace cinta::kernels::scalar
