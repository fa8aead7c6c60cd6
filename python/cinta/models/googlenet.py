"""GoogLeNet: 22 layers with weights, of Inception modules, and two auxiliary classifiers (Szegedy et al., 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cinta import nn
from cinta._core import Tensor, concat, tensor
from cinta.nn.layers.arguments import positive

# Channels of the nine modules' branches: 1x1; 1x1 and 3x3; 1x1 and 5x5; 1x1 behind the pooling (table 1 of the paper).
MODULES = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


class BasicConv2d(nn.Module):
    """A convolution and ReLU, with batch norm between them or, with `batch_norm=False`, a bias.

    Takes the arguments of `nn.Conv2d`; names are `conv` and `bn`.

    Example:
        >>> ct.models.BasicConv2d(3, 8, kernel_size=3, padding=1)(ct.zeros((1, 3, 5, 5))).shape
        (1, 8, 5, 5)
    """

    bn: nn.BatchNorm2d | None

    def __init__(self, in_channels: int, out_channels: int, batch_norm: bool = True, **arguments: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=not batch_norm, **arguments)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001) if batch_norm else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return (x if self.bn is None else self.bn(x)).relu()


class Inception(nn.Module):
    """Four branches that look at the same input at several sizes, side by side: the module of GoogLeNet.

    y = concat(1x1(x), 3x3(1x1(x)), 5x5(1x1(x)), 1x1(max pool 3x3(x))) over channels
    x [N, in_channels, H, W], y [N, ch1x1 + ch3x3 + ch5x5 + pool_proj, H, W]

    The 1x1 convolutions before the others reduce channels, and with them the work. With `batch_norm` the third branch
    has a 3x3 kernel, as torchvision's; without it has the paper's 5x5 and every convolution a bias.

    Example:
        >>> ct.models.Inception(192, 64, 96, 128, 16, 32, 32)(ct.zeros((1, 192, 7, 7))).shape
        (1, 256, 7, 7)
    """

    def __init__(
        self,
        in_channels: int,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        third = 3 if batch_norm else 5
        self.branch1 = BasicConv2d(in_channels, ch1x1, batch_norm, kernel_size=1)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, ch3x3red, batch_norm, kernel_size=1),
            BasicConv2d(ch3x3red, ch3x3, batch_norm, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, ch5x5red, batch_norm, kernel_size=1),
            BasicConv2d(ch5x5red, ch5x5, batch_norm, kernel_size=third, padding=third // 2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), BasicConv2d(in_channels, pool_proj, batch_norm, kernel_size=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return concat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], axis=1)


class GoogLeNetAuxiliary(nn.Module):
    """The classifier in the middle of GoogLeNet: means over 4x4 places, 128 channels, 1024 units, num_classes scores.

    x [N, in_channels, H, W], y [N, num_classes]; the means are over windows of 5x5, stride 3, with `batch_norm=False`
    (x is 14x14 then), else adaptive.

    Example:
        >>> ct.models.GoogLeNetAuxiliary(512, 10)(ct.zeros((2, 512, 14, 14))).shape
        (2, 10)
    """

    def __init__(self, in_channels: int, num_classes: int, dropout: float = 0.7, batch_norm: bool = True) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4) if batch_norm else nn.AvgPool2d(5, stride=3)
        self.conv = BasicConv2d(in_channels, 128, batch_norm, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.pool(x)).flatten(1)
        return self.fc2(self.dropout(self.fc1(x).relu()))


class GoogLeNetOutputs(NamedTuple):
    """What `GoogLeNet` gives in training: its scores, those of the later auxiliary classifier and of the earlier one.

    Each is [N, num_classes].

    Example:
        >>> scores = ct.zeros((2, 3))
        >>> ct.models.GoogLeNetOutputs(scores, scores, scores).aux_logits1.shape
        (2, 3)
    """

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


def auxiliary_cross_entropy(outputs: Tensor | Sequence[Tensor], target: Tensor, weight: float = 0.3) -> Tensor:
    """Cross-entropy of a network with auxiliary classifiers: the main one's plus `weight` times each other's.

    loss = ce(outputs[0], target) + weight sum_k ce(outputs[k], target), k >= 1; outputs [N, C] each, target [N]

    Takes plain scores as well, which have no auxiliary part. The paper's weight is 0.3.
    Source: Szegedy et al., "Going Deeper with Convolutions", 2014, section 5.

    Example:
        >>> scores, labels = ct.zeros((4, 10)), ct.tensor([1, 2, 3, 4])
        >>> round(ct.models.auxiliary_cross_entropy((scores, scores, scores), labels).item(), 4)  # 1.6 log 10
        3.6841
    """
    loss_of = nn.functional.cross_entropy
    if isinstance(outputs, Tensor):
        return loss_of(outputs, target)
    main, *others = outputs
    loss = loss_of(main, target)
    for scores in others:
        loss = loss + weight * loss_of(scores, target)
    return loss


def to_inceptions_range(x: Tensor) -> Tensor:
    """Images normalised by ImageNet's means and deviations, as the published Inception weights expect them:
    (pixel - 0.5) / 0.5."""
    scale = [deviation / 0.5 for deviation in (0.229, 0.224, 0.225)]
    shift = [(mean - 0.5) / 0.5 for mean in (0.485, 0.456, 0.406)]
    per_channel = [tensor(values, dtype=x.dtype).reshape(3, 1, 1) for values in (scale, shift)]
    return x * per_channel[0] + per_channel[1]


class GoogLeNet(nn.Module):
    """GoogLeNet, the slide's "Inception 5": 22 layers with weights.

    x [N, in_channels, H, W] -> scores [N, num_classes]; in training, with `aux_logits`, `GoogLeNetOutputs`: the
    scores and those of two auxiliary classifiers in the middle (behind modules 4a and 4d), whose losses count 0.3 times
    (`auxiliary_cross_entropy`). H and W are 224 in the paper.

    With `original=False`, torchvision's form: batch norm, 3x3 kernels in the place of 5x5, torchvision's names of
    parameters; 13,004,888 parameters, 6,624,904 without auxiliary classifiers. `transform_input` expects images
    normalised by ImageNet's means and deviations and changes them to (pixel - 0.5) / 0.5.
    With `original=True`, the paper's: biases, 5x5 kernels, local response normalisation in the first layers; 13,378,280
    parameters, 6,998,552 without auxiliary classifiers. 1.6 thousand million multiply-adds for an image of 224x224.

    Weights start as He's N(0, 2 / fan-in), biases at 0; the paper gives none.
    Source: Szegedy et al., "Going Deeper with Convolutions", 2014; batch norm: Ioffe and Szegedy, 2015.

    Example:
        >>> net = ct.models.GoogLeNet(num_classes=10, aux_logits=False)
        >>> net(ct.zeros((2, 3, 64, 64))).shape
        (2, 10)
    """

    aux1: GoogLeNetAuxiliary | None
    aux2: GoogLeNetAuxiliary | None

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        dropout: float | None = None,
        dropout_aux: float = 0.7,
        original: bool = False,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        positive("GoogLeNet", num_classes=num_classes, in_channels=in_channels)
        if transform_input and in_channels != 3:
            raise ValueError(f"[GoogLeNet] transform_input got True, expected 3 in_channels with it, not {in_channels}")
        norm = not original
        self.aux_logits, self.transform_input, self.original = aux_logits, transform_input, original
        self.conv1 = BasicConv2d(in_channels, 64, norm, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, norm, kernel_size=1)
        self.conv3 = BasicConv2d(64, 192, norm, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        for name, channels in MODULES.items():
            if name == "4a":
                self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
            elif name == "5a":
                self.maxpool4 = nn.MaxPool2d(3 if original else 2, stride=2, ceil_mode=True)
            self.add_module(f"inception{name}", Inception(*channels, batch_norm=norm))
        self.aux1 = GoogLeNetAuxiliary(512, num_classes, dropout_aux, norm) if aux_logits else None
        self.aux2 = GoogLeNetAuxiliary(528, num_classes, dropout_aux, norm) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        share = (0.4 if original else 0.2) if dropout is None else dropout
        self.dropout = nn.Dropout(share)
        self.fc = nn.Linear(1024, num_classes)
        self.norm1 = nn.LocalResponseNorm(5) if original else nn.Identity()
        self.norm2 = nn.LocalResponseNorm(5) if original else nn.Identity()
        self.apply(start)

    inception3a: Inception
    inception3b: Inception
    inception4a: Inception
    inception4b: Inception
    inception4c: Inception
    inception4d: Inception
    inception4e: Inception
    inception5a: Inception
    inception5b: Inception

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        if self.transform_input:
            x = to_inceptions_range(x)
        x = self.norm1(self.maxpool1(self.conv1(x)))
        x = self.maxpool2(self.norm2(self.conv3(self.conv2(x))))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        early = self.inception4a(x)
        late = self.inception4d(self.inception4c(self.inception4b(early)))
        x = self.maxpool4(self.inception4e(late))
        x = self.inception5b(self.inception5a(x))
        scores = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return GoogLeNetOutputs(scores, self.aux2(late), self.aux1(early))
        return scores


def start(module: nn.Module) -> None:
    """Draws the first weights of one layer."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
