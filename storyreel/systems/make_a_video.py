"""Make-A-Video: from a sentence to a video, by a network that learnt words from pictures and motion from bare videos.

Singer et al., "Make-A-Video: Text-to-Video Generation without Text-Video Data", 2022, https://arxiv.org/abs/2209.14792.

    text --prior P--> image embedding --decoder D^t--> few small frames --interpolation ^F--> more frames
                                                          --SR_l^t--> larger --SR_h--> video (equation 1)
    paper:                             16x64x64           76x64x64     76x256x256  76x768x768

P learns from pictures with captions, and only it reads any (`make_a_video_prior.py`). D, SR_l and SR_h learn from
pictures alone; then D, ^F and SR_l get layers in time, and these learn from videos without captions
(`make_a_video_networks.py`): the stages `decoder`, `sr_l` and `sr_h` are the networks for pictures, `decoder_video`,
`interpolation` and `sr_l_video` the layers in time around them. A request becomes a video thus:

    a sentence      prior -> decoder -> interpolation -> super-resolution; more frames than one window: extrapolation
    a clip to vary  the mean embedding of its frames in place of the prior's (Section 4.3)
    a picture       interpolation with its first frame known alone, and its embedding, or that of a prompt beside it
    two pictures    interpolation with its first and its last frame known
    a clip          its last frames are known and what follows is made, or its first ones and what comes before

All that is longer than a window is made window by window, each beginning with the last frames of the one before. A
refiner, which is not in the paper, may paint the frames of a text's video anew (`palette_refiner.py`); it learns from
single frames with captions.

Axes: b batch, c channels, t frames, h rows, w columns, e width of an image embedding. Videos are float (b, c, t, h, w)
in [-1, 1].

Differs from the paper: v-prediction; noise in the video that super-resolution refines; the layers in space do not learn
from videos, where the paper's "fine-tune" may mean all layers; log-SNRs shifted for larger pictures (`shift`);
`--steps` and `--guidance` of a request are those of every stage that has such, the prior included; ^F fills in frames
at any place, so that its last frames may lie after the decoder's last (the sprites' 8 of 4, where the paper's 76 of 16
end with it); it is not scored on known frames, which come out as they went in; super-resolution has convolutions in
time and no attention, as in DALL-E 2. The paper prints no widths and depths: ours meet its parameter counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from storyreel.clip import Clip
from storyreel.field_ranges import Frames, Width
from storyreel.systems.base import Batch, OnProgress, Progress, Request, TextEncoder
from storyreel.systems.cascade import Cascade, CascadeStage, VideoShape, upto_stage
from storyreel.systems.make_a_video_networks import (
    FrameInterpolationStage,
    NetConfig,
    SpatialStage,
    SpatiotemporalStage,
)
from storyreel.systems.make_a_video_prior import ImageTextConfig, ImageTextStage, PriorConfig, PriorStage
from storyreel.systems.palette_refiner import PaletteRefinerConfig
from storyreel.systems.pixels import check_matte, for_model, shown

MAX_FRAMES = 4096  # of a request


@dataclass(frozen=True, kw_only=True)
class MakeAVideoConfig:
    """All networks. The shape of `sr_h` is that of the video.

    skip: the interpolation makes so many frames of each of the decoder's. max_skip: of the frames of a clip that the
    decoder in time is trained on, one in so many at most, hence the lowest frame rate. carry: known frames where a
    video is made longer, window by window.
    """

    encoder: ImageTextConfig = field(default_factory=ImageTextConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    decoder: NetConfig
    sr_l: NetConfig
    sr_h: NetConfig
    skip: Frames = 5
    max_skip: Frames = 5
    carry: Frames = 4
    channels: Width = 3  # 4 makes a matte too
    text_dim: Width = 768
    whole_clips: bool = False  # every stage reads clips of the last one's size, and makes them smaller itself
    refiner: PaletteRefinerConfig | None = None  # paints the frames of a text's video anew; not in the paper

    @classmethod
    def current(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a file under the names that fields have now."""
        return {"max_skip" if name == "most_skip" else name: value for name, value in saved.items()}

    def __post_init__(self) -> None:
        d, low, high = self.decoder.shape, self.sr_l.shape, self.sr_h.shape
        if not (d.frames - 1) * self.skip < low.frames <= d.frames * self.skip:
            raise ValueError(
                f"skip: {d.frames} frames, one in {self.skip}, are {(d.frames - 1) * self.skip + 1} to "
                f"{d.frames * self.skip}; sr_l has {low.frames}"
            )
        if low.fps != d.fps * self.skip:
            raise ValueError(f"sr_l.shape.fps: expected {self.skip} times the decoder's {d.fps}, got {low.fps}")
        for name, one, before in (("sr_l", low, d), ("sr_h", high, low)):
            if one.height <= before.height:
                raise ValueError(f"{name}.shape: expected larger frames than {before}, got {one}")
        if (high.frames, high.fps) != (low.frames, low.fps):
            raise ValueError(f"sr_h.shape: expected the frames of sr_l, {low}, got {high}")
        for name, net in (("sr_l", self.sr_l), ("sr_h", self.sr_h)):
            s = net.sampling
            if (s.guidance, s.oscillate, s.frame_guidance) != (1, 0, "constant"):
                raise ValueError(f"{name}.sampling.guidance: expected 1 throughout, without an embedding to guide by")
        if self.carry < 1 or self.carry >= low.frames:
            raise ValueError(f"carry: expected 1 to {low.frames - 1}, got {self.carry}")
        if self.text_dim != self.encoder.text_dim:
            raise ValueError(f"text_dim: expected the encoder's {self.encoder.text_dim}, got {self.text_dim}")

    @property
    def networks(self) -> dict[str, NetConfig]:
        return {"decoder": self.decoder, "sr_l": self.sr_l, "sr_h": self.sr_h}

    @property
    def clips(self) -> dict[str, tuple[int, int]]:
        """Height and width of the pictures or clips that each stage is trained on: at least what the encoder reads,
        where embeddings are needed."""
        small, low, high = (s.shape.height for s in (self.decoder, self.sr_l, self.sr_h))
        seen = max(small, self.encoder.size)
        sides = {"prior": seen, "decoder": seen, "sr_l": low, "sr_h": high}
        sides |= {"decoder_video": seen, "interpolation": seen, "sr_l_video": low}
        if self.refiner is not None:
            sides["refiner"] = self.refiner.size
        return {name: (high, high) if self.whole_clips else (side, side) for name, side in sides.items()}

    @property
    def frames(self) -> int:
        return self.sr_h.shape.frames

    @property
    def fps(self) -> int:
        return self.sr_h.shape.fps

    @property
    def steps(self) -> int:
        """Of the decoder, where a request says nothing."""
        return self.decoder.sampling.steps

    @property
    def guidance(self) -> float:
        return self.decoder.sampling.guidance

    def build(self) -> MakeAVideo:
        return MakeAVideo(self)


