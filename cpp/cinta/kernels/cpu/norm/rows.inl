// Statistics of contiguous rows: groups of channels of one example, or its features (inner 1, a weight per element).
namespace cinta::kernels::CINTA_ISA {

// Features: kTogether rows at a time, whose sums do not wait for each other. Past the last row it is read again.
constexpr int64_t kTogether = 4;
template <class T> struct RowsTogether {
  const T *row[kTogether];
  RowsTogether(const T *x, int64_t rows, int64_t stride) {
    for (int64_t r = 0; r < kTogether; ++r)
      row[r] = x + smaller(r, rows - 1) * stride;
  }
};

// add(at, n, r, sums) adds the vector of n elements at `at` of row r to kSums vectors; totals[k][r] are their sums.
template <class T, int kSums, class F>
CINTA_FN void add_rows(int64_t begin, int64_t end, double (&totals)[kSums][kTogether], F add) {
  Vec<T> sums[kTogether][kSums];
  for (int r = 0; r < kTogether; ++r)
    for (int k = 0; k < kSums; ++k)
      sums[r][k] = Vec<T>(T(0));
  for_vectors<T>(
      begin, end, [&](int64_t at, int64_t n) __attribute__((always_inline)) {
        for (int r = 0; r < kTogether; ++r)
          add(at, n, r, sums[r]);
      });
  for (int r = 0; r < kTogether; ++r)
    for (int k = 0; k < kSums; ++k)
      totals[k][r] = double(reduce_add(sums[r][k]));
}

template <class T> void moments_of_rows(const RowsTogether<T> &x, int64_t length, Moments (&all)[kTogether]) {
  for (int64_t begin = 0; begin < length; begin += kSpan) {
    const int64_t end = smaller(length, begin + kSpan);
    const double n = double(end - begin);
    double sum[1][kTogether], centred[2][kTogether];
    add_rows<T, 1>(begin, end, sum,
                   [=](int64_t at, int64_t m, int r, Vec<T> *s) { s[0] += load_some(x.row[r] + at, m); });
    T about[kTogether];
    for (int r = 0; r < kTogether; ++r)
      about[r] = T(sum[0][r] / n);
    add_rows<T, 2>(begin, end, centred, [=](int64_t at, int64_t m, int r, Vec<T> *s) {
      Vec<T> d = load_some(x.row[r] + at, m) - Vec<T>(about[r]);
      if (m < Vec<T>::width)
        d = select(Mask<T>::first_lanes(m), d, Vec<T>(T(0)));
      s[0] += d;
      s[1] = fma(d, d, s[1]);
    });
    for (int r = 0; r < kTogether; ++r) {
      const double shift = centred[0][r] / n;
      all[r].merge(n, double(about[r]) + shift, centred[1][r] - shift * centred[0][r]);
    }
  }
}

// y = (x - mean) / deviation * weight + bias, with one of the latter two per element.
template <class T> void feature_rows(const Norm &g, const T *x, T *y, T *mean, T *var) {
  const int64_t length = g.channels / g.groups, C = g.channels;
  const T *weight = static_cast<const T *>(g.weight), *bias = static_cast<const T *>(g.bias);
  const double cost = double(g.outer) * (double(C) * 2 * kNormCost + 20);
  const int64_t block = larger(1, kNormBlock / larger(C, 1) / kTogether) * kTogether;
  for_blocks(g.outer, block, cost, [=](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n += kTogether)
      for (int64_t k = 0; k < g.groups; ++k) {
        const int64_t rows = smaller(kTogether, end - n), first = k * length, at = n * C + first;
        Moments moments[kTogether];
        moments_of_rows(RowsTogether<T>(x + at, rows, C), length, moments);
        T centre[kTogether], inverse[kTogether];
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t row = (n + r) * g.groups + k;
          centre[r] = mean[row] = T(moments[r].mean);
          var[row] = T(moments[r].variance());
          inverse[r] = T(inverse_deviation(g, double(var[row])));
        }
        for (int64_t r = 0; r < rows; ++r) {
          const T *const from = x + at + r * C;
          T *const to = y + at + r * C;
          const Vec<T> middle(centre[r]), scale(inverse[r]);
          for_vectors<T>(0, length, [=](int64_t c, int64_t m) {
            Vec<T> z = (load_some(from + c, m) - middle) * scale;
            if (weight)
              z *= load_some(weight + first + c, m);
            store_some(bias ? z + load_some(bias + first + c, m) : z, to + c, m);
          });
        }
      }
  });
}

