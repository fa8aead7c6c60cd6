"""Optimizers with PyTorch's names and state, schedules, averages of weights, accumulated and clipped gradients."""

from cinta.optim import lr_scheduler
from cinta.optim.accumulation import GradientAccumulation
from cinta.optim.adadelta import Adadelta
from cinta.optim.adagrad import Adagrad
from cinta.optim.adam import Adam, AdamW
from cinta.optim.adamax import Adamax
from cinta.optim.averaging import EMA, SWA, update_bn
from cinta.optim.clip import clip_grad_norm_, clip_grad_value_
from cinta.optim.lbfgs import LBFGS
from cinta.optim.lion import Lion
from cinta.optim.nadam import NAdam
from cinta.optim.optimizer import Optimizer
from cinta.optim.radam import RAdam
from cinta.optim.rmsprop import RMSprop
from cinta.optim.rprop import Rprop
from cinta.optim.sgd import SGD

__all__ = [
    "EMA",
    "LBFGS",
    "SGD",
    "SWA",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "GradientAccumulation",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
    "update_bn",
]
