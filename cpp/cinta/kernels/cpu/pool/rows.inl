// Pooling of planes with any window, vectors along the row. A row is laid out with its padding and, for a stride of s,
// as s rows of every s-th element: what a window's tap reads for neighbouring outputs then lies side by side.
namespace cinta::kernels::CINTA_ISA {
namespace {

// Wide steps leave little to share: then each window is walked on its own.
inline bool in_phases(const Pool2d &g) { return !g.adaptive && g.stride_w <= 4; }

template <class T> struct Rows {
  int64_t stride, pad, width, kernel;
  int64_t phase;        // elements of each of the `stride` parts of a row
  int64_t margin, line; // of a row of outputs between zeros, where every tap can look back: where it begins, its size
  int64_t *part, *step; // of each tap of output 0: in which part it lies, and how far
  T *memory;            // for `rows` rows, `lines` lines and `more` elements of the caller, filled

  Rows(const Pool2d &g, int64_t rows, int64_t lines, int64_t more, T fill)
      : stride(g.stride_w), pad(g.pad_w), width(g.W), kernel(in_phases(g) ? g.KW : 0) {
    constexpr int64_t W = Vec<T>::width;
    const auto whole = [](int64_t n) { return (n + W - 1) / W * W; }; // a vector across two lines is loaded twice
    const int64_t reach = (g.KW - 1) * g.dilation_w / stride;
    const int64_t read = g.OW + reach, written = (width + pad + stride - 1) / stride;
    phase = whole(read > written ? read : written) + W;
    margin = whole(reach);
    line = margin + phase + W;
    const int64_t elements = in_phases(g) ? rows * size() + lines * line + more : more, taps = (kernel + 7) / 8 * 8;
    part = static_cast<int64_t *>(
        scratch(Scratch::tile, size_t(2 * taps) * sizeof(int64_t) + size_t(elements) * sizeof(T)));
    step = part + taps;
    memory = reinterpret_cast<T *>(step + taps);
    for (int64_t kw = 0; kw < kernel; ++kw)
      part[kw] = kw * g.dilation_w % stride, step[kw] = kw * g.dilation_w / stride;
    for (int64_t i = 0; i < elements; ++i)
      memory[i] = fill;
  }
  int64_t size() const { return stride * phase; }
  CINTA_FN int64_t at(int64_t place) const { return place % stride * phase + place / stride; }

  // f(kw, where in a laid out row it stands for output 0) for every tap; three of stride two, the usual ones, unrolled
  template <class F> CINTA_FN void taps(const F &f) const {
    if (kernel == 3 && stride == 2 && step[2] == 1) {
      f(0, int64_t(0));
      f(1, phase);
      return f(2, int64_t(1));
    }
    for (int64_t kw = 0; kw < kernel; ++kw)
      f(kw, part[kw] * phase + step[kw]);
  }
  // f(kw, from which output it leads there) for every tap that leads to element q of a part, outputs in order
  template <class F> CINTA_FN void taps_to(int64_t to_part, int64_t q, const F &f) const {
    if (kernel == 3 && stride == 2 && step[2] == 1) {
      if (to_part)
        return f(1, q);
      f(2, q - 1);
      return f(0, q);
    }
    for (int64_t kw = kernel - 1; kw >= 0; --kw)
      if (part[kw] == to_part)
        f(kw, q - step[kw]);
  }

  // visit(column, where it stands) from one column to the next but `stride`, part by part
  template <class F> CINTA_FN void each(const F &visit) const {
    for (int64_t part = 0; part < stride; ++part) {
      const int64_t w = (part - pad % stride + stride) % stride;
      for (int64_t c = w, to = at(w + pad); c < width; c += stride, ++to)
        visit(c, to);
    }
  }
  // visit(column, places of it and the next in the row, number of pairs <= lanes), for a stride of 2
  template <class F> CINTA_FN void pairs(int64_t lanes, const F &visit) const {
    int64_t w = 0;
    for (; w + 2 * lanes <= width; w += 2 * lanes)
      visit(w, at(w + pad), at(w + 1 + pad), lanes);
    if (w + 1 < width)
      visit(w, at(w + pad), at(w + 1 + pad), (width - w) / 2);
  }
};

// The margins of `row` hold what padding is.
template <class T> CINTA_FN void lay_out(const Rows<T> &r, const T *x, T *row) {
  if (r.stride == 1)
    return for_vectors<T>(0, r.width,
                          [=](int64_t w, int64_t n) { store_some(load_some(x + w, n), row + w + r.pad, n); });
  if (r.stride > 2)
    return r.each([=](int64_t w, int64_t at) { row[at] = x[w]; });
  r.pairs(Vec<T>::width, [=](int64_t w, int64_t first, int64_t second, int64_t n) {
    Vec<T> even, odd;
    load_pairs(x + w, n, even, odd);
    store_some(even, row + first, n);
    store_some(odd, row + second, n);
  });
  if (r.width % 2)
    row[r.at(r.width - 1 + r.pad)] = x[r.width - 1];
}
// dx[0, width) of a plane's row: collect(row, kw, j, sum) adds what tap kw leads there from outputs j, j + 1, ... of
// each of the rows.
template <class T, class Collect>
CINTA_FN void collect_row(const Rows<T> &r, const Tap *rows, const Tap *rows_end, T *dx, const Collect &collect) {
  const auto sum_at = [&](int64_t part, int64_t q) {
    Vec<T> sum(T(0));
    for (const Tap *row = rows; row < rows_end; ++row)
      r.taps_to(part, q, [&](int64_t kw, int64_t j) { collect(*row, kw, j, sum); });
    return sum;
  };
  if (r.stride == 2) {
    const int64_t first = r.pad % 2, second = 1 - first; // the parts of even and odd columns
    for (int64_t w = 0; w + 1 < r.width; w += 2 * Vec<T>::width) {
      const int64_t n = smaller((r.width - w) / 2, Vec<T>::width), q = w / 2;
      store_pairs(dx + w, n, sum_at(first, q + r.pad / 2), sum_at(second, q + (r.pad + 1) / 2));
    }
    if (r.width % 2)
      sum_at(first, (r.width - 1 + r.pad) / 2).store_partial(dx + r.width - 1, 1);
    return;
  }
  for (int64_t part = 0; part < r.stride; ++part) {
    const int64_t w = (part - r.pad % r.stride + r.stride) % r.stride;
    for (int64_t c = w, q = (w + r.pad) / r.stride; c < r.width; c += Vec<T>::width * r.stride, q += Vec<T>::width) {
      const int64_t n = smaller((r.width - c + r.stride - 1) / r.stride, Vec<T>::width);
      const Vec<T> sum = sum_at(part, q);
      if (r.stride == 1) {
        store_some(sum, dx + c, n);
        continue;
      }
      T lanes[Vec<T>::width];
      sum.store(lanes);
      for (int64_t l = 0; l < n; ++l)
        dx[c + l * r.stride] = lanes[l];
    }
  }
}

// ---- average

template <class T> CINTA_FN T sum_of(const T *x, int64_t n) {
  constexpr int64_t W = Vec<T>::width;
  Vec<T> sum(T(0)), other = sum;
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    sum += Vec<T>::load(x + i);
    other += Vec<T>::load(x + i + W);
  }
  for_vectors<T>(i, n, [&](int64_t c, int64_t some) { sum += load_some(x + c, some); });
  return reduce_add(sum + other);
}

template <class T> void average_of_rows(const Pool2d &g, const Grid<T> &grid, int64_t planes, const T *in, T *out) {
  const Rows<T> r(g, g.OH, 0, g.W, T(0));
  const Axis columns = horizontal(g);
  T *laid = r.memory, *sums = laid + (in_phases(g) ? g.OH * r.size() : 0);
  for (int64_t p = 0; p < planes; ++p, in += g.H * g.W, out += g.OH * g.OW) {
    for (int64_t i = 0; i < g.OH; ++i) { // all rows first: a load that reaches beyond a fresh store would wait for it
      const Tap *first = grid.rows.begin(i), *last = grid.rows.end(i);
      const T *line = last - first == 1 ? in + first->at * g.W : sums;
      if (line == sums)
        add_rows(first, last, in, g.W, sums);
      if (!in_phases(g)) {
        for (int64_t j = 0; j < g.OW; ++j) {
          const Range range = range_of(columns, j);
          out[i * g.OW + j] = sum_of(line + range.begin, range.end - range.begin) / grid.divisor(i, j);
        }
        continue;
      }
      lay_out(r, line, laid + i * r.size());
    }
    for (int64_t i = 0; i < (in_phases(g) ? g.OH : 0); ++i)
      for_vectors<T>(0, g.OW, [&](int64_t j, int64_t n) {
        Vec<T> sum(T(0));
        r.taps([&](int64_t, int64_t at) { sum += Vec<T>::load(laid + i * r.size() + at + j); });
        store_some(sum / grid.divisors(i, j, n), out + i * g.OW + j, n);
      });
  }
}

// The quotients dy / divisor of the rows that meet in a row of dx are added up, then spread over its columns.
template <class T> void average_of_rows_vjp(const Pool2d &g, const Grid<T> &grid, int64_t planes, const T *dy, T *dx) {
  const bool phases = in_phases(g);
  const Rows<T> r(g, 0, g.H, phases ? 0 : g.H * g.OW, T(0));
  const Axis columns = horizontal(g);
  T *sums = r.memory + (phases ? r.margin : 0);
  const int64_t line = phases ? r.line : g.OW;
  for (int64_t p = 0; p < planes; ++p, dy += g.OH * g.OW) {
    for (int64_t h = 0; h < g.H; ++h) // all rows first: a load that reaches beyond a fresh store would wait for it
      for_vectors<T>(0, g.OW, [&](int64_t j, int64_t n) {
        Vec<T> sum(T(0));
        for (const Tap *tap = grid.rows.begin(h); tap < grid.rows.end(h); ++tap)
          sum += load_some(dy + tap->at * g.OW + j, n) / grid.divisors(tap->at, j, n);
        store_some(sum, sums + h * line + j, n);
      });
    for (int64_t h = 0; h < g.H; ++h, dx += g.W) {
      const T *row = sums + h * line;
      if (phases) {
        const Tap only{};
        collect_row(r, &only, &only + 1, dx,
                    [=](Tap, int64_t, int64_t j, Vec<T> &sum) { sum += Vec<T>::load(row + j); });
        continue;
      }
      __builtin_memset(dx, 0, size_t(g.W) * sizeof(T));
      for (int64_t j = 0; j < g.OW; ++j) {
        const Range range = range_of(columns, j);
        for_vectors<T>(range.begin, range.end,
                       [=](int64_t w, int64_t n) { store_some(load_some(dx + w, n) + Vec<T>(row[j]), dx + w, n); });
      }
    }
  }
}

// ---- maximum

// Windows that overlap share rows: the maxima over each row's taps are found once, and then those over rows.
template <class T>
void maximum_of_rows(const Pool2d &g, const Grid<T> &grid, int64_t planes, const T *in, T *out, T *place) {
  constexpr int64_t W = Vec<T>::width;
  const int64_t line = (g.OW + W - 1) / W * W; // of outputs
  const Rows<T> r(g, g.H, 0, (2 * g.H + 1) * line, T(-__builtin_inf()));
  T *plane = r.memory, *first = plane + g.H * r.size(), *most = first + line, *at = most + g.H * line;
  bool hollow = false;
  for (int64_t j = 0; j < g.OW; ++j) { // the first tap inside the plane: where everything is -inf it wins
    first[j] = grid.columns.begin(j) < grid.columns.end(j) ? T(grid.columns.begin(j)->tap) : T(-1);
    hollow = hollow || first[j] < T(0);
  }
  const auto along_row = [&](int64_t h) {
    const T *row = plane + h * r.size();
    for (int64_t j = 0; j < g.OW; j += W) {
      Vec<T> largest(T(-__builtin_inf())), tap = Vec<T>::load(first + j);
      r.taps([&](int64_t kw, int64_t to) { keep_larger(Vec<T>::load(row + j + to), Vec<T>(T(kw)), largest, tap); });
      largest.store(most + h * line + j);
      tap.store(at + h * line + j);
    }
  };
  for (int64_t p = 0; p < planes; ++p, in += g.H * g.W) {
    for (int64_t h = 0; h < g.H; ++h) // all rows first: a load that reaches beyond a fresh store would wait for it
      lay_out(r, in + h * g.W, plane + h * r.size());
    for (int64_t h = 0; h < g.H; ++h)
      along_row(h);
    for (int64_t i = 0; i < g.OH; ++i, out += g.OW) {
      const Tap *top = grid.rows.begin(i), *bottom = grid.rows.end(i);
      for_vectors<T>(0, g.OW, [&](int64_t j, int64_t n) {
        const Vec<T> nowhere(T(-1));
        Vec<T> largest(T(-__builtin_inf())), where = nowhere;
        for (const Tap *tap = top; tap < bottom; ++tap) {
          const int64_t from = tap->at * line + j;
          const Vec<T> value = Vec<T>::load(most + from), here = Vec<T>::load(at + from) + Vec<T>(T(tap->tap * g.KW));
          if (tap == top)
            largest = value, where = here;
          else
            keep_larger(value, here, largest, where);
        }
        store_some(largest, out + j, n);
        if (place)
          store_some(hollow ? select(load_some(first + j, n) < Vec<T>(T(0)), nowhere, where) : where, place + j, n);
      });
      place = place ? place + g.OW : place;
    }
  }
}

template <class T>
void maximum_of_rows_vjp(const Pool2d &g, const Grid<T> &grid, int64_t planes, const T *place, const T *dy, T *dx) {
  const Rows<T> r(g, 0, 2 * g.OH, 0, T(0));
  T *gradient = r.memory + r.margin, *where = gradient + g.OH * r.line;
  for (int64_t p = 0; p < planes; ++p) {
    for (int64_t i = 0; i < g.OH; ++i, dy += g.OW, place += g.OW)
      for_vectors<T>(0, g.OW, [&](int64_t j, int64_t n) {
        store_some(load_some(dy + j, n), gradient + i * r.line + j, n);
        store_some(load_some(place + j, n), where + i * r.line + j, n);
      });
    for (int64_t h = 0; h < g.H; ++h, dx += g.W)
      collect_row(r, grid.rows.begin(h), grid.rows.end(h), dx, [&](Tap row, int64_t kw, int64_t j, Vec<T> &sum) {
        const int64_t from = row.at * r.line + j;
        const Mask<T> here = Vec<T>::load(where + from) == Vec<T>(T(row.tap * g.KW + kw));
        sum += select(here, Vec<T>::load(gradient + from), Vec<T>(T(0)));
      });
  }
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
