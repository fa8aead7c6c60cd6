// The families of kernels each ISA level has: cpu/<family>.inl exports fill_<family>(Table&) in the level's namespace.
#pragma once

// X(family)
// clang-format off
#define CINTA_FAMILIES(X)                                                                                              \
  X(elementwise) X(tiles) X(copy) X(reduce) X(gemm) X(conv) X(winograd) X(im2col) X(pool) X(softmax) X(norm)           \
  X(recurrent) X(ctc) X(optim) X(random) X(warp) X(statistics) X(locally_connected) X(resample)
// clang-format on

#define CINTA_SCALAR_FAMILIES CINTA_FAMILIES
#define CINTA_AVX2_FAMILIES CINTA_FAMILIES
#define CINTA_AVX512_FAMILIES CINTA_FAMILIES
// What the tile unit makes faster; the rest is AVX-512's.
#define CINTA_AMX_FAMILIES(X) X(gemm) X(conv)
