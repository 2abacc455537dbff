"""How a photographer words a scene of the world `skies`: phrases, sentence forms and the attributes they say."""

from __future__ import annotations

from storyreel.worlds import Attribute
from storyreel.worlds.scene_grammar import Bank, Grammar, attribute

BANK: Bank = {
    "time.adv": {
        "dawn": ("at dawn", "at daybreak", "at sunrise", "in the early morning", "at first light",
            "as the day begins"),
        "noon": ("at noon", "at midday", "in the middle of the day", "in broad daylight", "around noon"),
        "dusk": ("at dusk", "at sunset", "in the evening", "at sundown", "in the evening glow", "as the day ends"),
        "night": ("at night", "by night", "after dark", "in the middle of the night", "under a night sky"),
    },
    "time.adj": {
        "dawn": ("dawn", "early morning", "sunrise"),
        "noon": ("midday", "noon", "daytime"),
        "dusk": ("dusk", "evening", "sunset"),
        "night": ("night", "nocturnal"),
    },
    "time.clause": {
        "dawn": ("day is breaking", "it is dawn", "the morning begins", "the day dawns"),
        "noon": ("it is noon", "it is the middle of the day", "it is midday"),
        "dusk": ("evening falls", "it is dusk", "the day is ending", "the evening comes"),
        "night": ("it is night", "night has fallen", "it is dark"),
    },
    "land.noun": {
        "sea": ("the sea", "the open sea", "the ocean", "a wide sea", "open water", "the ocean's waves"),
        "lake": ("a mountain lake", "a lake among mountains", "an alpine lake", "a lake below peaks", "a still lake"),
        "hills": ("rolling hills", "gentle hills", "hills with trees", "hilly country", "a hilly landscape"),
        "mountains": ("jagged mountains", "a mountain range", "rocky peaks", "mountains behind fir trees",
            "steep mountains"),
        "city": ("a city", "a city skyline", "a city by the water", "a skyline of towers", "tall buildings",
            "a big town"),
    },
    "clouds.noun": {
        "clear": ("a clear sky", "a cloudless sky", "an empty sky", "a sky without a cloud", "a clean sky"),
        "wispy": ("[{cover.adj} ]wispy clouds", "[{cover.adj} ]thin high clouds", "[{cover.adj} ]cirrus clouds",
            "[{cover.adj} ]feathery clouds"),
        "puffy": ("[{cover.adj} ]puffy clouds", "[{cover.adj} ]cumulus clouds", "[{cover.adj} ]fluffy clouds",
            "[{cover.adj} ]heaped clouds"),
        "overcast": ("a gray overcast", "a layer of gray clouds", "an overcast sky", "a closed gray sky",
            "a blanket of clouds"),
        "storm": ("dark storm clouds", "a stormy sky", "heavy dark clouds", "a threatening sky", "black storm clouds"),
    },
    "clouds.subject": {
        "wispy": ("[{cover.adj} ]wispy clouds", "[{cover.adj} ]cirrus clouds", "[{cover.adj} ]feathery clouds"),
        "puffy": ("[{cover.adj} ]puffy clouds", "[{cover.adj} ]cumulus clouds", "[{cover.adj} ]fluffy clouds"),
        "overcast": ("gray clouds without a gap", "overcast clouds", "layers of gray clouds"),
        "storm": ("dark storm clouds", "heavy dark clouds", "black storm clouds"),
    },
    "clouds.tag": {
        "clear": ("clear sky", "cloudless", "no clouds"),
        "wispy": ("wispy clouds", "cirrus", "thin clouds"),
        "puffy": ("puffy clouds", "cumulus", "fluffy clouds"),
        "overcast": ("overcast", "gray clouds", "gray sky"),
        "storm": ("storm clouds", "stormy sky", "dark clouds"),
    },
    "cover.adj": {"few": ("a few", "scattered", "few", "sparse"), "many": ("many", "dense", "crowded", "plenty of")},
    "cover.tag": {"few": ("few clouds", "scattered clouds"), "many": ("many clouds", "dense clouds")},
    "speed.ing": {
        "slow": ("drifting slowly", "slowly moving", "creeping", "gliding slowly", "moving slowly"),
        "fast": ("racing", "rushing", "speeding", "moving fast", "flying fast", "hurrying"),
    },
    "speed.finite": {
        "slow": ("drift slowly", "creep", "move slowly", "glide slowly", "pass slowly"),
        "fast": ("race", "rush", "speed", "move fast", "hurry"),
    },
    "direction.adv": {
        "left": ("to the left", "leftwards", "from right to left", "towards the left"),
        "right": ("to the right", "rightwards", "from left to right", "towards the right"),
        "nearer": ("towards us", "towards the camera", "towards the viewer", "overhead towards us",
            "nearer and nearer"),
    },
    "weather.adv": {
        "rain": ("in the rain", "in pouring rain", "while it rains", "with rain falling", "on a rainy day"),
        "snow": ("in the snow", "in falling snow", "while it snows", "with snow falling", "on a snowy day"),
    },
    "weather.clause": {
        "rain": ("rain falls", "it is raining", "it rains", "the rain comes down"),
        "snow": ("snow falls", "it is snowing", "it snows", "snowflakes come down"),
    },
    "weather.noun": {"rain": ("rain", "falling rain", "a shower of rain"), "snow": ("snow", "falling snow",
        "a snowfall")},
    "light.noun": {
        "sun": ("the sun", "a glowing sun", "a bright sun", "the disc of the sun"),
        "moon": ("a full moon", "the moon", "a bright moon", "a pale moon"),
        "stars": ("stars", "twinkling stars", "a sky full of stars", "countless stars"),
    },
    "light.clause": {
        "sun": ("the sun shines", "the sun glows", "the sun is out"),
        "moon": ("the moon shines", "the moon is out", "a full moon shines"),
        "stars": ("the stars are out", "stars twinkle", "the stars shine"),
    },
}  # fmt: skip
PARTS = {
    "drift": ("{speed.ing}[ {direction.adv}]", "(moving|passing|drifting) {direction.adv}", "{speed.ing}"),
    "drifts": ("{speed.finite}[ {direction.adv}]", "(move|pass|drift) {direction.adv}", "{speed.finite}"),
    "sky": ("{clouds.noun}[ {drift}]", "{clouds.noun}", "(the|its) clouds {drift}"),
    "medium": (
        "(a|one) (time lapse|timelapse|clip|video|film) of",
        "footage of",
        "a (wide|long) shot of",
        "a landscape:",
    ),
}
FORMS = (
    "{clouds.noun}[ {drift}] over {land.noun}[ {time.adv}][, {weather.adv}][, {light.noun} in the sky]",
    "{land.noun}[ {time.adv}] under {clouds.noun}[ {drift}][, {weather.adv}][, with {light.noun}]",
    "{medium} {land.noun}[ {time.adv}][, {sky}][, {weather.noun}][ and {light.noun}]",
    "[{time.adv}, ]{clouds.subject} {drifts} (over|above) {land.noun}[; {weather.clause}][; {light.clause}]",
    "{land.noun}[ {time.adv}]. {clouds.noun}[ {drift}].[ {weather.clause}.][ {light.clause}.]",
    "{time.clause} over {land.noun}[, {sky}][, {weather.adv}][, {light.noun} above]",
    "[{time.adj}, ]{land.noun}, [{cover.tag}, ]{clouds.tag}[, {drift}][, {weather.noun}][, {light.noun}]",
    "[{light.noun} and ]{clouds.noun}[ {drift}] (above|over) {land.noun}[ {time.adv}][, {weather.adv}]",
    "a {time.adj} (view|picture|scene|shot) of {land.noun}[ with {sky}][, {weather.noun}][ and {light.noun}]",
    "(view over|looking at|a view of) {land.noun}[ {time.adv}][: {sky}][, {weather.adv}][, {light.noun}]",
    "{weather.clause} (on|over) {land.noun}[ {time.adv}][ from {clouds.noun}][, {drift}]",
    "(we see|you see) {clouds.noun}[ {drift}][ and {light.noun}] over {land.noun}[ {time.adv}][, {weather.adv}]",
    "{land.noun}[ {time.adv}][, {weather.adv}], while {clouds.subject} {drifts}[ and {light.clause}]",
    "[{light.clause} ]over {land.noun}[ {time.adv}], with {sky}[, {weather.adv}]",
)
SHORT = (
    "{land.noun}[ {time.adv}][ {weather.adv}]",
    "{land.noun} under {clouds.noun}",
    "[{time.adv}, ]{clouds.noun}[ {drift}]",
    "clouds {drift}[ over {land.noun}][ {time.adv}]",
    "[the ]clouds {drifts}[ over {land.noun}]",
    "{cover.tag}[ {drift}][ over {land.noun}]",
    "{light.noun}[ over {land.noun}][ {time.adv}]",
    "a {time.adj} (sky|view|scene)[ with {light.noun}]",
    "a {time.adj} (sky|view|scene)[ over {land.noun}]",
    "{weather.clause}[ over {land.noun}][ {time.adv}]",
    "{weather.noun}[ over {land.noun}]",
    "{time.clause}[ over {land.noun}]",
    "{light.clause}",
    "{clouds.noun}[ and {light.noun}][ {time.adv}]",
)
GRAMMAR = Grammar(FORMS, SHORT, BANK, PARTS)

