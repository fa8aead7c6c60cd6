// Convolution backward to the weights: for every tap and 32 x 32 channels a product over images and output pixels, 32
// images of one pixel to a k-block.
#pragma once
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/amx/images.h"
#include "cinta/kernels/cpu/amx/micro.h"
#include "cinta/kernels/cpu/amx/packed.h"

namespace cinta::kernels::amx {

inline constexpr int64_t kPixelsAtOnce = 16; // k-blocks summed from zero; sums of a block are kept in float32

template <int parts> struct WeightGradient {
  Images x, dy; // channels contiguous
  float *dw;    // [O,C,taps]
  int64_t N, C, O;
  Axis rows, columns; // forward
  int64_t o_ranges, c_ranges;
  uint32_t largest_x = 0, largest_dy = 0;
};

// Some channels of both sides; each range is computed by one thread, over all images.
template <int parts> class WeightGradientRange {
public:
  WeightGradientRange(WeightGradient<parts> &all, int64_t range)
      : g_(all), o_begin_(border(all.O, all.o_ranges, range / all.c_ranges)),
        o_end_(border(all.O, all.o_ranges, range / all.c_ranges + 1)),
        c_begin_(border(all.C, all.c_ranges, range % all.c_ranges)),
        c_end_(border(all.C, all.c_ranges, range % all.c_ranges + 1)) {
    band_ = least(g_.rows.out, ceil_div(kPixelsAtOnce, g_.columns.out));
    const size_t sums = size_t(o_panels() * c_panels() * taps() * kPanelLanes * kPanelLanes);
    sums_ = static_cast<float *>(scratch(Scratch::conv, sums * sizeof(float)));
  }

  void run() {
    const TileScope tiles;
    bool first = true;
    for (int64_t n = 0; n < g_.N; n += kPanelLanes) {
      const int64_t images = least(kPanelLanes, g_.N - n);
      PackRows<parts> x(Lanes::channels_of_b, g_.x.strides, images, c_end_ - c_begin_, g_.rows.source,
                        g_.columns.source);
      PackRows<parts> dy(Lanes::channels_of_a, g_.dy.strides, images, o_end_ - o_begin_, g_.rows.out, g_.columns.out);
      begin(x, g_.x.data + n * g_.x.strides.n + c_begin_, Scratch::pack_b, x_slots(), g_.rows.first(0));
      begin(dy, g_.dy.data + n * g_.dy.strides.n + o_begin_, Scratch::pack_a, least(2 * band_, g_.rows.out), 0);
      for (int64_t y = 0; y < g_.rows.out; y += band_) {
        const int64_t end = least(g_.rows.out, y + band_), next = least(g_.rows.out, end + band_);
        x.extend(rows_end(y, end));
        dy.extend(end);
        x.finish();
        dy.finish();
        if (end < g_.rows.out) {
          x.extend(rows_end(end, next));
          dy.extend(next);
        }
        run_band(x, dy, y, end, first);
        first = false;
      }
      store_.finish();
      raise(g_.largest_x, x.largest().bits());
      raise(g_.largest_dy, dy.largest().bits());
    }
    write();
  }

private:
  WeightGradient<parts> &g_;
  int64_t o_begin_, o_end_, c_begin_, c_end_, band_;
  float *sums_; // [panel of O][panel of C][tap][32][32]
  StoreJob store_;
  Run runs_[kPixelsAtOnce];
  alignas(64) float finished_[2][kPanelLanes * kPanelLanes];
  int blocks_done_ = 0;

  static int64_t border(int64_t n, int64_t ranges, int64_t i) {
    return least(n, ceil_div(n, kPanelLanes) * i / ranges * kPanelLanes);
  }
  int64_t o_panels() const { return ceil_div(o_end_ - o_begin_, kPanelLanes); }
  int64_t c_panels() const { return ceil_div(c_end_ - c_begin_, kPanelLanes); }
  int64_t taps() const { return g_.rows.taps * g_.columns.taps; }
  int64_t rows_end(int64_t begin, int64_t end) const { return begin < end ? g_.rows.end(end - 1) : 0; }
  int64_t x_slots() const {
    int64_t slots = 1;
    for (int64_t y = 0; y < g_.rows.out; y += band_) {
      const int64_t span = g_.rows.end(least(g_.rows.out, y + 2 * band_) - 1) - g_.rows.first(y);
      slots = span > slots ? span : slots;
    }
    return slots;
  }
  static void begin(PackRows<parts> &pack, const float *x, Scratch slot, int64_t slots, int64_t row) {
    pack.begin(x, static_cast<char *>(scratch(slot, size_t(slots * pack.row_bytes()))), slots, row);
  }

  void run_band(PackRows<parts> &x, PackRows<parts> &dy, int64_t y_begin, int64_t y_end, bool first) {
    const int64_t blocks = o_panels() * c_panels() * taps(), packs = ceil_div(x.left + dy.left, blocks);
    float *sum = sums_;
    for (int64_t o = 0; o < o_panels(); ++o)
      for (int64_t c = 0; c < c_panels(); ++c)
        for (int64_t ky = 0; ky < g_.rows.taps; ++ky)
          for (int64_t kx = 0; kx < g_.columns.taps; ++kx, sum += kPanelLanes * kPanelLanes) {
            int64_t count = 0, pixels = 0;
            bool fresh = first;
            const auto flush = [&] {
              run_block(x, dy, o, c, count, pixels, packs, sum, fresh);
              count = pixels = 0;
              fresh = false;
            };
            for (int64_t y = y_begin; y < y_end; ++y) {
              const int64_t row = g_.rows.at(y, ky);
              if (row < 0)
                continue;
              int64_t begin = 0, end = g_.columns.out;
              while (begin < end && g_.columns.at(begin, kx) < 0)
                ++begin;
              while (begin < end && g_.columns.at(end - 1, kx) < 0)
                --end;
              while (begin < end) {
                const int64_t length = least(end - begin, kPixelsAtOnce - pixels);
                runs_[count++] = {dy.at(y, begin) + o * kBlockBytes<parts>,
                                  x.at(row, g_.columns.at(begin, kx)) + c * kBlockBytes<parts>, length,
                                  dy.pixel_bytes(), g_.columns.scale * x.pixel_bytes()};
                begin += length;
                pixels += length;
                if (pixels == kPixelsAtOnce)
                  flush();
              }
            }
            if (pixels || fresh)
              flush();
          }
  }

  // Adds the product over `runs_` to a block of sums, or begins it.
  void run_block(PackRows<parts> &x, PackRows<parts> &dy, int64_t o, int64_t c, int64_t count, int64_t pixels,
                 int64_t packs, float *sum, bool fresh) {
    const int64_t rows = least(kPanelLanes, o_end_ - o_begin_ - o * kPanelLanes);
    const int64_t columns = least(kPanelLanes, c_end_ - c_begin_ - c * kPanelLanes);
    Shadow shadow{&store_, &dy, &x, 0};
    shadow.plan(store_.left + least(packs, x.left + dy.left), pixels * kProducts[parts] + 1);
    float *finished = finished_[blocks_done_++ % 2];
    multiply<parts>(rows, columns, runs_, count, shadow, finished);
    store_.finish();
    store_.from = finished;
    store_.to = sum;
    store_.added = fresh ? nullptr : sum;
    store_.to_step = store_.added_step = kPanelLanes;
    store_.columns = columns;
    store_.bias_n = store_.bias_m = nullptr;
    store_.left = rows;
  }

  void write() const { // sums to [O,C,taps]
    const __m512i step = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                                            _mm512_set1_epi32(int(taps())));
    for (int64_t o = o_begin_; o < o_end_; ++o)
      for (int64_t c = c_begin_; c < c_end_; c += 16) {
        const int64_t panel = (o - o_begin_) / kPanelLanes * c_panels() + (c - c_begin_) / kPanelLanes;
        const float *sum = sums_ + panel * taps() * kPanelLanes * kPanelLanes +
                           (o - o_begin_) % kPanelLanes * kPanelLanes + (c - c_begin_) % kPanelLanes;
        for (int64_t tap = 0; tap < taps(); ++tap)
          _mm512_mask_i32scatter_ps(g_.dw + (o * g_.C + c) * taps() + tap, first_lanes(c_end_ - c), step,
                                    _mm512_load_ps(sum + tap * kPanelLanes * kPanelLanes), sizeof(float));
      }
  }
};

} // namespace cinta::kernels::amx
