"""What every augmentation is: a function of a batch, with draws from `ct.random`; and how several are joined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import cinta as ct
from cinta._core import Tensor
from cinta.augment.draws import checked_padding_mode, draw, probability
from cinta.augment.functional.geometry import affine, after
from cinta.augment.functional.images import opened


class Transform:
    """The base of augmentations of images: draws anew for every sample of a batch at every call.

    transform(images) gives images, transform(images, labels) or transform((images, labels)) both: so it is at once the
    `transform=` of a DataLoader. images: [N,C,H,W], floating or uint8, tensors or arrays; results are of the same kind.
    The draws come from `ct.random`: the same seed gives the same images for any number of threads, and in `ct.compile`.
    Gradients reach floating images. A subclass defines `apply(images)`.

    Example:
        >>> class Negative(augment.Transform):
        ...     def apply(self, images):
        ...         return 1.0 - images
        >>> images, labels = Negative()((ct.zeros((2, 1, 2, 2)), ct.tensor([3, 4])))
        >>> float(images.min()), labels.tolist()
        (1.0, [3, 4])
    """

    _watched: ClassVar[bool] = True  # ct.compile records anew where an attribute has changed

    def __call__(self, images: Any, labels: Any = None) -> Any:
        if isinstance(images, (tuple, list)):
            if not images or labels is not None:
                raise ValueError(f"[{self.name}] got a batch of {len(images)} fields, expected (images, labels, ...)")
            first = self.pair(images[0], images[1]) if len(images) > 1 else (self.apply(images[0]),)
            fields = [*first, *images[2:]]
            return type(images)(*fields) if hasattr(images, "_fields") else type(images)(fields)
        return self.apply(images) if labels is None else self.pair(images, labels)

    @property
    def name(self) -> str:
        return type(self).__name__

    def pair(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Images and labels after the transform; most leave labels alone."""
        return self.apply(images), labels

    def apply(self, images: Any) -> Any:
        """Images after the transform."""
        raise NotImplementedError(f"[{self.name}] has no apply(images), expected one that returns images")

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in vars(self).items() if not key.startswith("_"))
        return f"{self.name}({options})"


class Warp(Transform):
    """The base of transforms that move pixels: a subclass says where to, and one resampling takes them there."""

    interpolation: str
    padding_mode: str
    fill: float
    displaces = False  # whether its motion is more than matrices

    def sampling(self, interpolation: str, padding_mode: str, fill: float) -> None:
        if interpolation not in ("bilinear", "nearest"):
            raise ValueError(f"[{self.name}] interpolation got {interpolation!r}, expected 'bilinear' or 'nearest'")
        self.interpolation, self.fill = interpolation, fill
        self.padding_mode = checked_padding_mode(self.name, padding_mode)

    def motion(self, images: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Matrices [N,2,3] and displacement [N,2,H,W] of `functional.affine`, as drawn for these images."""
        raise NotImplementedError(f"[{self.name}] has no motion(images)")

    def apply(self, images: Any) -> Any:
        return moved(images, [self])


def moved(images: Any, warps: list[Warp]) -> Any:
    """One resampling for affine transforms in a row, of which the last may displace as well."""
    x, give = opened(warps[0].name, images)
    matrices: Tensor | None = None
    displacement: Tensor | None = None
    for warp in warps:
        linear, displacement = warp.motion(x)
        if linear is not None:
            matrices = linear if matrices is None else after(matrices, linear)
    if matrices is None:
        matrices = ct.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype="float64")
    first = warps[0]
    how: dict[str, Any] = dict(interpolation=first.interpolation, padding_mode=first.padding_mode, fill=first.fill)
    return give(affine(x, matrices, displacement=displacement, **how))


class Compose(Transform):
    """Transforms, or functions of images, one after the other.

    Neighbours that move pixels in the same way (interpolation, padding_mode, fill) are joined into one resampling, as
    far as an elastic distortion that ends it: less blur, less time, and nothing is lost beyond an edge on the way.

    Example:
        >>> change = augment.Compose([augment.RandomRotation(20), augment.RandomScale((0.9, 1.1)), augment.Cutout(6)])
        >>> change(ct.zeros((8, 1, 28, 28))).shape
        (8, 1, 28, 28)
    """

    def __init__(self, transforms: Iterable[Transform]) -> None:
        self.transforms = list(transforms)
        for t in self.transforms:
            if not callable(t):
                raise TypeError(f"[Compose] got a {type(t).__name__}, expected transforms")

    def _parts(self) -> list[list[Transform]]:
        """The transforms, those together that one resampling does."""
        parts: list[list[Transform]] = []
        for t in self.transforms:
            if parts and _joins(parts[-1][-1], t):
                parts[-1].append(t)
            else:
                parts.append([t])
        return parts

    def _through(self, images: Any, labels: Any) -> tuple[Any, Any]:
        for part in self._parts():
            warps = [t for t in part if isinstance(t, Warp)]
            if len(warps) == len(part):
                images = moved(images, warps)
            elif labels is None or not isinstance(part[0], Transform):
                images = part[0](images)
            else:
                images, labels = part[0](images, labels)
        return images, labels

    def pair(self, images: Any, labels: Any) -> tuple[Any, Any]:
        return self._through(images, labels)

    def apply(self, images: Any) -> Any:
        return self._through(images, None)[0]


def _joins(before: Transform, then: Transform) -> bool:
    """Whether one resampling does both: matrices can go on, and a displacement ends them."""
    if not (isinstance(before, Warp) and isinstance(then, Warp)) or before.displaces:
        return False
    return (before.interpolation, before.padding_mode, before.fill) == (
        then.interpolation,
        then.padding_mode,
        then.fill,
    )


class RandomApply(Transform):
    """Each sample transformed with probability p, else left as it is; the transform keeps the shape of images.

    Errors: ValueError for p outside [0, 1].

    Example:
        >>> some = augment.RandomApply(augment.GaussianNoise(1.0), p=0.5)
        >>> touched = (some(ct.zeros((1000, 1, 2, 2))).abs().sum((1, 2, 3)) > 0).numpy().mean()
        >>> bool(0.4 < touched < 0.6)
        True
    """

    def __init__(self, transform: Transform, p: float = 0.5) -> None:
        self.transform, self.p = transform, probability("RandomApply", p)

    def apply(self, images: Any) -> Any:
        x, give = opened(self.name, images)
        chosen = draw(x.shape[0], 1)[:, 0] < self.p
        y = self.transform(x)
        if y.shape != x.shape:
            raise ValueError(
                f"[RandomApply] {self.transform.name} made {y.shape} of {x.shape}, expected the same shape"
            )
        return give(ct.where(chosen.reshape(-1, 1, 1, 1), y, x))
