"""From the fields of a request to the options of a generation, by the one declaration that the command line has too."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.json_file import parse_json
from storyreel.names import bare, is_bare
from storyreel.numbers import is_digits, shown, whole
from storyreel.options.declare import fields_of
from storyreel.options.generation import MAX_SEED, GenerateOptions
from storyreel.options.input_clip import INPUTS
from storyreel.serve.errors import ApiError
from storyreel.serve.files import LOSSLESS
from storyreel.serve.ticks import expected_of, judge_of
from storyreel.wording import suggestion

if TYPE_CHECKING:
    from storyreel.serve.files import VideoFiles
    from storyreel.serve.served import Served
    from storyreel.serve.table import VideoRow

ALIASES = {
    "num_frames": "frames", "guidance_scale": "guidance", "num_inference_steps": "steps", "negative_prompt": "negative",
}  # fmt: skip
NAMES = {"frames": "num_frames", "guidance": "guidance_scale", "negative": "negative_prompt"}  # in errors
OPTIONS = tuple(name for name in fields_of(GenerateOptions) if name not in (*INPUTS, "lora"))  # which names a file
FIELDS = ("prompt", "model", "seconds", "size", "input_reference", "seed", "format", "max_tries", *ALIASES, *OPTIONS)
FORMATS = ("mp4", "webm", "gif", "webp", "apng")
WHOLE = ("seed", "max_tries")  # numbers that are no options
OPAQUE = "mp4"  # the one format without transparency
NO_TEXT = re.compile(r"[\ud800-\udfff\x00]")  # halves of characters, which no answer could show, and NUL
MAX_PROMPT = 4_000  # characters
MAX_TRIES = 64
MAX_UPLOAD = 16 << 20  # bytes of an input_reference
APART = ("inputs", "max_tries", "follows")  # of a row's settings: what is no option
SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "gif": ".gif", "mov": ".mp4", "matroska": ".webm"}


@dataclass
class VideoRequest:
    """A request that was understood: what goes into the table, and the files that came with it."""

    options: GenerateOptions
    seed: int
    format: str
    scale: int | None
    seconds: str
    size: str
    inputs: dict[str, str] = field(default_factory=dict)  # option -> suffix of the file that was sent for it
    max_tries: int = 1  # videos that may be made until a judge sees all that the prompt says
    follows: str | None = None  # the video that it goes on from

    @property
    def settings(self) -> dict[str, Any]:
        """JSON values; `options_of` makes the options of them."""
        values = {name: value for name, value in self.options.as_json().items() if name not in INPUTS}
        apart = {"inputs": self.inputs, "max_tries": self.max_tries, "follows": self.follows}
        return values | {name: value for name, value in apart.items() if value not in ({}, 1, None)}


def plain_settings(video: VideoRow) -> dict[str, Any]:
    """The options of a video in the table, as JSON, without the files that came with it: those that a request has."""
    return {name: value for name, value in video.settings.items() if name in OPTIONS}


def options_of(video: VideoRow, files: VideoFiles) -> GenerateOptions:
    """The options of a video in the table, with its pictures opened.

    ValueError, OSError: one cannot be, or the row says what no request can, such as the path of a picture.
    """
    values = plain_settings(video)
    if odd := sorted(video.settings.keys() - values.keys() - set(APART)):
        raise ValueError(f"{shown(odd[0])}: no request has this setting; the table was not written by this server")
    if "encoder" in values:
        bare(values["encoder"], "encoder")
    if values.get("story"):
        values.pop("prompt", None)
    for name, suffix in video.settings.get("inputs", {}).items():
        values[name] = files.input_file(video.id, name, suffix)
        if video.settings.get("follows") and not values[name].exists():
            files.take_end_of(video.settings["follows"], values[name])
    return GenerateOptions.of(values)


def read_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a JSON body or a form by the names of options. Text of a form becomes numbers and truth values.

    ApiError names a field that does not exist, with the nearest that does.
    """
    known, found = fields_of(GenerateOptions), {}
    for name, value in body.items():
        if name not in FIELDS:
            hint = suggestion(name, FIELDS)
            raise ApiError(400, f"Unknown parameter: {shown(name)}; {hint}", param=name[:100], code="unknown_parameter")
        if value is None or value == "":
            continue
        option = ALIASES.get(name, name)
        if option in found:
            raise ApiError(400, f"{name}: it is given twice, as {option} as well", param=name, code="invalid_value")
        try:
            if option in WHOLE and isinstance(value, str):
                value = whole(value, option, 0, MAX_SEED)
            elif option == "seconds" and isinstance(value, str):
                value = known["seconds"].from_text(value)
            elif option == "story" and isinstance(value, str):
                value = parse_json(value, "story")
            elif option in known and isinstance(value, str) and known[option].setting.read is None:
                value = known[option].from_text(value)
        except ValueError as error:
            raise ApiError.of(error, NAMES) from None
        found[option] = value
    return found


