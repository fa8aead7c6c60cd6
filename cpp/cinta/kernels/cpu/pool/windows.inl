// What windows cover, axis by axis, and what a maximum and an average make of it.
namespace cinta::kernels::CINTA_ISA {
namespace {

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

struct Axis {
  int64_t size, out, kernel, stride, pad, dilation;
  bool adaptive;
  const int64_t *begins, *ends; // of windows one by one, or null
  int64_t begin(int64_t i) const { return begins ? begins[i] : adaptive ? i * size / out : i * stride - pad; }
  int64_t taps(int64_t i) const {
    return begins ? ends[i] - begins[i] : adaptive ? ((i + 1) * size + out - 1) / out - begin(i) : kernel;
  }
  bool inside(int64_t place) const { return place >= 0 && place < size; }
};
inline Axis vertical(const Pool2d &g) {
  const int64_t *begins = g.windows, *ends = begins ? begins + g.OH + g.OW : nullptr;
  return {g.H, g.OH, g.KH, g.stride_h, g.pad_h, g.dilation_h, g.adaptive, begins, ends};
}
inline Axis horizontal(const Pool2d &g) {
  const int64_t *begins = g.windows ? g.windows + g.OH : nullptr, *ends = begins ? begins + g.OH + g.OW : nullptr;
  return {g.W, g.OW, g.KW, g.stride_w, g.pad_w, g.dilation_w, g.adaptive, begins, ends};
}

// The window of output i where nothing is dilated: [begin, end) inside the plane.
struct Range {
  int64_t begin, end;
};
inline Range range_of(const Axis &a, int64_t i) {
  const int64_t begin = a.begin(i), end = begin + a.taps(i);
  return {begin > 0 ? begin : 0, end < a.size ? end : a.size};
}

// How many elements an average counts along one axis: with padding, but not what hangs over its end. An empty window
// counts infinitely many: its average is 0.
template <class T> T counted(const Axis &a, int64_t i, bool include_pad) {
  const Range r = range_of(a, i);
  const int64_t begin = a.begin(i), end = begin + a.taps(i);
  const int64_t padded = (end < a.size + a.pad ? end : a.size + a.pad) - begin;
  return r.begin >= r.end ? T(__builtin_inf()) : T(include_pad ? padded : r.end - r.begin);
}

// A place on the other side, and which tap of the window leads there.
struct Tap {
  int64_t at, tap;
};
struct Taps {
  const int64_t *first; // those of place i: list[first[i]] to list[first[i + 1]]
  const Tap *list;
  CINTA_FN const Tap *begin(int64_t i) const { return list + first[i]; }
  CINTA_FN const Tap *end(int64_t i) const { return list + first[i + 1]; }
};
inline size_t bytes_of(const Axis &a) {
  return size_t(a.size + a.out + 2) * sizeof(int64_t) + size_t(a.out * a.kernel) * sizeof(Tap);
}

// Of every output the inputs that its window covers.
inline Taps covered(const Axis &a, void *memory) {
  int64_t *first = static_cast<int64_t *>(memory), n = 0;
  Tap *list = reinterpret_cast<Tap *>(first + a.out + 1);
  for (int64_t i = 0; i < a.out; ++i) {
    first[i] = n;
    for (int64_t k = 0; k < a.taps(i); ++k)
      if (const int64_t at = a.begin(i) + k * a.dilation; a.inside(at))
        list[n++] = {at, k};
  }
  first[a.out] = n;
  return {first, list};
}
// Of every input the outputs whose windows cover it, in order.
inline Taps covering(const Axis &a, void *memory) {
  int64_t *first = static_cast<int64_t *>(memory); // counted one place further on, then shifted back by filling
  Tap *list = reinterpret_cast<Tap *>(first + a.size + 2);
  const auto each = [&](const auto &visit) {
    for (int64_t i = 0; i < a.out; ++i)
      for (int64_t k = 0; k < a.taps(i); ++k)
        if (const int64_t at = a.begin(i) + k * a.dilation; a.inside(at))
          visit(i, k, at);
  };
  for (int64_t i = 0; i < a.size + 2; ++i)
    first[i] = 0;
  each([=](int64_t, int64_t, int64_t at) { ++first[at + 2]; });
  for (int64_t i = 2; i < a.size + 2; ++i)
    first[i] += first[i - 1];
  each([=](int64_t i, int64_t k, int64_t at) { list[first[at + 1]++] = {i, k}; });
  return {first, list};
}

// What all images share: the taps of both axes, and what an average divides by.
template <class T> struct Grid {
  Taps rows, columns;
  T *row_count, *column_count, fixed;
  template <class Side> Grid(const Pool2d &g, Side side) {
    const Axis v = vertical(g), h = horizontal(g);
    char *memory = static_cast<char *>(
        scratch(Scratch::reduce, bytes_of(v) + bytes_of(h) + size_t(g.OH + g.OW + Vec<T>::width) * sizeof(T)));
    rows = side(v, memory);
    columns = side(h, memory + bytes_of(v));
    row_count = reinterpret_cast<T *>(memory + bytes_of(v) + bytes_of(h));
    column_count = row_count + g.OH;
    fixed = T(g.divisor_override);
    for (int64_t i = 0; i < g.OH; ++i)
      row_count[i] = counted<T>(v, i, g.count_include_pad);
    for (int64_t j = 0; j < g.OW; ++j)
      column_count[j] = counted<T>(h, j, g.count_include_pad);
  }
  CINTA_FN T divisor(int64_t i, int64_t j) const { return fixed != T(0) ? fixed : row_count[i] * column_count[j]; }
  CINTA_FN Vec<T> divisors(int64_t i, int64_t j, int64_t n) const { // of n <= width columns
    return fixed != T(0) ? Vec<T>(fixed) : Vec<T>(row_count[i]) * load_some(column_count + j, n);
  }
};

// sums[0, length) of the rows that taps lead to, four at a time.
template <class T, int kRows>
CINTA_FN void add_some_rows(const Tap *row, const T *x, int64_t length, bool fresh, T *sums) {
  for_vectors<T>(0, length, [=](int64_t c, int64_t n) {
    Vec<T> sum = load_some(x + row[0].at * length + c, n);
    for (int k = 1; k < kRows; ++k)
      sum += load_some(x + row[k].at * length + c, n);
    store_some(fresh ? sum : load_some(sums + c, n) + sum, sums + c, n);
  });
}
template <class T> void add_rows(const Tap *row, const Tap *end, const T *x, int64_t length, T *sums) {
  if (row == end)
    __builtin_memset(sums, 0, size_t(length) * sizeof(T));
  for (bool fresh = true; row < end; fresh = false) {
    const int64_t n = end - row < 4 ? end - row : 4;
    const auto add = n == 4   ? add_some_rows<T, 4>
                     : n == 3 ? add_some_rows<T, 3>
                     : n == 2 ? add_some_rows<T, 2>
                              : add_some_rows<T, 1>;
    add(row, x, length, fresh, sums);
    row += n;
  }
}

// The first of equals, NaN above all.
template <class T> CINTA_FN void keep_larger(Vec<T> x, Vec<T> at, Vec<T> &largest, Vec<T> &where) {
  const Mask<T> wins = (x > largest) | (x != x);
  largest = select(wins, x, largest);
  where = select(wins, at, where);
}

template <class T> T *row_memory(int64_t elements) {
  return static_cast<T *>(scratch(Scratch::tile, size_t(elements) * sizeof(T)));
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
