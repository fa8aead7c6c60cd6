#include "cinta/ops/resample.h"

#include "cinta/ops/channels_last.h"
#include "cinta/ops/resample_weights.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

constexpr const char *kName = "resample";

// Weights as tensors: first and count [2,out], weights [out,taps]; none where an axis stays as it is.
struct AxisWeights {
  int64_t size, out;
  Tensor places, weights;
  bool changes() const { return bool(places); }
};

struct PlacesWork { // out: first and count
  std::shared_ptr<const ResampleWeights> w;
  bool operator==(const PlacesWork &o) const { return *w == *o.w; }
  void operator()(const Tensor *, const Tensor *out) const {
    std::copy(w->first.begin(), w->first.end(), out[0].data<int64_t>());
    std::copy(w->count.begin(), w->count.end(), out[0].data<int64_t>() + w->first.size());
  }
};
struct WeightsWork {
  std::shared_ptr<const ResampleWeights> w;
  bool operator==(const WeightsWork &o) const { return *w == *o.w; }
  void operator()(const Tensor *, const Tensor *out) const {
    for (size_t i = 0; i < w->weights.size(); ++i)
      if (out[0].dtype() == Dtype::float64)
        out[0].data<double>()[i] = w->weights[i];
      else
        out[0].data<float>()[i] = float(w->weights[i]);
  }
};

AxisWeights as_tensors(const ResampleWeights &given, Dtype dtype) {
  const int64_t out = int64_t(given.first.size()), in = given.adjoint ? given.rule.out : given.rule.size;
  if (given.unchanged())
    return {in, out, Tensor(), Tensor()};
  const auto w = std::make_shared<const ResampleWeights>(given);
  const Tensor places = empty({2, out}, Dtype::int64), weights = empty({out, w->taps}, dtype);
  compute("resample_places", {}, {places}, PlacesWork{w});
  compute("resample_weights", {}, {weights}, WeightsWork{w});
  return {in, out, places, weights};
}

struct ResampleAttributes {
  bool channels_last;
  AxisWeights rows, columns, rows_back, columns_back;
  Shape x_shape, y_shape;
};

struct ResampleWork { // in: x, then first and count and weights of the rows, the columns, where they change
  int64_t images, channels, H, W, OH, OW;
  bool rows, columns;
  void operator()(const Tensor *in, const Tensor *out) const {
    const auto axis = [&](const Tensor *w, bool changes, int64_t size, int64_t n) {
      kernels::ResampleAxis a{size, n, 0, nullptr, nullptr, nullptr};
      if (changes)
        a.taps = w[1].shape()[1], a.first = w[0].data<int64_t>(), a.count = a.first + n, a.weights = w[1].data();
      return a;
    };
    kernel().resample[floating_index(in[0].dtype())](
        {images, channels, axis(in + 1, rows, H, OH), axis(in + 1 + 2 * rows, columns, W, OW)}, in[0].data(),
        out[0].data());
  }
};

struct ResampleOp final : OpWith<ResampleAttributes> {
  using OpWith::OpWith;
  const char *name() const override { return kName; }
  void forward(const Tensor *in, int, Tensor *out) const override {
    const Laid x(in[0], channels_last);
    Laid y(y_shape, x.memory.dtype(), channels_last);
    const int64_t channels = channels_last ? x_shape[1] : 1;
    Tensors operands{x.memory};
    for (const AxisWeights *w : {&rows, &columns})
      if (w->changes())
        operands.push_back(w->places), operands.push_back(w->weights);
    if (y.memory.size())
      compute(name(), operands, Tensors{y.memory},
              ResampleWork{count(x_shape) / (channels * rows.size * columns.size), channels, rows.size, columns.size,
                           rows.out, columns.out, rows.changes(), columns.changes()});
    *out = y.take(in[0].dtype());
  }
  void vjp(Vjp &v) const override { // linear: the same with the weights the other way round
    v.dx(0, apply(make_op<ResampleOp>({channels_last, rows_back, columns_back, rows, columns, y_shape, x_shape}),
                  {v.dy()}));
  }
};

