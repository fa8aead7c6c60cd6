// Noise added to signals at a given ratio of their powers.
#pragma once
#include "cinta/ops/op.h"

namespace cinta::ops {

// y[n,t] = signal[n,t] + g_n noise[first_n + (start_n + t) % length_n], g_n such that the mean square of the signal is
// 10^(snr_db_n / 10) times that of what is added. signal [N,T]; noise: clips end to end; the rest [N].
Tensor mix_noise(const Tensor &signal, const Tensor &noise, const Tensor &snr_db, const Tensor &first,
                 const Tensor &length, const Tensor &start);

} // namespace cinta::ops
