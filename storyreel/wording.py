"""Numbers with their nouns, as sentences have them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """The number and its noun, thousands with commas.

    >>> counted(1, "film"), counted(1200, "film"), counted(2, "entry", "entries")
    ('1 film', '1,200 films', '2 entries')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