struct Mode {
  const char *name;
  Interpolation how;
  int axes; // that x must have beside images and channels; 0: one or two
};
constexpr Mode kModes[] = {{"nearest", Interpolation::nearest, 0}, {"nearest-exact", Interpolation::nearest_exact, 0},
                           {"area", Interpolation::area, 0},       {"linear", Interpolation::linear, 1},
                           {"bilinear", Interpolation::linear, 2}, {"bicubic", Interpolation::cubic, 2}};

Mode mode_of(const Tensor &x, const std::string &name) {
  for (const Mode &mode : kModes)
    if (name == mode.name) {
      if ((x.ndim() != 3 && x.ndim() != 4) || (mode.axes && x.ndim() != mode.axes + 2))
        fail<ValueError>("[", kName, "] input has shape ", x.shape(), ", expected ",
                         mode.axes == 1   ? "[N,C,L]"
                         : mode.axes == 2 ? "[N,C,H,W]"
                                          : "[N,C,L] or [N,C,H,W]",
                         " for mode '", name, "'");
      return mode;
    }
  fail<ValueError>("[", kName, "] mode is '", name,
                   "', expected 'nearest', 'nearest-exact', 'linear', 'bilinear', 'bicubic' or 'area'");
}

} // namespace

Tensor resample(const Tensor &x, const ResampleOptions &options) {
  check_floating(x, kName);
  const Mode mode = mode_of(x, options.mode);
  const int axes = x.ndim() - 2;
  const bool smooth = mode.how == Interpolation::linear || mode.how == Interpolation::cubic;
  if (options.size.size() != axes)
    fail<ValueError>("[", kName, "] size is ", options.size, ", expected ", axes, " number(s) for an input ",
                     x.shape());
  if (options.scale && int(options.scale->size()) != axes)
    fail<ValueError>("[", kName, "] scale has ", options.scale->size(), " number(s), expected ", axes);
  if (options.align_corners && !smooth)
    fail<ValueError>("[", kName, "] got align_corners with mode '", options.mode,
                     "', expected it only with 'linear', 'bilinear' or 'bicubic'");
  if (options.antialias && (!smooth || axes != 2))
    fail<ValueError>("[", kName, "] got antialias with mode '", options.mode,
                     "', expected it only with 'bilinear' or 'bicubic'");
  ResampleAttributes a{lies_channels_last(x), {}, {}, {}, {}, x.shape(), x.shape()};
  const Dtype native = x.dtype() == Dtype::float64 ? Dtype::float64 : Dtype::float32;
  const auto weights = [&](int64_t size, int64_t out, int axis) {
    if (out < 1 || size < 1)
      fail<ValueError>("[", kName, "] ", out, " elements of ", size, " (input ", x.shape(), ", size ", options.size,
                       "), expected at least 1 of each");
    double step = double(size) / double(out);
    if (options.align_corners)
      step = out > 1 ? double(size - 1) / double(out - 1) : 0;
    else if (options.scale)
      step = 1 / (*options.scale)[size_t(axis)];
    if (!(step >= 0) || step > 1e15)
      fail<ValueError>("[", kName, "] scale is ", 1 / step, ", expected a positive number");
    return resample_weights({size, out, mode.how, step, options.align_corners, options.antialias});
  };
  const auto set = [&](AxisWeights &to, AxisWeights &back, const ResampleWeights &w) {
    to = as_tensors(w, native);
    back = to.changes() ? as_tensors(transposed(w), native) : AxisWeights{to.out, to.size, Tensor(), Tensor()};
  };
  a.rows = a.rows_back = {1, 1, Tensor(), Tensor()};
  if (axes == 2)
    set(a.rows, a.rows_back, weights(x.shape(-2), a.y_shape[2] = options.size[0], 0));
  set(a.columns, a.columns_back, weights(x.shape(-1), a.y_shape[axes + 1] = options.size[axes - 1], axes - 1));
  if (!a.rows.changes() && !a.columns.changes())
    return x;
  return apply(make_op<ResampleOp>(a), {x});
}

} // namespace cinta::ops
