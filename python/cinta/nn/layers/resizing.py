"""Layers that change the size of images: upsampling, and channels laid out as pixels."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor
from cinta.nn.layers.arguments import positive
from cinta.nn.module import Module
from cinta.nn.resizing import interpolate, pixel_shuffle, pixel_unshuffle


class Upsample(Module):
    """Images or sequences in another size, as `nn.functional.interpolate` makes them.

    x [N, C, L] or [N, C, H, W], y [N, C, L'] or [N, C, H', W'], sizes = size, or floor(scale_factor x's size)

    `mode` is "nearest", "nearest-exact", "area", "linear" (L), "bilinear" or "bicubic" (H, W); with `align_corners` the
    outermost pixels keep their places; with `recompute_scale_factor` pixels lie as the ratio of sizes says.
    Errors: ValueError where not one of size and scale_factor is given, or the input has another rank than the mode.

    Example:
        >>> nn.Upsample(scale_factor=2, mode="bilinear")(ct.ones((8, 3, 32, 24))).shape
        (8, 3, 64, 48)
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        if (size is None) == (scale_factor is None):
            raise ValueError(
                f"[{type(self).__name__}] got size {size} and scale_factor {scale_factor}, expected one of them"
            )
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, x: Tensor) -> Tensor:
        return interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor)

    def extra_repr(self) -> str:
        text = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        text += f", mode={self.mode!r}"
        return text + (f", align_corners={self.align_corners}" if self.align_corners is not None else "")


class UpsamplingNearest2d(Upsample):
    """Images in another size whose pixels are those next to them.

    x [N, C, H, W], y [N, C, H', W']: y[n,c,i,j] = x[n,c, floor(i H / H'), floor(j W / W')]

    Example:
        >>> nn.UpsamplingNearest2d(scale_factor=2)(ct.tensor([[[[1.0, 2.0]]]])).tolist()
        [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Images in another size, interpolated between the four pixels around each place; corners keep theirs.

    x [N, C, H, W], y [N, C, H', W']: pixel (i, j) lies at i (H - 1) / (H' - 1), j (W - 1) / (W' - 1)

    Example:
        >>> nn.UpsamplingBilinear2d((1, 3))(ct.tensor([[[[1.0, 2.0]]]])).tolist()
        [[[[1.0, 1.5, 2.0]]]]
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


class PixelShuffle(Module):
    """Channels laid out as pixels, what a sub-pixel convolution ends with: r^2 of them become a square of r x r.

    y[n, c, h r + i, w r + j] = x[n, c r^2 + i r + j, h, w], r = upscale_factor
    x [..., C r^2, H, W], y [..., C, H r, W r]

    Errors: ValueError where r^2 does not divide the channels.
    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
    Neural Network", 2016.

    Example:
        >>> nn.PixelShuffle(3)(ct.ones((1, 9, 4, 4))).shape
        (1, 1, 12, 12)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        positive("PixelShuffle", upscale_factor=upscale_factor)
        self.upscale_factor = upscale_factor

    def forward(self, x: Tensor) -> Tensor:
        return pixel_shuffle(x, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Pixels laid out as channels, the inverse of `PixelShuffle`.

    y[n, c r^2 + i r + j, h, w] = x[n, c, h r + i, w r + j], r = downscale_factor
    x [..., C, H r, W r], y [..., C r^2, H, W]

    Errors: ValueError where r does not divide height and width.

    Example:
        >>> nn.PixelUnshuffle(3)(ct.ones((1, 1, 12, 12))).shape
        (1, 9, 4, 4)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        positive("PixelUnshuffle", downscale_factor=downscale_factor)
        self.downscale_factor = downscale_factor

    def forward(self, x: Tensor) -> Tensor:
        return pixel_unshuffle(x, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
