// Where a storage was written in place, and when: a value saved for the gradient survives writes beside it, so that an
// array can be filled row by row, or column by column.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cinta/tensor/tensor.h"

namespace cinta {

// The bytes of a view: runs of `run` bytes, `period` apart, from begin to end; one run where period is 0.
struct Region {
  const char *begin, *end;
  int64_t period, run;

  explicit Region(const Tensor &view);
  bool overlaps(const Region &other) const; // true also where that is not known
};

class Writes {
public:
  explicit Writes(uint32_t since) : since_(since) {}
  void add(uint32_t version, const Region &region);
  // Whether the region was written after `version`; yes, where that is no longer known.
  bool touched(uint32_t version, const Region &region) const;

private:
  struct Write {
    uint32_t version;
    Region region;
  };
  static constexpr size_t kMost = 1 << 16;
  uint32_t since_; // all writes after this version are listed
  std::vector<Write> writes_;
};

} // namespace cinta
