#include "cinta/ops/conv_arguments.h"

#include <algorithm>

namespace cinta::ops {

Spatial spatial(const Dims &given, int axes, int64_t h, int64_t least, const char *what, const char *op) {
  if (given.size() != 1 && given.size() != axes)
    fail<ValueError>("[", op, "] ", what, " is ", given, ", expected one number or ", axes);
  for (int64_t v : given)
    if (v < least)
      fail<ValueError>("[", op, "] ", what, " is ", v, ", expected at least ", least);
  return {axes == 1 ? h : given[0], given.back()};
}

void check_mode(const Padding &padding, const char *op) {
  if (!padding.mode.empty() && padding.mode != "same" && padding.mode != "valid")
    fail<ValueError>("[", op, "] padding is '", padding.mode, "', expected numbers, 'same' or 'valid'");
}

void place(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, const std::string &mode, const char *op,
           int64_t &pad, int64_t &out) {
  const int64_t reach = (kernel - 1) * dilation + 1;
  if (mode == "same") {
    out = (size + stride - 1) / stride;
    pad = std::max<int64_t>((out - 1) * stride + reach - size, 0) / 2;
    return;
  }
  if (size + 2 * pad < reach || kernel < 1)
    fail<ValueError>("[", op, "] kernel of size ", kernel, " with dilation ", dilation, " covers ", reach,
                     " elements, expected at least 1 and at most the input's ", size, " + 2 * ", pad, " of padding");
  out = (size + 2 * pad - reach) / stride + 1;
}

} // namespace cinta::ops
