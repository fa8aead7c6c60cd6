// Programs by themselves: recorded, improved by each pass, planned, replayed. Under the sanitizers this is where an
// arena that is too small, or a chain that reads what it has overwritten, would show.
#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <memory>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/matmul.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"
#include "cinta/ops/update.h"
#include "cinta/replay/passes/passes.h"
#include "cinta/replay/recording.h"
#include "cinta/replay/run.h"

using namespace cinta;
using namespace cinta::replay;

namespace {

Tensor numbers(const Shape &shape, int seed) {
  Tensor t = empty(shape, Dtype::float32);
  uint32_t state = uint32_t(seed) * 2654435761u + 1;
  for (int64_t i = 0; i < t.size(); ++i) {
    state = state * 1664525u + 1013904223u;
    t.data<float>()[i] = float(int32_t(state)) / 2147483648.0f;
  }
  return t;
}

using Function = std::function<std::vector<Tensor>(const std::vector<Tensor> &)>;

Program recorded(const Function &f, const std::vector<Tensor> &inputs) {
  Recording recording("f", inputs, [] { return std::string_view(); });
  std::vector<Tensor> results;
  {
    const RecorderScope scope(&recording);
    results = f(inputs);
  }
  return recording.finish(results);
}

bool same_bits(const Tensor &a, const Tensor &b) {
  const Tensor x = ops::contiguous(a), y = ops::contiguous(b);
  return x.shape() == y.shape() && !std::memcmp(x.data(), y.data(), x.nbytes());
}

// Every pass by itself, none, and all: replays equal the function on numbers that were not there when it was recorded.
void check_replays(const Function &f, const std::vector<Shape> &shapes) {
  std::vector<std::vector<std::string>> choices{{}, pass_names()};
  for (const std::string &name : pass_names())
    choices.push_back({name});
  for (const auto &passes : choices) {
    const auto inputs = [&](int seed) {
      std::vector<Tensor> tensors;
      for (const Shape &shape : shapes)
        tensors.push_back(numbers(shape, seed++));
      return tensors;
    };
    Program program = recorded(f, inputs(1));
    run_passes(program, passes);
    Executable executable(std::move(program));
    std::vector<Tensor> earlier, kept;
    for (int seed : {10, 20, 30}) {
      const std::vector<Tensor> in = inputs(seed), expected = f(in), got = executable.run(in);
      REQUIRE(got.size() == expected.size());
      for (size_t k = 0; k < got.size(); ++k)
        CHECK(same_bits(got[k], expected[k]));
      for (size_t k = 0; k < earlier.size(); ++k)
        CHECK(same_bits(earlier[k], kept[k])); // what an earlier run gave does not change
      earlier = got;
      kept.clear();
      for (const Tensor &t : got)
        kept.push_back(ops::clone(t));
    }
  }
}

} // namespace

