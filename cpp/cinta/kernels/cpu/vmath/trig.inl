// sin and cos for floats: x = n pi/2 + r, |r| <= pi/4.
namespace cinta::kernels::CINTA_ISA {

struct ReducedAngle {
  Vec<float> r, r_low;
  IntVec<int32_t> quadrant; // its two low bits
};
constexpr float kLargestAngle = 10000; // beyond, the three parts of pi/2 are too short

CINTA_FN ReducedAngle reduce_angle(Vec<float> x) {
  Vec<float> magic(0x1.8p23f), t = fma(x, Vec<float>(0x1.45f306p-1f), magic), n = t - magic;
  // n times the first part (24 bits) cancels exactly; n times the second (11 bits) is exact and so is what its sum
  // loses.
  Vec<float> first = fma(n, Vec<float>(-0x1.921fb6p0f), x), part(0x1.778p-25f);
  Vec<float> r = fma(n, part, first), lost = fma(n, part, first - r);
  return {r, fma(n, Vec<float>(-0x1.68c234p-39f), lost), as_int(t)};
}
CINTA_FN Vec<float> sin_of(ReducedAngle angle) {
  Vec<float> r = angle.r, z = r * r, one(1.f), half(-0.5f);
  Vec<float> sine = r + fma(r * z, polynomial(z, -0x1.555546p-3, 0x1.110778p-7, -0x1.9954p-13), angle.r_low);
  Vec<float> rest = fma(z * z, polynomial(z, 0x1.55554ap-5, -0x1.6c0c2ap-10, 0x1.99e91p-16), -r * angle.r_low);
  Vec<float> cosine = fma(z, half, one) + rest;
  Vec<float> y = select(is_zero(angle.quadrant & IntVec<int32_t>(1)), sine, cosine);
  return as_float(as_int(y) ^ shift_left<30>(angle.quadrant & IntVec<int32_t>(2)));
}

CINTA_FN Vec<float> sin(Vec<float> x) {
  Vec<float> y = select(x == Vec<float>(0.f), x, sin_of(reduce_angle(x)));
  Mask<float> near = abs(x) <= Vec<float>(kLargestAngle);
  if (near.all()) [[likely]]
    return y;
  return select(near, y, by_lane(x, [](float v) { return __builtin_sinf(v); }));
}
CINTA_FN Vec<float> cos(Vec<float> x) {
  ReducedAngle angle = reduce_angle(x);
  Vec<float> y = sin_of({angle.r, angle.r_low, angle.quadrant + IntVec<int32_t>(1)});
  Mask<float> near = abs(x) <= Vec<float>(kLargestAngle);
  if (near.all()) [[likely]]
    return y;
  return select(near, y, by_lane(x, [](float v) { return __builtin_cosf(v); }));
}

} // namespace cinta::kernels::CINTA_ISA
