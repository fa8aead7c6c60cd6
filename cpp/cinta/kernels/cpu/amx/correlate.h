// Convolution forward and backward to the data, which is the same with the taps turned round: every output pixel of 32
// images is a product of the panels under its taps with the weights.
#pragma once
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/amx/images.h"
#include "cinta/kernels/cpu/amx/micro.h"
#include "cinta/kernels/cpu/amx/packed.h"
#include "cinta/kernels/cpu/amx/weights.h"

namespace cinta::kernels::amx {

inline constexpr int64_t kPassBytes = 900 << 10; // of weights: they stay in L2 while all rows pass
inline constexpr int64_t kWholeBytes = 6 << 20;  // packed images up to this are kept for the passes that follow
inline constexpr int64_t kChunkOfPixel = 18;     // k-blocks summed from zero, the chunks then in float32
inline constexpr int64_t kMostTaps = 11 * 11;

template <int parts> struct Correlation {
  Images x, y;     // y: channels contiguous
  int64_t N, C, O; // channels of x and of y
  Axis rows, columns;
  Weights weights;
  const char *packed; // all of them, or null: ranges pack what they need for the next pass
  const float *bias;  // [O] or null
  int64_t row_ranges, panel_ranges;
  uint32_t largest = 0, largest_weight = 0;

  int64_t batches() const { return ceil_div(N, kPanelLanes); }
  int64_t ranges() const { return batches() * row_ranges * panel_ranges; }
};

// Up to 32 images, some rows of the output and some panels of its channels; each range is computed by one thread.
template <int parts> class CorrelationRange {
public:
  CorrelationRange(Correlation<parts> &all, int64_t range)
      : c_(all), n_(range / (all.row_ranges * all.panel_ranges) * kPanelLanes), images_(least(kPanelLanes, all.N - n_)),
        pack_(Lanes::images, all.x.strides, images_, all.C, all.rows.source, all.columns.source),
        pack_weights_(all.weights) {
    const int64_t rows = range / all.panel_ranges % all.row_ranges, panels = range % all.panel_ranges;
    y_begin_ = c_.rows.out * rows / c_.row_ranges;
    y_end_ = c_.rows.out * (rows + 1) / c_.row_ranges;
    panel_begin_ = c_.weights.panels() * panels / c_.panel_ranges;
    panel_end_ = c_.weights.panels() * (panels + 1) / c_.panel_ranges;
    panel_bytes_ = c_.weights.template panel_bytes<parts>();
    passes_ = ceil_div((panel_end_ - panel_begin_) * panel_bytes_, kPassBytes);
    passes_ = least(passes_, panel_end_ - panel_begin_);
    const int64_t first = c_.rows.first(y_begin_), all_rows = c_.rows.end(y_end_ - 1) - first;
    whole_ = passes_ > 1 && all_rows * pack_.row_bytes() <= kWholeBytes;
    slots_ = all_rows;
    if (!whole_) {
      slots_ = 1;
      for (int64_t y = y_begin_; y < y_end_; ++y) {
        const int64_t span = c_.rows.end(least(y + 1, y_end_ - 1)) - c_.rows.first(y);
        slots_ = span > slots_ ? span : slots_;
      }
    }
    memory_ = static_cast<char *>(scratch(Scratch::pack_a, size_t(slots_ * pack_.row_bytes())));
  }

  void run() {
    const TileScope tiles;
    start_weights(0);
    for (int64_t pass = 0; pass < passes_; ++pass) {
      pack_weights_.finish();
      weights_ = c_.packed ? c_.packed + panel_begin_ * panel_bytes_ : weights_memory(pass);
      if (pass + 1 < passes_)
        start_weights(pass + 1);
      if (pass == 0 || !whole_) {
        pack_.finish();
        pack_.begin(c_.x.data + n_ * c_.x.strides.n, memory_, slots_, c_.rows.first(y_begin_));
        pack_.extend(c_.rows.end(y_begin_));
      }
      const int64_t begin = panel_of(pass), end = panel_of(pass + 1);
      weight_units_ = ceil_div(pack_weights_.left, (y_end_ - y_begin_) * c_.columns.out * (end - begin));
      for (int64_t y = y_begin_; y < y_end_; ++y) {
        pack_.finish();
        if (y + 1 < y_end_)
          pack_.extend(c_.rows.end(y + 1));
        row_units_ = ceil_div(pack_.left, c_.columns.out * (end - begin));
        for (int64_t x = 0; x < c_.columns.out; ++x)
          for (int64_t panel = begin; panel < end; ++panel)
            run_block(y, x, panel, weights_ + (panel - begin) * panel_bytes_);
      }
    }
    store_.finish();
    raise(c_.largest, pack_.largest().bits());
    raise(c_.largest_weight, pack_weights_.largest().bits());
  }

private:
  Correlation<parts> &c_;
  int64_t n_, images_, y_begin_, y_end_, panel_begin_, panel_end_, panel_bytes_, passes_, slots_;
  bool whole_; // all rows stay packed
  PackRows<parts> pack_;
  PackWeights<parts> pack_weights_;
  char *memory_;
  const char *weights_; // of this pass
  StoreJob store_;
  int64_t row_units_, weight_units_; // of packing for every block
  Run runs_[kMostTaps];
  alignas(64) float finished_[2][kPanelLanes * kPanelLanes], sum_[kPanelLanes * kPanelLanes];
  int blocks_done_ = 0;

  int64_t panel_of(int64_t pass) const { return panel_begin_ + (panel_end_ - panel_begin_) * pass / passes_; }
  char *weights_memory(int64_t pass) const { // two: of this pass, and of the next
    const int64_t bytes = ceil_div(panel_end_ - panel_begin_, passes_) * panel_bytes_;
    return static_cast<char *>(scratch(Scratch::pack_b, size_t(2 * bytes))) + pass % 2 * bytes;
  }
  void start_weights(int64_t pass) {
    if (!c_.packed)
      pack_weights_.begin(panel_of(pass), panel_of(pass + 1), weights_memory(pass));
  }

  void run_block(int64_t y, int64_t x, int64_t panel, const char *weights) {
    const int64_t columns = least(kPanelLanes, c_.O - panel * kPanelLanes), tap_blocks = c_.weights.blocks();
    int64_t blocks = 0, count = 0;
    for (int64_t ky = 0; ky < c_.rows.taps; ++ky) {
      const int64_t row = c_.rows.at(y, ky);
      for (int64_t kx = 0; row >= 0 && kx < c_.columns.taps; ++kx) {
        const int64_t column = c_.columns.at(x, kx);
        if (column < 0)
          continue;
        runs_[count++] = {pack_.at(row, column),
                          weights + (ky * c_.columns.taps + kx) * tap_blocks * kBlockBytes<parts>, tap_blocks,
                          kBlockBytes<parts>, kBlockBytes<parts>};
        blocks += tap_blocks;
      }
    }
    // Chunks of whole taps, or of parts of one tap where it has many channels.
    const int64_t pieces = ceil_div(tap_blocks, kChunkOfPixel),
                  taps_at_once = pieces > 1 ? 1 : kChunkOfPixel / tap_blocks;
    const int64_t chunks = pieces > 1 ? count * pieces : ceil_div(count, taps_at_once);
    Shadow shadow{&store_, &pack_, &pack_weights_, 0};
    const int64_t packs = least(row_units_, pack_.left) + least(weight_units_, pack_weights_.left);
    shadow.plan(store_.left + packs + (chunks - 1) * images_, blocks * kProducts[parts] + 1);
    float *to = c_.y.data + n_ * c_.y.strides.n + y * c_.y.strides.h + x * c_.y.strides.w + panel * kPanelLanes;
    for (int64_t chunk = 0; chunk < chunks || chunk == 0; ++chunk) {
      float *finished = finished_[blocks_done_++ % 2];
      if (pieces > 1) {
        Run run = runs_[chunk / pieces];
        const int64_t from = tap_blocks * (chunk % pieces) / pieces, end = tap_blocks * (chunk % pieces + 1) / pieces;
        run.a += from * run.a_step, run.b += from * run.b_step, run.k_blocks = end - from;
        multiply<parts>(images_, columns, &run, 1, shadow, finished);
      } else {
        const int64_t from = count * chunk / (chunks ? chunks : 1), end = chunks ? count * (chunk + 1) / chunks : 0;
        multiply<parts>(images_, columns, runs_ + from, end - from, shadow, finished);
      }
      store_.finish();
      const bool last = chunk + 1 >= chunks;
      store_.from = finished;
      store_.to = last ? to : sum_;
      store_.added = chunk ? sum_ : nullptr;
      store_.to_step = last ? c_.y.strides.n : kPanelLanes;
      store_.added_step = kPanelLanes;
      store_.columns = columns;
      store_.bias_n = last && c_.bias ? c_.bias + panel * kPanelLanes : nullptr;
      store_.bias_m = nullptr;
      store_.left = images_;
    }
  }
};

} // namespace cinta::kernels::amx
