#include "cinta/tensor/packed_forms.h"

#include "cinta/tensor/allocator.h"

namespace cinta {

PackedForm *PackedForms::find(const PackedForm::Key &key, uint32_t version) {
  PackedForm *oldest = nullptr;
  for (PackedForm *f = forms; f < forms + count; ++f) {
    if (f->key == key)
      return f;
    const uint32_t age = version - f->version;
    if (f->readers == 0 && age > 0 && (!oldest || age > version - oldest->version))
      oldest = f;
  }
  if (count < kMost)
    oldest = forms + count++;
  if (!oldest)
    return nullptr;
  if (oldest->memory)
    deallocate(oldest->memory, oldest->bytes);
  *oldest = {};
  oldest->key = key;
  oldest->version = version;
  return oldest;
}

void PackedForms::forget() {
  for (PackedForm &f : forms)
    f.current = false;
}

PackedForms::~PackedForms() {
  for (PackedForm &f : forms)
    if (f.memory)
      deallocate(f.memory, f.bytes);
}

} // namespace cinta
