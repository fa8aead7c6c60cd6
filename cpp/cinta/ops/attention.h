// Scaled dot-product attention: softmax(q k^T scale + mask) v, of which only a block of rows ever exists.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

struct AttentionOptions {
  double dropout_p = 0;        // of the weights
  bool is_causal = false;      // position t sees keys 0 .. t
  std::optional<double> scale; // 1 / sqrt(E) where not given
  bool enable_gqa = false;     // fewer heads of k and v, each for as many of q's in a row
};
// q [..,T,E], k [..,S,E], v [..,S,V], batch axes broadcasting; mask broadcasting to [..,T,S]: bool (true takes part),
// floating (added), or empty. Rows that see no key are 0.
Tensor attention(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &mask,
                 const AttentionOptions &options);

} // namespace cinta::ops
