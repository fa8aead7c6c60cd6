#include "cinta/ops/mix_noise.h"

#include <algorithm>
#include <cmath>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

// One signal of T samples and the clip that goes round beneath it.
template <class T>
void mix(int64_t samples, const T *signal, const T *clip, int64_t length, int64_t start, double gain, T *y) {
  for (int64_t t = 0, at = start; t < samples; at = 0) {
    const int64_t n = std::min(length - at, samples - t);
    for (int64_t i = 0; i < n; ++i)
      y[t + i] = T(double(signal[t + i]) + gain * double(clip[at + i]));
    t += n;
  }
}

struct MixWork { // in: signals, noise, snr_db, first, length, start
  void operator()(const Tensor *in, const Tensor *out) const {
    if (in[0].dtype() == Dtype::float64)
      run<double>(in, out);
    else
      run<float>(in, out);
  }
  template <class T> static void run(const Tensor *in, const Tensor *out) {
    const int64_t N = in[0].shape()[0], samples = in[0].shape()[1], all = in[1].size();
    const T *signals = in[0].data<T>(), *noise = in[1].data<T>();
    const double *snr_db = in[2].data<double>();
    const int64_t *first = in[3].data<int64_t>(), *length = in[4].data<int64_t>(), *start = in[5].data<int64_t>();
    std::vector<double> gain(static_cast<size_t>(N));
    const auto square = kernel().sum_squares[floating_index(in[0].dtype())];
    for (int64_t n = 0; n < N; ++n) {
      if (length[n] < 1 || first[n] < 0 || first[n] > all - length[n] || start[n] < 0 || start[n] >= length[n])
        fail<IndexError>("[mix_noise] clip ", n, " got first ", first[n], ", length ", length[n], ", start ", start[n],
                         ", expected a place inside its length and a length inside the ", all, " samples of noise");
      gain[size_t(n)] = gain_of(n, square(samples, signals + n * samples) / double(samples),
                                beneath(square, samples, noise + first[n], length[n], start[n]), snr_db[n]);
    }
    for (int64_t n = 0; n < N; ++n)
      mix(samples, signals + n * samples, noise + first[n], length[n], start[n], gain[size_t(n)],
          out[0].data<T>() + n * samples);
  }
  // The mean square of the noise that lies beneath the signal.
  template <class T>
  static double beneath(kernels::SumSquares square, int64_t samples, const T *clip, int64_t length, int64_t start) {
    double sum = 0;
    for (int64_t t = 0, at = start; t < samples; at = 0) {
      const int64_t n = std::min(length - at, samples - t);
      sum += square(n, clip + at);
      t += n;
    }
    return sum / double(samples);
  }
  static double gain_of(int64_t n, double signal, double noise, double snr_db) {
    check_sounds("signal ", n, signal);
    check_sounds("the noise beneath signal ", n, noise);
    return std::sqrt(signal / noise) * std::pow(10.0, -snr_db / 20);
  }
  static void check_sounds(const char *what, int64_t n, double mean_square) {
    if (!(mean_square > 0) || !std::isfinite(mean_square))
      fail<ValueError>("[mix_noise] ", what, n, " has a mean square of ", mean_square,
                       ", expected a positive, finite one: silence has no ratio to anything, leave it out");
  }
};

Tensor per_signal(const Tensor &x, int64_t signals, Dtype dtype, const char *what) {
  if (is_floating(x.dtype()) != is_floating(dtype) || x.dtype() == Dtype::bool_)
    fail<TypeError>("[mix_noise] ", what, " has dtype ", x.dtype(), ", expected ",
                    is_floating(dtype) ? "a floating" : "an integer", " one");
  if (!(x.shape() == Shape{signals}))
    fail<ValueError>("[mix_noise] ", what, " has shape ", x.shape(), ", expected ", Shape{signals},
                     ", one number for each signal");
  return contiguous(astype(x, dtype));
}

} // namespace

Tensor mix_noise(const Tensor &signal, const Tensor &noise, const Tensor &snr_db, const Tensor &first,
                 const Tensor &length, const Tensor &start) {
  check_floating(signal, "mix_noise");
  check_floating(noise, "mix_noise");
  if (signal.requires_grad() || noise.requires_grad())
    fail<ValueError>("[mix_noise] got a tensor that requires a gradient, expected data: pass it with .detach()");
  if (signal.ndim() != 2 || noise.ndim() != 1)
    fail<ValueError>("[mix_noise] signals have shape ", signal.shape(), " and noise ", noise.shape(),
                     ", expected [N,T] and [samples]");
  const int64_t N = signal.shape()[0];
  const Tensor x = contiguous_native(signal), y = empty(x.shape(), x.dtype());
  const Tensor beneath = contiguous(astype(noise, x.dtype()));
  const Tensor numbers[] = {per_signal(snr_db, N, Dtype::float64, "snr_db"),
                            per_signal(first, N, Dtype::int64, "first"), per_signal(length, N, Dtype::int64, "length"),
                            per_signal(start, N, Dtype::int64, "start")};
  if (y.size())
    compute({"mix_noise", Effect::check}, {x, beneath, numbers[0], numbers[1], numbers[2], numbers[3]}, {y}, MixWork{});
  return from_native(y, signal.dtype());
}

} // namespace cinta::ops
