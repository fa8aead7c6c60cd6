// A convolution's weights [O,I,taps] as panels of 32 of the channels that the product gives:
//     [panel][tap][block of 32 of the channels summed over][part][2 tiles]
#pragma once
#include "cinta/kernels/cpu/amx/pack.h"

namespace cinta::kernels::amx {

struct Weights {
  const float *data;
  int64_t taps, lanes, lane_step, depth, depth_step; // lanes: channels given; depth: channels summed over

  int64_t panels() const { return ceil_div(lanes, kPanelLanes); }
  int64_t blocks() const { return ceil_div(depth, kTileDepth); }
  template <int parts> int64_t panel_bytes() const { return taps * blocks() * kBlockBytes<parts>; }
};

// Packs panels, block after block of the channels summed over, all taps of one together: they lie side by side.
template <int parts> class PackWeights : public Job {
public:
  explicit PackWeights(const Weights &weights) : w_(weights) {
    unit = [](Job &job) { static_cast<PackWeights &>(job).pack(); };
    job_.lane_step = w_.lane_step;
    job_.k_step = w_.depth_step;
    job_.along_k = w_.depth_step < w_.lane_step;
  }
  const Largest &largest() const { return job_.largest; }

  void begin(int64_t panel, int64_t end, char *to) {
    panel_ = panel;
    to_ = to;
    block_ = tap_ = left = job_.left = 0;
    for (; panel < end; ++panel)
      left += w_.blocks() * w_.taps * units(lanes_of(panel));
  }

private:
  Weights w_;
  PackJob<parts> job_;
  int64_t panel_ = 0, block_ = 0, tap_ = 0;
  char *to_ = nullptr;

  int64_t lanes_of(int64_t panel) const { return least(kPanelLanes, w_.lanes - panel * kPanelLanes); }
  int64_t units(int64_t lanes) const {
    using Pack = PackJob<parts>;
    return job_.along_k ? ceil_div(lanes, kTileLanes) * Pack::kStageUnits : kTileLanes / Pack::kPairRows;
  }
  void pack() {
    if (job_.left == 0)
      start_piece();
    job_.step();
  }
  void start_piece() {
    const int64_t depth = block_ * kTileDepth;
    const float *from = w_.data + panel_ * kPanelLanes * w_.lane_step + depth * w_.depth_step + tap_;
    job_.start(TileRows::pairs, from, lanes_of(panel_), least(kTileDepth, w_.depth - depth),
               to_ + (tap_ * w_.blocks() + block_) * kBlockBytes<parts>);
    if (++tap_ < w_.taps)
      return;
    tap_ = 0;
    if (++block_ < w_.blocks())
      return;
    block_ = 0;
    ++panel_;
    to_ += w_.template panel_bytes<parts>();
  }
};

} // namespace cinta::kernels::amx
