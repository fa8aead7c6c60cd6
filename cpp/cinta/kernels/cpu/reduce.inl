// Reductions over rows (columns contiguous) and over columns. Float sums run in vector lanes over short blocks, whose
// sums are added in double, with compensation where the elements are doubles themselves.
#include "cinta/kernels/cpu/vector/integer.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

// What the blocks of a float sum add up to. For doubles the error of each addition is kept apart (Neumaier).
template <class T> struct Total;
template <> struct Total<float> {
  double sum = 0;
  CINTA_FN void add(float x) { sum += double(x); }
  CINTA_FN float value() const { return float(sum); }
};
template <> struct Total<double> {
  double sum = 0, error = 0;
  CINTA_FN void add(double x) {
    double next = sum + x;
    error += __builtin_fabs(sum) >= __builtin_fabs(x) ? (sum - next) + x : (x - next) + sum;
    sum = next;
  }
  CINTA_FN double value() const { return sum - sum == 0 ? sum + error : sum; } // inf and NaN have no error
};

// combine joins vectors or integers; across joins the lanes of one vector; Blocks joins the results of blocks.
struct SumOf {
  template <class S> static constexpr S identity() { return S(0); }
  template <class V> CINTA_FN static V combine(V a, V b) { return a + b; }
  template <class T> CINTA_FN static T across(Vec<T> x) { return reduce_add(x); }
  template <class T> using Blocks = Total<T>;
};
template <class Op, class T> struct Joined {
  T so_far = Op::template identity<T>();
  CINTA_FN void add(T x) { so_far = Op::join(so_far, x); }
  CINTA_FN T value() const { return so_far; }
};
struct ProdOf {
  template <class S> static constexpr S identity() { return S(1); }
  template <class V> CINTA_FN static V combine(V a, V b) { return a * b; }
  template <class T> CINTA_FN static T across(Vec<T> x) {
    T lane[Vec<T>::width], y = T(1);
    x.store(lane);
    for (T v : lane)
      y *= v;
    return y;
  }
  template <class T> CINTA_FN static T join(T a, T b) { return a * b; }
  template <class T> using Blocks = Joined<ProdOf, T>;
};
struct MaxOf {
  template <class S> static constexpr S identity() {
    if constexpr (S(0.5) != S(0))
      return S(-__builtin_inf());
    else
      return S(-1) < S(0) ? S(uint64_t(1) << 63) : S(0);
  }
  template <class V> CINTA_FN static V combine(V a, V b) { return maximum(a, b); }
  template <class T> CINTA_FN static T across(Vec<T> x) {
    return (x != x).any() ? T(__builtin_nan("")) : reduce_max(x);
  }
  template <class T> CINTA_FN static T join(T a, T b) { return a != a || a > b ? a : b; }
  template <class T> using Blocks = Joined<MaxOf, T>;
};
struct MinOf {
  template <class S> static constexpr S identity() {
    if constexpr (S(0.5) != S(0))
      return S(__builtin_inf());
    else
      return S(-1) < S(0) ? S(~uint64_t(0) >> 1) : S(~uint64_t(0));
  }
  template <class V> CINTA_FN static V combine(V a, V b) { return minimum(a, b); }
  template <class T> CINTA_FN static T across(Vec<T> x) { return -MaxOf::across(-x); }
  template <class T> CINTA_FN static T join(T a, T b) { return a != a || a < b ? a : b; }
  template <class T> using Blocks = Joined<MinOf, T>;
};

// ---- rows
constexpr int64_t kRowBlock = 1024;
constexpr int kBytesAhead = 1024; // asked for in advance: by themselves prefetchers stop at the end of a page

