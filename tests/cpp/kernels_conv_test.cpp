// The implicit im2col kernels on every level against plain loops in double.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"

using namespace cinta::kernels;

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

Conv2d shape(int64_t N, int64_t C, int64_t H, int64_t W, int64_t O, int64_t KH, int64_t KW, int64_t pad_h,
             int64_t pad_w, int64_t dilation_h = 1, int64_t dilation_w = 1) {
  const int64_t OH = H + 2 * pad_h - (KH - 1) * dilation_h, OW = W + 2 * pad_w - (KW - 1) * dilation_w;
  return {N, C, H, W, O, KH, KW, OH, OW, 1, 1, pad_h, pad_w, dilation_h, dilation_w, C * H * W, O * OH * OW};
}

Conv2d strided(Conv2d g, int64_t stride_h, int64_t stride_w) {
  g.stride_h = stride_h, g.stride_w = stride_w;
  g.OH = (g.OH - 1) / stride_h + 1, g.OW = (g.OW - 1) / stride_w + 1;
  g.y_batch = g.O * g.OH * g.OW;
  return g;
}

Floats normal(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> one(0, 1);
  Floats values(static_cast<size_t>(n));
  for (float &v : values)
    v = one(random);
  return values;
}

// visit(x, w, y): flat indices of every product of the convolution
template <class F> void products(const Conv2d &g, F visit) {
  for (int64_t n = 0; n < g.N; ++n)
    for (int64_t o = 0; o < g.O; ++o)
      for (int64_t i = 0; i < g.OH; ++i)
        for (int64_t j = 0; j < g.OW; ++j)
          for (int64_t c = 0; c < g.C; ++c)
            for (int64_t kh = 0; kh < g.KH; ++kh)
              for (int64_t kw = 0; kw < g.KW; ++kw) {
                const int64_t h = i * g.stride_h + kh * g.dilation_h - g.pad_h;
                const int64_t w = j * g.stride_w + kw * g.dilation_w - g.pad_w;
                if (h >= 0 && h < g.H && w >= 0 && w < g.W)
                  visit(size_t(n * g.x_batch + (c * g.H + h) * g.W + w),
                        size_t(((o * g.C + c) * g.KH + kh) * g.KW + kw),
                        size_t(n * g.y_batch + (o * g.OH + i) * g.OW + j));
              }
}

double worst(const Floats &got, const Doubles &expected) {
  double difference = 0, size = 1e-3;
  for (size_t i = 0; i < got.size(); ++i) {
    difference = std::fmax(difference, std::isnan(got[i]) ? 1e30 : std::fabs(double(got[i]) - expected[i]));
    size = std::fmax(size, std::fabs(expected[i]));
  }
  return difference / size;
}

const Conv2d kShapes[] = {shape(3, 1, 32, 32, 6, 5, 5, 0, 0),
                          shape(2, 6, 14, 14, 16, 5, 5, 0, 0),
                          shape(1, 6, 14, 14, 16, 5, 5, 2, 2),
                          shape(2, 3, 9, 35, 5, 3, 3, 1, 1),
                          shape(17, 7, 8, 8, 33, 3, 3, 1, 1),
                          shape(2, 64, 8, 8, 80, 3, 3, 1, 1),
                          shape(2, 20, 5, 17, 50, 2, 4, 1, 0),
                          shape(3, 5, 12, 20, 9, 3, 3, 2, 2, 2, 2),
                          shape(2, 4, 1, 60, 11, 1, 9, 0, 4),
                          shape(2, 2, 30, 3, 19, 5, 1, 2, 0),
                          shape(1, 40, 16, 16, 24, 3, 3, 0, 0),
                          shape(5, 3, 4, 70, 1, 1, 7, 0, 3),
                          shape(2, 17, 6, 6, 129, 3, 3, 2, 2),
                          shape(70, 2, 6, 6, 3, 3, 3, 1, 1),
                          shape(46, 12, 7, 9, 7, 3, 3, 1, 1),
                          shape(31, 6, 9, 8, 16, 5, 5, 1, 2),
                          shape(15, 30, 5, 6, 9, 3, 3, 2, 2, 2, 1),
                          strided(shape(2, 3, 31, 30, 64, 7, 7, 3, 3), 2, 2),
                          strided(shape(3, 5, 12, 41, 20, 3, 3, 1, 1), 1, 2),
                          strided(shape(2, 4, 19, 20, 33, 5, 4, 2, 1, 1, 2), 3, 3),
                          strided(shape(1, 2, 9, 70, 5, 3, 3, 0, 1), 2, 2)};

} // namespace

