#include "cinta/tensor/dtype.h"

namespace cinta {
namespace {

using kernels::Compute;
constexpr DtypeInfo kInfo[kDtypes] = {
    {"float32", 4, true, true, Compute::f32},  {"float64", 8, true, true, Compute::f64},
    {"bfloat16", 2, true, true, Compute::f32}, {"float16", 2, true, true, Compute::f32},
    {"int8", 1, false, true, Compute::i64},    {"int16", 2, false, true, Compute::i64},
    {"int32", 4, false, true, Compute::i64},   {"int64", 8, false, true, Compute::i64},
    {"uint8", 1, false, false, Compute::i64},  {"uint16", 2, false, false, Compute::i64},
    {"uint32", 4, false, false, Compute::i64}, {"uint64", 8, false, false, Compute::u64},
    {"bool", 1, false, false, Compute::i64},
};

Dtype signed_of(size_t bytes) {
  return bytes <= 1 ? Dtype::int8 : bytes == 2 ? Dtype::int16 : bytes == 4 ? Dtype::int32 : Dtype::int64;
}

// The float that holds an integer: NumPy's rule, 8 bits fit float16, 16 bits float32, the rest float64.
Dtype float_of_integer(Dtype integer) {
  size_t bytes = itemsize(integer);
  return bytes == 1 ? Dtype::float16 : bytes == 2 ? Dtype::float32 : Dtype::float64;
}

} // namespace

const DtypeInfo &info(Dtype dtype) { return kInfo[int(dtype)]; }

Dtype promote(Dtype a, Dtype b) {
  if (a == b)
    return a;
  if (a == Dtype::bool_)
    return b;
  if (b == Dtype::bool_)
    return a;
  bool a_float = is_floating(a), b_float = is_floating(b);
  if (a_float && b_float) {
    if (a == Dtype::float64 || b == Dtype::float64)
      return Dtype::float64;
    return Dtype::float32; // two different ones of float32, bfloat16, float16
  }
  if (a_float || b_float) {
    Dtype floating = a_float ? a : b, integer = a_float ? b : a;
    if (floating == Dtype::bfloat16) // outside NumPy's lattice: as ml_dtypes and JAX, the float wins
      return floating;
    return promote(floating, float_of_integer(integer));
  }
  if (info(a).signed_ == info(b).signed_)
    return itemsize(a) > itemsize(b) ? a : b;
  Dtype s = info(a).signed_ ? a : b, u = info(a).signed_ ? b : a;
  if (itemsize(s) > itemsize(u))
    return s;
  return itemsize(u) == 8 ? Dtype::float64 : signed_of(itemsize(u) * 2);
}

Dtype promote_weak(Dtype array, ScalarKind scalar) {
  if (scalar == ScalarKind::floating && !is_floating(array))
    return Dtype::float64;
  if (scalar == ScalarKind::integer && array == Dtype::bool_)
    return Dtype::int64;
  return array;
}

Dtype to_floating(Dtype dtype) {
  if (is_floating(dtype))
    return dtype;
  return dtype == Dtype::bool_ ? Dtype::float16 : float_of_integer(dtype);
}

std::ostream &operator<<(std::ostream &out, Dtype dtype) { return out << info(dtype).name; }

} // namespace cinta
