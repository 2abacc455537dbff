"""How a driver words a scene of the world `road`: phrases, sentence forms and the attributes they say."""

from __future__ import annotations

from storyreel.worlds import Attribute
from storyreel.worlds.road_sprites import CARS
from storyreel.worlds.scene_grammar import Bank, Grammar, attribute

BANK: Bank = {
    "time.adv": {
        "day": ("by day", "during the day", "in daylight", "at midday", "in the daytime"),
        "dusk": ("at dusk", "at sunset", "in the evening", "in the evening light", "as the sun sets"),
        "night": ("at night", "by night", "after dark", "in the dark", "with the headlights on"),
    },
    "time.adj": {
        "day": ("daytime", "midday", "daylight"),
        "dusk": ("evening", "dusk", "sunset"),
        "night": ("night", "nighttime"),
    },
    "place.adv": {
        "forest": ("through a forest", "through the woods", "between tall trees", "past fir trees",
            "along a forest road"),
        "fields": ("through open fields", "past fields", "across farmland", "along a country road", "between meadows"),
        "village": ("through a village", "past houses", "between houses and gardens", "along a village street"),
        "desert": ("through a desert", "across the desert", "past cacti", "through sand and rocks",
            "along a desert road"),
        "city": ("through a city", "between tall buildings", "down a city street", "past high-rises",
            "through downtown"),
    },
    "place.noun": {
        "forest": ("a forest road", "a road through the woods", "a road between tall trees"),
        "fields": ("a country road", "a road through open fields", "a road across farmland"),
        "village": ("a village street", "a road past houses", "a street between houses and gardens"),
        "desert": ("a desert road", "a road through the desert", "a road past cacti"),
        "city": ("a city street", "a street between tall buildings", "a downtown street"),
    },
    "place.tag": {
        "forest": ("forest", "woods"), "fields": ("fields", "farmland"), "village": ("village", "houses"),
        "desert": ("desert", "cacti"), "city": ("city", "tall buildings"),
    },
    "weather.adv": {
        "clear": ("in clear weather", "under a clear sky", "in fine weather"),
        "rain": ("in the rain", "in pouring rain", "on a wet road", "while it rains"),
        "snow": ("in the snow", "in falling snow", "on a snowy road", "while it snows"),
        "fog": ("in fog", "in thick fog", "in the mist", "with fog over the road"),
    },
    "weather.clause": {
        "clear": ("the air is clear", "the weather is fine"),
        "rain": ("it is raining", "rain falls", "it rains"),
        "snow": ("it is snowing", "snow falls", "it snows"),
        "fog": ("it is foggy", "fog hides the distance", "thick fog lies over the land"),
    },
    "weather.tag": {
        "clear": ("clear weather", "fine weather"), "rain": ("rain", "rainy"), "snow": ("snow", "snowy"),
            "fog": ("fog", "foggy"),
    },
    "bend.adv": {
        "straight": ("straight ahead", "on a straight road", "straight on"),
        "left": ("around a left bend", "bending left", "in a long curve to the left"),
        "right": ("around a right bend", "bending right", "in a long curve to the right"),
        "winding": ("around one bend after another", "winding along", "through winding bends", "in serpentines"),
    },
    "bend.clause": {
        "straight": ("the road runs straight", "the road goes straight ahead", "the road is straight"),
        "left": ("the road bends left", "the road curves to the left", "the road turns left"),
        "right": ("the road bends right", "the road curves to the right", "the road turns right"),
        "winding": ("the road winds", "the road winds from side to side", "the road snakes along"),
    },
    "ground.adv": {
        "flat": ("on level ground", "on a flat road", "across flat land"),
        "hilly": ("up and down hills", "over hills", "over rises and dips", "on a hilly road"),
    },
    "speed.adv": {
        "slow": ("slowly", "at low speed", "at a leisurely pace", "at a crawl"),
        "fast": ("fast", "at high speed", "at full speed", "quickly"),
    },
    "speed.verb": {
        "slow": ("driving slowly", "cruising slowly", "rolling slowly", "crawling"),
        "fast": ("driving fast", "speeding", "racing", "rushing"),
    },
    "traffic.with": {
        "none": ("on an empty road", "with no other cars", "without traffic", "alone on the road"),
        "oncoming": ("with [{car.adj} ]oncoming cars", "while [{car.adj} ]cars come towards us",
            "facing [{car.adj} ]oncoming cars"),
        "passed": ("passing [{car.adj} ]cars", "overtaking [{car.adj} ]cars", "while we overtake [{car.adj} ]cars"),
        "followed": ("behind (a|one) [{car.adj} ]car", "following a [{car.adj} ]car",
            "with a [{car.adj} ]car ahead of us"),
    },
    "traffic.clause": {
        "none": ("the road is empty", "no other cars are in sight", "there is no traffic"),
        "oncoming": ("[{car.adj} ]cars come towards us", "[{car.adj} ]oncoming cars drive by",
            "[{car.adj} ]cars approach in the other lane"),
        "passed": ("we pass [{car.adj} ]cars", "we overtake [{car.adj} ]cars",
            "we leave [{car.adj} ]slower cars behind"),
        "followed": ("we follow a [{car.adj} ]car", "a [{car.adj} ]car drives ahead of us",
            "we drive behind a [{car.adj} ]car"),
    },
    "car.adj": {color: (color,) for color in CARS},
    "car.noun": {color: (f"a {color} car", f"the {color} of a car") for color in CARS},
}  # fmt: skip
PARTS = {
    "drive": (
        "{speed.verb}[ {place.adv}]",
        "(driving|a drive|a ride|on the road) {place.adv}[ {speed.adv}]",
        "{speed.verb}",
    ),
    "we": ("(we|you) (drive|travel)[ {speed.adv}] {place.adv}", "(we|you) (drive|go) {speed.adv}"),
    "turns": ("[{bend.adv}][ and {ground.adv}]", "{ground.adv}"),
    "medium": ("a dashcam (video|clip) of", "the view from a car:", "through the windshield:", "a first-person drive:"),
}
FORMS = (
    "{drive}[ {time.adv}][ {weather.adv}][, {bend.adv}][, {ground.adv}][, {traffic.with}]",
    "{we}[ {time.adv}][ {weather.adv}][, {bend.adv}][ and {ground.adv}][, {traffic.with}]",
    "[{time.adv}, ]{we}[ {weather.adv}][; {bend.clause}][, {ground.adv}][; {traffic.clause}]",
    "{medium} {drive}[ {time.adv}][, {weather.adv}][, {bend.adv}][, {ground.adv}][, {traffic.with}]",
    "{medium} {place.noun}[ {time.adv}][, {weather.adv}][, {bend.adv}]"
    "[, {ground.adv}][, {speed.verb}][, {traffic.with}]",
    "{place.noun}[ {time.adv}][ {weather.adv}]. [{bend.clause}[, {ground.adv}].][ We drive {speed.adv}.]"
    "[ {traffic.clause}.]",
    "[{time.adj}, ]{place.tag}[, {weather.tag}][, {speed.verb}][ {bend.adv}][ {ground.adv}][, {traffic.with}]",
    "{bend.clause}[ {place.adv}][ {ground.adv}][ {time.adv}][, {weather.clause}]"
    "[, we drive {speed.adv}][, {traffic.clause}]",
    "{traffic.clause}[ {place.adv}][ {time.adv}][ {weather.adv}][, {speed.verb}][ {bend.adv}][, {ground.adv}]",
    "a {time.adj} (drive|ride)[ {place.adv}][ {weather.adv}][, {speed.verb}][ {bend.adv}]"
    "[, {ground.adv}][, {traffic.with}]",
    "{weather.clause}[ {time.adv}] as we drive[ {speed.adv}] {place.adv}[, {bend.adv}]"
    "[, {ground.adv}][, {traffic.with}]",
    "{speed.verb}[ {bend.adv}][ {ground.adv}][ {place.adv}][ {weather.adv}][ {time.adv}][ {traffic.with}]",
)
SHORT = (
    "{place.noun}[ {time.adv}][ {weather.adv}]",
    "{drive}[ {time.adv}]",
    "{drive}[ {weather.adv}]",
    "a {time.adj} (drive|ride)[ {place.adv}][ {weather.adv}]",
    "{bend.clause}[ {place.adv}]",
    "(driving|a drive) {ground.adv}[ {place.adv}][ {time.adv}]",
    "(driving|a drive) {weather.adv}[ {time.adv}]",
    "(driving|a drive) {bend.adv}[ {time.adv}]",
    "{traffic.clause}[ {place.adv}][ {time.adv}]",
    "(driving|a drive) {traffic.with}",
    "{weather.clause}[ over {place.noun}]",
    "{speed.verb}[ {traffic.with}][ {bend.adv}][ {ground.adv}]",
    "(driving|a drive) {time.adv}",
    "{car.noun} on {place.noun}",
    "{car.noun} (on|along) the road",
)
GRAMMAR = Grammar(FORMS, SHORT, BANK, PARTS)

