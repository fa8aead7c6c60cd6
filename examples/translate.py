"""An LSTM reads a whole phrase in English, then writes it in German or French, piece by piece, until <EOS>.

    python examples/translate.py                      numbers in words: amounts, ordinals, years and dates
    python examples/translate.py --corpus django      the message catalogues of an installed Django
    python examples/translate.py --pairs FILE.tsv     sentence pairs of one's own, as Tatoeba gives them out
    python examples/translate.py --translate "the third of May nineteen eighty-four"      by a trained checkpoint
    python examples/translate.py --resume runs/translate/checkpoint.safetensors --epochs 8

One network writes both languages: the first token that it reads says which. Words fall into frequent pieces (byte-pair
encoding), as "einundzwanzig" is one word and there is no end of such; attention says which piece was looked at for each
that is written. One number in ten is held out: neither it, in any form, nor a longer number with it in its written form
(345 in 345,017 and in 12,345) is ever trained on. Every run leaves a checkpoint, the curves of the losses and pictures
of the attention in the folder given with --out.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sacrebleu
from rich.console import Console
from rich.table import Column, Table

import cinta as ct
from cinta import models, nn, optim, plot
from cinta.data import DataLoader, pad_collate
from cinta.text import SPECIALS, Phrase, TextCodec, numbers_in_words, read_pairs, read_po

PAD = SPECIALS.index("<pad>")
LONGEST = 80  # pieces of a phrase; longer ones are left out
SETTINGS: dict[str, dict[str, Any]] = {  # by corpus
    "pieces": {"numbers": 160, "django": 800, "pairs": 4000},
    "dropout": {"numbers": 0.0, "django": 0.3, "pairs": 0.2},
    "epochs": {"numbers": 4, "django": 60, "pairs": 12},
    "batch_size": {"numbers": 64, "django": 32, "pairs": 64},
}
console = Console()


class Corpus(NamedTuple):
    train: list[Phrase]
    held_out: list[Phrase]


def django(languages: list[str]) -> Corpus:
    """All messages that an installed Django has in these languages."""
    spec = importlib.util.find_spec("django")
    if spec is None or spec.origin is None:
        raise ValueError("--corpus django got no Django, expected it to be installed: pip install django")
    phrases, folder = [], Path(spec.origin).parent
    for language in languages:
        paths = sorted(folder.rglob(f"locale/{language}/LC_MESSAGES/*.po"))
        entries = [entry for path in paths for entry in read_po(path)]
        if not entries:
            raise ValueError(f"--to got {language!r}, expected one of the folders in {folder / 'conf' / 'locale'}")
        phrases += [Phrase(language, *pair, "message") for entry in entries for pair in entry.pairs()]
    return split(phrases)


def split(phrases: list[Phrase]) -> Corpus:
    """Each phrase once; one source text in twenty is held out with all its translations."""
    corpus = Corpus([], [])
    for phrase in dict.fromkeys(phrases):
        corpus[zlib.crc32(phrase.source.encode()) % 20 == 0].append(phrase)
    if not all(corpus):
        raise ValueError(f"got {len(phrases)} phrases, expected enough to train on and to hold some out")
    return corpus


class Translator(nn.Module):
    """The network and its codecs of what is read and what is written; gives the scores of every next piece."""

    def __init__(self, read: TextCodec, written: TextCodec, sizes: dict[str, Any]) -> None:
        super().__init__()
        self.read, self.written, self.sizes = read, written, sizes
        self.languages = [special[1:-1] for special in read.vocabulary.specials[len(SPECIALS) :]]
        self.net = models.Seq2Seq(len(read), len(written), padding_idx=PAD, **sizes)

    @classmethod
    def made_for(cls, phrases: list[Phrase], languages: list[str], pieces: int, sizes: dict[str, Any]) -> Translator:
        texts, specials = phrases[:20_000], (*SPECIALS, *(f"<{language}>" for language in languages))
        read = TextCodec.train([phrase.source for phrase in texts], pieces, specials)
        return cls(read, TextCodec.train([phrase.target for phrase in texts], pieces), sizes)

    @classmethod
    def restored(cls, path: Path) -> Translator:
        read, written = TextCodec(), TextCodec()
        found = ct.load_checkpoint(path, random=False, read=read, written=written)
        translator = cls(read, written, found["sizes"])
        translator.load_state_dict(found["model"])
        return translator

    def forward(self, batch: Any) -> ct.Tensor:
        source, lengths, target, target_lengths = batch
        return self.net(source, target, lengths=lengths, target_lengths=target_lengths)

    def source(self, phrase: Phrase) -> np.ndarray:
        """The language, then what is read."""
        if phrase.language not in self.languages:
            raise ValueError(
                f"--to got {phrase.language!r}, expected some of {self.languages}, which the network learnt"
            )
        return np.append(self.read.vocabulary[f"<{phrase.language}>"], self.read.encode(phrase.source, eos=True))

    def translate(self, phrases: list[Phrase], beam: int = 1, at_once: int = 250) -> list[str]:
        """What it writes for each, of its own accord."""
        found, tokens = [], self.written.vocabulary
        for start in range(0, len(phrases), at_once):
            source, lengths = pad_collate([self.source(phrase) for phrase in phrases[start : start + at_once]], PAD)
            best = self.net.generate(
                source, lengths=lengths, bos=tokens.bos, eos=tokens.eos, max_length=2 * LONGEST, beam_size=beam
            )
            found += [self.written.decode(each.tokens) for each in best]
        return found

    @ct.no_grad()
    def draw(self, phrase: Phrase, path: Path) -> None:
        """The attention while it writes."""
        source, target = self.source(phrase), self.written.encode(self.translate([phrase])[0], bos=True, eos=True)
        self.eval()
        _, weights = self.net(source[None], target[None, :-1], need_weights=True)
        sides = (self.read, source), (self.written, target[1:])
        pieces = [[p.strip() or "␣" for p in codec.vocabulary.decode(side, specials=True)] for codec, side in sides]
        plot.attention(weights[0], *pieces, title=f"into <{phrase.language}>").savefig(path, dpi=130)

    def scores(self, phrases: list[Phrase], beam: int = 1) -> tuple[float, float]:
        """The share that it translates as they stand there, and BLEU from 0 to 100."""
        found, targets = self.translate(phrases, beam), [phrase.target for phrase in phrases]
        right = sum(a == b for a, b in zip(found, targets)) / len(targets)
        return right, sacrebleu.corpus_bleu(found, [targets]).score

    def show(self, phrases: list[Phrase], title: str, beam: int = 1) -> None:
        names = (Column(name, overflow="fold") for name in ("read", "written", "expected where it differs"))
        table = Table(*names, title=title, title_justify="left", box=None)
        for phrase, found in zip(phrases, self.translate(phrases, beam)):
            table.add_row(phrase.source, found[:150], "" if found == phrase.target else phrase.target)
        console.print(table)


def collate(samples: list[Any]) -> Any:
    """(sources, their lengths, targets without their ends, their lengths), and the targets without their beginnings."""
    source, target = pad_collate(samples, PAD, pad_to_multiple_of=4)
    return (source.values, source.lengths, target.values[:, :-1], target.lengths - 1), target.values[:, 1:]


def batches(translator: Translator, phrases: list[Phrase], size: int, seed: int | None = None) -> DataLoader:
    """Batches of similar lengths; with a seed in another order in every epoch."""
    pairs = [(translator.source(p), translator.written.encode(p.target, bos=True, eos=True)) for p in phrases]
    pairs = [pair for pair in pairs if max(map(len, pair)) <= LONGEST]
    lengths = [len(target) + len(source) / 1000 for source, target in pairs]
    whole = seed is not None and len(pairs) >= size
    return DataLoader(
        pairs, size, seed is not None, bucket_by=lengths, collate_fn=collate, drop_last=whole, seed=seed
    )  # fmt: skip


class Report(ct.training.Callback):
    """A line after each epoch: losses, and how some held-out phrases are translated."""

    def __init__(self, held_out: list[Phrase]) -> None:
        self.held_out = held_out

    def on_epoch_end(self, trainer: ct.Trainer) -> None:
        row, (right, bleu) = trainer.history[-1], trainer.model.scores(self.held_out[:500])
        losses = f"loss {row['loss']:.4f}  held out {row['validation_loss']:.4f}"
        console.print(f"epoch {trainer.epoch:2}  {losses}  exactly right {right:.1%}  BLEU {bleu:.1f}")


def train(translator: Translator, corpus: Corpus, args: argparse.Namespace) -> ct.Trainer:
    with console.status("cutting words into pieces"):
        loader = batches(translator, corpus.train, args.batch_size, args.seed)
        held_out, steps = batches(translator, corpus.held_out, 250), args.epochs * len(loader)
    parameters = sum(p.size for p in translator.parameters())
    console.print(
        f"{len(corpus.train):,} phrases to learn from, {len(corpus.held_out):,} held out; {len(translator.read)} "
        f"pieces read, {len(translator.written)} written; {parameters:,} parameters, {steps:,} steps"
    )
    optimizer = optim.Adam(translator.parameters(), lr=args.lr)

    def rate(step: int) -> float:
        """Rises for a tenth of the steps, falls to 0 along a cosine."""
        return min(10 * (step + 1) / steps, 1.0) * (1 + math.cos(math.pi * step / steps)) / 2

    def loss(scores: ct.Tensor, target: ct.Tensor) -> ct.Tensor:
        """Cross entropy of a piece; its exponential is the perplexity."""
        return nn.functional.sequence_cross_entropy(scores, target, ignore_index=PAD)

    trainer = ct.Trainer(
        translator, optimizer, loss, clip_grad_norm=1.0, compile={"max_recordings": 128},
        scheduler=optim.lr_scheduler.LambdaLR(optimizer, rate), scheduler_interval="step",
        weight=lambda inputs, _: float(inputs[3].sum()), callbacks=[Report(corpus.held_out)],
        parts={"read": translator.read, "written": translator.written, "sizes": translator.sizes},
    )  # fmt: skip
    last = min(args.epochs, args.stop_after or args.epochs)
    trainer.fit(loader, held_out, epochs=last, checkpoint=args.out / "checkpoint.safetensors", resume=args.resume)
    return trainer


def report(translator: Translator, held_out: list[Phrase], beam: int, folder: Path) -> None:
    """What became of the phrases that were held out, by language and kind; pictures of the attention."""
    for language, kind in sorted({(phrase.language, phrase.kind) for phrase in held_out}):
        phrases = [p for p in held_out if (p.language, p.kind) == (language, kind)]
        console.print(f"{language}  {len(phrases):5} {kind + 's':10} {translator.scores(phrases, beam)[0]:8.2%} right")
    right, bleu = translator.scores(held_out, beam)
    console.print(f"exactly right {right:.2%} of {len(held_out)} held-out phrases, BLEU {bleu:.1f}")
    translator.show(held_out[:8], "held-out phrases after training", beam)
    for language in translator.languages:
        if phrases := sorted((p for p in held_out if p.language == language), key=lambda p: len(p.source)):
            translator.draw(phrases[len(phrases) * 2 // 3], folder / f"attention_{language}.png")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--corpus", choices=("numbers", "django"), default="numbers")
    add("--pairs", type=Path, metavar="FILE.tsv", help="lines of a sentence, a tab and its translation")
    add("--to", nargs="+", metavar="LANGUAGE", help="what is written: de fr, of Django's messages any that it has")
    add("--translate", metavar="TEXT", help="translate this by a trained checkpoint (--resume, or the one in --out)")
    add("--beam", type=int, default=1, help="beginnings kept at every step; 1: always the likeliest next piece")
    add("--phrases", type=int, nargs=2, default=(50_000, 2000), help="with numbers: to learn from, and held out")
    add("--pieces", type=int, help=f"of words, characters included: {SETTINGS['pieces']}")
    add("--dropout", type=float, help=f"{SETTINGS['dropout']}")
    add("--epochs", type=int, help=f"{SETTINGS['epochs']}")
    add("--batch-size", type=int, help=f"{SETTINGS['batch_size']}")
    add("--hidden", type=int, default=256)
    add("--embedding", type=int, default=64)
    add("--lr", type=float, default=0.003, help="at its highest: it rises, then falls to 0")
    add("--seed", type=int, default=0)
    add("--out", type=Path, default=Path("runs/translate"), metavar="DIR")
    add("--resume", type=Path, metavar="CHECKPOINT", help="go on from here, up to --epochs")
    add("--stop-after", type=int, metavar="EPOCHS", help="break off early, to go on with --resume")
    return parser


def corpus_of(args: argparse.Namespace, languages: list[str]) -> Corpus:
    if args.pairs:
        pairs = read_pairs(args.pairs)
        if left_out := ", ".join(f"{count} {why}" for why, count in pairs.skipped.items() if count):
            console.print(f"lines left out of {args.pairs}: {left_out}")
        return split([Phrase(languages[0], *pair) for pair in pairs])
    if args.corpus == "django":
        return django(languages)
    train, held_out = args.phrases
    return Corpus(
        numbers_in_words(train, languages, seed=args.seed),
        numbers_in_words(held_out, languages, seed=args.seed, held_out=True),
    )


def main() -> None:
    arguments = parser()
    args = arguments.parse_args()
    for name, choices in SETTINGS.items():
        if getattr(args, name) is None:
            setattr(args, name, choices["pairs" if args.pairs else args.corpus])
    counts = [*args.phrases, args.beam, args.hidden, args.embedding, args.epochs, args.batch_size]
    if min(counts := [*counts, 1 if args.stop_after is None else args.stop_after]) < 1:
        arguments.error(f"--phrases, --beam, sizes and --epochs got {min(counts)}, expected at least 1")
    try:
        if args.translate is not None:
            translator = Translator.restored(args.resume or args.out / "checkpoint.safetensors")
            for language in args.to or translator.languages:
                (text,) = translator.translate([Phrase(language, args.translate, "")], args.beam)
                console.print(f"{language}: {text}")
            return
        languages = args.to or ([args.pairs.stem] if args.pairs else ["de", "fr"])
        ct.random.seed(args.seed)
        with console.status("reading phrases"):
            corpus = corpus_of(args, languages)
            if args.resume:
                translator = Translator.restored(args.resume)
            else:
                sizes = {"embedding_dim": args.embedding, "hidden_size": args.hidden, "dropout": args.dropout}
                translator = Translator.made_for(corpus.train, languages, args.pieces, sizes)
        translator.show(corpus.held_out[:3], "held-out phrases before training", args.beam)
        trainer = train(translator, corpus, args)
    except (ImportError, OSError, ValueError) as error:
        arguments.error(str(error))
    report(translator, corpus.held_out, args.beam, args.out)
    if trainer.history:
        losses = {name: [row[name] for row in trainer.history] for name in ("loss", "validation_loss")}
        plot.learning_curves(losses).savefig(args.out / "learning_curve.png", dpi=120)
    console.print(f"checkpoint, curves and attention: {args.out}{os.sep}")


if __name__ == "__main__":
    main()
