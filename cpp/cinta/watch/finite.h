// FiniteWatch: looks at each result as it is computed, for ct.debug, until one holds a NaN or an infinity.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "cinta/tape/compute.h"

namespace cinta::watch {

struct Fault {
  std::string op;        // of the tape where known, else the work
  bool backward = false; // in the gradient of op
  int scope = 0;         // where op was called
  std::string line;      // of the user's program, where op was called
  std::string now;       // of the user's program, that runs
  std::vector<Tensor> in, out;
};

class FiniteWatch final : public Recorder {
public:
  // `infinity`: infinities are faults too; `fault` is told, and throws.
  FiniteWatch(bool infinity, std::function<void(const Fault &)> fault)
      : infinity_(infinity), fault_(std::move(fault)) {}
  FiniteWatch(const FiniteWatch &) = delete;
  FiniteWatch &operator=(const FiniteWatch &) = delete;

  bool replays() const override { return false; }
  void compute(const Label &label, Operands in, Operands out, std::unique_ptr<Work> work) override;
  Tensor host(const void *, size_t) override { return Tensor(); } // options as they are
  void recorded(const Instr &instr) override;
  void visiting(const Instr *instr) override;
  void gradient_looked_at(const Tensor &) override {}
  void gradient_reset(const Tensor &) override {}
  void read(const char *) override {}
  void returned(const Tensor &gradient) override;

  int scope = 0; // a number that the caller knows the present module by

private:
  struct Mark { // where an instruction of the tape was recorded; what a gradient rule records has its operation's
    Site site;
    int scope;
    ~Mark() { drop_site(site); }
  };
  void report(const char *op, Operands in, Operands out);

  bool infinity_;
  std::function<void(const Fault &)> fault_;
  std::unordered_map<const Instr *, std::shared_ptr<Mark>>
      marks_;                          // of dead instructions too, until their memory is used again
  std::vector<const Instr *> visited_; // whose rules are running, the innermost last
};

} // namespace cinta::watch
