"""The residual networks for 32x32 images of He et al., 2015, section 4.2, and the plain ones beside them."""

from __future__ import annotations

from cinta import nn
from cinta._core import Tensor, pad
from cinta.models.resnet import conv3x3, projection, start
from cinta.nn.layers.arguments import positive

SHORTCUTS = ("zeros", "projection", None)


class CifarBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, beside a shortcut or alone.

    y = relu(s(x) + f(x)) or relu(f(x)); x [N, in_channels, H, W], y [N, width, ceil(H / stride), ceil(W / stride)]

    Where the shapes differ, `shortcut="zeros"` takes every stride-th place and adds channels of zeros, which costs no
    parameter; "projection" is a 1x1 convolution with batch norm; None leaves out every shortcut.

    Example:
        >>> ct.models.CifarBlock(8, 16, stride=2)(ct.zeros((2, 8, 6, 6))).shape
        (2, 16, 3, 3)
    """

    downsample: nn.Module | None

    def __init__(self, in_channels: int, width: int, stride: int = 1, shortcut: str | None = "zeros") -> None:
        super().__init__()
        if shortcut not in SHORTCUTS:
            raise ValueError(f"[CifarBlock] shortcut got {shortcut!r}, expected one of {SHORTCUTS}")
        if shortcut == "zeros" and width < in_channels:
            raise ValueError(f"[CifarBlock] width got {width}, expected in_channels {in_channels} at least")
        self.conv1 = conv3x3(in_channels, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut, self.stride, self.added = shortcut, stride, width - in_channels
        self.downsample = projection(in_channels, width, stride) if shortcut == "projection" else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        if self.shortcut is None:
            return y.relu()
        if self.downsample is not None:
            x = self.downsample(x)
        elif self.stride > 1 or self.added:
            x = pad(x[:, :, :: self.stride, :: self.stride], [(0, 0), (0, self.added), (0, 0), (0, 0)])
        return (x + y).relu()


class CifarResNet(nn.Module):
    """A residual network with 6n + 2 layers that have weights, for 32x32 images: 20, 32, 44, 56, 110, ...

    x [N, in_channels, H, W] -> scores [N, num_classes]: a 3x3 convolution of 16 channels; three stages of n blocks
    with 16, 32 and 64 channels on the whole, half and a quarter of the image; the mean over all places; a linear
    layer.

    `shortcut=None` is the paper's plain network of the same depth; see `CifarBlock`.
    Errors: ValueError where depth is not 6n + 2, or for another shortcut.
    Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2015, section 4.2.

    Example:
        >>> net = ct.models.CifarResNet(8)
        >>> net(ct.zeros((2, 3, 32, 32))).shape, sum(p.size for p in net.parameters())
        ((2, 10), 75290)
    """

    def __init__(self, depth: int, num_classes: int = 10, shortcut: str | None = "zeros", in_channels: int = 3) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"[CifarResNet] depth got {depth!r}, expected 6n + 2: 8, 14, 20, 32, 44, 56, 110, ...")
        positive("CifarResNet", num_classes=num_classes, in_channels=in_channels)
        count = (depth - 2) // 6
        self.conv1 = conv3x3(in_channels, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, 1, count, shortcut)
        self.layer2 = _stage(16, 32, 2, count, shortcut)
        self.layer3 = _stage(32, 64, 2, count, shortcut)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)
        self.apply(start)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1))


def _stage(channels: int, width: int, stride: int, count: int, shortcut: str | None) -> nn.Sequential:
    first = CifarBlock(channels, width, stride, shortcut)
    return nn.Sequential(first, *(CifarBlock(width, width, 1, shortcut) for _ in range(count - 1)))


class ResNet20(CifarResNet):
    """20 layers for 32x32 images, 269,722 parameters (0.27M in the paper); see `CifarResNet`.

    Example:
        >>> ct.models.ResNet20()(ct.zeros((1, 3, 32, 32))).shape
        (1, 10)
    """

    def __init__(self, num_classes: int = 10, shortcut: str | None = "zeros", in_channels: int = 3) -> None:
        super().__init__(20, num_classes, shortcut, in_channels)


class ResNet32(CifarResNet):
    """32 layers for 32x32 images, 464,154 parameters (0.46M in the paper); see `CifarResNet`.

    Example:
        >>> ct.models.ResNet32()(ct.zeros((1, 3, 32, 32))).shape
        (1, 10)
    """

    def __init__(self, num_classes: int = 10, shortcut: str | None = "zeros", in_channels: int = 3) -> None:
        super().__init__(32, num_classes, shortcut, in_channels)


class ResNet44(CifarResNet):
    """44 layers for 32x32 images, 658,586 parameters (0.66M in the paper); see `CifarResNet`.

    Example:
        >>> ct.models.ResNet44()(ct.zeros((1, 3, 32, 32))).shape
        (1, 10)
    """

    def __init__(self, num_classes: int = 10, shortcut: str | None = "zeros", in_channels: int = 3) -> None:
        super().__init__(44, num_classes, shortcut, in_channels)


class ResNet56(CifarResNet):
    """56 layers for 32x32 images, 853,018 parameters (0.85M in the paper); see `CifarResNet`.

    Example:
        >>> ct.models.ResNet56()(ct.zeros((1, 3, 32, 32))).shape
        (1, 10)
    """

    def __init__(self, num_classes: int = 10, shortcut: str | None = "zeros", in_channels: int = 3) -> None:
        super().__init__(56, num_classes, shortcut, in_channels)


class ResNet110(CifarResNet):
    """110 layers for 32x32 images, 1,727,962 parameters (1.7M in the paper); see `CifarResNet`.

    Example:
        >>> ct.models.ResNet110()(ct.zeros((1, 3, 32, 32))).shape
        (1, 10)
    """

    def __init__(self, num_classes: int = 10, shortcut: str | None = "zeros", in_channels: int = 3) -> None:
        super().__init__(110, num_classes, shortcut, in_channels)