template <class T> void group_rows(const Norm &g, const T *x, T *y, T *mean, T *var) {
  const int64_t each = g.channels / g.groups, length = each * g.inner, rows = g.outer * g.groups;
  const T *weight = static_cast<const T *>(g.weight), *bias = static_cast<const T *>(g.bias);
  const double cost = double(rows) * (double(length) * 2 * kNormCost + 20);
  for_blocks(rows, larger(1, kNormBlock / larger(length, 1)), cost, [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t first = r % g.groups * each, at = r * length;
      const Moments m = moments_of(x, Places{at, 1, length, 0});
      mean[r] = T(m.mean), var[r] = T(m.variance());
      const double inverse = inverse_deviation(g, double(var[r]));
      for (int64_t c = 0; c < each; ++c)
        scale_places(x, y, Places{at + c * g.inner, 1, g.inner, 0}, mean[r],
                     T(inverse * at_or<T>(weight, first + c, 1)), T(at_or<T>(bias, first + c, 0)));
    }
  });
}

// With planes per channel: the channels' sums give dweight and dbias, and weighted the group's.
template <class T>
void group_rows_vjp(const Norm &g, const T *x, const T *dy, const T *mean, const T *var, T *dx, T *dweight, T *dbias) {
  const int64_t C = g.channels, each = C / g.groups, image = C * g.inner;
  const int64_t block = larger(1, kNormBlock / larger(image, 1)), blocks = (g.outer + block - 1) / block;
  double *parts = static_cast<double *>(scratch(Scratch::reduce, size_t(2 * blocks * C) * sizeof(double)));
  const double count = double(each * g.inner);
  for_blocks(g.outer, block, double(g.outer * image) * 2 * kNormCost, [=](int64_t begin, int64_t end) {
    double *part = parts + begin / block * 2 * C;
    for (int64_t c = 0; c < 2 * C; ++c)
      part[c] = 0;
    for (int64_t r = begin * g.groups; r < end * g.groups; ++r) {
      const int64_t first = r % g.groups * each;
      const double inverse = inverse_deviation(g, double(var[r]));
      const auto plane = [=](int64_t c) { return Places{(r * each + c) * g.inner, 1, g.inner, 0}; };
      double sum_dy = 0, sum_dy_x = 0;
      for (int64_t c = 0; c < each; ++c) {
        const GradientSums s = gradient_sums(x, dy, plane(c), mean[r]);
        const double weight = at_or<T>(g.weight, first + c, 1);
        sum_dy += weight * s.dy;
        sum_dy_x += weight * s.dy_x;
        part[first + c] += inverse * s.dy_x;
        part[C + first + c] += s.dy;
      }
      const Mix mix = mix_of(inverse, 1, count, sum_dy, sum_dy_x);
      for (int64_t c = 0; dx && c < each; ++c)
        mix_places(x, dy, dx, plane(c), mean[r], T(mix.of_dy * at_or<T>(g.weight, first + c, 1)), T(mix.of_x),
                   T(mix.shift));
    }
  });
  add_parts(blocks, C, parts, dweight, dbias);
}

// With a weight per element; the sums over rows are fetched once for all that go together.
template <class T, bool kDx, bool kSums>
void feature_rows_part(int64_t rows, int64_t length, int64_t stride, const T *x, const T *dy, T *dx, const T *weight,
                       const T *mean, const T *inverse, const T *of_x, const T *shift, T *sum_dy_x, T *sum_dy) {
  for_vectors<T>(0, length, [=](int64_t c, int64_t n) {
    const Vec<T> w = weight ? load_some(weight + c, n) : Vec<T>(T(1));
    Vec<T> dw(T(0)), db(T(0));
    for (int64_t r = 0; r < rows; ++r) {
      const Vec<T> d = load_some(dy + r * stride + c, n);
      const Vec<T> z = (load_some(x + r * stride + c, n) - Vec<T>(mean[r])) * Vec<T>(inverse[r]);
      if constexpr (kDx)
        store_some(fma(d * w, Vec<T>(inverse[r]), fma(z, Vec<T>(of_x[r]), Vec<T>(shift[r]))), dx + r * stride + c, n);
      dw = fma(d, z, dw);
      db += d;
    }
    if constexpr (kSums) {
      store_some(load_some(sum_dy_x + c, n) + dw, sum_dy_x + c, n);
      store_some(load_some(sum_dy + c, n) + db, sum_dy + c, n);
    }
  });
}

