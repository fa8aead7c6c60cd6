// Elementwise kernels: the formulas, looped over tiles. A tail runs the same code on a padded vector, so an element's
// bits do not depend on where it stands.
#include "cinta/kernels/cpu/vector/integer.inl"
#include "cinta/kernels/cpu/vmath/vmath.inl"
#include "cinta/kernels/formulas/formula.h"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

#include "cinta/kernels/formulas/binary.inl"
#include "cinta/kernels/formulas/compare.inl"
#include "cinta/kernels/formulas/unary.inl"

template <class V, class S> CINTA_FN void put(V x, S *y) { x.store(y); }
template <class T> CINTA_FN void put(Mask<T> m, uint8_t *y) { m.store_bytes(y); }
CINTA_FN void put(bool m, uint8_t *y) { *y = m; }
// The first n < width of what was put.
template <class V> CINTA_FN void put_some(int64_t n, const typename V::Scalar *from, typename V::Scalar *to) {
  V::load(from).store_partial(to, n);
}
template <class V> CINTA_FN void put_some(int64_t n, const uint8_t *from, uint8_t *to) {
  for (int64_t i = 0; i < n; ++i)
    to[i] = from[i];
}

// What a loop reads, vector by vector.
template <class V> struct Stream {
  const typename V::Scalar *p;
  int64_t stride; // from one vector to the next
  CINTA_FN V next() {
    V x = V::load(p);
    p += stride;
    return x;
  }
};

// An operand: contiguous, or one value repeated (step 0), which then stands in a vector of its own that is read again
// and again. Null where the formula does not read it.
template <class V> struct Operand {
  using S = typename V::Scalar;
  const S *p;
  int64_t stride;
  S own[V::width];

  CINTA_FN Operand(const void *x, int step) : p(static_cast<const S *>(x)), stride(step && x ? V::width : 0) {
    if (!stride)
      V(x ? *p : S(0)).store(own);
  }
  // The n < width elements after the first `vectors` vectors.
  CINTA_FN Operand(const Operand &whole, int64_t vectors, int64_t n) : stride(0) {
    V rest = whole.stride ? V::load_partial(whole.p + vectors * whole.stride, n) : V::load(whole.own);
    rest.store(own);
  }
  CINTA_FN Operand tail(int64_t vectors, int64_t n) const { return Operand(*this, vectors, n); }
  CINTA_FN Stream<V> stream() const { return {stride ? p : own, stride}; }
};

// y = f(x...) for n elements, f seeing vectors. Never inlined: the tail shares the code of the whole.
template <class V, class S, class F, class... Streams>
[[gnu::noinline]] static void run(int64_t vectors, S *y, F f, Streams... x) {
#pragma GCC unroll 2 // the cheapest formulas would wait for the loop counter
  for (; vectors > 0; --vectors, y += V::width)
    put(f(x.next()...), y);
}
template <class V, class S, class F, class... Operands> CINTA_FN void loop(int64_t n, S *y, F f, const Operands &...x) {
  int64_t vectors = n / V::width, rest = n % V::width;
  if (vectors)
    run<V>(vectors, y, f, x.stream()...);
  if constexpr (V::width > 1)
    if (rest) {
      S tail[V::width];
      run<V>(1, tail, f, x.tail(vectors, rest).stream()...);
      put_some<V>(rest, tail, y + vectors * V::width);
    }
}

// A formula with its constants, by value so that they stay in registers.
template <class Op> struct Formula {
  static constexpr bool has_params = requires { Op::params; };
  double p[2] = {};

  CINTA_FN explicit Formula(const double *params) {
    if constexpr (has_params)
      for (unsigned i = 0; i < sizeof(Op::params) / sizeof(Param); ++i)
        p[i] = params[i];
  }
  template <class V> CINTA_FN V operator()(V x) const {
    if constexpr (has_params)
      return Op::forward(x, p);
    else
      return Op::forward(x);
  }
  template <class V> CINTA_FN V operator()(V x, V y, V dy) const {
    if constexpr (has_params)
      return Op::vjp(x, y, dy, p);
    else
      return Op::vjp(x, y, dy);
  }
};

