// The tile unit: eight registers of 16 rows of 64 bytes. One multiply adds to a 16 x 16 block of float32 the products
// of 16 x 32 and 32 x 16 bfloat16 numbers; it takes 16 cycles, in which the rest of the core is free.
#pragma once
#include <immintrin.h>

#include <cstdint>

#define CINTA_FN static inline __attribute__((always_inline))

namespace cinta::kernels::amx {

// A k-block: what one multiply takes in along K. Pairs of bfloat16 share a lane of 32 bits: k = j with k = j + 16.
inline constexpr int64_t kTileDepth = 32;
inline constexpr int64_t kTileLanes = 16;
inline constexpr int64_t kTileBytes = 1024;

// All eight tiles in their full size, as long as this object lives.
class TileScope {
public:
  TileScope() {
    alignas(64) struct {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } const config;
    _tile_loadconfig(&config);
  }
  ~TileScope() { _tile_release(); }
  TileScope(const TileScope &) = delete;
  TileScope &operator=(const TileScope &) = delete;
};

// The first n of 16 lanes; none for n <= 0.
CINTA_FN __mmask16 first_lanes(int64_t n) {
  return n >= 16 ? __mmask16(0xffff) : n <= 0 ? __mmask16(0) : __mmask16((1u << n) - 1);
}

CINTA_FN int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
CINTA_FN int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

} // namespace cinta::kernels::amx
