#include "cinta/ops/packed_weights.h"

#include "cinta/kernels/precision.h"
#include "cinta/tensor/allocator.h"

namespace cinta::ops {
namespace {

using kernels::Packing;

// Others may write through memory they hold or lent us, and no version would tell.
bool only_we_write(const Storage &s) { return s.exports == 0 && !s.release; }

} // namespace

PackedWeights::PackedWeights(const Tensor &b, kernels::Gemm &g, Sharing sharing) {
  const kernels::Table &kernel = kernels::table();
  Storage &s = *b->storage.get();
  if (!s.parameter || b.dtype() != Dtype::float32 || !kernel.gemm_packing)
    return;
  g.b_is_weight = true; // packed or not: the bits must not depend on who holds an array
  if (!only_we_write(s) || sharing == Sharing::alone)
    return;
  const Packing packing = kernel.gemm_packing(g);
  if (packing == Packing::none)
    return;
  if (!s.packed)
    s.packed = new PackedForms;
  PackedForm *form = s.packed->find({b.data<char>(), g.K, g.N, g.b_row, g.b_col, int(packing)}, s.version);
  if (!form)
    return;
  if (form->version != s.version) {
    form->reused = form->uses > 1;
    form->current = false;
    form->version = s.version;
    form->uses = 0;
  }
  ++form->uses;
  if (!form->current) {
    if (form->readers || (form->uses == 1 && !form->reused && sharing == Sharing::unknown))
      return; // another thread is at it, or nobody else may ever ask
    if (!form->memory) {
      const size_t bytes = kernel.gemm_packed_bytes(g, packing);
      form->memory = allocate(bytes);
      form->bytes = bytes;
    }
    form_ = form;
    ++form->readers;
    const uint32_t version = s.version;
    kernel.gemm_pack(g, packing, static_cast<kernels::PackedB *>(form->memory)); // other threads may run meanwhile
    kernels::count(kernels::matmul_paths().packed);
    form->current = s.version == version && form->version == version && only_we_write(s);
  } else {
    form_ = form;
    ++form->readers;
  }
  g.packed_b = static_cast<const kernels::PackedB *>(form->memory);
}

PackedWeights::~PackedWeights() {
  if (form_)
    --form_->readers;
}

} // namespace cinta::ops
