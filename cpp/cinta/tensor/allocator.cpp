#include "cinta/tensor/allocator.h"

#include <sys/mman.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>
#include <vector>

#include "cinta/base/check.h"
#include "cinta/tensor/memory_trace.h"

namespace cinta {
namespace {

// Four classes per power of two, eight of large blocks: at most a quarter of a block is wasted, or an eighth.
constexpr size_t kLarge = size_t(1) << 20;
struct SizeClass {
  int index;
  size_t bytes;
};
SizeClass size_class(size_t bytes) {
  bytes = std::max<size_t>(bytes, 64);
  int log = std::bit_width(bytes - 1) - 1; // 2^log < bytes <= 2^(log+1)
  size_t step = std::max<size_t>((size_t(1) << log) / (bytes > kLarge ? 8 : 4), 64);
  size_t rounded = (bytes + step - 1) / step * step;
  return {log * 8 + int((rounded - 1 - (size_t(1) << log)) / step), rounded};
}

constexpr int kClasses = 64 * 8;
constexpr size_t kHugePage = size_t(2) << 20;
constexpr size_t kMuch = size_t(32) << 20;

struct Blocks {
  std::vector<void *> free; // the last one freed goes first
  size_t unused = 0;        // of those, from the begin: nobody took them since give_back_unused()
  size_t bytes = 0;         // of each
};
struct Cache {
  Blocks blocks[kClasses];
  MemoryStats stats{};
  int thrift = 0;   // how many last
  size_t freed = 0; // bytes that the system has not looked for
};
// Never destroyed: tensors of other statics may be freed after it would be.
Cache &cache() {
  static Cache &instance = *new Cache;
  return instance;
}

size_t physical_memory() {
  static const size_t bytes = size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGESIZE));
  return bytes;
}

MemoryTrace *trace = nullptr; // under way
// Freed pages lie between blocks in use, where the system sees them only when they are looked for.
void trim() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
void trim_when_much(bool at_once = false) {
  Cache &c = cache();
  if (at_once || c.freed >= kMuch) {
    trim();
    c.freed = 0;
  }
}
// Before the system gives a block of this size: finding freed pages takes long.
void give_back(size_t bytes) {
  if (cache().stats.cached >= bytes)
    empty_cache();
  else if (bytes >= kMuch)
    trim();
}

} // namespace

void *allocate(size_t bytes) {
  Cache &c = cache();
  if (bytes > physical_memory())
    fail<MemoryError>("a block of ", bytes, " bytes was asked for, the machine has ", physical_memory(),
                      " bytes of memory (", c.stats.live, " in use by live tensors): use smaller shapes or batches");
  SizeClass k = size_class(bytes);
  void *block = nullptr;
  auto &[list, unused, _] = c.blocks[k.index];
  if (!list.empty()) {
    block = list.back();
    list.pop_back();
    unused = std::min(unused, list.size());
    c.stats.cached -= k.bytes;
  } else {
    ++c.stats.fresh;
    bool huge = k.bytes >= 2 * kHugePage;
    size_t alignment = huge ? kHugePage : 64;
    if (huge && c.thrift)
      give_back(k.bytes);
    block = std::aligned_alloc(alignment, (k.bytes + alignment - 1) / alignment * alignment);
    if (!block && c.stats.cached) {
      empty_cache();
      block = std::aligned_alloc(alignment, (k.bytes + alignment - 1) / alignment * alignment);
    }
    if (!block)
      fail<MemoryError>("no block of ", bytes, " bytes could be had, live tensors hold ", c.stats.live,
                        " bytes: drop tensors that are no longer needed or use smaller batches");
#ifdef MADV_HUGEPAGE
    if (huge)
      madvise(block, k.bytes, MADV_HUGEPAGE);
#endif
  }
  ++c.stats.allocations;
  c.stats.live += k.bytes;
  c.stats.peak = std::max(c.stats.peak, c.stats.live);
  if (trace) [[unlikely]]
    trace->allocated(block, bytes);
  return block;
}

void deallocate(void *block, size_t bytes) {
  Cache &c = cache();
  SizeClass k = size_class(bytes);
  c.stats.live -= k.bytes;
  c.stats.cached += k.bytes;
  c.blocks[k.index].free.push_back(block);
  c.blocks[k.index].bytes = k.bytes;
  if (trace) [[unlikely]]
    trace->deallocated(block);
}

size_t block_bytes(size_t bytes) { return size_class(bytes).bytes; }
void set_memory_trace(MemoryTrace *t) { trace = t; }
bool has_memory_trace() { return trace; }
Thrift::Thrift() { ++cache().thrift; }
Thrift::~Thrift() { --cache().thrift; }

MemoryStats memory_stats() { return cache().stats; }
void reset_peak_memory() { cache().stats.peak = cache().stats.live; }

void empty_cache(bool at_once) {
  Cache &c = cache();
  for (Blocks &b : c.blocks) {
    for (void *block : b.free)
      std::free(block);
    b.free.clear();
    b.unused = 0;
  }
  c.freed += std::exchange(c.stats.cached, 0);
  trim_when_much(at_once);
}

void give_back_unused() {
  Cache &c = cache();
  if (c.stats.cached <= kLarge)
    return;
  for (Blocks &b : c.blocks) {
    const auto end = b.free.begin() + ptrdiff_t(b.unused);
    std::for_each(b.free.begin(), end, std::free);
    b.free.erase(b.free.begin(), end);
    c.stats.cached -= b.unused * b.bytes;
    c.freed += b.unused * b.bytes;
    b.unused = b.free.size();
  }
  trim_when_much();
}

} // namespace cinta
