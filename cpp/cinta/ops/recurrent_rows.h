// Which place of a padded batch [T,B] is which row of the walk over time.
#pragma once
#include <vector>

#include "cinta/tensor/tensor.h"

namespace cinta::ops {

// With lengths, rows hold what there is of the sequences and nothing else: step by step, the longest sequence first.
// Without, rows lie as [T,B] does, and the walk in reverse begins with the last ones.
class Rows {
public:
  Rows(int64_t steps, int64_t batch, const Tensor &lengths, bool reverse);

  const bool packed; // there are lengths
  const int64_t steps, batch;
  int64_t total = 0;
  std::vector<int64_t> begin, count; // of a step: its first row, and how many sequences are alive
  std::vector<int64_t> last;         // the row of a sequence's last step, or -1; sequences in the walk's order

  // Rows of `bytes` in the walk's order: of a padded batch or of one state for each sequence; and back. With lengths
  // only: without, both lie alike.
  void gather(const char *padded, char *rows, size_t bytes) const;
  void scatter(const char *rows, char *padded, size_t bytes) const; // zeros where nothing goes
  void sort(const char *states, char *walk, size_t bytes) const;
  void unsort(const char *walk, char *states, size_t bytes) const;
  // The state before each row: that of the row before, or the initial one, zero where that is null. Walk's order.
  void previous(const char *rows, const char *initial, char *states, size_t bytes) const;

private:
  std::vector<int64_t> order_; // the sequences, longest first
  std::vector<int64_t> place_; // of a row: t * batch + b
};

} // namespace cinta::ops
