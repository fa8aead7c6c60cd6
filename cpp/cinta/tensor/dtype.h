// Element types, NumPy 2's promotion, and what each is computed in.
#pragma once
#include <cstddef>
#include <cstdint>
#include <ostream>

#include "cinta/kernels/kernels.h"

namespace cinta {

enum class Dtype : uint8_t {
  float32,
  float64,
  bfloat16,
  float16,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  bool_
};
inline constexpr int kDtypes = 13;

struct DtypeInfo {
  const char *name;
  uint8_t itemsize;
  bool floating;
  bool signed_;
  kernels::Compute compute;
};
const DtypeInfo &info(Dtype dtype);

inline constexpr uint8_t kItemsize[kDtypes] = {4, 8, 2, 2, 1, 2, 4, 8, 1, 2, 4, 8, 1};
inline size_t itemsize(Dtype dtype) { return kItemsize[int(dtype)]; }
inline bool is_floating(Dtype dtype) { return dtype <= Dtype::float16; }
inline bool is_integer(Dtype dtype) { return dtype >= Dtype::int8 && dtype <= Dtype::uint64; }
inline kernels::Compute compute_type(Dtype dtype) { return info(dtype).compute; }
// Whether kernels read and write this dtype as it lies in memory, without converting tiles.
inline bool is_native(Dtype dtype) {
  return dtype <= Dtype::float64 || dtype == Dtype::int64 || dtype == Dtype::uint64;
}

Dtype promote(Dtype a, Dtype b);
// A Python scalar is weak: it takes the array's dtype unless its kind (bool < int < float) is higher.
enum class ScalarKind : uint8_t { boolean, integer, floating };
Dtype promote_weak(Dtype array, ScalarKind scalar);
// What a function with real results (exp, mean, true division) computes for these: floats stay, the rest become float32
// (float64 for 32- and 64-bit integers, as in NumPy).
Dtype to_floating(Dtype dtype);

std::ostream &operator<<(std::ostream &out, Dtype dtype);

} // namespace cinta
