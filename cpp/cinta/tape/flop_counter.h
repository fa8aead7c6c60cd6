// Counts the work of products and convolutions in this thread, each in the form of its definition.
#pragma once
#include "cinta/tape/compute.h"

namespace cinta {

class FlopCounter final : public Recorder {
public:
  double flops = 0; // a multiplication and an addition are two

  void compute(const Label &label, Operands in, Operands out, std::unique_ptr<Work> work) override {
    flops += label.flops;
    if (!label.done) {
      const RecorderScope off(nullptr); // what the work itself calls is part of it
      work->run(in.data(), out.data());
    }
  }
  bool replays() const override { return false; }
  Tensor host(const void *, size_t) override { return Tensor(); } // nothing is run again
  void recorded(const Instr &) override {}
  void visiting(const Instr *) override {}
  void gradient_looked_at(const Tensor &) override {}
  void gradient_reset(const Tensor &) override {}
  void read(const char *) override {}
};

} // namespace cinta
