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
inline Generator process_generator; // guarded by the interpreter's lock
inline thread_local Generator *own_generator = nullptr;

// Where this thread draws from: the stream of the process, or one of its own (a data loader's workers have one for
// every batch, so that what they draw depends neither on each other nor on the training beside them).
inline Generator &generator() { return own_generator ? *own_generator : process_generator; }

} // namespace cinta
