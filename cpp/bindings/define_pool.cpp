// Pooling and resampling: images made smaller or larger. Spatial arguments are one number, or one per axis.
#include "bindings/function.h"
#include "cinta/ops/fractional_pool.h"
#include "cinta/ops/resample.h"

namespace cinta::python {
namespace {

using Maybe = std::optional<Tensor>;
using MaybeSize = std::optional<Dims>;
using MaybeInt = std::optional<int64_t>;

PyObject *with_indices(const ops::Values &y, bool wanted) { return wanted ? to_python(y) : to_python(y.first); }

template <auto pool> PyObject *max_pool(const Tensor &x, const Dims &kernel_size, const MaybeSize &stride,
                                        const Dims &padding, const Dims &dilation, bool ceil_mode,
                                        bool return_indices) {
  ops::Values y = pool(x, kernel_size, stride.value_or(Dims()), padding, dilation, ceil_mode, return_indices);
  return with_indices(y, return_indices);
}

template <auto pool> Tensor avg_pool(const Tensor &x, const Dims &kernel_size, const MaybeSize &stride,
                                     const Dims &padding, bool ceil_mode, bool count_include_pad,
                                     const MaybeInt &divisor_override) {
  return pool(x, kernel_size, stride.value_or(Dims()), padding, ceil_mode, count_include_pad, divisor_override);
}

template <auto pool> PyObject *adaptive_max_pool(const Tensor &x, const Dims &output_size, bool return_indices) {
  return with_indices(pool(x, output_size, return_indices), return_indices);
}

std::optional<std::vector<double>> numbers_of(PyObject *o, const char *op) { // one, or one for each axis
  if (o == Py_None)
    return std::nullopt;
  if (!PySequence_Check(o))
    return std::vector<double>{From<double>::get(o, op)};
  std::vector<double> numbers;
  const Ref items = Ref::checked(PySequence_Fast(o, "expected one number, or one for each axis"));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i)
    numbers.push_back(From<double>::get(PySequence_Fast_GET_ITEM(items.get(), i), op));
  return numbers;
}

PyObject *fractional_max_pool2d(const Tensor &x, const MaybeSize &kernel_size, const MaybeSize &output_size,
                                PyObject *output_ratio, bool return_indices, const Maybe &samples, bool pseudo_random,
                                bool overlapping, bool shared, bool training) {
  const ops::FractionalPool how{kernel_size,
                                output_size,
                                numbers_of(output_ratio, "fractional_max_pool2d"),
                                samples.value_or(Tensor()),
                                pseudo_random,
                                overlapping,
                                shared,
                                training};
  return with_indices(ops::fractional_max_pool2d(x, how, return_indices), return_indices);
}

} // namespace

void define_pool() {
  define<max_pool<ops::max_pool1d>>(
      "max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)",
      "The largest value of every window of x [N,C,L]; stride is the window's size by default.");
  define<max_pool<ops::max_pool2d>>(
      "max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)",
      "The largest value of every window of x [N,C,H,W]; stride is the window's size by default.");
  define<avg_pool<ops::avg_pool1d>>("avg_pool1d(x, kernel_size, stride=None, padding=0, ceil_mode=False, "
                                    "count_include_pad=True, divisor_override=None)",
                                    "The mean of every window of x [N,C,L]; stride is the window's size by default.");
  define<avg_pool<ops::avg_pool2d>>("avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, "
                                    "count_include_pad=True, divisor_override=None)",
                                    "The mean of every window of x [N,C,H,W]; stride is the window's size by default.");
  define<ops::adaptive_avg_pool1d>("adaptive_avg_pool1d(x, output_size)",
                                   "Means over output_size windows that cover x [N,C,L] evenly.");
  define<ops::adaptive_avg_pool2d>("adaptive_avg_pool2d(x, output_size)",
                                   "Means over output_size windows that cover x [N,C,H,W] evenly.");
  define<adaptive_max_pool<ops::adaptive_max_pool1d>>(
      "adaptive_max_pool1d(x, output_size, return_indices=False)",
      "The largest values of output_size windows that cover x [N,C,L] evenly.");
  define<adaptive_max_pool<ops::adaptive_max_pool2d>>(
      "adaptive_max_pool2d(x, output_size, return_indices=False)",
      "The largest values of output_size windows that cover x [N,C,H,W] evenly.");
  define<ops::max_unpool1d>("max_unpool1d(x, indices, output_size)",
                            "Values back to where max_pool1d found them: y[n,c,indices[n,c,t]] = x[n,c,t], 0 "
                            "elsewhere; y [N,C,output_size].");
  define<ops::max_unpool2d>(
      "max_unpool2d(x, indices, output_size)",
      "Values back to where max_pool2d found them: y[n,c,indices] = x in planes of output_size (H, W), 0 elsewhere.\n\n"
      "Of equal indices the last counts, for the gradient too.");
  define<fractional_max_pool2d>(
      "fractional_max_pool2d(x, kernel_size=None, output_size=None, output_ratio=None, return_indices=False, "
      "_random_samples=None, pseudo_random=True, overlapping=True, shared=True, training=True)",
      "The largest value of windows whose borders are drawn, so that x [N,C,H,W] shrinks by any ratio.\n\n"
      "nn.FractionalMaxPool2d documents the arguments. training: windows are drawn, else they lie evenly. "
      "_random_samples: the offsets of columns and rows in [0, 1), one pair [2] or one for every plane [N,C,2]. "
      "Source: Graham, \"Fractional Max-Pooling\", 2014.");
}

void define_resample() {
  define<[](const Tensor &x, const Dims &size, const std::string &mode, PyObject *scale, bool align_corners,
            bool antialias) {
    return ops::resample(x, {size, numbers_of(scale, "resample"), mode, align_corners, antialias});
  }>("resample(x, size, mode='nearest', scale=None, align_corners=False, antialias=False)",
     "x [N,C,L] or [N,C,H,W] in another size: each axis by itself, new elements as weighted sums of old neighbours.\n\n"
     "size: one number for each axis. mode: 'nearest', 'nearest-exact', 'area' (means of what a new "
     "element covers), 'linear' (L), 'bilinear' or 'bicubic' (H, W). scale: how much longer each axis becomes, where "
     "that is not size / old size. align_corners: the outermost elements keep their places. antialias: when shrinking, "
     "filters as wide as the step. nn.functional.interpolate takes PyTorch's arguments. Sources: Keys, \"Cubic "
     "Convolution Interpolation for Digital Image Processing\", 1981 (bicubic).");
}

} // namespace cinta::python
