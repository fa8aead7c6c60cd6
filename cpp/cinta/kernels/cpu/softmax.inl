// Softmax, log-softmax and cross-entropy over contiguous rows.
#include "cinta/kernels/cpu/vector/blocks.inl"
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/cpu/vector/transpose.inl"
#include "cinta/kernels/cpu/vmath/vmath.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

template <class T> struct Ends {
  T value[2 * Vec<T>::width]; // zeros, then -inf
  constexpr Ends() : value() {
    for (int i = Vec<T>::width; i < 2 * Vec<T>::width; ++i)
      value[i] = -T(__builtin_inf());
  }
};

// Lanes past n hold -inf: neutral for a maximum, and for a sum of exponentials.
template <class T> CINTA_FN Vec<T> load_or_minus_inf(const T *p, int64_t n) {
  static constexpr Ends<T> ends;
  constexpr int W = Vec<T>::width;
  return n == W ? Vec<T>::load(p) : Vec<T>::load_partial(p, n) + Vec<T>::load(ends.value + W - n);
}

template <class T> T row_max(int64_t cols, const T *x) {
  constexpr int W = Vec<T>::width;
  Vec<T> most(-T(__builtin_inf())), other = most;
  int64_t c = 0;
  for (; c + 2 * W <= cols; c += 2 * W) {
    most = max(most, Vec<T>::load(x + c));
    other = max(other, Vec<T>::load(x + c + W));
  }
  for_vectors<T>(c, cols, [&](int64_t i, int64_t n) { most = max(most, load_or_minus_inf(x + i, n)); });
  return reduce_max(max(most, other));
}

// Sums of a row: in lanes over short spans, the spans in double, so that the error does not grow with the row.
template <class T, class F> double row_sum(int64_t cols, F term) {
  constexpr int64_t span = 32 * Vec<T>::width;
  double sum = 0;
  for (int64_t c = 0; c < cols; c += span) {
    Vec<T> lanes(T(0));
    for_vectors<T>(c, c + span < cols ? c + span : cols, [&](int64_t i, int64_t n) { lanes += term(i, n); });
    sum += double(reduce_add(lanes));
  }
  return sum;
}

// exp(x) for x <= 0, and 0 where that is no normal number: results that underflow cost an assist of the CPU, 30 times
// the time of the rest.
CINTA_FN Vec<double> exp_or_zero(Vec<double> x) {
  const Vec<double> least(-708.);
  return select(x < least, Vec<double>(0.), exp(max(least, x))); // max gives its second operand where that is NaN
}
CINTA_FN Vec<float> exp_or_zero(Vec<float> x) {
  const Vec<float> least(-87.f);
  return select(x < least, Vec<float>(0.f), normal_exp(max(least, x)));
}

template <class T> double sum_exp(int64_t cols, const T *x, T shift) {
  return row_sum<T>(cols,
                    [=](int64_t c, int64_t n) { return exp_or_zero(load_or_minus_inf(x + c, n) - Vec<T>(shift)); });
}

constexpr int64_t kRowGroup = 16; // rows whose logarithms are taken together

// group(first row, rows <= kRowGroup), in blocks of about 16K elements; ns_per_element at one lane.
template <class T, class F> void for_row_groups(int64_t rows, int64_t cols, double ns_per_element, const F &group) {
  if (cols <= 0)
    return;
  const int64_t block = cols >= 16384 ? 1 : 16384 / cols;
  const double cost = double(rows) * (double(cols) * ns_per_element / Vec<T>::width + 10);
  for_blocks(rows, block, cost, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r += kRowGroup)
      group(r, end - r < kRowGroup ? end - r : kRowGroup);
  });
}
template <class T, class F> void for_rows(int64_t rows, int64_t cols, double ns_per_element, const F &row) {
  for_row_groups<T>(rows, cols, ns_per_element, [&](int64_t first, int64_t n) {
    for (int64_t r = first; r < first + n; ++r)
      row(r);
  });
}

// Of each row its largest element, and the sum of exp(x - it). Rows no longer than a vector go as many at a time as one
// has lanes, transposed: a lane is a row.
template <class T> CINTA_FN void exp_sums(int64_t rows, int64_t cols, const T *x, T *most, double *sum) {
  constexpr int W = Vec<T>::width;
  if (cols > W) {
    for (int64_t r = 0; r < rows; ++r) {
      most[r] = row_max(cols, x + r * cols);
      sum[r] = sum_exp(cols, x + r * cols, most[r]);
    }
    return;
  }
  for (int64_t first = 0; first < rows; first += W) {
    const int64_t n = rows - first < W ? rows - first : W;
    Vec<T> column[W];
    for (int i = 0; i < W; ++i)
      column[i] = i < n ? load_or_minus_inf(x + (first + i) * cols, cols) : Vec<T>(T(0));
    transpose(column);
    Vec<T> largest = column[0], total(T(0)), other = total;
    for (int64_t c = 1; c < cols; ++c)
      largest = max(largest, column[c]);
    int64_t c = 0;
    for (; c + 2 <= cols; c += 2) {
      total += exp_or_zero(column[c] - largest);
      other += exp_or_zero(column[c + 1] - largest);
    }
    if (c < cols)
      total += exp_or_zero(column[c] - largest);
    total += other;
    store_some(largest, most + first, n);
    T sums[W];
    total.store(sums);
    for (int64_t i = 0; i < n; ++i)
      sum[first + i] = double(sums[i]);
  }
}