// One block, in four independent vectors so that no addition waits for the one before.
template <class Op, class T> CINTA_FN T reduce_block(int64_t n, const T *x) {
  using V = Vec<T>;
  constexpr int w = V::width;
  V acc0(Op::template identity<T>()), acc1 = acc0, acc2 = acc0, acc3 = acc0;
  int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    for (int line = 0; line < 4 * w * int(sizeof(T)); line += 64)
      __builtin_prefetch(reinterpret_cast<const char *>(x + i) + kBytesAhead + line);
    acc0 = Op::combine(acc0, V::load(x + i));
    acc1 = Op::combine(acc1, V::load(x + i + w));
    acc2 = Op::combine(acc2, V::load(x + i + 2 * w));
    acc3 = Op::combine(acc3, V::load(x + i + 3 * w));
  }
  for (; i + w <= n; i += w)
    acc0 = Op::combine(acc0, V::load(x + i));
  if (i < n) {
    V tail = V::load_partial(x + i, n - i), rest(Op::template identity<T>());
    acc1 = Op::combine(acc1, select(Mask<T>::first_lanes(n - i), tail, rest));
  }
  return Op::across(Op::combine(Op::combine(acc0, acc1), Op::combine(acc2, acc3)));
}
template <class Op, class T> static T reduce_row(int64_t cols, const T *x) {
  typename Op::template Blocks<T> total;
  for (int64_t i = 0; i < cols; i += kRowBlock)
    total.add(reduce_block<Op, T>(cols - i < kRowBlock ? cols - i : kRowBlock, x + i));
  return total.value();
}
template <class Op, class T>
static void reduce_rows(int64_t rows, int64_t cols, const void *from, int64_t row_stride, void *to) {
  for (int64_t r = 0; r < rows; ++r)
    static_cast<T *>(to)[r] = reduce_row<Op, T>(cols, static_cast<const T *>(from) + r * row_stride);
}
template <class Op, class I>
static void reduce_integer_rows(int64_t rows, int64_t cols, const void *from, int64_t row_stride, void *to) {
  for (int64_t r = 0; r < rows; ++r) {
    const I *x = static_cast<const I *>(from) + r * row_stride;
    Int<I> y(Op::template identity<I>());
    for (int64_t c = 0; c < cols; ++c)
      y = Op::combine(y, Int<I>(x[c]));
    static_cast<I *>(to)[r] = y.v;
  }
}

// ---- columns
constexpr int64_t kColumnBlock = 32;  // rows added before the wider sum takes over
constexpr int64_t kColumnChunk = 512; // columns whose sums are kept at a time

// The block's rows in kVectors vectors of columns, n columns of them in use.
template <class Op, class T, int kVectors> CINTA_FN void
reduce_columns_block(int64_t rows, const T *x, int64_t row_stride, int64_t n, typename Op::template Blocks<T> *total) {
  using V = Vec<T>;
  V acc[kVectors];
  for (V &a : acc)
    a = V(Op::template identity<T>());
  for (int64_t r = 0; r < rows; ++r, x += row_stride)
    for (int i = 0; i < kVectors; ++i)
      acc[i] = Op::combine(acc[i], n >= kVectors * V::width ? V::load(x + i * V::width) : V::load_partial(x, n));
  T sum[kVectors * V::width];
  for (int i = 0; i < kVectors; ++i)
    acc[i].store(sum + i * V::width);
  for (int64_t i = 0; i < n; ++i)
    total[i].add(sum[i]);
}
template <class Op, class T>
static void reduce_columns(int64_t rows, int64_t cols, const void *from, int64_t row_stride, void *to) {
  constexpr int w = Vec<T>::width;
  for (int64_t first = 0; first < cols; first += kColumnChunk) {
    const T *x = static_cast<const T *>(from) + first;
    int64_t n = cols - first < kColumnChunk ? cols - first : kColumnChunk;
    typename Op::template Blocks<T> total[kColumnChunk];
    for (int64_t r = 0; r < rows; r += kColumnBlock, x += kColumnBlock * row_stride) {
      int64_t block = rows - r < kColumnBlock ? rows - r : kColumnBlock, c = 0;
      for (; c + 4 * w <= n; c += 4 * w)
        reduce_columns_block<Op, T, 4>(block, x + c, row_stride, 4 * w, total + c);
      for (; c < n; c += w)
        reduce_columns_block<Op, T, 1>(block, x + c, row_stride, n - c < w ? n - c : w, total + c);
    }
    for (int64_t c = 0; c < n; ++c)
      static_cast<T *>(to)[first + c] = total[c].value();
  }
}
template <class Op, class I>
static void reduce_integer_columns(int64_t rows, int64_t cols, const void *from, int64_t row_stride, void *to) {
  I *y = static_cast<I *>(to);
  for (int64_t c = 0; c < cols; ++c)
    y[c] = Op::template identity<I>();
  for (int64_t r = 0; r < rows; ++r) {
    const I *x = static_cast<const I *>(from) + r * row_stride;
    for (int64_t c = 0; c < cols; ++c)
      y[c] = Op::combine(Int<I>(y[c]), Int<I>(x[c])).v;
  }
}

