#include "cinta/ops/fractional_pool.h"

#include <algorithm>
#include <cmath>

#include "cinta/base/random.h"
#include "cinta/ops/elementwise.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

constexpr const char *kName = "fractional_max_pool2d";

// The windows of one axis: `out` of them on `size` elements.
struct Sequence {
  int64_t size, out, kernel; // kernel 0: each as large as the step to the next
  bool overlapping;

  // How many steps lead from the first window to where the last begins (kernel), or ends.
  int64_t steps() const { return kernel ? out - 1 : out; }
  int64_t span() const { return kernel ? size - kernel : overlapping ? size - 1 : size; } // what they add up to
  int64_t widest() const {
    const int64_t step = steps() ? (span() + steps() - 1) / steps() : 0;
    return kernel ? kernel : std::min(step + overlapping, size);
  }

  // Borders at multiples of the fraction a = span / steps, moved by u: floor(a (i + u)) - floor(a u), or with ceil.
  void place(double u, int64_t *begin, int64_t *end) const {
    const double a = steps() ? double(span()) / double(steps()) : 0;
    const auto whole = [&](double at) { return int64_t(kernel ? std::floor(at) : std::ceil(at)); };
    for (int64_t i = 0; i < out; ++i)
      begin[i] = whole(a * (double(i) + u)) - whole(a * u);
    finish(begin, end);
  }
  // Steps of floor(a) and ceil(a), as many of each as add up, in the order that random numbers say.
  void shuffle(const uint32_t *random, int64_t *begin, int64_t *end) const {
    const int64_t n = steps(), least = n ? span() / n : 0, longer = n ? span() % n : 0;
    std::vector<int64_t> step(static_cast<size_t>(n), least);
    std::fill_n(step.begin(), longer, least + 1);
    for (int64_t i = n - 1; i > 0; --i)
      std::swap(step[size_t(i)], step[size_t((uint64_t(random[i]) * uint64_t(i + 1)) >> 32)]);
    begin[0] = 0;
    for (int64_t i = 1; i < out; ++i)
      begin[i] = begin[i - 1] + step[size_t(i - 1)];
    finish(begin, end);
  }

private:
  void finish(int64_t *begin, int64_t *end) const {
    if (kernel)
      begin[out - 1] = span();
    for (int64_t i = 0; i < out; ++i) {
      const int64_t next = i + 1 < out ? begin[i + 1] : kernel ? size : span();
      end[i] = !kernel ? next + overlapping : overlapping ? begin[i] + kernel : std::min(begin[i] + kernel, next);
    }
  }
};

enum class Source { drawn, given, fixed };
struct WindowsWork { // in: perhaps samples; out: windows
  Sequence rows, columns;
  bool pseudo_random;
  Source source;
  void operator()(const Tensor *in, const Tensor *out) const {
    const int64_t groups = out[0].shape()[0], half = rows.out + columns.out;
    int64_t *begin = out[0].data<int64_t>();
    if (source == Source::drawn && !pseudo_random) {
      const int64_t each = rows.out + columns.out;
      std::vector<uint32_t> words(static_cast<size_t>(groups * each));
      kernel().bits_fill(groups * each, generator().key, generator().take(uint64_t(groups * each)), words.data());
      for (int64_t g = 0; g < groups; ++g, begin += 2 * half) {
        rows.shuffle(words.data() + g * each, begin, begin + half);
        columns.shuffle(words.data() + g * each + rows.out, begin + rows.out, begin + half + rows.out);
      }
      return;
    }
    std::vector<double> u(static_cast<size_t>(2 * groups), 0.5); // of the columns, then of the rows
    if (source == Source::given)
      std::copy_n(in[0].data<double>(), 2 * groups, u.begin());
    else if (source == Source::drawn)
      kernel().uniform_fill[1](2 * groups, generator().key, generator().take(uint64_t(2 * groups)), 0, 1, u.data());
    for (int64_t g = 0; g < groups; ++g, begin += 2 * half) {
      const double across = u[size_t(2 * g)], down = u[size_t(2 * g + 1)];
      if (!(across >= 0 && across < 1 && down >= 0 && down < 1))
        fail<ValueError>("[", kName, "] _random_samples has the pair (", across, ", ", down, "), expected numbers in ",
                         "[0, 1)");
      rows.place(down, begin, begin + half);
      columns.place(across, begin + rows.out, begin + half + rows.out);
    }
  }
};

