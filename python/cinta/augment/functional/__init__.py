"""Augmentations with given parameters, for tensors and arrays; what `cinta.augment` draws at random ends here."""

from cinta.augment.functional.geometry import (
    affine,
    affine_matrix,
    crop,
    elastic,
    gaussian_blur,
    horizontal_flip,
    vertical_flip,
)
from cinta.augment.functional.pixels import adjust_brightness, adjust_contrast, erase, gaussian_noise, mixup
from cinta.augment.functional.resizing import resize
from cinta.augment.functional.sound import add_noise

__all__ = [
    "add_noise",
    "adjust_brightness",
    "adjust_contrast",
    "affine",
    "affine_matrix",
    "crop",
    "elastic",
    "erase",
    "gaussian_blur",
    "gaussian_noise",
    "horizontal_flip",
    "mixup",
    "resize",
    "vertical_flip",
]
