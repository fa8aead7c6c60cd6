// What each instruction of a program costs.
#pragma once
#include "cinta/replay/run.h"

namespace cinta::replay {

// The seconds that each instruction takes, in each of `runs` runs after one that does not count. They go on as calls
// would, but on copies of everything that the program writes and of its inputs: parameters, grads, an optimizer's state
// and the random numbers stay as they are. Without inputs those of the latest call are copied.
std::vector<std::vector<double>> profile(const Executable &executable, const std::vector<Tensor> *inputs, int runs);

} // namespace cinta::replay
