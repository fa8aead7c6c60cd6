// Pooling with any window, vectors along the row. A row is laid out with its padding and, for a stride of s, as s rows
// of every s-th element: what a window's place reads for neighbouring outputs then lies side by side.
namespace cinta::kernels::CINTA_ISA {
namespace {

struct Rows {
  int64_t stride, pad, width, phase; // phase: elements of each of the `stride` parts of a row
  const int64_t *tap;                // where place kw of the window of output 0 stands
  int64_t reach;                     // of the last of them, in a part

  Rows(const Pool2d &g, int64_t lanes, int64_t *taps)
      : stride(g.stride_w), pad(g.pad_w), width(g.W), tap(taps), reach((g.KW - 1) * g.dilation_w / stride) {
    const int64_t read = g.OW + reach, written = (width + pad + stride - 1) / stride;
    phase = (read > written ? read : written) + lanes;
    for (int64_t kw = 0; kw < g.KW; ++kw)
      taps[kw] = at(kw * g.dilation_w);
  }
  int64_t size() const { return stride * phase; }
  CINTA_FN int64_t at(int64_t place) const { return place % stride * phase + place / stride; }
};

// f(column, places of it and the next in the row, pairs) with a stride of 2.
template <class T, class F> CINTA_FN void for_pairs(const Rows &r, const F &f) {
  constexpr int64_t W = Vec<T>::width;
  int64_t w = 0;
  for (; w + 2 * W <= r.width; w += 2 * W)
    f(w, r.at(w + r.pad), r.at(w + 1 + r.pad), W);
  if (w < r.width) {
    const int64_t pairs = (r.width - w) / 2;
    if (pairs)
      f(w, r.at(w + r.pad), r.at(w + 1 + r.pad), pairs);
  }
}

template <class T> void lay_out(const Rows &r, T fill, const T *x, T *row) {
  for (int64_t i = 0; i < r.size(); ++i)
    row[i] = fill;
  if (r.stride == 1) {
    for (int64_t w = 0; w < r.width; ++w)
      row[w + r.pad] = x[w];
    return;
  }
  if (r.stride == 2) {
    for_pairs<T>(r, [=](int64_t w, int64_t first, int64_t second, int64_t n) {
      Vec<T> even, odd;
      load_pairs(x + w, n, even, odd);
      even.store_partial(row + first, n);
      odd.store_partial(row + second, n);
    });
    if (r.width % 2)
      row[r.at(r.width - 1 + r.pad)] = x[r.width - 1];
    return;
  }
  for (int64_t w = 0; w < r.width; ++w)
    row[r.at(w + r.pad)] = x[w];
}
template <class T> void bring_back(const Rows &r, const T *row, T *x) {
  if (r.stride == 1) {
    for (int64_t w = 0; w < r.width; ++w)
      x[w] = row[w + r.pad];
    return;
  }
  if (r.stride == 2) {
    for_pairs<T>(r, [=](int64_t w, int64_t first, int64_t second, int64_t n) {
      store_pairs(x + w, n, Vec<T>::load_partial(row + first, n), Vec<T>::load_partial(row + second, n));
    });
    if (r.width % 2)
      x[r.width - 1] = row[r.at(r.width - 1 + r.pad)];
    return;
  }
  for (int64_t w = 0; w < r.width; ++w)
    x[w] = row[r.at(w + r.pad)];
}

// The rows of the plane that window row i covers: visit(h) from the top, each inside the plane.
template <class F> CINTA_FN void for_window_rows(const Pool2d &g, int64_t i, const F &visit) {
  for (int64_t kh = 0; kh < g.KH; ++kh) {
    const int64_t h = i * g.stride_h - g.pad_h + kh * g.dilation_h;
    if (h >= 0 && h < g.H)
      visit(h);
  }
}

// What all planes share: how rows are laid out, and a number per output (a divisor) or per output column.
template <class T> struct Shared {
  T *number;
  Rows rows;
  Shared(const Pool2d &g, int64_t numbers)
      : number(
            static_cast<T *>(scratch(Scratch::reduce, size_t(g.KW) * 8 + size_t(numbers + Vec<T>::width) * sizeof(T)))),
        rows(g, Vec<T>::width, reinterpret_cast<int64_t *>(number + (numbers + 1) / 2 * 2)) {}
};
template <class T> T *plane_memory(int64_t rows, int64_t size) {
  return static_cast<T *>(scratch(Scratch::tile, size_t(rows * size) * sizeof(T)));
}

template <class T> Shared<T> with_divisors(const Pool2d &g) {
  Shared<T> shared(g, g.OH * g.OW);
  for (int64_t i = 0; i < g.OH; ++i)
    for (int64_t j = 0; j < g.OW; ++j) {
      const Window h = window(i, g.H, g.KH, g.stride_h, g.pad_h), w = window(j, g.W, g.KW, g.stride_w, g.pad_w);
      const bool empty = h.begin >= h.end || w.begin >= w.end; // its average is 0
      shared.number[i * g.OW + j] = empty ? T(__builtin_inf()) : T(divisor(g, h, w));
    }
  return shared;
}

template <class T> void average_of_rows(const Pool2d &g, const Shared<T> &shared, const T *in, T *out) {
  constexpr int64_t W = Vec<T>::width;
  const Rows &r = shared.rows;
  T *plane = plane_memory<T>(g.H, r.size());
  for (int64_t h = 0; h < g.H; ++h)
    lay_out(r, T(0), in + h * g.W, plane + h * r.size());
  for (int64_t i = 0; i < g.OH; ++i)
    for (int64_t j = 0; j < g.OW; j += W) {
      const int64_t n = g.OW - j < W ? g.OW - j : W;
      Vec<T> sum(T(0));
      for_window_rows(g, i, [&](int64_t h) {
        for (int64_t kw = 0; kw < g.KW; ++kw)
          sum += Vec<T>::load(plane + h * r.size() + r.tap[kw] + j);
      });
      (sum / Vec<T>::load_partial(shared.number + i * g.OW + j, n)).store_partial(out + i * g.OW + j, n);
    }
}

// Each part of a row of dx collects from the quotients dy / divisor, which stand between zeros.
template <class T> void average_of_rows_vjp(const Pool2d &g, const Shared<T> &shared, const T *dy, T *dx) {
  constexpr int64_t W = Vec<T>::width;
  const Rows &r = shared.rows;
  const int64_t wide = r.reach + r.phase + W;
  T *quotient = plane_memory<T>(g.OH + 1, wide + r.size()), *row = quotient + g.OH * wide;
  __builtin_memset(quotient, 0, size_t(g.OH * wide) * sizeof(T));
  for (int64_t i = 0; i < g.OH; ++i)
    for (int64_t j = 0; j < g.OW; j += W) {
      const int64_t n = g.OW - j < W ? g.OW - j : W;
      const T *by = shared.number + i * g.OW + j;
      (Vec<T>::load_partial(dy + i * g.OW + j, n) / Vec<T>::load_partial(by, n))
          .store_partial(quotient + i * wide + r.reach + j, n);
    }
  for (int64_t h = 0; h < g.H; ++h) {
    const int64_t last = (h + g.pad_h) / g.stride_h, first_kh = (h + g.pad_h) % g.stride_h;
    for (int64_t part = 0; part < r.stride; ++part) {
      const int64_t begin = (r.pad - part + r.stride - 1) / r.stride,
                    end = (r.pad + r.width - part + r.stride - 1) / r.stride;
      for (int64_t q = begin > 0 ? begin : 0; q < end; q += W) {
        Vec<T> sum(T(0));
        for (int64_t kh = first_kh, i = last; kh < g.KH && i >= 0; kh += g.stride_h, --i) {
          if (i >= g.OH)
            continue;
          const T *from = quotient + i * wide + r.reach + q;
          for (int64_t kw = part; kw < g.KW; kw += r.stride, --from)
            sum += Vec<T>::load(from);
        }
        sum.store(row + part * r.phase + q);
      }
    }
    bring_back(r, row, dx + h * g.W);
  }
}

// first[j]: the first column inside the plane of output j's window, -1 where there is none.
template <class T> void first_columns(const Pool2d &g, T *first) {
  for (int64_t j = 0; j < g.OW; ++j) {
    first[j] = T(-1);
    for (int64_t kw = g.KW - 1; kw >= 0; --kw)
      if (const int64_t w = j * g.stride_w - g.pad_w + kw * g.dilation_w; w >= 0 && w < g.W)
        first[j] = T(w);
  }
}

template <class T> Shared<T> with_first_columns(const Pool2d &g) {
  Shared<T> shared(g, g.OW);
  first_columns(g, shared.number);
  return shared;
}

template <class T> void maximum_of_rows(const Pool2d &g, const Shared<T> &shared, const T *in, T *out, int64_t *index) {
  constexpr int64_t W = Vec<T>::width;
  const Rows &r = shared.rows;
  T *plane = plane_memory<T>(g.H, r.size());
  for (int64_t h = 0; h < g.H; ++h)
    lay_out(r, T(-__builtin_inf()), in + h * g.W, plane + h * r.size());
  T lanes[W];
  for (int64_t l = 0; l < W; ++l)
    lanes[l] = T(l * g.stride_w);
  const Vec<T> steps = Vec<T>::load(lanes);
  for (int64_t i = 0; i < g.OH; ++i) {
    int64_t top = -1;
    for_window_rows(g, i, [&](int64_t h) { top = top < 0 ? h : top; });
    for (int64_t j = 0; j < g.OW; j += W) {
      const int64_t n = g.OW - j < W ? g.OW - j : W;
      const Vec<T> start = Vec<T>::load_partial(shared.number + j, n), nowhere(T(-1));
      // Where everything is -inf the first place wins.
      Vec<T> largest(T(-__builtin_inf()));
      Vec<T> where = top < 0 ? nowhere : select(start < Vec<T>(T(0)), nowhere, start + Vec<T>(T(top * g.W)));
      for_window_rows(g, i, [&](int64_t h) {
        for (int64_t kw = 0; kw < g.KW; ++kw) {
          const int64_t corner = h * g.W + j * g.stride_w - g.pad_w + kw * g.dilation_w;
          keep_larger(Vec<T>::load(plane + h * r.size() + r.tap[kw] + j), steps + Vec<T>(T(corner)), largest, where);
        }
      });
      largest.store_partial(out + i * g.OW + j, n);
      if (index) {
        where.store(lanes);
        for (int64_t l = 0; l < n; ++l)
          index[i * g.OW + j + l] = int64_t(lanes[l]);
      }
    }
  }
}

} // namespace
} // namespace cinta::kernels::CINTA_ISA
