"""A pipeline of diffusers as a system: one request in, one clip out, with the promises of our own models.

A video depends on (seed, index) alone: each is made by itself, with a generator of its own on the CPU. What the model
cannot make is made larger and cut back. Latents that are not numbers end it with the step at which they were found.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from storyreel.clip import Clip
from storyreel.hub import levers, lora, stories
from storyreel.hub.describe import variant_of
from storyreel.hub.families import Family, family_of, limits_of
from storyreel.hub.makes import served, usual_frames, usual_size
from storyreel.hub.memory import NAMES as PRECISIONS
from storyreel.hub.memory import chosen_mode, place
from storyreel.hub.pictures import cut, fitted, following, preview_of
from storyreel.hub.reference import check_components, name_of, read_index, title
from storyreel.hub.signature import REQUIRED, signature_of
from storyreel.hub_network import in_silence
from storyreel.options.generation import GenerateOptions
from storyreel.options.lora import Lora
from storyreel.systems.base import OnProgress, Progress, Request, Stage, System, TextEncoder

OLDEST = (0, 42)  # of diffusers, that it was tried with
STARTS = ("image", "image_end", "variation", "extend")


class PipelineText:
    """In the place of a text encoder: a pipeline brings its own, which reads sentences inside it."""

    name, dim = "the pipeline's own", 0

    def __call__(self, captions: object) -> tuple[Tensor, Tensor]:
        raise NotImplementedError("a pipeline encodes its prompts itself")


class HubPipeline(System):
    """A pipeline's folder. Its weights are loaded when the first video is made, in the precision of that one."""

    name = "hub"
    autocast = False

    def __init__(self, folder: Path, device: str | torch.device = "cpu") -> None:
        """ValueError: a class that this version of diffusers does not have, or a family that is not known."""
        super().__init__()
        self.folder, self.index = folder, read_index(folder)
        self.kind, self.called = str(self.index["_class_name"]), title(name_of(folder))
        self.family: Family = family_of(folder, self.index)
        self.limits = limits_of(folder, self.family)
        self.fps = Fraction(self.family.fps)
        self._device = torch.device(device)
        self._loaded: dict[tuple[Any, ...], Any] = {}
        self._lora: tuple[Lora, ...] = ()  # those in the loaded weights
        self._mode = "none"
        class_named(self.kind)
        found = signature_of(self.kind)
        self._accepted, self._served = found.arguments, served(self.family, found)
        self.conditional = "prompt" in self._accepted
        own = self._served & {"negative", "image_end", "variation", "motion", "lora"} | levers.served(self.index)
        self.serves = frozenset({"size", "precision", *own, *(() if self.conditional else ("no prompt",))})

    @property
    def stages(self) -> dict[str, Stage]:
        return {}

    @property
    def device(self) -> torch.device:
        return self._device

    @property
    def steps(self) -> int:
        return int(self._accepted[self.family.argument("steps")])

    @property
    def guidance(self) -> float | None:
        found = self._accepted.get(self.family.argument("guidance"))
        return float(found) if isinstance(found, (int, float)) else None

    def generate(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> Clip:
        self._check(request.options)
        if request.options.story:
            return stories.make_story(request, self.fps, self._made, on_progress)
        return self._made(request, on_progress)

    def _made(self, request: Request, on_progress: OnProgress, part: int = 0) -> Clip:
        """The video of one prompt, after the clip that it goes on from. part: of a story; each has noise of its own."""
        options, kind = request.options, self.kind
        for setting, sibling in self.family.siblings.items():
            if getattr(options, setting) is not None or (setting == "image" and options.extend is not None):
                kind = sibling
        # Not in inference mode: weights that are loaded in it could not be changed again, by offloading or a LoRA.
        with torch.inference_mode(False), torch.no_grad():
            pipe = self._pipe(kind, options)
            self._use_lora(options)
            arguments = self._arguments(kind, options)
            with (
                _own_noise(request, part, self._device) as generator,
                levers.using(pipe, options, offloaded=self._mode != "none"),
            ):
                try:
                    out = pipe(**arguments, generator=generator, **self._callback(kind, on_progress))
                except torch.OutOfMemoryError:
                    more = "try --offload group, a smaller --size or fewer --frames"
                    raise ValueError(f"{self.called}: the memory of the GPU is full; {more}") from None
        frames = self._frames(out, options)
        clip = Clip.from_tensor(frames, options.fps or self.fps, options.prompt)
        if options.extend is not None:
            clip = following(options.extend, clip, options.fit)
        numbers = {name: value for name, value in arguments.items() if isinstance(value, (int, float))}
        meta: dict[str, Any] = {"pipeline": self._about(pipe, kind) | {"arguments": numbers}}
        for name in ("steps", "guidance"):
            if (value := numbers.get(self.family.argument(name))) is not None:
                meta[name] = value
        return clip.replace(meta=meta | {"precision": self._precision(options)})

    def _check(self, options: GenerateOptions) -> None:
        """ValueError names a setting that the pipeline has no argument for."""
        for name in STARTS:
            if getattr(options, name) is not None and name not in self._served:
                raise ValueError(f"{name}: {self.called} ({self.kind}) takes none")
        if options.transparent:
            raise ValueError(f"transparent: {self.called} has no matte")
        if options.story and "story" not in self._served:
            lacks = "picture to go on from" if self.conditional else "prompt"
            raise ValueError(f"story: {self.called} ({self.kind}) takes no {lacks}; it makes single videos")
        if options.story and (options.image_end is not None or options.variation is not None):
            raise ValueError("story: is made of prompts alone, after an image or a clip; leave the others out")
        if self._accepted.get("image") is REQUIRED and options.image is None and options.extend is None:
            raise ValueError(f"image: {self.called} ({self.kind}) makes a video of a picture; expected one")
        if self.conditional and not all(options.prompts):
            raise ValueError("prompt: it is empty; expected a sentence")

    def _precision(self, options: GenerateOptions) -> str:
        """fp32, bf16 or fp16: as it is set; else float32 on a CPU, and what the family prefers on a GPU."""
        if options.precision:
            return options.precision
        prefers = self.family.dtype if self._device.type != "cpu" else "float32"
        return next(short for short, long in PRECISIONS.items() if long == prefers)

    def _pipe(self, kind: str, options: GenerateOptions) -> Any:
        """The pipeline of a class in a precision; the classes of one folder share their weights."""
        precision = self._precision(options)
        if (key := (kind, precision, options.layerwise)) in self._loaded:
            return self._loaded[key]
        if kind == self.kind:
            self._loaded.clear()  # one set of weights at a time
            self._lora = ()
            self._mode = chosen_mode(self.folder, self._device, precision, options.layerwise)
            pipe = load_pipeline(self.folder, kind, PRECISIONS[precision], self.family)
            if options.layerwise:
                levers.cast_layerwise(pipe, getattr(torch, PRECISIONS[precision]))
            pipe = place(pipe, self._device, self._mode)
        else:
            parts, found = self._pipe(self.kind, options).components, class_named(kind)
            parameters = inspect.signature(found.__init__).parameters
            pipe = found(**{name: part for name, part in parts.items() if name in parameters})
        pipe.set_progress_bar_config(disable=True)
        self._loaded[key] = pipe
        return pipe

    def _use_lora(self, options: GenerateOptions) -> None:
        """Have the weights changed by the LoRA files that are asked for, and by no others."""
        if options.lora == self._lora:
            return
        self._lora = ()
        with in_silence():
            lora.apply(self._pipe(self.kind, options), options.lora)
        self._lora = options.lora

    def _arguments(self, kind: str, options: GenerateOptions) -> dict[str, Any]:
        """What the pipeline is called with."""
        accepted, named = signature_of(kind).arguments, self.family.argument
        start = options.image if options.image is not None else options.extend
        if options.size is not None:
            height, width = self.limits.side(options.size[1]), self.limits.side(options.size[0])
        else:
            height, width = usual_size(self.folder, accepted, self.limits)
        count = usual_frames(self.folder, self.family, accepted) if options.frames is None else options.frames
        if count is not None:  # the first frame of what follows a clip is the clip's last
            count = self.limits.frames(count + (options.extend is not None))
        values: dict[str, Any] = {
            named("prompt"): options.prompt,
            named("negative"): options.negative,
            named("frames"): count,
            named("steps"): options.steps or accepted[named("steps")],
            named("guidance"): options.guidance,
            named("motion"): options.motion,
            named("fps"): None if options.fps is None else round(options.fps),
            "height": height,
            "width": width,
            "output_type": "np",
            **self.family.extra,
        }
        if start is not None:
            last = start.replace(frames=start.frames[-1:])
            values[named("image")] = fitted(last, height, width, options.fit)[0]
        if options.image_end is not None:
            values[named("image_end")] = fitted(options.image_end, height, width, options.fit)[0]
        if options.variation is not None:
            values[named("variation")] = self._varied(options, height, width)
        found = {name: value for name, value in values.items() if value is not None and name in accepted}
        if isinstance(guidance := accepted.get(named("guidance")), (int, float)):
            found.setdefault(named("guidance"), float(guidance))
        for name in ("guidance", "motion", "negative"):
            if getattr(options, name) is not None and named(name) not in accepted:
                raise ValueError(f"{name}: {self.called} ({kind}) takes none")
        return found

    def _varied(self, options: GenerateOptions, height: int, width: int) -> list[Image.Image]:
        """The frames of the clip to change, as many as the model can make; the last one is repeated at the end."""
        assert options.variation is not None
        pictures = fitted(options.variation, height, width, options.fit)
        pictures = pictures[: options.frames or len(pictures)]
        return pictures + pictures[-1:] * (self.limits.frames(len(pictures)) - len(pictures))

    def _callback(self, kind: str, on_progress: OnProgress) -> dict[str, Any]:
        """Arguments that have the pipeline report each step; {} where its class has no callback."""
        if "callback_on_step_end" not in signature_of(kind).arguments:
            return {}

        def report(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            latents = tensors["latents"]
            total = getattr(pipe, "num_timesteps", None) or getattr(pipe, "_num_timesteps", None) or step + 1
            if not bool(latents.isfinite().all()):
                raise ValueError(self._no_numbers(f"after step {step + 1} of {total}", latents.dtype))
            on_progress(Progress(step + 1, total, "sampling", preview_of(latents, pipe, self.fps)))
            return {}

        return {"callback_on_step_end": report, "callback_on_step_end_tensor_inputs": ["latents"]}

    def _no_numbers(self, when: str, dtype: torch.dtype) -> str:
        kind = str(dtype).removeprefix("torch.")
        hint = "; float16 overflows in many models: try --precision bf16 or fp32" if dtype == torch.float16 else ""
        return f"{self.called}: latents hold NaN or infinity {when}, in {kind}{hint}; no clip was made"

    def _frames(self, out: Any, options: GenerateOptions) -> Tensor:
        """(3, t, h, w) in [-1, 1], cut to what was asked for."""
        made = np.asarray(out.frames[0], np.float32)  # (t, h, w, 3) in [0, 1]
        if not np.isfinite(made).all():
            raise ValueError(self._no_numbers("in the decoded video", self._dtype_of_decoder()))
        made = made[options.extend is not None :]
        expected = options.frames if options.variation is None else min(options.frames or 10**9, len(options.variation))
        if expected is not None and len(made) < expected:
            raise ValueError(f"frames: {self.called} made {len(made)}, expected {expected}")
        made = cut(made[:expected], None if options.size is None else (options.size[1], options.size[0]))
        return torch.from_numpy(np.ascontiguousarray(made)).permute(3, 0, 1, 2) * 2 - 1

    def _dtype_of_decoder(self) -> torch.dtype:
        pipe = next(iter(self._loaded.values()))
        return pipe.vae.dtype if getattr(pipe, "vae", None) is not None else torch.float32

    def _about(self, pipe: Any, kind: str) -> dict[str, Any]:
        """How it was made, beside the request: enough to make the clip again elsewhere."""
        import diffusers

        scheduler = pipe.scheduler
        settings = {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
        plain = {key: value for key, value in settings.items() if isinstance(value, (int, float, str, bool))}
        return {
            "class": kind,
            "revision": name_of(self.folder).partition("@")[2] or None,
            "scheduler": type(scheduler).__name__,
            "scheduler_settings": plain,
            "device": self._device.type,
            "offload": self._mode,
            "diffusers": diffusers.__version__,
            "torch": torch.__version__,
        }


@contextmanager
def _own_noise(request: Request, part: int, device: torch.device) -> Iterator[torch.Generator]:
    """The generator of a video, on the CPU. What draws from PyTorch's own in the block depends on the video as well."""
    generator = request.rng()
    generator.manual_seed((generator.initial_seed() + part * 0xA24BAED4963EE407) % 2**63)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices, device_type=device.type if devices else "cuda"):
        torch.manual_seed(generator.initial_seed())
        yield generator


def class_named(kind: str) -> Any:
    """A pipeline class of diffusers. ValueError: diffusers is missing, or this version has no such class."""
    try:
        import diffusers
        from diffusers.pipelines.pipeline_utils import DiffusionPipeline
    except ImportError:
        raise ValueError("pipelines of the hub need diffusers; run: pip install 'storyreel[diffusers]'") from None
    if tuple(map(int, diffusers.__version__.split(".")[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ValueError(f"pipelines of the hub need diffusers {oldest} or newer, and {diffusers.__version__} is here")
    found = getattr(diffusers, kind, None)
    if not isinstance(found, type) or not issubclass(found, DiffusionPipeline):
        raise ValueError(f"{kind}: is no pipeline of diffusers {diffusers.__version__}")
    return found


def load_pipeline(folder: Path, kind: str, dtype: str, family: Family) -> Any:
    """The pipeline in a folder, on the CPU. ValueError, one line, for whatever diffusers finds wrong with it."""
    check_components(folder)
    types: Any = getattr(torch, dtype)
    if family.vae_dtype and dtype != family.vae_dtype:
        types = {"default": types, "vae": getattr(torch, family.vae_dtype)}
    found = class_named(kind)
    try:
        with in_silence():
            return found.from_pretrained(
                str(folder), dtype=types, use_safetensors=True, local_files_only=True, trust_remote_code=False,
                variant=variant_of(folder),
            )  # fmt: skip
    except Exception as error:  # of diffusers, transformers, safetensors, tokenizers: each has its own
        lines = str(error).splitlines() or [type(error).__name__]
        raise ValueError(f"{folder}: could not be opened as a {kind} ({lines[0][:200]})") from None
