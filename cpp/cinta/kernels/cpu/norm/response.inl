// Local response normalisation: y = x d^-beta, d = k + alpha / size * (sum of squares over `size` channels around).
// Channels come by blocks of places: `lines` runs of `length` elements, which in scratch memory lie next to each other,
// so that the same place in the next channel is `apart` elements further, whatever the order in memory.
#include "cinta/kernels/cpu/vmath/vmath.inl"

namespace cinta::kernels::CINTA_ISA {

constexpr int64_t kResponsePlaces = 64; // of a block of planes: the squares of 200 channels of them fit into L2

struct ResponseBlock {
  int64_t first, lines, length, stride, apart;
};

// f(ResponseBlock, scratch memory for `arrays` arrays of the block with size - 1 channels of zeros around it)
template <class T, class F> void for_responses(const LocalResponse &g, int arrays, double ns_per_element, const F &f) {
  const bool last = g.channels_last || g.inner == 1;
  const int64_t places = last ? 1 : kResponsePlaces, blocks = last ? g.inner : (g.inner + places - 1) / places;
  const int64_t padded = (g.channels + g.size - 1) * places, each = padded + Vec<T>::width;
  const int64_t some = larger(1, kNormBlock / (4 * larger(1, g.channels * places)));
  for_blocks(g.outer * blocks, some, double(g.outer * g.channels * g.inner) * ns_per_element,
             [&](int64_t begin, int64_t end) {
               T *memory = static_cast<T *>(scratch(Scratch::norm, size_t(arrays * each) * sizeof(T)));
               for (int64_t i = 0; i < arrays * each; ++i)
                 memory[i] = T(0);
               for (int64_t i = begin; i < end; ++i) {
                 if (last) {
                   f(ResponseBlock{i * g.channels, 1, g.channels, 0, 1}, memory, each);
                   continue;
                 }
                 const int64_t image = i / blocks, place = i % blocks * places;
                 f(ResponseBlock{image * g.channels * g.inner + place, g.channels, smaller(places, g.inner - place),
                                 g.inner, places},
                   memory, each);
               }
             });
}

// f(at in memory, at in the block, count)
template <class T, class F> CINTA_FN void for_block(const ResponseBlock &b, F f) {
  for (int64_t line = 0; line < b.lines; ++line)
    for_vectors<T>(0, b.length, [&](int64_t j, int64_t n) { f(b.first + line * b.stride + j, line * b.apart + j, n); });
}

// The sum over `size` channels, the first of them at p.
template <class T> CINTA_FN Vec<T> around(const T *p, int64_t size, int64_t apart) {
  Vec<T> sum = Vec<T>::load(p);
  for (int64_t i = 1; i < size; ++i)
    sum += Vec<T>::load(p + i * apart);
  return sum;
}

// d^-beta; AlexNet's and GoogLeNet's beta is 3/4.
template <class T> CINTA_FN Vec<T> response(Vec<T> d, T beta) {
  if (beta == T(0.75)) {
    const Vec<T> root = sqrt(d);
    return Vec<T>(T(1)) / (root * sqrt(root));
  }
  return exp(log(d) * Vec<T>(-beta));
}

template <class T> void local_response(const LocalResponse &g, const void *x_, void *y_) {
  const T *x = static_cast<const T *>(x_);
  T *y = static_cast<T *>(y_);
  const T k = T(g.k), share = T(g.alpha / double(g.size)), beta = T(g.beta);
  for_responses<T>(g, 1, 0.6, [=](const ResponseBlock &b, T *squares, int64_t) {
    T *own = squares + g.size / 2 * b.apart;
    for_block<T>(b, [=](int64_t at, int64_t j, int64_t n) {
      const Vec<T> v = load_some(x + at, n);
      store_some(v * v, own + j, n);
    });
    for_block<T>(b, [=](int64_t at, int64_t j, int64_t n) {
      const Vec<T> d = fma(around(squares + j, g.size, b.apart), Vec<T>(share), Vec<T>(k));
      store_some(load_some(x + at, n) * response(d, beta), y + at, n);
    });
  });
}

// dx_c = dy_c d_c^-beta - 2 beta alpha / size x_c (sum over the channels j that c is around of dy_j x_j d_j^(-beta-1))
template <class T> void local_response_vjp(const LocalResponse &g, const void *x_, const void *dy_, void *dx_) {
  const T *x = static_cast<const T *>(x_), *dy = static_cast<const T *>(dy_);
  T *dx = static_cast<T *>(dx_);
  const T k = T(g.k), share = T(g.alpha / double(g.size)), beta = T(g.beta), slope = T(-2) * beta * share;
  for_responses<T>(g, 2, 1.0, [=](const ResponseBlock &b, T *squares, int64_t each) {
    T *own = squares + g.size / 2 * b.apart, *terms = squares + each, *own_terms = terms + (g.size - 1) / 2 * b.apart;
    for_block<T>(b, [=](int64_t at, int64_t j, int64_t n) {
      const Vec<T> v = load_some(x + at, n);
      store_some(v * v, own + j, n);
    });
    for_block<T>(b, [=](int64_t at, int64_t j, int64_t n) {
      const Vec<T> d = fma(around(squares + j, g.size, b.apart), Vec<T>(share), Vec<T>(k));
      const Vec<T> direct = load_some(dy + at, n) * response(d, beta);
      store_some(direct, dx + at, n);
      store_some(direct * load_some(x + at, n) / d, own_terms + j, n);
    });
    for_block<T>(b, [=](int64_t at, int64_t j, int64_t n) {
      const Vec<T> factor = load_some(x + at, n) * Vec<T>(slope);
      store_some(fma(around(terms + j, g.size, b.apart), factor, load_some(dx + at, n)), dx + at, n);
    });
  });
}

} // namespace cinta::kernels::CINTA_ISA
