"""Decoding: from a network that predicts the next token to sequences, greedily, by beam search or by chance; and from
one that labels frames, trained by `nn.CTCLoss`."""

from cinta.decoding.beam import beam_search
from cinta.decoding.ctc import Scorer, ctc_beam_search, ctc_greedy
from cinta.decoding.greedy import greedy
from cinta.decoding.hypothesis import Hypothesis, Step
from cinta.decoding.sampling import sample, sampling_probabilities

__all__ = [
    "Hypothesis",
    "Scorer",
    "Step",
    "beam_search",
    "ctc_beam_search",
    "ctc_greedy",
    "greedy",
    "sample",
    "sampling_probabilities",
]
