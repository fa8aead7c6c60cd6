// 64-bit integers as the elementwise formulas see them: sums and products wrap, nothing traps, and what a division by
// zero or an over-long shift gives is defined. One lane; the compiler vectorizes the loops.
namespace cinta::kernels::CINTA_ISA {

CINTA_FN bool select(bool m, bool a, bool b) { return m ? a : b; }

template <class I> struct Int {
  using Scalar = I;
  static constexpr int width = 1;
  static constexpr bool is_signed = I(-1) < I(0);
  I v;

  Int() = default;
  CINTA_FN Int(I x) : v(x) {}
  CINTA_FN static Int load(const I *p) { return *p; }
  CINTA_FN void store(I *p) const { *p = v; }

  CINTA_FN friend Int operator+(Int a, Int b) { return I(uint64_t(a.v) + uint64_t(b.v)); }
  CINTA_FN friend Int operator-(Int a, Int b) { return I(uint64_t(a.v) - uint64_t(b.v)); }
  CINTA_FN friend Int operator*(Int a, Int b) { return I(uint64_t(a.v) * uint64_t(b.v)); }
  CINTA_FN Int operator-() const { return I(0 - uint64_t(v)); }
  CINTA_FN Int operator~() const { return I(~v); }
  CINTA_FN friend Int operator&(Int a, Int b) { return I(a.v & b.v); }
  CINTA_FN friend Int operator|(Int a, Int b) { return I(a.v | b.v); }
  CINTA_FN friend Int operator^(Int a, Int b) { return I(a.v ^ b.v); }
  CINTA_FN friend Int operator<<(Int a, Int b) { return uint64_t(b.v) < 64 ? I(uint64_t(a.v) << b.v) : I(0); }
  CINTA_FN friend Int operator>>(Int a, Int b) {
    return uint64_t(b.v) < 64 ? I(a.v >> b.v) : a.v < I(0) ? I(-1) : I(0);
  }
  CINTA_FN friend bool operator<(Int a, Int b) { return a.v < b.v; }
  CINTA_FN friend bool operator<=(Int a, Int b) { return a.v <= b.v; }
  CINTA_FN friend bool operator>(Int a, Int b) { return a.v > b.v; }
  CINTA_FN friend bool operator>=(Int a, Int b) { return a.v >= b.v; }
  CINTA_FN friend bool operator==(Int a, Int b) { return a.v == b.v; }
  CINTA_FN friend bool operator!=(Int a, Int b) { return a.v != b.v; }
};

template <class I> CINTA_FN Int<I> select(bool m, Int<I> a, Int<I> b) { return m ? a : b; }
template <class I> CINTA_FN Int<I> abs(Int<I> x) { return x.v < I(0) ? -x : x; }
template <class I> CINTA_FN Int<I> minimum(Int<I> a, Int<I> b) { return a.v < b.v ? a : b; }
template <class I> CINTA_FN Int<I> maximum(Int<I> a, Int<I> b) { return a.v > b.v ? a : b; }

// Toward zero; the lowest integer over -1 wraps to itself where the instruction would trap.
template <class I> CINTA_FN Int<I> divide(Int<I> a, Int<I> b) {
  if (b.v == 0)
    return I(0);
  if (Int<I>::is_signed && b.v == I(-1))
    return -a;
  return I(a.v / b.v);
}
template <class I> CINTA_FN Int<I> fmod(Int<I> a, Int<I> b) { return b.v == 0 ? Int<I>(0) : a - divide(a, b) * b; }
template <class I> CINTA_FN Int<I> remainder(Int<I> a, Int<I> b) {
  Int<I> r = fmod(a, b);
  return r.v != 0 && (r.v < I(0)) != (b.v < I(0)) ? r + b : r;
}
template <class I> CINTA_FN Int<I> floor_divide(Int<I> a, Int<I> b) {
  Int<I> q = divide(a, b), r = fmod(a, b);
  return r.v != 0 && (r.v < I(0)) != (b.v < I(0)) ? q - Int<I>(1) : q;
}
// By squaring, wrapping as products do; a negative exponent leaves a fraction, which is 0 unless |a| is 1.
template <class I> CINTA_FN Int<I> pow(Int<I> a, Int<I> b) {
  if (b.v < I(0)) {
    if (a.v != I(1) && a.v != I(-1))
      return I(0);
    b = b & Int<I>(1);
  }
  Int<I> y(1);
  for (uint64_t n = uint64_t(b.v); n; n >>= 1, a = a * a)
    if (n & 1)
      y = y * a;
  return y;
}

} // namespace cinta::kernels::CINTA_ISA
