// Op: what an instruction does. An object of a subclass is one operation with its attributes (axes, strides, eps ...);
// forward and gradient stand side by side in it.
#pragma once
#include <cstdint>
#include <utility>

#include "cinta/tensor/row_sparse.h"

namespace cinta {

// Which values backward reads; everything else may be freed after forward.
namespace saves {
inline constexpr uint32_t none = 0;
constexpr uint32_t input(int i) { return 1u << i; }
constexpr uint32_t output(int i = 0) { return 1u << (16 + i); }
inline constexpr uint32_t inputs = 0xffff; // all of them
} // namespace saves

// What a gradient rule reads and writes, for one instruction.
class Vjp {
public:
  virtual const Tensor &in(int i) const = 0;      // a saved input
  virtual const Tensor &out(int i = 0) const = 0; // a saved output
  virtual const Tensor &dy(int i = 0) const = 0;  // the gradient of output i; empty where none arrived
  virtual bool needs(int i) const = 0;            // whether anybody wants the gradient of input i
  virtual void dx(int i, Tensor gradient) = 0;    // ignored where not needed
  virtual int inputs() const = 0;
  // What input i's gradient has gathered so far, contiguous and to be added to in place; empty where there is nothing
  // yet, or others may see it. A rule that knows only a part of dx adds there, else it embeds the part in zeros.
  virtual Tensor gathered(int i) const = 0;
  // Whether input i is a leaf whose gradient may arrive as some of its rows, and that way.
  virtual bool takes_rows(int i) const = 0;
  virtual void dx_rows(int i, RowSparse gradient) = 0;

protected:
  ~Vjp() = default;
};

class Op {
public:
  virtual ~Op() = default;
  virtual const char *name() const = 0;
  virtual uint32_t saves() const { return saves::none; }
  virtual int outputs() const { return 1; }
  virtual bool repeatable() const { return true; } // whether forward gives the same again
  virtual void forward(const Tensor *in, int inputs, Tensor *out) const = 0;
  // Rules call ops, so they are themselves differentiable where recording is on; where it is off (first order) they may
  // run a fused kernel instead.
  virtual void vjp(Vjp &v) const = 0;

  int32_t refs = 0; // counted by OpRef; statics start at one and never go
};

class OpRef {
public:
  OpRef() = default;
  explicit OpRef(const Op *op) : op_(const_cast<Op *>(op)) { ++op_->refs; }
  OpRef(const OpRef &o) : op_(o.op_) {
    if (op_)
      ++op_->refs;
  }
  OpRef(OpRef &&o) noexcept : op_(std::exchange(o.op_, nullptr)) {}
  OpRef &operator=(OpRef o) noexcept {
    std::swap(op_, o.op_);
    return *this;
  }
  ~OpRef() {
    if (op_ && --op_->refs == 0)
      delete op_;
  }
  const Op *operator->() const { return op_; }
  const Op &operator*() const { return *op_; }
  explicit operator bool() const { return op_ != nullptr; }

private:
  Op *op_ = nullptr;
};

} // namespace cinta
