// A layer with its activation is the layer and then the activation, bit for bit, recorded or not.
#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/matmul.h"
#include "cinta/ops/reduce.h"
#include "cinta/tape/tape.h"

using namespace cinta;

namespace {

Tensor normal(const Shape &shape, Dtype dtype, std::mt19937 &random) {
  std::normal_distribution<float> numbers;
  Tensor t = empty(shape, Dtype::float32);
  for (int64_t i = 0; i < t.size(); ++i)
    t.data<float>()[i] = numbers(random);
  return ops::astype(t, dtype);
}

bool same_bits(const Tensor &a, const Tensor &b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), size_t(a.size()) * itemsize(a.dtype())) == 0;
}

const ops::Activation kActivations[] = {{ops::UnaryOp::Relu},    {ops::UnaryOp::Tanh},
                                        {ops::UnaryOp::Sigmoid}, {ops::UnaryOp::Gelu},
                                        {ops::UnaryOp::Silu},    {ops::UnaryOp::LeakyRelu, {{0.2, 0}}},
                                        {ops::UnaryOp::GeluTanh}};

} // namespace

TEST_CASE("linear with an activation gives the bits of linear and then the activation") {
  std::mt19937 random(1);
  for (const Dtype dtype : {Dtype::float32, Dtype::float64, Dtype::bfloat16, Dtype::int64})
    for (const ops::Activation &activation : kActivations)
      for (const bool biased : {false, true}) {
        CAPTURE(int(dtype));
        CAPTURE(int(activation.op));
        const Tensor x = normal({2, 35, 70}, dtype, random), w = normal({90, 70}, dtype, random);
        const Tensor b = biased ? normal({90}, dtype, random) : Tensor();
        CHECK(same_bits(ops::linear(x, w, b, activation),
                        ops::unary(activation.op, ops::linear(x, w, b), activation.parameters)));
      }
}

TEST_CASE("linear with an activation has the gradients of linear and then the activation") {
  std::mt19937 random(2);
  for (const ops::Activation &activation : kActivations) {
    CAPTURE(int(activation.op));
    const Tensor x = normal({20, 30}, Dtype::float32, random);
    Tensor w[2] = {normal({40, 30}, Dtype::float32, random), {}}, b = normal({40}, Dtype::float32, random);
    w[1] = ops::keep_value(w[0]);
    for (Tensor &weight : w)
      weight->requires_grad = true;
    backward({ops::sum(ops::linear(x, w[0], b, activation))}, {}, nullptr, {});
    backward({ops::sum(ops::unary(activation.op, ops::linear(x, w[1], b), activation.parameters))}, {}, nullptr, {});
    CHECK(same_bits(w[0]->grad, w[1]->grad));
  }
}
