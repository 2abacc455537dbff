"""What a prompt leaves open: drawn from the seed with the world's weights, and added to the text that the model sees.

A model's card has the attributes under `training.attributes`; where it was made before there were any, they are those
of the world that its data or its recipe names. Where there is no such world, the prompt stays as it is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from storyreel.model_folder import recipe_name
from storyreel.options.generation import GenerateOptions
from storyreel.worlds import Attribute, find, named_in

_WORD = re.compile(r"[^\W_]+")


def attributes_of(info: Mapping[str, Any]) -> Mapping[str, Attribute]:
    """The declared attributes of a model, from its `model.json`; {} where nothing declares any."""
    training = info.get("training")
    training = training if isinstance(training, dict) else {}
    own = training.get("attributes")
    if isinstance(own, dict):
        return {str(name): Attribute.from_json(told) for name, told in own.items() if isinstance(told, dict)}
    data = training.get("data")
    names = [str(each.get("name", "")) for each in data if isinstance(each, dict)] if isinstance(data, list) else []
    world = named_in(recipe_name(info), *names)
    return find(world).attributes if world else {}


def said(prompt: str, attributes: Mapping[str, Attribute]) -> dict[str, str]:
    """Attribute -> the value that the prompt says, the longest phrase first."""
    runs = _runs(prompt)
    return {name: value for name, a in attributes.items() if (value := _longest(runs, a, "words"))}


def drawn(prompt: str, attributes: Mapping[str, Attribute], seed: int, index: int) -> dict[str, str]:
    """Attribute -> value of what the prompt leaves open; the same for the same seed and index."""
    found, runs = said(prompt, attributes), _runs(prompt)
    made: dict[str, str] = {}
    for name, attribute in attributes.items():
        weights = {value: told.weight for value, told in attribute.values.items() if told.weight}
        if name in found or not weights or {*found.values(), *made.values()} & set(attribute.fixed_by):
            continue
        rng = random.Random(f"{seed}/{index}/{name}")
        value = _longest(runs, attribute, "implied_by") or rng.choices(list(weights), list(weights.values()))[0]
        if attribute.values[value].phrase:
            made[name] = value
    return made


def completed(
    options: GenerateOptions, attributes: Mapping[str, Attribute], seed: int, index: int
) -> tuple[GenerateOptions, dict[str, str]]:
    """(options whose prompts say all, what was drawn). A clip or a picture to start from leaves nothing open."""
    pictures = (options.image, options.extend, options.variation)
    if options.as_written or not attributes or any(picture is not None for picture in pictures):
        return options, {}
    if not options.story:
        made = drawn(options.prompt, attributes, seed, index) if options.prompt else {}
        return replace(options, prompt=_with(options.prompt, made, attributes)), made
    whole = drawn(" ".join(options.prompts), attributes, seed, index)  # one draw for a character
    parts = [(_with(p, whole, attributes), seconds) for p, seconds in options.story]
    return replace(options, story=tuple(parts)), whole


def note_of(made: Mapping[str, str], attributes: Mapping[str, Attribute]) -> str:
    """One line for people: "not said: walking, facing the viewer"."""
    return f"not said: {', '.join(attributes[name].values[value].phrase for name, value in made.items())}"


def _with(prompt: str, made: Mapping[str, str], attributes: Mapping[str, Attribute]) -> str:
    phrases = [attributes[name].values[value].phrase for name, value in made.items()]
    return ", ".join([prompt.rstrip(" .,;"), *phrases]) if phrases else prompt


def _runs(text: str) -> set[str]:
    """All that stands in it of one to seven words."""
    tokens = _tokens(text)
    return {" ".join(tokens[i : i + n]) for n in range(1, 8) for i in range(len(tokens) - n + 1)}


def _longest(runs: set[str], attribute: Attribute, kind: str) -> str:
    """The value of which the longest phrase is among these runs of words; "" where none is."""
    best, found = 0, ""
    for name, value in attribute.values.items():
        for phrase in getattr(value, kind):
            words = _tokens(phrase)
            if len(words) > best and " ".join(words) in runs:
                best, found = len(words), name
    return found


def _tokens(text: str) -> list[str]:
    return _WORD.findall(text.lower())
