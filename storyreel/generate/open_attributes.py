"""The text that a model sees: what the prompt says, restated in words that the model knows, and what it leaves open.

What a prompt leaves open is drawn from the seed with the world's weights. Where the world has a reader and a writer of
captions (`World.read`, `World.caption`), the text is a caption of what was read and drawn; otherwise what was drawn is
added to the prompt, and words that no caption has give way to those of captions (`World.reworded`). A model's card has
the attributes under `training.attributes`; where it was made before there were any, they are those of the world that
its data or its recipe names. Where there is none, the prompt stays as it is.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from storyreel.generate.registry import is_conditional
from storyreel.model_folder import recipe_name
from storyreel.options.generation import GenerateOptions
from storyreel.worlds import Attribute, World, find, named_in
from storyreel.worlds.attribute_words import attributes_in, longest, runs_of


def attributes_of(info: Mapping[str, Any]) -> Mapping[str, Attribute]:
    """The declared attributes of a model, from its `model.json`; {} where there are none, or it reads no prompt."""
    if not is_conditional(info):
        return {}
    training = info.get("training")
    own = training.get("attributes") if isinstance(training, dict) else None
    if isinstance(own, dict):
        return {str(name): Attribute.from_json(saved) for name, saved in own.items() if isinstance(saved, dict)}
    world = trained_world(info)
    return world.attributes if world else {}


def trained_world(info: Mapping[str, Any]) -> World | None:
    """The world that a model was trained on, from its `model.json`, where its data or its recipe names one."""
    training = info.get("training")
    data = training.get("data") if isinstance(training, dict) else None
    names = [str(each.get("name", "")) for each in data if isinstance(each, dict)] if isinstance(data, list) else []
    world = named_in(recipe_name(info), *names)
    return find(world) if world else None


def read(prompt: str, attributes: Mapping[str, Attribute], world: World | None = None) -> dict[str, str]:
    """Attribute -> the value that the prompt says: by the world's own reader, or by the words of the attributes."""
    if world is None or world.read is None:
        return attributes_in(prompt, attributes)
    return {name: value for name, value in world.read(prompt).items() if name in attributes}


def drawn(
    prompt: str, attributes: Mapping[str, Attribute], seed: int, index: int, world: World | None = None
) -> dict[str, str]:
    """Attribute -> value of what the prompt leaves open; the same for the same seed and index. world: reads prompts.

    The first video of seed 0, which is what people get who choose neither, has the likeliest value of each attribute.
    """
    found = read(prompt, attributes, world)
    made = dict(world.implied(prompt, found)) if world and world.implied else {}
    runs = runs_of(prompt)
    for name, attribute in attributes.items():
        weights = {value: each.weight for value, each in attribute.values.items() if each.weight}
        if name in found or name in made or not weights:
            continue
        if {*found.values(), *made.values()} & set(attribute.fixed_by):
            continue
        value = longest(runs, attribute, "implied_by") or _one_of(weights, f"{seed}/{index}/{name}", seed == index == 0)
        if attribute.values[value].phrase:
            made[name] = value
    if world and world.complete and (found or made):
        known = drawn_to_be_topped(prompt, {**found, **made}, world)
        rest = world.complete(known, np.random.default_rng([seed, index]), seed == index == 0)
        made |= {name: value for name, value in rest.items() if name not in found}
    fixing = {*found.values(), *made.values()}  # as who falls is seen from the front
    return {name: value for name, value in made.items() if not fixing & set(attributes[name].fixed_by)}


def completed(
    options: GenerateOptions, attributes: Mapping[str, Attribute], seed: int, index: int, world: World | None = None
) -> tuple[GenerateOptions, dict[str, str]]:
    """(options with the prompts that the model sees, what was drawn).

    Where the model's world can caption, a prompt is restated in the words of its captions: all that was read and
    drawn, nothing else. A clip or a picture to start from leaves nothing open, and prompts stay as they are.
    """
    pictures = (options.image, options.extend, options.variation, options.interpolate)
    if options.as_written or not attributes or any(picture is not None for picture in pictures):
        return options, {}
    whole, world = " ".join(options.prompts), retouching(world, options)
    if world and (options.crisp is False or options.story):
        world = replace(world, topped=None)
    made = drawn(whole, attributes, seed, index, world) if whole else {}  # one draw for the character of a story
    found = read(whole, attributes, world)

    def seen(prompt: str) -> str:
        if not world or not world.caption or not {**found, **made}:
            text = _with(prompt, made, attributes)
            return world.reworded(text) if world and world.reworded else text
        own = read(prompt, attributes, world)
        shown = {n: v for n, v in {**found, **made}.items() if not set(attributes[n].fixed_by) & set(own.values())}
        shown = drawn_to_be_topped(whole, shown | own, world)
        if world.drawable:
            shown = dict(world.drawable(shown))
        shown = drawn_to_be_dyed(whole, shown, world)
        if options.crisp is not False and not options.story:
            shown = dict(world.shown_best(whole, shown)) if world.shown_best else shown
            if "facing" in made:
                made["facing"] = shown["facing"]
            shown = drawn_to_be_armed(whole, shown, world)
            shown = dict(world.mirrored(whole, shown)[0] if world.mirrored else shown)
        return world.caption(shown, np.random.default_rng([seed, index]))

    if options.story:
        return replace(options, story=tuple((seen(prompt), seconds) for prompt, seconds in options.story)), made
    return replace(options, prompt=seen(options.prompt) if options.prompt else ""), made


