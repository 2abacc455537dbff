"""Videos of one model in one batch: those that are next in the queue, and differ in prompt and seed alone.

Each is the same as if it were made alone. Their prompts have as many tokens each, since padding changes the last bits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from storyreel.serve.attempts import attempt
from storyreel.serve.steps import PREVIEW_SHARE, GoneError, StepCallback

if TYPE_CHECKING:
    from storyreel.clip import Clip
    from storyreel.serve.table import VideoRow
    from storyreel.serve.worker import VideoWorker
    from storyreel.systems.base import Progress

PAYS = {"cuda", "mps"}
"""Kinds of devices where a batch is faster. On a core of a processor it is not, and the first video comes later."""


def make_together(worker: VideoWorker, first: VideoRow) -> None:
    """Make a video that a worker has claimed, and those behind it that go with it."""
    videos = [first, *_others(worker, first)]
    for video in videos:
        worker.tell({"event": "begin", "id": video.id})
    if len(videos) == 1 or not _made(worker, videos):
        for video in videos:
            worker.make(video)
    for video in videos:
        worker.tell({"event": "end", "id": video.id})


def _made(worker: VideoWorker, videos: Sequence[VideoRow]) -> bool:
    """Whether the batch could be made. If not, whose mistake it is shows when each is made alone."""
    steps = [StepCallback(worker, video, PREVIEW_SHARE / len(videos)) for video in videos]
    model, began = worker.load(videos[0].model), time.monotonic()
    requests = [(worker.options(video, model), video.seed) for video in videos]
    try:
        clips: Sequence[Clip | None] = model.make_batch(requests, partial(_report, steps))
    except _Stopping:
        worker.table.release(worker.claim, worker.files.facts, None)
        return True
    except _Unwanted:
        clips = [None] * len(videos)
    except (ValueError, OSError, MemoryError, RuntimeError):
        return False
    cost = {"seconds": round((time.monotonic() - began) / len(videos), 3), "loading": 0.0}
    cost["memory"] = worker.memory(model)
    for video, clip, (options, seed), each in zip(videos, clips, requests, steps, strict=True):
        try:
            if each.cancelled:
                worker.cancelled(video, each)
            elif clip is not None and not each.gone:
                made = attempt(lambda _, clip=clip: clip, model.info, options, seed, each)
                worker.publish(video, clip, made.as_json() | {"cost": cost})
        except GoneError:
            continue
        except (ValueError, OSError) as error:
            worker.fail(video, "generation_failed", " ".join(str(error).split()))
    return True


class _Stopping(Exception):
    """The server stops."""


class _Unwanted(Exception):
    """All videos of the batch were cancelled or taken away."""


def _others(worker: VideoWorker, first: VideoRow) -> list[VideoRow]:
    """The videos that go into one batch with the first, claimed. The first one of a model shows what that one costs."""
    settings = first.settings
    if first.attempts > 1 or first.model not in worker.loaded or settings.get("max_tries", 1) > 1:
        return []
    if settings.get("inputs") or settings.get("follows"):
        return []
    try:
        model = worker.load(first.model)
        options = worker.options(first, model)
        room = model.batch_of(options) - 1 if model.system.device.type in PAYS else 0
        length = model.text_length(options, first.seed) if room else 0
    except (ValueError, OSError):  # which `make` tells
        return []

    def alike(video: VideoRow) -> bool:
        if video.model != first.model or _besides_the_prompt(video) != _besides_the_prompt(first):
            return False
        try:
            return model.text_length(worker.options(video, model), video.seed) == length
        except (ValueError, OSError):
            return False

    return worker.table.take_more(worker.claim, alike, room) if room else []


def _besides_the_prompt(video: VideoRow) -> dict[str, Any]:
    return {name: value for name, value in video.settings.items() if name != "prompt"}


def _report(steps: Sequence[StepCallback], step: Progress) -> None:
    """After a step of the batch: tell it of each video. One that is cancelled is made with the others, and not kept."""
    from storyreel import Cancelled

    for number, each in enumerate(steps):
        if each.cancelled or each.gone:
            continue
        try:
            each(replace(step, preview=step.preview and partial(step.preview, number)))
        except GoneError:
            each.gone = True
        except Cancelled:
            if each.stopping:
                raise _Stopping from None
            each.cancelled = True
    if all(each.cancelled or each.gone for each in steps):
        raise _Unwanted
