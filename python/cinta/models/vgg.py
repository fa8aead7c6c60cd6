"""Very deep networks of nothing but 3x3 convolutions and 2x2 pooling (Simonyan and Zisserman, 2014)."""

from __future__ import annotations

from typing import ClassVar

from cinta import nn
from cinta._core import Tensor
from cinta.nn.layers.arguments import positive

# Channels of the 3x3 convolutions in each of the five stages; the image is halved behind every stage.
STAGES = {
    11: ((64,), (128,), (256, 256), (512, 512), (512, 512)),
    13: ((64, 64), (128, 128), (256, 256), (512, 512), (512, 512)),
    16: ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3),
    19: ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4),
}


class VGG(nn.Module):
    """A VGG network with so many layers that have weights: 11, 13, 16 or 19.

    x [N, in_channels, H, W] -> scores [N, num_classes]: 3x3 convolutions of stride 1, each with ReLU, 64 to 512
    channels, five times halved by 2x2 max pooling; means over 7x7 places; linear layers of 4096, 4096 and num_classes
    units.

    H and W are 224 in the paper and 32 at least. `batch_norm` normalises between convolution and ReLU. `cifar=True`
    is the form for 32x32 images: the mean over all places and one linear layer instead of three. Names of parameters
    are torchvision's (`features.0.weight`, `classifier.6.bias`).

    Weights start as He's N(0, 2 / fan-out) in convolutions and N(0, 0.01^2) in linear layers, biases at 0. (The paper
    trained its shallowest network first and began the others with the weights of that one.)
    Errors: ValueError for another depth.
    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014.

    Example:
        >>> net = ct.models.VGG(11, num_classes=10, cifar=True)
        >>> net(ct.zeros((2, 3, 32, 32))).shape
        (2, 10)
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 1000,
        batch_norm: bool = False,
        dropout: float = 0.5,
        cifar: bool = False,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if depth not in STAGES:
            raise ValueError(f"[VGG] depth got {depth!r}, expected one of {list(STAGES)}")
        positive("VGG", num_classes=num_classes, in_channels=in_channels)
        layers: list[nn.Module] = []
        channels = in_channels
        for stage in STAGES[depth]:
            for width in stage:
                layers.append(nn.Conv2d(channels, width, 3, padding=1))
                layers += [nn.BatchNorm2d(width)] * batch_norm + [nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1 if cifar else 7)
        if cifar:
            self.classifier = nn.Sequential(nn.Linear(512, num_classes))
        else:
            self.classifier = nn.Sequential(
                nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(dropout),
                nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(dropout),
                nn.Linear(4096, num_classes),
            )  # fmt: skip
        self.apply(start)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def start(module: nn.Module) -> None:
    """Draws the first weights of one layer."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.01)
    if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
        nn.init.zeros_(module.bias)


class _Configuration(VGG):
    """One of the paper's, known by its name."""

    layers_with_weights: ClassVar[int]

    def __init__(
        self,
        num_classes: int = 1000,
        batch_norm: bool = False,
        dropout: float = 0.5,
        cifar: bool = False,
        in_channels: int = 3,
    ) -> None:
        super().__init__(self.layers_with_weights, num_classes, batch_norm, dropout, cifar, in_channels)


class VGG11(_Configuration):
    """Configuration A of the paper: 8 convolutions and 3 linear layers, 132,863,336 parameters; see `VGG`.

    With batch norm 132,868,840. 7.6 thousand million multiply-adds for an image of 224x224.

    Example:
        >>> ct.models.VGG11(num_classes=10, cifar=True)(ct.zeros((1, 3, 32, 32))).shape
        (1, 10)
    """

    layers_with_weights = 11


class VGG13(_Configuration):
    """Configuration B of the paper: 10 convolutions and 3 linear layers, 133,047,848 parameters; see `VGG`.

    With batch norm 133,053,736. 11.3 thousand million multiply-adds for an image of 224x224.

    Example:
        >>> ct.models.VGG13(num_classes=10, cifar=True)(ct.zeros((1, 3, 32, 32))).shape
        (1, 10)
    """

    layers_with_weights = 13


class VGG16(_Configuration):
    """Configuration D of the paper: 13 convolutions and 3 linear layers, 138,357,544 parameters; see `VGG`.

    With batch norm 138,365,992. 15.5 thousand million multiply-adds for an image of 224x224.

    Example:
        >>> ct.models.VGG16(num_classes=10, batch_norm=True, cifar=True)(ct.zeros((2, 3, 32, 32))).shape
        (2, 10)
    """

    layers_with_weights = 16


class VGG19(_Configuration):
    """Configuration E of the paper: 16 convolutions and 3 linear layers, 143,667,240 parameters; see `VGG`.

    With batch norm 143,678,248. 19.6 thousand million multiply-adds for an image of 224x224.

    Example:
        >>> ct.models.VGG19(num_classes=10, cifar=True)(ct.zeros((1, 3, 32, 32))).shape
        (1, 10)
    """

    layers_with_weights = 19
