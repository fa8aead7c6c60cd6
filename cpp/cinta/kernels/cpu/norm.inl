// Normalisation over the batch, over groups of channels, over features (groups 1, inner 1), and local response.
//
// Statistics: every span of about a thousand elements has its mean and the squares about it taken in two passes while
// it lies in L1, and spans are merged in double in a fixed order: as exact as two passes over everything, at the cost
// of one over memory, and the same bits for any number of threads.
#include "cinta/kernels/cpu/vector/blocks.inl"
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

constexpr int64_t kSpan = 1024;       // elements of a span
constexpr int64_t kNormBlock = 32768; // about as many elements per unit of threads' work
constexpr double kNormCost = 0.15;    // ns per element and pass

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// How many elements, their mean, and the sum of squares about it (Chan, Golub and LeVeque 1979).
struct Moments {
  double n = 0, mean = 0, squares = 0;
  CINTA_FN void merge(double count, double other_mean, double other_squares) {
    if (count == 0)
      return;
    const double total = n + count, gap = other_mean - mean, share = count / total;
    mean += gap * share;
    squares += other_squares + gap * gap * n * share;
    n = total;
  }
  CINTA_FN void merge(const Moments &o) { merge(o.n, o.mean, o.squares); }
  double variance() const { return n > 0 ? squares / n : 0; }
};

inline double inverse_deviation(const Norm &g, double variance) { return 1 / __builtin_sqrt(variance + g.eps); }
template <class T> CINTA_FN double at_or(const void *p, int64_t i, double otherwise) {
  return p ? double(static_cast<const T *>(p)[i]) : otherwise;
}

// What dx is made of: of_dy dy + of_x (x - mean) + shift. `n`: how many elements share the statistics, 0 where fixed.
struct Mix {
  double of_dy, of_x, shift;
};
inline Mix mix_of(double inverse, double weight, double n, double sum_dy, double sum_dy_x) {
  const double scale = inverse * weight;
  return n > 0 ? Mix{scale, -scale * inverse * inverse * sum_dy_x / n, -scale * sum_dy / n} : Mix{scale, 0, 0};
}

} // namespace cinta::kernels::CINTA_ISA

#include "cinta/kernels/cpu/norm/columns.inl"
#include "cinta/kernels/cpu/norm/planes.inl"
#include "cinta/kernels/cpu/norm/response.inl"
#include "cinta/kernels/cpu/norm/rows.inl"

namespace cinta::kernels::CINTA_ISA {

template <class T> void norm_forward(const Norm &g, const void *x_, void *y_, void *mean_, void *var_) {
  const T *x = static_cast<const T *>(x_);
  T *y = static_cast<T *>(y_), *mean = static_cast<T *>(mean_), *var = static_cast<T *>(var_);
  if (g.groups == 0)
    return g.channels_last || g.inner == 1 ? batch_columns(g, x, y, mean, var) : batch_planes(g, x, y, mean, var);
  if (g.inner == 1)
    return feature_rows(g, x, y, mean, var);
  return g.channels_last ? group_columns(g, x, y, mean, var) : group_rows(g, x, y, mean, var);
}

template <class T> void norm_vjp(const Norm &g, const void *x_, const void *dy_, const void *mean_, const void *var_,
                                 void *dx_, void *dweight_, void *dbias_) {
  const T *x = static_cast<const T *>(x_), *dy = static_cast<const T *>(dy_);
  const T *mean = static_cast<const T *>(mean_), *var = static_cast<const T *>(var_);
  T *dx = static_cast<T *>(dx_), *dw = static_cast<T *>(dweight_), *db = static_cast<T *>(dbias_);
  if (g.groups == 0)
    return g.channels_last || g.inner == 1 ? batch_columns_vjp(g, x, dy, mean, var, dx, dw, db)
                                           : batch_planes_vjp(g, x, dy, mean, var, dx, dw, db);
  if (g.channels_last && g.inner > 1)
    return group_columns_vjp(g, x, dy, mean, var, dx, dw, db);
  return g.inner == 1 ? feature_rows_vjp(g, x, dy, mean, var, dx, dw, db)
                      : group_rows_vjp(g, x, dy, mean, var, dx, dw, db);
}

void fill_norm(Table &table) {
  table.norm[0] = norm_forward<float>;
  table.norm[1] = norm_forward<double>;
  table.norm_vjp[0] = norm_vjp<float>;
  table.norm_vjp[1] = norm_vjp<double>;
  table.local_response[0] = local_response<float>;
  table.local_response[1] = local_response<double>;
  table.local_response_vjp[0] = local_response_vjp<float>;
  table.local_response_vjp[1] = local_response_vjp<double>;
}

} // namespace cinta::kernels::CINTA_ISA