def understand(
    values: Mapping[str, Any], model: Served, inputs: Mapping[str, Path], follows: VideoRow | None = None
) -> VideoRequest:
    """The request for one video of a model. ApiError, 400, names the field, and what this model can make.

    inputs: option -> the file that was sent for it, which is opened to see that it can be. follows: the video that it
    goes on from, which may still have to be made.
    """
    values, able = dict(values), model.abilities
    for name in ("model", "input_reference"):
        values.pop(name, None)
    seed, format, tries = values.pop("seed", 0), values.pop("format", None), values.pop("max_tries", 1)
    size, scale = values.pop("size", None), None
    _check_texts(values)
    try:
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
            raise ValueError(f"seed: expected a whole number from 0 to {MAX_SEED}, got {shown(seed)}")
        if (able.any_size or not able.sizes) and size is not None and size != f"{able.width}x{able.height}":
            values["size"], scale = size, 1
            _check_size(size, model)
        elif size is not None:
            scale = _scale(size, model)
        if refused := able.cannot & ({"extend"} if follows else inputs.keys()):
            what = "goes on from no clip" if "extend" in refused else "begins with no picture"
            message = f"input_reference: {model.name} {what}"
            raise ApiError(400, message, param="input_reference", code="unsupported")
        options = GenerateOptions.of({**values, **{name: _opened(path, name) for name, path in inputs.items()}})
        if model.info.get("conditional") is not False and not inputs:
            options.check_prompt()
        _check_tries(tries, options, model, seed)
    except ValueError as error:
        raise ApiError.of(error, NAMES) from None
    for name in sorted(able.cannot):
        if options.is_set(name):
            name = NAMES.get(name, name)
            raise ApiError(400, f"{name}: {model.name} cannot serve it; leave it out", param=name, code="unsupported")
    before = float(follows.seconds or 0) if follows and "extend" not in inputs else 0.0
    seconds = _check_length(options, model, before)
    format = _format(format, options.transparent)
    if able.width and able.height and options.size is None:
        width, height = able.width, able.height
    else:
        width, height = options.size or (0, 0)
    factor = scale or _usual_scale(height, width)
    shown_size = f"{width * factor}x{height * factor}" if width else ""
    suffixes = {name: path.suffix for name, path in inputs.items()}
    if follows:
        suffixes["extend"] = Path(LOSSLESS).suffix
    return VideoRequest(options, seed, format, scale, seconds, shown_size, suffixes, tries, follows and follows.id)


def check_inputs(model: Served, inputs: Collection[str]) -> None:
    """ApiError, 400, where a model makes nothing without a picture or a clip, and none was sent."""
    needs, known = model.abilities.needs, set(inputs)
    if "extend" in known and "extend" not in model.abilities.cannot:
        known.add("image")  # it begins with the last frame
    if needs is not None and needs not in known:
        message = f"input_reference: {model.name} makes nothing without {needs}; expected a file"
        raise ApiError(400, message, param="input_reference", code="missing_parameter")


def _check_texts(values: Mapping[str, Any]) -> None:
    prompt = values.get("prompt")
    if isinstance(prompt, str) and len(prompt) > MAX_PROMPT:
        message = f"prompt: expected at most {MAX_PROMPT} characters, got {len(prompt)}"
        raise ApiError(400, message, param="prompt", code="string_above_max_length")
    for name, value in values.items():
        if any(NO_TEXT.search(text) for text in _texts_in(value)):
            name = NAMES.get(name, name)
            message = f"{name}: expected text, got a character that is none"
            raise ApiError(400, message, param=name, code="invalid_value")
    if "encoder" in values and not is_bare(values["encoder"]):
        raise ApiError(400, "encoder: expected a name, no path", param="encoder", code="invalid_value")


