"""Learning-rate schedules: `scheduler.step()` after `optimizer.step()`, with the metric where a plateau wants it."""

from cinta.optim.lr_scheduler.compose import ChainedScheduler, SequentialLR
from cinta.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from cinta.optim.lr_scheduler.exponential import ExponentialLR
from cinta.optim.lr_scheduler.lambdas import LambdaLR
from cinta.optim.lr_scheduler.one_cycle import OneCycleLR
from cinta.optim.lr_scheduler.plateau import ReduceLROnPlateau
from cinta.optim.lr_scheduler.polynomial import PolynomialLR
from cinta.optim.lr_scheduler.scheduler import LRScheduler
from cinta.optim.lr_scheduler.steps import MultiStepLR, StepLR
from cinta.optim.lr_scheduler.warmup import ConstantLR, LinearLR

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
