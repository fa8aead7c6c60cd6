"""Probability distributions on differentiable arrays."""

from . import norm as norm
