"""Decoding: from a network that predicts the next token to sequences, greedily, by beam search or by chance."""

from cinta.decoding.beam import beam_search
from cinta.decoding.greedy import greedy
from cinta.decoding.hypothesis import Hypothesis, Step
from cinta.decoding.sampling import sample, sampling_probabilities

__all__ = ["Hypothesis", "Step", "beam_search", "greedy", "sample", "sampling_probabilities"]