TEST_CASE("conv2d kernels agree with plain loops in all three directions") {
  for (const std::string &isa : available_isas())
    for (const Conv2d &g : kShapes) {
      const Table &table = table_of(isa.c_str());
      CAPTURE(isa);
      CAPTURE(g.C);
      CAPTURE(g.H);
      CAPTURE(g.W);
      CAPTURE(g.O);
      const Floats x = normal(g.N * g.x_batch, 1), w = normal(g.O * g.C * g.KH * g.KW, 2), bias = normal(g.O, 3);
      const Floats dy = normal(g.N * g.y_batch, 4);
      Doubles y_expected(dy.size()), dx_expected(x.size()), dw_expected(w.size());
      for (size_t i = 0; i < y_expected.size(); ++i)
        y_expected[i] = double(bias[i / size_t(g.OH * g.OW) % size_t(g.O)]);
      products(g, [&](size_t ix, size_t iw, size_t iy) {
        y_expected[iy] += double(x[ix]) * double(w[iw]);
        dx_expected[ix] += double(dy[iy]) * double(w[iw]);
        dw_expected[iw] += double(dy[iy]) * double(x[ix]);
      });
      Floats y(dy.size(), NAN), dx(x.size(), NAN), dw(w.size(), NAN);
      table.conv2d_forward(g, x.data(), w.data(), bias.data(), y.data());
      table.conv2d_backward_weight(g, x.data(), dy.data(), dw.data());
      CHECK(worst(y, y_expected) < 2e-6);
      if (g.stride_h == 1 && g.stride_w == 1) { // dx of a stride is not theirs
        table.conv2d_backward_data(g, dy.data(), w.data(), dx.data());
        CHECK(worst(dx, dx_expected) < 2e-6);
      }
      CHECK(worst(dw, dw_expected) < 2e-6);
    }
}

