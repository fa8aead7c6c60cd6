// Optimizer updates: one pass over memory, PyTorch's formulas in PyTorch's order.
#include "cinta/kernels/cpu/optim/moments.inl"
#include "cinta/kernels/cpu/optim/signs.inl"
#include "cinta/kernels/cpu/optim/squares.inl"

namespace cinta::kernels::CINTA_ISA {

template <class T> void sgd_step(int64_t count, const Sgd &o, void *p_, const void *g_, void *velocity_) {
  const T decay = T(o.weight_decay), momentum = T(o.momentum), fresh = T(1 - o.dampening), step = T(-o.lr);
  update_each<T>(count, 0.4, [=](int64_t i, int64_t n) {
    const Lanes<T> p(p_, i, n);
    const Vec<T> weights = p.load();
    Vec<T> d = gradient<T>(g_, i, n, o.maximize, decay, weights);
    if (velocity_) {
      const Lanes<T> velocity(velocity_, i, n);
      const Vec<T> v = o.first ? d : fma(Vec<T>(fresh), d, velocity.load() * Vec<T>(momentum));
      velocity.store(v);
      d = o.nesterov ? fma(Vec<T>(momentum), v, d) : v;
    }
    p.store(fma(Vec<T>(step), d, weights));
  });
}

template <class T> void lerp_step(int64_t count, double share, void *a_, const void *x_) {
  update_each<T>(count, 0.3, [=](int64_t i, int64_t n) {
    const Lanes<T> a(a_, i, n), x(const_cast<void *>(x_), i, n);
    a.store(average<T>(a.load(), T(share), x.load()));
  });
}

// Sixteen sums of doubles on every level, so that each level gives the same bits.
inline double sum_of_lanes(double *lanes) {
  for (int half = 8; half >= 1; half /= 2)
    for (int l = 0; l < half; ++l)
      lanes[l] += lanes[l + half];
  return lanes[0];
}

template <class T> double sum_squares_block(int64_t n, const T *x) {
  double lanes[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 16; ++l)
      lanes[l] += double(x[i + l]) * double(x[i + l]);
  for (int l = 0; i + l < n; ++l)
    lanes[l] += double(x[i + l]) * double(x[i + l]);
  return sum_of_lanes(lanes);
}

template <class T> double sum_squares(int64_t count, const void *x_) {
  const T *x = static_cast<const T *>(x_);
  if (count <= kUpdateBlock)
    return sum_squares_block(count, x);
  const int64_t blocks = (count + kUpdateBlock - 1) / kUpdateBlock;
  double *sums = static_cast<double *>(scratch(Scratch::reduce, size_t(blocks) * sizeof(double)));
  for_blocks(count, kUpdateBlock, double(count) * 0.2, [=](int64_t begin, int64_t end) {
    sums[begin / kUpdateBlock] = sum_squares_block(end - begin, x + begin);
  });
  double sum = 0;
  for (int64_t b = 0; b < blocks; ++b)
    sum += sums[b];
  return sum;
}

// The blocks and lanes that sum_squares has where zeros stand between the rows: the same bits.
template <class T> double sum_squares_of_rows(int64_t count, int64_t width, const int64_t *rows, const void *x_) {
  const T *x = static_cast<const T *>(x_);
  double sum = 0, lanes[16] = {};
  int64_t block = 0; // that is under way
  for (int64_t k = 0; k < count; ++k, x += width)
    for (int64_t i = 0; i < width;) {
      const int64_t at = rows[k] * width + i;
      if (at / kUpdateBlock != block) {
        sum += sum_of_lanes(lanes);
        for (double &lane : lanes)
          lane = 0;
        block = at / kUpdateBlock;
      }
      const int64_t in_block = (block + 1) * kUpdateBlock - at, end = i + (in_block < width - i ? in_block : width - i);
      for (int l = int(at % 16); l % 16 && i < end; ++l, ++i)
        lanes[l] += double(x[i]) * double(x[i]);
      for (; i + 16 <= end; i += 16)
        for (int l = 0; l < 16; ++l)
          lanes[l] += double(x[i + l]) * double(x[i + l]);
      for (int l = 0; i < end; ++l, ++i)
        lanes[l] += double(x[i]) * double(x[i]);
    }
  return sum + sum_of_lanes(lanes);
}

void fill_optim(Table &table) {
  table.sgd_step[0] = sgd_step<float>;
  table.sgd_step[1] = sgd_step<double>;
  table.adam_step[0] = adam_step<float>;
  table.adam_step[1] = adam_step<double>;
  table.rmsprop_step[0] = rmsprop_step<float>;
  table.rmsprop_step[1] = rmsprop_step<double>;
  table.adagrad_step[0] = adagrad_step<float>;
  table.adagrad_step[1] = adagrad_step<double>;
  table.nadam_step[0] = nadam_step<float>;
  table.nadam_step[1] = nadam_step<double>;
  table.radam_step[0] = radam_step<float>;
  table.radam_step[1] = radam_step<double>;
  table.adamax_step[0] = adamax_step<float>;
  table.adamax_step[1] = adamax_step<double>;
  table.adadelta_step[0] = adadelta_step<float>;
  table.adadelta_step[1] = adadelta_step<double>;
  table.lion_step[0] = lion_step<float>;
  table.lion_step[1] = lion_step<double>;
  table.rprop_step[0] = rprop_step<float>;
  table.rprop_step[1] = rprop_step<double>;
  table.lerp_step[0] = lerp_step<float>;
  table.lerp_step[1] = lerp_step<double>;
  table.sum_squares[0] = sum_squares<float>;
  table.sum_squares[1] = sum_squares<double>;
  table.sum_squares_of_rows[0] = sum_squares_of_rows<float>;
  table.sum_squares_of_rows[1] = sum_squares_of_rows<double>;
}

} // namespace cinta::kernels::CINTA_ISA
