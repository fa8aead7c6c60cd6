"""Networks that make images larger: SRCNN, ESPCN and FSRCNN."""

from __future__ import annotations

from cinta import nn
from cinta._core import Tensor
from cinta.nn import functional
from cinta.nn.layers.arguments import positive

__all__ = ["ESPCN", "FSRCNN", "SRCNN"]


def _enlarged(x: Tensor, scale: int) -> Tensor:
    """Bicubic interpolation, which the networks improve on."""
    return functional.interpolate(x, scale_factor=scale, mode="bicubic", antialias=True)


def _zero_bias(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


def _he(*layers: nn.Conv2d) -> None:
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        _zero_bias(layer)


def _quiet(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Almost nothing at first, as in both papers of Dong et al.: with `residual` training begins at bicubic."""
    nn.init.normal_(layer.weight, 0.0, 0.001)
    _zero_bias(layer)


class SRCNN(nn.Module):
    """The first convolutional network that upscales: it sharpens what bicubic interpolation has enlarged.

    x -> [scale x bicubic] -> conv 9x9, 64 -> ReLU -> conv k x k, 32 -> ReLU -> conv 5x5, y
    x [N, channels, H, W], y [N, channels, H scale, W scale]; without `scale` x is enlarged already and y as large

    Weights and biases, one channel: kernel_sizes (9, 1, 5), the paper's "9-1-5", 8,032 + 97; (9, 5, 5) 57,184 + 97.

    Args:
        scale: how much to enlarge first; None: the input is enlarged.
        kernel_sizes: of the three layers: patch extraction, non-linear mapping, reconstruction.
        features: n_1 and n_2, of the first two layers.
        channels: 1 for luminance, as in the paper, or 3.
        residual: adds the enlarged image to what the layers give (Kim et al., 2016): training begins where bicubic
            interpolation ends.

    Errors: ValueError for sizes below 1 or even kernels.
    Source: Dong, Loy, He and Tang, "Learning a Deep Convolutional Network for Image Super-Resolution", 2014.

    Example:
        >>> ct.models.SRCNN(scale=3)(ct.zeros((2, 1, 20, 16))).shape
        (2, 1, 60, 48)
    """

    def __init__(
        self,
        scale: int | None = None,
        kernel_sizes: tuple[int, int, int] = (9, 1, 5),
        features: tuple[int, int] = (64, 32),
        channels: int = 1,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if scale is not None:
            positive("SRCNN", scale=scale)
        if len(kernel_sizes) != 3 or any(size < 1 or size % 2 == 0 for size in kernel_sizes):
            raise ValueError(f"[SRCNN] kernel_sizes got {kernel_sizes}, expected three odd numbers")
        self.scale, self.residual = scale, residual
        first, second, third = kernel_sizes
        self.conv1 = nn.Conv2d(channels, features[0], first, padding=first // 2)
        self.conv2 = nn.Conv2d(features[0], features[1], second, padding=second // 2)
        self.conv3 = nn.Conv2d(features[1], channels, third, padding=third // 2)
        _he(self.conv1, self.conv2)
        _quiet(self.conv3)

    def forward(self, x: Tensor) -> Tensor:
        if self.scale is not None:
            x = _enlarged(x, self.scale)
        y = functional.relu(self.conv1(x))
        y = self.conv3(functional.relu(self.conv2(y)))
        return y + x if self.residual else y


class ESPCN(nn.Module):
    """Sub-pixel convolution: all layers work on the small image, the last gives r^2 pixels for each of its pixels.

    x -> conv 5x5, 64 -> tanh -> conv 3x3, 32 -> tanh -> conv 3x3, r^2 -> pixel shuffle, y
    x [N, channels, H, W], y [N, channels, H r, W r], r = scale

    22,729 parameters for scale 3 and one channel.

    Args:
        scale: r, how much larger the image becomes.
        channels: 1 for luminance, as in the paper, or 3.
        features: n_1 and n_2, of the first two layers.
        residual: adds bicubic interpolation to what the layers give (Kim et al., 2016).

    Errors: ValueError for sizes below 1.
    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
    Neural Network", 2016.

    Example:
        >>> ct.models.ESPCN(scale=3)(ct.zeros((2, 1, 20, 16))).shape
        (2, 1, 60, 48)
    """

    def __init__(
        self, scale: int = 3, channels: int = 1, features: tuple[int, int] = (64, 32), residual: bool = False
    ) -> None:
        super().__init__()
        positive("ESPCN", scale=scale)
        self.scale, self.residual = scale, residual
        self.conv1 = nn.Conv2d(channels, features[0], 5, padding=2)
        self.conv2 = nn.Conv2d(features[0], features[1], 3, padding=1)
        self.conv3 = nn.Conv2d(features[1], channels * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.tanh(self.conv1(x))
        y = self.shuffle(self.conv3(functional.tanh(self.conv2(y))))
        return y + _enlarged(x, self.scale) if self.residual else y


class FSRCNN(nn.Module):
    """SRCNN made fast: narrow layers on the small image, and a transposed convolution that enlarges at the end.

    x -> conv 5x5, d -> conv 1x1, s -> m times conv 3x3, s -> conv 1x1, d -> transposed conv 9x9 of stride r, y
    x [N, channels, H, W], y [N, channels, H r, W r], r = scale; a PReLU follows each convolution

    FSRCNN(56, 12, 4) has 12,464 weights whatever the scale, 12,809 with biases and slopes; FSRCNN-s is (32, 5, 1).

    Args:
        scale: r, how much larger the image becomes.
        channels: 1 for luminance, as in the paper, or 3.
        d: features of the image.
        s: to which the middle shrinks.
        m: layers in the middle.
        residual: adds bicubic interpolation to what the layers give (Kim et al., 2016).

    Errors: ValueError for sizes below 1.
    Source: Dong, Loy and Tang, "Accelerating the Super-Resolution Convolutional Neural Network", 2016.

    Example:
        >>> ct.models.FSRCNN(scale=3)(ct.zeros((2, 1, 20, 16))).shape
        (2, 1, 60, 48)
    """

    def __init__(
        self, scale: int = 3, channels: int = 1, d: int = 56, s: int = 12, m: int = 4, residual: bool = False
    ) -> None:
        super().__init__()
        positive("FSRCNN", scale=scale, d=d, s=s, m=m)
        self.scale, self.residual = scale, residual
        self.extract = nn.Sequential(nn.Conv2d(channels, d, 5, padding=2), nn.PReLU(d))
        self.shrink = nn.Sequential(nn.Conv2d(d, s, 1), nn.PReLU(s))
        middle: list[nn.Module] = []
        for _ in range(m):
            middle += [nn.Conv2d(s, s, 3, padding=1), nn.PReLU(s)]
        self.map = nn.Sequential(*middle)
        self.expand = nn.Sequential(nn.Conv2d(s, d, 1), nn.PReLU(d))
        extra = (scale - 1) % 2  # (H - 1) r - 2 padding + 9 + extra = H r
        self.enlarge = nn.ConvTranspose2d(
            d, channels, 9, stride=scale, padding=(9 - scale + extra) // 2, output_padding=extra
        )
        _he(*(module for module in self.modules() if isinstance(module, nn.Conv2d)))
        _quiet(self.enlarge)

    def forward(self, x: Tensor) -> Tensor:
        y = self.enlarge(self.expand(self.map(self.shrink(self.extract(x)))))
        return y + _enlarged(x, self.scale) if self.residual else y
