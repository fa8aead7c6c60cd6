"""Finding what is wrong: the first NaN (`debug`), wrong gradients (`gradcheck`), a network that cannot learn
(`overfit_one_batch`), the learning rate (`find_lr`)."""

from .finite import NonFiniteError, debug
from .gradcheck import GradientError, gradcheck
from .learning_rate import LearningRates, find_lr
from .overfit import Overfit, overfit_one_batch

__all__ = [
    "GradientError",
    "LearningRates",
    "NonFiniteError",
    "Overfit",
    "debug",
    "find_lr",
    "gradcheck",
    "overfit_one_batch",
]
