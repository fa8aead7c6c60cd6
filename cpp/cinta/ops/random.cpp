#include "cinta/ops/random.h"

#include <numeric>

#include "cinta/base/random.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

__extension__ using Wide = unsigned __int128; // the high half of a product of two words

Dtype drawn_dtype(Dtype dtype, const char *op) {
  if (!is_floating(dtype))
    fail_dtype(op, dtype, "a floating dtype");
  return dtype == Dtype::float64 ? Dtype::float64 : Dtype::float32;
}

// Fills y with the generator's next numbers: fill(kernel index, n, first of the stream, y).
template <class F> void draw(const char *name, const Tensor &y, F fill) {
  if (y.size())
    compute({name, Effect::random}, {}, {y}, [fill](const Tensor *, const Tensor *out) {
      const int64_t n = out[0].size();
      fill(floating_index(out[0].dtype()), n, generator().take(uint64_t(n)), out[0].data());
    });
}

std::vector<uint32_t> bits(int64_t n) {
  std::vector<uint32_t> out(static_cast<size_t>(n));
  if (n)
    kernel().bits_fill(n, generator().key, generator().take(uint64_t(n)), out.data());
  return out;
}

struct DropoutWork { // out: y and the mask of what was kept
  static constexpr bool elementwise = true;
  double p;
  void operator()(const Tensor *in, const Tensor *out) const {
    const int64_t n = in[0].size();
    kernel().dropout_fill[floating_index(in[0].dtype())](n, generator().key, generator().take(uint64_t(n)), p,
                                                         in[0].data(), out[0].data(), out[1].data<uint8_t>());
  }
};
struct DropoutVjpWork {
  static constexpr bool elementwise = true;
  double scale;
  void operator()(const Tensor *in, const Tensor *out) const {
    kernel().dropout_vjp[floating_index(in[0].dtype())](in[0].size(), scale, in[1].data<uint8_t>(), in[0].data(),
                                                        out[0].data());
  }
};

struct MaskedAttributes {
  Tensor mask;
  double scale;
};
struct Masked final : OpWith<MaskedAttributes> { // x scale where the mask is set, else 0: its own derivative
  using OpWith::OpWith;
  const char *name() const override { return "dropout_backward"; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor x = contiguous_native(in[0]), y = empty(x.shape(), x.dtype());
    compute(name(), {x, mask}, {y}, DropoutVjpWork{scale});
    *out = from_native(y, in[0].dtype());
  }
  void vjp(Vjp &v) const override { v.dx(0, apply(make_op<Masked>(*this), {v.dy()})); }
};

struct DropoutAttributes {
  double p;
};
struct Dropout final : OpWith<DropoutAttributes> { // outputs y and the mask of what was kept
  using OpWith::OpWith;
  const char *name() const override { return "dropout"; }
  int outputs() const override { return 2; }
  bool repeatable() const override { return false; }
  uint32_t saves() const override { return saves::output(1); }
  void forward(const Tensor *in, int, Tensor *out) const override {
    Tensor x = contiguous_native(in[0]), y = empty(x.shape(), x.dtype());
    out[1] = empty(x.shape(), Dtype::bool_);
    if (x.size())
      compute({name(), Effect::random}, {x}, {y, out[1]}, DropoutWork{p});
    out[0] = from_native(y, in[0].dtype());
  }
  void vjp(Vjp &v) const override {
    if (const Tensor &dy = v.dy(0))
      v.dx(0, apply(make_op<Masked>({alias(v.out(1)), 1 / (1 - p)}), {dy}));
  }
};

} // namespace

Tensor random_uniform(const Shape &shape, double low, double high, Dtype dtype) {
  Tensor y = empty(shape, drawn_dtype(dtype, "uniform"));
  draw("uniform", y, [low, high](int f, int64_t n, uint64_t first, void *to) {
    kernel().uniform_fill[f](n, generator().key, first, low, high, to);
  });
  Tensor z = from_native(y, dtype);
  if (itemsize(dtype) == 2) // rounding to a half type may reach `high`: the value below it instead
    compute("uniform", {z}, {z}, [low, high](const Tensor *, const Tensor *out) {
      const uint16_t top = *scalar(high, out[0].dtype()).data<uint16_t>();
      for (int64_t i = 0; i < out[0].size(); ++i)
        if (uint16_t &bits = out[0].data<uint16_t>()[i]; bits == top && high > low)
          bits = high > 0 ? uint16_t(bits - 1) : high == 0 ? uint16_t(0x8001) : uint16_t(bits + 1);
    });
  return z;
}

Tensor random_normal(const Shape &shape, double mean, double std, Dtype dtype) {
  if (!(std >= 0))
    fail<ValueError>("[normal] std is ", std, ", expected 0 or more");
  Tensor y = empty(shape, drawn_dtype(dtype, "normal"));
  draw("normal", y, [mean, std](int f, int64_t n, uint64_t first, void *to) {
    kernel().normal_fill[f](n, generator().key, first, mean, std, to);
  });
  return from_native(y, dtype);
}

Tensor random_integers(const Shape &shape, int64_t low, int64_t high) {
  if (low >= high)
    fail<ValueError>("[integers] the range [", low, ", ", high, ") is empty, expected low < high");
  Tensor y = empty(shape, Dtype::int64);
  compute({"integers", Effect::random}, {}, {y}, [low, high](const Tensor *, const Tensor *out) {
    const Tensor &y = out[0];
    std::vector<uint32_t> words = bits(2 * y.size());
    const auto range = static_cast<Wide>(uint64_t(high) - uint64_t(low));
    for (int64_t i = 0; i < y.size();
         ++i) { // 64 random bits scaled to the range: bias below 2^-32 for ranges below 2^32
      uint64_t r = uint64_t(words[size_t(2 * i)]) << 32 | words[size_t(2 * i + 1)];
      y.data<int64_t>()[i] = int64_t(uint64_t(low) + uint64_t((r * range) >> 64));
    }
  });
  return y;
}

Tensor random_permutation(int64_t n) {
  if (n < 0)
    fail<ValueError>("[permutation] n is ", n, ", expected 0 or more");
  Tensor y = empty({n}, Dtype::int64);
  compute({"permutation", Effect::random}, {}, {y}, [n](const Tensor *, const Tensor *out) {
    int64_t *p = out[0].data<int64_t>();
    std::iota(p, p + n, int64_t(0));
    std::vector<uint32_t> words = bits(2 * n);
    for (int64_t i = n - 1; i > 0; --i) { // Fisher-Yates
      uint64_t r = uint64_t(words[size_t(2 * i)]) << 32 | words[size_t(2 * i + 1)];
      std::swap(p[i], p[int64_t((r * static_cast<Wide>(i + 1)) >> 64)]);
    }
  });
  return y;
}

Tensor random_bernoulli(const Shape &shape, double p) {
  if (!(p >= 0 && p <= 1))
    fail<ValueError>("[bernoulli] p is ", p, ", expected 0 to 1");
  Tensor u = random_uniform(shape, 0, 1, Dtype::float64);
  return less(u, number(p, u));
}

Tensor dropout(const Tensor &x, double p, bool training) {
  if (!(p >= 0 && p <= 1))
    fail<ValueError>("[dropout] p is ", p, ", expected 0 to 1");
  check_floating(x, "dropout");
  if (!training || p == 0)
    return x;
  if (p == 1)
    return multiply(x, 0.0);
  Tensor out[2];
  apply(make_op<Dropout>({p}), &x, 1, out);
  return out[0];
}

} // namespace cinta::ops
