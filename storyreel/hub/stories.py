"""A story by a pipeline that begins with a picture: each part goes on from the last frame of the one before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial

from storyreel.clip import Clip
from storyreel.options.input_clip import InputClip
from storyreel.systems.base import OnProgress, Progress, Request


def make_story(
    request: Request, fps: Fraction, make: Callable[[Request, OnProgress, int], Clip], tell: OnProgress
) -> Clip:
    """The clip of `request.options.story`. fps: of the model. make: of (request of one prompt, on_progress, number of
    the part). Its `meta` is that of the last part, with the arguments of all."""
    options = request.options
    clip, calls = None, []
    for number, (prompt, seconds) in enumerate(options.story):
        count = max(1, round(seconds * (options.fps or fps)))
        part = replace(options, story=(), prompt=prompt, frames=count)
        if clip is not None:
            size = options.size or (clip.size[1], clip.size[0])
            part = replace(part, image=None, extend=InputClip.of_clip(clip), size=size)
        report = partial(_tell, tell=tell, number=number, parts=len(options.story))
        clip = make(replace(request, options=part), report, number)
        calls.append(clip.meta["pipeline"]["arguments"])
    assert clip is not None
    about = clip.meta["pipeline"] | {"arguments": calls}
    return clip.replace(caption=options.caption, meta=clip.meta | {"pipeline": about})


def _tell(step: Progress, tell: OnProgress, number: int, parts: int) -> None:
    tell(replace(step, done=number * step.total + step.done, total=parts * step.total))
