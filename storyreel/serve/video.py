"""A video as the API shows it: OpenAI's fields, and what is ours under `storyreel`."""

from __future__ import annotations

import json
import shlex
from typing import Any, cast

from storyreel.generate import registry
from storyreel.options.declare import fields_of
from storyreel.options.generation import GenerateOptions
from storyreel.serve import objects
from storyreel.serve.served import Served
from storyreel.serve.settings import plain_settings
from storyreel.serve.studio import Studio
from storyreel.serve.table import VideoRow


def as_json(studio: Studio, video: VideoRow, origin: str = "http://127.0.0.1:8420") -> objects.Video:
    """The object of a video; `origin` is where the command of curl would send it."""
    error: objects.VideoError | None = None
    if video.error_code is not None:
        error = {"code": video.error_code, "message": video.error_message}
    settings, status, result = video.settings, cast(Any, video.status), cast(Any, video.result)
    return {
        "id": video.id,
        "object": "video",
        "created_at": int(video.created_at),
        "completed_at": None if video.status != "completed" else int(video.completed_at or 0),
        "expires_at": None,
        "model": video.model,
        "progress": video.progress,
        "prompt": settings.get("prompt") or None,
        "remixed_from_video_id": video.remixed_from,
        "seconds": video.seconds,
        "size": video.size,
        "status": status,
        "error": error,
        "storyreel": {
            "seed": video.seed,
            "format": video.format,
            "settings": {name: value for name, value in plain_settings(video).items() if name != "prompt"},
            "inputs": sorted(settings.get("inputs", {})),
            "max_tries": settings.get("max_tries", 1),
            "follows": settings.get("follows"),
            "step": video.step,
            "queue_position": studio.table.ahead_of(video) if video.status == "queued" else None,
            "started_at": video.started_at,
            "made_in_seconds": _took(video),
            "favourite": bool(video.favourite),
            "result": result,
            "has_content": video.ended and video.result is not None,
            "commands": commands(video, origin),
        },
    }


def _took(video: VideoRow) -> float | None:
    if video.started_at is None or video.completed_at is None:
        return None
    return round(video.completed_at - video.started_at, 2)


def commands(video: VideoRow, origin: str) -> objects.Commands:
    """What makes the same video: on the command line, in Python, by curl. Files that were sent stand as their names."""
    settings = {name: value for name, value in plain_settings(video).items() if name != "prompt"}
    prompt, known = video.settings.get("prompt", ""), fields_of(GenerateOptions)
    inputs = {name: f"{name.upper()}{suffix}" for name, suffix in video.settings.get("inputs", {}).items()}
    words = ["storyreel", "generate", *([prompt] if prompt and not settings.get("story") else []), "-m", video.model]
    for name, value in {**settings, **inputs}.items():
        flag = next(iter(known[name].setting.flags), f"--{name.replace('_', '-')}").partition("/")[0]
        if name == "story":
            words += ["--story", "STORY.json"]
        elif isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [flag, str(value)]
    if video.seed:
        words += ["--seed", str(video.seed)]
    words += ["-o", f"video.{video.format}"]
    arguments = [repr(prompt)] if prompt and not settings.get("story") else []
    python = {**settings, **inputs, **({"seed": video.seed} if video.seed else {})}
    arguments += [f"{name}={value!r}" for name, value in python.items()]
    body = {"prompt": prompt, "model": video.model, **settings, "seed": video.seed, "format": video.format}
    return {
        "cli": shlex.join(words),
        "python": f"import storyreel\n\nmodel = storyreel.load({video.model!r})\n"
        f"(clip,) = model({', '.join(arguments)})\nclip.save('video.{video.format}')",
        "curl": f"curl {origin}/v1/videos -H 'Content-Type: application/json' -d "
        + shlex.quote(json.dumps({name: value for name, value in body.items() if value != ""}, ensure_ascii=False)),
    }


def model_as_json(model: Served) -> objects.Model:
    """A model of `/v1/models`, with what it can make and what its world's attributes are."""
    from storyreel.generate.open_attributes import attributes_of
    from storyreel.generate.registry import is_conditional
    from storyreel.serve.ticks import judged_by

    able = model.abilities
    attributes = {
        name: {value: next(iter(each.words), value) for value, each in attribute.values.items()}
        for name, attribute in attributes_of(model.info).items()
    }
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "storyreel",
        "storyreel": {
            "system": model.info.get("system"),
            "about": model.info.get("about"),
            "parameters": model.info.get("parameters"),
            "conditional": is_conditional(model.info),
            "sizes": able.sizes,
            "any_size": able.any_size,
            "frames": able.frames,
            "max_frames": able.max_frames,
            "fps": None if able.fps is None else str(able.fps),
            "cannot": sorted(able.cannot),
            "attributes": attributes,
            "judged": sorted(judged_by(model.info)),
            "origin": registry.origin(model.folder),
        },
    }
