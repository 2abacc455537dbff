"""The weapons that are drawn into the hands of sprites, each pointing to the right."""

from __future__ import annotations

from typing import NamedTuple

OUTLINE = "17121f"
COLORS = {
    "w": "f2f4f8", "s": "bcc2cf", "d": "7c8294",  # steel
    "g": "e0b03a", "G": "a8781c",  # gold
    "b": "7a4a24", "B": "55311a", "l": "a06a38",  # wood
    "r": "a02430", "c": "3d7fd6", "C": "9fd0ff",  # a grip, a stone
    "i": "565a68", "I": "3c3f4a",  # iron
    "t": "d8d2c0",  # a string, which has no outline
    "f": "f6a623", "F": "fbe36a", "o": "d9541e",  # fire
}  # fmt: skip


class Shape(NamedTuple):
    """rows: of letters of `COLORS`, "." where there is nothing. row, column: of what lies in the hand, or of a tip."""

    rows: tuple[str, ...]
    row: float
    column: int


def _art(column: int, text: str) -> Shape:
    """The middle of the rows that begin with a handle, and this column, lie in the hand."""
    rows = tuple(line.strip() for line in text.strip().splitlines())
    handle = [i for i, row in enumerate(rows) if not row.startswith(".")]
    return Shape(rows, sum(handle) / len(handle), column)


SHAPES = {
    "claws": _art(-1, """
        ..www
        sd
        ..wwww
        sd
        ..www
    """),
    "bow": Shape((
        "...........llllllll...........",
        ".......lllllbbbbbblllll.......",
        "....lllllBB........BBlllll....",
        "..lllBB................BBlll..",
        ".llB......................Bll.",
        "lltttttttttttttttttttttttttttll",
    ), 1, 15),
    "mace": _art(2, """
        .............w.w
        ............wssd
        lbbbbbbbbbbisssdw
        BBBBBBBBBBBissddd
        ............sddd
        .............d.d
    """),
    "club": _art(2, """
        ...........llll
        .....lllllbbbbbl
        lllllbbbbbbbbbbb
        BBBBBBBBbbbbbbbB
        ........BBBBBBB
    """),
    "axe": _art(2, """
        ..............ii
        llllllllllllllbbll
        BBBBBBBBBBBBBBiiBB
        .............iiii
        ............dssssd
        ...........dssssssd
        ..........dsssssssss
        .........wwwwwwwwwwww
    """),
    "battle axe": _art(2, """
        ............www
        ...........wsssd
        ..........wsssssd
        ...........wsssid
        llllllllllllliiilll
        BBBBBBBBBBBBBiiiBBB
        ...........wsssid
        ..........wsssssd
        ...........wsssd
        ............www
    """),
    "hammer": _art(2, """
        ............wwwws
        ............wsssd
        ............wsssd
        lllllllllllliiiid
        BBBBBBBBBBBBIIIId
        ............wsssd
        ............wsssd
        ............ddddd
    """),
    "pickaxe": _art(2, """
        ..........ww
        ............wws
        .............wsd
        ..............wsd
        ..............wsd
        lllllllllllllllid
        BBBBBBBBBBBBBBBid
        ..............wsd
        ..............wsd
        .............wsd
        ............wws
        ..........ww
    """),
    "sickle": _art(2, """
        .........wwwww
        .......ww.....w
        ......w........w
        ..............ws
        llllb........ws
        BBBBBiwwwwwwss
        .......ssssd
    """),
    "torch": _art(2, """
        ...........oof
        ..........offFf.
        llllllllbIofFFFfo
        BBBBBBBBBIofFFffo
        ..........offff.
        ...........oof
    """),
    "flail": _art(2, """
        .............
        .............i
        lllllllllb..i
        BBBBBBBBBBii
        ............i
        .............i
        ............wssw
        ...........sssdsd
        ...........wsddds
        ............dsdd
    """),
    "trident": _art(13, """
        .......sswwwwww
        ......ss
        .....dd
        lllllgdsssswwwww
        BBBBBGdddddsssss
        .....dd
        ......ss
        .......sddddddd
    """),
    "pitchfork": _art(13, """
        .......iiiiiii
        ......i
        llllllbiiiiiii
        BBBBBBBIIIIIII
        ......i
        .......iiiiiii
    """),
    "halberd": _art(15, """
        .......w
        ......ws
        .....wssd
        .....wsss
        .....ssss..ww
        llllliiisswwwww
        BBBBBiiissddd
        ......sd
        ......d
    """),
    "spear": _art(13, """
        .......sw
        lllldsssswww
        BBBBddssssswww
        .......ds
    """),
    "staff": _art(13, """
        ..............
        .........gcccg
        llllllllGcCCccg
        BBBBBBBBGccccg
        .........gcccg
        ..............
    """),
    "quarterstaff": _art(13, """
        lllllllllllllb
        BBBBBBBBBBBBBb
    """),
    "wand": _art(2, """
        ............gCg
        BbBbllllllllCwC
        ............gCg
    """),
    "broom": _art(13, """
        .......lglggll
        .....lglglgglgl
        llllbgglgllglgg
        BBBBbglglgglgll
        .....lglgglglgl
        .......glglglg
    """),
    "frying pan": _art(2, """
        ..........IIII
        .........IiiiiI
        ........IiiwwiiI
        iiiiiiiiIiwwiiiI
        IIIIIIIIIiiiiiiI
        ........IiiiiiiI
        .........IiiiiI
        ..........IIII
    """),
    "iron bar": _art(2, """
        ............sss
        siiiiiiiiiiiiIs
        sIIIIIIIIIIIIIs
        ............sss
    """),
    "dragon spear": _art(13, """
        ........ww
        ......wwsss
        cccccCssssssssw
        CccccGdsssssssw
        ......ddsss
        ........dd
    """),
    "scythe": _art(13, """
        lllllllllllllbl
        BBBBBBBBBBBBBws
        ............wsd
        ...........wssd
        ..........wssd
        .........wssd
        .......wwssd
        .....wwsssd
        ....wwwsdd
    """),
    "shovel": _art(12, """
        ......ssswww
        lllllssssssww
        BBBBBissssssw
        ......dddsss
    """),
    "hoe": _art(12, """
        lllllllllllbi
        BBBBBBBBBBBBi
        ..........wss
        .........wss
        ........wsd
    """),
    "rake": _art(12, """
        ..........iiii
        ..........i
        ..........iiii
        lllllllllli
        BBBBBBBBBBiiii
        ..........i
        ..........iiii
    """),
}  # fmt: skip
POLES = (
    "spear", "trident", "pitchfork", "dragon spear", "halberd", "scythe", "staff", "quarterstaff", "broom", "shovel",
    "hoe", "rake",
)  # fmt: skip
