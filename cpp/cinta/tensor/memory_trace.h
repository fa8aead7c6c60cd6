// What the allocator does for a while, written down: from the same step at two batch sizes follows its peak at any.
#pragma once
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace cinta {

class MemoryTrace {
public:
  // In order: the bytes that were asked for, or, where a block goes, -1 - k for the k-th that was asked for.
  std::vector<int64_t> events;

  void allocated(const void *block, size_t bytes) {
    live_[block] = blocks_++;
    events.push_back(int64_t(bytes));
  }
  void deallocated(const void *block) { // those from before are no part of it
    if (const auto found = live_.find(block); found != live_.end()) {
      events.push_back(-1 - found->second);
      live_.erase(found);
    }
  }

private:
  std::unordered_map<const void *, int64_t> live_;
  int64_t blocks_ = 0;
};

void set_memory_trace(MemoryTrace *trace); // null: none. Called under the interpreter's lock only
bool has_memory_trace();
size_t block_bytes(size_t bytes); // what a block for so many bytes takes

} // namespace cinta
