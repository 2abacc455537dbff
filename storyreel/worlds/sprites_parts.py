"""The parts of the Liberated Pixel Cup sheets: what there is, for whom, in which file, and on which layer.

A part's `label` is what a person would call it; several sheets may share one label. `{sex}` in a file name stands
for male or female. A sheet whose name holds `no_th-sh` has no thrust and no shoot rows.
"""

from __future__ import annotations

from dataclasses import dataclass

ACTIONS = ("spellcast", "thrust", "walk", "slash", "shoot", "hurt")
FACINGS = ("up", "left", "down", "right")  # the order of the rows
SEXES = ("male", "female")

ROWS = {  # action: (first row, columns of the cycle); the walk's column 0 is its standing frame
    "spellcast": (0, range(0, 7)),
    "thrust": (4, range(0, 8)),
    "walk": (8, range(1, 9)),
    "slash": (12, range(0, 6)),
    "shoot": (16, range(0, 13)),
    "hurt": (20, range(0, 6)),  # one row: the figure faces the viewer and falls
}

FRAMES = 8  # of a clip that shows an action once


def drawing_at(action: str, i: int, frames: int) -> int:
    """Which drawing of an action frame `i` shows of a clip that has it once, in `frames` frames."""
    return (2 * i + 1) * len(ROWS[action][1]) // (2 * frames)


