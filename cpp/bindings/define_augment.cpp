// What makes new training data of given ones: images sampled elsewhere, noise under signals.
#include "bindings/function.h"
#include "cinta/ops/mix_noise.h"
#include "cinta/ops/warp.h"

namespace cinta::python {
namespace {

using Maybe = std::optional<Tensor>;

bool is_nearest(const std::string &interpolation) {
  if (interpolation != "nearest" && interpolation != "bilinear")
    fail<ValueError>("[warp] interpolation is '", interpolation, "', expected 'bilinear' or 'nearest'");
  return interpolation == "nearest";
}

} // namespace

void define_augment() {
  define<[](const Tensor &x, const Maybe &matrices, const Maybe &displacement, const std::optional<Dims> &size,
            const std::string &interpolation, const std::string &padding_mode, double fill) {
    return ops::warp(x, matrices.value_or(Tensor()), displacement.value_or(Tensor()),
                     {size.value_or(Dims()), is_nearest(interpolation), ops::border_of(padding_mode, "warp"), fill});
  }>("warp(x, matrices=None, displacement=None, size=None, interpolation='bilinear', padding_mode='constant', "
     "fill=0.0)",
     "Images sampled elsewhere: y[n,c,i,j] = x[n,c] at (px, py) = M_n (j + dx, i + dy, 1).\n\n"
     "x [N,C,H,W]; matrices [2,3] or [N,2,3] from pixels of the result to pixels of the image, x before y, counted "
     "from the centre of the first; displacement (dx, dy) [N,2,OH,OW]; size (OH, OW), the images' own by default. "
     "padding_mode: 'constant' (fill), 'edge', 'reflect' or 'symmetric', as in pad. Gradients reach x alone.");
  define<ops::mix_noise>(
      "mix_noise(signal, noise, snr_db, first, length, start)",
      "Noise added at a ratio of powers: y[n,t] = signal[n,t] + g_n noise[first_n + (start_n + t) % length_n].\n\n"
      "g_n makes the mean square of the signal 10^(snr_db_n / 10) times that of what is added to it. signal [N,T]; "
      "noise: clips end to end; snr_db, first, length and start [N], the last three integers.");
}

} // namespace cinta::python
