"""Captions for pictures in three steps, as on the lecture's slide: detect words, generate sentences, re-rank them.

    python examples/caption.py                    trains on pictures that it draws itself; under three minutes
    python examples/caption.py --image FILE       captions a picture of your own (coloured shapes on a light ground)

1. Detect: a convnet gives each of 12x12 regions a probability for every word; the picture shows a word unless no region
   does (noisy-or: p_w = 1 - prod_r (1 - p_wr)), so that captions alone, without boxes, teach where words are.
2. Generate: an LSTM that knows the words detected and those not said yet, but not the picture, writes many sentences by
   beam search. "red", "blue", "circle", "square": it cannot know which is which.
3. Re-rank: a joint embedding of picture and sentence says how well they fit; a linear score weighs that against
   probability, length and words covered, as learnt from lists of sentences for other pictures.

One in four combinations of colour, shape and relation is never shown in training, and one in fifteen of colour, shape
and number: purple stars are, and things to the right of others, but no purple star to the right of anything. Captions
are checked by a parser that knows nothing of the networks. Leaves checkpoint.safetensors, captions.png and steps.png in
the folder given with --out.

Source: Fang et al., "From Captions to Visual Concepts and Back", 2015.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

import cinta as ct
from captioning.judge import judge
from captioning.networks import Batches, train
from captioning.pages import draw_page, draw_steps
from captioning.ranking import FEATURES
from captioning.scenes import SIDE, Scene, draw_scene, paint, pixels
from captioning.system import System
from cinta.text import Vocabulary

console = Console()


class Result(NamedTuple):
    """Of one set of scenes, by the first sentence of each list: shares, and BLEU against all that may be said."""

    whole: float
    facts: float
    bleu: float


def rate(captions: list[str], scenes: list[Scene]) -> Result:
    import sacrebleu

    verdicts = [judge(caption, scene) for caption, scene in zip(captions, scenes)]
    most = max(len(scene.captions) for scene in scenes)
    references = [[scene.captions[k % len(scene.captions)] for scene in scenes] for k in range(most)]
    bleu = sacrebleu.corpus_bleu(captions, references, tokenize="none").score
    right, stated = (sum(verdict[i] for verdict in verdicts) for i in (0, 1))
    return Result(float(np.mean([verdict[2] for verdict in verdicts])), right / stated, bleu)


def own_picture(path: Path) -> Image.Image:
    """An image as the network expects it: square, on white where it is transparent, its border's colour around it."""
    with Image.open(path) as opened:
        image = opened.convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    square = Image.new("RGB", (max(image.size),) * 2, image.getpixel((0, 0)))
    square.paste(image, ((square.width - image.width) // 2, (square.height - image.height) // 2))
    return square


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, metavar="FILE", help="caption this with a trained checkpoint")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="for --image; the one in --out unless given")
    parser.add_argument("--scenes", type=int, default=20_000, help="pictures to train on")
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-3, help="at its highest; rises and falls in one cycle")
    parser.add_argument("--beam", type=int, default=48, help="sentences generated for a picture")
    parser.add_argument("--tests", type=int, default=400, help="pictures of each kind to be captioned afterwards")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/caption"), metavar="DIR")
    return parser


def caption_own(args: argparse.Namespace) -> None:
    system = System.load(args.checkpoint or args.out / "checkpoint.safetensors", args.beam)
    image = own_picture(args.image)
    small = pixels([np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS))])
    probabilities, _, (candidates,) = system.candidates(small)
    words = [system.sentences.vocabulary.tokens[n + system.model.specials] for n in np.argsort(-probabilities[0])]
    console.print("detected: " + ", ".join(f"{w} {p:.2f}" for w, p in zip(words, sorted(probabilities[0])[::-1])
                                           if p > 0.5 and w in system.sentences.kind))  # fmt: skip
    for score, sentence in system.reranker.order(candidates)[:5]:
        console.print(f"{score:7.2f}  {sentence}")
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"{args.image.stem}_steps.png"
    draw_steps(system, small, [np.asarray(image.resize((320, 320), Image.Resampling.LANCZOS))], None, path)
    console.print(f"picture: {path}")


def main() -> None:
    arguments = parser()
    args = arguments.parse_args()
    if min(args.scenes, args.steps, args.batch_size, args.beam, args.tests) < 1:
        arguments.error("--scenes, --steps, --batch-size, --beam and --tests: expected at least 1")
    if args.image:
        try:
            return caption_own(args)
        except (OSError, ValueError) as error:
            arguments.error(str(error))
    args.out.mkdir(parents=True, exist_ok=True)
    ct.random.seed(args.seed)
    rng = np.random.default_rng(args.seed)
    scenes = [draw_scene(rng, unseen=False) for _ in range(args.scenes)]
    vocabulary = Vocabulary.build(word for scene in scenes for caption in scene.captions for word in caption.split())
    longest = max(len(caption.split()) for scene in scenes for caption in scene.captions)
    system = System(vocabulary, longest, args.beam)
    total = sum(parameter.size for parameter in system.model.parameters())
    console.print(f"{len(scenes):,} pictures, {len(vocabulary) - system.model.specials} words, {total:,} parameters")
    train(system.model, Batches(scenes, system.sentences, rng), args, console)

    tuning, seen = ([draw_scene(rng, unseen=False) for _ in range(args.tests)] for _ in range(2))
    unseen = [draw_scene(rng, unseen=True) for _ in range(args.tests)]
    *_, lists = system.candidates(pixels([paint(scene) for scene in tuning]))
    system.reranker.learn(lists, tuning)
    system.save(args.out / "checkpoint.safetensors")
    weights = zip(FEATURES, system.reranker.weight.tolist())
    console.print("re-ranking weighs: " + ", ".join(f"{name} {weight:+.2f}" for name, weight in weights))

    table = Table("pictures", "sentence", "whole and true", "facts right", "BLEU", title=f"{args.tests} of each kind")
    for column in table.columns[2:]:
        column.justify = "right"
    firsts: dict[str, tuple[list[str], list[str]]] = {}
    for kind, some in (("combinations seen", seen), ("held-out combinations", unseen)):
        *_, lists = system.candidates(pixels([paint(scene) for scene in some]))
        before = [candidates[0].sentence for candidates in lists]
        after = [system.reranker.order(candidates)[0][1] for candidates in lists]
        firsts[kind] = before, after
        for what, captions in (("likeliest", before), ("re-ranked", after)):
            result = rate(captions, some)
            table.add_row(kind, what, f"{result.whole:.1%}", f"{result.facts:.1%}", f"{result.bleu:.1f}")
        best = np.mean([any(judge(c.sentence, scene)[2] for c in row) for row, scene in zip(lists, some)])
        table.add_row(kind, "best of the list", f"{best:.1%}", "", "", end_section=True)
    console.print(table)
    before, after = firsts["held-out combinations"]
    draw_page(unseen[:12], before, after, args.out / "captions.png")
    turned = [i for i in range(len(unseen)) if judge(after[i], unseen[i])[2] and not judge(before[i], unseen[i])[2]]
    chosen = [unseen[i] for i in (turned + list(range(len(unseen))))[:4]]
    small, large = pixels([paint(scene) for scene in chosen]), [paint(scene, 320) for scene in chosen]
    draw_steps(system, small, large, chosen, args.out / "steps.png")
    console.print(f"checkpoint, captions.png and steps.png: {args.out}{os.sep}")


if __name__ == "__main__":
    main()
