// Executable: a Program with its memory in place, to be run again and again.
#pragma once
#include "cinta/replay/arena.h"
#include "cinta/replay/program.h"

namespace cinta::replay {

class Executable {
public:
  explicit Executable(Program program);
  Executable(const Executable &) = delete;
  Executable &operator=(const Executable &) = delete;

  // Whether the leaves' grads are there, or not, as when the program was recorded; else `why` says what differs.
  bool accepts_grads(const std::vector<Tensor> &inputs, std::string *why) const;
  // The memory of a host value, to be filled before a run.
  char *host(int number) const { return hosts_[size_t(number)]; }
  std::vector<Tensor> run(const std::vector<Tensor> &inputs);
  // As before a run, without one: what `found` tells.
  void see(const std::vector<Tensor> &inputs);
  // An input's memory as the latest run found it; null where no instruction looks at it.
  const char *found(int value) const;
  // The seconds that each instruction took, in a run of its own.
  std::vector<Tensor> profile(const std::vector<Tensor> &inputs, std::vector<double> &seconds);

  std::vector<uint32_t> state_versions() const; // how often the memory it reads was written so far
  const Program &program() const { return program_; }

private:
  struct Step {
    const Work *work;
    uint32_t in, out; // into bodies_
    kernels::Precision precision;
    uint32_t written, written_end; // into written_
  };
  struct Watched { // state that invariants read
    const Storage *storage;
    uint32_t version, exported;
  };
  struct Look { // of a value whose memory changes from run to run
    Body *body;
    int64_t offset;
  };

  void move_to(char *arena);
  void place(int value, const StorageRef &storage, char *origin);
  const Tensor &leaf(const Leaf &l, const std::vector<Tensor> &inputs) const;
  void renew();
  void bind(const std::vector<Tensor> &inputs);
  std::vector<Tensor> finish(const std::vector<Tensor> &inputs);

  Program program_;
  ArenaClaim claim_;
  char *arena_ = nullptr;            // where the latest run had it
  std::vector<StorageRef> storages_; // of values; of results: the last run's
  std::vector<char *> origins_;      // of values
  std::vector<Tensor> bodies_;       // operands of all steps, one after the other
  std::vector<Step> steps_, invariants_;
  std::vector<Watched> watched_;
  bool current_ = false;                 // what invariants compute is there, of the watched versions
  std::vector<Tensor> written_;          // what a step writes that is seen outside
  std::vector<std::vector<Look>> looks_; // of values outside of the arena
  std::vector<Look> in_arena_;           // with offsets from its begin
  std::vector<char *> hosts_;
  std::vector<int> inputs_;  // values of inputs, by number; -1: nothing reads it
  std::vector<int> results_; // values of that role
};

} // namespace cinta::replay