class MakeAVideo(Cascade):
    """Text, pictures or a clip to a video; every stage before the last is a smaller product."""

    name = "make_a_video"
    refuses = ("story",)
    serves = frozenset({"image_end", "backward", "variation", "no prompt"})
    longest = MAX_FRAMES

    def __init__(self, config: MakeAVideoConfig):
        super().__init__()
        self.config = c = config
        self.text_dim = c.text_dim
        d, low, high = c.decoder.shape, c.sr_l.shape, c.sr_h.shape
        identity = c.encoder.identity
        encoder = ImageTextStage(c.encoder)
        one_d, one_l = (replace(shape, frames=1, fps=1) for shape in (d, low))
        decoder = SpatialStage("decoder", c.decoder, one_d, None, c.channels, encoder, identity=identity)
        sr_l = SpatialStage("sr_l", c.sr_l, one_l, one_d, c.channels, None, identity=identity)
        sr_h = SpatialStage("sr_h", c.sr_h, high, low, c.channels, None, identity=identity)
        in_time = SpatiotemporalStage(
            "decoder_video", decoder, d, None, clip_fps=c.fps, max_skip=c.max_skip, fps=True, identity=identity
        )
        between = VideoShape(frames=low.frames, height=d.height, width=d.width, fps=low.fps)
        self.parts = nn.ModuleDict({
            "encoder": encoder,
            "prior": PriorStage(c.prior, encoder),
            "decoder": decoder,
            "sr_l": sr_l,
            "sr_h": sr_h,
            "decoder_video": in_time,
            "interpolation": FrameInterpolationStage(
                "interpolation", in_time, between, skip=c.skip, clip_fps=c.fps, identity=identity
            ),
            "sr_l_video": SpatiotemporalStage("sr_l_video", sr_l, low, between, clip_fps=c.fps, identity=identity),
        })  # fmt: skip
        self.add_refiner(c.refiner, c.channels, c.text_dim)

    def cascade(self) -> dict[str, CascadeStage]:
        stages = super().cascade()
        return {name: stages[name] for name in ("decoder_video", "interpolation", "sr_l_video", "sr_h")}

    @property
    def encoder(self) -> ImageTextStage:
        stage = self.parts["encoder"]
        assert isinstance(stage, ImageTextStage)
        return stage

    @property
    def prior(self) -> PriorStage:
        stage = self.parts["prior"]
        assert isinstance(stage, PriorStage)
        return stage

    @property
    def interpolation(self) -> FrameInterpolationStage:
        stage = self.parts["interpolation"]
        assert isinstance(stage, FrameInterpolationStage)
        return stage

    def task(self, request: Request) -> Literal["text", "image", "between", "extend"]:
        """What a request is for: a video of a sentence (or like a clip), of a picture, between two pictures, or what
        follows or comes before a clip. ValueError names the field that cannot be served."""
        if request.options.story:
            raise ValueError("story: this model makes a video from one prompt alone")
        check_matte(request.options, self.config.channels)
        if request.options.variation is not None and request.options.prompt:
            raise ValueError("prompt: the clip to vary says what is to be seen; leave the prompt out")
        request.options.check_prompt()
        if request.options.image_end is not None:
            return "between"
        return "image" if request.options.image else "extend" if request.options.extend else "text"

    def check(self, request: Request) -> None:
        c, task = self.config, self.task(request)
        low, high = (3, c.frames) if task == "between" else (1, MAX_FRAMES)
        if request.options.frames is not None and not low <= request.options.frames <= high:
            what = "between two pictures this model makes" if task == "between" else "this model makes"
            raise ValueError(f"frames: {what} {low} to {high} frames, got {request.options.frames}")
        for stage in self.parts.values():
            if isinstance(stage, (CascadeStage, PriorStage)):
                stage.check_fingerprint()

    @torch.no_grad()
    def make(
        self,
        request: Request,
        text: TextEncoder,
        on_progress: OnProgress = lambda progress: None,
        *,
        upto: str | None = None,
        shapes: Mapping[str, VideoShape] | None = None,
    ) -> Clip:
        """The video of a request, after all stages or up to the one named `upto`.

        shapes: of what some stages make, instead of their own. ValueError for a stage that is not there, or has no
        part in such a request.
        """
        self.check(request)
        return Making(self, request, text, on_progress, upto=upto, shapes=shapes or {}).clip()


