"""What a request becomes for the diffusion stages of Stable Video Diffusion: what they read, refuse or warn of, and
the clips that they make."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from storyreel.abilities import Abilities
from storyreel.clip import Clip
from storyreel.options.generation import GenerateOptions
from storyreel.systems.base import Batch, OnProgress, Progress, Request, TextEncoder
from storyreel.systems.pixels import beginning, check_matte, shown

if TYPE_CHECKING:
    from storyreel.systems.palette_refiner import PaletteRefiner
    from storyreel.systems.svd import SvdConfig
    from storyreel.systems.svd_diffusion import DiffusionStage, LatentStage

Decode: TypeAlias = Callable[[Tensor], Tensor]
"""Latents (b, d, f, h, w) -> video (b, c, f, H, W)."""

BEYOND = 4  # a video may have so many times the frames that the model was trained on


def request_conditions(
    options: GenerateOptions,
    text: TextEncoder,
    count: int,
    *,
    image: Tensor | None = None,
    fps: float | None = None,
    appearance: str = "",
) -> Batch:
    """What the network reads, the same for each of `count` videos. image: (1, c, t, h, w). fps: None: the usual one.
    appearance: a sentence of who `image` shows, with what the prompt says, which is read in its place; "": none."""
    prompt = appearance or options.prompt
    states, mask = text([prompt])
    if not prompt:  # nothing is said
        mask = torch.zeros_like(mask)
    cond: Batch = {"text": states, "text_mask": mask}
    if fps is not None:
        cond["fps"] = torch.tensor([fps])
    if options.motion is not None:
        cond["motion"] = torch.tensor([float(options.motion)])
    if image is not None:
        cond["image"] = image
    return {name: value.expand(count, *value.shape[1:]) for name, value in cond.items()}


def check_request(options: GenerateOptions, config: SvdConfig, makes: str) -> None:
    """ValueError for a clip to go on from, a story, and a matte that the model has not; a matte that is lost, and a
    picture of another shape that is cropped, are warned of. makes: what the model makes, for the error."""
    for name in ("extend", "story"):
        if getattr(options, name):
            raise ValueError(f"{name}: {makes}")
    check_matte(options, config.channels)
    width, height = options.size or (config.shape.width, config.shape.height)
    for name in ("image", "image_end", "interpolate"):
        clip = getattr(options, name)
        if clip is None:
            continue
        if config.channels == 3 and clip.has_alpha:
            warnings.warn(f"{name}: this model has no matte; what is transparent becomes grey", stacklevel=3)
        h, w = clip.size
        if h * width != w * height and options.fit is None:
            warnings.warn(f"{name}: {w}x{h} is cropped to the shape of {width}x{height}; --fit pad keeps all of it",
                          stacklevel=3)  # fmt: skip


def check_length(frames: int | None, trained: int) -> None:
    """ValueError for more than `BEYOND` times the frames that a model was trained on; of any more it is warned."""
    if frames is None:
        return
    if not 1 <= frames <= BEYOND * trained:
        raise ValueError(f"frames: this model makes 1 to {BEYOND * trained} frames, got {frames}")
    if frames > trained:
        warnings.warn(f"frames: {frames} are more than the {trained} it was trained on", stacklevel=3)


def makes_of(system: Any, max_frames: int | None, *, needs: str | None = None) -> Abilities:
    """What a model of SVD makes. It goes on from no clip, and tells no story."""
    config: SvdConfig = system.config
    return Abilities(
        width=config.shape.width, height=config.shape.height, frames=config.frames, fps=Fraction(config.fps),
        max_frames=max_frames, any_size="size" in system.serves, needs=needs,
        cannot=system.cannot("extend", "story", channels=config.channels),
    )  # fmt: skip


def sampled_clips(
    stage: LatentStage,
    decode: Decode,
    cond: Batch,
    attempts: Sequence[Request],
    fps: int,
    on_progress: OnProgress,
    what: str,
) -> list[Clip]:
    """The clip of each attempt at one request. decode: latents -> video. fps: where the request has none. what: the
    stage's name in the progress."""
    options = attempts[0].options

    def clips(latents: Tensor) -> list[Clip]:
        video = shown(decode(latents).float().clamp(-1, 1), transparent=options.transparent)
        rate = Fraction(fps) if options.fps is None else options.fps
        return [Clip.from_tensor(each, rate, options.prompt) for each in video]

    def report(step: int, steps: int, latents: Tensor) -> None:
        on_progress(Progress(step, steps, what, lambda: clips(latents[:1])[0]))

    latents = stage.sample(
        cond,
        rng=[attempt.rng() for attempt in attempts],
        steps=options.steps,
        guidance=options.guidance,
        frames=options.frames,
        reuse=options.reuse,
        on_step=report,
    )
    return clips(latents)


def clips_of_text_or_picture(
    system: Any, stage: DiffusionStage, attempts: Sequence[Request], text: TextEncoder, on_progress: OnProgress
) -> list[Clip]:
    """The clip of each attempt at one request for a text, or a picture with or without one, by the `stage` of a system
    that has a decoder and, maybe, a refiner. ValueError names the field that cannot be served; what was not trained is
    warned of."""
    options, config = attempts[0].options, system.config
    _check_text_or_picture(options, config, stage)
    image = None if options.image is None else beginning(options, config.shape.height, config.channels)
    fps = None if options.fps is None else float(options.fps)
    appearance = attempts[0].appearance
    cond = request_conditions(options, text, len(attempts), image=image, fps=fps, appearance=appearance)
    decode = partial(system.decoder.decode, chunk=config.chunk)
    refiner = system.refiner if image is None or appearance else None
    made = painted(decode, refiner, cond, image)
    return sampled_clips(stage, made, cond, attempts, config.fps, on_progress, stage.name)


def painted(decode: Decode, refiner: PaletteRefiner | None, cond: Batch, image: Tensor | None) -> Decode:
    """`decode`, and what the refiner makes of it by the text of `cond`; its colors are likelier that `image` has."""
    if refiner is None:
        return decode

    def paint(latents: Tensor) -> Tensor:
        video = decode(latents)
        states, mask = (cond[name][: len(video)] for name in ("text", "text_mask"))
        return refiner.refined(video, states, mask, picture=None if image is None else image.to(video))

    return paint


def _check_text_or_picture(options: GenerateOptions, config: SvdConfig, stage: DiffusionStage) -> None:
    check_request(options, config, "this model makes a video from one prompt or one picture")
    if not options.prompt and not options.image:
        raise ValueError("prompt: it is empty; expected a sentence, or an image")
    check_length(options.frames, config.frames)
    diffusion = stage.diffusion
    highest = max(config.fps, diffusion.max_fps) if diffusion.slowed else config.fps
    if options.fps is not None and not config.fps <= options.fps <= highest:
        trained = f"{config.fps} to {highest}" if highest > config.fps else f"{config.fps}"
        warnings.warn(f"fps: it was trained at {trained} frames a second, not {options.fps}", stacklevel=2)
    stage.check_fingerprint()