def _texts_in(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from _texts_in(inner)


def _check_tries(tries: Any, options: GenerateOptions, model: Served, seed: int) -> None:
    """ValueError where a video cannot be made until all is right: nobody can tell, or nothing is said."""
    if tries == 1:
        return
    if not isinstance(tries, int) or isinstance(tries, bool) or not 1 <= tries <= MAX_TRIES:
        raise ValueError(f"max_tries: expected a whole number from 1 to {MAX_TRIES}, got {shown(tries)}")
    if judge_of(model.info) is None:
        raise ValueError(f"max_tries: there is no judge of what {model.name} makes; leave it out")
    if not expected_of(model.info, options.prompt):
        raise ValueError("max_tries: the prompt says nothing that the judge can see; leave it out")
    if seed + tries - 1 > MAX_SEED:
        raise ValueError(f"max_tries: there are no {tries} seeds from {seed} on")


def _check_size(size: Any, model: Served) -> None:
    """ApiError where a model that makes many sizes does not make this one."""
    able = model.abilities
    sides = size.lower().split("x") if isinstance(size, str) else []
    if able.multiple is None or len(sides) != 2 or not all(is_digits(side) and len(side) < 7 for side in sides):
        return  # which the options tell
    if not able.makes_size(int(sides[0]), int(sides[1])):
        message = (
            f"size: {model.name} makes sides that are multiples of {able.multiple} and at most {able.max_side}, "
            f"such as {able.sizes[0]}; got {size}"
        )
        raise ApiError(400, message, param="size", code="invalid_value")


def _scale(size: Any, model: Served) -> int:
    """The whole factor that makes this size of the model's own."""
    sizes = model.abilities.sizes
    if not isinstance(size, str) or size.lower() not in sizes:
        message = f"size: {model.name} makes {', '.join(sizes)}; got {shown(size)}"
        raise ApiError(400, message, param="size", code="invalid_value")
    return sizes.index(size.lower()) + 1


def _usual_scale(height: int, width: int) -> int:
    from storyreel.video_io import scale_for

    return scale_for(height, width) if height else 1


def _check_length(options: GenerateOptions, model: Served, before: float) -> str:
    """The seconds of the video, as the API says them. ApiError where the model makes none so long.

    before: seconds of the clip that it goes on from, where that is not among the options.
    """
    able = model.abilities
    fps = options.fps or able.fps or Fraction(8)
    frames = options.frames if options.frames is not None else able.frames
    if options.seconds is not None:
        frames = max(1, round(options.seconds * fps))
    if options.story:
        frames = round(sum(seconds for _, seconds in options.story) * fps)
    if options.extend is not None:  # a clip stands before what goes on from it
        before = options.extend.seconds
    if frames is not None and able.max_frames is not None and options.size is None and frames > able.max_frames:
        name = "story" if options.story else "num_frames" if options.frames is not None else "seconds"
        most = (
            f"1 to {able.max_frames} frames, which are {float(1 / fps):g} to {float(able.max_frames / fps):g} seconds"
        )
        message = f"{name}: {model.name} makes {most} at {fps} a second; got {frames} frames"
        raise ApiError(400, message, param=name, code="invalid_value")
    return "" if frames is None else f"{float(frames / fps) + before:g}"


def _format(format: Any, transparent: bool) -> str:
    if format is None:
        return "webm" if transparent else OPAQUE
    if format not in FORMATS:
        message = f"format: expected one of {', '.join(FORMATS)}, got {shown(format)}"
        raise ApiError(400, message, param="format", code="invalid_value")
    if transparent and format == OPAQUE:
        formats = ", ".join(name for name in FORMATS if name != OPAQUE)
        message = f"format: {format} has no transparency; expected one of {formats}"
        raise ApiError(400, message, param="format", code="invalid_value")
    return format


def read_upload(value: Any, name: str = "input_reference") -> bytes:
    """The content of a file: bytes of a form, or {"image_url": "data:image/png;base64,..."}."""
    if isinstance(value, Mapping):
        url = value.get("image_url")
        if not isinstance(url, str) or not url.startswith("data:"):
            raise _bad_upload(
                name, "expected a file, or an image_url that is a data: URL; nothing is fetched from elsewhere"
            )
        try:
            value = base64.b64decode(url.partition(",")[2], validate=True)
        except (binascii.Error, ValueError):
            raise _bad_upload(name, "its base64 cannot be read") from None
    if not isinstance(value, bytes):
        raise _bad_upload(name, "expected a file")
    if len(value) > MAX_UPLOAD:
        raise _bad_upload(name, f"expected at most {MAX_UPLOAD >> 20} MiB, got {len(value) / 2**20:.1f}", 413)
    return value


def kind_of_upload(file: Path) -> tuple[str, str]:
    """(option, suffix) of a file that was sent: a picture begins a video, a clip is gone on from. Its content decides,
    not its name. ApiError: it is neither."""
    from storyreel import file_type

    try:
        kind = file_type.kind(file)
    except (ValueError, OSError) as error:
        raise _of_upload(error, file) from None
    if kind not in SUFFIXES:
        raise _bad_upload("input_reference", "is neither a picture (png, jpeg, webp) nor a clip (gif, mp4, webm)")
    return ("image" if kind in ("png", "jpeg", "webp") else "extend"), SUFFIXES[kind]


def _opened(file: Path, option: str) -> Any:
    """Open what was sent, as the worker will. ApiError: it is corrupt, or far too large when it is unpacked."""
    from storyreel.options.input_clip import InputClip

    try:
        return InputClip.read(file, option)
    except (ValueError, OSError) as error:
        raise _of_upload(error, file) from None


def _of_upload(error: Exception, file: Path) -> ApiError:
    reason = " ".join(str(error).split()).replace(str(file), "the file")
    return _bad_upload("input_reference", reason.removeprefix("the file: "))


def _bad_upload(name: str, reason: str, status: int = 400) -> ApiError:
    return ApiError(status, f"{name}: {reason}", param=name, code="invalid_file")
