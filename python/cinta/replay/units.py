"""Numbers as people write them: 1.3 MiB, 45 µs, 12 GFLOP/s."""

from __future__ import annotations


def bytes_text(n: float) -> str:
    """
    >>> bytes_text(600), bytes_text(1354752)
    ('600 B', '1.29 MiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{digits(n) if unit != 'B' else format(n, '.0f')} {unit}"
        n /= 1024
    return f"{digits(n)} GiB"


def time_text(seconds: float) -> str:
    """
    >>> time_text(4.5e-5), time_text(0)
    ('45.0 µs', '0 ns')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{digits(seconds / size)} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def count_text(n: float) -> str:
    """
    >>> count_text(7526400), count_text(12)
    ('7.53 M', '12')
    """
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if n >= size:
            return f"{digits(n / size)} {prefix}"
    return f"{n:.0f}"


def digits(x: float) -> str:
    """Three of them.

    >>> digits(1.234), digits(12.34), digits(1023.6)
    ('1.23', '12.3', '1024')
    """
    return f"{x:.{2 if x < 9.995 else 1 if x < 99.95 else 0}f}"
