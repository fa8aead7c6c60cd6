// What attention computes: a block of rows of one head's weights at a time, forward and, made anew, backward.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

struct AttentionWork { // of four axes each: batch, head, position, feature; the last one contiguous
  double scale, dropout_p;
  bool is_causal;
  enum : int { q, k, v, mask, inputs }; // mask: of q's dtype, added, strides may be 0; or empty
  enum : int { y, draws, outputs };     // draws, int64 [2]: key and place of dropout's random numbers, or empty
  void operator()(const Tensor *in, const Tensor *out) const;
  bool operator==(const AttentionWork &) const = default;
};
struct AttentionVjpWork { // in: the inputs, draws, dy; out: dq, dk, dv
  AttentionWork forward;
  enum : int { draws = int(AttentionWork::inputs), dy, operands };
  void operator()(const Tensor *in, const Tensor *out) const;
  bool operator==(const AttentionVjpWork &) const = default;
};
struct AttentionKeptWork { // what dropout multiplied the weights with; in: draws; out: [B,H,T,S]
  double dropout_p;
  bool is_causal;
  void operator()(const Tensor *in, const Tensor *out) const;
};

} // namespace cinta::ops
