// The table of kernels: one struct of plain function pointers that every ISA level (and later CUDA) fills.
// Only plain data here: this header is included by the files that are compiled for one ISA.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cinta/kernels/op_list.h"

namespace cinta::kernels {

// What kernels compute in. bfloat16 and float16 are computed in float, small integers in 64 bits: tiles are converted
// on the way in and out (load_tile, store_tile), so no kernel is written thirteen times.
enum class Compute : uint8_t { f32, f64, i64, u64 };
inline constexpr int kComputes = 4;

// ---- elementwise, on contiguous tiles. A step of 0 means one value for the whole tile. `params`: an op's constants.
using Unary = void (*)(int64_t n, const void *x, void *y, const double *params);
using UnaryVjp = void (*)(int64_t n, const void *x, const void *y, const void *dy, void *dx, const double *params);
using Binary = void (*)(int64_t n, const void *a, int a_step, const void *b, int b_step, void *y);
using BinaryVjp = void (*)(int64_t n, const void *a, int a_step, const void *b, int b_step, const void *y,
                           const void *dy, void *d);
using Compare = void (*)(int64_t n, const void *a, int a_step, const void *b, int b_step, uint8_t *y);
using Select = void (*)(int64_t n, const uint8_t *condition, const void *a, int a_step, const void *b, int b_step,
                        void *y);
// y += x, and y = x + z, the two ways gradients meet
using Accumulate = void (*)(int64_t n, const void *x, void *y);

// ---- tiles of any dtype and stride (in elements) from and to contiguous compute tiles
using LoadTile = void (*)(int64_t n, const void *x, int64_t stride, void *tile);
// Row after row of n elements, contiguous in `tiles`.
using LoadRows = void (*)(int64_t rows, int64_t n, const void *x, int64_t row_stride, int64_t stride, void *tiles);
using StoreTile = void (*)(int64_t n, const void *tile, void *y, int64_t stride);
using ConvertTile = void (*)(int64_t n, const void *x, void *y); // between compute types

// y[r * y_stride + c] = x[c * x_stride + r] for r < rows, c < cols
using TransposeCopy = void (*)(int64_t rows, int64_t cols, const void *x, int64_t x_stride, void *y, int64_t y_stride);

// ---- reductions
// rows: y[r] = op over x[r, 0..cols), rows apart by row_stride elements, columns contiguous.
using ReduceRows = void (*)(int64_t rows, int64_t cols, const void *x, int64_t row_stride, void *y);
using ArgReduceRows = void (*)(int64_t rows, int64_t cols, const void *x, int64_t row_stride, int64_t *y);
// columns: y[c] = op over x[0..rows, c]; sums keep a compensated or wider partial sum
using ReduceColumns = void (*)(int64_t rows, int64_t cols, const void *x, int64_t row_stride, void *y);

// ---- matrix product: C[M,N] = A[M,K] B[K,N] (+ C if accumulate) (+ bias along N or M), any strides for A and B, and
// activation(C), with the bits of a pass of its own over C
struct Gemm {
  int64_t M, N, K;
  const void *A;
  int64_t a_row, a_col; // strides in elements
  const void *B;
  int64_t b_row, b_col;
  void *C;
  int64_t ldc; // row stride of C; its columns are contiguous
  bool accumulate;
  const void *bias_n;                       // [N] added to every row, or null
  const void *bias_m;                       // [M] added to every column, or null
  bool b_is_weight = false;                 // B belongs to a parameter: others will read it too, packed once they do
  const struct PackedB *packed_b = nullptr; // B packed ahead by gemm_pack, or null; the result's bits are the same
  bool bfloat16 = false;      // A and B hold bfloat16 numbers, as float32: one bfloat16 part is all of them
  Unary activation = nullptr; // of C's compute type, applied while C is near; or null
  const double *activation_params = nullptr;
  void *activated = nullptr; // activation(C), in rows of ldc, where C is to be kept for a gradient; null: in C itself
  int64_t bias_n_batch = 0;  // from one bias_n of gemm_batch to the next
};
using GemmFn = void (*)(const Gemm &);
// A, B and C of bfloat16, biases of float32, sums in float32, rounded once, no activation; false: not this shape,
// nothing was done
using GemmBfloat16 = bool (*)(const Gemm &);
// How B may be packed ahead, for matrices that many products share: in bfloat16 parts, or as panels of its own numbers.
enum class Packing : int { none, one_part, two_parts, three_parts, panels };
struct alignas(64) PackedB { // the header; what was packed follows
  Packing packing;
  uint32_t largest; // of all magnitudes, as bits (parts only)
  int64_t K, N;
};
using GemmPacking = Packing (*)(const Gemm &); // which one makes this product faster, at this thread's precision
using GemmPackedBytes = size_t (*)(const Gemm &, Packing);
using GemmPack = void (*)(const Gemm &, Packing, PackedB *);
// `batch` products, operand i at A + i*a_batch elements (strides may be 0)
using GemmBatchFn = void (*)(const Gemm &, int64_t batch, int64_t a_batch, int64_t b_batch, int64_t c_batch);

enum class Direction { forward, backward_data, backward_weight };

// ---- convolution, NCHW, weights OIHW; groups already split off (one call = one group)
struct Conv2d {
  int64_t N, C, H, W;        // input x[N,C,H,W]; image n starts at n*x_batch elements, planes are contiguous
  int64_t O, KH, KW, OH, OW; // weight w[O,C,KH,KW], output y[N,O,OH,OW]; image n of y at n*y_batch
  int64_t stride_h, stride_w, pad_h, pad_w, dilation_h,
      dilation_w; // pad: top and left; bottom and right follow from OH, OW
  int64_t x_batch, y_batch;
  bool bfloat16 = false;        // as in Gemm
  bool channels_last = false;   // x[N,H,W,C] and y[N,OH,OW,O] instead; for depthwise kernels only
  bool y_channels_last = false; // y[N,OH,OW,O] beside planes of x; for implicit kernels with lanes along channels
};
using Conv2dForward = void (*)(const Conv2d &, const void *x, const void *w, const void *bias /*[O] or null*/, void *y);
using Conv2dBackwardData = void (*)(const Conv2d &, const void *dy, const void *w, void *dx);
using Conv2dBackwardWeight = void (*)(const Conv2d &, const void *x, const void *dy, void *dw);
// Planes of x and y that a kernel w[weight] joins, ordered by `to`: from x to y, or from dy to dx.
struct Connection {
  int32_t from, to, weight;
};
struct Connections {
  int64_t planes, count;
  const int32_t *first; // [planes + 1]: of those that lead to a plane
  const Connection *list;
};
// [N,C,H,W]. How many of all connections there may be for these kernels to be quicker than a direct kernel for the
// whole convolution, as a share; 0: they do not take this shape.
using Conv2dSparseShare = double (*)(const Conv2d &, Direction);
using Conv2dSparse = void (*)(const Conv2d &, bool adjoint, const Connections &, const float *x, const float *w,
                              const float *bias, float *y); // adjoint: x is dy, y is dx
using Conv2dSparseWeight = void (*)(const Conv2d &, const Connections &, const float *x, const float *dy, float *dw);
using Conv2dFits = bool (*)(const Conv2d &, Direction); // whether the implicit kernels take this shape
// The same on images in either memory order: [N,C,H,W] by strides, in elements, with channels or pixels contiguous.
struct ImageStrides {
  int64_t n, c, h, w;
};
struct Images {
  float *data;
  ImageStrides strides;
};
// The order in which images can be written; none: the level has no such kernel for this shape.
enum class ResultOrder { none, channels_last, either };
using Conv2dStridedFits = ResultOrder (*)(const Conv2d &, Direction);
// Computes y, x or w of the other two (w: OIHW). False: the operands are out of its range of numbers, and nothing
// useful was written.
using Conv2dStrided = bool (*)(const Conv2d &, Direction, const Images &x, float *w, const float *bias,
                               const Images &y);

// The im2col matrix of output rows [first, last) of images `x_batch` apart, and its adjoint, which adds to the images:
// matrix[c KH KW + kh KW + kw, (n (last - first) + i - first) OW + j] is x[n, c, i stride - pad + kh dilation,
// j stride - pad + kw dilation], zero outside the image. Its rows are `pitch` apart.
using Im2colPlanes = void (*)(const Conv2d &, int64_t images, const void *x, int64_t first, int64_t last, void *matrix,
                              int64_t pitch);
using Col2imPlanes = void (*)(const Conv2d &, int64_t images, const void *matrix, int64_t pitch, int64_t first,
                              int64_t last, void *x);
// The same of images side by side, x[c, h, w, n], all rows of the output: matrix[c KH KW + kh KW + kw,
// (i OW + j) images + n].
using Im2colWoven = void (*)(const Conv2d &, int64_t images, const void *x, void *matrix);
using Col2imWoven = void (*)(const Conv2d &, int64_t images, const void *matrix, void *x);
// The im2col matrix with a row for every output pixel of rows [first, last) of the output: matrix[pixel, kh, kw, c];
// and its adjoint, which adds to the image. Channels are contiguous, pixels `pixel` elements apart.
using Im2colPixels = void (*)(const Conv2d &, int64_t pixel, const void *x, int64_t first, int64_t last, void *matrix);
using Col2imPixels = void (*)(const Conv2d &, int64_t pixel, const void *matrix, int64_t first, int64_t last, void *x);

// ---- locally connected: a kernel of its own at every place of the output, for channels that are contiguous:
// x[N,H,W,C], w[OH,OW,O,KH,KW,C/groups], bias[O,OH,OW] or null, y[N,OH,OW,O]
struct LocallyConnected {
  int64_t N, C, H, W, O, KH, KW, OH, OW, groups;
  int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w; // pad: top and left
};
using LocallyConnectedForward = void (*)(const LocallyConnected &, const void *x, const void *w, const void *bias,
                                         void *y);
using LocallyConnectedBackwardData = void (*)(const LocallyConnected &, const void *dy, const void *w, void *dx);
using LocallyConnectedBackwardWeight = void (*)(const LocallyConnected &, const void *x, const void *dy, void *dw);

// ---- pooling: x[images,H,W,channels] -> y[images,OH,OW,channels]; planes [N,C,H,W] are N C images of one channel
struct Pool2d {
  int64_t images, channels, H, W, OH, OW, KH, KW, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  bool count_include_pad;
  int64_t divisor_override; // 0: none
  bool adaptive = false; // window i covers [floor(i H / OH), ceil((i + 1) H / OH)), columns alike; no tap beyond KH, KW
  // Windows one by one, maxima only: where those of the OH rows and OW columns begin, then where they end, in order,
  // inside the plane; no tap beyond KH, KW. Those of the next plane lie `window_step` further on.
  const int64_t *windows = nullptr;
  int64_t window_step = 0; // 0: the same for all, the only way where channels lie side by side
};
// place: which of its window's elements each maximum is, kh KW + kw, in the type of x; -1 in a window of padding alone
using MaxPool = void (*)(const Pool2d &, const void *x, void *y, void *place /*or null*/);
using AvgPool = void (*)(const Pool2d &, const void *x, void *y);
using MaxPoolVjp = void (*)(const Pool2d &, const void *place, const void *dy, void *dx);
using AvgPoolVjp = void (*)(const Pool2d &, const void *dy, void *dx);

// ---- warping: y[n,c,i,j] is x[n,c] at (px, py) = matrix_n (j + dx, i + dy, 1), in pixels from the first one's centre
enum class Border : uint8_t { constant, edge, reflect, symmetric }; // beyond the image: as NumPy's pad continues it
struct Warp {
  int64_t N, C, H, W, OH, OW; // x[N,C,H,W], y[N,C,OH,OW]; H W <= 2^24 in float
  Border border;
  bool nearest; // the pixel that is nearest, else between the four around
  double fill;  // what lies beyond a constant border
};
// matrices [N,2,3]; displacement (dx, dy) [N,2,OH,OW], or null
using WarpForward = void (*)(const Warp &, const double *matrices, const void *displacement, const void *x, void *y);
using WarpVjp = void (*)(const Warp &, const double *matrices, const void *displacement, const void *dy, void *dx);

// ---- resampling: images x[images,rows.size,columns.size,channels] -> y[images,rows.out,columns.out,channels], each
// axis by itself: element i becomes the sum over k < count[i] of weights[i, k] x[first[i] + k]. The adjoint is the same
// with other weights.
struct ResampleAxis {
  int64_t size, out, taps;      // taps: columns of weights; 0: the axis stays as it is
  const int64_t *first, *count; // [out]
  const void *weights;          // [out, taps], of the type of x
};
struct Resample {
  int64_t images, channels;
  ResampleAxis rows, columns;
};
using ResampleFn = void (*)(const Resample &, const void *x, void *y);

// ---- softmax family over contiguous rows
using SoftmaxRows = void (*)(int64_t rows, int64_t cols, const void *x, void *y);
using SoftmaxRowsVjp = void (*)(int64_t rows, int64_t cols, const void *y, const void *dy, void *dx);
// loss[r] = weight_r * -log softmax(x[r])[target[r]] mixed with label smoothing; also keeps logsumexp[r] for backward.
// target < 0 or == ignore_index: the row counts nothing (loss 0). `weight`: per class [cols] or null.
struct CrossEntropy {
  int64_t rows, cols, ignore_index;
  double label_smoothing;
  const void *weight;
  const int64_t *target;
};
using CrossEntropyRows = void (*)(const CrossEntropy &, const void *x, void *loss, void *logsumexp);
// dx[r,c] = scale[r * scale_step] * d loss[r] / d x[r,c]
using CrossEntropyRowsVjp = void (*)(const CrossEntropy &, const void *x, const void *logsumexp, const void *scale,
                                     int scale_step, void *dx);

// ---- normalisation: y = (x - mean) (var + eps)^(-1/2) weight + bias
struct Norm {
  int64_t outer, channels, inner; // x[outer, channels, inner], or x[outer, inner, channels] where channels_last
  bool channels_last;
  int64_t groups; // of channels; each has its own mean and var [outer, groups]. 0: [channels], over the whole batch
  bool fixed;     // mean and var are given and constant, not x's own (groups 0 only)
  double eps;
  const void *weight, *bias; // [channels] or null
};
using NormForward = void (*)(const Norm &, const void *x, void *y, void *mean, void *var);
// dx, dweight and dbias: null where nobody asks
using NormVjp = void (*)(const Norm &, const void *x, const void *dy, const void *mean, const void *var, void *dx,
                         void *dweight, void *dbias);

// ---- local response normalisation of x[outer, channels, inner], or x[outer, inner, channels] where channels_last:
// y_c = x_c (k + alpha / size sum_j x_j^2)^-beta, j from c - size / 2 to c + (size - 1) / 2
struct LocalResponse {
  int64_t outer, channels, inner;
  bool channels_last;
  int64_t size;
  double alpha, beta, k;
};
using LocalResponseForward = void (*)(const LocalResponse &, const void *x, void *y);
using LocalResponseVjp = void (*)(const LocalResponse &, const void *x, const void *dy, void *dx);

// ---- recurrent layers: the walk over time. Products with inputs, and those that give the gradients of weights, take
// all steps at once and are the caller's. A row is one sequence at one step. Sequences come longest first: those alive
// at step s are the first count[s], in rows from begin[s] on. Where there is but one step, the products with h0 and
// those for dh0 are the caller's too: weights may be packed already, for all the steps of a loop.
enum class Cell : uint8_t { tanh, relu, lstm, gru };
constexpr int64_t gates_of(Cell cell) { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }
struct Recurrence {
  Cell cell;
  int64_t steps, batch, hidden, out; // out: columns of h: hidden, or less behind a projection
  const int64_t *begin, *count;      // [steps]
  const void *w_hh;                  // [gates hidden, out]
  const void *w_hr;                  // [out, hidden]: the projection of lstm, or null
  const void *b_hn;                  // [hidden]: gru's bias inside its reset gate, or null
  const void *h0, *c0;               // [batch, out], [batch, hidden], or null: zero
  void *gates; // [rows, gates hidden]: products of inputs, with biases; becomes the gates' values. tanh, relu: is h
  void *cells; // [rows, hidden] lstm: c; gru: W_hn h + b_hn
  void *inner; // [rows, hidden] o tanh(c), where that is projected
  void *h;     // [rows, out]
};
using RecurrenceForward = void (*)(const Recurrence &);
struct RecurrenceGradients {
  void *dh;     // [rows, out] of h, from outside; gathers what later steps add
  void *dc;     // [batch, hidden] of the last c; becomes that of c0 (lstm)
  void *dh0;    // [batch, out], zero; or null
  void *dgates; // [rows, gates hidden], of what goes into the gates
  void *dcells; // [rows, hidden], of gru's cells
  void *dinner; // [rows, hidden], of inner
};
using RecurrenceVjp = void (*)(const Recurrence &, const RecurrenceGradients &);

// ---- connectionist temporal classification: labels summed over all their alignments with frames
struct Ctc {
  int64_t frames, batch, classes, labels, blank; // labels: of all sequences
  int64_t frame_step, batch_step;                // strides of log_probs[frames, batch, classes], in elements
  const int64_t *targets;                        // [labels]
  const int64_t *spans;                          // [batch, 3]: the first of a sequence's labels, how many, its frames
};
// loss [batch]; alpha [frames * 4 * (labels + batch)]: the probabilities of all states, which backward reads
using CtcForward = void (*)(const Ctc &, const void *log_probs, void *loss, void *alpha);
using CtcVjp = void (*)(const Ctc &, const void *log_probs, const void *alpha, const void *dy, void *dx);

// ---- optimizer updates: one pass over memory
struct Sgd {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize, first; // first: the momentum buffer starts as the gradient
  bool lazy = false;              // rows without gradient stay as they are, whatever moves them otherwise
};
struct Adam {
  double lr, beta1, beta2, eps, weight_decay, bias1, bias2; // bias_i = 1 - beta_i^t
  bool decoupled, maximize;                                 // decoupled: AdamW
  bool lazy = false;                                        // as in Sgd
};
struct Rmsprop {
  double lr, alpha, eps, weight_decay, momentum;
  bool maximize;
};
struct Adagrad {
  double lr, eps, weight_decay; // lr already decayed
  bool maximize;
};
struct Nadam {
  double lr, beta1, beta2, eps, weight_decay, bias2; // bias2 = 1 - beta2^t
  double mu, mu_next;                                // this step's momentum and the next one's
  bool decoupled, maximize;
};
struct Radam {
  double lr, beta1, beta2, eps, weight_decay, bias1, bias2;
  double rectify; // the factor for the variance of the step; 0: too early to tell, no scaling
  bool decoupled, maximize;
};
struct Adamax {
  double lr, beta1, beta2, eps, weight_decay, bias1;
  bool maximize;
};
struct Adadelta {
  double lr, rho, eps, weight_decay;
  bool maximize;
};
struct Lion {
  double lr, beta1, beta2, weight_decay; // decay is decoupled
  bool maximize;
};
struct Rprop {
  double eta_minus, eta_plus, step_min, step_max;
  bool maximize;
};
using SgdStep = void (*)(int64_t n, const Sgd &, void *p, const void *g, void *velocity /*or null*/);
using AdamStep = void (*)(int64_t n, const Adam &, void *p, const void *g, void *m, void *v,
                          void *v_max /*amsgrad or null*/);
using RmspropStep = void (*)(int64_t n, const Rmsprop &, void *p, const void *g, void *square,
                             void *velocity /*or null*/, void *mean /*centered or null*/);
using AdagradStep = void (*)(int64_t n, const Adagrad &, void *p, const void *g, void *sum);
using NadamStep = void (*)(int64_t n, const Nadam &, double mu_product, void *p, const void *g, void *m, void *v);
using RadamStep = void (*)(int64_t n, const Radam &, void *p, const void *g, void *m, void *v);
using AdamaxStep = void (*)(int64_t n, const Adamax &, void *p, const void *g, void *m, void *largest);
using AdadeltaStep = void (*)(int64_t n, const Adadelta &, void *p, const void *g, void *square, void *delta);
using LionStep = void (*)(int64_t n, const Lion &, void *p, const void *g, void *m);
using RpropStep = void (*)(int64_t n, const Rprop &, void *p, const void *g, void *before, void *step_size);
using LerpStep = void (*)(int64_t n, double share, void *a, const void *x); // a += share (x - a)
using SumSquares = double (*)(int64_t n, const void *x);                    // in double
// The same bits for x[n, width], the rows `rows` (ascending) of an array that is zero elsewhere.
using SumSquaresOfRows = double (*)(int64_t n, int64_t width, const int64_t *rows, const void *x);

// ---- statistics of x[outer, units, inner], for each unit over outer and inner, in double:
// y[0, u] the sum, y[1, u] the sum of squares, y[2, u] how many lie outside of (low, high)
struct UnitStatistics {
  int64_t outer, units, inner;
  double low, high;
};
using UnitStatisticsFn = void (*)(const UnitStatistics &, const void *x, double *y);

// ---- random numbers, Philox 4x32-10: element i of a stream depends only on (key, counter + i)
using UniformFill = void (*)(int64_t n, uint64_t key, uint64_t first, double low, double high, void *y);
using NormalFill = void (*)(int64_t n, uint64_t key, uint64_t first, double mean, double std, void *y);
using BitsFill = void (*)(int64_t n, uint64_t key, uint64_t first, uint32_t *y); // raw 32 bits
// y = keep_i ? x * scale : 0 with P(keep) = 1 - p, mask byte kept for backward
using DropoutFill = void (*)(int64_t n, uint64_t key, uint64_t first, double p, const void *x, void *y, uint8_t *mask);
using DropoutVjp = void (*)(int64_t n, double scale, const uint8_t *mask, const void *dy, void *dx);

inline constexpr int kDtypes = 13; // order of cinta::Dtype

struct Table {
  const char *isa = nullptr;
  Unary unary[int(UnaryOp::count)][kComputes] = {};
  UnaryVjp unary_vjp[int(UnaryOp::count)][2] = {};
  Binary binary[int(BinaryOp::count)][kComputes] = {};
  BinaryVjp binary_vjp_a[int(BinaryOp::count)][2] = {};
  BinaryVjp binary_vjp_b[int(BinaryOp::count)][2] = {};
  Compare compare[int(CompareOp::count)][kComputes] = {};
  Select select[kComputes] = {};
  Accumulate accumulate[kComputes] = {};
  LoadTile load_tile[kDtypes] = {}; // dtype -> its compute type
  LoadRows load_rows[kDtypes] = {};
  StoreTile store_tile[kDtypes] = {}; // its compute type -> dtype
  ConvertTile convert_tile[kComputes][kComputes] = {};
  TransposeCopy transpose_copy[4] = {}; // log2 of an element's bytes
  ReduceRows reduce_rows[int(ReduceOp::count)][kComputes] = {};
  ReduceColumns reduce_columns[int(ReduceOp::count)][kComputes] = {};
  ArgReduceRows argmax_rows[kComputes] = {};
  ArgReduceRows argmin_rows[kComputes] = {};
  GemmFn gemm[kComputes] = {};
  GemmBatchFn gemm_batch[kComputes] = {};
  GemmBfloat16 gemm_bfloat16 = nullptr; // null where no unit multiplies bfloat16
  GemmPacking gemm_packing = nullptr;   // float32 only; null where the level packs nothing ahead
  GemmPackedBytes gemm_packed_bytes = nullptr;
  GemmPack gemm_pack = nullptr;
  Conv2dFits conv2d_fits = nullptr; // the implicit kernels below are float only; all else goes im2col + gemm
  Conv2dForward conv2d_forward = nullptr;
  Conv2dBackwardData conv2d_backward_data = nullptr;
  Conv2dBackwardWeight conv2d_backward_weight = nullptr;
  Conv2dForward depthwise_forward = nullptr; // a filter for every channel of x, all in one call, any shape; of O > C
                                             // channels of y, [N,C,H,W] only, each (O / C)th from the first on
  Conv2dBackwardData depthwise_backward_data = nullptr;
  Conv2dBackwardWeight depthwise_backward_weight = nullptr;
  Conv2dSparseShare sparse_share = nullptr;
  Conv2dSparse sparse_filter = nullptr;
  Conv2dSparseWeight sparse_weight = nullptr;
  Conv2dStridedFits conv2d_strided_fits = nullptr; // null: this level has none
  Conv2dStrided conv2d_strided = nullptr;
  Im2colPlanes im2col_planes[2] = {};
  Col2imPlanes col2im_planes[2] = {};
  Im2colWoven im2col_woven[2] = {};
  Col2imWoven col2im_woven[2] = {};
  Im2colPixels im2col_pixels[2] = {};
  Col2imPixels col2im_pixels[2] = {};
  LocallyConnectedForward locally_connected_forward[2] = {};
  LocallyConnectedBackwardData locally_connected_backward_data[2] = {};
  LocallyConnectedBackwardWeight locally_connected_backward_weight[2] = {};
  MaxPool max_pool[2] = {};
  AvgPool avg_pool[2] = {};
  MaxPoolVjp max_pool_vjp[2] = {};
  AvgPoolVjp avg_pool_vjp[2] = {};
  SoftmaxRows softmax_rows[2] = {};
  SoftmaxRows log_softmax_rows[2] = {};
  SoftmaxRowsVjp softmax_rows_vjp[2] = {};
  SoftmaxRowsVjp log_softmax_rows_vjp[2] = {};
  CrossEntropyRows cross_entropy_rows[2] = {};
  CrossEntropyRowsVjp cross_entropy_rows_vjp[2] = {};
  NormForward norm[2] = {};
  NormVjp norm_vjp[2] = {};
  LocalResponseForward local_response[2] = {};
  LocalResponseVjp local_response_vjp[2] = {};
  RecurrenceForward recurrence[2] = {};
  RecurrenceVjp recurrence_vjp[2] = {};
  CtcForward ctc[2] = {};
  CtcVjp ctc_vjp[2] = {};
  SgdStep sgd_step[2] = {};
  AdamStep adam_step[2] = {};
  RmspropStep rmsprop_step[2] = {};
  AdagradStep adagrad_step[2] = {};
  NadamStep nadam_step[2] = {};
  RadamStep radam_step[2] = {};
  AdamaxStep adamax_step[2] = {};
  AdadeltaStep adadelta_step[2] = {};
  LionStep lion_step[2] = {};
  RpropStep rprop_step[2] = {};
  LerpStep lerp_step[2] = {};
  SumSquares sum_squares[2] = {};
  SumSquaresOfRows sum_squares_of_rows[2] = {};
  UnitStatisticsFn unit_statistics[2] = {};
  UniformFill uniform_fill[2] = {};
  NormalFill normal_fill[2] = {};
  BitsFill bits_fill = nullptr;
  DropoutFill dropout_fill[2] = {};
  DropoutVjp dropout_vjp[2] = {};
  WarpForward warp[2] = {};
  WarpVjp warp_vjp[2] = {};
  ResampleFn resample[2] = {};
};

const Table &table();                   // the one that runs here
const Table &table_of(const char *isa); // "scalar", "avx2", "avx512": throws RuntimeError where it cannot run here

} // namespace cinta::kernels
