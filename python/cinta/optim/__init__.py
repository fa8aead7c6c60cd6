"""Optimizers with PyTorch's names and state, and gradient clipping."""

from cinta.optim.adagrad import Adagrad
from cinta.optim.adam import Adam, AdamW
from cinta.optim.clip import clip_grad_norm_, clip_grad_value_
from cinta.optim.optimizer import Optimizer
from cinta.optim.rmsprop import RMSprop
from cinta.optim.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "clip_grad_norm_", "clip_grad_value_"]
