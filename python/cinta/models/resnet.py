"""Residual networks: layers learn what to add to their input (He et al., 2015), in the form for large images."""

from __future__ import annotations

from typing import ClassVar

from cinta import nn
from cinta._core import Tensor
from cinta.nn.layers.arguments import positive


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)


def conv1x1(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut: y = relu(x + f(x)).

    x [N, in_channels, H, W] -> y [N, width, H / stride, W / stride]; where the shapes differ, the shortcut is a 1x1
    convolution with batch norm, `downsample`.

    Example:
        >>> ct.models.BasicBlock(8, 16, stride=2)(ct.zeros((2, 8, 6, 6))).shape
        (2, 16, 3, 3)
    """

    expansion = 1  # channels that come out, for each of `width`
    downsample: nn.Module | None

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = projection(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class Bottleneck(nn.Module):
    """A 3x3 convolution between 1x1 ones that narrow and widen, beside a shortcut: y = relu(x + f(x)).

    x [N, in_channels, H, W] -> y [N, 4 width, H / stride, W / stride]; the stride is the 3x3 convolution's, which is
    more accurate than the paper's, that of the first 1x1. The shortcut is `BasicBlock`'s.

    Example:
        >>> ct.models.Bottleneck(8, 4, stride=2)(ct.zeros((2, 8, 6, 6))).shape
        (2, 16, 3, 3)
    """

    expansion = 4
    downsample: nn.Module | None

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv1x1(in_channels, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, width * self.expansion)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.downsample = projection(in_channels, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        y = self.bn3(self.conv3(y))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


def projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """The shortcut of a block whose output has another shape than its input."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(conv1x1(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels))


def start(module: nn.Module) -> None:
    """Draws the first weights of a convolution: N(0, 2 / fan-out), by which values keep their variance."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class ResNet(nn.Module):
    """A residual network of `block`s, `layers` of them in each of four stages.

    x [N, in_channels, H, W] -> scores [N, num_classes]: a 7x7 convolution and 3x3 max pooling, both of stride 2;
    stages of 64, 128, 256 and 512 channels (times the block's expansion), each but the first halving the image; the
    mean over all places; a linear layer.

    H and W are 224 in the paper; anything from 32 on will do. `cifar=True` is the form for 32x32 images: a 3x3
    convolution of stride 1 at the beginning and no pooling. `zero_init_residual` starts every block as the identity
    (its last batch norm at 0). Names of parameters are torchvision's (`layer1.0.conv1.weight`).
    Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2015.

    Example:
        >>> net = ct.models.ResNet(ct.models.BasicBlock, (1, 1, 1, 1), num_classes=10)
        >>> net(ct.zeros((2, 3, 64, 64))).shape
        (2, 10)
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: tuple[int, int, int, int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        cifar: bool = False,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        positive("ResNet", num_classes=num_classes, in_channels=in_channels)
        if len(layers) != 4:
            raise ValueError(f"[ResNet] layers got {layers!r}, expected the numbers of blocks of 4 stages")
        stem = conv3x3(in_channels, 64) if cifar else nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.conv1 = stem
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity() if cifar else nn.MaxPool2d(3, stride=2, padding=1)
        channels = 64
        for stage, count in enumerate(layers):
            width, blocks = 64 << stage, []
            for k in range(count):
                blocks.append(block(channels, width, 2 if stage and k == 0 else 1))
                channels = width * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        self.apply(start)
        for module in self.modules() if zero_init_residual else ():
            if isinstance(module, (BasicBlock, Bottleneck)):
                last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                nn.init.zeros_(last.weight)  # type: ignore[arg-type]

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


class _Configuration(ResNet):
    """One of the paper's, known by its name."""

    block: ClassVar[type[BasicBlock] | type[Bottleneck]]
    blocks: ClassVar[tuple[int, int, int, int]]  # of each stage

    def __init__(
        self, num_classes: int = 1000, zero_init_residual: bool = False, cifar: bool = False, in_channels: int = 3
    ) -> None:
        super().__init__(self.block, self.blocks, num_classes, zero_init_residual, cifar, in_channels)


class ResNet18(_Configuration):
    """18 layers with weights: 8 basic blocks, 11,689,512 parameters; see `ResNet`.

    1.8 thousand million multiply-adds for an image of 224x224; with `cifar=True` and 10 classes 11,173,962 parameters.

    Example:
        >>> ct.models.ResNet18(num_classes=10, cifar=True)(ct.zeros((1, 3, 32, 32))).shape
        (1, 10)
    """

    block, blocks = BasicBlock, (2, 2, 2, 2)


class ResNet34(_Configuration):
    """34 layers with weights: 16 basic blocks, 21,797,672 parameters; see `ResNet`.

    3.6 thousand million multiply-adds for an image of 224x224.

    Example:
        >>> ct.models.ResNet34(num_classes=10)(ct.zeros((2, 3, 32, 32))).shape
        (2, 10)
    """

    block, blocks = BasicBlock, (3, 4, 6, 3)


class ResNet50(_Configuration):
    """50 layers with weights: 16 bottlenecks, 25,557,032 parameters; see `ResNet`.

    4.1 thousand million multiply-adds for an image of 224x224.

    Example:
        >>> ct.models.ResNet50(num_classes=10)(ct.zeros((2, 3, 32, 32))).shape
        (2, 10)
    """

    block, blocks = Bottleneck, (3, 4, 6, 3)


class ResNet101(_Configuration):
    """101 layers with weights: 33 bottlenecks, 44,549,160 parameters; see `ResNet`.

    7.8 thousand million multiply-adds for an image of 224x224.

    Example:
        >>> ct.models.ResNet101(num_classes=10)(ct.zeros((2, 3, 32, 32))).shape
        (2, 10)
    """

    block, blocks = Bottleneck, (3, 4, 23, 3)


class ResNet152(_Configuration):
    """152 layers with weights: 50 bottlenecks, 60,192,808 parameters; see `ResNet`.

    11.5 thousand million multiply-adds for an image of 224x224.

    Example:
        >>> ct.models.ResNet152(num_classes=10)(ct.zeros((2, 3, 32, 32))).shape
        (2, 10)
    """

    block, blocks = Bottleneck, (3, 8, 36, 3)