ATTRIBUTES: dict[str, Attribute] = {
    "traffic": attribute(
        GRAMMAR, "traffic",
        {"none": ("empty road", "no cars", "no traffic", "empty street"),
         "oncoming": ("oncoming cars", "oncoming traffic", "oncoming car", "come towards us", "coming towards us",
             "cars drive by", "cars approach"),
         "passed": ("passing", "overtaking", "we overtake", "we pass", "slower cars behind"),
         "followed": ("behind", "following", "ahead of us", "we follow", "drive behind", "behind a car",
             "car in front")},
        drawn={"none": (2, "on an empty road"), "followed": (0, "behind a car")},
        near={"oncoming": ("truck coming", "heavy traffic", "traffic jam", "busy road", "traffic", "many trucks"),
            "passed": ("overtakes us", "overtake", "overtakes"),
            "followed": ("truck", "van", "bus", "motorcycle", "cyclist", "bike", "taxi", "lorry")},
        implied={"followed": tuple(f"{color} {noun}" for color in CARS for noun in ("car", "van", "truck"))},
    ),
    "place": attribute(
        GRAMMAR, "place",
        {"forest": ("woods", "trees"), "fields": ("field", "countryside", "farmland", "meadows"),
            "village": ("houses", "suburb", "small town"),
         "desert": ("sand", "cactus", "dunes"), "city": ("downtown", "skyscrapers", "town", "buildings")},
        drawn={"forest": (1, "through a forest"), "fields": (1, "through open fields"), "village": (1,
            "through a village"),
               "desert": (1, "through a desert"), "city": (1, "through a city")},
        near={"forest": ("jungle", "autumn"), "fields": ("coast", "beach", "highway", "motorway", "freeway", "valley"),
            "city": ("tunnel", "bridge")},
    ),
    "time": attribute(
        GRAMMAR, "time",
        {"day": ("noon", "sunny", "morning"), "dusk": ("twilight", "golden hour"),
            "night": ("midnight", "dark", "headlights", "after dark")},
        near={"dusk": ("dawn", "sunrise", "daybreak", "early morning", "first light")},
        implied={"night": ("stars", "starry", "moon", "moonlight", "moonlit", "milky way"),
            "day": ("sunshine", "sunlight")},
        drawn={"day": (2, "by day"), "dusk": (1, "at dusk"), "night": (1, "at night")},
    ),
    "weather": attribute(
        GRAMMAR, "weather",
        {"clear": ("clear sky", "blue sky", "sunshine", "bright sunshine", "sunlight", "starry sky"),
         "rain": ("raining", "rainy", "wet road", "storm", "thunderstorm"),
         "snow": ("snowing", "snowy", "winter", "blizzard"),
         "fog": ("foggy", "mist", "misty", "haze")},
        drawn={"clear": (1, "in clear weather")},
    ),
    "bend": attribute(
        GRAMMAR, "bend",
        {"straight": ("straight road",), "left": ("left turn", "turning left", "left curve"), "right": ("right turn",
            "turning right", "right curve"),
         "winding": ("winding road", "curvy", "curves", "bends", "bendy", "twisting", "twisty", "curving")},
        drawn={"straight": (1, "straight ahead"), "winding": (1, "winding along")},
    ),
    "ground": attribute(GRAMMAR, "ground", {"flat": ("level",), "hilly": ("hills", "uphill", "downhill")},
        near={"hilly": ("mountain", "mountains", "valley")},
        drawn={"flat": (1, "on level ground")}),
    "speed": attribute(
        GRAMMAR, "speed", {"slow": ("slow",), "fast": ("speed", "quick")}, drawn={"slow": (1, "slowly"), "fast": (1,
            "fast")},
    ),
    "car": attribute(GRAMMAR, "car", {color: () for color in CARS}, fixed_by=("none",), near={"red": ("orange",
        "pink"), "blue": ("green", "purple", "black")}),
}  # fmt: skip