LAYERS = {  # painted from the lowest number to the highest
    "behind": 0, "body": 10, "eyes": 11, "nose": 12, "ears": 13, "legs": 20, "feet": 25, "skirt": 28, "torso": 30,
    "over_torso": 33, "belt": 40, "hands": 45, "back": 50, "neck": 55, "facial_hair": 60, "hair": 65, "head": 70,
    "shield": 80, "weapon": 85, "arrow": 86,
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One choice of one group: the files that draw it, each with its layer."""

    group: str
    label: str
    files: tuple[tuple[str, str], ...]  # (layer, file with {sex})
    sexes: tuple[str, ...] = SEXES
    lacks: tuple[str, ...] = ()  # actions that the sheets do not have
    hides: tuple[str, ...] = ()  # groups that cannot be seen under it

    def suits(self, sex: str, action: str) -> bool:
        return sex in self.sexes and action not in self.lacks


def _part(group: str, label: str, *files: str, layer: str = "", **more) -> Part:
    drawn = tuple((f.split(":")[0], f.split(":")[1]) if ":" in f else (layer or group, f) for f in files)
    lacks = ("thrust", "shoot") if any("no_th-sh" in f for f in files) else ()
    return Part(group, label, drawn, lacks=more.pop("lacks", lacks), **more)


BODIES = {  # label: sheets
    "light": ("light",), "tanned": ("tanned", "tanned2"), "dark": ("dark", "dark2"),
    "dark elf": ("darkelf", "darkelf2"), "orc": ("orc",), "red orc": ("red_orc",), "skeleton": ("skeleton",),
}  # fmt: skip

HAIR_COLORS = {  # label: sheets; sheets between two names (dark-blonde, brunette2, ...) are left out
    "black": ("black", "raven", "raven2"), "blonde": ("blonde", "gold", "blonde2", "light-blonde2"),
    "brown": ("brown", "brunette", "brown2"), "red": ("redhead", "ruby-red"), "blue": ("blue",),
    "green": ("green", "green2"), "purple": ("purple",), "pink": ("pink", "pink2"), "gray": ("gray",),
    "white": ("white", "white-cyan"),
}  # fmt: skip

HAIR_STYLES = {  # sheet: what a person would call it, after the colour
    "bangs": "hair with bangs", "bangslong": "hair with long bangs", "bangslong2": "hair with long bangs",
    "bangsshort": "hair with short bangs", "bedhead": "tousled hair", "bunches": "pigtails", "jewfro": "curly hair",
    "long": "long hair", "longhawk": "long mohawk", "longknot": "long hair in a knot", "loose": "loose hair",
    "messy1": "messy hair", "messy2": "messy hair", "mohawk": "mohawk", "page": "pageboy hair",
    "page2": "pageboy hair", "parted": "parted hair", "pixie": "pixie cut", "plain": "plain hair",
    "ponytail": "ponytail", "ponytail2": "ponytail", "princess": "wavy hair", "shorthawk": "short mohawk",
    "shortknot": "short hair in a knot", "shoulderl": "shoulder-length hair", "shoulderr": "shoulder-length hair",
    "swoop": "swept hair", "unkempt": "unkempt hair", "xlong": "very long hair",
    "xlongknot": "very long hair in a knot",
}  # fmt: skip

FACIAL_HAIR = {
    "beard": "beard", "mustache": "mustache", "bigstache": "big mustache", "frenchstache": "thin mustache",
    "fiveoclock": "stubble",
}  # fmt: skip

WITH_EARS = ("light", "tanned", "dark", "dark elf")  # bodies that have sheets of elven ears and of eyes
EYES = ("blue", "brown", "gray", "green", "orange", "purple", "red", "yellow")

CAPE_COLORS = ("black", "blue", "brown", "gray", "green", "lavender", "maroon", "pink", "red", "white", "yellow")

_M, _F = ("male",), ("female",)
_COVERED = ("legs", "feet")

TORSOS = (
    _part("torso", "bare chest", sexes=_M),
    *(_part("torso", f"{c} shirt", f"torso/shirts/longsleeve/male/{c}_longsleeve", sexes=_M)
      for c in ("brown", "maroon", "teal", "white")),
    *(_part("torso", f"{c} shirt", f"torso/shirts/sleeveless/female/{c}_{cut}", sexes=_F)
      for c in ("brown", "maroon", "teal", "white") for cut in ("sleeveless", "pirate")),
    *(_part("torso", f"{c} tunic", f"torso/tunics/female/{c}_tunic", sexes=_F)
      for c in ("brown", "maroon", "teal", "white")),
    _part("torso", "leather armor", "torso/leather/chest_{sex}", "over_torso:torso/leather/shoulders_{sex}"),
    _part("torso", "chain mail", "torso/chain/mail_{sex}"),
    _part("torso", "purple tabard", "torso/chain/mail_{sex}", "over_torso:torso/chain/tabard/jacket_{sex}"),
    _part("torso", "plate armor", "torso/plate/chest_{sex}", "over_torso:torso/plate/arms_{sex}"),
    _part("torso", "golden armor", "torso/gold/chest_{sex}", "over_torso:torso/gold/arms_{sex}"),
    *(_part("torso", f"{c} robe", f"torso/robes_female_no_th-sh/{f}", sexes=_F, hides=_COVERED)
      for f, c in (("black", "black"), ("blue", "blue"), ("brown", "brown"), ("dark brown", "brown"),
                   ("dark gray", "gray"), ("light gray", "gray"), ("forest green", "green"), ("purple", "purple"),
                   ("red", "red"), ("white", "white"))),
    *(_part("torso", f"{c} dress", f"torso/dress_female/{f}", sexes=_F, hides=("legs",))
      for f, c in (("tightdress_black", "black"), ("tightdress_lightblue", "blue"), ("tightdress_red", "red"),
                   ("tightdress_white", "white"), ("dress_w_sash_female", "green"))),
    *(_part("torso", f"{c} corset", f"torso/corset_female/corset_{c}", sexes=_F) for c in ("black", "brown", "red")),
    _part("torso", "formal suit", "formal_male_no_th-sh/shirt", "over_torso:formal_male_no_th-sh/vest_w_shirt_cutout",
          "neck:formal_male_no_th-sh/tie", sexes=_M),
)  # fmt: skip

LEGS = (
    *(
        _part("legs", f"{c} pants", f"legs/pants/{{sex}}/{c}_pants_{{sex}}")
        for c in ("magenta", "red", "teal", "white")
    ),
    _part("legs", "metal greaves", "legs/armor/{sex}/metal_pants_{sex}"),
    _part("legs", "golden greaves", "legs/armor/{sex}/golden_greaves_{sex}"),
    _part("legs", "brown skirt", "legs/skirt/male/robe_skirt_male", layer="skirt", sexes=_M, hides=("feet",)),
    _part("legs", "green pants", "formal_male_no_th-sh/pants", sexes=_M),
)

FEET = (
    _part("feet", "bare feet"),
    *(_part("feet", f"{c} shoes", f"feet/shoes/{{sex}}/{c}_shoes_{{sex}}") for c in ("black", "brown", "maroon")),
    _part("feet", "metal boots", "feet/armor/{sex}/metal_boots_{sex}"),
    _part("feet", "golden boots", "feet/armor/{sex}/golden_boots_{sex}"),
    *(_part("feet", f"{c} boots", f"feet/boots/female/{c}_longboots_female", sexes=_F) for c in ("brown", "maroon")),
    *(_part("feet", f"{c} slippers", f"feet/slippers_female/{c}", sexes=_F) for c in ("gray", "white")),
)

HEADS = (
    _part("head", "bare head"),
    _part("head", "leather cap", "head/caps/{sex}/leather_cap_{sex}"),
    _part("head", "kettle hat", "head/helms/{sex}/chainhat_{sex}"),
    _part("head", "golden helmet", "head/helms/{sex}/golden_helm_{sex}", lacks=("hurt",)),
    _part("head", "metal helmet", "head/helms/{sex}/metal_helm_{sex}"),
    _part("head", "chain hood", "head/hoods/{sex}/chain_hood_{sex}", hides=("hair",)),
    _part("head", "cloth hood", "head/hoods/{sex}/cloth_hood_{sex}", hides=("hair",)),
    _part("head", "red bandana", "head/bandanas/{sex}/red"),
    *(
        _part("head", "tiara", f"head/tiaras_female/{c}", sexes=_F)
        for c in ("gold", "silver")  # of the others nothing is seen in most hair
    ),
)

HANDS = (
    _part("hands", "metal gloves", "hands/gloves/{sex}/metal_gloves_{sex}"),
    _part("hands", "golden gloves", "hands/gloves/{sex}/golden_gloves_{sex}"),
    _part("hands", "leather bracers", "hands/bracers/{sex}/leather_bracers_{sex}"),
    _part("hands", "cloth bracers", "hands/bracers/female/cloth_bracers_female", sexes=_F),
)

BELTS = (
    _part("belt", "leather belt", "belt/leather/{sex}/leather_{sex}"),
    _part("belt", "white belt", "belt/cloth/{sex}/white_cloth_{sex}"),
    _part("belt", "teal belt", "belt/cloth/female/teal2_cloth_female", sexes=_F),
    *(_part("belt", f"{c} belt", f"belt/cloth/female/{c}_female_no_th-sh", sexes=_F) for c in ("black", "brown")),
    *(
        _part("belt", f"{c} belt", f"belt/metal/female/{c}_female_no_th-sh", sexes=_F)
        for c in ("gold", "silver", "iron")
    ),
)

CAPES = (
    *(_part("cape", f"{c} cape", f"behind:behind_body/cape/{cut}/female/{f}_{c}",
            f"back:torso/back/cape/{cut}/female/{f}_{c}", f"neck:accessories/neck/{clip}/female/{clip}_{c}", sexes=_F)
      for cut, f, clip in (("normal", "cape", "capeclip"), ("tattered", "tattercape", "capetie"))
      for c in CAPE_COLORS if not (cut == "tattered" and c == "lavender")),
    _part("cape", "wings", "back:torso/back/wings/wings_no_th-sh", sexes=_F),
)  # fmt: skip

_OTHER = {
    a: tuple(x for x in ACTIONS if x not in a.split("+"))
    for a in ("thrust+walk", "slash", "walk+slash", "shoot", "thrust")
}

WEAPONS = (
    _part("weapon", "spear", "weapon:weapons/right hand/{sex}/spear_{sex}", lacks=_OTHER["thrust+walk"]),
    _part("weapon", "trident", "weapon:weapons/oversize/two hand/either/trident", lacks=_OTHER["thrust"]),
    _part("weapon", "dragon spear", "weapon:weapons/oversize/two hand/either/dragonspear", lacks=_OTHER["thrust"]),
    _part("weapon", "dagger", "weapon:weapons/right hand/{sex}/dagger_{sex}", lacks=_OTHER["walk+slash"]),
    *(_part("weapon", w, f"weapon:weapons/oversize/right hand/{{sex}}/{w}_{{sex}}", lacks=_OTHER["slash"])
      for w in ("longsword", "mace", "rapier", "saber")),
    _part("weapon", "wand", "weapon:weapons/right hand/{sex}/woodwand_{sex}", lacks=_OTHER["slash"]),
    *(_part("weapon", b.replace("recurve", "recurve ").replace("great", "great "),
            f"weapon:weapons/right hand/either/{b}", "arrow:weapons/left hand/either/arrow",
            "behind:behind_body/equipment/quiver", lacks=_OTHER["shoot"])
      for b in ("bow", "greatbow", "recurvebow")),
    _part("weapon", "shield", "shield:weapons/left hand/male/shield_male_cutoutforbody", sexes=_M,
          lacks=_OTHER["thrust+walk"]),
)  # fmt: skip
