"""Text: files of lines, tokens, and vocabularies that number them."""

from cinta.text.files import Lines, read_lines, read_text
from cinta.text.tokenizers import CharacterTokenizer, WordTokenizer
from cinta.text.vocabulary import SPECIALS, Vocabulary

__all__ = ["SPECIALS", "CharacterTokenizer", "Lines", "Vocabulary", "WordTokenizer", "read_lines", "read_text"]