// sums over rows of w dy and of w dy (x - mean)
template <class T> void row_sums(int64_t length, const RowsTogether<T> &x, const RowsTogether<T> &dy, const T *weight,
                                 const T (&mean)[kTogether], GradientSums (&all)[kTogether]) {
  for (int64_t begin = 0; begin < length; begin += kSpan) {
    double sums[2][kTogether];
    add_rows<T, 2>(begin, smaller(length, begin + kSpan), sums, [=](int64_t at, int64_t n, int r, Vec<T> *s) {
      Vec<T> d = load_some(dy.row[r] + at, n);
      if (weight)
        d *= load_some(weight + at, n);
      s[0] += d;
      s[1] = fma(d, load_some(x.row[r] + at, n) - Vec<T>(mean[r]), s[1]);
    });
    for (int r = 0; r < kTogether; ++r)
      all[r].dy += sums[0][r], all[r].dy_x += sums[1][r];
  }
}

template <class T> void feature_rows_vjp(const Norm &g, const T *x, const T *dy, const T *mean, const T *var, T *dx,
                                         T *dweight, T *dbias) {
  const int64_t C = g.channels, length = C / g.groups, block = kDown, blocks = (g.outer + block - 1) / block;
  const T *weight = static_cast<const T *>(g.weight);
  const bool sums = dweight || dbias;
  // sums of a block's rows, [dweight, dbias] each [channels]
  T *parts = static_cast<T *>(scratch(Scratch::reduce, size_t(2 * blocks * C) * sizeof(T)));
  for_blocks(g.outer, block, double(g.outer) * (double(C) * 2 * kNormCost + 20), [=](int64_t begin, int64_t end) {
    T *part = parts + begin / block * 2 * C;
    for (int64_t c = 0; c < 2 * C; ++c)
      part[c] = T(0);
    for (int64_t n = begin; n < end; n += kTogether)
      for (int64_t k = 0; k < g.groups; ++k) {
        const int64_t rows = smaller(kTogether, end - n), at = n * C + k * length;
        const T *w = weight ? weight + k * length : nullptr;
        T middle[kTogether] = {}, inverse[kTogether], of_x[kTogether], shift[kTogether];
        GradientSums row_sum[kTogether];
        for (int64_t r = 0; r < rows; ++r)
          middle[r] = mean[(n + r) * g.groups + k];
        if (dx)
          row_sums(length, RowsTogether<T>(x + at, rows, C), RowsTogether<T>(dy + at, rows, C), w, middle, row_sum);
        for (int64_t r = 0; r < rows; ++r) {
          const double scale = inverse_deviation(g, double(var[(n + r) * g.groups + k]));
          inverse[r] = T(scale);
          const Mix mix = mix_of(scale, 1, double(length), row_sum[r].dy, row_sum[r].dy_x);
          of_x[r] = T(mix.of_x / scale), shift[r] = T(mix.shift); // of (x - mean) already divided by the deviation
        }
        const auto go = dx && sums ? feature_rows_part<T, true, true>
                        : dx       ? feature_rows_part<T, true, false>
                                   : feature_rows_part<T, false, true>;
        go(rows, length, C, x + at, dy + at, dx ? dx + at : dx, w, middle, inverse, of_x, shift, part + k * length,
           part + C + k * length);
      }
  });
  for (int64_t c = 0; sums && c < C; ++c) {
    double dw = 0, db = 0;
    for (int64_t b = 0; b < blocks; ++b) {
      dw += double(parts[2 * b * C + c]);
      db += double(parts[(2 * b + 1) * C + c]);
    }
    if (dweight)
      dweight[c] = T(dw);
    if (dbias)
      dbias[c] = T(db);
  }
}

} // namespace cinta::kernels::CINTA_ISA
