"""A trained model, ready to generate. `storyreel.load` gives one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from storyreel import Cancelled
from storyreel.clip import Clip, ClipStream
from storyreel.generate import registry
from storyreel.generate.appearance import appearance_of
from storyreel.generate.crisp import crisp, palette_world
from storyreel.generate.dyeing import dyed
from storyreel.generate.facial_hair import with_facial_hair
from storyreel.generate.hats import with_hat
from storyreel.generate.loop import looped
from storyreel.generate.mends import mended, mirrored
from storyreel.generate.open_attributes import attributes_of, completed_for, retouching, sentences_of, trained_world
from storyreel.generate.ranking import Ranker, best, default_candidates, load_ranker
from storyreel.generate.standing import standing
from storyreel.generate.vocabulary import note_for, unconditional_note
from storyreel.generate.weapons import with_weapon, without_remains
from storyreel.generate.whole_blades import with_whole_blades
from storyreel.hub import reference
from storyreel.hub.families import notes_of_lengths
from storyreel.model import load_model
from storyreel.model_folder import recipe_name
from storyreel.notebook import Bar, ClipList, is_notebook
from storyreel.options.generation import MAX_COUNT, GenerateOptions, check_seed
from storyreel.options.input_clip import INPUTS
from storyreel.precision import has_bf16
from storyreel.published_svd.files import opens_here
from storyreel.systems.base import OnProgress, Request, System, TextEncoder
from storyreel.text import load_text_encoder
from storyreel.worlds import Attribute

DEFAULT_FPS = Fraction(8)


def load(name: str | Path | None = None, *, device: str | torch.device | None = None) -> Model:
    """A model by its name (`storyreel models` lists them), by the path of its folder, or by ORG/NAME of the hub, whose
    cache it is downloaded to; or a pipeline of diffusers by `hub:ORG/NAME[@REVISION]` or `hub:FOLDER`, whose weights
    are loaded when its first video is made.

    device: None takes a GPU where there is one. ValueError suggests the nearest name, or says what is wrong with
    the folder.
    """
    folder = registry.find(name)
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if opens_here(folder):
        from storyreel.published_svd.model import open_published

        system, recipe, info = open_published(folder)
    elif reference.is_pipeline(folder):
        from storyreel.hub.pipeline import HubPipeline, PipelineText

        info = registry.describe(folder)
        return Model(HubPipeline(folder, device), PipelineText(), name=info["name"], info=info)
    else:
        system, recipe, info = load_model(folder)
    system = system.to(device).eval()
    text = load_text_encoder(recipe.text)
    if text.dim != system.text_dim:
        raise ValueError(
            f"{folder}/model.json: text encoder {text.name} is {text.dim} wide, and the network reads {system.text_dim}"
        )
    return Model(system, text.to(device), name=registry.display_name(folder), info=info)


class Model:
    """Sentences to videos. Call it."""

    def __init__(self, system: System, text: TextEncoder, *, name: str, info: dict[str, Any]) -> None:
        self.system, self.text, self.name, self.info = system, text, name, info
        self._noted = False
        self._rankers: dict[str | None, Ranker] = {}

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.info.get('system', type(self.system).__name__)}, {self.digest[:12]})"

    @property
    def digest(self) -> str:
        """sha256 over the weights, hex."""
        return str(self.info.get("digest", ""))

    @property
    def fps(self) -> Fraction:
        """The model's own frame rate."""
        return Fraction(self._default("fps") or DEFAULT_FPS)

    @property
    def words(self) -> list[str] | None:
        """The words that the model knows, lower-case, where its folder lists them."""
        return registry.known_words(self.info)

    @cached_property
    def default_candidates(self) -> int:
        """How many candidates it makes of a prompt where their number is not set."""
        return default_candidates(self.name, self.info)

    @cached_property
    def attributes(self) -> Mapping[str, Attribute]:
        """What the clips of the model's world show, and how likely each is where a prompt leaves it open."""
        return attributes_of(self.info)

    def __call__(
        self,
        prompt: str | GenerateOptions | Sequence[str] | None = None,
        *,
        seed: int = 0,
        count: int = 1,
        on_progress: OnProgress | None = None,
        **settings: Any,
    ) -> ClipList:
        """`count` videos of the prompt; the one at index i depends on (seed, i) alone, not on `count`.

        A list of prompts gives the videos of each, in their order, as each would have alone. A notebook plays the list.

        settings: the fields of `storyreel.GenerateOptions`, which may come whole in place of the prompt: frames or
        seconds; fps; steps; guidance; reuse (the whole network only once in so many steps); image (a first frame:
        Clip or file) and image_end (a last one); extend (a clip to go on from); backward (what comes before it);
        variation (a clip to make another like); interpolate (a clip to put frames between); fit ("crop" or "pad", for
        pictures of another aspect); story (a list of (prompt, seconds) instead of a prompt); transparent; loop (cut so
        that its end leads back to its beginning); stage (of a cascade: the last one to run, whose smaller video it is);
        size (such as "1280x768", of a system that makes any, and then of any length); negative (what the video should
        not show), precision (fp32, bf16, fp16), lora (a list of "FILE:WEIGHT"), tiling, layerwise and step_cache
        ("first-block:0.05"; all three smaller or faster, and coarser), of pipelines of the hub; candidates
        (how many to make, of which the best is kept) and encoder (what ranks them); start (seconds into a video without
        end); crisp (False leaves pixel art as it was generated); as_written (nothing is added that the prompt leaves
        open). Left out, the model decides.
        on_progress is called after each step with a `Progress`; raise `storyreel.Cancelled` from it to stop. Without
        it, a notebook shows a bar.
        The clips' `meta` says all that made them. ValueError names what the model cannot serve.
        """
        prompts = list(prompt) if isinstance(prompt, Sequence) and not isinstance(prompt, str) else [prompt]
        if not prompts:
            raise ValueError("prompt: the list is empty; expected at least one sentence")
        options_of = [self._options(each, settings) for each in prompts]
        check_seed(seed)
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_COUNT:
            raise ValueError(f"count: expected a whole number from 1 to {MAX_COUNT}, got {count!r}")
        if not self._noted and (note := self._note([each for options in options_of for each in options.prompts])):
            self._noted = True
            warnings.warn(note, stacklevel=2)
        for note in notes_of_lengths(self.info, options_of):
            warnings.warn(note, stacklevel=2)
        clips = ClipList()
        bar = Bar("videos", len(options_of) * count) if on_progress is None and is_notebook() else None
        try:
            for options in options_of:
                for index in range(count):
                    report = on_progress if bar is None else bar.steps_of(len(clips))
                    clips.append(self.make(options, seed, index, report))
            if bar is not None:
                bar.show(len(clips))
        except Cancelled as stop:
            stop.clips = clips
            raise
        return clips

    def _options(self, prompt: Any, settings: Mapping[str, Any]) -> GenerateOptions:
        """The options of one prompt, with as many candidates as the model makes by itself."""
        if not isinstance(prompt, GenerateOptions):
            options = GenerateOptions.of({"prompt": prompt, **settings})
            if self.system.conditional:
                options.check_prompt()
        elif settings:
            raise ValueError(f"{next(iter(settings))}: the options are given whole; set it in them")
        else:
            options = prompt
        return options.with_candidates(self.default_candidates)

    def make(self, options: GenerateOptions, seed: int, index: int = 0, on_progress: OnProgress | None = None) -> Clip:
        """The one video of (seed, index) and just these options: one candidate where their number is not set."""
        clip = self._made(options, seed, index, on_progress, stream=False)
        return clip if isinstance(clip, Clip) else clip.gathered()

    def stream(
        self, options: GenerateOptions, seed: int, index: int = 0, on_progress: OnProgress | None = None
    ) -> Clip | ClipStream:
        """The same, made while it is read where the system can do that."""
        return self._made(options, seed, index, on_progress, stream=True)

    def _made(
        self, options: GenerateOptions, seed: int, index: int, on_progress: OnProgress | None, *, stream: bool
    ) -> Clip | ClipStream:
        resolved, made, request = self._request(options, seed, index)
        report = on_progress or (lambda _: None)
        with self._generating() as text:
            if (options.candidates or 1) > 1:
                clip = self._best(options, request, text, report)
            elif stream and not options.loop and (found := self.system.stream(request, text, report)) is not None:
                clip = found.replace(parts=partial(self._parts, found))
                return clip.replace(caption=options.caption, meta=self._meta(options, seed, index, clip))
            else:
                clip = self.system.generate(request, text, report)
        return self._finished(clip, options, resolved, made, request)

    def batch_of(self, options: GenerateOptions) -> int:
        """How many videos that differ in prompt and seed alone are made at once with such options."""
        plain = (
            not options.story and (options.candidates or 1) == 1 and not any(getattr(options, name) for name in INPUTS)
        )
        return self.system.together if self.system.mixes and plain else 1

    def text_length(self, options: GenerateOptions, seed: int) -> int:
        """How many tokens the model reads of a prompt. Videos of one batch have as many each: padding changes bits."""
        resolved, *_ = self._request(options, seed, 0)
        with self._generating() as text:
            return text([resolved.prompt])[1].shape[1]

    def make_batch(
        self, batch: Sequence[tuple[GenerateOptions, int]], on_progress: OnProgress | None = None
    ) -> list[Clip]:
        """The videos of (options, seed), each as `make` gives it: at most `batch_of`, of one `text_length`."""
        prepared = [(options, *self._request(options, seed, 0)) for options, seed in batch]
        with self._generating() as text:
            requests = [request for *_, request in prepared]
            clips = self.system.generate_batch(requests, text, on_progress or (lambda _: None))
        return [self._finished(clip, *each) for clip, each in zip(clips, prepared, strict=True)]

    def _request(
        self, options: GenerateOptions, seed: int, index: int
    ) -> tuple[GenerateOptions, Mapping[str, str], Request]:
        """(options with what the prompt leaves open, that, the request). ValueError: the model cannot serve it."""
        self._check(options)
        resolved, made = completed_for(self.info, options, seed, index)
        fps = self.system.products[options.stage] if options.stage else self.fps
        return resolved, made, self._make_request(options, resolved.resolve(fps), seed, index)

    def _make_request(self, options: GenerateOptions, resolved: GenerateOptions, seed: int, index: int) -> Request:
        """The request, with what else the system reads of it."""
        appearance, views = appearance_of(self.system, self.info, options, seed, index)
        sentences = sentences_of(self.info, resolved) if self.system.composes else {}
        return Request(
            options=resolved, seed=seed, index=index, appearance=appearance, views=views, sentences=sentences
        )

    def _finished(
        self, clip: Clip, options: GenerateOptions, resolved: GenerateOptions, made: Mapping[str, str], request: Request
    ) -> Clip:
        """As it is handed out: crisp where it is pixel art, and with what made it."""
        world, exact = palette_world(self.info), options.crisp is not False
        if world is not None:
            clip = (crisp(clip, world) if exact else clip).replace(meta={**clip.meta, "crisp": exact})
        if not options.as_written:
            trained = retouching(trained_world(self.info), options)
            if exact and len(resolved.prompts) == 1:
                clip = without_remains(clip, trained, options.prompt, resolved.prompts[0])
                clip = mended(clip, trained, options.prompt, resolved.prompts[0])
                clip = with_facial_hair(clip, trained, options.prompt, resolved.prompts[0])
            clip = dyed(clip, trained, " ".join(options.prompts), resolved.prompts[0] if resolved.prompts else "")
            if exact and len(resolved.prompts) == 1:
                clip = with_hat(clip, trained, options.prompt, resolved.prompts[0])
                clip = with_weapon(clip, trained, options.prompt, resolved.prompts[0])
                clip = mirrored(clip, trained, options.prompt, resolved.prompts[0])
            clip = standing(clip, trained, options.prompt, resolved.prompt)
            if exact and "armed" not in clip.meta:
                clip = with_whole_blades(clip, trained, " ".join(resolved.prompts))
        if options.loop:
            clip = looped(clip)
        if self.attributes:
            clip = clip.replace(meta={**clip.meta, "drawn": made})
        if resolved.prompts != options.prompts:
            clip = clip.replace(meta={**clip.meta, "restated": list(resolved.prompts)})
        if request.appearance:
            clip = clip.replace(meta={**clip.meta, "looks": request.appearance})
        return clip.replace(caption=options.caption, meta=self._meta(options, request.seed, request.index, clip))

    def attempts(
        self, options: GenerateOptions, seed: int, index: int, count: int, on_progress: OnProgress | None = None
    ) -> list[Clip]:
        """`count` candidates for the one video of (seed, index), unranked, of just these options."""
        self._check(options)
        request = self._make_request(options, options.resolve(self.fps), seed, index)
        with self._generating() as text:
            clips = self.system.candidates(request, count, text, on_progress or (lambda _: None))
        world = palette_world(self.info) if options.crisp is not False else None
        return [crisp(clip, world) if world else clip for clip in clips]

    @contextmanager
    def _generating(self) -> Iterator[TextEncoder]:
        """The text encoder, on the model's device, for a block that generates in the precision of that device."""
        device = self.system.device
        bf16 = self.system.autocast and has_bf16(device)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            yield _Here(self.text, device)

    def _parts(self, stream: ClipStream) -> Iterator[np.ndarray]:
        """The parts of a stream, each made as `_generating` says."""
        each = stream.parts()
        while True:
            with self._generating():
                part = next(each, None)
            if part is None:
                return
            yield part

    def _note(self, prompts: Sequence[str]) -> str | None:
        if not self.system.conditional:
            return unconditional_note(prompts, self.name)
        return note_for(prompts, self.words, self.name, self.attributes, trained_world(self.info))

    def _check(self, options: GenerateOptions) -> None:
        """ValueError for what not every system can serve, and this one cannot."""
        serves = self.system.serves
        if options.size and "size" not in serves:
            raise ValueError(f"size: {self.name} makes its own size alone; a model of Imagen Video makes any")
        if options.start is not None and "start" not in serves:
            raise ValueError(f"start: {self.name} makes videos from their beginning; a video GAN begins anywhere")
        for name in ("image_end", "backward", "variation"):
            if getattr(options, name) and name not in serves:
                raise ValueError(f"{name}: {self.name} cannot do that; a model of Make-A-Video can")
        if options.interpolate and "interpolate" not in serves:
            raise ValueError(
                f"interpolate: {self.name} puts no frames between others; a model of svd_interpolation does"
            )
        if options.motion is not None and "motion" not in serves:
            raise ValueError(f"motion: {self.name} reads no motion; a model of Stable Video Diffusion does")
        if options.reuse is not None and "reuse" not in serves:
            raise ValueError(f"reuse: {self.name} runs its whole network at each step; Stable Video Diffusion need not")
        for name in ("negative", "precision", "lora", "tiling", "layerwise", "step_cache"):
            if getattr(options, name) and name not in serves:
                reads = "reads none" if name in ("negative", "precision", "lora") else "cannot do that"
                raise ValueError(f"{name}: {self.name} {reads}; many pipelines of the hub do (hub:ORG/NAME)")
        if options.stage and options.stage not in (known := self.system.products):
            expected = f"expected one of {', '.join(known)}" if known else "it makes whole videos only; a cascade can"
            raise ValueError(f"stage: {self.name} does not stop after {options.stage!r}; {expected}")
        if options.crisp and "crisp" not in options.defaulted and palette_world(self.info) is None:
            raise ValueError(f"crisp: {self.name} makes no pixel art with a palette that is known")
        if not options.story and not options.prompt and "no prompt" not in serves:
            raise ValueError("prompt: it is empty; expected a sentence")

    def _best(self, options: GenerateOptions, request: Request, text: TextEncoder, on_progress: OnProgress) -> Clip:
        """The candidate that an encoder ranks first; its `meta` says which encoder, and all scores."""
        assert options.candidates is not None
        if options.encoder not in self._rankers:  # before any work: there may be none
            self._rankers[options.encoder] = load_ranker(options.encoder, (self.name, recipe_name(self.info)))
        clips = self.system.candidates(request, options.candidates, text, on_progress)
        with torch.autocast(self.system.device.type, enabled=False):
            first, ranking = best(self._rankers[options.encoder], request.options.caption, clips)
        return clips[first].replace(meta={**clips[first].meta, "candidates": ranking})

    def _default(self, name: str) -> Any:
        """What the model takes when it is not set: from its system, its config or its model.json; else None."""
        config = getattr(self.system, "config", None)
        for place in (self.system, config, *getattr(config, "__dict__", {}).values()):
            if isinstance(value := getattr(place, name, None), (int, float, str, Fraction)):
                return value
        return self.info.get(name)

    def _meta(self, options: GenerateOptions, seed: int, index: int, clip: Clip | ClipStream) -> dict[str, Any]:
        """Enough to make the clip again: `options` as they were, and what the model made of it where it decided."""
        meta: dict[str, Any] = {"model": self.name, "digest": self.digest}
        if options.story:
            meta["story"] = [list(part) for part in options.story]
        else:
            meta["prompt"] = options.prompt
        meta |= {"seed": seed, "index": index}
        for name in ("steps", "guidance"):
            value = getattr(options, name)
            meta[name] = self._default(name) if value is None else value
        meta |= clip.meta | {"frames": len(clip), "fps": str(clip.fps)}
        return meta | {"options": options.as_json(), "threads": torch.get_num_threads(), "version": _version()}


class _Here:
    """A text encoder whose states lie on the model's device."""

    def __init__(self, text: TextEncoder, device: torch.device) -> None:
        self.name, self.dim, self._text, self._device = text.name, text.dim, text, device

    def __call__(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        states, mask = self._text(captions)
        return states.to(self._device), mask.to(self._device)


def _version() -> str:
    try:
        return version("storyreel")
    except PackageNotFoundError:
        return "source"
