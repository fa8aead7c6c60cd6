// Work for the shadow of the tile unit. While it multiplies, the core's vector unit is free: packing of what comes next
// and storing of what is done are cut into units of some dozen instructions, and a few units run after every four
// multiplies.
#pragma once
#include "cinta/kernels/cpu/amx/tiles.h"

namespace cinta::kernels::amx {

struct Job {
  void (*unit)(Job &) = nullptr; // does the next of `left` units
  int64_t left = 0;

  void step() {
    --left;
    unit(*this);
  }
  void finish() {
    while (left > 0)
      step();
  }
};

// Jobs in the order of their urgency, and how many units run each time.
struct Shadow {
  Job *first, *second, *third;
  int64_t units;

  void plan(int64_t total, int64_t groups) { units = ceil_div(total, groups); } // over so many groups of multiplies
  CINTA_FN void step(Shadow &s) {
    for (int64_t i = 0; i < s.units; ++i)
      if (s.first->left)
        s.first->step();
      else if (s.second->left)
        s.second->step();
      else if (s.third->left)
        s.third->step();
      else
        return;
  }
};

} // namespace cinta::kernels::amx
