// The stream of random numbers: Philox, so element i depends on (key, counter + i) alone, however many threads draw it.
#pragma once
#include <cstdint>

namespace cinta {

struct Generator {
  uint64_t key = 0, counter = 0;
  uint64_t take(uint64_t n) { // where n numbers begin
    uint64_t first = counter;
    counter += (n + 3) / 4 * 4; // Philox makes four at a time
    return first;
  }
};
inline Generator generator; // of this process; guarded by the interpreter's lock

} // namespace cinta
