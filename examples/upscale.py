"""Make photographs larger: train a super-resolution network on sample photographs, and compare it with bicubic.

    python examples/upscale.py                                   FSRCNN, three times as large
    python examples/upscale.py --model espcn --scale 2           or srcnn; 2, 3 or 4 times
    python examples/upscale.py --image photo.jpg --checkpoint runs/upscale/fsrcnn_x3.safetensors

Trains on photographs that come with scikit-image and scikit-learn and tests on four that it has not seen, as the
literature does: shrunk by an antialiased bicubic filter and rounded to bytes, luminance alone, without the border.
PSNR and SSIM in a table, the photographs side by side as a picture, and the checkpoint are left in the folder given
with --out. With --image it enlarges a photograph of yours, of any size, tile by tile.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import cinta as ct
from cinta import models, nn, optim

HELD_OUT = ("astronaut.png", "coffee.png", "rocket.jpg", "china.jpg")
TRAINING = ("chelsea.png", "flower.jpg", "motorcycle_left.png", "motorcycle_right.png", "camera.png", "coins.png",
            "brick.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
            "retina.jpg")  # fmt: skip
NETWORKS = {"srcnn": models.SRCNN, "espcn": models.ESPCN, "fsrcnn": models.FSRCNN}
LUMINANCE = np.array([65.481, 128.553, 24.966]) / 255  # of Y in YCbCr (ITU-R BT.601), as the literature measures it
TILE, REACH = 160, 12  # pixels of the small image at a time, and around them what the networks look at
console = Console()


class Photograph(NamedTuple):
    """Luminance in [0, 1]: [H, W], and shrunk, [H / scale, W / scale]."""

    name: str
    large: np.ndarray
    small: np.ndarray


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Y in [16, 235] / 255 of RGB bytes [H, W, 3]."""
    return ((16 + rgb @ LUMINANCE) / 255).astype(np.float32)


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bicubic, antialiased: what networks are measured against, and what shrinks their photographs."""
    return ct.resample(ct.tensor(image[None, None]), (height, width), "bicubic", antialias=True).numpy()[0, 0]


def load(name: str, scale: int) -> Photograph:
    import skimage
    import sklearn
    from PIL import Image

    folders = [Path(skimage.__file__).parent / "data", Path(sklearn.__file__).parent / "datasets" / "images"]
    path = next((folder / name for folder in folders if (folder / name).exists()), None)
    if path is None:
        raise FileNotFoundError(f"[upscale] {name} is in neither of {', '.join(map(str, folders))}: reinstall them")
    with Image.open(path) as image:
        large = luminance(np.asarray(image.convert("RGB"), np.float64))
    height, width = (n // scale for n in large.shape)
    large = np.ascontiguousarray(large[: height * scale, : width * scale])
    small = np.round(resized(large, height, width).clip(0, 1) * 255) / 255  # as a file would keep it
    return Photograph(name, large, small.astype(np.float32))


def draw_patches(photographs: list[Photograph], scale: int, args: argparse.Namespace, rng: np.random.Generator) -> Any:
    """Places drawn from all photographs, turned and mirrored: [B, 1, side, side] and [B, 1, side scale, side scale]."""
    side = args.patch
    share = np.sqrt([p.small.size for p in photographs])
    small: list[np.ndarray] = []
    large: list[np.ndarray] = []
    for k in rng.choice(len(photographs), args.batch_size, p=share / share.sum()):
        _, whole, shrunk = photographs[k]
        i, j = (rng.integers(n - side + 1) for n in shrunk.shape)
        pair = shrunk[i : i + side, j : j + side], whole[i * scale :, j * scale :][: side * scale, : side * scale]
        turns, mirror = int(rng.integers(4)), rng.integers(2)
        for patches, patch in zip((small, large), pair, strict=True):
            patches.append(np.rot90(patch[:, ::-1] if mirror else patch, turns)[None])
    return ct.tensor(np.stack(small)), ct.tensor(np.stack(large))


def train(model: nn.Module, photographs: list[Photograph], args: argparse.Namespace) -> None:
    """Adam on the mean squared error, which PSNR measures; the learning rate falls to 0 along a cosine."""
    rng, edge = np.random.default_rng(args.seed), args.scale
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)

    @ct.compile
    def step(small: ct.Tensor, large: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        error = (model(small) - large)[:, :, edge:-edge, edge:-edge]
        loss = (error * error).mean()
        loss.backward()
        optimizer.step()
        return loss

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[psnr]}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{args.model} x{args.scale}", total=args.steps, psnr="")
        mean = None
        for _ in range(args.steps):
            loss = step(*draw_patches(photographs, args.scale, args, rng)).item()
            scheduler.step()
            mean = loss if mean is None else 0.98 * mean + 0.02 * loss
            progress.update(task, advance=1, psnr=f"{-10 * math.log10(mean):.2f} dB")


def enlarged(model: nn.Module, small: np.ndarray, scale: int) -> np.ndarray:
    """The network's luminance [H scale, W scale], tile by tile: as in one piece, for images of any size."""
    height, width = small.shape
    result = np.empty((height * scale, width * scale), np.float32)
    model.eval()
    with ct.no_grad():
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                above, before = min(top, REACH), min(left, REACH)
                tile = small[top - above : top + TILE + REACH, left - before : left + TILE + REACH]
                y = model(ct.tensor(np.ascontiguousarray(tile)[None, None])).numpy()[0, 0]
                y = y[above * scale :, before * scale :][: TILE * scale, : TILE * scale]
                below, after = min(top + TILE, height) * scale, min(left + TILE, width) * scale
                result[top * scale : below, left * scale : after] = y[: below - top * scale, : after - left * scale]
    return result.clip(0, 1)


