"""Augmentation: more training data than there is, by changes that leave the label true.

Transforms are drawn anew for every sample of a batch, in the core, on whole batches:

>>> import cinta as ct
>>> from cinta import augment
>>> change = augment.Compose([
...     augment.RandomAffine(degrees=15, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=10),
...     augment.ElasticTransform(alpha=20, sigma=4),
...     augment.GaussianNoise(0.05),
... ])
>>> change(ct.zeros((128, 1, 28, 28))).shape
(128, 1, 28, 28)

`transform=change` of a DataLoader applies it to every batch. `augment.functional` has the same with given parameters.
"""

from cinta.augment import functional
from cinta.augment.affine import RandomAffine, RandomRotation, RandomScale, RandomShear, RandomTranslate
from cinta.augment.color import ColorJitter
from cinta.augment.crop import CenterCrop, RandomCrop
from cinta.augment.elastic import ElasticTransform
from cinta.augment.erasing import Cutout, RandomErasing
from cinta.augment.flip import RandomHorizontalFlip, RandomVerticalFlip
from cinta.augment.mixup import Mixup
from cinta.augment.noise import GaussianNoise
from cinta.augment.resize import Resize
from cinta.augment.sound import RandomNoiseMix
from cinta.augment.transform import Compose, RandomApply, Transform

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "Cutout",
    "ElasticTransform",
    "GaussianNoise",
    "Mixup",
    "RandomAffine",
    "RandomApply",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomNoiseMix",
    "RandomRotation",
    "RandomScale",
    "RandomShear",
    "RandomTranslate",
    "RandomVerticalFlip",
    "Resize",
    "Transform",
    "functional",
]
