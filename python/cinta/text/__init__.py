"""Text: files of lines, tokens, and vocabularies that number them."""

from cinta.text.byte_pair import BytePairTokenizer
from cinta.text.codec import TextCodec
from cinta.text.files import Lines, read_lines, read_text
from cinta.text.numbers_in_words import Phrase, numbers_in_words
from cinta.text.pairs import Pairs, read_pairs
from cinta.text.po import PoEntry, PoFile, read_po
from cinta.text.tokenizers import CharacterTokenizer, WordTokenizer
from cinta.text.vocabulary import SPECIALS, Vocabulary

__all__ = [
    "SPECIALS",
    "BytePairTokenizer",
    "CharacterTokenizer",
    "Lines",
    "Pairs",
    "Phrase",
    "PoEntry",
    "PoFile",
    "TextCodec",
    "Vocabulary",
    "WordTokenizer",
    "numbers_in_words",
    "read_lines",
    "read_pairs",
    "read_po",
    "read_text",
]
