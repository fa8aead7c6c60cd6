// Recording: runs a function's work as ever, and writes down what it computes.
#pragma once
#include <functional>
#include <unordered_map>

#include "cinta/replay/program.h"
#include "cinta/tensor/allocator.h"

namespace cinta::replay {

class Recording final : public Recorder {
public:
  // `layer` tells the path of the module that is being called; `name` is the function's, for errors.
  Recording(std::string name, const std::vector<Tensor> &inputs, std::function<std::string_view()> layer);
  Recording(const Recording &) = delete;
  Recording &operator=(const Recording &) = delete;

  void compute(const Label &label, Operands in, Operands out, std::unique_ptr<Work> work) override;
  Tensor host(const void *bytes, size_t size) override;
  void recorded(const Instr &instr) override;
  void visiting(const Instr *instr) override;
  void gradient_looked_at(const Tensor &leaf) override;
  void gradient_reset(const Tensor &leaf) override;
  void read(const char *how) override;

  // While paused, what runs is no part of the program, and memory that is made counts as having been there before.
  void pause();
  void resume();

  // The program that returns these, when the function has returned; nothing can be recorded afterwards.
  Program finish(const std::vector<Tensor> &results);
  // The function's results can still be differentiated: from here on what is recorded is their gradient's program,
  // which begins with these gradients of the results. Then both programs: the first returns what the second needs after
  // the results; the second takes the first's inputs, those values and the seeds, and returns the gradients.
  void begin_backward(const std::vector<Tensor> &seeds);
  std::pair<Program, Program> finish_both(const std::vector<Tensor> &results, const std::vector<Tensor> &gradients);
  std::vector<Tensor> leaves() const; // that the results may depend on
  // Memory made by instructions that is alive although neither returned nor in a grad: sites of its makers.
  std::vector<std::string> leaked() const;

private:
  struct Key {
    const Storage *storage;
    uint64_t serial;
    bool operator==(const Key &) const = default;
  };
  struct Hash {
    size_t operator()(const Key &k) const { return std::hash<const void *>()(k.storage) ^ k.serial * 0x9e3779b9; }
  };

  int value_of(const Tensor &x, bool written);
  void add_input(int k);
  int input_of(const Tensor &x) const;
  void check_aliases() const;
  Operand operand(const Tensor &x, bool written);
  bool was_there(const Storage &s) const;
  void initialise(int value, const Tensor &x);
  Operand given_out(const Tensor &x);
  int leaf_of(const Tensor &leaf);
  void see_leaf(const Tensor &x);
  int layer();
  int site();
  void note_makers();

  std::string name_;
  std::function<std::string_view()> layer_;
  uint64_t begin_; // serials from here on are of the function's own making
  std::vector<std::pair<uint64_t, uint64_t>> paused_;
  uint64_t pause_begin_ = 0;
  std::unordered_map<Key, int, Hash> known_;
  std::vector<Key> keys_;                        // of values
  std::vector<std::pair<Key, SharedSite>> made_; // what instructions made and nobody was given, with its maker's
  std::unordered_map<const Instr *, int> layers_;
  const Instr *visited_ = nullptr;
  std::vector<Tensor> inputs_;
  std::vector<int> roots_;            // of inputs: the value that has its memory, the first's of those that overlap
  std::vector<const char *> origins_; // of inputs' values: their first bytes
  std::unordered_map<int, const char *> found_grads_; // the first bytes of gradients that were found, by value
  Program program_;
  int hosts_ = 0;
  Thrift thrift_;    // a recording is the time of most memory: the arena comes afterwards
  size_t split_ = 0; // the first instruction of the gradient's program
  std::vector<int> seeds_;
  int row_sparse_site_ = -1; // of the first instruction whose gradient is of some rows of a leaf
  size_t prologue_ = 0;      // instructions that initialise memory, from there on
};

} // namespace cinta::replay
