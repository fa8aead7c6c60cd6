// A kernel with more taps than the filtering as blocks, of a side's taps or one less. All have the same outputs, each
// has tiles of pixels of its own: sums of products run over blocks as they do over channels. A block with a tap less
// leaves the last point empty, so that 49 products do what 100 do for 5x5 taps by F(2, 3).

namespace cinta::kernels::CINTA_ISA {
namespace {

constexpr int64_t kMostTaps = 9 * 9; // of a kernel
constexpr int64_t kTapRows = 9 * 16; // transposed at a time: those of several channels where these have few
static_assert(kMostTaps <= kTapRows);

template <class Down, class Across> struct KernelBlocks {
  static constexpr int points = Down::points * Across::points;
  int64_t KH, KW, rows, columns;
  int64_t channels; // of a block in a sum: the images', rounded up to whole vectors where blocks follow each other

  KernelBlocks(int64_t height, int64_t width, int64_t C)
      : KH(height), KW(width), rows(ceil_div(height, Down::taps)), columns(ceil_div(width, Across::taps)),
        channels(rows * columns == 1 ? C : ceil_div(C, Vec<float>::width) * Vec<float>::width) {}

  int64_t count() const { return rows * columns; }
  int64_t depth() const { return count() * channels; } // of a sum
  int64_t taps() const { return KH * KW; }
  int64_t top(int64_t block) const { return part_of(KH, rows, block / columns); }
  int64_t left(int64_t block) const { return part_of(KW, columns, block % columns); }
  int64_t height(int64_t block) const { return part_of(KH, rows, block / columns + 1) - top(block); }
  int64_t width(int64_t block) const { return part_of(KW, columns, block % columns + 1) - left(block); }

  bool empty_at(int64_t block, int64_t point) const {
    return (point / Across::points == Down::points - 1 && height(block) < Down::taps) ||
           (point % Across::points == Across::points - 1 && width(block) < Across::taps);
  }
  // f(first, count, which) of the depth, for runs of blocks with something at a point; how many there were.
  template <class F> int at_point(int64_t point, F f) const {
    int runs = 0;
    for (int64_t block = 0, end; block < count(); block = end + 1) {
      for (end = block; end < count() && !empty_at(end, point);)
        ++end;
      if (end > block)
        f(block * channels, (end - block) * channels, runs++);
    }
    return runs;
  }
  // Products for a tile of outputs, of one channel.
  int64_t products() const { return products<Down>(KH, rows) * products<Across>(KW, columns); }

private:
  template <class F> static int64_t products(int64_t size, int64_t blocks) {
    const int64_t whole = at_least(0, size - blocks * (F::taps - 1)); // blocks with no point empty
    return blocks * (F::points - 1) + whole;
  }
};

// Where the taps of each block lie, worked out once: divisions cost as much as the transforms.
template <class Down, class Across> class BlockTaps {
public:
  explicit BlockTaps(const KernelBlocks<Down, Across> &k) : columns_(k.KW) {
    for (int64_t block = 0; block < k.count(); ++block)
      blocks_[block] = {k.top(block) * k.KW + k.left(block), k.height(block), k.width(block)};
  }
  // Taps of a block as the transforms take them, from and to vectors [tap].
  CINTA_FN void load(int64_t block, const float *taps, Vec<float> (&w)[Down::taps][Across::taps]) const {
    const Block &b = blocks_[block];
    for (int64_t i = 0; i < Down::taps; ++i)
      for (int64_t j = 0; j < Across::taps; ++j)
        w[i][j] = i < b.height && j < b.width
                      ? Vec<float>::load(taps + (b.first + i * columns_ + j) * Vec<float>::width)
                      : Vec<float>(0.0f);
  }
  CINTA_FN void store(int64_t block, const Vec<float> (&w)[Down::taps][Across::taps], float *taps) const {
    const Block &b = blocks_[block];
    for (int64_t i = 0; i < b.height; ++i)
      for (int64_t j = 0; j < b.width; ++j)
        w[i][j].store(taps + (b.first + i * columns_ + j) * Vec<float>::width);
  }
  bool empty_at(int64_t block, int point) const {
    return (point / Across::points == Down::points - 1 && blocks_[block].height < Down::taps) ||
           (point % Across::points == Across::points - 1 && blocks_[block].width < Across::taps);
  }

private:
  struct Block {
    int64_t first, height, width;
  };
  int64_t columns_;
  Block blocks_[kMostTaps / 3];
};

} // namespace
} // namespace cinta::kernels::CINTA_ISA
