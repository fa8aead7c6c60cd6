"""Pages of pictures: what is said, and how it comes about."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

import numpy as np

from captioning.judge import judge
from captioning.scenes import Scene, paint
from captioning.system import System
from cinta.plot.style import BLUE, GREY, ORANGE, bare, new_figure


def draw_steps(
    system: System, pictures: np.ndarray, shown: list[np.ndarray], scenes: list[Scene] | None, path: Path
) -> None:
    """A row for every picture: where words were detected, the sentences generated, and their order afterwards.

    pictures: as the networks take them; shown: the same, finer; scenes: tell which sentences are true.
    """
    probabilities, places, lists = system.candidates(pictures)
    kinds = system.sentences.kind
    vocabulary, specials = system.sentences.vocabulary, system.model.specials
    figure = new_figure(15.5, 2.75 * len(shown) + 0.35)
    outer = figure.add_gridspec(len(shown), 3, width_ratios=(1.9, 2.7, 8.6))
    for row, picture in enumerate(shown):
        scene = scenes[row] if scenes else None
        axes = figure.add_subplot(outer[row, 0])
        bare(axes)
        axes.imshow(picture)
        axes.set_title("1. detect (probability)", fontsize=10, loc="left", color=GREY)
        content = [n for n in np.argsort(-probabilities[row]) if vocabulary.tokens[n + specials] in kinds]
        grid = outer[row, 1].subgridspec(2, 3, hspace=0.02, wspace=0.05)
        for place, n in enumerate(content[:6]):
            small_axes = figure.add_subplot(grid[place // 3, place % 3])
            bare(small_axes)
            small_axes.imshow(picture, extent=(0, 1, 1, 0))
            heat = places[row, n] / max(places[row, n].max(), 1e-6)
            small_axes.imshow(1 - heat, cmap="gray", alpha=0.15 + 0.6 * (1 - heat), extent=(0, 1, 1, 0),
                              interpolation="bilinear", vmin=0, vmax=1)  # fmt: skip
            word = vocabulary.tokens[n + specials]
            small_axes.set_title(f"{word} {probabilities[row, n]:.2f}", fontsize=8, pad=2)
        text = figure.add_subplot(outer[row, 2])
        text.set_axis_off()
        ordered = system.reranker.order(lists[row])
        columns = (
            (0.0, [(candidate.features[0], candidate.sentence) for candidate in lists[row][:7]]),
            (0.52, ordered[:7]),
        )
        for left, column in columns:
            for line, (score, sentence) in enumerate(column):
                true = scene is not None and judge(sentence, scene)[2]
                colour = BLUE if true else "0.45" if scene is not None else "0.15"
                text.text(left, 0.88 - 0.135 * line, f"{score:6.2f}  {sentence}", fontsize=8.5, color=colour,
                          weight="bold" if left and line == 0 else "normal", transform=text.transAxes)  # fmt: skip
        for left, title in ((0.0, "2. generate (log-probability)"), (0.52, "3. re-rank (score)")):
            text.text(left, 1.03, title, fontsize=10, color=GREY, transform=text.transAxes)
    if scenes:
        figure.suptitle("Sentences in blue are true of the picture", fontsize=11)
    figure.savefig(path)


def draw_page(scenes: list[Scene], before: list[str], after: list[str], path: Path) -> None:
    """Pictures with their captions; what would have been said without re-ranking, where that is another meaning."""
    columns, rows = 4, -(-len(scenes) // 4)
    figure = new_figure(3.3 * columns, 4.0 * rows + 0.5)
    for axes, scene, first, caption in zip(figure.subplots(rows, columns).flat, scenes, before, after):
        bare(axes)
        axes.imshow(paint(scene, 320))
        whole = judge(caption, scene)[2]
        axes.set_title(fill(f"{'✓' if whole else '✗'} {caption}", 36), fontsize=9.5, color=BLUE if whole else ORANGE,
                       loc="left")  # fmt: skip
        if not judge(first, scene)[2]:
            axes.set_xlabel(fill(f"before re-ranking: {first}", 44), fontsize=8, color=GREY)
    figure.suptitle("Combinations of colour, shape and relation that were never shown in training", fontsize=12)
    figure.savefig(path)
