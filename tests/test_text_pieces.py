"""Byte-pair tokens: against merging one by one, lossless, through checkpoints."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cinta as ct
from cinta.text import BytePairTokenizer, CharacterTokenizer, TextCodec, Vocabulary, WordTokenizer

TEXTS = ["low low low low low", "lower lower newest newest newest", "newest newest newest widest widest widest"]


def slow(texts, merges):
    """Sennrich's loop: count all pairs anew for every merge."""
    words = Counter(tuple(" " + word) for text in texts for word in text.split())
    found = []
    for _ in range(merges):
        counts = Counter()
        for word, times in words.items():
            for pair in pairwise(word):
                counts[pair] += times
        best = min((-count, pair) for pair, count in counts.items())
        if -best[0] < 2:
            break
        found.append(best[1])
        merged = Counter()
        for word, times in words.items():
            pieces = list(word)
            at = 0
            while at + 1 < len(pieces):
                if (pieces[at], pieces[at + 1]) == best[1]:
                    pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
                at += 1
            merged[tuple(pieces)] += times
        words = merged
    return found


class TestTraining:
    def test_merges_of_the_paper(self):
        tokenize = BytePairTokenizer.train(TEXTS, max_size=15)
        assert tokenize.merges == slow(TEXTS, 4)
        assert tokenize("lowest widest") == [" lo", "w", "est", " ", "w", "i", "d", "est"]

    @pytest.mark.parametrize("seed", range(5))
    def test_merges_kept_up_are_those_counted_anew(self, seed):
        rng = random.Random(seed)
        texts = [" ".join("".join(rng.choices("abc", k=rng.randint(1, 9))) for _ in range(20)) for _ in range(3)]
        found = BytePairTokenizer.train(texts, max_size=60).merges
        assert found == slow(texts, len(found))
        assert len(found) > 20

    def test_sizes(self):
        tokenize = BytePairTokenizer.train(TEXTS, max_size=20)
        assert len(tokenize.pieces) == len(set(tokenize.pieces)) == 20
        everything = BytePairTokenizer.train(TEXTS, max_size=1000)
        assert everything("newest") == [" newest"]
        assert BytePairTokenizer.train(TEXTS, max_size=3).merges == []
        assert BytePairTokenizer.train([]).pieces == []
        frequent = BytePairTokenizer.train(TEXTS, max_size=1000, min_count=7)
        assert min(Counter(p for t in TEXTS for p in frequent(t)).values()) >= 1
        assert len(frequent.merges) < len(everything.merges)

    def test_refused_arguments(self):
        with pytest.raises(TypeError, match=r"texts got the text 'one'.*\[text\]"):
            BytePairTokenizer.train("one")
        with pytest.raises(ValueError, match="max_size and min_count got 0 and 2"):
            BytePairTokenizer.train(TEXTS, max_size=0)
        with pytest.raises(ValueError, match="pattern got '\\[' .*expected a regular expression"):
            BytePairTokenizer(pattern="[")
        with pytest.raises(ValueError, match="merges got .*expected a pair of characters or earlier merges"):
            BytePairTokenizer([("a", "bc")], "abc")


class TestTokens:
    @settings(max_examples=200, deadline=None)
    @given(st.text(st.sampled_from("low est\n\t é€😀%()_-  ") | st.characters(codec="utf-8"), max_size=40))
    def test_every_text_comes_back(self, text):
        tokenize = BytePairTokenizer.train(TEXTS, max_size=18)
        assert tokenize.join(tokenize(text)) == text

    def test_a_word_has_the_same_pieces_wherever_it_stands(self):
        tokenize = BytePairTokenizer.train(TEXTS, max_size=18)
        assert tokenize("newest lower") == tokenize("newest") + tokenize("lower")
        assert tokenize("") == []

    def test_unknown_characters_and_words_that_were_never_seen(self):
        tokenize = BytePairTokenizer.train(TEXTS, max_size=18)
        vocabulary = Vocabulary(tokenize.pieces)
        assert vocabulary.decode(vocabulary.encode(tokenize("low€r")))[-2:] == ["<unk>", "r"]
        assert vocabulary.unk not in vocabulary.encode(tokenize("slowest"))

    def test_overlapping_pairs_merge_from_the_left(self):
        assert BytePairTokenizer([("a", "a")], " a")("aaaaa") == [" ", "aa", "aa", "a"]


class TestState:
    def test_through_a_checkpoint(self, tmp_path):
        tokenize = BytePairTokenizer.train(TEXTS, max_size=20, pattern=r"\w+|\W")
        ct.save_checkpoint(tmp_path / "t.safetensors", tokenizer=tokenize)
        again = BytePairTokenizer()
        again("low")  # what was remembered goes
        ct.load_checkpoint(tmp_path / "t.safetensors", tokenizer=again)
        assert again.state_dict() == tokenize.state_dict()
        assert again.pieces == tokenize.pieces
        assert again("lowest newest") == tokenize("lowest newest")

    @pytest.mark.parametrize(
        "bad",
        [
            {},
            {"merges": 3, "characters": [], "pattern": "a"},
            {"merges": [["x", "y"]], "characters": [], "pattern": "a"},
            {"merges": [], "characters": ["a"], "pattern": 5},
        ],
    )
    def test_bad_states_change_nothing(self, bad):
        tokenize = BytePairTokenizer.train(TEXTS, max_size=20)
        before = tokenize.state_dict(), tokenize("lowest")
        with pytest.raises(ValueError, match=r"\[BytePairTokenizer\]"):
            tokenize.load_state_dict(bad)
        assert (tokenize.state_dict(), tokenize("lowest")) == before


class TestCodec:
    @pytest.mark.parametrize("tokenizer", [BytePairTokenizer.train(TEXTS, 18), CharacterTokenizer(), WordTokenizer()])
    def test_there_and_back_through_a_checkpoint(self, tmp_path, tokenizer):
        codec = TextCodec(tokenizer, Vocabulary.build(map(tokenizer, TEXTS)))
        numbers = codec.encode("lower newest", bos=True, eos=True)
        assert (numbers[0], numbers[-1]) == (codec.vocabulary.bos, codec.vocabulary.eos)
        assert codec.decode([*numbers, 9]) == "lower newest"
        ct.save_checkpoint(tmp_path / "c.safetensors", codec=codec)
        again = TextCodec(type(tokenizer)(), Vocabulary())
        ct.load_checkpoint(tmp_path / "c.safetensors", codec=again)
        assert len(again) == len(codec)
        assert again.encode("lower newest", bos=True, eos=True).tolist() == numbers.tolist()

    def test_training(self):
        codec = TextCodec.train(TEXTS, 20, specials=("<unk>", "<eos>", "<de>"))
        assert len(codec) == 20
        assert codec.vocabulary.tokens[:3] == ["<unk>", "<eos>", "<de>"]
        assert codec.tokenizer.pieces == BytePairTokenizer.train(TEXTS, 17).pieces
        with pytest.raises(ValueError, match="max_size got 4, expected more than the 4 specials"):
            TextCodec.train(TEXTS, 4)

    def test_bad_states_change_nothing(self):
        codec = TextCodec(BytePairTokenizer.train(TEXTS, 18), Vocabulary(["a"]))
        before = codec.state_dict()
        other = TextCodec(BytePairTokenizer(), Vocabulary(["b"])).state_dict()
        for bad in ({}, {**other, "vocabulary": {}}, {**other, "tokenizer": {}}, {**other, "vocabulary": 3}):
            with pytest.raises(ValueError, match="expected"):
                codec.load_state_dict(bad)
            assert codec.state_dict() == before
