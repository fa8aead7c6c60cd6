#include "cinta/replay/arena.h"

#include <set>
#include <utility>

#include "cinta/tensor/allocator.h"

namespace cinta::replay {
namespace {

struct Arena {
  char *idle = nullptr; // the block, where no run has it
  size_t bytes = 0;     // of that
  std::multiset<size_t> claims;
};
// Never destroyed: programs of other statics may go after it would be.
Arena &arena() {
  static Arena &instance = *new Arena;
  return instance;
}

} // namespace

void release_arena() {
  Arena &a = arena();
  if (a.idle)
    deallocate(std::exchange(a.idle, nullptr), std::exchange(a.bytes, 0));
}

ArenaClaim::ArenaClaim(size_t bytes) : bytes_(bytes) { arena().claims.insert(bytes); }
ArenaClaim::~ArenaClaim() {
  Arena &a = arena();
  a.claims.erase(a.claims.find(bytes_));
  const size_t largest = a.claims.empty() ? 0 : *a.claims.rbegin();
  if (a.bytes > largest + largest / 4)
    release_arena();
}

ArenaLease::ArenaLease(const ArenaClaim &claim) : data_(nullptr), bytes_(0) {
  Arena &a = arena();
  if (a.idle && a.bytes >= claim.bytes()) {
    data_ = std::exchange(a.idle, nullptr);
    bytes_ = std::exchange(a.bytes, 0);
  } else if (claim.bytes()) {
    release_arena();
    const Thrift thrift; // what recordings computed in lies in the allocator's cache: too small, and of no more use
    data_ = static_cast<char *>(allocate(claim.bytes()));
    bytes_ = claim.bytes();
  }
}

ArenaLease::~ArenaLease() {
  Arena &a = arena();
  if (bytes_ > a.bytes) {
    std::swap(a.idle, data_);
    std::swap(a.bytes, bytes_);
  }
  if (data_)
    deallocate(data_, bytes_);
}

} // namespace cinta::replay