class Making:
    """The generation of one video."""

    def __init__(
        self,
        system: MakeAVideo,
        request: Request,
        text: TextEncoder,
        on_progress: OnProgress,
        *,
        upto: str | None,
        shapes: Mapping[str, VideoShape],
    ):
        self.system, self.request, self.text, self.on_progress = system, request, text, on_progress
        self.task, self.rng = system.task(request), [request.rng()]
        self.stages, self.whole = upto_stage(system.cascade(), upto), upto is None
        if self.task != "text" and list(self.stages) == ["decoder_video"]:
            raise ValueError("stage: a picture or a clip does not pass through 'decoder_video'")
        self.shapes = {name: shapes.get(name, stage.shape) for name, stage in system.cascade().items()}
        self.device = next(system.parameters()).device
        window = self.shapes["interpolation"]
        self.carry = min(system.config.carry, window.frames - 1)
        self.frames = window.frames if request.options.frames is None else request.options.frames
        self.counts = {
            name: s.resolve(request.options.steps, request.options.guidance)[0] for name, s in self.stages.items()
        }
        self.done, self.total = 0, self._steps()

    def clip(self) -> Clip:
        """The video, as it is shown."""
        r, embedding = self.request.options, self._embedding()
        if self.task == "text":
            video = self._run("decoder_video", {"embedding": embedding}, self.shapes["decoder_video"])
            if "interpolation" not in self.stages:
                return self._shown(video[:, :, : r.frames], self.shapes["decoder_video"])
            video = self._run("interpolation", {"embedding": embedding, "low": video}, self.shapes["interpolation"])
            low, cut = self._longer(video, embedding, self.frames), slice(0, self.frames)
        elif self.task == "between":
            low, cut = self._between(embedding), slice(0, self.frames)
        else:
            low, cut = self._beside(embedding)
        shape = replace(self.shapes["interpolation"], frames=low.shape[2])
        for name in ("sr_l_video", "sr_h"):
            if name in self.stages:
                shape = replace(self.shapes[name], frames=low.shape[2])
                low = self._run(name, {"low": low}, shape)
        if self.task == "text" and r.prompt.strip() and self.whole:
            low = self.system.refined(low, *self._states)
        return self._shown(low[:, :, cut], shape)

    # -- conditioning ------------------------------------------------------------------------------------------

    @cached_property
    def _states(self) -> tuple[Tensor, Tensor]:
        """(1, l, text_dim) of the prompt, and its mask (1, l)."""
        states, mask = self.text([self.request.options.prompt])
        return states.to(self.device), mask.to(self.device)

    def _embedding(self) -> Tensor:
        """(1, e): of the sentence by the prior, or of the pictures of the request."""
        r, encoder = self.request.options, self.system.encoder
        if r.prompt.strip():
            states, mask = self._states
            return self.system.prior.sample(
                {"text": states, "text_mask": mask}, rng=self.rng, steps=r.steps, guidance=r.guidance
            )
        clips = [c for c in (r.image, r.image_end, r.extend, r.variation) if c is not None]
        seen = torch.cat([self._pixels(c, encoder.config.size) for c in clips], 2)
        return encoder.together(encoder.images(seen))

    def _pixels(self, clip: Clip, size: int) -> Tensor:
        return for_model(clip, size, self.system.config.channels, fit=self.request.options.fit).to(self.device)

    # -- known frames ------------------------------------------------------------------------------------------

    def _between(self, embedding: Tensor) -> Tensor:
        """All frames from one picture to another."""
        r, shape = self.request.options, replace(self.shapes["interpolation"], frames=self.frames)
        assert r.image is not None
        assert r.image_end is not None
        ends = [self._pixels(clip, shape.height)[:, :, :1] for clip in (r.image, r.image_end)]
        places = torch.tensor([0, self.frames - 1])
        return self._run("interpolation", {"embedding": embedding, "low": torch.cat(ends, 2), "places": places}, shape)

    def _beside(self, embedding: Tensor) -> tuple[Tensor, slice]:
        """What follows a picture or a clip, or comes before it, with the known frames that it was made from; and which
        of these frames are the result: a picture is a frame of its video, a clip is not repeated."""
        r, size = self.request.options, self.shapes["interpolation"].height
        image = r.image is not None
        clip = r.image if r.image is not None else r.extend
        assert clip is not None
        known = 1 if image else min(self.carry, len(clip))
        frames = clip.frames[:1] if image else clip.frames[:known] if r.backward else clip.frames[-known:]
        total = self.frames if image else self.frames + known
        low = self._longer(self._pixels(clip.replace(frames=frames), size), embedding, total)
        start = low.shape[2] - total if r.backward else total - self.frames
        return low, slice(start, start + self.frames)

    def _longer(self, low: Tensor, embedding: Tensor, count: int) -> Tensor:
        """At least `count` frames, of which `low` are the first, or, backward, the last."""
        shape, back = self.shapes["interpolation"], self.request.options.backward
        while low.shape[2] < count:
            carried = min(self.carry, low.shape[2])
            known = low[:, :, :carried] if back else low[:, :, -carried:]
            places = torch.arange(carried) + (shape.frames - carried if back else 0)
            made = self._run("interpolation", {"embedding": embedding, "low": known, "places": places}, shape)
            low = torch.cat([made[:, :, :-carried], low] if back else [low, made[:, :, carried:]], 2)
        return low

    # -- stages ------------------------------------------------------------------------------------------------

    def _steps(self) -> int:
        """Of all stages together, for the progress."""
        window, known = self.shapes["interpolation"].frames, 0
        if self.task == "text":
            known = window
        elif self.task == "image":
            known = 1
        elif self.task == "extend" and self.request.options.extend is not None:
            known = min(self.carry, len(self.request.options.extend))
        times = {name: 1 for name in self.stages}
        if "interpolation" in times and self.task != "between":
            count = self.frames + (known if self.task == "extend" else 0)
            times["interpolation"] = int(self.task == "text")
            while known < count:
                known += window - min(self.carry, known)
                times["interpolation"] += 1
        if self.task != "text":
            times["decoder_video"] = 0
        return sum(self.counts[name] * count for name, count in times.items())

    def _run(self, name: str, cond: Batch, shape: VideoShape) -> Tensor:
        before, r = self.done, self.request.options

        def report(step: int, steps: int, x: Tensor) -> None:
            self.done = before + step
            self.on_progress(Progress(self.done, self.total, name, lambda: self._shown(x, shape)))

        return self.stages[name].sample(
            cond, rng=self.rng, steps=r.steps, guidance=r.guidance, shape=shape, on_step=report
        )

    def _shown(self, video: Tensor, shape: VideoShape) -> Clip:
        r = self.request.options
        seen = shown(video.clamp(-1, 1), transparent=r.transparent)[0]
        return Clip.from_tensor(seen, Fraction(shape.fps) if r.fps is None else r.fps, r.prompt)
