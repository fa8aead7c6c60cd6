"""Networks of the literature, each with its shapes, its number of parameters and its paper."""

from cinta.models.super_resolution import ESPCN, FSRCNN, SRCNN

__all__ = ["ESPCN", "FSRCNN", "SRCNN"]
