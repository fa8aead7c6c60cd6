// Storage: the bytes that tensors look at, shared by their views.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

#include "cinta/base/site.h"

namespace cinta {

struct PackedForms;

inline constexpr size_t kInlineBytes = 64; // small tensors live inside their storage

class Writes;

struct alignas(64) Storage {
  char inline_data[kInlineBytes];
  char *data;
  size_t bytes;
  int32_t refs;
  uint32_t exported;       // counts the arrays there ever were that may write behind our back
  uint64_t serial;         // no other storage has had it
  uint32_t version;        // counts in-place writes
  uint32_t recorded_write; // version of the last in-place write that is on a tape
  bool readonly;
  bool parameter;               // a leaf on it was asked whether it requires grad: products will come back to it
  int32_t exports;              // how many of them are out there now
  Writes *writes;               // of parts of it, or null: it was never written, or as a whole
  Site written_at;              // the last in-place write
  void (*release)(void *owner); // for memory that is somebody else's; null: ours
  void *owner;
  PackedForms *packed; // for matrix products, or null
  Storage *next_free;
};

uint64_t next_serial(); // of the storage that is made next
Storage *new_storage(size_t bytes);
Storage *wrap_storage(void *data, size_t bytes, bool readonly, void *owner, void (*release)(void *owner));
void free_storage(Storage *storage);
// Around the time that others can write to it.
void begin_export(Storage &storage);
void end_export(Storage &storage);

// A counted reference; counts are plain integers, guarded by the interpreter's lock.
class StorageRef {
public:
  StorageRef() = default;
  explicit StorageRef(Storage *s) : s_(s) {} // takes over one reference
  StorageRef(const StorageRef &o) : s_(o.s_) {
    if (s_)
      ++s_->refs;
  }
  StorageRef(StorageRef &&o) noexcept : s_(std::exchange(o.s_, nullptr)) {}
  StorageRef &operator=(StorageRef o) noexcept {
    std::swap(s_, o.s_);
    return *this;
  }
  ~StorageRef() {
    if (s_ && --s_->refs == 0)
      free_storage(s_);
  }
  Storage *operator->() const { return s_; }
  Storage *get() const { return s_; }

private:
  Storage *s_ = nullptr;
};

} // namespace cinta
