"""What people say of sprites besides the words of the captions: read, never written.

No training caption has these words, so a model does not know them; `sprites_reader` says what they mean, and a prompt
is restated in words that the model knows. They count only where nothing more definite is said: a wizard is a man
unless the prompt says "girl", and wears a robe unless it says what is worn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from storyreel.worlds.sprites_wardrobe import COLOR, GARMENT, SHADE

Meaning = tuple[tuple[str, str], ...]

_PEOPLE = {
    "female": """priestess wife waitress barmaid wench chick mother mom mum mama grandma grandmother granny bride nun
        heroine mistress sister daughter girlfriend duchess countess empress baroness abbess goddess maid milkmaid
        handmaid seamstress valkyrie amazon hag crone governess dancer actress schoolgirl cowgirl she-elf shield-maiden
        shieldmaiden dame ladies gals women girls lassie missus heiress matron mermaid songstress enchantress
        hostess stepmother aunt niece widow maidservant mademoiselle señorita dryad nymph noblewoman""",
    "male": """king prince lord duke baron emperor monk priest sir father dad papa grandpa grandfather gramps brother
        husband son uncle boyfriend groom bro mr cowboy schoolboy waiter butler footman men boys lads guys sultan
        pharaoh friar abbot gent laddie hunk nobleman king's chieftain squire gentlemen stepfather nephew widower
        señor barbarian viking lumberjack blacksmith bishop pope patriarch""",
}
PRONOUNS = {
    "she": "female", "her": "female", "hers": "female", "herself": "female",
    "he": "male", "his": "male", "him": "male", "himself": "male",
}  # fmt: skip
_SKINS = {
    "light": "pale fair white caucasian light pale-faced white-skinned fairskinned very-pale",
    "tanned": "tan tanned bronze bronzed sunburned olive olive-skinned suntanned sun-browned brown-ish",
    "dark": "dark black dark-brown african ebony",
}
_SKIN_NOUNS = """man woman guy girl boy lady lad lass fellow gentleman dude chick kid teenager person human maiden gal
    bloke chap damsel male female archer knight"""
_BODIES = {
    "skeleton": "undead | bones | skelly | skeletal | skeletons | bone man | bag of bones | skull | skeletal warrior | undead bones",
    "orc": "orcs | orcish | green skin | green-skinned | bright green skin | orc's",
    "red orc": "olive skin orc | orc with olive skin | orc with dark green skin | dark orc | olive-skinned orc | "
    "dark-green orc | dark olive orc | dark-olive orc | olive-colored orc | murky green orc | drab green orc",
    "dark elf": "drow elf | dark elves | dark elven | gray skin | gray-skinned | ashen skin | ashen-skinned | ash-skinned | "
    "gray-skinned elven | night elf | shadow elf | deep elf",
    "dark": "skin dark | black-skinned | skin black | dark complexion | dark-complexioned | skin of ebony | brown-complexioned",
    "light": "skin white | skin pale | pale complexion | light complexion | skin white as milk | white as milk | "
    "white as snow | milk-white skin | fair complexion | snow-white skin | lily-white skin | creamy skin",
    "tanned": "tan skin | olive skin | bronzed skin | tan complexion | skin tanned | sunburned skin | golden skin | caramel skin",
}
_LOCKS = ("locks", "tresses", "mane", "braids", "braid", "hairdo", "fringe", "buns", "dreadlocks", "plaits", "bun")
HAIR_IS = ("", "is ", "as ", "of ", "was ", "went ", "gone ", "dyed ", "like ", "turned ", "the color of ")  # black
_FAIR = {
    "blonde": "blond blonde blondie",
    "red": "ginger redheaded red-head gingerhaired",
    "gray": "gray-haired graying",
}
_BEARDS = "bearded | beard | a beard | goatee | with a beard | moustachioed | mustached"

# Garments that are called otherwise, for every color that they have; several nouns: the first label that there is.
_NOUNS = {
    "t-shirt tee blouse top sweater jersey shirt pullover undershirt singlet jumper sleeveless-top": ("shirt", "tunic"),
    "tunic smock jerkin doublet gambeson vest waistcoat tabard kirtle dress-like-tunic": ("tunic", "shirt"),
    "robe robes cassock habit gown toga cloak-robe kimono vestment frock garb dress-like-robe": ("robe", "dress"),
    "dress gown frock sundress ballgown ball-gown robe": ("dress", "robe"),
    "corset bodice bustier corsage basque": ("corset",),
    "pants trousers breeches leggings tights jeans slacks hose britches pantaloons shorts chinos": ("pants", "skirt"),
    "skirt kilt": ("skirt", "pants"),
    "shoes boots sandals loafers sneakers trainers clogs footwear ankle-boots": ("shoes", "boots", "slippers"),
    "boots wellies wellingtons riding-boots jackboots": ("boots", "shoes"),
    "slippers ballet-shoes flats pumps shoes socks": ("slippers", "shoes"),
    "bandana bandanna headband headscarf kerchief headwrap scarf turban do-rag": ("bandana",),
    "cape cloak mantle shawl": ("cape",),
    "belt sash girdle": ("belt",),
}
_COLORS = {  # besides those of the captions
    "red": "crimson scarlet cherry ruby bright-red",
    "maroon": "burgundy wine wine-red dark-red deep-red claret brick-red crimson red",
    "white": "ivory cream snowy bleached silver off-white light beige",
    "brown": "tan beige khaki dark-brown chocolate earthy sandy hazel leather tawny",
    "teal": "turquoise cyan aqua blue blue-green sky-blue light-blue aquamarine",
    "magenta": "purple pink violet fuchsia purple-pink hot-pink",
    "purple": "violet lilac lavender indigo mauve",
    "green": "emerald olive lime jade forest-green dark-green",
    "black": "dark jet-black ebony midnight inky",
    "gray": "silver charcoal slate ashen dark-gray",
    "blue": "navy azure light-blue dark-blue sky-blue sapphire indigo pale-blue baby-blue",
    "golden": "gold gilded gilt brass",
    "gold": "golden gilded gilt",
    "metal": "steel iron metallic silver plate",
    "lavender": "purple violet lilac",
    "pink": "rose",
    "yellow": "golden gold",
}
_WORN = {  # attribute: value: phrases
    "torso": {
        "plate armor": "armor | armored | full armor | suit of armor | platemail | full plate | plate harness | metal armor | "
        "silver armor | steel breastplate | iron breastplate | shining armor | heavy armor | cuirass | steel cuirass | "
        "metal breastplate | silver breastplate | steel plate armor | steel from head to toe | all in steel | "
        "all in iron | all in metal | clad all in steel | iron plate | knightly armor",
        "golden armor": "golden plate | golden mail | gold mail | golden suit of armor | golden cuirass | gilded breastplate | "
        "all in gold | in golden plate | golden plate mail | gold from head to toe | gold cuirass | armor of gold",
        "chain mail": "mail | chain armor | chain-mail | chain shirt | chain | chain-mail shirt | mail hauberk | "
        "chainmail armor | ringmail | shirt of mail | coat of chain | maille | mail coat",
        "leather armor": "leathers | leather jacket | leather vest | leather tunic | leather coat | leather top | leather chest | "
        "leather shirt | hide | studded leather | leather outfit | leather gear | leather breast plate",
        "purple tabard": "tabard | surcoat | purple vest | purple jacket | purple coat | purple tunic | purple shirt | violet tunic | "
        "violet surcoat | purple top",
        "formal suit": "tuxedo | waistcoat | fancy suit | business suit | vest and tie | necktie | tie | dinner jacket | tux | "
        "formal clothes | smart suit | three-piece suit | dress suit",
        "bare chest": "no top | without a shirt | without shirt | shirt off | nothing on top | naked chest | naked torso | "
        "stripped to the waist | bare torso | naked to the waist | bare upper body | no shirt on | topless | bare chested | "
        "shirtless | wearing no shirt | without a top | chest bare",
        "white shirt": "shirt on a white one | white button-up",
    },
    "legs": {
        "metal greaves": "greaves | metal pants | metal leggings | steel pants | steel leggings | iron leggings | plate leggings | "
        "leg armor | plate legs | armored legs | steel legs | metal legs | iron greaves | plated legs | steel trousers | "
        "iron pants | metal trousers | steel leg guards | silver greaves | plate pants | plate greaves",
        "golden greaves": "gold pants | golden pants | golden legs | gold leggings | golden trousers | golden leg plates",
        "brown skirt": "kilt | skirt | loincloth | brown skirt thing | leather skirt | brown pants | brown trousers",
    },
    "feet": {
        "metal boots": "armored boots | plate boots | steel shoes | sabatons | steel sabatons | iron shoes | metal shoes | boots of steel | "
        "boots of iron | silver boots | plated boots | iron boots",
        "golden boots": "boots of gold | gold shoes | golden shoes | golden sabatons | golden slippers",
        "bare feet": "barefoot | no boots | without shoes | shoeless | unshod | feet bare | without boots | bootless | no footwear",
        "brown boots": "leather boots | boots",
        "brown shoes": "leather shoes | sandals | shoes",
        "white slippers": "slippers",
    },
    "head": {
        "metal helmet": "helmet | helm | armored helmet | steel cap | helmet on | metal hat | full helm | visored helmet | "
        "closed helmet | iron helm | silver helmet | visor | steel bucket | bucket helm | steel helm",
        "golden helmet": "helmet of gold | golden cap | gold helmet | gold helm | golden casque",
        "kettle hat": "kettle-hat | brimmed steel hat | steel hat | iron hat | pot helmet | wide-brimmed helm",
        "chain hood": "chain mail coif | chain coif | coif | mail hood | chain-mail hood | hood of mail | mail cap | maille coif",
        "cloth hood": "hooded | cowl | cowled | brown cowl | hoodie",
        "leather cap": "robin hood hat | robin hood style hat | feather hat | hunting cap | hat with a feather | feather cap | "
        "cap | hat | leather helmet | leather helm | cap with a feather | feather in the cap | plumed cap | brown hat",
        "red bandana": "bandana | headscarf | headband | red scarf | red headband | red cloth on the head | bandanna | kerchief",
        "tiara": "crowned | golden crown | gold crown | gold circlet | golden tiara | a crown on | royal crown | silver tiara | wearing a crown",
        "bare head": "no helmet | without a helmet | helmetless | no hat | without a hat | hatless | bareheaded | no helm | "
        "head uncovered | head bare | bare-headed | nothing on the head",
    },
    "hands": {
        "metal gloves": "gauntlets | steel gloves | steel gauntlets | iron gloves",
        "leather bracers": "bracers | wrist guards",
        "golden gloves": "gold gauntlets | golden gauntlets",
    },
    "cape": {"wings": "winged | with wings | bat-winged | demon-winged"},
    "weapon": {
        "longsword": "blade | great sword | two-handed sword | swords | sword swing | big sword | katana | machete",
        "dagger": "daggers | knives | shiv",
        "mace": "axe | ax | hammer | flail | warhammer | war hammer | battle axe | battleaxe | hatchet | mallet",
        "spear": "spears | halberd | polearm | staff spear | glaive",
        "trident": "pitchfork | fork",
        "wand": "staff | scepter | rod",
        "shield": "shields | shield up",
    },
}
_DEEDS = {
    "walk": """walk hike sneak run jog move go patrol approach stalk creep roam travel tiptoe limp step shuffle strut
        prowl parade advance stagger swagger plod tread trek dash sprint hurry rush wander leave come march stroll journey
        dance jump""",
    "slash": """slash smash bash whack cleave slay duel batter brawl beat swipe lash smite carve slit
        clobber punch kick swing chop""",
    "thrust": """thrust pierce impale poke stab jab lunge skewer gore puncture""",
    "spellcast": """spellcast pray chant summon enchant heal curse bless conjure invoke channel meditate bewitch hex cast
        incant""",
    "shoot": """shoot aim snipe nock""",
    "hurt": """die fall collapse perish faint tumble stumble drop crumple expire swoon trip keel topple""",
}  # fmt: skip
_DONE = {  # phrases as they stand
    "walk": "carrying | carries | carry | on a stroll | out for a walk | on the move | on foot | going for a walk | walk cycle | walk animation | walking animation | "
    "a walk | takes a stroll | taking a stroll | on patrol | on the march | stroll | strolls | running an errand",
    "slash": "sword fight | swordfight | slash attack | melee attack | in combat | in battle | slash animation | attack animation | swings | swing | slash",
    "thrust": "thrust attack | thrust animation | stab attack | stab | thrust | jab",
    "spellcast": "spell | spells | magic | magical | spellcasting | spellcasts | spellcast | hexes | fireball | fireballs | lightning | ritual | "
    "arms up | arms raised | waving arms | waves her arms | waves his arms | waving her arms | waving his arms | raises her hands | "
    "raises his hands | hands raised | hands in the air | arms in the air | raises both arms | sorcery | incantation | "
    "casting animation | spell animation | conjuration | prayer | in prayer | frost bolt | magic attack | power of magic | wizardry",
    "shoot": "takes aim | taking aim | archery | arrow | arrows | letting loose | lets loose | target practice | bowshot | "
    "nocks an arrow | shoot animation | looses | loosing | firing | fires",
    "hurt": "killed | slain | death | dead | dying | lifeless | knocked down | knocked out | knocked over | knocked off | knocked off his feet | "
    "knocked off her feet | wounded | injured | defeated | unconscious | hurt | passes out | passing out | bites the dust | "
    "biting the dust | lies down | lying down | lying on the ground | on the ground | falls to his knees | falls to her knees | "
    "falling to his knees | falling to her knees | sinks to the ground | gets hit | is hit | takes a hit | taking damage | takes damage | "
    "getting killed | getting hit | hurt animation | death animation | falls | fall | beaten | goes down | is struck down | struck down | "
    "gives up the ghost | drops to the floor | hits the ground | hits the floor | shot down | in pain | fatally wounded",
}  # fmt: skip
_OUR = (
    "me",
    "us",
    "you",
    "the viewer",
    "the camera",
    "the player",
    "the screen",
    "the front",
    "the audience",
    "viewer",
    "camera",
)
_FACED = {
    "down": (
        *(f"{to} {us}" for to in ("at", "toward", "towards", "facing", "faces", "to", "eyeing", "face") for us in _OUR),
        *("front facing", "front-facing", "faces front", "facing front", "frontal", "from in front", "front-on", "face on", "full face"),
        *("in front view", "front", "forward", "forwards", "approaching us", "coming closer", "head on", "face forward", "face-on"),
        *("toward south", "heading south", "bottom of the screen", "face to the camera", "closer to us", "our way", "straight at us"),
    ),
    "up": (
        *(f"{of} {us}" for of in ("back to", "away from", "his back to", "her back to", "backs to", "back turned to") for us in _OUR),
        *("from the rear", "behind", "back turned", "camera behind him", "camera behind her", "camera behind them", "rear"),
        *("we see his back", "we see her back", "we see the back", "going away", "seen from the rear", "backside"),
        *("top of the screen", "heading north", "back facing", "back side", "turns away", "turning away", "back of the head"),
    ),
    "left": (
        *("leftwards", "left side view", "left profile", "pointing left", "heading west", "heading left", "side view left", "left side"),
        *("left view", "faces left", "faces west", "from right to left", "on the left", "pointing west", "turns left", "left-wards"),
        *("looks left", "looks west", "aiming left", "going left", "westerly", "left-hand side", "leftways", "to his left", "to her left"),
    ),
    "right": (
        *("rightwards", "right side view", "right profile", "pointing right", "heading east", "heading right", "side view right", "right side"),
        *("right view", "faces right", "faces east", "from left to right", "on the right", "pointing east", "turns right", "right-wards"),
        *("looks right", "looks east", "aiming right", "going right", "easterly", "right-hand side", "to his right", "to her right"),
    ),
}  # fmt: skip
_LOOKS = {  # what people of a calling look like, as far as nothing else is said
    "knight paladin crusader templar champion cavalier": "torso=plate armor head=metal helmet legs=metal greaves",
    "guard guardsman soldier sentry watchman mercenary man-at-arms footman infantryman": "torso=chain mail",
    "spearman pikeman lancer spearwoman": "torso=chain mail weapon=spear",
    "princess queen empress duchess countess": "head=tiara sex=female",
    "king emperor prince royal": "head=tiara sex=male",
    "wizard warlock": "torso=blue robe sex=male action=spellcast",
    "sorcerer": "torso=purple robe sex=male action=spellcast",
    "mage magician spellcaster conjurer enchanter summoner magus necromancer": "torso=purple robe action=spellcast",
    "witch sorceress": "torso=black robe sex=female action=spellcast",
    "cleric healer priest priestess druid shaman": "torso=white robe",
    "monk friar": "torso=brown robe sex=male",
    "nun": "torso=black robe sex=female",
    "archer ranger hunter huntress bowman bowwoman huntsman marksman": "torso=leather armor action=shoot",
    "bandit thief rogue assassin outlaw burglar robber brigand highwayman": "torso=leather armor head=cloth hood",
    "pirate buccaneer corsair": "head=red bandana",
    "peasant farmer villager shepherd": "torso=brown shirt",
    "barbarian gladiator caveman": "torso=bare chest",
    "gentleman nobleman butler groom": "torso=formal suit sex=male",
    "viking": "torso=leather armor head=metal helmet sex=male",
    "bride": "torso=white dress sex=female",
    "swordfighter swordsman swordswoman": "weapon=longsword",
    "side-view from-the-side in-profile side-on sideways profile sideview side-profile side-scroller": "facing=right",
    "ninja": "torso=leather armor head=cloth hood",
}
NEAR = {  # what people ask for that there is not -> (attribute, value)
    ("body", "skeleton"): ("zombie", "ghost", "mummy", "lich", "ghoul", "wraith", "undead"),
    ("body", "orc"): ("goblin", "troll", "ogre", "monster", "alien"),
    ("body", "dark elf"): ("vampire", "demon", "gnome"),
    ("weapon", "mace"): ("axe", "hammer", "flail"),
    ("weapon", "longsword"): ("katana", "machete"),
    ("weapon", "wand"): ("staff", "scepter"),
    ("weapon", "bow"): ("crossbow", "gun", "rifle", "pistol"),
    ("action", "walk"): ("running", "run", "runs", "jumping", "dancing", "sitting", "flying"),
    ("action", "slash"): ("fighting", "punching", "kicking"),
}
_IRREGULAR = {"lie": "lying", "die": "dying"}


def inflected(verb: str) -> tuple[str, ...]:
    """walk -> walk, walks, walking, walked: regular forms; a short vowel doubles the consonant (stab, stabbing)."""
    third = f"{verb}es" if re.search(r"(s|sh|ch|x|z|o)$", verb) else re.sub(r"(?<=[^aeiou])y$", "ie", verb) + "s"
    stem = verb[:-1] if verb.endswith("e") and not verb.endswith("ee") else verb
    if re.search(r"(^|[^aeiou])[aeiou][bdgmnpt]$", verb) and len(verb) < 5:
        stem += verb[-1]
    return verb, third, _IRREGULAR.get(verb, f"{stem}ing"), f"{stem}ed".replace("yed", "ied")


def meanings() -> Iterator[tuple[str, Meaning]]:
    """(phrase, (attribute, value) pairs), the more definite first."""
    yield from _people()
    for color, words in _FAIR.items():
        yield from ((word, (("hair_color", color),)) for word in words.split())
    yield from ((phrase.strip(), (("sex", "male"),)) for phrase in _BEARDS.split("|"))
    for attribute, values in _WORN.items():
        for value, phrases in values.items():
            yield from ((phrase.strip(), ((attribute, value),)) for phrase in phrases.split("|"))
    yield from _colored()
    for value, phrases in _DONE.items():
        yield from ((phrase.strip(), (("action", value),)) for phrase in phrases.split("|"))
    for value, verbs in _DEEDS.items():
        yield from ((form, (("action", value),)) for verb in verbs.split() for form in inflected(verb))
    for value, phrases in _FACED.items():
        yield from ((phrase, (("facing", value),)) for phrase in phrases)
    yield from ((word, (near,)) for near, others in NEAR.items() for word in others)


def looks() -> Iterator[tuple[str, Meaning]]:
    """(calling, what somebody of it looks like)."""
    for names, look in _LOOKS.items():
        meaning = tuple((a, v) for a, v in re.findall(r"(\w+)=([a-z ]+?)(?= \w+=|$)", look))
        yield from ((name, meaning) for name in names.split())


def hair_nouns() -> tuple[str, ...]:
    return _LOCKS


def _people() -> Iterator[tuple[str, Meaning]]:
    for sex, names in _PEOPLE.items():
        yield from ((name, (("sex", sex),)) for name in names.split())
    for skin, words in _SKINS.items():
        yield from (
            (f"{word} {noun}", (("body", skin), *sexed(noun)))
            for word, noun in product(words.split(), _SKIN_NOUNS.split())
        )
    for body, phrases in _BODIES.items():
        yield from ((phrase.strip(), (("body", body),)) for phrase in phrases.split("|"))


def sexed(noun: str) -> Meaning:
    """The sex that a noun says by itself: a spearman is a man, a shaman may be anybody."""
    if noun in ("woman", "girl", "lady", "lass", "chick", "maiden", "gal", "damsel", "female") or noun.endswith(
        "woman"
    ):
        return (("sex", "female"),)
    male = noun in ("man", "guy", "boy", "lad", "fellow", "gentleman", "dude", "bloke", "chap", "male")
    return (("sex", "male"),) if male or (noun.endswith("man") and noun not in ("human", "shaman", "woman")) else ()


def _colored() -> Iterator[tuple[str, Meaning]]:
    """Garments by color: those that there are, by all nouns and colors that come near."""
    labels = {label: group for group, worn in GARMENT.items() for label in worn}
    for nouns, kinds in _NOUNS.items():
        for kind in kinds:
            for color in COLOR:
                label = f"{color} {kind}"
                if label not in labels:
                    continue
                own = SHADE.get(label, COLOR[color]).all
                for said, noun in product((color, *own, *_COLORS.get(color, "").split()), nouns.split()):
                    yield f"{said} {noun}", ((labels[label], label),)
