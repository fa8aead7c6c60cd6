#include "cinta/tensor/tensor.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "cinta/tensor/row_sparse.h"

namespace cinta {
namespace {

Body *free_list = nullptr; // chained through `creator`

Body *new_body(StorageRef storage, char *data, Dtype dtype) {
  void *memory = free_list;
  if (memory)
    free_list = reinterpret_cast<Body *>(free_list->creator);
  else if (!(memory = std::malloc(sizeof(Body))))
    throw std::bad_alloc();
  Body *b = static_cast<Body *>(memory);
  b->refs = 1;
  b->version = storage->version;
  b->dtype = dtype;
  b->device = Device::cpu;
  b->requires_grad = false;
  b->retains_grad = false;
  b->output_index = 0;
  b->data = data;
  new (&b->storage) StorageRef(std::move(storage));
  b->creator = nullptr;
  new (&b->grad) Tensor();
  b->grad_rows = nullptr;
  b->object = nullptr;
  return b;
}

} // namespace

void free_body(Body *b) {
  b->storage.~StorageRef();
  Instr *creator = b->creator;
  if (b->retains_grad)
    forget_retained(creator, b->output_index);
  b->grad.~Tensor();
  if (b->grad_rows)
    delete b->grad_rows;
  b->creator = reinterpret_cast<Instr *>(free_list);
  free_list = b;
  if (creator)
    release(creator);
}

void set_rows(const Tensor &leaf, RowSparse gradient) {
  drop_grad(leaf);
  leaf->grad_rows = new RowSparse(std::move(gradient));
}
void drop_grad(const Tensor &leaf) {
  leaf->grad = Tensor();
  delete std::exchange(leaf->grad_rows, nullptr);
}

Tensor empty(const Shape &shape, Dtype dtype) {
  int64_t n = count(shape);
  StorageRef storage(new_storage(size_t(n) * itemsize(dtype)));
  char *data = storage->data;
  Body *b = new_body(std::move(storage), data, dtype);
  new (&b->shape) Shape(shape);
  new (&b->strides) Strides(contiguous_strides(shape));
  b->size = n;
  b->contiguous = true;
  return Tensor(b);
}

Tensor empty_like(const Tensor &x) { return empty_like(x, x.dtype()); }
Tensor empty_like(const Tensor &x, Dtype dtype) {
  StorageRef storage(new_storage(size_t(x.size()) * itemsize(dtype)));
  char *data = storage->data;
  Body *b = new_body(std::move(storage), data, dtype);
  const bool same_order = x.contiguous() || is_dense(x.shape(), x.strides());
  new (&b->shape) Shape(x.shape());
  new (&b->strides) Strides(same_order ? x.strides() : contiguous_strides(x.shape()));
  b->size = x.size();
  b->contiguous = x.contiguous() || !same_order;
  return Tensor(b);
}

Tensor zeros(const Shape &shape, Dtype dtype) {
  Tensor t = empty(shape, dtype);
  std::memset(t.data(), 0, t.nbytes());
  return t;
}

Tensor scalar(double value, Dtype dtype) {
  if (dtype > Dtype::float64)
    return full({}, value, dtype);
  Tensor t = empty({}, dtype); // the hot path: a Python float beside a tensor
  if (dtype == Dtype::float32)
    *t.data<float>() = float(value);
  else
    *t.data<double>() = value;
  return t;
}

Tensor full(const Shape &shape, double value, Dtype dtype) {
  Tensor t = empty(shape, dtype);
  const kernels::Table &k = kernels::table();
  // One element in the compute type, then the dtype's own store with a source that does not advance.
  double f64 = value;
  float f32 = float(value);
  int64_t i64 = 0;
  uint64_t u64 = 0;
  const void *source = &f32;
  switch (compute_type(dtype)) {
  case kernels::Compute::f32:
    break;
  case kernels::Compute::f64:
    source = &f64;
    break;
  case kernels::Compute::i64:
    i64 = int64_t(value);
    source = &i64;
    break;
  case kernels::Compute::u64:
    u64 = uint64_t(value);
    source = &u64;
    break;
  }
  if (!t.size())
    return t;
  k.store_tile[int(dtype)](1, source, t.data(), 1);
  size_t one = itemsize(dtype), done = one, all = t.nbytes();
  while (done < all) { // doubling copies
    size_t part = done < all - done ? done : all - done;
    std::memcpy(t.data<char>() + done, t.data<char>(), part);
    done += part;
  }
  return t;
}

Tensor view(const Tensor &x, const Shape &shape, const Strides &strides, int64_t offset) {
  Tensor t = from_storage(x->storage, x->data + offset * int64_t(itemsize(x.dtype())), shape, strides, x.dtype());
  // A fresh value without history is whatever the memory holds now; one with history is what it was when made.
  t->version = !x->creator && x->version >= x->storage->recorded_write ? x->storage->version : x->version;
  return t;
}

void set_requires_grad(const Tensor &leaf, bool wanted) {
  leaf->requires_grad = wanted;
  leaf->storage->parameter = true;
}

Tensor alias(const Tensor &x) { return view(x, x.shape(), x.strides()); }

Tensor from_storage(StorageRef storage, char *data, const Shape &shape, const Strides &strides, Dtype dtype) {
  Body *b = new_body(std::move(storage), data, dtype);
  new (&b->shape) Shape(shape);
  new (&b->strides) Strides(strides);
  b->size = count(shape);
  b->contiguous = is_contiguous(shape, strides);
  return Tensor(b);
}

} // namespace cinta
