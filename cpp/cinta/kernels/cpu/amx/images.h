// Images as the tile unit takes them: up to 32 interleaved, so that one pixel of all of them is a panel. Every tap of a
// kernel is a pointer to a pixel's panel: there is no im2col matrix and no padding, and any stride and image size will
// do.
#pragma once
#include "cinta/kernels/cpu/amx/pack.h"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::amx {

// Where taps meet pixels along one axis: output i under tap k reads source (i * scale + shift + k * step) / divisor.
struct Axis {
  int64_t source, out, taps, scale, shift, step, divisor;

  int64_t at(int64_t i, int64_t k) const { // -1: outside, or between source pixels
    const int64_t position = i * scale + shift + k * step;
    return position < 0 || position % divisor || position / divisor >= source ? -1 : position / divisor;
  }
  int64_t first(int64_t i) const { return edge(i, step > 0 ? 0 : taps - 1, true); } // that any tap of output i reads
  int64_t end(int64_t i) const { return edge(i, step > 0 ? taps - 1 : 0, false) + 1; }

private:
  int64_t edge(int64_t i, int64_t k, bool lower) const { // within [0, source], or [-1, source - 1] for the upper
    const int64_t position = i * scale + shift + k * step;
    const int64_t down = position >= 0 ? position / divisor : -((divisor - 1 - position) / divisor);
    const int64_t index = lower && position - down * divisor ? down + 1 : down;
    return lower ? (index < 0 ? 0 : least(index, source)) : (index < -1 ? -1 : least(index, source - 1));
  }
};

// The axes of a convolution: as it is computed, and as its gradient for the input is.
inline Axis forward_axis(int64_t in, int64_t out, int64_t taps, int64_t stride, int64_t pad, int64_t dilation) {
  return {in, out, taps, stride, -pad, dilation, 1};
}
inline Axis backward_axis(int64_t in, int64_t out, int64_t taps, int64_t stride, int64_t pad, int64_t dilation) {
  return {out, in, taps, 1, pad, -dilation, stride};
}

// What a packed pixel of up to 32 images is: a panel whose lanes are images (k: channels, in blocks), or panels whose
// lanes are channels (k: images).
enum class Lanes { images, channels_of_a, channels_of_b };

// Packs rows of images one after another into slots of a ring.
template <int parts> class PackRows : public Job {
public:
  PackRows(Lanes lanes, const ImageStrides &strides, int64_t images, int64_t channels, int64_t height, int64_t width)
      : lanes_(lanes), strides_(strides), images_(images), channels_(channels), height_(height), width_(width),
        by_image_(lanes == Lanes::images && strides.c != 1) {
    unit = [](Job &job) { static_cast<PackRows &>(job).pack(); };
    if (by_image_) { // pixels of one image lie together
      job_.lane_step = strides.w;
      job_.k_step = strides.c;
      job_.along_k = false;
      job_.lane_bytes = pixel_bytes();
    } else if (lanes == Lanes::images) {
      job_.lane_step = strides.n;
      job_.k_step = 1;
      job_.along_k = true;
    } else {
      job_.lane_step = 1;
      job_.k_step = strides.n;
      job_.along_k = false;
    }
  }
  int64_t pixel_bytes() const { return blocks() * kBlockBytes<parts>; }
  int64_t row_bytes() const { return width_ * pixel_bytes(); }
  const char *at(int64_t row, int64_t column) const {
    return memory_ + row % slots_ * row_bytes() + column * pixel_bytes();
  }
  const Largest &largest() const { return job_.largest; }

  // From row `row` on; `x` is pixel 0 of row 0 of the first image.
  void begin(const float *x, char *memory, int64_t slots, int64_t row) {
    x_ = x;
    memory_ = memory;
    slots_ = slots;
    row_ = end_ = row;
    piece_ = left = job_.left = 0;
  }
  void extend(int64_t end) { // to the rows before `end`; what is under way goes on
    end = least(end, height_);
    if (end > end_) {
      left += (end - end_) * units_of_row();
      end_ = end;
    }
  }

private:
  Lanes lanes_;
  ImageStrides strides_;
  int64_t images_, channels_, height_, width_;
  bool by_image_;
  PackJob<parts> job_;
  const float *x_;
  char *memory_;
  int64_t slots_, row_, end_, piece_;

  int64_t blocks() const { return ceil_div(channels_, kTileDepth); }
  int64_t pieces() const {
    return by_image_ ? images_ * ceil_div(width_, kPanelLanes) : lanes_ == Lanes::images ? width_ : width_ * blocks();
  }
  int64_t units_of_row() const {
    using Pack = PackJob<parts>;
    constexpr int64_t stage = Pack::kStageUnits;
    if (by_image_)
      return images_ * ceil_div(width_, kTileLanes) * stage * blocks();
    if (lanes_ == Lanes::images)
      return width_ * images_ * ceil_div(blocks(), Pack::kLaneBlocks);
    return width_ * (lanes_ == Lanes::channels_of_a ? ceil_div(channels_, kTileLanes) * stage
                                                    : blocks() * kTileLanes / Pack::kPairRows);
  }
  void pack() {
    if (job_.left == 0)
      start_piece();
    job_.step();
  }
  void start_piece() {
    char *to = memory_ + row_ % slots_ * row_bytes();
    const float *x = x_ + row_ * strides_.h;
    if (by_image_) {
      const int64_t across = ceil_div(width_, kPanelLanes), n = piece_ / across, w = piece_ % across * kPanelLanes;
      job_.start(TileRows::lanes, x + n * strides_.n + w * strides_.w, least(kPanelLanes, width_ - w), channels_,
                 to + w * pixel_bytes() + n * 64);
    } else if (lanes_ == Lanes::images) {
      job_.start(TileRows::lanes, x + piece_ * strides_.w, images_, channels_, to + piece_ * pixel_bytes());
    } else {
      const int64_t w = piece_ / blocks(), c = piece_ % blocks() * kPanelLanes;
      job_.start(lanes_ == Lanes::channels_of_a ? TileRows::lanes : TileRows::pairs, x + w * strides_.w + c,
                 least(kPanelLanes, channels_ - c), images_, to + piece_ * kBlockBytes<parts>);
    }
    if (++piece_ == pieces()) {
      piece_ = 0;
      ++row_;
    }
  }
};

} // namespace cinta::kernels::amx
