// A float32 as the exact sum of three bfloat16, largest first: 3 x 8 bits hold all 24 of it. Each part is rounded to
// nearest, so that what follows is at most half of its last bit, and the products that are left out stay below 2^-26.
#pragma once
#include "cinta/kernels/cpu/amx/tiles.h"

namespace cinta::kernels::amx {

struct Bfloat16 { // in memory
  uint16_t bits;
};

CINTA_FN __m512 leading_part(__m512 x) { // rounded to bfloat16, halves away from zero
  const __m512i up = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
  return _mm512_castsi512_ps(_mm512_and_si512(up, _mm512_set1_epi32(int(0xffff0000))));
}

// The parts of 16 numbers at k = j (`low`) and at k = j + 16 (`high`), as pairs.
template <int parts> CINTA_FN void split(__m512 low, __m512 high, __m512i (&pairs)[parts]) {
#pragma GCC unroll 3
  for (int p = 0; p < parts; ++p) {
    const __m512 l = leading_part(low), h = leading_part(high);
    pairs[p] = _mm512_or_si512(_mm512_castps_si512(h), _mm512_srli_epi32(_mm512_castps_si512(l), 16));
    if (p + 1 < parts) {
      low = _mm512_sub_ps(low, l);
      high = _mm512_sub_ps(high, h);
    }
  }
}

// The largest |x| that packing has met, as bits: they order as the numbers do, with inf and nan above all.
class Largest {
public:
  class Seen { // what one stretch of packing meets, in a register
  public:
    explicit Seen(Largest &largest) : to_(largest), bits_(_mm512_load_si512(largest.bits_)) {}
    ~Seen() { _mm512_store_si512(to_.bits_, bits_); }
    Seen(const Seen &) = delete;
    Seen &operator=(const Seen &) = delete;
    void meet(__m512 x, __m512 y) { bits_ = _mm512_max_epu32(bits_, _mm512_max_epu32(magnitude(x), magnitude(y))); }

  private:
    Largest &to_;
    __m512i bits_;
    static __m512i magnitude(__m512 x) {
      return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
    }
  };
  uint32_t bits() const {
    uint32_t most = 0;
    for (uint32_t bits : bits_)
      most = bits > most ? bits : most;
    return most;
  }

private:
  alignas(64) uint32_t bits_[16] = {};
};

// Whether products of numbers up to these magnitudes come out of the tile unit as float32 would give them: it knows no
// denormals, and a part of an infinity is a nan.
inline bool in_range(uint32_t a, uint32_t b) {
  if (a == 0 || b == 0) // all zero: exact, unless the other side holds an infinity or a nan
    return (a | b) < 0x7f7f8000;
  const auto exponent = [](uint32_t bits) { return int(bits >> 23) - 127; };
  return a < 0x7f7f8000 && b < 0x7f7f8000 && exponent(a) >= -100 && exponent(b) >= -100 &&
         exponent(a) + exponent(b) >= -90;
}

} // namespace cinta::kernels::amx
