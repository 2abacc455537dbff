"""What diffusers' video pipelines do not say of themselves, a row a family: frame rate, allowed sizes, names.

Lengths and sizes that a folder's own settings give come first (`limits_of`); the rows stand in where there are none.
Frame rates are those of the models' cards. Not tried here: all families but Wan, LTX, CogVideoX, HunyuanVideo and
StableVideoDiffusion, and real weights of any (docs/hub.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from storyreel.json_file import read_object
from storyreel.options.generation import GenerateOptions

USUAL = {
    "prompt": "prompt",
    "frames": "num_frames",
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "negative": "negative_prompt",
    "image": "image",
    "image_end": "last_image",
    "variation": "video",
    "motion": "motion_bucket_id",
    "fps": "fps",
}
"""Our setting -> the argument of a pipeline's call."""


@dataclass(frozen=True)
class Family:
    """A row: how the pipelines whose class begins with its name are called.

    fps: of the files. stride: it makes k * stride + 1 frames; 1 for any number. multiple: of width and height. dtype:
    on a GPU, `vae_dtype` of its autoencoder where that differs. names: where an argument is not called as in `USUAL`.
    extra: arguments that are always passed. siblings: setting -> the class that serves it with the same weights.
    variants: (component, key, value, changes): another row where a component's settings say so; "" for the index.
    usual_frames: (component, key) of its settings that say how many frames it makes, where its call does not.
    """

    fps: int
    stride: int = 4
    multiple: int = 16
    dtype: str = "bfloat16"
    vae_dtype: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    siblings: Mapping[str, str] = field(default_factory=dict)
    variants: tuple[tuple[str, str, Any, Mapping[str, Any]], ...] = ()
    usual_frames: tuple[str, str] = ("", "")

    def argument(self, setting: str) -> str:
        return self.names.get(setting, USUAL.get(setting, ""))


_WAN = {"variation": "WanVideoToVideoPipeline"}
_COG = {"variation": "CogVideoXVideoToVideoPipeline"}
_TI2V = {"siblings": _WAN | {"image": "WanImageToVideoPipeline"}}
FAMILIES = {
    "Wan": Family(
        16, vae_dtype="float32", siblings=_WAN,
        variants=(("vae", "scale_factor_spatial", 16, {"fps": 24}), ("", "expand_timesteps", True, _TI2V)),
    ),
    "LTX": Family(
        25, 8, 32, names={"fps": "frame_rate"}, siblings={"image": "LTXImageToVideoPipeline"},
    ),
    "LTX2": Family(
        24, 8, 32, names={"fps": "frame_rate"}, siblings={"image": "LTX2ImageToVideoPipeline"},
    ),
    "HunyuanVideo": Family(24),
    "CogVideoX": Family(
        8, siblings=_COG, variants=(("transformer", "patch_size_t", 2, {"fps": 16}),),
        usual_frames=("transformer", "sample_frames"),
    ),
    "StableVideoDiffusion": Family(
        7, 1, 64, "float16", names={"guidance": "max_guidance_scale"}, extra={"decode_chunk_size": 8},
        usual_frames=("unet", "num_frames"),
    ),
    "Mochi": Family(30, 6),
    "Allegro": Family(15, 4, 8),
    "Latte": Family(8, 1, 8, "float16", names={"frames": "video_length"}),
    "AnimateDiff": Family(8, 1, 8, "float16"),
    "EasyAnimate": Family(8, 4),
    "Cosmos": Family(16, 8),
    "SkyReelsV2": Family(24, vae_dtype="float32"),
    "Kandinsky5": Family(24),
    "Sana": Family(16, names={"frames": "frames"}, extra={"use_resolution_binning": False}),
    "TextToVideoSD": Family(8, 1, 64, "float16"),
}  # fmt: skip
NETWORKS = ("transformer", "transformer_2", "unet")  # components that run at each step
STRIDES = ("scale_factor_temporal", "temporal_compression_ratio")
SPACES = ("scale_factor_spatial", "spatial_compression_ratio")
MAX_FACTOR, MAX_PATCH = 64, 16  # larger ones are those of no network, and would make clips of gigabytes


def family_of(folder: Path, index: Mapping[str, Any]) -> Family:
    """The row of a pipeline. ValueError where none is known for its class."""
    kind = str(index["_class_name"])
    names = [name for name in FAMILIES if kind.startswith(name)]
    if not names:
        raise ValueError(f"{folder}: {kind} is none of the video pipelines that are known: {', '.join(FAMILIES)}")
    found = FAMILIES[name := max(names, key=len)]
    for component, key, value, changes in found.variants:
        settings = component_settings(folder, component) if component else index
        if settings.get(key) == value:
            found = replace(found, **changes)
    if kind != f"{name}Pipeline":  # the weights of a class for pictures or control fit no other
        found = replace(found, siblings={})
    return found


def component_settings(folder: Path, component: str) -> dict[str, Any]:
    """config.json of a component; {} where it has none."""
    file = folder / component / "config.json"
    return read_object(file) if file.is_file() else {}


@dataclass(frozen=True)
class PipelineLimits:
    """What a pipeline can make: k * stride + 1 frames, sides that are multiples of `multiple`."""

    stride: int
    multiple: int

    def frames(self, count: int) -> int:
        """The least number of frames that it can make, and that is not less than `count`."""
        return count if self.stride == 1 else -(-(count - 1) // self.stride) * self.stride + 1

    def side(self, length: int) -> int:
        return -(-length // self.multiple) * self.multiple

    def notes(self, options: GenerateOptions) -> list[str]:
        """What is made in place of what was asked for, and cut back: nearest allowed values, one line a setting."""
        notes: list[str] = []
        count = options.frames
        if count is not None and (made := self.frames(count)) != count:
            less = made - self.stride
            near = f"{less} or {made}" if less > 0 else f"{made}"
            notes.append(f"frames: the model makes {near} frames, not {count}: {made} are made and cut to {count}")
        if options.size is not None and (made := tuple(map(self.side, options.size))) != options.size:
            sizes = ["x".join(map(str, size)) for size in (made, options.size)]
            rule = f"sides that are multiples of {self.multiple}"
            notes.append(f"size: the model makes {rule}: {sizes[0]} is made and cut to {sizes[1]}, from the middle")
        return notes


def notes_of_lengths(info: Mapping[str, Any], options: Iterable[GenerateOptions]) -> list[str]:
    """What a model makes in place of the lengths and sizes that are asked for, from its `describe`; each note once."""
    if "stride" not in info:
        return []
    limits, fps = PipelineLimits(info["stride"], info["multiple"]), Fraction(info["fps"])
    return list(dict.fromkeys(note for each in options for note in limits.notes(each.resolve(fps))))


def limits_of(folder: Path, family: Family) -> PipelineLimits:
    """From the settings of its autoencoder and its network, else from the row of its family."""
    vae, network = component_settings(folder, "vae"), component_settings(folder, "transformer")
    stride = _first(vae, STRIDES) or family.stride
    multiple = family.multiple
    if space := _first(vae, SPACES):
        patch = network.get("patch_size")
        patch = patch[-1] if isinstance(patch, list) and patch else patch
        multiple = math.lcm(multiple, space * (patch if isinstance(patch, int) and 0 < patch <= MAX_PATCH else 1))
    return PipelineLimits(max(stride, family.stride) if family.stride > 1 else 1, multiple)


def _first(settings: Mapping[str, Any], keys: Sequence[str]) -> int | None:
    values = (settings.get(key) for key in keys)
    return next((value for value in values if isinstance(value, int) and 0 < value <= MAX_FACTOR), None)
