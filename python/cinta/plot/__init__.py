"""Figures of training: curves, filters, activations, attention, mistakes, borders, as matplotlib `Figure`s.

Every function takes plain data, or a model and inputs, and returns a figure: `figure.savefig("curve.png")` writes it, a
notebook shows it. Nothing is shown by itself, pyplot and its backend are left alone, and models stay as they are.
"""

from cinta.plot.attention import attention
from cinta.plot.curves import learning_curves, learning_rate_search, learning_rates
from cinta.plot.layers import activation_histograms, feature_maps, filters
from cinta.plot.predictions import confusion_matrix, mistakes, predicted_against_true
from cinta.plot.surface import decision_surface

__all__ = [
    "activation_histograms",
    "attention",
    "confusion_matrix",
    "decision_surface",
    "feature_maps",
    "filters",
    "learning_curves",
    "learning_rate_search",
    "learning_rates",
    "mistakes",
    "predicted_against_true",
]