TEST_CASE("conv2d kernels give the same bits on any number of threads") {
  const Conv2d g = shape(40, 6, 14, 14, 16, 5, 5, 2, 2);
  for (const std::string &isa : available_isas()) {
    const Table &table = table_of(isa.c_str());
    const Floats x = normal(g.N * g.x_batch, 1), w = normal(g.O * g.C * 25, 2), dy = normal(g.N * g.y_batch, 4);
    Floats first;
    for (int threads : {1, 2, 3}) {
      cinta::set_num_threads(threads);
      Floats all(dy.size() + x.size() + w.size());
      table.conv2d_forward(g, x.data(), w.data(), nullptr, all.data());
      table.conv2d_backward_data(g, dy.data(), w.data(), all.data() + dy.size());
      table.conv2d_backward_weight(g, x.data(), dy.data(), all.data() + dy.size() + x.size());
      if (threads == 1)
        first = all;
      CHECK(std::memcmp(first.data(), all.data(), all.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("an infinity in x reaches only the weights it is multiplied with") {
  const Conv2d g = shape(1, 1, 6, 21, 3, 3, 3, 0, 0);
  for (const std::string &isa : available_isas()) {
    Floats x = normal(g.N * g.x_batch, 1), dy = normal(g.N * g.y_batch, 4), dw(27);
    x[0] = INFINITY; // seen by tap (0, 0) alone
    table_of(isa.c_str()).conv2d_backward_weight(g, x.data(), dy.data(), dw.data());
    for (size_t k = 0; k < dw.size(); ++k)
      CHECK(std::isfinite(dw[k]) == (k % 9 != 0));
  }
}

TEST_CASE("conv2d_fits takes what the kernels can do") {
  Conv2d g = shape(8, 16, 12, 12, 32, 3, 3, 1, 1);
  for (Direction direction : {Direction::forward, Direction::backward_data, Direction::backward_weight}) {
    CHECK(table().conv2d_fits(g, direction));
    CHECK_FALSE(table().conv2d_fits(shape(8, 16, 12, 12, 32, 1, 1, 0, 0), direction));
    CHECK_FALSE(table().conv2d_fits(shape(8, 16, 12, 12, 32, 3, 3, 3, 3), direction));
  }
  g.stride_w = 2, g.OW = 6;
  CHECK(table().conv2d_fits(g, Direction::forward));
  CHECK_FALSE(table().conv2d_fits(g, Direction::backward_data));
}

namespace {

Conv2d depthwise_shape(int64_t N, int64_t C, int64_t H, int64_t W, int64_t KH, int64_t KW, int64_t stride_h,
                       int64_t stride_w, int64_t pad_h, int64_t pad_w, int64_t dilation_h = 1, int64_t dilation_w = 1) {
  const int64_t OH = (H + 2 * pad_h - (KH - 1) * dilation_h - 1) / stride_h + 1;
  const int64_t OW = (W + 2 * pad_w - (KW - 1) * dilation_w - 1) / stride_w + 1;
  return {N,        C,        H,     W,     C,          KH,         KW,        OH,         OW,
          stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, C * H * W, C * OH * OW};
}

const Conv2d kDepthwise[] = {
    depthwise_shape(2, 3, 7, 7, 3, 3, 1, 1, 1, 1),    depthwise_shape(1, 17, 14, 14, 3, 3, 1, 1, 1, 1),
    depthwise_shape(3, 64, 5, 33, 3, 3, 1, 1, 0, 2),  depthwise_shape(2, 70, 9, 40, 5, 5, 1, 1, 2, 2),
    depthwise_shape(2, 5, 20, 17, 7, 7, 1, 1, 3, 3),  depthwise_shape(4, 18, 1, 1, 3, 3, 1, 1, 1, 1),
    depthwise_shape(1, 2, 1, 1, 1, 1, 1, 1, 0, 0),    depthwise_shape(2, 33, 2, 3, 3, 3, 1, 1, 1, 1),
    depthwise_shape(2, 9, 16, 21, 2, 4, 1, 1, 1, 2),  depthwise_shape(1, 16, 1, 50, 1, 9, 1, 1, 0, 4),
    depthwise_shape(2, 19, 12, 11, 9, 2, 1, 1, 4, 0), depthwise_shape(3, 16, 23, 30, 3, 3, 1, 1, 2, 3, 2, 3),
    depthwise_shape(2, 40, 15, 16, 3, 3, 2, 2, 1, 1), depthwise_shape(2, 6, 13, 18, 5, 3, 3, 1, 2, 1),
    depthwise_shape(1, 21, 14, 9, 4, 4, 2, 3, 1, 2),  depthwise_shape(2, 8, 17, 19, 3, 3, 2, 4, 2, 3, 3, 2),
    depthwise_shape(1, 3, 40, 60, 3, 3, 1, 1, 5, 4),  depthwise_shape(2, 4, 9, 9, 1, 1, 2, 2, 0, 0),
    depthwise_shape(2, 5, 9, 4, 3, 3, 1, 1, 1, 1),    depthwise_shape(3, 7, 5, 9, 3, 3, 1, 1, 1, 1),
    depthwise_shape(2, 3, 11, 16, 3, 3, 1, 1, 1, 1),  depthwise_shape(1, 2, 8, 2, 3, 3, 1, 1, 1, 1),
    depthwise_shape(1, 3, 20, 1, 3, 3, 1, 1, 1, 1),   depthwise_shape(1, 2, 3, 37, 3, 3, 1, 1, 1, 1),
    depthwise_shape(35, 4, 6, 6, 3, 3, 1, 1, 1, 1),   depthwise_shape(2, 32, 70, 70, 3, 3, 2, 2, 1, 1),
};

// visit(x, w, y): flat indices of every product, images as the geometry says
template <class F> void depthwise_products(const Conv2d &g, F visit) {
  const auto at = [&](int64_t n, int64_t c, int64_t h, int64_t w, int64_t H, int64_t W) {
    return size_t(g.channels_last ? ((n * H + h) * W + w) * g.C + c : ((n * g.C + c) * H + h) * W + w);
  };
  for (int64_t n = 0; n < g.N; ++n)
    for (int64_t c = 0; c < g.C; ++c)
      for (int64_t i = 0; i < g.OH; ++i)
        for (int64_t j = 0; j < g.OW; ++j)
          for (int64_t kh = 0; kh < g.KH; ++kh)
            for (int64_t kw = 0; kw < g.KW; ++kw) {
              const int64_t h = i * g.stride_h + kh * g.dilation_h - g.pad_h;
              const int64_t w = j * g.stride_w + kw * g.dilation_w - g.pad_w;
              if (h >= 0 && h < g.H && w >= 0 && w < g.W)
                visit(at(n, c, h, w, g.H, g.W), size_t((c * g.KH + kh) * g.KW + kw), at(n, c, i, j, g.OH, g.OW));
            }
}

size_t channel_of(const Conv2d &g, size_t i, int64_t places) {
  return g.channels_last ? i % size_t(g.C) : i / size_t(places) % size_t(g.C);
}

// All directions in one buffer: y, dx, dw.
Floats depthwise(const Table &table, const Conv2d &g, const Floats &x, const Floats &w, const Floats &bias,
                 const Floats &dy) {
  Floats all(dy.size() + x.size() + w.size(), NAN);
  table.depthwise_forward(g, x.data(), w.data(), bias.empty() ? nullptr : bias.data(), all.data());
  table.depthwise_backward_data(g, dy.data(), w.data(), all.data() + dy.size());
  table.depthwise_backward_weight(g, x.data(), dy.data(), all.data() + dy.size() + x.size());
  return all;
}

} // namespace

TEST_CASE("depthwise kernels agree with plain loops in all three directions and both orders") {
  for (const std::string &isa : available_isas())
    for (Conv2d g : kDepthwise)
      for (bool channels_last : {false, true}) {
        g.channels_last = channels_last;
        CAPTURE(isa);
        CAPTURE(channels_last);
        CAPTURE(g.C);
        CAPTURE(g.H);
        CAPTURE(g.W);
        CAPTURE(g.KH);
        CAPTURE(g.stride_h);
        const Floats x = normal(g.N * g.x_batch, 1), w = normal(g.C * g.KH * g.KW, 2), bias = normal(g.C, 3);
        const Floats dy = normal(g.N * g.y_batch, 4);
        Doubles expected(dy.size() + x.size() + w.size());
        double *dx = expected.data() + dy.size(), *dw = dx + x.size();
        for (size_t i = 0; i < dy.size(); ++i)
          expected[i] = double(bias[channel_of(g, i, g.OH * g.OW)]);
        depthwise_products(g, [&](size_t ix, size_t iw, size_t iy) {
          expected[iy] += double(x[ix]) * double(w[iw]);
          dx[ix] += double(dy[iy]) * double(w[iw]);
          dw[iw] += double(dy[iy]) * double(x[ix]);
        });
        const Floats all = depthwise(table_of(isa.c_str()), g, x, w, bias, dy);
        const auto part = [&](size_t begin, size_t size) {
          return worst(Floats(all.begin() + long(begin), all.begin() + long(begin + size)),
                       Doubles(expected.begin() + long(begin), expected.begin() + long(begin + size)));
        };
        CHECK(part(0, dy.size()) < 2e-6);
        CHECK(part(dy.size(), x.size()) < 2e-6);
        CHECK(part(dy.size() + x.size(), w.size()) < 2e-6);
      }
}

TEST_CASE("depthwise kernels give the same bits on any number of threads") {
  for (Conv2d g : {depthwise_shape(9, 50, 28, 28, 3, 3, 1, 1, 1, 1), depthwise_shape(9, 350, 7, 7, 3, 3, 1, 1, 1, 1),
                   depthwise_shape(9, 50, 28, 28, 3, 3, 2, 2, 1, 1)})
    for (bool channels_last : {false, true})
      for (const std::string &isa : available_isas()) {
        g.channels_last = channels_last;
        const Floats x = normal(g.N * g.x_batch, 1), w = normal(g.C * 9, 2), dy = normal(g.N * g.y_batch, 4);
        Floats first;
        for (int threads : {1, 2, 3}) {
          cinta::set_num_threads(threads);
          const Floats all = depthwise(table_of(isa.c_str()), g, x, w, {}, dy);
          if (threads == 1)
            first = all;
          CHECK(std::memcmp(first.data(), all.data(), all.size() * sizeof(float)) == 0);
        }
      }
}

TEST_CASE("an infinity at the border of an image reaches only the products it is in") {
  for (Conv2d g : {depthwise_shape(2, 20, 9, 18, 3, 3, 1, 1, 1, 1), depthwise_shape(2, 20, 9, 18, 3, 3, 2, 2, 1, 1),
                   depthwise_shape(2, 20, 4, 4, 3, 3, 1, 1, 1, 1), depthwise_shape(2, 21, 9, 7, 3, 3, 1, 1, 1, 1),
                   depthwise_shape(2, 20, 9, 18, 5, 5, 1, 1, 2, 2)})
    for (bool channels_last : {false, true})
      for (const std::string &isa : available_isas()) {
        g.channels_last = channels_last;
        CAPTURE(isa);
        CAPTURE(channels_last);
        Floats x = normal(g.N * g.x_batch, 1), w = normal(g.C * g.KH * g.KW, 2), dy = normal(g.N * g.y_batch, 4);
        const size_t places = channels_last ? 1 : size_t(g.H * g.W), step = channels_last ? size_t(g.C) : 1;
        for (size_t at : {size_t(0), size_t(g.W - 1), size_t(g.W)}) // of channel 0, whose plane comes first in both
          x[at * step] = INFINITY;
        x[places * size_t(g.C - 1) + size_t(g.H * g.W - 1) * step] = -INFINITY; // the last of the last channel
        std::vector<bool> touched(dy.size() + x.size() + w.size());
        depthwise_products(g, [&](size_t ix, size_t iw, size_t iy) {
          if (std::isinf(x[ix]))
            touched[iy] = touched[dy.size() + x.size() + iw] = true;
        });
        const Floats all = depthwise(table_of(isa.c_str()), g, x, w, {}, dy);
        bool local = true;
        for (size_t i = 0; i < all.size(); ++i)
          local &= std::isfinite(all[i]) != touched[i];
        CHECK(local);
      }
}
