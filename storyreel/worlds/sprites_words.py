"""The thesaurus of the sprites world, all but its clothes: people, hair, weapons, actions and directions.

Every value of an attribute has a list of phrases, the commonest first, in American spelling. `held_out` phrases
never occur in training captions: they measure whether a model understands words that no template gave it
(`--phrasing held-out`). Colors are named as the sheets show them: red hair is (156, 0, 0), so "crimson" is true of it
and "strawberry" is not; the orcs that the sheets call red are olive green, and are called both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """The ways to say one value of one attribute."""

    known: tuple[str, ...]
    held_out: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.known + self.held_out


def phrases(known: str, held_out: str = "") -> Phrases:
    """From two lists with " | " between the phrases."""
    parts = (tuple(p.strip() for p in text.split("|") if p.strip()) for text in (known, held_out))
    return Phrases(*parts)


SEX = {
    "male": phrases("man | guy | male | boy | fellow | lad | gentleman", "bloke | chap | dude"),
    "female": phrases("woman | lady | female | girl | lass", "maiden | gal | damsel"),
}
SOMEBODY = ("person", "character", "figure", "hero", "adventurer", "villager", "traveler")
SKIN = {  # adjectives; those in BEFORE_NOUN stand directly before the noun
    "light": phrases(
        "light-skinned | pale | fair-skinned | pale-skinned | white", "ivory-skinned | milk-skinned | porcelain-skinned"
    ),
    "tanned": phrases(
        "tanned | bronze-skinned | sun-tanned | tan-skinned | golden-skinned", "bronzed | sun-kissed | sunburnt"
    ),
    "dark": phrases("dark-skinned | brown-skinned | black | dark brown-skinned", "ebony-skinned | mahogany-skinned"),
}
BEFORE_NOUN = ("white", "black")
COMPLEXION = {  # for "with ..."
    "light": phrases("pale skin | light skin | fair skin | white skin", "ivory skin"),
    "tanned": phrases("tanned skin | bronze skin | sun-tanned skin", "sun-kissed skin"),
    "dark": phrases("dark skin | brown skin | black skin", "ebony skin"),
}
PEOPLE = {  # nouns
    "dark elf": phrases(
        "dark elf | drow | gray-skinned elf | gray elf | ashen-skinned elf",
        "dusk elf | slate-skinned elf",
    ),
    "orc": phrases("orc | green orc | green-skinned orc | bright green orc", "greenskin | emerald-skinned orc | ork"),
    "red orc": phrases(
        "red orc | olive orc | olive-skinned orc | olive-green orc | dark green orc | moss-green orc",
        "swamp orc | khaki-skinned orc",
    ),
    "skeleton": phrases(
        "skeleton | undead skeleton | bony skeleton | living skeleton | animated skeleton",
        "skeletal creature | undead bag of bones",
    ),
}
ELVEN = phrases("elven | pointy-eared | elf-eared", "elfin")
ELF = phrases("elf | wood elf", "high elf")
EARS = phrases("pointed ears | elf ears | pointy ears | elven ears", "long pointed elf ears")

ROLES = {  # name: (neutral noun, male, female); which of them suits whom: sprites_phrases
    "royal": (Phrases(()), Phrases(()), phrases("princess | queen", "noblewoman")),
    "knight": (phrases("knight | armored knight", "paladin"), Phrases(()), Phrases(())),
    "archer": (phrases("archer | bow hunter", "marksman"), phrases("bowman"), phrases("huntress")),
    "mage": (
        phrases("mage | spellcaster | magician", "magic user"),
        phrases("wizard | sorcerer", "warlock"),
        phrases("witch | sorceress", "enchantress"),
    ),
    "swordsman": (Phrases(()), phrases("swordsman"), phrases("swordswoman")),
    "warrior": (phrases("warrior | fighter | soldier", "combatant"), Phrases(()), Phrases(())),
}

HAIR_COLOR = {
    "black": phrases("black | raven | jet-black | raven-black | coal-black | pitch-black", "ebony | onyx | sable"),
    "blonde": phrases(
        "blonde | golden | blond | yellow | fair | flaxen | honey-blonde",
        "straw-colored | wheat-colored",
    ),
    "brown": phrases(
        "brown | chestnut | brunette | dark brown | nut-brown | chocolate-brown",
        "walnut | umber | coffee-colored",
    ),
    "red": phrases("red | crimson | scarlet | ginger | fiery red | flame-red | ruby-red", "cherry-red | vermilion"),
    "blue": phrases("blue | dark blue | navy | deep blue | sapphire-blue | cobalt", "ultramarine | ink-blue"),
    "green": phrases(
        "green | emerald | dark green | forest-green | emerald-green | leaf-green",
        "viridian | clover-green",
    ),
    "purple": phrases("purple | violet | plum-colored | deep purple | amethyst", "grape-colored | aubergine"),
    "pink": phrases("pink | rose-pink | rosy | magenta-pink | hot pink", "raspberry | fuchsia"),
    "gray": phrases("gray | iron-gray | ash-gray | dark gray | steel-gray", "pewter | smoky gray"),
    "white": phrases("white | snow-white | silver | silvery white | snowy | platinum", "frost-white | alabaster"),
}
HAIRED = {  # adjectives for the whole person, besides "COLOR-haired"
    "red": phrases("red-headed | flame-haired"),
    "blonde": phrases("fair-headed | tow-headed"),
    "brown": phrases("brown-headed"),
    "white": phrases("white-headed"),
    "black": phrases("black-headed"),
}
HEADS = {"red": "redhead", "blonde": "blonde", "brown": "brunette"}  # nouns
HAIR_STYLE = {  # {c} is the color, or nothing
    "bald": phrases("no hair | a bald head", "not a hair on the head"),
    "hair with bangs": phrases("{c} hair with bangs | {c} hair with a fringe"),
    "hair with long bangs": phrases("{c} hair with long bangs | {c} hair with a long fringe"),
    "hair with short bangs": phrases("{c} hair with short bangs | {c} hair with a short fringe"),
    "tousled hair": phrases("tousled {c} hair | {c} tousled hair | ruffled {c} hair", "rumpled {c} hair"),
    "pigtails": phrases("{c} pigtails | {c} hair in pigtails | {c} hair in two bunches", "twin {c} tails"),
    "curly hair": phrases("curly {c} hair | {c} curly hair | {c} curls | a {c} afro", "{c} ringlets"),
    "long hair": phrases("long {c} hair | {c} long hair"),
    "long mohawk": phrases("a long {c} mohawk"),
    "long hair in a knot": phrases("long {c} hair in a knot | long {c} hair tied in a bun"),
    "loose hair": phrases("loose {c} hair | {c} loose hair", "unbound {c} hair"),
    "messy hair": phrases("messy {c} hair | {c} messy hair | spiky {c} hair", "shaggy {c} hair"),
    "mohawk": phrases("a {c} mohawk | {c} hair in a mohawk", "a {c} mohican"),
    "pageboy hair": phrases("{c} pageboy hair | a {c} pageboy cut | a {c} bob"),
    "parted hair": phrases("parted {c} hair | {c} parted hair"),
    "pixie cut": phrases("a {c} pixie cut | {c} hair in a pixie cut"),
    "plain hair": phrases("plain {c} hair | simple {c} hair"),
    "ponytail": phrases("a {c} ponytail | {c} hair in a ponytail", "{c} hair tied back"),
    "wavy hair": phrases("wavy {c} hair | {c} wavy hair | {c} waves"),
    "short mohawk": phrases("a short {c} mohawk"),
    "short hair in a knot": phrases("short {c} hair in a knot | {c} hair in a topknot"),
    "shoulder-length hair": phrases(
        "shoulder-length {c} hair | {c} shoulder-length hair | {c} hair down to the shoulder",
    ),
    "swept hair": phrases("swept {c} hair | {c} swept hair | swept-back {c} hair"),
    "unkempt hair": phrases("unkempt {c} hair | {c} unkempt hair", "uncombed {c} hair"),
    "very long hair": phrases("very long {c} hair | {c} very long hair | {c} hair down to the waist"),
    "very long hair in a knot": phrases("very long {c} hair in a knot"),
}
BALD = phrases("bald | bald-headed | hairless", "shaven-headed")
FACIAL_HAIR = {
    "beard": phrases("{c} beard | full {c} beard", "{c} chin beard"),
    "mustache": phrases("{c} mustache", "{c} whiskers"),
    "big mustache": phrases("big {c} mustache | large {c} mustache | bushy {c} mustache", "{c} walrus mustache"),
    "thin mustache": phrases("thin {c} mustache | {c} pencil mustache", "narrow {c} mustache"),
}
EYES = ("blue", "brown", "gray", "green", "orange", "purple", "red", "yellow")

WEAPON = {
    "spear": phrases("spear | lance | pike | long spear", "javelin"),
    "trident": phrases("trident | three-pronged spear", "three-tined fork"),
    "dragon spear": phrases("dragon spear | blue spear | blue-shafted spear | dragon lance", "azure-shafted spear"),
    "dagger": phrases("dagger | knife | short blade", "dirk | stiletto"),
    "longsword": phrases("longsword | sword | long sword | broadsword", "claymore | greatsword"),
    "mace": phrases("mace | club | spiked mace | morning star", "cudgel | bludgeon"),
    "rapier": phrases("rapier | thin sword | slender sword | fencing sword", "fencing foil"),
    "saber": phrases("saber | curved sword | scimitar", "cutlass | curved blade"),
    "wand": phrases("wand | magic wand | wooden wand", "wizard's rod"),
    "bow": phrases("bow | short bow | simple bow", "wooden shortbow"),
    "great bow": phrases("great bow | longbow | large bow | big bow", "warbow"),
    "recurve bow": phrases("recurve bow | recurved bow", "double-curved bow"),
    "shield": phrases("shield | round shield | wooden shield", "buckler | targe"),
}
ATTACKS = {  # action -> the weapons that are drawn in it alone
    "slash": ("longsword", "mace", "rapier", "saber", "wand"),
    "thrust": ("spear", "trident", "dragon spear"),
    "shoot": ("bow", "great bow", "recurve bow"),
}
ATTACKS_TOO = {"slash": ("dagger",), "thrust": ("shield",)}  # those drawn in other actions, too, when they attack

_VERBS = """
walk walking walks | stroll strolling strolls | march marching marches | stride striding strides |
pace pacing paces | wander wandering wanders | amble ambling ambles | saunter sauntering saunters |
trudge trudging trudges | slash slashing slashes | swing swinging swings | hack hacking hacks | hew hewing hews |
cleave cleaving cleaves | slice slicing slices | cut cutting cuts | chop chopping chops | do doing does |
attack attacking attacks | thrust thrusting thrusts | stab stabbing stabs | jab jabbing jabs |
lunge lunging lunges | poke poking pokes | prod prodding prods | skewer skewering skewers | cast casting casts |
conjure conjuring conjures | work working works | weave weaving weaves | chant chanting chants | use using uses |
perform performing performs | recite reciting recites | summon summoning summons | shoot shooting shoots |
fire firing fires | loose loosing looses | let letting lets | aim aiming aims | release releasing releases |
fall falling falls | get getting gets | collapse collapsing collapses | die dying dies | drop dropping drops |
crumple crumpling crumples | faint fainting faints | keel keeling keels | topple toppling topples |
slump slumping slumps | carry carrying carries | hold holding holds | wield wielding wields | take taking takes |
make making makes | strike striking strikes | drive driving drives | brandish brandishing brandishes
"""
VERBS = {base: (ing, s) for base, ing, s in map(str.split, _VERBS.split("|"))}  # base: (-ing, -s)
ACTION = {  # said without the weapon
    "walk": phrases(
        "walk | stroll | march | stride | walk along | wander | pace | take a walk",
        "saunter | trudge | amble",
    ),
    "slash": phrases(
        "slash | swing | hack | hew | strike with a slash | do a slash | slice | cut | make a slashing attack",
        "chop | cleave the air",
    ),
    "thrust": phrases("thrust | stab | jab | lunge | poke | make a thrust | make a stabbing attack", "prod | skewer"),
    "spellcast": phrases(
        "cast a spell | do magic | conjure | cast magic | use magic | cast | work magic | weave a spell | "
        "chant a spell | "
        "cast an enchantment",
        "perform sorcery | recite an incantation",
    ),
    "shoot": phrases(
        "shoot an arrow | shoot | loose an arrow | fire an arrow | let an arrow fly | aim an arrow",
        "release an arrow | let fly",
    ),
    "hurt": phrases(
        "fall down | get hurt | collapse | die | fall to the ground | fall over | drop to the ground | faint | "
        "drop dead | crumple to the ground | fall",
        "keel over | topple over | slump to the floor",
    ),
}
ARMED = {  # said with the weapon {w}, article and all
    "slash": phrases(
        "slash with {w} | swing {w} | attack with {w} | hack with {w} | strike with {w} | hew with {w}",
        "chop with {w}",
    ),
    "thrust": phrases("thrust {w} | stab with {w} | attack with {w} | jab with {w} | lunge with {w}", "prod with {w}"),
    "shoot": phrases(
        "shoot {w} | shoot an arrow with {w} | fire {w} | loose an arrow from {w} | aim {w}",
        "release an arrow from {w}",
    ),
    "walk": phrases(
        "walk with {w} | march with {w} | walk holding {w} | walk along with {w} | stride with {w}",
        "trudge with {w}",
    ),
}
TARGETS = ("someone", "somebody", "an enemy", "a foe", "an opponent", "an unseen enemy")
AIMED = {"slash", "hack", "hew", "slice", "stab", "jab", "lunge", "poke", "thrust", "swing", "shoot", "cut"}

# Where the character faces. course: after a verb. stance, view: anywhere. adjective: before the noun. {p} is "her",
# "his", "their" or "the".
FACING = {
    "left": {
        "course": phrases(
            "to the left | left | west | westward | to the west | leftward | toward the left | "
            "towards the west | westwards",
            "off to the left | to the left side of the screen",
        ),
        "stance": phrases(
            "facing left | looking left | turned left | turned to the left | facing west | looking west | "
            "facing to the left",
            "pointed west | gazing left",
        ),
        "view": phrases("seen from the left side | in left profile | in profile facing left", "left side on"),
        "adjective": phrases("left-facing | west-facing", "westbound"),
    },
    "right": {
        "course": phrases(
            "to the right | right | east | eastward | to the east | rightward | toward the right | towards the east | "
            "eastwards",
            "off to the right | to the right side of the screen",
        ),
        "stance": phrases(
            "facing right | looking right | turned right | turned to the right | facing east | looking east | "
            "facing to the right",
            "pointed east | gazing right",
        ),
        "view": phrases("seen from the right side | in right profile | in profile facing right", "right side on"),
        "adjective": phrases("right-facing | east-facing", "eastbound"),
    },
    "up": {
        "course": phrases(
            "away from us | away | up | north | northward | to the north | up the screen | upward | upwards | "
            "away from the viewer | away from the camera | away from me | northwards",
            "into the distance | off to the north",
        ),
        "stance": phrases(
            "facing away | facing up | facing north | turned away | with {p} back to us | with {p} back turned | "
            "facing away from the viewer | with {p} back to the camera | looking away",
            "pointed north | with {p} face hidden from us",
        ),
        "view": phrases(
            "from behind | seen from the back | seen from behind | seen over {p} shoulder | over the shoulder | "
            "viewed from the rear | "
            "from the back | rear view | back view",
            "shown from the rear | as viewed by a follower",
        ),
        "adjective": phrases("north-facing | away-facing", "northbound"),
    },
    "down": {
        "course": phrases(
            "toward us | towards us | down | south | southward | to the south | down the screen | downward | "
            "downwards | "
            "toward the viewer | towards the camera | towards me | toward the player | southwards",
            "up to the viewer | off to the south",
        ),
        "stance": phrases(
            "facing the viewer | facing forward | facing down | facing the camera | facing south | facing us | "
            "facing me | "
            "looking at the viewer | looking at us | turned toward us",
            "pointed south | eyeing the camera",
        ),
        "view": phrases(
            "from the front | seen from the front | viewed from the front | head-on | front view | shown frontally",
            "shown from the front | face to face with us",
        ),
        "adjective": phrases("front-facing | south-facing | forward-facing", "southbound"),
    },
}
