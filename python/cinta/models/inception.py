"""Inception v3: convolutions factorised into 3x3, 1x7 and 7x1 ones, with batch norm (Szegedy et al., 2015)."""

from __future__ import annotations

from typing import Any, NamedTuple

from cinta import nn
from cinta._core import Tensor, avg_pool2d, concat, max_pool2d
from cinta.models.googlenet import BasicConv2d, start, to_inceptions_range
from cinta.nn.layers.arguments import positive


def conv(in_channels: int, out_channels: int, kernel_size: Any, stride: int = 1, padding: Any = 0) -> BasicConv2d:
    return BasicConv2d(in_channels, out_channels, kernel_size=kernel_size, stride=stride, padding=padding)


def smooth(x: Tensor) -> Tensor:
    """Means over 3x3 places, the image's size kept."""
    return avg_pool2d(x, 3, stride=1, padding=1)


class InceptionA(nn.Module):
    """The module for large planes: 1x1, 5x5, two 3x3 and pooling side by side, each behind a 1x1 that reduces.

    x [N, in_channels, H, W], y [N, 224 + pool_features, H, W]

    Example:
        >>> ct.models.InceptionA(192, 32)(ct.zeros((1, 192, 5, 5))).shape
        (1, 256, 5, 5)
    """

    def __init__(self, in_channels: int, pool_features: int) -> None:
        super().__init__()
        self.branch1x1 = conv(in_channels, 64, 1)
        self.branch5x5_1 = conv(in_channels, 48, 1)
        self.branch5x5_2 = conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, 1)
        self.branch3x3dbl_2 = conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, 3, padding=1)
        self.branch_pool = conv(in_channels, pool_features, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return concat([self.branch1x1(x), five, double, self.branch_pool(smooth(x))], axis=1)


class InceptionB(nn.Module):
    """The module that halves large planes: 3x3, two 3x3 and max pooling, all of stride 2.

    x [N, in_channels, H, W], y [N, 480 + in_channels, (H - 1) // 2, (W - 1) // 2]

    Example:
        >>> ct.models.InceptionB(288)(ct.zeros((1, 288, 7, 7))).shape
        (1, 768, 3, 3)
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3 = conv(in_channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, 1)
        self.branch3x3dbl_2 = conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return concat([self.branch3x3(x), double, max_pool2d(x, 3, stride=2)], axis=1)


class InceptionC(nn.Module):
    """The module for middle planes: 7x7 kernels as 1x7 and 7x1, once and twice, beside 1x1 and pooling.

    x [N, in_channels, H, W], y [N, 768, H, W]; channels_7x7 lie between the factors

    Example:
        >>> ct.models.InceptionC(768, 128)(ct.zeros((1, 768, 5, 5))).shape
        (1, 768, 5, 5)
    """

    def __init__(self, in_channels: int, channels_7x7: int) -> None:
        super().__init__()
        c7 = channels_7x7
        row: dict[str, Any] = dict(kernel_size=(1, 7), padding=(0, 3))
        column: dict[str, Any] = dict(kernel_size=(7, 1), padding=(3, 0))
        self.branch1x1 = conv(in_channels, 192, 1)
        self.branch7x7_1 = conv(in_channels, c7, 1)
        self.branch7x7_2 = conv(c7, c7, **row)
        self.branch7x7_3 = conv(c7, 192, **column)
        self.branch7x7dbl_1 = conv(in_channels, c7, 1)
        self.branch7x7dbl_2 = conv(c7, c7, **column)
        self.branch7x7dbl_3 = conv(c7, c7, **row)
        self.branch7x7dbl_4 = conv(c7, c7, **column)
        self.branch7x7dbl_5 = conv(c7, 192, **row)
        self.branch_pool = conv(in_channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return concat([self.branch1x1(x), seven, double, self.branch_pool(smooth(x))], axis=1)


class InceptionD(nn.Module):
    """The module that halves middle planes: 3x3, 7x7 in factors with 3x3, and max pooling, all of stride 2.

    x [N, in_channels, H, W], y [N, 512 + in_channels, (H - 1) // 2, (W - 1) // 2]

    Example:
        >>> ct.models.InceptionD(768)(ct.zeros((1, 768, 5, 5))).shape
        (1, 1280, 2, 2)
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3_1 = conv(in_channels, 192, 1)
        self.branch3x3_2 = conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = conv(in_channels, 192, 1)
        self.branch7x7x3_2 = conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = conv(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return concat([three, self.branch7x7x3_4(seven), max_pool2d(x, 3, stride=2)], axis=1)


class InceptionE(nn.Module):
    """The module for small planes: 3x3 kernels as 1x3 and 3x1 side by side, beside 1x1 and pooling.

    x [N, in_channels, H, W], y [N, 2048, H, W]

    Example:
        >>> ct.models.InceptionE(1280)(ct.zeros((1, 1280, 2, 2))).shape
        (1, 2048, 2, 2)
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        row: dict[str, Any] = dict(kernel_size=(1, 3), padding=(0, 1))
        column: dict[str, Any] = dict(kernel_size=(3, 1), padding=(1, 0))
        self.branch1x1 = conv(in_channels, 320, 1)
        self.branch3x3_1 = conv(in_channels, 384, 1)
        self.branch3x3_2a = conv(384, 384, **row)
        self.branch3x3_2b = conv(384, 384, **column)
        self.branch3x3dbl_1 = conv(in_channels, 448, 1)
        self.branch3x3dbl_2 = conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = conv(384, 384, **row)
        self.branch3x3dbl_3b = conv(384, 384, **column)
        self.branch_pool = conv(in_channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        threes = [self.branch3x3_2a(three), self.branch3x3_2b(three)]
        doubles = [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return concat([self.branch1x1(x), *threes, *doubles, self.branch_pool(smooth(x))], axis=1)


class InceptionAuxiliary(nn.Module):
    """The classifier in the middle of Inception v3: means over 5x5 places, 128 and 768 channels, num_classes scores.

    x [N, in_channels, 17, 17] (for images of 299x299; more will do), y [N, num_classes]

    Example:
        >>> ct.models.InceptionAuxiliary(768, 10)(ct.zeros((2, 768, 17, 17))).shape
        (2, 10)
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv0 = conv(in_channels, 128, 1)
        self.conv1 = conv(128, 768, 5)
        self.fc = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.conv0(avg_pool2d(x, 5, stride=3)))
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class InceptionOutputs(NamedTuple):
    """What `InceptionV3` gives in training: its scores and those of the auxiliary classifier, [N, num_classes] each.

    Example:
        >>> ct.models.InceptionOutputs(ct.zeros((2, 3)), ct.zeros((2, 3))).aux_logits.shape
        (2, 3)
    """

    logits: Tensor
    aux_logits: Tensor


class InceptionV3(nn.Module):
    """Inception v3, the slide's "Inception 7a": large kernels in factors, batch norm everywhere.

    x [N, in_channels, H, W] -> scores [N, num_classes]; in training, with `aux_logits`, `InceptionOutputs`: the scores
    and those of an auxiliary classifier (`auxiliary_cross_entropy`; torchvision's recipe weighs it 0.4). H and W are
    299 in the paper, 75 at least, 299 at least for the auxiliary classifier.

    27,161,264 parameters, 23,834,568 without the auxiliary classifier, by torchvision's names; 5.7 thousand million
    multiply-adds for an image of 299x299. `transform_input` expects images normalised by ImageNet's means and
    deviations and changes them to (pixel - 0.5) / 0.5.

    Weights start as He's N(0, 2 / fan-in), biases at 0; the paper gives none.
    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2015.

    Example:
        >>> net = ct.models.InceptionV3(num_classes=10, aux_logits=False)
        >>> net(ct.zeros((2, 3, 75, 75))).shape
        (2, 10)
    """

    AuxLogits: InceptionAuxiliary | None

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        dropout: float = 0.5,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        positive("InceptionV3", num_classes=num_classes, in_channels=in_channels)
        if transform_input and in_channels != 3:
            raise ValueError(
                f"[InceptionV3] transform_input got True, expected 3 in_channels with it, not {in_channels}"
            )
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.Conv2d_1a_3x3 = conv(in_channels, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = conv(32, 32, 3)
        self.Conv2d_2b_3x3 = conv(32, 64, 3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = conv(64, 80, 1)
        self.Conv2d_4a_3x3 = conv(80, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2)
        self.Mixed_5b = InceptionA(192, 32)
        self.Mixed_5c = InceptionA(256, 64)
        self.Mixed_5d = InceptionA(288, 64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, 128)
        self.Mixed_6c = InceptionC(768, 160)
        self.Mixed_6d = InceptionC(768, 160)
        self.Mixed_6e = InceptionC(768, 192)
        self.AuxLogits = InceptionAuxiliary(768, num_classes) if aux_logits else None
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionE(2048)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        self.apply(start)

    def forward(self, x: Tensor) -> Tensor | InceptionOutputs:
        if self.transform_input:
            x = to_inceptions_range(x)
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        middle = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(middle)))
        scores = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        if self.training and self.AuxLogits is not None:
            return InceptionOutputs(scores, self.AuxLogits(middle))
        return scores