class Result(NamedTuple):
    photograph: Photograph
    bicubic: np.ndarray
    network: np.ndarray
    psnr: tuple[float, float]  # bicubic, network
    ssim: tuple[float, float]


def evaluate(model: nn.Module, photographs: list[Photograph], scale: int) -> list[Result]:
    results = []
    for photograph in photographs:
        images = resized(photograph.small, *photograph.large.shape).clip(0, 1), enlarged(model, photograph.small, scale)
        figures = []
        for kind in (ct.training.PeakSignalNoiseRatio, ct.training.StructuralSimilarity):
            pair = []
            for image in images:
                metric = kind(data_range=1.0, border=scale)
                metric.update(ct.tensor(image[None, None]), ct.tensor(photograph.large[None, None]))
                pair.append(metric.compute())
            figures.append((pair[0], pair[1]))
        results.append(Result(photograph, *images, *figures))
    return results


def report(results: list[Result], args: argparse.Namespace) -> float:
    """Prints the table; gives how many decibels the network gains on average."""
    table = Table("held-out photograph", title=f"{args.model.upper()}, {args.scale} times as large")
    for column in ("bicubic, dB", f"{args.model}, dB", "gain, dB", "bicubic, SSIM", f"{args.model}, SSIM"):
        table.add_column(column, justify="right")
    rows = {Path(r.photograph.name).stem: (*r.psnr, *r.ssim) for r in results}
    means = np.mean(list(rows.values()), axis=0)
    for name, (before, after, *ssim) in [*rows.items(), ("mean", means)]:
        if name == "mean":
            table.add_section()
        decibels = f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f}"
        table.add_row(name, *decibels, *(f"{value:.4f}" for value in ssim))
    console.print(table)
    return float(means[1] - means[0])