template <class T> void softmax_rows(int64_t rows, int64_t cols, const void *x_, void *y_) {
  for_rows<T>(rows, cols, 10, [=](int64_t r) {
    const T *x = static_cast<const T *>(x_) + r * cols;
    T *y = static_cast<T *>(y_) + r * cols;
    if (cols <= Vec<T>::width) {
      const Vec<T> some = load_or_minus_inf(x, cols), e = exp_or_zero(some - Vec<T>(reduce_max(some)));
      return store_some(e * Vec<T>(T(1) / reduce_add(e)), y, cols);
    }
    const Vec<T> shift(row_max(cols, x));
    const double sum = row_sum<T>(cols, [=](int64_t c, int64_t n) {
      const Vec<T> e = exp_or_zero(load_or_minus_inf(x + c, n) - shift);
      store_some(e, y + c, n);
      return e;
    });
    const Vec<T> scale(T(1 / sum));
    for_vectors<T>(0, cols, [=](int64_t c, int64_t n) { store_some(load_some(y + c, n) * scale, y + c, n); });
  });
}

template <class T> void log_softmax_rows(int64_t rows, int64_t cols, const void *x_, void *y_) {
  for_rows<T>(rows, cols, 10, [=](int64_t r) {
    const T *x = static_cast<const T *>(x_) + r * cols;
    T *y = static_cast<T *>(y_) + r * cols;
    const T most = row_max(cols, x);
    const Vec<T> shift(most), log_sum(T(__builtin_log(sum_exp(cols, x, most))));
    for_vectors<T>(0, cols, [=](int64_t c, int64_t n) { store_some(load_some(x + c, n) - shift - log_sum, y + c, n); });
  });
}

template <class T> void softmax_rows_vjp(int64_t rows, int64_t cols, const void *y_, const void *dy_, void *dx_) {
  for_rows<T>(rows, cols, 3, [=](int64_t r) {
    const T *y = static_cast<const T *>(y_) + r * cols, *dy = static_cast<const T *>(dy_) + r * cols;
    T *dx = static_cast<T *>(dx_) + r * cols;
    const Vec<T> mean(
        T(row_sum<T>(cols, [=](int64_t c, int64_t n) { return load_some(y + c, n) * load_some(dy + c, n); })));
    for_vectors<T>(0, cols, [=](int64_t c, int64_t n) {
      store_some(load_some(y + c, n) * (load_some(dy + c, n) - mean), dx + c, n);
    });
  });
}

template <class T> void log_softmax_rows_vjp(int64_t rows, int64_t cols, const void *y_, const void *dy_, void *dx_) {
  for_rows<T>(rows, cols, 10, [=](int64_t r) {
    const T *y = static_cast<const T *>(y_) + r * cols, *dy = static_cast<const T *>(dy_) + r * cols;
    T *dx = static_cast<T *>(dx_) + r * cols;
    const Vec<T> total(T(row_sum<T>(cols, [=](int64_t c, int64_t n) { return load_some(dy + c, n); })));
    for_vectors<T>(0, cols, [=](int64_t c, int64_t n) {
      store_some(load_some(dy + c, n) - exp_or_zero(load_some(y + c, n)) * total, dx + c, n);
    });
  });
}

template <class T> double total_weight(const CrossEntropy &ce) {
  if (!ce.weight)
    return double(ce.cols);
  const T *weight = static_cast<const T *>(ce.weight);
  return row_sum<T>(ce.cols, [=](int64_t c, int64_t n) { return load_some(weight + c, n); });
}

