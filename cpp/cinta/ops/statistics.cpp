#include "cinta/ops/statistics.h"

#include "cinta/ops/channels_last.h"

namespace cinta::ops {

Tensor unit_statistics(const Tensor &x, int64_t axis, double low, double high) {
  check_floating(x, "unit_statistics");
  const int64_t ndim = x.ndim();
  if (axis < -ndim || axis >= ndim)
    fail<IndexError>("[unit_statistics] axis got ", axis, ", expected one of ", ndim, " axes");
  const int units_axis = int(axis < 0 ? axis + ndim : axis);
  const bool last = units_axis == 1 && lies_channels_last(x);
  kernels::UnitStatistics s{1, x.shape()[units_axis], 1, low, high};
  for (int i = 0; i < ndim; ++i)
    if (i != units_axis)
      (last || i < units_axis ? s.outer : s.inner) *= x.shape()[i];
  const Tensor y = zeros({3, s.units}, Dtype::float64);
  compute("unit_statistics", {x}, {y}, [s, last](const Tensor *in, const Tensor *out) {
    const Laid laid(in[0], last);
    if (in[0].size() > 0)
      kernel().unit_statistics[floating_index(laid.memory.dtype())](s, laid.memory.data(), out[0].data<double>());
  });
  return y;
}

} // namespace cinta::ops
