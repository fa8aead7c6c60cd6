"""Networks of the literature, each with its shapes, its number of parameters and its paper."""

from cinta.models.lenet import LeNet5, LeNet5Loss

__all__ = ["LeNet5", "LeNet5Loss"]