def retouching(world: World | None, options: GenerateOptions) -> World | None:
    """The world, without what is changed of the clips that a model makes where `retouch` is off."""
    if world is None or options.retouch:
        return world
    return replace(
        world, bearded=None, topped=None, armed=None, shown_best=None, mended=None, mirrored=None, dyed=None, cut=()
    )


def drawn_to_be_dyed(prompt: str, attributes: Mapping[str, str], world: World) -> dict[str, str]:
    """The attributes, with garments in the colors that they are drawn in."""
    return dict(world.dyed(prompt, attributes)[0] if world.dyed else attributes)


def drawn_to_be_topped(prompt: str, attributes: Mapping[str, str], world: World) -> dict[str, str]:
    """The attributes, without the headgear that is drawn onto who the model draws."""
    return dict(world.topped(prompt, attributes)[0] if world.topped else attributes)


def drawn_to_be_armed(prompt: str, attributes: Mapping[str, str], world: World) -> dict[str, str]:
    """The attributes, with the weapon that the model is to draw."""
    return dict(world.armed(prompt, attributes)[0] if world.armed else attributes)


def completed_for(
    info: Mapping[str, Any], options: GenerateOptions, seed: int, index: int
) -> tuple[GenerateOptions, dict[str, str]]:
    """`completed` for a model, given its `model.json`."""
    return completed(options, attributes_of(info), seed, index, trained_world(info))


def sentences_of(info: Mapping[str, Any], options: GenerateOptions) -> dict[str, tuple[str, ...]]:
    """Prompts -> a sentence for each thing that they say, as far as the model's world takes them apart."""
    world = trained_world(info)
    if world is None or world.sentences is None:
        return {}
    found = {prompt: tuple(world.sentences(prompt)) for prompt in options.prompts}
    return {prompt: sentences for prompt, sentences in found.items() if sentences != (prompt,)}


def notes_of(info: Mapping[str, Any], options: GenerateOptions, seed: int, index: int) -> list[str]:
    """For people: what the prompt leaves open and is drawn from the seed, and the prompt as the model sees it."""
    seen, made = completed_for(info, options, seed, index)
    notes = [f"{note_of(made, attributes_of(info))} (--as-written leaves it open)"] if made else []
    world = retouching(trained_world(info), options)
    if world and (world.caption or world.reworded) and seen.prompts != options.prompts:
        notes += [f"as the model reads it: {' | '.join(seen.prompts)}{_changed_then(options, seen.prompt, world)}"]
    return notes


def _changed_then(options: GenerateOptions, restated: str, world: World) -> str:
    """What is changed of what the model makes of `restated`, for people: " (then mirrored, with this drawn: axe)"."""
    if world.read is None or options.crisp is False or options.story:
        return ""
    attributes = world.read(restated)
    mirrored = world.mirrored is not None and world.mirrored(options.prompt, attributes)[1]
    over = world.armed(options.prompt, attributes)[1] if world.armed else None
    changes = [*(["mirrored"] if mirrored else []), *([f"drawn over: {over.kind}"] if over else [])]
    return f" (then {', '.join(changes)})" if changes else ""


def note_of(made: Mapping[str, str], attributes: Mapping[str, Attribute]) -> str:
    """One line for people: "not said: walking, facing the viewer"."""
    return f"not said: {', '.join(attributes[name].values[value].phrase or value for name, value in made.items())}"


def _one_of(weights: Mapping[str, float], key: str, likeliest: bool) -> str:
    if likeliest:
        return max(weights, key=lambda value: weights[value])
    return random.Random(key).choices(list(weights), list(weights.values()))[0]


def _with(prompt: str, made: Mapping[str, str], attributes: Mapping[str, Attribute]) -> str:
    phrases = [attributes[name].values[value].phrase for name, value in made.items()]
    return ", ".join([prompt.rstrip(" .,;"), *phrases]) if phrases else prompt
