// Channels side by side in memory: x[rows, channels]. Sums run down the columns, a block of rows at a time.
namespace cinta::kernels::CINTA_ISA {

constexpr int64_t kDown = 32; // rows whose sums stay in lanes

// Columns of `channels`: first their numbers, then sums, [2][channels] each.
struct ColumnSums {
  double *first, *second;
  CINTA_FN ColumnSums(double *at, int64_t channels) : first(at), second(at + channels) {}
};

// visit(column, vectors of width n = 4 or 1 whole ones, or a part of one)
template <class T, class Four, class One> CINTA_FN void for_columns(int64_t channels, Four four, One one) {
  constexpr int W = Vec<T>::width;
  int64_t c = 0;
  for (; c + 4 * W <= channels; c += 4 * W)
    four(c);
  for_vectors<T>(c, channels, one);
}

// Merges the moments of n <= kDown rows into those of `before` rows. Columns in kVectors vectors, `some` of the last.
template <class T, int kVectors> CINTA_FN void column_moments_part(int64_t rows, const T *x, int64_t stride,
                                                                   int64_t some, double before, double *mean,
                                                                   double *squares) {
  constexpr int W = Vec<T>::width;
  Vec<T> about[kVectors], sum[kVectors], square[kVectors];
  const auto at = [=](int64_t r, int v) { return load_some(x + r * stride + v * W, kVectors > 1 ? W : some); };
  for (int v = 0; v < kVectors; ++v)
    about[v] = sum[v] = square[v] = Vec<T>(T(0));
  for (int64_t r = 0; r < rows; ++r)
    for (int v = 0; v < kVectors; ++v)
      about[v] += at(r, v);
  for (int v = 0; v < kVectors; ++v)
    about[v] *= Vec<T>(T(1) / T(rows));
  for (int64_t r = 0; r < rows; ++r)
    for (int v = 0; v < kVectors; ++v) {
      const Vec<T> d = at(r, v) - about[v];
      sum[v] += d;
      square[v] = fma(d, d, square[v]);
    }
  T centre[kVectors * W], shift[kVectors * W], spread[kVectors * W];
  for (int v = 0; v < kVectors; ++v) {
    about[v].store(centre + v * W);
    sum[v].store(shift + v * W);
    square[v].store(spread + v * W);
  }
  const double n = double(rows), inverse = 1 / n, share = n / (before + n);
  for (int64_t l = 0; l < (kVectors > 1 ? kVectors * W : some); ++l) {
    const double off = double(shift[l]) * inverse, gap = double(centre[l]) + off - mean[l];
    squares[l] += double(spread[l]) - off * double(shift[l]) + gap * gap * before * share;
    mean[l] += gap * share;
  }
}

// Moments of the columns of rows [0, rows), into sums that begin as zeros.
template <class T> void column_moments(int64_t rows, int64_t channels, const T *x, double *mean, double *squares) {
  for (int64_t c = 0; c < channels; ++c)
    mean[c] = squares[c] = 0;
  for (int64_t r = 0; r < rows; r += kDown) {
    const T *from = x + r * channels;
    const int64_t some = smaller(kDown, rows - r);
    for_columns<T>(
        channels,
        [=](int64_t c) { column_moments_part<T, 4>(some, from + c, channels, 0, double(r), mean + c, squares + c); },
        [=](int64_t c, int64_t n) {
          column_moments_part<T, 1>(some, from + c, channels, n, double(r), mean + c, squares + c);
        });
  }
}

// Adds n <= kDown rows of dy and of dy (x - mean) to the columns' sums.
template <class T, int kVectors> CINTA_FN void column_gradients_part(int64_t rows, const T *x, const T *dy,
                                                                     int64_t stride, int64_t some, const T *mean,
                                                                     double *sum_dy, double *sum_dy_x) {
  constexpr int W = Vec<T>::width;
  Vec<T> centre[kVectors], first[kVectors], second[kVectors];
  const int64_t width = kVectors > 1 ? W : some;
  for (int v = 0; v < kVectors; ++v) {
    centre[v] = load_some(mean + v * W, width);
    first[v] = second[v] = Vec<T>(T(0));
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int v = 0; v < kVectors; ++v) {
      const Vec<T> d = load_some(dy + r * stride + v * W, width);
      first[v] += d;
      second[v] = fma(d, load_some(x + r * stride + v * W, width) - centre[v], second[v]);
    }
  T a[kVectors * W], b[kVectors * W];
  for (int v = 0; v < kVectors; ++v) {
    first[v].store(a + v * W);
    second[v].store(b + v * W);
  }
  for (int64_t l = 0; l < (kVectors > 1 ? kVectors * W : some); ++l) {
    sum_dy[l] += double(a[l]);
    sum_dy_x[l] += double(b[l]);
  }
}

template <class T> void column_gradients(int64_t rows, int64_t channels, const T *x, const T *dy, const T *mean,
                                         double *sum_dy, double *sum_dy_x) {
  for (int64_t c = 0; c < channels; ++c)
    sum_dy[c] = sum_dy_x[c] = 0;
  for (int64_t r = 0; r < rows; r += kDown) {
    const int64_t some = smaller(kDown, rows - r), at = r * channels;
    for_columns<T>(
        channels,
        [=](int64_t c) {
          column_gradients_part<T, 4>(some, x + at + c, dy + at + c, channels, 0, mean + c, sum_dy + c, sum_dy_x + c);
        },
        [=](int64_t c, int64_t n) {
          column_gradients_part<T, 1>(some, x + at + c, dy + at + c, channels, n, mean + c, sum_dy + c, sum_dy_x + c);
        });
  }
}

// y = (x - mean) scale + shift, with one of each per column.
template <class T>
void scale_columns(int64_t rows, int64_t channels, const T *x, T *y, const T *mean, const T *scale, const T *shift) {
  for (int64_t r = 0; r < rows; ++r, x += channels, y += channels)
    for_vectors<T>(0, channels, [=](int64_t c, int64_t n) {
      const Vec<T> d = load_some(x + c, n) - load_some(mean + c, n);
      store_some(fma(d, load_some(scale + c, n), load_some(shift + c, n)), y + c, n);
    });
}
// dx = of_dy dy + of_x (x - mean) + shift
template <class T> void mix_columns(int64_t rows, int64_t channels, const T *x, const T *dy, T *dx, const T *mean,
                                    const T *of_dy, const T *of_x, const T *shift) {
  for (int64_t r = 0; r < rows; ++r, x += channels, dy += channels, dx += channels)
    for_vectors<T>(0, channels, [=](int64_t c, int64_t n) {
      const Vec<T> d = load_some(x + c, n) - load_some(mean + c, n);
      const Vec<T> rest = fma(d, load_some(of_x + c, n), load_some(shift + c, n));
      store_some(fma(load_some(dy + c, n), load_some(of_dy + c, n), rest), dx + c, n);
    });
}

// Blocks of rows, for sums and then for results.
struct RowBlocks {
  int64_t rows, block, count;
  double cost;
  RowBlocks(int64_t n, int64_t channels)
      : rows(n), block(larger(kDown, kNormBlock / larger(channels, 1) / kDown * kDown)), count((n + block - 1) / block),
        cost(double(n * channels) * kNormCost) {}
  template <class F> void each(const F &f) const { for_blocks(rows, block, cost, f); }
};

template <class T> void batch_columns(const Norm &g, const T *x, T *y, T *mean, T *var) {
  const int64_t C = g.channels;
  const RowBlocks blocks(g.outer * g.inner, C);
  if (!g.fixed) {
    double *parts = static_cast<double *>(scratch(Scratch::norm, size_t(2 * blocks.count * C) * sizeof(double)));
    blocks.each([=](int64_t begin, int64_t end) {
      double *part = parts + begin / blocks.block * 2 * C;
      column_moments(end - begin, C, x + begin * C, part, part + C);
    });
    for (int64_t c = 0; c < C; ++c) {
      Moments m;
      for (int64_t b = 0; b < blocks.count; ++b)
        m.merge(double(smaller(blocks.block, blocks.rows - b * blocks.block)), parts[2 * b * C + c],
                parts[(2 * b + 1) * C + c]);
      mean[c] = T(m.mean);
      var[c] = T(m.variance());
    }
  }
  T *scale = static_cast<T *>(scratch(Scratch::norm, size_t(2 * C) * sizeof(T))), *shift = scale + C;
  for (int64_t c = 0; c < C; ++c) {
    scale[c] = T(inverse_deviation(g, double(var[c])) * at_or<T>(g.weight, c, 1));
    shift[c] = T(at_or<T>(g.bias, c, 0));
  }
  blocks.each([=](int64_t begin, int64_t end) {
    scale_columns(end - begin, C, x + begin * C, y + begin * C, mean, scale, shift);
  });
}

template <class T> void batch_columns_vjp(const Norm &g, const T *x, const T *dy, const T *mean, const T *var, T *dx,
                                          T *dweight, T *dbias) {
  const int64_t C = g.channels;
  const RowBlocks blocks(g.outer * g.inner, C);
  double *parts = static_cast<double *>(scratch(Scratch::norm, size_t(2 * blocks.count * C) * sizeof(double)));
  blocks.each([=](int64_t begin, int64_t end) {
    double *part = parts + begin / blocks.block * 2 * C;
    column_gradients(end - begin, C, x + begin * C, dy + begin * C, mean, part, part + C);
  });
  T *of_dy = static_cast<T *>(scratch(Scratch::reduce, size_t(3 * C) * sizeof(T))), *of_x = of_dy + C;
  T *shift = of_x + C;
  const double n = g.fixed ? 0 : double(blocks.rows);
  for (int64_t c = 0; c < C; ++c) {
    double sum_dy = 0, sum_dy_x = 0;
    for (int64_t b = 0; b < blocks.count; ++b) {
      sum_dy += parts[2 * b * C + c];
      sum_dy_x += parts[(2 * b + 1) * C + c];
    }
    const double inverse = inverse_deviation(g, double(var[c]));
    const Mix mix = mix_of(inverse, at_or<T>(g.weight, c, 1), n, sum_dy, sum_dy_x);
    of_dy[c] = T(mix.of_dy), of_x[c] = T(mix.of_x), shift[c] = T(mix.shift);
    if (dweight)
      dweight[c] = T(sum_dy_x * inverse);
    if (dbias)
      dbias[c] = T(sum_dy);
  }
  if (dx)
    blocks.each([=](int64_t begin, int64_t end) {
      mix_columns(end - begin, C, x + begin * C, dy + begin * C, dx + begin * C, mean, of_dy, of_x, shift);
    });
}

// Group norm of images with channels last, image by image.
template <class T> void group_columns(const Norm &g, const T *x, T *y, T *mean, T *var) {
  const int64_t C = g.channels, each = C / g.groups, image = g.inner * C;
  for_blocks(g.outer, larger(1, kNormBlock / larger(image, 1)), double(g.outer * image) * 2 * kNormCost,
             [&](int64_t begin, int64_t end) {
               double *sums =
                   static_cast<double *>(scratch(Scratch::norm, size_t(C) * (2 * sizeof(double) + 3 * sizeof(T))));
               T *centre = reinterpret_cast<T *>(sums + 2 * C), *scale = centre + C, *shift = scale + C;
               for (int64_t n = begin; n < end; ++n) {
                 column_moments(g.inner, C, x + n * image, sums, sums + C);
                 for (int64_t k = 0; k < g.groups; ++k) {
                   Moments m;
                   for (int64_t c = k * each; c < (k + 1) * each; ++c)
                     m.merge(double(g.inner), sums[c], sums[C + c]);
                   const T middle = mean[n * g.groups + k] = T(m.mean);
                   const T spread = var[n * g.groups + k] = T(m.variance());
                   for (int64_t c = k * each; c < (k + 1) * each; ++c) {
                     centre[c] = middle;
                     scale[c] = T(inverse_deviation(g, double(spread)) * at_or<T>(g.weight, c, 1));
                     shift[c] = T(at_or<T>(g.bias, c, 0));
                   }
                 }
                 scale_columns(g.inner, C, x + n * image, y + n * image, centre, scale, shift);
               }
             });
}

// Sums of a block's gradients of weight and bias, for all blocks; then their sums in order.
template <class T> void add_parts(int64_t blocks, int64_t channels, const double *parts, T *dweight, T *dbias) {
  for (int64_t c = 0; c < channels; ++c) {
    double dw = 0, db = 0;
    for (int64_t b = 0; b < blocks; ++b) {
      dw += parts[2 * b * channels + c];
      db += parts[(2 * b + 1) * channels + c];
    }
    if (dweight)
      dweight[c] = T(dw);
    if (dbias)
      dbias[c] = T(db);
  }
}

template <class T> void group_columns_vjp(const Norm &g, const T *x, const T *dy, const T *mean, const T *var, T *dx,
                                          T *dweight, T *dbias) {
  const int64_t C = g.channels, each = C / g.groups, image = g.inner * C;
  const int64_t block = larger(1, kNormBlock / larger(image, 1)), blocks = (g.outer + block - 1) / block;
  double *parts = static_cast<double *>(scratch(Scratch::reduce, size_t(2 * blocks * C) * sizeof(double)));
  const double count = double(each * g.inner);
  for_blocks(g.outer, block, double(g.outer * image) * 2 * kNormCost, [&](int64_t begin, int64_t end) {
    double *part = parts + begin / block * 2 * C;
    for (int64_t c = 0; c < 2 * C; ++c)
      part[c] = 0;
    double *sums = static_cast<double *>(scratch(Scratch::norm, size_t(C) * (2 * sizeof(double) + 4 * sizeof(T))));
    T *centre = reinterpret_cast<T *>(sums + 2 * C), *of_dy = centre + C, *of_x = of_dy + C, *shift = of_x + C;
    for (int64_t n = begin; n < end; ++n) {
      for (int64_t c = 0; c < C; ++c)
        centre[c] = mean[n * g.groups + c / each];
      column_gradients(g.inner, C, x + n * image, dy + n * image, centre, sums, sums + C);
      for (int64_t k = 0; k < g.groups; ++k) {
        const double inverse = inverse_deviation(g, double(var[n * g.groups + k]));
        double sum_dy = 0, sum_dy_x = 0;
        for (int64_t c = k * each; c < (k + 1) * each; ++c) {
          const double weight = at_or<T>(g.weight, c, 1);
          sum_dy += weight * sums[c];
          sum_dy_x += weight * sums[C + c];
          part[c] += inverse * sums[C + c];
          part[C + c] += sums[c];
        }
        const Mix mix = mix_of(inverse, 1, count, sum_dy, sum_dy_x);
        for (int64_t c = k * each; c < (k + 1) * each; ++c) {
          of_dy[c] = T(mix.of_dy * at_or<T>(g.weight, c, 1));
          of_x[c] = T(mix.of_x), shift[c] = T(mix.shift);
        }
      }
      if (dx)
        mix_columns(g.inner, C, x + n * image, dy + n * image, dx + n * image, centre, of_dy, of_x, shift);
    }
  });
  add_parts(blocks, C, parts, dweight, dbias);
}

} // namespace cinta::kernels::CINTA_ISA
