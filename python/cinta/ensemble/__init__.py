"""Ensembles: N networks trained as one program, their predictions averaged; Monte-Carlo dropout, averaged passes."""

from cinta.ensemble.average_passes import average_passes
from cinta.ensemble.diversity import disagreement, mutual_information, predictive_entropy
from cinta.ensemble.ensemble import Ensemble
from cinta.ensemble.layers import STACKED, StackedLayer
from cinta.ensemble.loss import EnsembleLoss
from cinta.ensemble.mc_dropout import mc_dropout
from cinta.ensemble.orders import orders
from cinta.ensemble.prediction import Prediction
from cinta.ensemble.stacking import stack, unstack

__all__ = [
    "STACKED",
    "Ensemble",
    "EnsembleLoss",
    "Prediction",
    "StackedLayer",
    "average_passes",
    "disagreement",
    "mc_dropout",
    "mutual_information",
    "orders",
    "predictive_entropy",
    "stack",
    "unstack",
]
