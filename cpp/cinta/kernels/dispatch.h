// Which table of kernels runs here, and why.
#pragma once
#include <string>
#include <vector>

#include "cinta/kernels/kernels.h"

namespace cinta::kernels {

std::vector<std::string> available_isas(); // built in, and runnable here; from the slowest to the best
const char *isa_reason();                  // "best of this CPU", "forced by CINTA_ISA=avx2"

} // namespace cinta::kernels
