// Softmax, normalisation, dropout, and the losses.
#include "bindings/function.h"
#include "cinta/ops/attention.h"
#include "cinta/ops/ctc.h"
#include "cinta/ops/norm.h"
#include "cinta/ops/random.h"
#include "cinta/ops/softmax.h"

namespace cinta::python {
namespace {

using Maybe = std::optional<Tensor>;
using ops::reduction_of;

Tensor or_none(const Maybe &t) { return t.value_or(Tensor()); }

Tensor cross_entropy(const Tensor &x, const Tensor &target, const Maybe &weight, int64_t ignore_index,
                     const std::string &reduction, double label_smoothing) {
  return ops::cross_entropy(x, target, or_none(weight),
                            {ignore_index, reduction_of(reduction, "cross_entropy"), label_smoothing});
}

constexpr const char *kReduction = " reduction: 'mean', 'sum' or 'none'.";
std::string loss(const char *formula) { return std::string(formula) + kReduction; }

} // namespace

void define_nn() {
  define<ops::softmax>("softmax(x, axis=-1)", "y_i = e^x_i / sum_j e^x_j along an axis.", Kind::both);
  define<ops::log_softmax>("log_softmax(x, axis=-1)", "y_i = x_i - ln sum_j e^x_j along an axis.", Kind::both);
  define<[](const Tensor &x, const Maybe &running_mean, const Maybe &running_var, const Maybe &weight,
            const Maybe &bias, bool training, double momentum, double eps) {
    return ops::batch_norm(x, or_none(running_mean), or_none(running_var), or_none(weight), or_none(bias),
                           {training, momentum, eps});
  }>("batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5)",
     "y = (x - mean) / (var + eps)^(1/2) weight + bias, per channel of x [N,C,..].\n\nIn training mean and var are the "
     "batch's, and the "
     "running ones move towards them by momentum (var unbiased); else the running ones are used. Source: Ioffe and "
     "Szegedy 2015.");
  define<[](const Tensor &x, const Dims &normalized_shape, const Maybe &weight, const Maybe &bias, double eps) {
    return ops::layer_norm(x, normalized_shape, or_none(weight), or_none(bias), eps);
  }>("layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5)",
     "y = (x - mean) / (var + eps)^(1/2) weight + bias over the last axes. Source: Ba, Kiros and Hinton 2016.");
  define<[](const Tensor &x, int64_t num_groups, const Maybe &weight, const Maybe &bias, double eps) {
    return ops::group_norm(x, num_groups, or_none(weight), or_none(bias), eps);
  }>("group_norm(x, num_groups, weight=None, bias=None, eps=1e-5)",
     "y = (x - mean) / (var + eps)^(1/2) weight + bias over groups of channels of x [N,C,..]. Source: Wu and He 2018.");
  define<ops::local_response_norm>(
      "local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0)",
      "y_c = x_c (k + alpha / size sum_j x_j^2)^-beta over the channels j from c - size / 2 "
      "to c + (size - 1) / 2 of x [N,C,..]. Source: Krizhevsky et al. 2012.");
  define<ops::dropout>(
      "dropout(x, p=0.5, training=True)",
      "y = x / (1 - p) with probability 1 - p, else 0; x itself outside training. Source: Srivastava et al. 2014.");
}

void define_losses() {
  define<cross_entropy>(
      "cross_entropy(x, target, weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0)",
      loss("-sum_c q_c ln softmax(x)_c for x [N,C] or [N,C,d1,..]; target: class indices [N,..] or probabilities of "
           "x's shape.\n\n"
           "'mean' divides by the weights of the targets that count; label_smoothing mixes the target with the uniform "
           "distribution.")
          .c_str());
  define<[](const Tensor &x, const Tensor &target, const Maybe &weight, int64_t ignore_index,
            const std::string &reduction) {
    return ops::nll_loss(x, target, or_none(weight), ignore_index, reduction_of(reduction, "nll_loss"));
  }>("nll_loss(x, target, weight=None, ignore_index=-100, reduction='mean')",
     loss("-weight_t x_t at the target class t, for log-probabilities x [N,C] or [N,C,d1,..].").c_str());
  define<[](const Tensor &x, const Tensor &target, const std::string &reduction) {
    return ops::mse_loss(x, target, reduction_of(reduction, "mse_loss"));
  }>("mse_loss(x, target, reduction='mean')", loss("(x - target)^2.").c_str());
  define<[](const Tensor &x, const Tensor &target, const std::string &reduction) {
    return ops::l1_loss(x, target, reduction_of(reduction, "l1_loss"));
  }>("l1_loss(x, target, reduction='mean')", loss("|x - target|.").c_str());
  define<[](const Tensor &x, const Tensor &target, const std::string &reduction, double delta) {
    return ops::huber_loss(x, target, reduction_of(reduction, "huber_loss"), delta);
  }>("huber_loss(x, target, reduction='mean', delta=1.0)",
     loss("d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), with d = x - target.").c_str());
  define<[](const Tensor &x, const Tensor &target, const std::string &reduction, double beta) {
    return ops::smooth_l1_loss(x, target, reduction_of(reduction, "smooth_l1_loss"), beta);
  }>("smooth_l1_loss(x, target, reduction='mean', beta=1.0)",
     loss("d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = x - target.").c_str());
  define<[](const Tensor &x, const Tensor &target, const Maybe &weight, const std::string &reduction) {
    return ops::binary_cross_entropy(x, target, or_none(weight), reduction_of(reduction, "binary_cross_entropy"));
  }>("binary_cross_entropy(x, target, weight=None, reduction='mean')",
     loss("-(t ln x + (1 - t) ln(1 - x)) for probabilities x; logarithms are held above -100.").c_str());
  define<[](const Tensor &x, const Tensor &target, const Maybe &weight, const std::string &reduction,
            const Maybe &pos_weight) {
    return ops::binary_cross_entropy_with_logits(
        x, target, or_none(weight), reduction_of(reduction, "binary_cross_entropy_with_logits"), or_none(pos_weight));
  }>("binary_cross_entropy_with_logits(x, target, weight=None, reduction='mean', pos_weight=None)",
     loss("-(p t ln sigmoid(x) + (1 - t) ln(1 - sigmoid(x))) for logits x, with p = pos_weight.").c_str());
  define<[](const Tensor &x, const Tensor &target, const std::string &reduction, bool log_target) {
    return ops::kl_div(x, target, reduction_of(reduction, "kl_div"), log_target);
  }>("kl_div(x, target, reduction='mean', log_target=False)",
     loss("t (ln t - x) for log-probabilities x; 'batchmean' divides the sum by the batch.").c_str());
  define<[](const Tensor &x, const Tensor &target, double margin, const std::string &reduction) {
    return ops::hinge_loss(x, target, margin, reduction_of(reduction, "hinge_loss"));
  }>("hinge_loss(x, target, margin=1.0, reduction='mean')",
     loss("max(0, margin - t x) for targets t of -1 and 1.").c_str());
  define<[](const Tensor &log_probs, const Tensor &targets, const Tensor &input_lengths, const Tensor &target_lengths,
            int64_t blank, const std::string &reduction, bool zero_infinity) {
    return ops::ctc_loss(log_probs, targets, input_lengths, target_lengths,
                         {blank, reduction_of(reduction, "ctc_loss"), zero_infinity});
  }>("ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', zero_infinity=False)",
     loss(
         "-ln of the summed probability of all alignments of the targets with the frames of log_probs [T,N,C] or "
         "[T,C].\n\n"
         "An alignment takes one class per frame; the targets are what is left of it without repetitions, then without "
         "blanks. targets [N,S], or [sum of target_lengths] one after the other, without blanks; lengths [N] of "
         "integers. 'mean' divides each loss by its target's length first. The loss of targets that fit no alignment "
         "is "
         "inf, or 0 with zero_infinity; its gradient is 0. The gradient is that of independent log_probs: minus the "
         "share of alignments that have the class at the frame. Graves et al., \"Connectionist Temporal "
         "Classification\", 2006.")
         .c_str());
}

void define_attention() {
  define<[](const Tensor &query, const Tensor &key, const Tensor &value, const Maybe &attn_mask, double dropout_p,
            bool is_causal, std::optional<double> scale, bool enable_gqa) {
    return ops::attention(query, key, value, or_none(attn_mask), {dropout_p, is_causal, scale, enable_gqa});
  }>("scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, "
     "enable_gqa=False)",
     "y = softmax(q k^T scale + mask) v: [..,T,V] of query [..,T,E], key [..,S,E], value [..,S,V].\n\n"
     "attn_mask broadcasts to [..,T,S]: bool, true where a key takes part, or floating, added. is_causal: position t "
     "sees keys 0 to t. Rows that see no key are 0. scale: 1 / E^(1/2) where None. dropout_p: of the weights, whoever "
     "calls decides by training. enable_gqa: key and value may have fewer heads (axis -3), each for several of the "
     "query's.\n\n"
     "Memory: of the weights only a block of rows exists at a time, forward and, computed again, backward; kept are "
     "query, key and value. A mask that needs a gradient, and derivatives of higher order, take all weights at once. "
     "Vaswani et al., \"Attention Is All You Need\", 2017; blocks: Dao et al., \"FlashAttention\", 2022.");
}

} // namespace cinta::python
