"""Numbers with their nouns, as sentences have them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """The number and its noun, thousands with commas.

    >>> counted(1, "film"), counted(1200, "film"), counted(2, "entry", "entries")
    ('1 film', '1,200 films', '2 entries')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def amount(number: float) -> str:
    """1234567 -> 1.23 M, with the letters of powers of a thousand."""
    for factor, letter in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g} {letter}"
    return f"{number:g} "
