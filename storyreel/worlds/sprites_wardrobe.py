"""The thesaurus of the sprites world's clothes: each garment that the sheets have, and every true way to say it.

A garment with a color is composed of the words for the color and those for the garment, either of which may be held
out. Colors are named as the sheet shows them, so the same label has other words on another garment: the blue dress is
(189, 215, 212), hence pale blue, and the blue robe (17, 35, 65), hence navy.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

from storyreel.worlds.sprites_parts import BELTS, CAPES, FEET, HANDS, HEADS, LEGS, TORSOS
from storyreel.worlds.sprites_words import Phrases, phrases

COLOR = {  # of a garment, unless SHADE has its own
    "black": phrases("black | jet-black | coal-black | pitch-black", "ebony | onyx-black"),
    "blue": phrases("blue | royal blue | deep blue", "cobalt-blue"),
    "brown": phrases("brown | dark brown | chestnut | chocolate-brown", "walnut-brown | coffee-colored"),
    "gray": phrases("gray | ash-gray | stone-gray", "pewter-gray"),
    "green": phrases("green | dark green | forest-green | moss-green", "bottle-green | pine-green"),
    "lavender": phrases("lavender | purple | lilac | violet", "mauve"),
    "magenta": phrases("magenta | purple | plum-colored | purplish | mulberry", "raspberry | aubergine"),
    "maroon": phrases("maroon | dark red | burgundy | wine-red", "oxblood | claret"),
    "pink": phrases("pink | rose-pink | pastel pink", "blush-pink"),
    "purple": phrases("purple | dark purple | violet | plum-colored", "aubergine"),
    "red": phrases("red | crimson | scarlet | blood-red | bright red", "cherry-red | vermilion"),
    "teal": phrases("teal | turquoise | cyan | aqua | blue-green", "aquamarine"),
    "white": phrases("white | snow-white | off-white | cream-colored", "ivory | chalk-white"),
    "yellow": phrases("yellow | bright yellow | golden-yellow", "lemon-yellow | canary-yellow"),
    "golden": phrases("golden | gold | gilded", "gilt"),
    "metal": phrases("metal | steel | iron", "burnished steel"),
    "gold": phrases("gold | golden", "gilt"),
    "silver": phrases("silver | silvery"),
    "iron": phrases("iron | dark metal"),
    "leather": phrases("leather | brown leather", "tanned hide"),
}
SHADE = {
    "blue dress": phrases("blue | light blue | pale blue | ice-blue", "powder-blue"),
    "blue robe": phrases("blue | navy | dark blue | navy-blue", "midnight-blue"),
    "green dress": phrases("green | emerald | emerald-green | dark green", "jade-green"),
    "green pants": phrases("green | olive | dark green | moss-green | olive-green", "pine-green"),
    "green cape": phrases("green | grass-green | leaf-green | dark green", "bottle-green"),
    "red robe": phrases("red | dark red | deep red | blood-red", "cherry-red"),
    "red pants": phrases("red | crimson | scarlet | blood-red", "cherry-red | vermilion"),
    "gray robe": phrases("gray | charcoal | dark gray | charcoal-gray", "soot-gray"),
    "gray slippers": phrases("gray | dark gray | charcoal", "soot-gray"),
    "teal pants": phrases("teal | blue-green | dusty teal | sea-green", "sea-colored"),
    "teal belt": phrases("teal | dark teal | deep teal", "petrol-colored"),
    "white dress": phrases("white | snow-white | pure white", "chalk-white"),
    "white pants": phrases("white | snow-white | pure white", "chalk-white"),
    "white slippers": phrases("white | off-white | grayish white"),
    "white robe": phrases("white | off-white | pale", "ash-white"),
    "white cape": phrases("white | snow-white", "chalk-white"),
    "brown robe": phrases("brown | dark brown | deep brown", "coffee-colored"),
    "red bandana": phrases("red | crimson | scarlet | bright red", "cherry-red"),
}
NOUN = {  # {c} is the color
    "shirt": phrases("{c} shirt | {c} top | {c} cloth shirt | {c} linen shirt | {c} blouse", "{c} cotton shirt"),
    "tunic": phrases("{c} tunic | {c} cloth tunic | {c} linen tunic", "{c} smock"),
    "robe": phrases("{c} robe | {c} robes | long {c} robe | flowing {c} robe", "{c} vestments | {c} mage's garb"),
    "dress": phrases("{c} dress | {c} gown", "{c} frock"),
    "corset": phrases("{c} corset | {c} bodice | laced {c} bodice", "{c} bustier"),
    "pants": phrases("{c} pants | {c} trousers | {c} breeches | {c} leggings", "{c} britches | {c} slacks"),
    "skirt": phrases("{c} skirt | {c} kilt | long {c} skirt", "{c} wraparound"),
    "shoes": phrases("{c} shoes | low {c} shoes | {c} footwear", "{c} moccasins"),
    "boots": phrases("{c} boots | high {c} boots | tall {c} boots | long {c} boots", "{c} knee-highs"),
    "slippers": phrases("{c} slippers | soft {c} slippers", "{c} house shoes"),
    "belt": phrases("{c} belt", "{c} girdle | {c} waistband"),
    "cape": phrases("{c} cape | {c} cloak", "{c} mantle"),
    "greaves": phrases("{c} greaves | {c} leg armor | {c} leggings | {c} leg plates", "{c} legguards"),
    "helmet": phrases("{c} helmet | {c} helm", "{c} casque"),
    "gloves": phrases("{c} gloves | {c} gauntlets", "{c} mitts"),
    "bracers": phrases("{c} bracers | {c} wrist guards | {c} armguards", "{c} vambraces"),
    "bandana": phrases("{c} bandana | {c} headscarf | {c} bandanna | {c} head wrap", "{c} kerchief"),
}
WHOLE = {  # garments whose names are not composed, or have more names than those that are
    "bare chest": phrases("bare chest | bare torso | no shirt", "naked upper body"),
    "bare feet": phrases("bare feet | no shoes", "naked feet"),
    "bare head": phrases("bare head | uncovered head", "no headgear"),
    "leather armor": phrases(
        "leather armor | leather | leather jerkin | leather cuirass | brown leather armor | leather breastplate",
        "boiled hide | hide armor",
    ),
    "chain mail": phrases(
        "chain mail | chainmail | mail shirt | mail armor | coat of mail | chainmail shirt | ring mail",
        "hauberk | byrnie",
    ),
    "purple tabard": phrases(
        "purple tabard | tabard over chain mail | purple jacket | violet tabard | purple tabard over mail",
        "purple surcoat",
    ),
    "plate armor": phrases(
        "plate armor | steel armor | breastplate | steel plate | plate | plate mail | suit of plate | knight's armor | "
        "iron armor | silvery plate armor",
        "steel harness | polished full plate",
    ),
    "golden armor": phrases(
        "golden armor | gold armor | gilded plate | gilded armor | golden plate armor | golden breastplate | "
        "gold plate | gold breastplate",
        "gilt cuirass | harness of gold",
    ),
    "formal suit": phrases(
        "formal suit | suit and tie | green vest and tie | green waistcoat and tie | formal vest and tie | suit",
        "formal attire | office clothes",
    ),
    "leather cap": phrases(
        "leather cap | leather hat | feathered hat | feathered cap | brown hat with a red feather | hunter's hat",
        "plumed hat",
    ),
    "kettle hat": phrases(
        "kettle hat | kettle helmet | wide-brimmed helmet | kettle helm | brimmed helmet",
        "war hat | soldier's iron hat",
    ),
    "chain hood": phrases("chain hood | chainmail hood | mail coif | chainmail coif | mail hood", "ringmail coif"),
    "cloth hood": phrases("cloth hood | brown hood | hood | brown cloth hood", "cowl"),
    "tiara": phrases("tiara | crown | circlet | diadem | small crown", "coronet"),
    "cloth bracers": phrases("cloth bracers | cloth wrist wraps | cloth wristbands", "linen wrist wraps"),
    "wings": phrases("wings | dark wings | bat wings | demon wings | purple wings", "devil wings"),
    "metal helmet": phrases(
        "metal helmet | steel helmet | metal helm | steel helm | iron helmet | knight's helmet | great helm",
        "closed bascinet",
    ),
    "white belt": phrases("white belt | white sash | white cloth belt", "white girdle"),
}
_UNCOUNTED = """
armor mail chainmail leather feet pants trousers greaves leggings plates legguards shoes boots slippers gloves
gauntlets bracers wings plate robes vestments garb breeches britches slacks moccasins knee-highs mitts guards
armguards vambraces attire clothes hide footwear headgear wraps wristbands ears eyes hair curls pigtails waves
tails ringlets whiskers
"""
UNCOUNTED = frozenset(_UNCOUNTED.split())
SHIRTLESS = phrases("shirtless | bare-chested", "topless")
BAREFOOT = phrases("barefoot | barefooted", "unshod")
BAREHEADED = phrases("bareheaded", "hatless")


@lru_cache(maxsize=4096)
def with_article(phrase: str) -> str:
    """The phrase with "a" or "an", where it is one thing that can be counted."""
    if phrase.startswith(("a ", "an ", "no ", "not ", "the ")):
        return phrase
    head = phrase
    for joint in (" of ", " with ", " over ", " and ", " in ", " down ", " tied "):
        head = head.split(joint)[0]
    if head.split()[-1] in UNCOUNTED:
        return phrase
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"


def _composed(label: str) -> Phrases:
    color, noun = label.rsplit(" ", 1)
    colors, nouns = SHADE.get(label, COLOR[color]), NOUN[noun]
    known = tuple(n.format(c=c) for n, c in product(nouns.known, colors.known))
    new = tuple(n.format(c=c) for n, c in product(nouns.all, colors.all))
    return Phrases(known, tuple(p for p in new if p not in known))


GARMENT: dict[str, dict[str, Phrases]] = {
    group[0].group: {
        label: WHOLE[label] if label in WHOLE else _composed(label)
        for label in dict.fromkeys(part.label for part in group)
    }
    for group in (TORSOS, LEGS, FEET, HEADS, HANDS, BELTS, CAPES)
}
