// Statistics of units (features, channels) in one pass: sum, sum of squares, how many values lie outside of an
// interval.
#include "cinta/kernels/cpu/vector/blocks.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

constexpr int64_t kStatisticsBlock = 1024; // values added in lanes before the lanes are added in double
constexpr double kStatisticsNs = 0.25;     // per value

template <class T> struct UnitSums { // of one vector's lanes
  Vec<T> sum = T(0), squares = T(0), outside = T(0);
  CINTA_FN void add(Vec<T> x, Mask<T> counted, Vec<T> low, Vec<T> high) {
    sum = sum + x;
    squares = fma(x, x, squares);
    outside = outside + select(((x <= low) | (x >= high)) & counted, Vec<T>(T(1)), Vec<T>(T(0)));
  }
};

// x[outer, units, inner]: a unit's values lie in rows.
template <class T> void statistics_of_rows(const UnitStatistics &s, const T *x, double *y) {
  constexpr int W = Vec<T>::width;
  const Vec<T> low{T(s.low)}, high{T(s.high)};
  const Mask<T> all = Mask<T>::first_lanes(W);
  const double cost = double(s.outer * s.units * s.inner) * kStatisticsNs;
  for_blocks(s.units, 1, cost, [=](int64_t u, int64_t) {
    double sum = 0, squares = 0, outside = 0;
    for (int64_t o = 0; o < s.outer; ++o) {
      const T *row = x + (o * s.units + u) * s.inner;
      for (int64_t from = 0; from < s.inner; from += kStatisticsBlock) {
        const int64_t to = from + kStatisticsBlock < s.inner ? from + kStatisticsBlock : s.inner;
        UnitSums<T> even, odd; // no addition waits for the one before
        int64_t i = from;
        for (; i + 2 * W <= to; i += 2 * W) {
          even.add(Vec<T>::load(row + i), all, low, high);
          odd.add(Vec<T>::load(row + i + W), all, low, high);
        }
        for (; i < to; i += W) {
          const int64_t n = to - i < W ? to - i : W;
          even.add(Vec<T>::load_partial(row + i, n), Mask<T>::first_lanes(n), low, high);
        }
        sum += double(reduce_add(even.sum + odd.sum));
        squares += double(reduce_add(even.squares + odd.squares));
        outside += double(reduce_add(even.outside + odd.outside));
      }
    }
    y[u] = sum;
    y[s.units + u] = squares;
    y[2 * s.units + u] = outside;
  });
}

// x[outer, units]: each lane has a unit of its own.
template <class T> void statistics_of_columns(const UnitStatistics &s, const T *x, double *y) {
  constexpr int W = Vec<T>::width;
  const Vec<T> low{T(s.low)}, high{T(s.high)};
  for_blocks(s.units, W, double(s.outer * s.units) * kStatisticsNs, [=](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; u += W) {
      const int64_t n = end - u < W ? end - u : W;
      const Mask<T> all = Mask<T>::first_lanes(n);
      double sums[3][W] = {};
      for (int64_t from = 0; from < s.outer; from += kStatisticsBlock) {
        const int64_t to = from + kStatisticsBlock < s.outer ? from + kStatisticsBlock : s.outer;
        UnitSums<T> lanes;
        for (int64_t o = from; o < to; ++o)
          lanes.add(Vec<T>::load_partial(x + o * s.units + u, n), all, low, high);
        T part[3][W];
        lanes.sum.store(part[0]);
        lanes.squares.store(part[1]);
        lanes.outside.store(part[2]);
        for (int k = 0; k < 3; ++k)
          for (int l = 0; l < W; ++l)
            sums[k][l] += double(part[k][l]);
      }
      for (int k = 0; k < 3; ++k)
        for (int64_t l = 0; l < n; ++l)
          y[k * s.units + u + l] = sums[k][l];
    }
  });
}

template <class T> void unit_statistics(const UnitStatistics &s, const void *x, double *y) {
  if (s.inner == 1)
    statistics_of_columns(s, static_cast<const T *>(x), y);
  else
    statistics_of_rows(s, static_cast<const T *>(x), y);
}

void fill_statistics(Table &table) {
  table.unit_statistics[0] = unit_statistics<float>;
  table.unit_statistics[1] = unit_statistics<double>;
}

} // namespace cinta::kernels::CINTA_ISA