TEST_SUITE("replay") {
  TEST_CASE("chains with constants, masks and broadcasts") {
    check_replays(
        [](const std::vector<Tensor> &in) {
          const Tensor &x = in[0], &y = in[1], &row = in[2];
          const Tensor z = ops::multiply(ops::add(x, row), ops::tanh(y));
          const Tensor w = ops::where(ops::less(z, y), ops::multiply(z, 2.0), ops::exp(ops::neg(z)));
          return std::vector<Tensor>{w, ops::sum(ops::square(w)), ops::sum(z, Axes{1})};
        },
        {{37, 41}, {37, 41}, {41}});
  }

  TEST_CASE("long chains end in a sum over many blocks") {
    check_replays(
        [](const std::vector<Tensor> &in) {
          const Tensor d = ops::subtract(in[0], in[1]);
          return std::vector<Tensor>{ops::sum(ops::multiply(d, ops::sigmoid(d)))};
        },
        {{300, 700}, {300, 700}});
  }

  TEST_CASE("products with activations, transposed views and what is computed twice") {
    check_replays(
        [](const std::vector<Tensor> &in) {
          const Tensor h = ops::relu(ops::linear(in[0], in[1], in[2]));
          const Tensor again = ops::relu(ops::linear(in[0], in[1], in[2]));
          const Tensor kept = ops::linear(h, ops::matrix_transpose(in[1]), Tensor());
          return std::vector<Tensor>{ops::tanh(kept), ops::multiply(kept, 3.0), ops::add(h, again)};
        },
        {{19, 23}, {29, 23}, {29}});
  }

  TEST_CASE("views that are written in part, and accumulated into") {
    check_replays(
        [](const std::vector<Tensor> &in) {
          Tensor whole = zeros({8, 6}, Dtype::float32);
          ops::copy_inplace(ops::narrow(whole, 0, 2, 3), in[0]);
          ops::binary_inplace(ops::BinaryOp::Add, ops::narrow(whole, 0, 3, 3), in[0]);
          return std::vector<Tensor>{ops::multiply(whole, 2.0), ops::narrow(whole, 1, 1, 2)};
        },
        {{3, 6}});
  }

  TEST_CASE("a training step writes parameters and leaves gradients") {
    const auto steps = [](bool replayed) {
      Tensor w = numbers({5, 7}, 3), v = zeros({5, 7}, Dtype::float32);
      set_requires_grad(w, true);
      std::vector<Tensor> seen;
      const Function step = [&](const std::vector<Tensor> &in) {
        if (recorder())
          recorder()->gradient_reset(w);
        w->grad = Tensor();
        const Tensor loss = ops::sum(ops::square(ops::linear(in[0], w, Tensor())));
        backward({loss}, {}, nullptr, {});
        const GradMode off(false);
        ops::sgd_step({w}, {RowSparse{{}, w->grad}}, {v}, {0.01, 0.9, 0, 0, false, false, false});
        return std::vector<Tensor>{ops::detach(loss)};
      };
      std::unique_ptr<Executable> executable;
      for (int n = 0; n < 4; ++n) {
        const std::vector<Tensor> in{numbers({4, 7}, n)};
        if (!replayed) {
          seen.push_back(step(in)[0]);
        } else if (!executable) {
          Recording recording("step", in, [] { return std::string_view(); });
          std::vector<Tensor> results;
          {
            const RecorderScope scope(&recording);
            results = step(in);
          }
          seen.push_back(results[0]);
          Program program = recording.finish(results);
          run_passes(program, pass_names());
          executable = std::make_unique<Executable>(std::move(program));
        } else {
          CHECK(executable->accepts_grads(in, nullptr));
          seen.push_back(executable->run(in)[0]);
        }
        seen.push_back(ops::clone(w->grad));
      }
      seen.push_back(ops::clone(ops::detach(w)));
      seen.push_back(v);
      return seen;
    };
    const std::vector<Tensor> eager = steps(false), replayed = steps(true);
    REQUIRE(eager.size() == replayed.size());
    for (size_t k = 0; k < eager.size(); ++k)
      CHECK(same_bits(eager[k], replayed[k]));
  }

  TEST_CASE("no two temporaries share bytes while both are in use") {
    Program p = recorded(
        [](const std::vector<Tensor> &in) {
          Tensor x = in[0];
          for (int n = 1; n < 9; ++n)
            x = ops::matmul(x, numbers({x.shape(-1), (n * 5) % 7 * 8 + 8}, n));
          return std::vector<Tensor>{x};
        },
        {numbers({6, 8}, 1)});
    CHECK(p.instructions.size() > 0);
    run_passes(p, {});
    struct Life {
      int first = -1, last = -1;
    };
    std::vector<Life> lives(p.values.size());
    for (size_t n = 0; n < p.instructions.size(); ++n)
      for (const auto *list : {&p.instructions[n].in, &p.instructions[n].out})
        for (const Operand &x : *list)
          if (x)
            lives[size_t(x.value)] = {lives[size_t(x.value)].first < 0 ? int(n) : lives[size_t(x.value)].first, int(n)};
    for (size_t a = 0; a < lives.size(); ++a)
      for (size_t b = 0; b < a; ++b) {
        const Value &v = p.values[a], &w = p.values[b];
        if (v.offset < 0 || w.offset < 0 || lives[a].last < lives[b].first || lives[b].last < lives[a].first)
          continue;
        const bool apart = v.offset + int64_t(v.bytes) <= w.offset || w.offset + int64_t(w.bytes) <= v.offset;
        CHECK(apart);
      }
  }

  TEST_CASE("reading a value while recording is refused") {
    Recording recording("f", {}, [] { return std::string_view(); });
    const RecorderScope scope(&recording);
    CHECK_THROWS_AS(check_readable(".item()"), RuntimeError);
  }
}
