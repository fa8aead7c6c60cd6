// Random numbers by counting: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// Word i of a stream is word i % 4 of block i / 4 under the stream's key, so every element is found without the others.
// Uniform numbers have the same bits on every level; normal ones agree up to the last bits of log, sin and cos.
#include "cinta/kernels/cpu/vector/blocks.inl"
#include "cinta/kernels/cpu/vector/lanes.inl"
#include "cinta/kernels/cpu/vmath/vmath.inl"
#include "cinta/kernels/kernels.h"

// clang-format off
#define CINTA_QUOTE(path) #path
#define CINTA_HEADER(path) CINTA_QUOTE(path)
#include CINTA_HEADER(cinta/kernels/cpu/CINTA_ISA/pairs.h)
#undef CINTA_HEADER
#undef CINTA_QUOTE
// clang-format on

namespace cinta::kernels::CINTA_ISA {

// Vectors of Philox blocks at once, so that no product waits for another.
constexpr int kVectors = Vec<double>::width == 8 ? 6 : 4;
constexpr int kBatch = Vec<double>::width == 8 ? 48 : 32; // Philox blocks made side by side
constexpr int kWords = 4 * kBatch;                        // and their words
constexpr int64_t kBlockNumbers = 64 * kWords;            // numbers per block of threads' work

// Words [first, first + kWords) of the stream; first is a multiple of 4. A word of a block stands in the low half of a
// 64-bit lane.
void philox_words(uint64_t key, uint64_t first, uint32_t *words) {
  using I = IntVec<int64_t>;
  constexpr int W = Vec<double>::width;
  const I multiplier0(int64_t(0xD2511F53u)), multiplier1(int64_t(0xCD9E8D57u)), low_half(int64_t(0xffffffffu));
  for (int l = 0; l < kBatch; l += kVectors * W) {
    I c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      double block[W];
      for (int i = 0; i < W; ++i)
        block[i] = __builtin_bit_cast(double, first / 4 + uint64_t(l + v * W + i));
      c0[v] = as_int(Vec<double>::load(block));
      c1[v] = shift_right<32>(c0[v]);
      c2[v] = c3[v] = I(int64_t(0));
    }
    uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
#pragma GCC unroll 10 // the counters change places every round: in a loop that is half of its instructions
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
      const I key0{int64_t(k0)}, key1{int64_t(k1)};
      for (int v = 0; v < kVectors; ++v) {
        const I a = multiply_low(c0[v], multiplier0), b = multiply_low(c2[v], multiplier1);
        c0[v] = shift_right<32>(b) ^ c1[v] ^ key0;
        c2[v] = shift_right<32>(a) ^ c3[v] ^ key1;
        c1[v] = b;
        c3[v] = a;
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      Vec<double> a, b;
      const Vec<double> front = as_float((c0[v] & low_half) | shift_left<32>(c1[v]));
      const Vec<double> back = as_float((c2[v] & low_half) | shift_left<32>(c3[v]));
      join_pairs(front, back, a, b);
      double pairs[2 * W];
      a.store(pairs);
      b.store(pairs + W);
      __builtin_memcpy(words + 4 * (l + v * W), pairs, sizeof pairs);
    }
  }
}

// How many words a number takes, and the number in [0, 1) they make: 24 bits for float, 53 for double.
template <class T> struct Unit;
template <> struct Unit<float> {
  static constexpr int words = 1;
  CINTA_FN static float of(const uint32_t *w) { return float(int32_t(w[0] >> 8)) * 0x1p-24f; }
};
template <> struct Unit<double> {
  static constexpr int words = 2;
  CINTA_FN static double of(const uint32_t *w) {
    return (double(int32_t(w[0] >> 5)) * 0x1p26 + double(int32_t(w[1] >> 6))) * 0x1p-53;
  }
};

// use(words, i, count) gives the words of elements [i, i + count) of the n asked for. Batches start at multiples of
// their size in the stream: where a call begins has no influence on what an element is.
template <int kWordsEach, class F>
void for_batches(int64_t n, uint64_t key, uint64_t first, double ns_per_element, const F &use) {
  constexpr int64_t each = kWords / kWordsEach;
  for_blocks(n, kBlockNumbers, double(n) * ns_per_element, [&](int64_t begin, int64_t end) {
    uint32_t words[kWords];
    for (int64_t i = begin; i < end;) {
      const uint64_t element = first + uint64_t(i);
      const int64_t skip = int64_t(element % uint64_t(each));
      const int64_t count = each - skip < end - i ? each - skip : end - i;
      philox_words(key, (element - uint64_t(skip)) * kWordsEach, words);
      use(words, i, skip, count);
      i += count;
    }
  });
}

template <class T> CINTA_FN T below(T high, T low) {
  if constexpr (sizeof(T) == 4)
    return __builtin_nextafterf(high, low);
  else
    return __builtin_nextafter(high, low);
}

template <class T> void uniform_fill(int64_t n, uint64_t key, uint64_t first, double low_, double high_, void *y_) {
  const T low = T(low_), width = T(high_ - low_), high = T(high_), last = below(high, low);
  constexpr int each = Unit<T>::words;
  for_batches<each>(n, key, first, 1, [=](const uint32_t *words, int64_t i, int64_t skip, int64_t count) {
    T *y = static_cast<T *>(y_) + i;
    T number[kWords / each];
    for (int l = 0; l < kWords / each; ++l)
      number[l] = low + width * Unit<T>::of(words + l * each);
    for (int l = 0; l < kWords / each; l += Vec<T>::width) // rounding may reach `high`, which is not in the interval
      min(Vec<T>::load(number + l), Vec<T>(last)).store(number + l);
    for (int64_t l = 0; l < count; ++l)
      y[l] = number[skip + l];
  });
}

