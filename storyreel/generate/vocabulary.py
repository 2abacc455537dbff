"""Whether a prompt is in a model's language: its words against the list in the model's card."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from storyreel.worlds import Attribute

MOST = 5  # unknown words that are named

_WORD = re.compile(r"[^\W_]+")
_SMALL = frozenset(
    _WORD.findall(
        "a an the and or of in on at to from with without by for as is are was be being has have his her its their "
        "he she it they this that these those who which while then there no not very"
    )
)


def content_words(prompt: str) -> list[str]:
    """The words that carry meaning, lower-case: neither articles nor prepositions, nor alone-standing letters."""
    words = [word.lower() for word in _WORD.findall(prompt)]
    return [word for word in words if word not in _SMALL and (len(word) > 1 or word.isdecimal())]


def knows_any(prompt: str, known: Iterable[str]) -> bool:
    """Whether some content word is among the known ones, as it stands or without a plural or verb ending."""
    vocabulary = {part for entry in known for part in _WORD.findall(entry.lower())}
    return any(form in vocabulary for word in content_words(prompt) for form in _forms(word))


def unconditional_note(prompts: Iterable[str], model: str) -> str | None:
    """One line for the user who gives a prompt to a model that reads none."""
    return f"{model} is unconditional: it reads no prompt, and makes what it was trained on" if any(prompts) else None


def note_for(
    prompts: Iterable[str], known: Iterable[str] | None, model: str, attributes: Mapping[str, Attribute] | None = None
) -> str | None:
    """One line for the user when a prompt has no word that the model knows, or some that its world does not have, each
    with the nearest that it has; None when all is well or not known."""
    if not known:
        return None
    known, attributes = list(known), attributes or {}
    spoken = (
        word for a in attributes.values() for value in a.values.values() for word in (*value.words, *value.implied_by)
    )
    vocabulary = {part for entry in (*known, *spoken) for part in _WORD.findall(entry.lower())}
    for prompt in prompts:
        if prompt and not knows_any(prompt, vocabulary):
            return (
                f"{model} knows no word of {prompt[:60]!r}, so what comes is arbitrary; "
                f"its card lists what it knows: storyreel models show {model}"
            )
    if not attributes:
        return None
    words = dict.fromkeys(w for prompt in prompts for w in content_words(prompt) if not _forms(w) & vocabulary)
    notes = [_nearest(word, vocabulary, attributes) for word in list(words)[:MOST]]
    return "; ".join(notes) or None


def _nearest(word: str, vocabulary: set[str], attributes: Mapping[str, Attribute]) -> str:
    """ "zombie: not in this model's world; skeleton is"."""
    values = [pair for attribute in attributes.values() for pair in attribute.values.items()]
    near = next((name for name, value in values if _forms(word) & set(value.near)), "")
    near = near or next(iter(difflib.get_close_matches(word, sorted(vocabulary), 1, 0.8)), "")
    return f"{word}: not in this model's world" + (f"; {near} is" if near else "")


def _forms(word: str) -> set[str]:
    forms = {word}
    for ending in ("s", "es", "ing", "ed", "er", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word.removesuffix(ending)
            forms |= {stem, f"{stem}e"}
    return forms
