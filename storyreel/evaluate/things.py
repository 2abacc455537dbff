"""What a prompt says of each of several things, for judges that find more than one in a clip."""

from __future__ import annotations

from collections.abc import Mapping

from storyreel.worlds import Attribute
from storyreel.worlds.attribute_words import tokens_of


def things_in(prompt: str, attributes: Mapping[str, Attribute], name: str) -> list[dict[str, str]]:
    """Attribute -> value, of each thing that the prompt names, in its order: [{"digits": "3", "motions": "up"}].

    A value of the attribute `name` names a thing, and what is said before the next one is said of it; things have
    different ones. Of the words at one place the longest phrase counts. "two digits" says how many, and names no digit.
    """
    tokens = tokens_of(prompt)
    phrases = {
        tuple(tokens_of(phrase)): (each, value)
        for each, attribute in attributes.items()
        for value, known in attribute.values.items()
        for phrase in known.words
    }
    longest = max(map(len, phrases), default=0)
    found: list[dict[str, str]] = []
    spoken_of: dict[str, str] = {}
    at = 0
    while at < len(tokens):
        runs = (tuple(tokens[at : at + length]) for length in range(longest, 0, -1))
        run = next((run for run in runs if run in phrases), ())
        at += len(run) or 1
        if not run:
            continue
        attribute, value = phrases[run]
        if attribute == name and tokens[at : at + 1] != [name]:
            spoken_of = next((thing for thing in found if thing[name] == value), {name: value})
            found += [spoken_of] if spoken_of not in found else []
        elif attribute != name and spoken_of:
            spoken_of.setdefault(attribute, value)
    return found
