// Other forms of the matrices in a parameter's storage, which products read faster than the matrices themselves. They
// belong to the storage, go stale with every write, and are made anew in the memory they have.
#pragma once
#include <cstddef>
#include <cstdint>

namespace cinta {

struct PackedForm {
  struct Key {
    const char *data;
    int64_t rows, columns, row_step, column_step;
    int packing;
    bool operator==(const Key &) const = default;
  } key{};
  void *memory = nullptr; // null until a second product asks: one alone packs as it goes
  size_t bytes = 0;
  uint32_t version = 0; // of the storage, when it was last asked for
  uint32_t uses = 0;    // at this version
  int32_t readers = 0;  // products under way with it: other threads run while they compute
  bool reused = false;  // more than once at the version before: it will be again
  bool current = false; // what memory holds is this version
};

// A layer's weight is read two ways, in one precision or two; more forms take the place of those asked for least.
struct PackedForms {
  static constexpr int kMost = 4;
  PackedForm forms[kMost];
  int count = 0;

  PackedForm *find(const PackedForm::Key &key, uint32_t version); // null: all are taken and in use
  void forget();                                                  // what they hold: it was written behind our back
  ~PackedForms();
};

} // namespace cinta
