// Maxima over windows that are given one by one, of planes. Each row is laid out once for every tap, so that what
// neighbouring outputs read lies side by side; copies of single elements are cheaper than gathers.
namespace cinta::kernels::CINTA_ISA {
namespace {

// The windows of plane p.
struct Regions {
  const int64_t *top, *left, *bottom, *right;
  CINTA_FN Regions(const Pool2d &g, int64_t p)
      : top(g.windows + p * g.window_step), left(top + g.OH), bottom(left + g.OW), right(bottom + g.OH) {}
};

template <class T> void maximum_of_regions(const Pool2d &g, int64_t p, const T *x, T *y, T *place) {
  constexpr int64_t W = Vec<T>::width;
  const Regions windows(g, p);
  const int64_t line = (g.OW + W - 1) / W * W, row = g.KW * line; // elements of a tap, of an input row
  const int64_t fitting = (1 << 15) / int64_t(sizeof(T)) / row, rows = fitting > g.KH ? fitting : g.KH; // in the cache
  T *laid = row_memory<T>(rows * row + g.W + 1 + row), *copy = laid + rows * row;
  int32_t *source = reinterpret_cast<int32_t *>(copy + g.W + 1); // of each element of a laid out row
  bool whole = true;
  for (int64_t k = 0; k < g.KW; ++k)
    for (int64_t j = 0; j < line; ++j) {
      const int64_t from = j < g.OW ? windows.left[j] + k : 0;
      const bool inside = j >= g.OW || from < windows.right[j];
      source[k * line + j] = int32_t(inside ? from : g.W);
      whole &= inside;
    }
  copy[g.W] = T(-__builtin_inf()); // stands for what lies outside of a window

  for (int64_t i = 0; i < g.OH;) { // as many rows as fit; all laid out first: loads would wait for fresh small stores
    const int64_t begin = windows.top[i];
    int64_t last = i + 1;
    while (last < g.OH && windows.bottom[last] - begin <= rows)
      ++last;
    for (int64_t h = begin; h < windows.bottom[last - 1]; ++h) {
      const T *from = x + h * g.W;
      if (!whole) {
        for_vectors<T>(0, g.W, [=](int64_t w, int64_t n) { store_some(load_some(from + w, n), copy + w, n); });
        from = copy;
      }
      T *to = laid + (h - begin) * row;
      for (int64_t k = 0; k < row; ++k)
        to[k] = from[source[k]];
    }
    for (; i < last; ++i)
      for_vectors<T>(0, g.OW, [&](int64_t j, int64_t n) {
        Vec<T> largest(T(-__builtin_inf())), where(T(0)); // where everything is -inf the first wins
        const T *from = laid + (windows.top[i] - begin) * row + j;
        const int64_t taps = (windows.bottom[i] - windows.top[i]) * g.KW;
        for (int64_t tap = 0; tap < taps; ++tap, from += line)
          keep_larger(Vec<T>::load(from), Vec<T>(T(tap)), largest, where);
        store_some(largest, y + i * g.OW + j, n);
        if (place)
          store_some(where, place + i * g.OW + j, n);
      });
  }
}

template <class T> void maximum_of_regions_vjp(const Pool2d &g, int64_t p, const T *place, const T *dy, T *dx) {
  const Regions windows(g, p);
  int64_t *offset = static_cast<int64_t *>(scratch(Scratch::tile, size_t(g.KH * g.KW) * sizeof(int64_t)));
  for (int64_t r = 0, tap = 0; r < g.KH; ++r)
    for (int64_t c = 0; c < g.KW; ++c, ++tap)
      offset[tap] = r * g.W + c;
  __builtin_memset(dx, 0, size_t(g.H * g.W) * sizeof(T));
  for (int64_t i = 0; i < g.OH; ++i) {
    T *row = dx + windows.top[i] * g.W;
    for (int64_t j = 0; j < g.OW; ++j, ++dy, ++place)
      row[windows.left[j] + offset[int64_t(*place)]] += *dy;
  }
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
