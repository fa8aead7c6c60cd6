// Activations for a level whose product does not apply them itself.
#pragma once
#include "cinta/kernels/kernels.h"

namespace cinta::kernels {

// Puts behind the table's float32 products a pass over C for the activation.
void activate_after_gemm(Table &table);

} // namespace cinta::kernels
