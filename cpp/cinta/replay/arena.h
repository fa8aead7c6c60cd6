// Arena: the one block where the temporaries of all programs lie, each program's while it runs. It is as large as the
// largest that was run needs, and no recording needs memory of its own. Used under the interpreter's lock only.
#pragma once
#include <cstddef>

namespace cinta::replay {

class ArenaClaim { // of a program that can be run; with the last one the block goes
public:
  explicit ArenaClaim(size_t bytes);
  ~ArenaClaim();
  ArenaClaim(const ArenaClaim &) = delete;
  ArenaClaim &operator=(const ArenaClaim &) = delete;
  size_t bytes() const { return bytes_; }

private:
  size_t bytes_;
};

class ArenaLease { // for one run; a run in another thread meanwhile gets a block of its own
public:
  explicit ArenaLease(const ArenaClaim &claim);
  ~ArenaLease();
  ArenaLease(const ArenaLease &) = delete;
  ArenaLease &operator=(const ArenaLease &) = delete;
  char *data() const { return data_; }

private:
  char *data_;
  size_t bytes_;
};

void release_arena(); // to the allocator, where no run has it

} // namespace cinta::replay