// With smoothing s over C classes: (1 - s) w_t (-log p_t) + s / C sum_c w_c (-log p_c), as PyTorch has it.
template <class T> void cross_entropy_rows(const CrossEntropy &ce, const void *x_, void *loss_, void *logsumexp_) {
  const double smooth = ce.label_smoothing / double(ce.cols), weights = smooth != 0 ? total_weight<T>(ce) : 0;
  const T *weight = static_cast<const T *>(ce.weight);
  const auto loss_of = [&](const T *x, int64_t target, double most, double log_sum) {
    const double target_weight = weight ? double(weight[target]) : 1;
    const double loss = (1 - ce.label_smoothing) * target_weight * (log_sum - (double(x[target]) - most));
    if (smooth == 0)
      return loss;
    T ones[Vec<T>::width];
    for (T &one : ones)
      one = T(1);
    const double below = row_sum<T>(ce.cols, [&](int64_t c, int64_t n) { // sum of w_c (x_c - max)
      return (load_some(x + c, n) - Vec<T>(T(most))) * load_some(weight ? weight + c : ones, n);
    });
    return loss + smooth * (weights * log_sum - below);
  };
  for_row_groups<T>(ce.rows, ce.cols, 8, [&](int64_t first, int64_t n) {
    const T *x = static_cast<const T *>(x_) + first * ce.cols;
    T *loss = static_cast<T *>(loss_) + first, *logsumexp = static_cast<T *>(logsumexp_) + first;
    T most[kRowGroup];
    double sum[kRowGroup];
    exp_sums(n, ce.cols, x, most, sum);
    for_vectors<double>(0, n,
                        [&](int64_t r, int64_t some) { store_some(log(load_some(sum + r, some)), sum + r, some); });
    for (int64_t r = 0; r < n; ++r) {
      const int64_t target = ce.target[first + r];
      const bool counts = target >= 0 && target != ce.ignore_index;
      logsumexp[r] = T(double(most[r]) + sum[r]);
      loss[r] = counts ? T(loss_of(x + r * ce.cols, target, double(most[r]), sum[r])) : T(0);
    }
  });
}

// dx_c = scale ((1 - s) w_t (p_c - [c = t]) + s / C (p_c sum w - w_c))
template <class T> void cross_entropy_rows_vjp(const CrossEntropy &ce, const void *x_, const void *logsumexp_,
                                               const void *scale_, int scale_step, void *dx_) {
  const double smooth = ce.label_smoothing / double(ce.cols), weights = smooth != 0 ? total_weight<T>(ce) : 0;
  const auto spread = [&](int64_t r) { // all but the target's share, which is returned
    const T *x = static_cast<const T *>(x_) + r * ce.cols, *weight = static_cast<const T *>(ce.weight);
    T *dx = static_cast<T *>(dx_) + r * ce.cols;
    const int64_t target = ce.target[r];
    const bool counts = target >= 0 && target != ce.ignore_index;
    const double scale = counts ? double(static_cast<const T *>(scale_)[r * scale_step]) : 0;
    if (!counts) {
      for_vectors<T>(0, ce.cols, [=](int64_t c, int64_t n) { store_some(Vec<T>(T(0)), dx + c, n); });
      return T(0);
    }
    const double on_target = scale * (1 - ce.label_smoothing) * (weight ? double(weight[target]) : 1);
    const Vec<T> shift(static_cast<const T *>(logsumexp_)[r]), factor(T(on_target + scale * smooth * weights));
    const Vec<T> each(T(scale * smooth));
    for_vectors<T>(0, ce.cols, [=](int64_t c, int64_t n) {
      Vec<T> d = exp_or_zero(load_some(x + c, n) - shift) * factor;
      if (smooth != 0)
        d -= weight ? each * load_some(weight + c, n) : each;
      store_some(d, dx + c, n);
    });
    return T(on_target);
  };
  for_row_groups<T>(ce.rows, ce.cols, 8, [&](int64_t first, int64_t n) {
    T on_target[kRowGroup];
    for (int64_t r = 0; r < n; ++r)
      on_target[r] = spread(first + r);
    for (int64_t r = 0; r < n; ++r) // later: a number out of a vector just stored is waited for
      if (on_target[r] != T(0))
        static_cast<T *>(dx_)[(first + r) * ce.cols + ce.target[first + r]] -= on_target[r];
  });
}

void fill_softmax(Table &table) {
  table.softmax_rows[0] = softmax_rows<float>;
  table.softmax_rows[1] = softmax_rows<double>;
  table.log_softmax_rows[0] = log_softmax_rows<float>;
  table.log_softmax_rows[1] = log_softmax_rows<double>;
  table.softmax_rows_vjp[0] = softmax_rows_vjp<float>;
  table.softmax_rows_vjp[1] = softmax_rows_vjp<double>;
  table.log_softmax_rows_vjp[0] = log_softmax_rows_vjp<float>;
  table.log_softmax_rows_vjp[1] = log_softmax_rows_vjp<double>;
  table.cross_entropy_rows[0] = cross_entropy_rows<float>;
  table.cross_entropy_rows[1] = cross_entropy_rows<double>;
  table.cross_entropy_rows_vjp[0] = cross_entropy_rows_vjp<float>;
  table.cross_entropy_rows_vjp[1] = cross_entropy_rows_vjp<double>;
}

} // namespace cinta::kernels::CINTA_ISA