int64_t of_axis(const Dims &given, int axis, const char *what) {
  if (given.size() != 1 && given.size() != 2)
    fail<ValueError>("[", kName, "] ", what, " is ", given, ", expected one number or 2");
  const int64_t value = given[given.size() == 2 ? axis : 0];
  if (value < 1)
    fail<ValueError>("[", kName, "] ", what, " is ", value, ", expected at least 1");
  return value;
}

Sequence sequence(const FractionalPool &how, int64_t size, int axis) {
  Sequence s{size, 0, how.kernel_size ? of_axis(*how.kernel_size, axis, "kernel_size") : 0, how.overlapping};
  if (how.output_size) {
    s.out = of_axis(*how.output_size, axis, "output_size");
  } else {
    const std::vector<double> &ratios = *how.output_ratio;
    if (ratios.size() != 1 && ratios.size() != 2)
      fail<ValueError>("[", kName, "] output_ratio has ", ratios.size(), " numbers, expected one or 2");
    const double ratio = ratios[ratios.size() == 2 ? size_t(axis) : 0];
    if (!(ratio > 0 && ratio < 1))
      fail<ValueError>("[", kName, "] output_ratio is ", ratio, ", expected a number between 0 and 1");
    s.out = int64_t(double(size) * ratio);
  }
  const int64_t most = s.kernel ? size - s.kernel + 1 : std::max<int64_t>(s.span(), 1);
  if (s.out < 1 || s.out > most)
    fail<ValueError>("[", kName, "] ", s.out, " windows ", s.kernel ? join("of size ", s.kernel, " ") : "", "on ", size,
                     " elements, expected 1 to ", most, ": change output_size, output_ratio or kernel_size");
  return s;
}

// One pair for all planes, or one for each, as float64.
Tensor pairs(const Tensor &samples, int64_t planes, const FractionalPool &how) {
  if (!how.pseudo_random)
    fail<ValueError>("[", kName,
                     "] got _random_samples, the offsets of pseudo-random windows, expected "
                     "pseudo_random=True");
  if (samples.ndim() < 1 || samples.shape(-1) != 2 || (samples.size() != 2 && samples.size() != 2 * planes))
    fail<ValueError>("[", kName, "] _random_samples has shape ", samples.shape(),
                     ", expected [2], or [N,C,2]: a pair for every plane");
  check_floating(samples, kName);
  const GradMode off(false);
  return contiguous(astype(detach(samples), Dtype::float64));
}

} // namespace

Values fractional_max_pool2d(const Tensor &x, const FractionalPool &how, bool with_positions) {
  check_floating(x, kName);
  if ((x.ndim() != 3 && x.ndim() != 4) || x.shape(-1) < 1 || x.shape(-2) < 1)
    fail<ValueError>("[", kName, "] input has shape ", x.shape(),
                     ", expected [N,C,H,W] or [C,H,W] with no empty plane");
  if (bool(how.output_size) == bool(how.output_ratio))
    fail<ValueError>("[", kName, "] got ", how.output_size ? "both output_size and output_ratio" : "no output_size",
                     ", expected either output_size or output_ratio");
  const int64_t planes = x.size() / (x.shape(-1) * x.shape(-2));
  const WindowsWork work{sequence(how, x.shape(-2), 0), sequence(how, x.shape(-1), 1), how.pseudo_random,
                         how.samples    ? Source::given
                         : how.training ? Source::drawn
                                        : Source::fixed};
  const Tensor samples = how.samples ? pairs(how.samples, planes, how) : Tensor();
  const int64_t sets = samples ? samples.size() / 2 : how.shared || !how.training ? 1 : planes;
  const Tensor windows = empty({sets, 2 * (work.rows.out + work.columns.out)}, Dtype::int64);
  if (samples && sets)
    compute({"fractional_windows", Effect::check}, {samples}, {windows}, work);
  else if (sets)
    compute({"fractional_windows", how.training ? Effect::random : Effect::none}, {}, {windows}, work);
  return max_pool2d_windows(x, windows, {work.rows.out, work.columns.out, work.rows.widest(), work.columns.widest()},
                            with_positions);
}

} // namespace cinta::ops
