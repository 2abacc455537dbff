"""The sentences of the sprites world: what a `Speaker`'s phrases are put together to.

FORMS are those of training captions, HELD_OUT_FORMS those that training never has. A form says everything that the
speaker is to say, once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from storyreel.worlds.sprites_phrases import Speaker, listed
from storyreel.worlds.sprites_wardrobe import with_article

Form: TypeAlias = Callable[[Speaker], str]
MEDIA = (
    "a sprite of", "pixel art of", "an animation of", "a game character:", "a video of", "a pixel-art animation of",
    "a sprite sheet of", "a short clip of", "8-bit", "retro game sprite:", "a gif of", "an animated sprite of",
)  # fmt: skip
ORDERS = (
    "draw", "make", "show me", "animate", "generate", "create", "give me", "please draw", "show", "i want", "i need",
    "please make me", "i'd like", "let me see",
)  # fmt: skip


def who(s: Speaker) -> str:
    return with_article(s.subject())


def appearance(s: Speaker) -> str:
    """ "with ... wearing ...", in either order."""
    features, worn = s.features(), s.clothes()
    have = f"with {listed(features)}" if features else ""
    wear = f"{s.link()} {listed(worn)}" if worn else ""
    if have and wear and s.chance(0.25):
        s.note("comma")
        return f"{wear}, {have}"
    return f"{have} {wear}" if s.chance(0.6) else f"{wear} {have}"


def has(s: Speaker) -> str:
    """The same as a predicate: "has ... and wears ..."."""
    features, worn = s.features(), s.clothes()
    parts = [f"{s.one(('has', 'has got', 'has'))} {listed(features)}"] if features else []
    if worn:
        parts.append(f"{s.note(s.one(('wears', 'is wearing', 'is dressed in', 'is clad in', 'is in')))} {listed(worn)}")
    if s.chance(0.4):
        parts.reverse()
    return " and ".join(parts)


def facing(s: Speaker) -> str:
    return s.direction(("stance", "view"))


def plain(s: Speaker) -> str:
    return f"{who(s)} {appearance(s)} {s.doing()}"


def finite(s: Speaker) -> str:
    return f"{who(s)} {appearance(s)} {s.doing('s')}"


def appearance_last(s: Speaker) -> str:
    return f"{who(s)} {s.doing()}, {appearance(s)}"


def finite_appearance_last(s: Speaker) -> str:
    return f"{who(s)} {s.doing('s')}, {appearance(s)}"


def direction_last(s: Speaker) -> str:
    return f"{who(s)} {appearance(s)} {s.doing(course=False)}, {facing(s)}"


def direction_first(s: Speaker) -> str:
    return f"{facing(s)}, {who(s)} {appearance(s)} {s.doing('s', course=False)}"


def relative(s: Speaker) -> str:
    return f"{who(s)} who {s.doing('s') or 'stands there'}, {appearance(s)}"


def relative_appearance(s: Speaker) -> str:
    return f"{who(s)} who {has(s) or 'is there'}, {s.doing()}"


def there_is(s: Speaker) -> str:
    return f"{s.one(('there is', 'here is', 'we see', 'this is'))} {who(s)} {appearance(s)} {s.doing()}"


def order(s: Speaker) -> str:
    please = s.one(("", "", "", " please"))
    return f"{s.one(ORDERS)} {who(s)} {appearance(s)} {s.doing()}{please}"


def order_who(s: Speaker) -> str:
    return f"{s.one(ORDERS)} {who(s)} who {s.doing('s') or 'is there'}, {appearance(s)}"


def medium(s: Speaker) -> str:
    return f"{s.one(MEDIA)} {who(s)} {appearance(s)} {s.doing()}"


def action_first(s: Speaker) -> str:
    return f"{s.doing()}: {who(s)} {appearance(s)}"


def two_sentences(s: Speaker) -> str:
    first = f"{who(s)} {s.doing('s')}"
    rest = has(s)
    return f"{first}. {s.she} {rest}." if rest else first


def look_then_act(s: Speaker) -> str:
    first, act = f"{who(s)} {appearance(s)}", s.doing("s")
    return f"{first}. {s.she} {act}." if act else first


def dressed_first(s: Speaker) -> str:
    worn = s.clothes()
    wear = f"{s.link()} {listed(worn)}, " if worn else ""
    features = s.features()
    have = f" with {listed(features)}" if features else ""
    return f"{wear}{who(s)}{have} {s.doing('s')}"


def no_articles(s: Speaker) -> str:
    worn, features = s.clothes(articles=False), [_bare(f) for f in s.features()]
    wear = f"{s.one(('in', 'wearing', ''))} {', '.join(worn)}" if worn else ""
    have = f"with {listed(features)}" if features else ""
    return f"{s.subject()} {have} {wear} {s.doing()}"


def tags(s: Speaker) -> str:
    """Comma-separated keywords; the subject first, the others mixed up in a third of them."""
    subject = s.subject()
    rest = [*map(_bare, s.features()), *s.clothes(articles=False), *_separately(s)]
    if s.chance(0.35):
        s.note("mixed")
        s.rng.shuffle(rest)
    return ", ".join([subject, *rest])


def _separately(s: Speaker) -> list[str]:
    """Weapon, action and direction, each by itself, of those that there are."""
    weapon = _bare(s.weapon())
    s.adjectives.add("weapon")  # it is said
    return [part for part in (weapon, s.doing(course=False), facing(s)) if part]


def labeled(s: Speaker) -> str:
    """ "character: ...; outfit: ...; action: ...", as people fill in forms."""
    subject = s.subject()
    outfit = ", ".join([*map(_bare, s.features()), *s.clothes(articles=False)])
    weapon = _bare(s.weapon())
    s.adjectives.add("weapon")  # it is said
    rows = [
        (s.one(("character", "subject", "who")), subject),
        (s.one(("outfit", "look", "appearance")), outfit),
        ("weapon", weapon),
        ("action", s.doing(course=False)),
        (s.one(("direction", "view")), facing(s)),
    ]
    return "; ".join(f"{name}: {value}" for name, value in rows if value)


def slashes(s: Speaker) -> str:
    parts = [s.subject(), *map(_bare, s.features()), *s.clothes(articles=False), s.doing()]
    return s.one((" / ", " - ", " | ")).join(p for p in parts if p)


def possessive(s: Speaker) -> str:
    """ "a woman walking west; her hair is black, her clothes: ..."."""
    first = f"{who(s)} {s.doing()}"
    of = s.her
    features, worn = s.features(), s.clothes()
    more = [f"{of} {s.one(('features', 'looks'))}: {listed(features)}"] if features else []
    if worn:
        more.append(f"{of} {s.note(s.one(('outfit', 'clothes', 'clothing')))}: {listed(worn)}")
    return "; ".join([first, *more])


def definite(s: Speaker) -> str:
    rest = has(s)
    act = s.doing()
    return f"the {s.subject()} is {act or 'there'}{' and ' + rest if rest else ''}"


def short(s: Speaker) -> str:
    """For a caption that mentions little: a bare phrase."""
    return f"{s.subject()} {appearance(s)} {s.doing()}"


def watch(s: Speaker) -> str:
    return f"watch {who(s)} {appearance(s)} {s.doing('')}"


def consists(s: Speaker) -> str:
    act = s.doing()
    worn, features = s.clothes(), s.features()
    first = f"{who(s)} {'is shown ' + act if act else 'is shown'}"
    first += f"; the outfit consists of {listed(worn)}" if worn else ""
    return first + (f"; other traits are {listed(features)}" if features else "")


def in_the_act(s: Speaker) -> str:
    worn, features, act = s.clothes(), s.features(), s.doing()
    first = f"{s.link()} {listed(worn)}" if worn else "picture this"
    first += f", with {listed(features)}" if features else ""
    return f"{first}: {who(s)}{' in the act of ' + act if act and 'action' in s.mentioned else ' ' + act}"


def request(s: Speaker) -> str:
    return f"could you {s.one(('paint', 'do', 'render'))} {who(s)} {appearance(s)} {s.doing()}?"


def scene(s: Speaker) -> str:
    return f"a scene where {who(s)} {appearance(s)} {s.doing('s')}"


def notice(s: Speaker) -> str:
    worn = s.clothes()
    first = f"{listed(worn)} on {who(s)}" if worn else f"introducing {who(s)}"
    features = s.features()
    return f"{first} with {listed(features)}, {s.doing()}" if features else f"{first}, {s.doing()}"


def _bare(phrase: str) -> str:
    return phrase.removeprefix("a ").removeprefix("an ")


FORMS: tuple[Form, ...] = (
    plain, plain, finite, appearance_last, finite_appearance_last, direction_last, direction_first, relative,
    relative_appearance, there_is, order, order_who, medium, action_first, two_sentences, look_then_act,
    dressed_first, no_articles, tags, tags, labeled, slashes, possessive, definite, short,
)  # fmt: skip
HELD_OUT_FORMS: tuple[Form, ...] = (watch, consists, in_the_act, request, scene, notice)