def detail(result: Result, side: int) -> tuple[int, int]:
    """Where the network gains most, in a square of this side."""
    before, after = ((image - result.photograph.large) ** 2 for image in (result.bicubic, result.network))
    gain = before - after
    step = side // 4
    places = [(i, j) for i in range(side // 2, gain.shape[0] - 3 * side // 2, step)
              for j in range(side // 2, gain.shape[1] - 3 * side // 2, step)]  # fmt: skip
    return max(places, key=lambda at: float(gain[at[0] : at[0] + side, at[1] : at[1] + side].sum()))


def picture(results: list[Result], args: argparse.Namespace, path: Path) -> None:
    """Each photograph with a detail of it: bicubic, the network, the original."""
    from matplotlib.patches import Rectangle

    from cinta.plot.style import BLUE, ORANGE, bare, new_figure

    side = 24 * args.scale
    figure = new_figure(12, 2.9 * len(results))
    grid = figure.subplots(len(results), 4, width_ratios=(1.45, 1, 1, 1), squeeze=False)
    for axes, result in zip(grid, results, strict=True):
        i, j = detail(result, side)
        axes[0].imshow(result.photograph.large, cmap="gray", vmin=0, vmax=1)
        axes[0].add_patch(Rectangle((j, i), side, side, fill=False, edgecolor=ORANGE, linewidth=2))
        axes[0].set_title(f"{Path(result.photograph.name).stem}, the original", fontsize=11)
        shown = [("bicubic", result.bicubic, result.psnr[0], result.ssim[0], "0.3"),
                 (args.model.upper(), result.network, result.psnr[1], result.ssim[1], BLUE),
                 ("original", result.photograph.large, None, None, ORANGE)]  # fmt: skip
        for ax, (name, image, psnr, ssim, colour) in zip(axes[1:], shown, strict=True):
            ax.imshow(image[i : i + side, j : j + side], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            figures = "" if psnr is None else f"   {psnr:.2f} dB, SSIM {ssim:.3f}"
            ax.set_title(name + figures, fontsize=11, color=colour)
        for ax in axes:
            bare(ax)
    figure.suptitle(
        f"Held-out photographs, shrunk {args.scale} times and enlarged again; figures are of the whole luminance",
        fontsize=13,
    )
    figure.savefig(path)


def build(args: argparse.Namespace) -> nn.Module:
    return NETWORKS[args.model](scale=args.scale, residual=True)


def upscale_file(args: argparse.Namespace) -> Path:
    """The user's image: luminance by the network, colour, to which eyes are less keen, by bicubic interpolation."""
    from PIL import Image

    kept = ct.load_metadata(args.checkpoint)
    args.model, args.scale = kept["model"], int(kept["scale"])
    model = build(args)
    model.load_state_dict(ct.load(args.checkpoint))
    with Image.open(args.image) as image:
        ycc = image.convert("RGB").convert("YCbCr")
    size = ycc.width * args.scale, ycc.height * args.scale
    y, *colour = ycc.split()
    studio = (16 + 219 * np.asarray(y, np.float32) / 255) / 255  # JPEG's Y fills a byte, BT.601's does not
    with console.status(f"{ycc.width} x {ycc.height} pixels become {size[0]} x {size[1]}"):
        y_large = (enlarged(model, studio, args.scale) * 255 - 16) * 255 / 219
    planes = [Image.fromarray(np.round(y_large).clip(0, 255).astype(np.uint8))]
    planes += [plane.resize(size, Image.Resampling.BICUBIC) for plane in colour]
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"{args.image.stem}_x{args.scale}.png"
    Image.merge("YCbCr", planes).convert("RGB").save(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=NETWORKS, default="fsrcnn")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), default=3, help="how many times as large")
    parser.add_argument("--steps", type=int, default=3000, help="of the optimizer")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--patch", type=int, default=24, help="side of the small patches, in pixels")
    parser.add_argument("--lr", type=float, default=2e-3, help="at the start; falls to 0 along a cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/upscale"), metavar="DIR")
    parser.add_argument("--image", type=Path, metavar="FILE", help="enlarge this, with --checkpoint")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="a network that was trained before")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    args = parser.parse_args()
    if (args.image is None) != (args.checkpoint is None):
        parser.error("--image and --checkpoint go together: train first, the checkpoint is in the folder of --out")
    if args.image:
        try:
            path = upscale_file(args)
        except (OSError, KeyError, ValueError) as error:
            parser.error(f"{args.image} by {args.checkpoint}: {error}")
        return console.print(f"enlarged {args.scale} times: {path}")
    if args.quick:
        args.steps = min(args.steps, 20)
    try:
        photographs = {name: load(name, args.scale) for name in (*TRAINING, *HELD_OUT)}
    except OSError as error:
        parser.error(str(error))

    ct.random.seed(args.seed)
    model = build(args)
    train(model, [photographs[name] for name in TRAINING], args)
    results = evaluate(model, [photographs[name] for name in HELD_OUT], args.scale)
    gain = report(results, args)
    console.print(f"{gain:+.2f} dB beside bicubic interpolation, on average of photographs it has not seen")
    args.out.mkdir(parents=True, exist_ok=True)
    name = f"{args.model}_x{args.scale}"
    ct.save(args.out / f"{name}.safetensors", model.state_dict(), {"model": args.model, "scale": str(args.scale)})
    picture(results, args, args.out / f"{name}.png")
    console.print(f"checkpoint and picture: {args.out}{os.sep}")


if __name__ == "__main__":
    main()
