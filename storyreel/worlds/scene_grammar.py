"""A small grammar for captions that are true by construction: patterns with slots, filled from what is seen.

A pattern is text with three marks. `{name.kind}` is one of the phrases that say the value of attribute `name`; `{name}`
is one of the patterns of that name. `[...]` is left out where a slot in it cannot be filled: because the attribute has
no value, or is not to be said. `(a|b)` is one of several.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storyreel.worlds import Attribute, Value

Bank = Mapping[str, Mapping[str, tuple[str, ...]]]
"""`name.kind` -> value -> the phrases that say it; they may have slots of their own."""

_MARK = re.compile(r"\{([^{}]*)\}|\(([^()]*)\)|\[((?:[^\[\]]|\[[^\[\]]*\])*)\]")
_ARTICLE = re.compile(r"^(an?|the|some|with|in|at|by|over|under) ")
TRIES = 16


@dataclass(frozen=True)
class Grammar:
    """forms: whole sentences. short: those of one to three attributes. bank, parts: what fills their slots."""

    forms: tuple[str, ...]
    short: tuple[str, ...]
    bank: Bank
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def caption(
        self, seen: Mapping[str, str | None], draw: random.Random, say: set[str], forms: Sequence[str] = ()
    ) -> tuple[str, tuple[str, ...]]:
        """A caption that mentions attributes of `say` alone, as many as one of some forms can, and their names, sorted.

        ValueError where no form fits.
        """
        best, found = "", None
        every = draw.sample(self.forms + self.short, len(self.forms + self.short))
        for form in (*(draw.choice(forms or self.forms) for _ in range(TRIES)), *every):
            mentioned: set[str] = set()
            text = self._filled(form, seen, draw, say, mentioned)
            if text is not None and (found is None or len(mentioned) > len(found)):
                best, found = text, mentioned
            if found and (len(found) == len(say) or form in every):
                break
        if found is None:
            raise ValueError(f"no form says {', '.join(sorted(say))}")
        return _tidy(best), tuple(sorted(found))

    def sayable(self, seen: Mapping[str, str | None]) -> set[str]:
        """The attributes that have a value which some phrase says."""
        return {key.split(".")[0] for key, phrases in self.bank.items() if seen.get(key.split(".")[0]) in phrases}

    def words(self, name: str, value: str) -> tuple[str, ...]:
        """What says this value: the phrases of the bank without their slots and articles."""
        found = [p for key, values in self.bank.items() if key.split(".")[0] == name for p in values.get(value, ())]
        plain = [_ARTICLE.sub("", " ".join(re.sub(r"\[[^\]]*\]|\{[^}]*\}", " ", p).split())) for p in found]
        return tuple(dict.fromkeys(p for p in plain if p))

    def _filled(
        self, pattern: str, seen: Mapping[str, str | None], draw: random.Random, say: set[str], mentioned: set[str]
    ) -> str | None:
        """The pattern with its slots filled, and their attributes added to `told`; None where one cannot be."""
        made, at, own = "", 0, set(mentioned)
        while match := _MARK.search(pattern, at):
            slot, several, optional = match.groups()
            made += pattern[at : match.start()]
            at = match.end()
            if several is not None:
                made += draw.choice(several.split("|"))
            elif optional is not None:
                made += self._filled(optional, seen, draw, say, own) or ""
            else:
                part = self._slot(slot, seen, draw, say, own)
                if part is None:
                    return None
                made += part
        mentioned |= own
        return made + pattern[at:]

    def _slot(
        self, slot: str, seen: Mapping[str, str | None], draw: random.Random, say: set[str], mentioned: set[str]
    ) -> str | None:
        if slot in self.parts:
            patterns = self.parts[slot]  # the first says the most
            for pattern in patterns if draw.random() < 0.75 else draw.sample(patterns, len(patterns)):
                if (text := self._filled(pattern, seen, draw, say, mentioned)) is not None:
                    return text
            return None
        name = slot.split(".")[0]
        phrases = self.bank[slot].get(seen.get(name) or "", ()) if name in say and name not in mentioned else ()
        for pattern in draw.sample(phrases, len(phrases)):
            own = {*mentioned, name}
            if (text := self._filled(pattern, seen, draw, say, own)) is not None:
                mentioned |= own
                return text
        return None


def attribute(
    grammar: Grammar,
    name: str,
    values: Mapping[str, Sequence[str]],
    *,
    drawn: Mapping[str, tuple[float, str]] = {},
    near: Mapping[str, tuple[str, ...]] = {},
    implied: Mapping[str, tuple[str, ...]] = {},
    fixed_by: tuple[str, ...] = (),
) -> Attribute:
    """The declaration of an attribute: value -> further words than the grammar's.

    drawn: value -> (weight, phrase) where a prompt leaves it open. near: words for what there is not. implied: words
    of other attributes that it goes with.
    """
    made = {}
    for value, more in values.items():
        weight, phrase = drawn.get(value, (0.0, ""))
        words = tuple(dict.fromkeys((*grammar.words(name, value), *more, value)))
        made[value] = Value(
            words=words, implied_by=implied.get(value, ()), near=near.get(value, ()), weight=weight, phrase=phrase
        )
    return Attribute(values=made, fixed_by=fixed_by)


def finished(text: str, draw: random.Random) -> str:
    """The caption as people type it: most in lower case without a full stop."""
    if draw.random() < 0.4:
        text = re.sub(r"(^|[.] )([a-z])", lambda m: m[1] + m[2].upper(), text)
        return text if draw.random() < 0.4 or text[-1] in ".?" else f"{text}."
    return text


def _tidy(text: str) -> str:
    """Single spaces, and one mark where phrases that are not there leave several."""
    text = " ".join(text.split())
    text = re.sub(r" +([,.;:])", r"\1", text)
    text = re.sub(r"([,;:.])(?: ?[,;:])+", r"\1", text)
    text = re.sub(r"[,;:] ?\.", ".", text)
    text = re.sub(r"\.(?: ?\.)+", ".", text)
    return re.sub(r"\b([Aa]) ([aeiou])", r"\1n \2", text).strip(" ,;:")