SNOWY = ("snowy", "snow capped", "snowcapped", "snow covered", "snow clad", "snow topped", "snow tipped")
PEAKS = ("peaks", "peak", "mountains", "mountain", "summits", "summit", "mountaintops", "alps", "mountain range")
LANDS = ("hills", "hill", "valley", "fields", "landscape", "trees", "ground")
SNOWY_PEAKS = tuple(f"{snowy} {land}" for snowy in SNOWY for land in PEAKS)  # on which snow lies; none falls
SNOWY_LANDS = (*(f"{snowy} {land}" for snowy in SNOWY for land in LANDS), "snow on the peaks", "snow on the mountains")

ATTRIBUTES: dict[str, Attribute] = {
    "clouds": attribute(
        GRAMMAR, "clouds",
        {"clear": ("blue sky", "without clouds", "sunny sky"), "wispy": ("cirrus", "wisps", "veils of cloud",
            "mackerel sky"),
         "puffy": ("cumulus", "cottony clouds", "white clouds", "big clouds"),
         "overcast": ("gray sky", "grey sky", "grey clouds", "cloudy", "dull sky"), "storm": ("stormy",
             "thunderclouds", "thunderstorm")},
        drawn={"clear": (1, "a clear sky"), "wispy": (1, "wispy clouds"), "puffy": (3, "puffy clouds"),
            "overcast": (0, "an overcast sky")},
        near={"overcast": ("fog", "foggy", "mist", "misty", "smoke"), "storm": ("lightning", "tornado", "hurricane")},
        implied={"overcast": ("rain", "raining", "rainy", "drizzle", "shower", "snow", "snowing", "blizzard",
            "snowfall", "falling snow"),
            "clear": ("stars", "starry")},
    ),
    "time": attribute(
        GRAMMAR, "time",
        {"dawn": ("morning", "daybreak"), "noon": ("by day", "daylight", "afternoon"), "dusk": ("golden hour",
            "twilight", "sundown"),
         "night": ("midnight", "starry", "moonlit", "dark night")},
        near={"dawn": ("sun rises", "sun rising", "sun comes up", "pink sky"),
            "dusk": ("sun sets", "sun setting", "setting sun", "sun goes down", "red sky", "orange sky"),
            "night": ("aurora", "northern lights")},
        implied={"night": ("moon", "moonlight", "stars", "milky way"), "noon": ("sun", "sunny", "blue sky")},
        drawn={"dawn": (1, "at dawn"), "noon": (1, "at noon"), "dusk": (1, "at dusk"), "night": (1, "at night")},
    ),
    "land": attribute(
        GRAMMAR, "land",
        {"sea": ("ocean", "beach", "coast", "waves"), "lake": ("lakes", "pond"), "hills": ("hill", "meadows",
            "fields", "countryside"),
         "mountains": ("mountain", "peaks", "summit", "alps", *SNOWY_PEAKS),
         "city": ("town", "skyscrapers", "skyline", "downtown", "harbor")},
        drawn={"sea": (1, "over the sea"), "lake": (1, "over a mountain lake"), "hills": (1, "over rolling hills"),
               "mountains": (1, "over jagged mountains"), "city": (1, "over a city")},
        near={"hills": ("desert", "dunes", "forest", "woods", "jungle", "valley", "plains", "prairie"),
            "lake": ("river", "waterfall", "swamp", "fjord"), "sea": ("island", "shore", "lighthouse"),
            "mountains": ("volcano", "canyon", "cliffs", "glacier"), "city": ("bridge", "street", "rooftops")},
    ),
    "cover": attribute(GRAMMAR, "cover", {"few": ("some",), "many": ("lots of", "thick")}, fixed_by=("clear",
        "overcast", "storm")),
    "speed": attribute(
        GRAMMAR, "speed", {"slow": ("slowly", "calm clouds", "calm sky"), "fast": ("quickly", "fast", "windy")},
        drawn={"slow": (1, "drifting slowly"), "fast": (1, "racing")}, fixed_by=("clear",),
    ),
    "direction": attribute(
        GRAMMAR, "direction", {"left": (), "right": (), "nearer": ("toward us", "toward the camera",
            "toward the viewer")},
        drawn={"left": (1, "to the left"), "right": (1, "to the right"), "nearer": (1, "towards us")},
            fixed_by=("clear",),
    ),
    "weather": attribute(
        GRAMMAR, "weather",
        {"dry": ("no rain", "without rain", *SNOWY_PEAKS, *SNOWY_LANDS), "rain": ("raining", "rainy", "drizzle"),
         "snow": ("snowing", "snowy", "blizzard", "winter")},
        fixed_by=("clear", "wispy", "puffy"),
    ),
    "light": attribute(
        GRAMMAR, "light",
        {"sun": ("sunny", "sunshine"), "moon": ("moonlight", "moonlit"), "stars": ("star", "starry", "milky way",
             "starry night", "starry sky"),
         "hidden": ("no sun", "no moon", "without the sun")},
        near={"stars": ("aurora", "northern lights")},
        fixed_by=("overcast", "storm"),
    ),
}  # fmt: skip
