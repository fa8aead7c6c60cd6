// A caching allocator: freed blocks are kept by size class and handed out again, because a fresh large block costs
// three times a reused one (page faults). Called under the interpreter's lock only.
#pragma once
#include <cstddef>

namespace cinta {

void *allocate(size_t bytes); // 64-byte aligned; MemoryError says how much was asked, lives and is cached
void deallocate(void *block, size_t bytes);

struct MemoryStats {
  size_t live, cached, peak; // bytes
  size_t allocations, fresh; // blocks handed out so far, and how many of them the system had to give
};
MemoryStats memory_stats();
void reset_peak_memory();
// Gives cached blocks back to the system; it looks for their pages at once, or when there are some megabytes of them.
void empty_cache(bool at_once = true);
// Where many bytes are cached: gives blocks back that nobody took since the last time.
void give_back_unused();

class Thrift { // while one lasts, cached blocks are given back before the system gives a block of some megabytes
public:
  Thrift();
  ~Thrift();
  Thrift(const Thrift &) = delete;
  Thrift &operator=(const Thrift &) = delete;
};

} // namespace cinta
