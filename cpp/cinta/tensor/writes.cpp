#include "cinta/tensor/writes.h"

#include <algorithm>
#include <cstdlib>

namespace cinta {

Region::Region(const Tensor &view) : begin(view.data<char>()), end(begin), period(0), run(0) {
  const int64_t item = int64_t(itemsize(view.dtype()));
  int64_t reach = item, outer = 0; // of all axes; of the one with the largest stride
  for (int i = 0; i < view.ndim(); ++i) {
    const int64_t step = std::abs(view.strides()[i]) * item, span = (view.shape()[i] - 1) * step;
    if (view.strides()[i] < 0)
      begin -= span;
    reach += span;
    if (view.shape()[i] > 1 && step > period) {
      period = step;
      outer = span;
    }
  }
  end = begin + (view.size() ? reach : 0);
  run = reach - outer;
}

bool Region::overlaps(const Region &other) const {
  if (end <= other.begin || other.end <= begin)
    return false;
  if (period == 0 || period != other.period)
    return true;
  const int64_t behind = ((other.begin - begin) % period + period) % period;
  return behind < run || period - behind < other.run;
}

void Writes::add(uint32_t version, const Region &region) {
  if (writes_.size() == kMost) { // the older half is forgotten
    since_ = writes_[kMost / 2 - 1].version;
    writes_.erase(writes_.begin(), writes_.begin() + kMost / 2);
  }
  writes_.push_back({version, region});
}

bool Writes::touched(uint32_t version, const Region &region) const {
  if (version < since_)
    return true;
  const auto later = std::partition_point(writes_.begin(), writes_.end(),
                                          [&](const Write &write) { return write.version <= version; });
  return std::any_of(later, writes_.end(), [&](const Write &write) { return write.region.overlaps(region); });
}

} // namespace cinta
