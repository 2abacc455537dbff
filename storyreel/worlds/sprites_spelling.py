"""The words of a prompt as a thesaurus has them: slips mended, compounds taken apart, and nothing that is denied."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from storyreel.wording import nearest

Phrase = tuple[str, ...]
SHORTEST = 5  # letters of a word that may be another one with two letters exchanged
LONG = 6  # of one that may be misspelled otherwise, or two words in one
PART = 3  # of either word in one
AFTER_NOUN = (":", "in", "is", "of")  # between a garment and its color
ALIKE = 0.9  # of a misspelled word and the one that is meant, as difflib counts


def spelled(word: str, words: Collection[str], nouns: Collection[str], ordinary: Collection[str] = ()) -> Phrase:
    """The word itself where it is one of `words`, else the one that it nearly is, or the two that it is made of.

    nouns: words that may end one of two words, as "axe" in "waraxe". ordinary: words that mean something else, and so
    are no slips: "singing" is not swinging.
    """
    if word in words or word in ordinary or word.endswith("'s") or len(word) < SHORTEST:
        return (word,)
    if word.endswith("s") and word[:-1] in words:
        return (word[:-1],)
    exchanged = (word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1))
    shorter = (word[:i] + word[i + 1 :] for i in range(1, len(word)) if word[i] == word[i - 1])  # lefft
    if found := next(filter(words.__contains__, (*exchanged, *shorter)), None):
        return (found,)
    if len(word) < LONG:
        return (word,)
    for at in range(PART, len(word) - PART + 1):
        if word[:at] in words and word[at:] in nouns:
            return word[:at], word[at:]
    if word.endswith("woman"):  # a fisherwoman is no fisherman
        return (word,)
    alike = [each for each in words if each[0] == word[0]]  # few slip in the first letter
    return (nearest(word, alike, ALIKE) or word,)


def affirmed(
    tokens: Phrase, phrases: Collection[Phrase], longest: int, denying: Sequence[str], skipped: Sequence[str]
) -> tuple[Phrase, tuple[Phrase, ...]]:
    """(the words without the phrases that they deny, those phrases): "no beard", "neither hat nor cape".

    denying: words before what is not there; skipped: words that may stand between. What begins with one of `denying`
    and is a phrase itself, as "no hair", stays.
    """

    def length_at(place: int) -> int:
        return next((n for n in range(longest, 0, -1) if tokens[place : place + n] in phrases), 0)

    remaining: list[str] = []
    denied: list[Phrase] = []
    at = 0
    while at < len(tokens):
        if tokens[at].endswith("less") and (tokens[at][:-4],) in phrases and (tokens[at],) not in phrases:
            denied.append((tokens[at][:-4],))
            at += 1
            continue
        after = at + 1
        while after < len(tokens) and tokens[after] in skipped:
            after += 1
        if tokens[at] not in denying or length_at(at) > 1 or not length_at(after):
            remaining.append(tokens[at])
            at += 1
            continue
        at = after + length_at(after)
        denied.append(tokens[after:at])
        while at + 1 < len(tokens) and tokens[at] in ("or", "nor") and length_at(at + 1):
            after, at = at + 1, at + 1 + length_at(at + 1)
            denied.append(tokens[after:at])
    return tuple(remaining), tuple(denied)


def color_first(
    tokens: Phrase,
    phrases: Collection[Phrase],
    garments: Collection[Phrase],
    colors: Collection[str],
    adjectives: Collection[str],
) -> Phrase:
    """The words with a garment's color right before it: "a red silk dress", "cape: blue", "a tunic in green".

    garments: those of the phrases that are a color and a garment.
    """
    words = list(tokens)
    for at, color in enumerate(tokens):
        if color not in colors:
            continue
        end = at + 1
        while end < len(tokens) and tokens[end] in adjectives:
            end += 1
        whole = tokens[at : end + 1] in phrases or tokens[at + 1 : end + 1] in phrases
        if end > at + 1 and not whole and (color, *tokens[end : end + 1]) in garments:
            words[at + 1 : end] = [""] * (end - at - 1)
            continue
        before = at - 1 - (at > 1 and tokens[at - 1] in AFTER_NOUN)
        colored = before > 0 and tokens[before - 1] in colors
        if before < 0 or colored or (color, tokens[before]) not in garments:
            continue
        if (color, *tokens[at + 1 : at + 2]) not in phrases:
            words[before : at + 1] = [color, words[before], *[""] * (at - before - 1)]
    return tuple(word for word in words if word)
