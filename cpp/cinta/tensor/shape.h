// Shapes and strides: short lists of numbers that live in place.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <ostream>

#include "cinta/base/check.h"

namespace cinta {

inline constexpr int kMaxDims = 8;

// Up to kMaxDims numbers in place; `fail` when there are more.
class Dims {
public:
  Dims() = default;
  Dims(std::initializer_list<int64_t> values) {
    for (int64_t v : values)
      push_back(v);
  }
  Dims(int n, int64_t fill) {
    check(n);
    size_ = n;
    for (int i = 0; i < n; ++i)
      value_[i] = fill;
  }
  Dims(const Dims &o) : size_(o.size_) { copy(o); }
  Dims &operator=(const Dims &o) {
    size_ = o.size_;
    copy(o);
    return *this;
  }
  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t &operator[](int i) { return value_[i]; }
  int64_t operator[](int i) const { return value_[i]; }
  int64_t back() const { return value_[size_ - 1]; }
  int64_t *begin() { return value_; }
  int64_t *end() { return value_ + size_; }
  const int64_t *begin() const { return value_; }
  const int64_t *end() const { return value_ + size_; }
  void push_back(int64_t v) {
    check(size_ + 1);
    value_[size_++] = v;
  }
  void insert(int at, int64_t v) {
    check(size_ + 1);
    for (int i = size_++; i > at; --i)
      value_[i] = value_[i - 1];
    value_[at] = v;
  }
  void erase(int at) {
    --size_;
    for (int i = at; i < size_; ++i)
      value_[i] = value_[i + 1];
  }
  bool operator==(const Dims &o) const {
    if (size_ != o.size_)
      return false;
    for (int i = 0; i < size_; ++i)
      if (value_[i] != o.value_[i])
        return false;
    return true;
  }

private:
  static void check(int n) {
    if (n > kMaxDims)
      fail<ValueError>("a tensor has at most ", kMaxDims, " axes, got ", n);
  }
  void copy(const Dims &o) { std::memcpy(value_, o.value_, sizeof value_); } // a fixed size: four moves, no call
  int size_ = 0;
  int64_t value_[kMaxDims] = {};
};

using Shape = Dims;
using Strides = Dims; // in elements
using Axes = Dims;

int64_t count(const Shape &shape); // number of elements; fails beyond 2^62
Strides contiguous_strides(const Shape &shape);
bool is_contiguous(const Shape &shape, const Strides &strides);
// The axes, from the largest stride to the smallest.
Dims axes_by_stride(const Strides &strides);
// Whether the elements fill their memory in some order of the axes.
bool is_dense(const Shape &shape, const Strides &strides);

// NumPy broadcasting; `op` names the caller in the error.
Shape broadcast(const Shape &a, const Shape &b, const char *op);
// An axis from the end when negative; IndexError-free ValueError as NumPy's AxisError.
int normalize_axis(int64_t axis, int ndim, const char *op);
// All axes when empty_means_all and none given; sorted, duplicates fail.
Axes normalize_axes(const Axes &axes, int ndim, const char *op);

std::ostream &operator<<(std::ostream &out, const Dims &dims); // [2,3]

} // namespace cinta