// ---- where the largest or smallest stands: the first of equals; the first NaN if there is one
template <class Op, class T>
static void arg_rows(int64_t rows, int64_t cols, const void *from, int64_t row_stride, int64_t *y) {
  using V = Vec<T>;
  for (int64_t r = 0; r < rows; ++r) {
    const T *x = static_cast<const T *>(from) + r * row_stride;
    const T best = reduce_row<Op, T>(cols, x);
    const bool nan = best != best;
    auto is_best = [=](auto v, auto b) { return nan ? v != v : v == b; };
    int64_t i = 0;
    while (i + V::width <= cols && !is_best(V::load(x + i), V(best)).any())
      i += V::width;
    while (i + 1 < cols && !is_best(x[i], best))
      ++i;
    y[r] = i;
  }
}
template <class Op, class I>
static void arg_integer_rows(int64_t rows, int64_t cols, const void *from, int64_t row_stride, int64_t *y) {
  for (int64_t r = 0; r < rows; ++r) {
    const I *x = static_cast<const I *>(from) + r * row_stride;
    int64_t best = 0;
    for (int64_t c = 1; c < cols; ++c)
      if (x[c] != x[best] && Op::join(x[c], x[best]) == x[c])
        best = c;
    y[r] = best;
  }
}

template <class T> static void fill_floats(Table &table, Compute compute) {
  const int c = int(compute);
#define CINTA_REDUCE(Op, name)                                                                                         \
  table.reduce_rows[int(ReduceOp::Op)][c] = reduce_rows<Op##Of, T>;                                                    \
  table.reduce_columns[int(ReduceOp::Op)][c] = reduce_columns<Op##Of, T>;
  CINTA_REDUCE_OPS(CINTA_REDUCE)
#undef CINTA_REDUCE
  table.argmax_rows[c] = arg_rows<MaxOf, T>;
  table.argmin_rows[c] = arg_rows<MinOf, T>;
}
template <class I> static void fill_integers(Table &table, Compute compute) {
  const int c = int(compute);
#define CINTA_REDUCE(Op, name)                                                                                         \
  table.reduce_rows[int(ReduceOp::Op)][c] = reduce_integer_rows<Op##Of, I>;                                            \
  table.reduce_columns[int(ReduceOp::Op)][c] = reduce_integer_columns<Op##Of, I>;
  CINTA_REDUCE_OPS(CINTA_REDUCE)
#undef CINTA_REDUCE
  table.argmax_rows[c] = arg_integer_rows<MaxOf, I>;
  table.argmin_rows[c] = arg_integer_rows<MinOf, I>;
}

void fill_reduce(Table &table) {
  fill_floats<float>(table, Compute::f32);
  fill_floats<double>(table, Compute::f64);
  fill_integers<int64_t>(table, Compute::i64);
  fill_integers<uint64_t>(table, Compute::u64);
}

} // namespace cinta::kernels::CINTA_ISA
