// Recurrent layers, one direction at a time; python/cinta/nn/layers stacks them.
#include "bindings/function.h"
#include "cinta/ops/recurrent.h"

namespace cinta::python {
namespace {

using Maybe = std::optional<Tensor>;
Tensor given(const Maybe &t) { return t.value_or(Tensor()); }

std::vector<Tensor> rnn(const Tensor &x, const Maybe &h0, const Tensor &weight_ih, const Tensor &weight_hh,
                        const Maybe &bias_ih, const Maybe &bias_hh, const Maybe &lengths, bool reverse,
                        const std::string &nonlinearity) {
  if (nonlinearity != "tanh" && nonlinearity != "relu")
    fail<ValueError>("[rnn] nonlinearity is '", nonlinearity, "', expected 'tanh' or 'relu'");
  const ops::Cell cell = nonlinearity == "tanh" ? ops::Cell::tanh : ops::Cell::relu;
  const ops::RecurrentStates s = ops::recurrent(
      cell, x, given(h0), Tensor(), {weight_ih, weight_hh, given(bias_ih), given(bias_hh)}, given(lengths), reverse);
  return {s.y, s.h};
}

std::vector<Tensor> gru(const Tensor &x, const Maybe &h0, const Tensor &weight_ih, const Tensor &weight_hh,
                        const Maybe &bias_ih, const Maybe &bias_hh, const Maybe &lengths, bool reverse) {
  const ops::RecurrentStates s =
      ops::recurrent(ops::Cell::gru, x, given(h0), Tensor(), {weight_ih, weight_hh, given(bias_ih), given(bias_hh)},
                     given(lengths), reverse);
  return {s.y, s.h};
}

std::vector<Tensor> lstm(const Tensor &x, const Maybe &h0, const Maybe &c0, const Tensor &weight_ih,
                         const Tensor &weight_hh, const Maybe &bias_ih, const Maybe &bias_hh, const Maybe &weight_hr,
                         const Maybe &lengths, bool reverse) {
  const ops::RecurrentStates s =
      ops::recurrent(ops::Cell::lstm, x, given(h0), given(c0),
                     {weight_ih, weight_hh, given(bias_ih), given(bias_hh), given(weight_hr)}, given(lengths), reverse);
  return {s.y, s.h, s.c};
}

} // namespace

void define_recurrent() {
  define<rnn>(
      "rnn(x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False, "
      "nonlinearity='tanh')",
      "h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh): [y, h_n] of x [T,B,I], with h0 [B,H] or None (zeros).\n\n"
      "weight_ih [H,I], weight_hh [H,H], biases [H]; lengths [B]: y is zero beyond them, h_n [B,H] is the state "
      "at each sequence's own end. reverse: from the end to the beginning. nonlinearity: 'tanh' or 'relu'.");
  define<gru>(
      "gru(x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, lengths=None, reverse=False)",
      "r, u = sigmoid(...), n = tanh(W_in x + b_in + r (W_hn h + b_hn)), h = (1 - u) n + u h: [y, h_n] of x "
      "[T,B,I].\n\n"
      "weight_ih [3H,I] and weight_hh [3H,H] in the order r, u, n (PyTorch's r, z, n), biases [3H]; lengths and "
      "reverse as for rnn. Cho et al., \"Learning Phrase Representations using RNN Encoder-Decoder\", 2014.");
  define<lstm>(
      "lstm(x, h0, c0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, weight_hr=None, lengths=None, "
      "reverse=False)",
      "c = f c + i g, h = o tanh(c), gates from W_ih x + b_ih + W_hh h + b_hh: [y, h_n, c_n] of x [T,B,I].\n\n"
      "weight_ih [4H,I] and weight_hh [4H,P] in the order i, f, g, o, biases [4H], weight_hr [P,H] projects h; "
      "h0 [B,P] and c0 [B,H] or None (zeros); lengths and reverse as for rnn. Hochreiter and Schmidhuber, "
      "\"Long Short-Term Memory\", 1997; projection: Sak et al., 2014.");
}

} // namespace cinta::python
