#include "cinta/tensor/storage.h"

#include <cstdlib>
#include <new>

#include "cinta/tensor/allocator.h"
#include "cinta/tensor/packed_forms.h"
#include "cinta/tensor/writes.h"

namespace cinta {
namespace {

// Free storages are chained, so that a small tensor costs no call of the system's allocator.
Storage *free_list = nullptr;
uint64_t serials = 0;

Storage *take() {
  Storage *s = free_list;
  if (s) {
    free_list = s->next_free;
  } else {
    s = static_cast<Storage *>(std::aligned_alloc(64, sizeof(Storage)));
    if (!s)
      throw std::bad_alloc();
  }
  s->refs = 1;
  s->serial = serials++;
  s->version = s->recorded_write = 0;
  s->readonly = s->parameter = false;
  s->exports = 0;
  s->exported = 0;
  s->packed = nullptr;
  s->writes = nullptr;
  s->written_at = {};
  s->release = nullptr;
  return s;
}

} // namespace

uint64_t next_serial() { return serials; }

Storage *new_storage(size_t bytes) {
  char *block = bytes > kInlineBytes ? static_cast<char *>(allocate(bytes)) : nullptr;
  Storage *s = take();
  s->data = block ? block : s->inline_data;
  s->bytes = bytes;
  return s;
}

Storage *wrap_storage(void *data, size_t bytes, bool readonly, void *owner, void (*release)(void *)) {
  Storage *s = take();
  s->data = static_cast<char *>(data);
  s->bytes = bytes;
  s->readonly = readonly;
  s->owner = owner;
  s->release = release;
  return s;
}

void free_storage(Storage *s) {
  drop_site(s->written_at);
  delete s->packed;
  delete s->writes;
  if (s->release)
    s->release(s->owner);
  else if (s->data != s->inline_data)
    deallocate(s->data, s->bytes);
  s->next_free = free_list;
  free_list = s;
}

void begin_export(Storage &s) {
  ++s.exports;
  ++s.exported;
}
void end_export(Storage &s) {
  if (--s.exports == 0 && s.packed)
    s.packed->forget();
}

} // namespace cinta
