// Batch norm where a channel's elements lie in runs: x[outer, channels, inner].
namespace cinta::kernels::CINTA_ISA {

// `count` runs of `length` contiguous elements, the beginnings `stride` apart.
struct Places {
  int64_t first, count, length, stride;
};

// f(Places) for spans of about kSpan elements: several short runs, or pieces of a long one.
template <class F> CINTA_FN void for_spans(const Places &p, F f) {
  if (p.length < kSpan) {
    const int64_t some = kSpan / larger(p.length, 1);
    for (int64_t i = 0; i < p.count; i += some)
      f(Places{p.first + i * p.stride, smaller(some, p.count - i), p.length, p.stride});
    return;
  }
  for (int64_t i = 0; i < p.count; ++i)
    for (int64_t j = 0; j < p.length; j += kSpan)
      f(Places{p.first + i * p.stride + j, 1, smaller(kSpan, p.length - j), 0});
}

// term(at, n, sums) adds the vector of n elements at `at` to kSums vectors; four sets of them, so that no addition
// waits for the one before.
template <class T, int kSums, class F> CINTA_FN void add_span(const Places &p, double *total, F term) {
  constexpr int W = Vec<T>::width;
  Vec<T> a[kSums], b[kSums], c[kSums], d[kSums];
  for (int k = 0; k < kSums; ++k)
    a[k] = b[k] = c[k] = d[k] = Vec<T>(T(0));
  for (int64_t i = 0; i < p.count; ++i) {
    int64_t at = p.first + i * p.stride;
    const int64_t end = at + p.length;
    for (; at + 4 * W <= end; at += 4 * W) {
      term(at, int64_t(W), a);
      term(at + W, int64_t(W), b);
      term(at + 2 * W, int64_t(W), c);
      term(at + 3 * W, int64_t(W), d);
    }
    for (; at + W <= end; at += W)
      term(at, int64_t(W), b);
    if (at < end)
      term(at, end - at, a);
  }
  for (int k = 0; k < kSums; ++k)
    total[k] += double(reduce_add((a[k] + b[k]) + (c[k] + d[k])));
}

template <class T> Moments moments_of(const T *x, const Places &places) {
  Moments all;
  for_spans(places, [&](const Places &span) {
    const double n = double(span.count * span.length);
    double sum = 0, centred[2] = {0, 0};
    add_span<T, 1>(span, &sum, [=](int64_t at, int64_t m, Vec<T> *s) { s[0] += load_some(x + at, m); });
    const T about = T(sum / n);
    add_span<T, 2>(span, centred, [=](int64_t at, int64_t m, Vec<T> *s) {
      Vec<T> d = load_some(x + at, m) - Vec<T>(about);
      if (m < Vec<T>::width)
        d = select(Mask<T>::first_lanes(m), d, Vec<T>(T(0)));
      s[0] += d;
      s[1] = fma(d, d, s[1]);
    });
    const double shift = centred[0] / n;
    all.merge(n, double(about) + shift, centred[1] - shift * centred[0]);
  });
  return all;
}

// sums of dy and of dy (x - mean)
struct GradientSums {
  double dy = 0, dy_x = 0;
};
template <class T> GradientSums gradient_sums(const T *x, const T *dy, const Places &places, T mean) {
  double sums[2] = {0, 0};
  for_spans(places, [&](const Places &span) {
    add_span<T, 2>(span, sums, [=](int64_t at, int64_t n, Vec<T> *s) {
      const Vec<T> d = load_some(dy + at, n);
      s[0] += d;
      s[1] = fma(d, load_some(x + at, n) - Vec<T>(mean), s[1]);
    });
  });
  return {sums[0], sums[1]};
}

template <class T, class F> CINTA_FN void for_places(const Places &p, F f) {
  for (int64_t i = 0; i < p.count; ++i)
    for_vectors<T>(p.first + i * p.stride, p.first + i * p.stride + p.length, f);
}

// y = (x - mean) scale + shift
template <class T> void scale_places(const T *x, T *y, const Places &places, T mean, T scale, T shift) {
  for_places<T>(places, [=](int64_t at, int64_t n) {
    store_some(fma(load_some(x + at, n) - Vec<T>(mean), Vec<T>(scale), Vec<T>(shift)), y + at, n);
  });
}
// dx = of_dy dy + of_x (x - mean) + shift
template <class T>
void mix_places(const T *x, const T *dy, T *dx, const Places &places, T mean, T of_dy, T of_x, T shift) {
  for_places<T>(places, [=](int64_t at, int64_t n) {
    const Vec<T> d = fma(load_some(x + at, n) - Vec<T>(mean), Vec<T>(of_x), Vec<T>(shift));
    store_some(fma(load_some(dy + at, n), Vec<T>(of_dy), d), dx + at, n);
  });
}

// A channel of short runs whose elements fit into L2 is done in one go, channels shared among threads. Else the batch
// is cut into blocks, each read from end to end, and its parts of the channels' sums meet between the two passes:
// gather(channel, places) -> Part, settle(channel, Part), then spread(channel, places). (Runs of 4 KB that lie a power
// of two apart share few sets of the caches: a channel would be read from memory twice, and without prefetching.)
template <class Part, class Gather, class Settle, class Spread>
void by_channels(const Norm &g, const Gather &gather, const Settle &settle, const Spread &spread) {
  const int64_t plane = g.inner, image = g.channels * plane, per_channel = g.outer * plane;
  const double cost = double(g.outer * image) * 2 * kNormCost;
  const auto places = [=](int64_t c, int64_t begin, int64_t end) {
    return Places{begin * image + c * plane, end - begin, plane, image};
  };
  if (plane < kSpan && g.channels >= 8 && per_channel <= 1 << 16)
    return for_blocks(g.channels, larger(1, kNormBlock / larger(per_channel, 1)), cost,
                      [&](int64_t begin, int64_t end) {
                        for (int64_t c = begin; c < end; ++c) {
                          settle(c, gather(c, places(c, 0, g.outer)));
                          spread(c, places(c, 0, g.outer));
                        }
                      });
  const int64_t block = larger(1, kNormBlock / larger(image, 1)), blocks = (g.outer + block - 1) / block;
  Part *parts = static_cast<Part *>(scratch(Scratch::norm, size_t(blocks * g.channels) * sizeof(Part)));
  for_blocks(g.outer, block, cost / 2, [&](int64_t begin, int64_t end) {
    for (int64_t c = 0; c < g.channels; ++c)
      parts[begin / block * g.channels + c] = gather(c, places(c, begin, end));
  });
  for (int64_t c = 0; c < g.channels; ++c) {
    Part all = blocks ? parts[c] : Part();
    for (int64_t b = 1; b < blocks; ++b)
      all.merge(parts[b * g.channels + c]);
    settle(c, all);
  }
  for_blocks(g.outer, block, cost / 2, [&](int64_t begin, int64_t end) {
    for (int64_t c = 0; c < g.channels; ++c)
      spread(c, places(c, begin, end));
  });
}

template <class T> void batch_planes(const Norm &g, const T *x, T *y, T *mean, T *var) {
  by_channels<Moments>(
      g, [=](int64_t, const Places &p) { return g.fixed ? Moments() : moments_of(x, p); },
      [=](int64_t c, const Moments &m) {
        if (!g.fixed)
          mean[c] = T(m.mean), var[c] = T(m.variance());
      },
      [=](int64_t c, const Places &p) {
        const double scale = inverse_deviation(g, double(var[c])) * at_or<T>(g.weight, c, 1);
        scale_places(x, y, p, mean[c], T(scale), T(at_or<T>(g.bias, c, 0)));
      });
}

template <class T> void batch_planes_vjp(const Norm &g, const T *x, const T *dy, const T *mean, const T *var, T *dx,
                                         T *dweight, T *dbias) {
  struct Sums : GradientSums {
    void merge(const Sums &o) { dy += o.dy, dy_x += o.dy_x; }
  };
  const double n = g.fixed ? 0 : double(g.outer * g.inner);
  Mix *mixes = static_cast<Mix *>(scratch(Scratch::reduce, size_t(g.channels) * sizeof(Mix)));
  by_channels<Sums>(
      g, [=](int64_t c, const Places &p) { return Sums{gradient_sums(x, dy, p, mean[c])}; },
      [=](int64_t c, const Sums &s) {
        const double inverse = inverse_deviation(g, double(var[c]));
        mixes[c] = mix_of(inverse, at_or<T>(g.weight, c, 1), n, s.dy, s.dy_x);
        if (dweight)
          dweight[c] = T(s.dy_x * inverse);
        if (dbias)
          dbias[c] = T(s.dy);
      },
      [=](int64_t c, const Places &p) {
        if (dx)
          mix_places(x, dy, dx, p, mean[c], T(mixes[c].of_dy), T(mixes[c].of_x), T(mixes[c].shift));
      });
}

} // namespace cinta::kernels::CINTA_ISA
