// Tensor: a view (shape, strides, offset) over a storage, as a counted handle on a Body.
// A body is one value of a program: an in-place write makes a new body over the same storage, the old one turns stale.
#pragma once
#include <cstdint>
#include <utility>

#include "cinta/tensor/dtype.h"
#include "cinta/tensor/shape.h"
#include "cinta/tensor/storage.h"

namespace cinta {

class Instr;
void retain(Instr *instr);
void release(Instr *instr); // tape/tape.cpp: iterative, however long the chain behind it
void forget_retained(Instr *creator, int output);

enum class Device : uint8_t { cpu };

struct Body;
struct RowSparse; // tensor/row_sparse.h
void free_body(Body *body);

class Tensor {
public:
  Tensor() = default;
  explicit Tensor(Body *body) : b_(body) {} // takes over one reference
  inline Tensor(const Tensor &o);
  Tensor(Tensor &&o) noexcept : b_(std::exchange(o.b_, nullptr)) {}
  Tensor &operator=(Tensor o) noexcept {
    std::swap(b_, o.b_);
    return *this;
  }
  inline ~Tensor();

  explicit operator bool() const { return b_ != nullptr; } // false: no tensor
  Body *body() const { return b_; }
  Body *operator->() const { return b_; }
  Body *take() { return std::exchange(b_, nullptr); }

  inline const Shape &shape() const;
  inline int64_t shape(int i) const; // from the end when negative
  inline const Strides &strides() const;
  inline int ndim() const;
  inline int64_t size() const;
  inline Dtype dtype() const;
  inline Device device() const;
  inline bool contiguous() const;
  inline bool requires_grad() const;
  inline size_t nbytes() const;
  template <class T = void> inline T *data() const;

private:
  Body *b_ = nullptr;
};

struct Body {
  int32_t refs;
  uint32_t version; // of the storage when this value was made
  Dtype dtype;
  Device device;
  bool contiguous;
  bool requires_grad;
  uint8_t output_index; // which output of creator
  bool retains_grad;    // keeps .grad though no leaf
  char *data;
  int64_t size;
  StorageRef storage;
  Instr *creator; // null: a leaf
  Tensor grad;
  RowSparse *grad_rows; // a gradient of some rows, in place of grad; mostly null
  void *object;         // the Python object of this body, borrowed
  Shape shape;
  Strides strides;
};

inline Tensor::Tensor(const Tensor &o) : b_(o.b_) {
  if (b_)
    ++b_->refs;
}
inline Tensor::~Tensor() {
  if (b_ && --b_->refs == 0)
    free_body(b_);
}
inline const Shape &Tensor::shape() const { return b_->shape; }
inline int64_t Tensor::shape(int i) const { return b_->shape[i < 0 ? i + b_->shape.size() : i]; }
inline const Strides &Tensor::strides() const { return b_->strides; }
inline int Tensor::ndim() const { return b_->shape.size(); }
inline int64_t Tensor::size() const { return b_->size; }
inline Dtype Tensor::dtype() const { return b_->dtype; }
inline Device Tensor::device() const { return b_->device; }
inline bool Tensor::contiguous() const { return b_->contiguous; }
inline bool Tensor::requires_grad() const { return b_->requires_grad; }
inline size_t Tensor::nbytes() const { return size_t(b_->size) * itemsize(b_->dtype); }
template <class T> inline T *Tensor::data() const { return reinterpret_cast<T *>(b_->data); }

Tensor empty(const Shape &shape, Dtype dtype); // contents undefined
Tensor empty_like(const Tensor &x); // its shape, its dtype, and the order of its axes in memory if x is dense
Tensor empty_like(const Tensor &x, Dtype dtype);
Tensor zeros(const Shape &shape, Dtype dtype);
Tensor full(const Shape &shape, double value, Dtype dtype);
Tensor scalar(double value, Dtype dtype); // 0-d
// Another look at x's storage, not recorded; `offset` in elements from x's first.
Tensor view(const Tensor &x, const Shape &shape, const Strides &strides, int64_t offset = 0);
// What backward does about a leaf. Whoever asks treats it as a parameter, and products remember its packed forms.
void set_requires_grad(const Tensor &leaf, bool wanted);
Tensor alias(const Tensor &x); // the same look, a new body without history
Tensor from_storage(StorageRef storage, char *data, const Shape &shape, const Strides &strides, Dtype dtype);

} // namespace cinta
