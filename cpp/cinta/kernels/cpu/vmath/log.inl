// log, log2, log10, log1p: x = 2^e (1 + f) with f in [-1/3, 1/3], log(1 + f) = f + log_rest(f).
namespace cinta::kernels::CINTA_ISA {

template <class T> struct ReducedLog { Vec<T> e, f; };
template <class T> CINTA_FN ReducedLog<T> reduce_log(Vec<T> x) {
  Vec<T> one(T(1)), e(T(0)), m = split_exponent(x, e);
  Mask<T> high = m > Vec<T>(T(4.0 / 3));
  return {select(high, e + one, e), select(high, m * Vec<T>(T(0.5)), m) - one};
}
// 2^-e (1 + x) - 1 in one rounding: 2^-e - 1 is exact unless it does not matter.
template <class T> CINTA_FN ReducedLog<T> reduce_log1p(Vec<T> x) {
  Vec<T> one(T(1)), e = reduce_log(x + one).e, scale = scale_by_power(one, -e);
  return {e, fma(scale, x, scale - one)};
}
CINTA_FN Vec<float> log_rest(Vec<float> f) {
  Vec<float> p = polynomial(f, 0x1.555556p-2, -0x1.ffff16p-3, 0x1.9997f4p-3, -0x1.5597dep-3, 0x1.24ea8p-3,
                            -0x1.f3a7ecp-4, 0x1.b9365cp-4, -0x1.06d3aap-3, 0x1.e9733cp-4);
  return (f * f) * fma(f, p, Vec<float>(-0.5f));
}
// By the series of artanh in s = f / (2 + f).
CINTA_FN Vec<double> log_rest(Vec<double> f) {
  Vec<double> s = f / (f + Vec<double>(2.)), z = s * s, half_square = f * f * Vec<double>(0.5);
  Vec<double> p =
      z * polynomial(z, 0x1.5555555555776p-1, 0x1.99999998f0bd8p-2, 0x1.249249b221650p-2, 0x1.c71c016709553p-3,
                     0x1.7474e20eb7ee7p-3, 0x1.3852e830bccf9p-3, 0x1.3abd8bdb56b87p-3);
  return s * (half_square + p) - half_square;
}
// ln 2 in two parts; e times the first is exact.
template <class T> constexpr double kLn2High = sizeof(T) == 4 ? 0x1.62e4p-1 : 0x1.62e42fefa38p-1;
template <class T> constexpr double kLn2Low = sizeof(T) == 4 ? 0x1.7f7d1cp-20 : 0x1.ef35793c7673p-45;
template <class T> CINTA_FN Vec<T> finish_log(ReducedLog<T> x) {
  return fma(x.e, Vec<T>(T(kLn2High<T>)), x.f + fma(x.e, Vec<T>(T(kLn2Low<T>)), log_rest(x.f)));
}

template <class T> CINTA_FN Vec<T> log(Vec<T> x) { return log_limits(x, finish_log(reduce_log(x))); }
template <class T> CINTA_FN Vec<T> log1p(Vec<T> x) {
  Vec<T> y = select(x == Vec<T>(T(0)), x, finish_log(reduce_log1p(x)));
  return log_limits(x + Vec<T>(T(1)), y);
}
CINTA_FN Vec<float> log2(Vec<float> x) {
  ReducedLog<float> d = reduce_log(x);
  Vec<float> scale(0x1.715476p0f), rest = fma(log_rest(d.f), scale, d.f * Vec<float>(0x1.4ae0cp-26f));
  return log_limits(x, d.e + fma(d.f, scale, rest));
}
CINTA_FN Vec<float> log10(Vec<float> x) {
  ReducedLog<float> d = reduce_log(x);
  Vec<float> scale(0x1.bcb7b2p-2f), rest = fma(log_rest(d.f), scale, d.f * Vec<float>(-0x1.5b235ep-27f));
  rest = fma(d.e, Vec<float>(0x1.3509f8p-18f), rest); // log10(2) in two parts
  return log_limits(x, fma(d.e, Vec<float>(0x1.344p-2f), fma(d.f, scale, rest)));
}

} // namespace cinta::kernels::CINTA_ISA