template <class Op, class V> static void unary(int64_t n, const void *x, void *y, const double *params) {
  loop<V>(n, static_cast<typename V::Scalar *>(y), Formula<Op>(params), Operand<V>(x, 1));
}
template <class Op, class V>
static void unary_vjp(int64_t n, const void *x, const void *y, const void *dy, void *dx, const double *params) {
  loop<V>(n, static_cast<typename V::Scalar *>(dx), Formula<Op>(params), Operand<V>(x, 1), Operand<V>(y, 1),
          Operand<V>(dy, 1));
}
template <class Op, class V>
static void binary(int64_t n, const void *a, int a_step, const void *b, int b_step, void *y) {
  auto f = [](V u, V v) { return Op::forward(u, v); };
  loop<V>(n, static_cast<typename V::Scalar *>(y), f, Operand<V>(a, a_step), Operand<V>(b, b_step));
}
template <class Op, class V> static void binary_vjp_a(int64_t n, const void *a, int a_step, const void *b, int b_step,
                                                      const void *y, const void *dy, void *da) {
  auto f = [](V u, V v, V w, V dw) { return Op::vjp_a(u, v, w, dw); };
  loop<V>(n, static_cast<typename V::Scalar *>(da), f, Operand<V>(a, a_step), Operand<V>(b, b_step), Operand<V>(y, 1),
          Operand<V>(dy, 1));
}
template <class Op, class V> static void binary_vjp_b(int64_t n, const void *a, int a_step, const void *b, int b_step,
                                                      const void *y, const void *dy, void *db) {
  auto f = [](V u, V v, V w, V dw) { return Op::vjp_b(u, v, w, dw); };
  loop<V>(n, static_cast<typename V::Scalar *>(db), f, Operand<V>(a, a_step), Operand<V>(b, b_step), Operand<V>(y, 1),
          Operand<V>(dy, 1));
}
template <class Op, class V>
static void compare(int64_t n, const void *a, int a_step, const void *b, int b_step, uint8_t *y) {
  auto f = [](V u, V v) { return Op::forward(u, v); };
  loop<V>(n, y, f, Operand<V>(a, a_step), Operand<V>(b, b_step));
}
template <class V> static void accumulate(int64_t n, const void *x, void *y) {
  auto f = [](V u, V v) { return u + v; };
  loop<V>(n, static_cast<typename V::Scalar *>(y), f, Operand<V>(y, 1), Operand<V>(x, 1));
}

// Bytes that decide, lane by lane, as the operand of a loop over V.
CINTA_FN bool load_condition(const uint8_t *p, const bool *) { return *p != 0; }
template <class T> CINTA_FN Mask<T> load_condition(const uint8_t *p, const Mask<T> *) { return Mask<T>::load_bytes(p); }
template <class V> struct Condition {
  const uint8_t *p; // null: own. Never a pointer to own: a small object is returned in registers, and so moves
  uint8_t own[V::width];

  CINTA_FN explicit Condition(const uint8_t *bytes) : p(bytes) {}
  CINTA_FN Condition(const uint8_t *bytes, int64_t n) : p(nullptr) {
    for (int64_t i = 0; i < V::width; ++i)
      own[i] = i < n ? bytes[i] : 0;
  }
  CINTA_FN Condition tail(int64_t vectors, int64_t n) const { return Condition(p + vectors * V::width, n); }
  struct Bytes {
    const uint8_t *p;
    using M = decltype(V(0) < V(0));
    CINTA_FN M next() {
      M m = load_condition(p, static_cast<const M *>(nullptr));
      p += V::width;
      return m;
    }
  };
  CINTA_FN Bytes stream() const { return {p ? p : own}; }
};
template <class V> static void select_tiles(int64_t n, const uint8_t *condition, const void *a, int a_step,
                                            const void *b, int b_step, void *y) {
  auto f = [](auto m, V u, V v) { return select(m, u, v); };
  loop<V>(n, static_cast<typename V::Scalar *>(y), f, Condition<V>(condition), Operand<V>(a, a_step),
          Operand<V>(b, b_step));
}

// Enters what the formulas declare they exist for, in compute type C with lanes V.
template <Compute C, class V> static void fill_lanes(Table &table) {
  constexpr int c = int(C);
  constexpr bool floats = kFloats >> c & 1;
#define CINTA_UNARY(Op, name)                                                                                          \
  if constexpr (Op::computes >> c & 1)                                                                                 \
    table.unary[int(UnaryOp::Op)][c] = unary<Op, V>;                                                                   \
  if constexpr (floats && (Op::computes >> c & 1))                                                                     \
    table.unary_vjp[int(UnaryOp::Op)][c] = unary_vjp<Op, V>;
#define CINTA_BINARY(Op, name)                                                                                         \
  if constexpr (Op::computes >> c & 1)                                                                                 \
    table.binary[int(BinaryOp::Op)][c] = binary<Op, V>;                                                                \
  if constexpr (floats && (Op::computes >> c & 1)) {                                                                   \
    table.binary_vjp_a[int(BinaryOp::Op)][c] = binary_vjp_a<Op, V>;                                                    \
    table.binary_vjp_b[int(BinaryOp::Op)][c] = binary_vjp_b<Op, V>;                                                    \
  }
#define CINTA_COMPARE(Op, name) table.compare[int(CompareOp::Op)][c] = compare<Op, V>;
  CINTA_UNARY_OPS(CINTA_UNARY)
  CINTA_BINARY_OPS(CINTA_BINARY)
  CINTA_COMPARE_OPS(CINTA_COMPARE)
#undef CINTA_UNARY
#undef CINTA_BINARY
#undef CINTA_COMPARE
  table.select[c] = select_tiles<V>;
  table.accumulate[c] = accumulate<V>;
}

void fill_elementwise(Table &table) {
  fill_lanes<Compute::f32, Vec<float>>(table);
  fill_lanes<Compute::f64, Vec<double>>(table);
  fill_lanes<Compute::i64, Int<int64_t>>(table);
  fill_lanes<Compute::u64, Int<uint64_t>>(table);
}

} // namespace cinta::kernels::CINTA_ISA
