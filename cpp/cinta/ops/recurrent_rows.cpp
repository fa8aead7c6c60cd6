#include "cinta/ops/recurrent_rows.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace cinta::ops {

Rows::Rows(int64_t steps, int64_t batch, const Tensor &lengths, bool reverse)
    : packed(bool(lengths)), steps(steps), batch(batch), begin(size_t(steps)), count(size_t(steps), batch),
      last(size_t(batch), -1) {
  if (!packed) {
    total = steps * batch;
    for (int64_t s = 0; s < steps; ++s)
      begin[size_t(s)] = (reverse ? steps - 1 - s : s) * batch;
    for (int64_t b = 0; steps && b < batch; ++b)
      last[size_t(b)] = begin.back() + b;
    return;
  }
  const int64_t *length = lengths.data<int64_t>();
  for (int64_t b = 0; b < batch; ++b)
    if (length[b] < 0 || length[b] > steps)
      fail<ValueError>("[recurrent] lengths[", b, "] is ", length[b], ", expected 0 to ", steps,
                       ", the number of steps of the input");
  order_.resize(size_t(batch));
  std::iota(order_.begin(), order_.end(), 0);
  std::stable_sort(order_.begin(), order_.end(), [=](int64_t a, int64_t b) { return length[a] > length[b]; });
  int64_t alive = batch;
  for (int64_t s = 0; s < steps; ++s) {
    while (alive > 0 && length[order_[size_t(alive - 1)]] <= s)
      --alive;
    begin[size_t(s)] = total;
    count[size_t(s)] = alive;
    for (int64_t i = 0; i < alive; ++i) {
      const int64_t b = order_[size_t(i)], t = reverse ? length[b] - 1 - s : s;
      place_.push_back(t * batch + b);
      last[size_t(i)] = total + i;
    }
    total += alive;
  }
}

void Rows::gather(const char *padded, char *rows, size_t bytes) const {
  for (int64_t row = 0; row < total; ++row)
    std::memcpy(rows + size_t(row) * bytes, padded + size_t(place_[size_t(row)]) * bytes, bytes);
}
void Rows::scatter(const char *rows, char *padded, size_t bytes) const {
  for (int64_t row = 0; row < total; ++row)
    std::memcpy(padded + size_t(place_[size_t(row)]) * bytes, rows + size_t(row) * bytes, bytes);
  for (int64_t s = 0; s < steps; ++s) // in either direction the end of a sequence is padding
    for (int64_t i = count[size_t(s)]; i < batch; ++i)
      std::memset(padded + size_t(s * batch + order_[size_t(i)]) * bytes, 0, bytes);
}
void Rows::sort(const char *states, char *walk, size_t bytes) const {
  for (int64_t i = 0; i < batch; ++i)
    std::memcpy(walk + size_t(i) * bytes, states + size_t(order_[size_t(i)]) * bytes, bytes);
}
void Rows::unsort(const char *walk, char *states, size_t bytes) const {
  for (int64_t i = 0; i < batch; ++i)
    std::memcpy(states + size_t(order_[size_t(i)]) * bytes, walk + size_t(i) * bytes, bytes);
}
void Rows::previous(const char *rows, const char *initial, char *states, size_t bytes) const {
  for (int64_t s = 0; s < steps; ++s) {
    const size_t size = size_t(count[size_t(s)]) * bytes;
    char *const to = states + size_t(begin[size_t(s)]) * bytes;
    if (s)
      std::memcpy(to, rows + size_t(begin[size_t(s - 1)]) * bytes, size);
    else if (initial)
      std::memcpy(to, initial, size);
    else
      std::memset(to, 0, size);
  }
}

} // namespace cinta::ops
