"""Random affine maps: turned, shifted, scaled and sheared images, in one resampling."""

from __future__ import annotations

from typing import Any

import numpy as np

from cinta._core import Tensor
from cinta.augment.draws import between, draw, interval
from cinta.augment.functional.geometry import affine_matrix
from cinta.augment.transform import Warp

Interval = tuple[float, float]


class RandomAffine(Warp):
    """Images turned, shifted, scaled and sheared about their middle, with draws for every sample, in one resampling.

    A pixel at q goes to T R S K (q - c) + c: sheared, scaled and turned about the centre c, then shifted.

    degrees: of the turn, clockwise: a pair, or d for (-d, d). translate: at most this part of the width, and of the
    height. scale: (low, high), above 1 enlarges. shear: degrees along x as a pair or d for (-d, d); four numbers for
    x and y. interpolation: "bilinear" or "nearest". padding_mode: "constant" (fill), "edge", "reflect" or "symmetric".
    Unlike torchvision, shifts are not rounded to pixels, and sampling is bilinear by default.
    Errors: ValueError for values out of range. Source: torchvision's RandomAffine.

    Example:
        >>> move = augment.RandomAffine(degrees=15, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=10)
        >>> move(ct.zeros((64, 1, 28, 28))).shape
        (64, 1, 28, 28)
    """

    def __init__(
        self,
        degrees: Any,
        translate: tuple[float, float] | None = None,
        scale: tuple[float, float] | None = None,
        shear: Any = None,
        interpolation: str = "bilinear",
        fill: float = 0.0,
        padding_mode: str = "constant",
    ) -> None:
        self.degrees = interval(self.name, "degrees", degrees, around=True)
        self.translate = self._parts(translate)
        self.scale = (1.0, 1.0) if scale is None else interval(self.name, "scale", scale)
        if self.scale[0] <= 0:
            raise ValueError(f"[{self.name}] scale got {scale}, expected numbers above 0")
        self.shear = self._shears(shear)
        self.sampling(interpolation, padding_mode, fill)

    def _parts(self, translate: Any) -> tuple[float, float]:
        parts = (0.0, 0.0) if translate is None else tuple(float(t) for t in translate)
        if len(parts) != 2 or not all(0 <= t <= 1 for t in parts):
            raise ValueError(f"[{self.name}] translate got {translate}, expected two parts of the size, 0 to 1")
        return parts[0], parts[1]

    def _shears(self, shear: Any) -> tuple[Interval, Interval]:
        if shear is None:
            return (0.0, 0.0), (0.0, 0.0)
        both = [shear[:2], shear[2:]] if np.size(shear) == 4 else [shear, (0.0, 0.0)]
        along_x, along_y = (interval(self.name, "shear", s, around=True) for s in both)
        if max(map(abs, (*along_x, *along_y))) >= 90:
            raise ValueError(f"[{self.name}] shear got {shear}, expected less than 90 degrees")
        return along_x, along_y

    def motion(self, images: Tensor) -> tuple[Tensor | None, Tensor | None]:
        samples, _, height, width = images.shape
        u = draw(samples, 6)
        right, down = (between((-part, part), u[:, k]) for k, part in ((1, self.translate[0]), (2, self.translate[1])))
        matrices = affine_matrix(
            angle=between(self.degrees, u[:, 0]),
            translate=(right * width, down * height),
            scale=between(self.scale, u[:, 3]),
            shear=(between(self.shear[0], u[:, 4]), between(self.shear[1], u[:, 5])),
            size=(height, width),
        )
        return matrices, None


class RandomRotation(RandomAffine):
    """Images turned about their middle by an angle drawn for every sample.

    degrees: clockwise, a pair, or d for (-d, d). The rest and errors: as `RandomAffine`.

    Example:
        >>> augment.RandomRotation((90, 90))(ct.arange(4.0).reshape(1, 1, 2, 2)).numpy().round(4).tolist()
        [[[[2.0, 0.0], [3.0, 1.0]]]]
    """

    def __init__(
        self, degrees: Any, interpolation: str = "bilinear", fill: float = 0.0, padding_mode: str = "constant"
    ) -> None:
        super().__init__(degrees, None, None, None, interpolation, fill, padding_mode)


class RandomTranslate(RandomAffine):
    """Images shifted by distances drawn for every sample.

    translate: at most this part of width and height, one number or (x, y). The rest and errors: as `RandomAffine`.

    Example:
        >>> augment.RandomTranslate(0.1)(ct.ones((2, 1, 28, 28))).shape
        (2, 1, 28, 28)
    """

    def __init__(
        self, translate: Any, interpolation: str = "bilinear", fill: float = 0.0, padding_mode: str = "constant"
    ) -> None:
        both = translate if np.ndim(translate) else (translate, translate)
        super().__init__(0.0, both, None, None, interpolation, fill, padding_mode)


class RandomScale(RandomAffine):
    """Images enlarged about their middle by a factor drawn for every sample.

    scale: (low, high), below 1 makes smaller. The rest and errors: as `RandomAffine`.

    Example:
        >>> augment.RandomScale((2.0, 2.0), interpolation="nearest")(ct.eye(4).reshape(1, 1, 4, 4))[0, 0, 0].tolist()
        [1.0, 1.0, 0.0, 0.0]
    """

    def __init__(
        self,
        scale: tuple[float, float],
        interpolation: str = "bilinear",
        fill: float = 0.0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__(0.0, None, scale, None, interpolation, fill, padding_mode)


class RandomShear(RandomAffine):
    """Images sheared about their middle by angles drawn for every sample.

    shear: degrees along x as a pair or d for (-d, d); four numbers for x and y. The rest and errors: as `RandomAffine`.

    Example:
        >>> augment.RandomShear(20)(ct.ones((2, 1, 28, 28))).shape
        (2, 1, 28, 28)
    """

    def __init__(
        self, shear: Any, interpolation: str = "bilinear", fill: float = 0.0, padding_mode: str = "constant"
    ) -> None:
        super().__init__(0.0, None, None, shear, interpolation, fill, padding_mode)
