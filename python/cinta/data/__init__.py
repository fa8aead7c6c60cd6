"""Data on disk, as NumPy arrays."""

from cinta.data.idx import Mnist, load_mnist, read_idx

__all__ = ["Mnist", "load_mnist", "read_idx"]