// Box-Muller: elements 2j and 2j + 1 come from the two uniform numbers of the same places.
template <class T> void normal_fill(int64_t n, uint64_t key, uint64_t first, double mean_, double std_, void *y_) {
  const T mean = T(mean_), std = T(std_);
  constexpr int each = Unit<T>::words, numbers = kWords / each, pairs = numbers / 2, W = Vec<T>::width;
  for_batches<each>(n, key, first, 4, [=](const uint32_t *words, int64_t i, int64_t skip, int64_t count) {
    T radius[pairs], angle[pairs], number[numbers];
    for (int l = 0; l < pairs; ++l) {
      radius[l] = T(1) - Unit<T>::of(words + 2 * l * each); // in (0, 1]
      angle[l] = Unit<T>::of(words + (2 * l + 1) * each) * T(6.283185307179586);
    }
    for (int l = 0; l < pairs; l += W) {
      const Vec<T> r = sqrt(log(Vec<T>::load(radius + l)) * Vec<T>(T(-2))), turn = Vec<T>::load(angle + l);
      (r * cos(turn)).store(radius + l);
      (r * sin(turn)).store(angle + l);
    }
    for (int l = 0; l < pairs; ++l) {
      number[2 * l] = mean + std * radius[l];
      number[2 * l + 1] = mean + std * angle[l];
    }
    T *y = static_cast<T *>(y_) + i;
    for (int64_t l = 0; l < count; ++l)
      y[l] = number[skip + l];
  });
}

void bits_fill(int64_t n, uint64_t key, uint64_t first, uint32_t *y) {
  for_batches<1>(n, key, first, 1, [=](const uint32_t *words, int64_t i, int64_t skip, int64_t count) {
    for (int64_t l = 0; l < count; ++l)
      y[i + l] = words[skip + l];
  });
}

// Kept where the word is at least p 2^32: exact to 2^-32, and one word per element for float and double alike.
template <class T>
void dropout_fill(int64_t n, uint64_t key, uint64_t first, double p, const void *x_, void *y_, uint8_t *mask) {
  constexpr int W = Vec<T>::width;
  const uint64_t dropped = uint64_t(p * 0x1p32 + 0.5);
  const uint32_t last_dropped = uint32_t(dropped - 1);
  const uint8_t always = dropped == 0;
  const Vec<T> zero(T(0)), scale(p < 1 ? T(1 / (1 - p)) : T(0));
  for_batches<1>(n, key, first, 0.5, [=](const uint32_t *words, int64_t i, int64_t skip, int64_t count) {
    const T *x = static_cast<const T *>(x_) + i;
    T *y = static_cast<T *>(y_) + i;
    for (int l = 0; l < kWords; l += 64 / int(sizeof(T))) { // memory is idle while words are made
      __builtin_prefetch(x + 2 * kWords + l);
      __builtin_prefetch(y + 2 * kWords + l, 1);
    }
    const bool whole = count == kWords;
    uint8_t part[kWords + W], *__restrict kept = whole ? mask + i : part;
    for (int l = 0; l < kWords; ++l)
      kept[l] = uint8_t(words[l] > last_dropped) | always;
    if (!whole) {
      __builtin_memset(part + kWords, 0, W);
      __builtin_memcpy(mask + i, part + skip, size_t(count));
    }
    for_vectors<T>(0, count, [=](int64_t l, int64_t some) {
      const Vec<T> scaled = load_some(x + l, some) * scale;
      store_some(select(Mask<T>::load_bytes(kept + skip + l), scaled, zero), y + l, some);
    });
  });
}

// dx = dy scale where the mask says so, else 0
template <class T> void dropout_vjp(int64_t n, double scale_, const uint8_t *mask, const void *dy_, void *dx_) {
  const Vec<T> zero(T(0)), scale = T(scale_);
  for_blocks(n, 2 * kBlockNumbers, double(n) * 0.3, [=](int64_t begin, int64_t end) {
    for_vectors<T>(begin, end, [=](int64_t i, int64_t some) {
      uint8_t last[Vec<T>::width] = {};
      if (some < Vec<T>::width)
        for (int64_t l = 0; l < some; ++l)
          last[l] = mask[i + l];
      const Vec<T> scaled = load_some(static_cast<const T *>(dy_) + i, some) * scale;
      const Mask<T> kept = Mask<T>::load_bytes(some < Vec<T>::width ? last : mask + i);
      store_some(select(kept, scaled, zero), static_cast<T *>(dx_) + i, some);
    });
  });
}

void fill_random(Table &table) {
  table.uniform_fill[0] = uniform_fill<float>;
  table.uniform_fill[1] = uniform_fill<double>;
  table.normal_fill[0] = normal_fill<float>;
  table.normal_fill[1] = normal_fill<double>;
  table.bits_fill = bits_fill;
  table.dropout_fill[0] = dropout_fill<float>;
  table.dropout_fill[1] = dropout_fill<double>;
  table.dropout_vjp[0] = dropout_vjp<float>;
  table.dropout_vjp[1] = dropout_vjp<double>;
}

} // namespace cinta::kernels::CINTA_ISA
