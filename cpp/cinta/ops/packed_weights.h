// Weights packed once per version and shared by all products that read them.
#pragma once
#include "cinta/kernels/kernels.h"
#include "cinta/tensor/packed_forms.h"
#include "cinta/tensor/tensor.h"

namespace cinta::ops {

// Who else will read the packed form before the next write.
enum class Sharing : uint8_t {
  unknown, // packed from the second reader on, or if there was one after the last write
  shared,  // packed for the first
  alone,   // not packed
};

// While it lives, g.packed_b points at B's packed form, where B is a parameter's and has one or is worth one.
// The bits of the product are the same either way.
class PackedWeights {
public:
  PackedWeights(const Tensor &b, kernels::Gemm &g, Sharing sharing = Sharing::unknown);
  ~PackedWeights();
  PackedWeights(const PackedWeights &) = delete;
  PackedWeights &operator=(const PackedWeights &) = delete;

private:
  PackedForm *form_ = nullptr; // being read
};

} // namespace cinta::ops
