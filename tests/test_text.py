"""Text: lines of files in every form, tokens and back, vocabularies and their way through checkpoints."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cinta as ct
from cinta.data import BPTTLoader
from cinta.text import SPECIALS, CharacterTokenizer, Vocabulary, WordTokenizer, read_lines, read_text


def written(folder, content: bytes):
    path = folder / "text.txt"
    path.write_bytes(content)
    return path


class TestReadLines:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("last", ["", "end"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_line_ends_and_marks(self, tmp_path, end, last, mark):
        path = written(tmp_path, mark + ("één\u2028\x0b" + end + "två" + (end if last else "")).encode())
        assert read_lines(path) == ["één\u2028\x0b", "två"]

    def test_mixed_line_ends(self, tmp_path):
        path = written(tmp_path, b"a\nb\r\nc\rd\r\r\n\ne")
        assert read_lines(path, empty="keep") == ["a", "b", "c", "d", "", "", "e"]
        assert read_text(path) == "a\nb\nc\nd\n\n\ne\n"

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.text("aé€😀 \x85", max_size=20), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]))
    def test_what_was_written(self, tmp_path_factory, lines, end):
        path = written(tmp_path_factory.mktemp("lines"), "".join(line + end for line in lines).encode())
        found = read_lines(path, max_length=20)
        assert found == [line for line in lines if line.strip()]
        assert found.skipped == {"empty": len(lines) - len(found), "long": 0, "undecodable": 0}
        assert read_text(path) == "".join(line + "\n" for line in lines)

    def test_no_lines(self, tmp_path):
        assert read_lines(written(tmp_path, b"")) == []
        assert read_text(written(tmp_path, b"\xef\xbb\xbf")) == "\n"

    def test_line_ends_at_every_place_of_a_buffer(self, tmp_path):
        lines = ["x" * (8190 + i) for i in range(5)] + ["y" * 16384]
        for end in ("\n", "\r\n", "\r"):
            assert read_lines(written(tmp_path, end.join(lines).encode()), max_length=20_000) == lines

    def test_gzipped(self, tmp_path):
        assert read_lines(written(tmp_path, gzip.compress(b"a\r\nb"))) == ["a", "b"]

    def test_skipped_lines_are_counted(self, tmp_path):
        path = written(
            tmp_path, b"one\n\n  \t\n" + b"x" * 11 + b"\n" + "é".encode() * 10 + b"\ncaf\xe9\n" + b"\xff" * 200
        )
        lines = read_lines(path, max_length=10, long="skip", undecodable="skip")
        assert lines == ["one", "é" * 10]
        assert lines.skipped == {"empty": 2, "long": 2, "undecodable": 1}

    @pytest.mark.parametrize("length", [42, 43, 44, 45, 46, 86, 1000, 100_000])
    def test_long_lines_of_any_length(self, tmp_path, length):
        lines = read_lines(written(tmp_path, b"a\n" + b"x" * length + b"\nb\n"), max_length=10, long="skip")
        assert lines == ["a", "b"]
        assert lines.skipped["long"] == 1

    @pytest.mark.parametrize(
        ("content", "options", "message"),
        [
            (b"a\ncaf\xe9\n", {}, r"line 2: got bytes that are not UTF-8 \(.*0xe9 at byte 3\)"),
            ("a\n".encode("utf-16"), {}, "line 1: got UTF-16"),
            (b"a\nb\n" + b"x" * 99, {"max_length": 98}, "line 3: got more than 98 characters, expected shorter lines"),
            (b"a\n \nb", {"empty": "error"}, "line 2: got no text"),
            (b"a", {"empty": "drop"}, "empty got 'drop', expected one of 'skip', 'error', 'keep'"),
            (b"a", {"long": "keep"}, "long got 'keep'"),
            (b"a", {"max_length": 0}, "max_length got 0"),
            (b"a", {"checksum": "md5:" + "0" * 32}, "checksum"),
        ],
    )
    def test_errors(self, tmp_path, content, options, message):
        with pytest.raises(ValueError, match=message):
            read_lines(written(tmp_path, content), **options)

    def test_missing_and_damaged_files(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            read_lines(tmp_path / "nowhere.txt")
        with pytest.raises(ValueError, match="damaged gzip data"):
            read_lines(written(tmp_path, gzip.compress(b"a\n" * 100)[:-9]))
        with pytest.raises(ValueError, match=r"\[read_text\] .*line 2: got bytes that are not UTF-8"):
            read_text(written(tmp_path, b"a\n\x80"))


class TestTokenizers:
    def test_words(self):
        assert WordTokenizer()("It's 3.5 m, naïve_x!") == ["It", "'", "s", "3", ".", "5", "m", ",", "naïve_x", "!"]
        assert WordTokenizer()(" \n") == []

    def test_a_pattern_with_groups_gives_whole_matches(self):
        assert WordTokenizer(r"(a)(b)?|\d*")("ab 12 a") == ["ab", "12", "a"]

    @given(st.text())
    def test_lossless(self, text):
        words = WordTokenizer(r"\s+|\w+|[^\w\s]", separator="")
        for tokenizer in (words, CharacterTokenizer()):
            assert tokenizer.join(tokenizer(text)) == text

    def test_state(self, tmp_path):
        words = WordTokenizer(r"\S+", lowercase=True, separator="_")
        ct.save_checkpoint(tmp_path / "t", words=words, characters=CharacterTokenizer())
        again = WordTokenizer()
        ct.load_checkpoint(tmp_path / "t", words=again, characters=CharacterTokenizer())
        assert again("A b.") == ["a", "b."]
        assert again.join("ab") == "a_b"
        for state in ({}, {"pattern": "(", "lowercase": True, "separator": ""}, {**words.state_dict(), "lowercase": 1}):
            with pytest.raises(ValueError, match="WordTokenizer"):
                again.load_state_dict(state)
            assert again("A b.") == ["a", "b."]
        with pytest.raises(ValueError, match="CharacterTokenizer"):
            CharacterTokenizer().load_state_dict({"a": 1})


class TestVocabulary:
    WORDS = tuple("bacabad")

    def test_by_count_then_alphabet(self):
        assert Vocabulary.build(self.WORDS).tokens == [*SPECIALS, "a", "b", "c", "d"]
        assert Vocabulary.build(reversed(self.WORDS)).tokens == [*SPECIALS, "a", "b", "c", "d"]

    def test_sentences_count_together(self):
        assert Vocabulary.build([["a", "b"], ("b",), iter(["c", "b", "c"])]).tokens[4:] == ["b", "c", "a"]

    @pytest.mark.parametrize(("size", "count", "expected"), [(6, 1, "ab"), (None, 2, "ab"), (4, 1, ""), (5, 3, "a")])
    def test_limits(self, size, count, expected):
        assert Vocabulary.build(self.WORDS, max_size=size, min_count=count).tokens[4:] == list(expected)

    def test_special_tokens(self):
        vocabulary = Vocabulary(["a"], specials=("<eos>", "<sep>"))
        assert (vocabulary.eos, vocabulary.unk, vocabulary["<sep>"], vocabulary["a"]) == (0, None, 1, 2)
        assert Vocabulary.build(["<eos>", "x", "<eos>"]).tokens == [*SPECIALS, "x"]
        assert Vocabulary(["<unk>"], specials=()).unk is None  # a word like any other

    def test_there_and_back(self):
        vocabulary = Vocabulary.build(self.WORDS)
        numbers = vocabulary.encode(self.WORDS, bos=True, eos=True)
        assert numbers.dtype == np.int64
        assert numbers.tolist() == [2, 5, 4, 6, 4, 5, 4, 7, 3]
        assert vocabulary.decode(numbers) == list(self.WORDS)
        assert vocabulary.decode(ct.tensor(numbers)) == list(self.WORDS)
        assert vocabulary.decode(numbers, specials=True) == ["<bos>", *self.WORDS, "<eos>"]
        assert vocabulary.encode([]).tolist() == vocabulary.decode([]) == []

    def test_unknown_words(self):
        vocabulary = Vocabulary.build(self.WORDS)
        assert vocabulary.encode(["a", "zebra"]).tolist() == [4, 0]
        assert vocabulary.decode([4, 0, 1]) == ["a", "<unk>"]
        assert vocabulary.coverage(["a", "zebra", "b", "b"]) == 0.75
        assert "zebra" not in vocabulary
        assert vocabulary.coverage([]) == 1
        with pytest.raises(KeyError, match='zebra.*specials has no "<unk>"'):
            Vocabulary(["a"], specials=()).encode(["zebra"])

    def test_errors(self):
        vocabulary = Vocabulary(["a"])
        with pytest.raises(TypeError, match="got the text 'a b', expected tokens"):
            vocabulary.encode("a b")
        with pytest.raises(TypeError, match="got the text"):
            Vocabulary.build("a b")
        with pytest.raises(TypeError, match="token 3, expected text"):
            Vocabulary(["a", 3])
        with pytest.raises(ValueError, match="'a' twice"):
            Vocabulary(["a", "b", "a"])
        with pytest.raises(ValueError, match="'<pad>' twice"):
            Vocabulary(["<pad>"])
        with pytest.raises(IndexError, match="number 5, expected 0 to 4"):
            vocabulary.decode([5])
        with pytest.raises(IndexError, match="number -1"):
            vocabulary.decode([-1])
        with pytest.raises(ValueError, match='eos got True, but specials has no "<eos>"'):
            Vocabulary(["a"], specials=()).encode(["a"], eos=True)
        with pytest.raises(ValueError, match="max_size got 3"):
            Vocabulary.build(["a"], max_size=3)
        with pytest.raises(ValueError, match="min_count got 0"):
            Vocabulary.build(["a"], min_count=0)

    def test_saved_with_a_model(self, tmp_path):
        odd = ["ünïcødé", "\n", "", '"', "\\", "\ud800", "😀", " a"]
        vocabulary, model = Vocabulary(odd), ct.nn.Embedding(12, 3)
        ct.save(tmp_path / "a", {"model": model.state_dict(), "vocabulary": vocabulary.state_dict()})
        again = Vocabulary()
        again.load_state_dict(ct.load(tmp_path / "a")["vocabulary"])
        assert again.tokens == vocabulary.tokens == [*SPECIALS, *odd]
        assert (again.specials, again.pad, again["😀"]) == (SPECIALS, 1, 10)

    @pytest.mark.parametrize(
        "state", [{}, {"tokens": ["a"]}, {"tokens": "ab", "specials": []}, {"tokens": ["a", "a"], "specials": []},
                  {"tokens": [1], "specials": []}]
    )  # fmt: skip
    def test_a_state_that_does_not_fit_changes_nothing(self, state):
        vocabulary = Vocabulary(["x"])
        with pytest.raises(ValueError, match="Vocabulary"):
            vocabulary.load_state_dict(state)
        assert vocabulary.tokens == [*SPECIALS, "x"]

    def test_state_is_plain(self):
        assert json.loads(json.dumps(Vocabulary(["x"]).state_dict())) == {"tokens": ["x"], "specials": list(SPECIALS)}


class TestBPTTLoader:
    def test_columns_go_on_from_piece_to_piece(self):
        pieces = list(BPTTLoader(np.arange(25), batch_size=3, steps=3))
        x, y = (np.concatenate([piece[k].numpy() for piece in pieces]) for k in (0, 1))
        np.testing.assert_array_equal(x.T, np.arange(24).reshape(3, 8))
        np.testing.assert_array_equal(y, x + 1)
        assert [len(piece[0]) for piece in pieces] == [3, 3, 2]

    @pytest.mark.parametrize(
        ("entries", "drop_last", "expected"), [(25, False, 3), (25, True, 2), (28, True, 3), (4, True, 0)]
    )
    def test_pieces(self, entries, drop_last, expected):
        loader = BPTTLoader(np.arange(entries), 3, 3, drop_last=drop_last)
        assert len(loader) == len(list(loader)) == expected
        assert loader.epoch == 1

    def test_measurements(self):
        x, y = next(iter(BPTTLoader(ct.random.normal(shape=(11, 2, 4)), batch_size=5, steps=9)))
        assert x.shape == y.shape == (2, 5, 2, 4)
        assert x.dtype == "float32"
        np.testing.assert_array_equal(x[1].numpy(), y[0].numpy())

    def test_resumed_in_mid_epoch(self):
        loader = BPTTLoader(np.arange(40), 2, 4)
        list(loader)
        pieces = iter(loader)
        next(pieces)
        state = json.loads(json.dumps(loader.state_dict()))
        rest = [x.tolist() for x, _ in pieces]
        again = BPTTLoader(np.arange(40), 2, 4)
        again.load_state_dict(state)
        assert again.epoch == 1
        assert [x.tolist() for x, _ in again] == rest
        assert again.epoch == 2
        assert len(list(again)) == len(again)

    def test_an_epoch_that_was_broken_off_is_over(self):
        loader = BPTTLoader(np.arange(40), 2, 4)
        next(iter(loader))
        assert len(list(loader)) == len(loader)
        assert loader.epoch == 2
        loader.set_epoch(7)
        assert loader.state_dict()["epoch"] == loader.epoch == 7

    def test_errors(self):
        for arguments, message in [
            ((np.arange(3), 3, 1), "expected more than 3 entries"),
            ((np.float32(3), 1, 1), "shape"),
            ((np.arange(9), 0, 1), "batch_size got 0"),
            ((np.arange(9), 1, 0), "steps got 0"),
        ]:
            with pytest.raises(ValueError, match=message):
                BPTTLoader(*arguments)
        loader = BPTTLoader(np.arange(40), 2, 4)
        good = loader.state_dict()
        for bad in ({}, {**good, "steps": 5}, {**good, "position": 99}, {**good, "epoch": -1}, {**good, "epoch": "0"}):
            with pytest.raises(ValueError, match="BPTTLoader"):
                loader.load_state_dict(bad)
        with pytest.raises(ValueError, match="epoch got -1"):
            loader.set_epoch(-1)
        assert loader.state_dict() == good


class TestDetachStates:
    def test_gradients_stop_at_the_beginning_of_a_piece(self):
        ct.random.seed(0)
        lstm, x = ct.nn.LSTM(2, 3), ct.random.normal(shape=(4, 1, 2))
        whole, first = ct.tensor(x.numpy(), requires_grad=True), ct.tensor(x[:2].numpy(), requires_grad=True)
        lstm(whole)[0][2:].sum().backward()
        _, states = lstm(first)
        detached = ct.nn.functional.detach_states({"a": [states, None]})
        assert detached["a"][1] is None
        assert isinstance(detached["a"][0], tuple)
        cut, _ = lstm(x[2:], detached["a"][0])
        cut.sum().backward()
        assert first.grad is None
        assert (whole.grad[:2] != 0).any()
        np.testing.assert_allclose(cut.detach().numpy(), lstm(x)[0][2:].detach().numpy(), rtol=1e-6)
