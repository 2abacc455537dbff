"""What a pipeline can make, from its folder and the signature of its class: usual size and length, settings."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from storyreel.abilities import Abilities
from storyreel.hub.families import Family, PipelineLimits, component_settings
from storyreel.hub.signature import REQUIRED, Signature

OF_OURS = {"backward", "interpolate", "reuse", "start", "stage", "transparent"}  # options that no pipeline serves
OF_SOME = {"negative", "image", "image_end", "extend", "variation", "motion", "lora"}
SPACE = 8  # pixels of a side of latents, where a network's settings say that alone


def served(family: Family, found: Signature) -> set[str]:
    """The settings that the class, or another one with the same weights, has an argument for."""
    accepted = found.arguments
    names = ("negative", "image", "image_end", "variation", "motion", "fps")
    own = {name for name in names if family.argument(name) in accepted}
    if "variation" in own and "image" in accepted:  # `video` beside `image` is a condition, not one to change
        own.discard("variation")
    own |= family.siblings.keys()
    if "image" in own:
        own |= {"extend"} | ({"story"} if "prompt" in accepted else set())
    return own | ({"lora"} if found.takes_lora else set())


def usual_size(folder: Path, arguments: Mapping[str, Any], limits: PipelineLimits) -> tuple[int, int]:
    """(height, width) of a video whose size is not set: those of the class, or of its network."""
    network, found = component_settings(folder, "transformer"), []
    lengths = [arguments.get(side) for side in ("height", "width")]
    for side, length in zip(("height", "width"), lengths, strict=True):
        space = network.get(f"sample_{side}")
        of_network = space * SPACE if isinstance(space, int) and 0 < space <= 1024 else 512
        found.append(length if isinstance(length, int) and None not in lengths else of_network)
    return limits.side(found[0]), limits.side(found[1])


def usual_frames(folder: Path, family: Family, arguments: Mapping[str, Any]) -> int | None:
    """How many frames a video has where that is not set; None where the class finds it out by itself."""
    count = arguments.get(family.argument("frames"))
    if not isinstance(count, int) and family.usual_frames[0]:
        component, key = family.usual_frames
        count = component_settings(folder, component).get(key)
    return count if isinstance(count, int) and 0 < count <= 10_000 else None


def makes(folder: Path, family: Family, limits: PipelineLimits, found: Signature) -> Abilities:
    """For those who ask before the pipeline is loaded, such as the studio."""
    can = served(family, found)
    height, width = usual_size(folder, found.arguments, limits)
    count = usual_frames(folder, family, found.arguments)
    needs = [name for name in ("image", "variation") if found.arguments.get(family.argument(name)) is REQUIRED]
    return Abilities(
        width=width, height=height, frames=None if count is None else limits.frames(count), fps=Fraction(family.fps),
        any_size=True, cannot=frozenset(OF_OURS | (OF_SOME | {"story"}) - can), needs=needs[0] if needs else None,
    )  # fmt: skip
