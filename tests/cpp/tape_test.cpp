// The tape by itself: gradients, lifetimes, in-place writes. Under the sanitizers this is where leaks would show.
#include <doctest/doctest.h>

#include <cmath>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/index.h"
#include "cinta/ops/matmul.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"
#include "cinta/tape/tape.h"
#include "cinta/tensor/allocator.h"

using namespace cinta;

namespace {

Tensor leaf(const Shape &shape, double start) {
  Tensor t = empty(shape, Dtype::float64);
  for (int64_t i = 0; i < t.size(); ++i)
    t.data<double>()[i] = start + 0.25 * double(i);
  t->requires_grad = true;
  return t;
}

double value(const Tensor &t, int64_t i = 0) { return ops::contiguous(t).data<double>()[i]; }

} // namespace

TEST_SUITE("tape") {
  TEST_CASE("a product's gradient is the other factor, and memory goes with the walk") {
    const int64_t before = live_instructions();
    Tensor a = leaf({4, 3}, 1), b = leaf({4, 3}, -2);
    Tensor y = ops::sum(ops::multiply(a, b));
    CHECK(live_instructions() == before + 2);
    backward({y}, {}, nullptr, {});
    CHECK(value(a->grad, 5) == value(b, 5));
    CHECK(value(b->grad, 7) == value(a, 7));
    y = Tensor();
    CHECK(live_instructions() == before);
  }

  TEST_CASE("a dropped graph is freed at once") {
    const int64_t before = live_instructions();
    const size_t live = memory_stats().live;
    {
      Tensor a = leaf({1000}, 0), y = a;
      for (int i = 0; i < 10; ++i)
        y = ops::tanh(y);
      CHECK(memory_stats().live > live);
    }
    CHECK(live_instructions() == before);
    CHECK(memory_stats().live == live);
  }

  TEST_CASE("derivatives of any order") {
    Tensor x = leaf({1}, 0.5), y = ops::tanh(x);
    for (int order = 1; order <= 3; ++order) {
      std::vector<Tensor> wrt{x};
      y = backward({ops::sum(y)}, {}, &wrt, {true, true})[0];
    }
    const double t = std::tanh(0.5), s = 1 - t * t; // tanh''' = s (6 t^2 - 2)
    CHECK(value(y) == doctest::Approx(s * (6 * t * t - 2)).epsilon(1e-12));
  }

  TEST_CASE("a chain of many operations needs no stack") {
    Tensor x = leaf({1}, 1), y = x;
    for (int i = 0; i < 200000; ++i)
      y = ops::neg(y);
    backward({y}, {}, nullptr, {});
    CHECK(value(x->grad) == 1);
  }

  TEST_CASE("writing over a saved value is refused, writing over one that is not is fine") {
    Tensor a = leaf({3}, 1), x = ops::multiply(a, 2.0), y = ops::square(x);
    Tensor z = ops::binary_inplace(kernels::BinaryOp::Add, x, scalar(1, Dtype::float64));
    CHECK_THROWS_AS(backward({ops::sum(y)}, {}, nullptr, {}), RuntimeError);
    CHECK_THROWS_AS(ops::neg(x), RuntimeError); // the value before the write is stale
    backward({ops::sum(z)}, {}, nullptr, {});
    CHECK(value(a->grad) == 2);
  }

  TEST_CASE("views, indexing and broadcasting bring their gradients back") {
    Tensor a = leaf({2, 3}, 1), row = leaf({3}, 5);
    Tensor y = ops::multiply(ops::transpose(a, {}), ops::expand_dims(row, {1}));
    backward({ops::sum(ops::narrow(y, 0, 1, 2))}, {}, nullptr, {});
    CHECK(value(a->grad, 0) == 0);
    CHECK(value(a->grad, 4) == value(row, 1));
    CHECK(value(row->grad, 2) == value(a, 2) + value(a, 5));
  }

  TEST_CASE("a second walk over a freed graph says so, a retained one repeats") {
    Tensor a = leaf({2, 2}, 1), y = ops::sum(ops::matmul(a, a));
    backward({y}, {}, nullptr, {true, false});
    const double once = value(a->grad);
    backward({y}, {}, nullptr, {});
    CHECK(value(a->grad) == 2 * once);
    CHECK_THROWS_AS(backward({y}, {}, nullptr, {}), RuntimeError);
  }

  TEST_CASE("assignment into a region keeps the rest's gradient") {
    Tensor a = leaf({4}, 1), v = leaf({2}, 9), x = ops::multiply(a, 3.0);
    ops::Item item{ops::Item::slice, 1, 3, 1, true, true, {}};
    Tensor y = ops::set_item(x, {item}, v);
    backward({ops::sum(ops::square(y))}, {}, nullptr, {});
    CHECK(value(a->grad, 1) == 0);
    CHECK(value(a->grad, 3) == doctest::Approx(2 * 9 * value(a, 3)));
    CHECK(value(v->grad, 1) == 2 * value(v, 1));
  }
}
