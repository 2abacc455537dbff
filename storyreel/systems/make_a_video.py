"""Make-A-Video: from a sentence to a video, by a network that learnt words from pictures and motion from bare videos.

Singer et al., "Make-A-Video: Text-to-Video Generation without Text-Video Data", 2022, https://arxiv.org/abs/2209.14792.

    text --prior P--> image embedding --decoder D^t--> few small frames --interpolation ^F--> more frames
                                                          --SR_l^t--> larger --SR_h--> video (equation 1)
    paper:                             16x64x64           76x64x64     76x256x256  76x768x768

P learns from pictures with captions, and is the only part that ever reads any. D, SR_l and SR_h learn from pictures
alone; then D, ^F and SR_l get layers in time, and these learn from videos without captions. The stages `decoder`,
`sr_l` and `sr_h` are the networks for pictures (`make_a_video_images.py`), `decoder_video`, `interpolation` and
`sr_l_video` the layers in time around them (`make_a_video_time.py`). `make_a_video_making.py` says how a request
becomes a video.

Axes: b batch, c channels, t frames, h rows, w columns, e width of an image embedding. Videos are float (b, c, t, h, w)
in [-1, 1].

Differs from the paper: v-prediction; noise in what super-resolution is given; ^F fills in frames at any place, so that
its last frames may lie after the decoder's last (the sprites' 8 of 4, where the paper's 76 of 16 end with it); it is
not scored on known frames, which come out as they went in; super-resolution has convolutions in time and no attention,
as in DALL-E 2. The paper prints no widths and depths: ours meet its parameter counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import nn

from storyreel.clip import Clip
from storyreel.field_ranges import Frames, Width
from storyreel.systems.base import OnProgress, Request, TextEncoder
from storyreel.systems.cascade import Cascade, CascadeStage, Shape
from storyreel.systems.make_a_video_encoder import ImageTextConfig, ImageTextStage
from storyreel.systems.make_a_video_images import ImageStage, NetConfig
from storyreel.systems.make_a_video_making import LONGEST, Making
from storyreel.systems.make_a_video_prior import PriorConfig, PriorStage
from storyreel.systems.make_a_video_time import InterpolationStage, VideoStage


@dataclass(frozen=True, kw_only=True)
class MakeAVideoConfig:
    """All networks. The shape of `sr_h` is that of the video.

    skip: the interpolation makes so many frames of each of the decoder's. most_skip: of the frames of a clip that the
    decoder in time is trained on, one in so many at most, hence the lowest frame rate. carry: known frames where a
    video is made longer, window by window.
    """

    encoder: ImageTextConfig = field(default_factory=ImageTextConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    decoder: NetConfig
    sr_l: NetConfig
    sr_h: NetConfig
    skip: Frames = 5
    most_skip: Frames = 5
    carry: Frames = 4
    channels: Width = 3  # 4 makes a matte too
    text_dim: Width = 768
    whole_clips: bool = False  # every stage is fed clips of the last one's size, and makes them smaller itself

    def __post_init__(self) -> None:
        d, low, high = self.decoder.shape, self.sr_l.shape, self.sr_h.shape
        if not (d.frames - 1) * self.skip < low.frames <= d.frames * self.skip:
            raise ValueError(
                f"skip: {d.frames} frames, one in {self.skip}, are {(d.frames - 1) * self.skip + 1} to "
                f"{d.frames * self.skip}; sr_l has {low.frames}"
            )
        if low.fps != d.fps * self.skip:
            raise ValueError(f"sr_l.shape.fps: wanted {self.skip} times the decoder's {d.fps}, got {low.fps}")
        for name, one, before in (("sr_l", low, d), ("sr_h", high, low)):
            if one.height <= before.height:
                raise ValueError(f"{name}.shape: wanted larger frames than {before}, got {one}")
        if (high.frames, high.fps) != (low.frames, low.fps):
            raise ValueError(f"sr_h.shape: wanted the frames of sr_l, {low}, got {high}")
        if self.carry < 1 or self.carry >= low.frames:
            raise ValueError(f"carry: wanted 1 to {low.frames - 1}, got {self.carry}")
        if self.text_dim != self.encoder.text_dim:
            raise ValueError(f"text_dim: wanted the encoder's {self.encoder.text_dim}, got {self.text_dim}")

    @property
    def row(self) -> dict[str, NetConfig]:
        return {"decoder": self.decoder, "sr_l": self.sr_l, "sr_h": self.sr_h}

    @property
    def clips(self) -> dict[str, tuple[int, int]]:
        """Height and width of the pictures or clips that each stage is trained on: what the encoder looks at, at least,
        where embeddings are told."""
        small, low, high = (s.shape.height for s in (self.decoder, self.sr_l, self.sr_h))
        seen = max(small, self.encoder.size)
        sides = {"prior": seen, "decoder": seen, "sr_l": low, "sr_h": high}
        sides |= {"decoder_video": seen, "interpolation": seen, "sr_l_video": low}
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
    serves = frozenset({"image_end", "backward", "variation", "no prompt"})
    longest = LONGEST

    def __init__(self, config: MakeAVideoConfig):
        super().__init__()
        self.config = c = config
        self.text_dim = c.text_dim
        d, low, high = c.decoder.shape, c.sr_l.shape, c.sr_h.shape
        of = c.encoder.identity
        encoder = ImageTextStage(c.encoder)
        one_d, one_l = (replace(shape, frames=1, fps=1) for shape in (d, low))
        decoder = ImageStage("decoder", c.decoder, one_d, None, c.channels, encoder, of=of)
        sr_l = ImageStage("sr_l", c.sr_l, one_l, one_d, c.channels, None, of=of)
        sr_h = ImageStage("sr_h", c.sr_h, high, low, c.channels, None, of=of)
        in_time = VideoStage(
            "decoder_video", decoder, d, None, clip_fps=c.fps, most_skip=c.most_skip, told_fps=True, of=of
        )
        between = Shape(frames=low.frames, height=d.height, width=d.width, fps=low.fps)
        self.row = nn.ModuleDict({
            "encoder": encoder,
            "prior": PriorStage(c.prior, encoder),
            "decoder": decoder,
            "sr_l": sr_l,
            "sr_h": sr_h,
            "decoder_video": in_time,
            "interpolation": InterpolationStage(
                "interpolation", in_time, between, skip=c.skip, clip_fps=c.fps, of=of
            ),
            "sr_l_video": VideoStage("sr_l_video", sr_l, low, between, clip_fps=c.fps, of=of),
        })  # fmt: skip

    def cascade(self) -> dict[str, CascadeStage]:
        row = super().cascade()
        return {name: row[name] for name in ("decoder_video", "interpolation", "sr_l_video", "sr_h")}

    @property
    def encoder(self) -> ImageTextStage:
        stage = self.row["encoder"]
        assert isinstance(stage, ImageTextStage)
        return stage

    @property
    def prior(self) -> PriorStage:
        stage = self.row["prior"]
        assert isinstance(stage, PriorStage)
        return stage

    @property
    def interpolation(self) -> InterpolationStage:
        stage = self.row["interpolation"]
        assert isinstance(stage, InterpolationStage)
        return stage

    def task(self, request: Request) -> Literal["text", "image", "between", "extend"]:
        """What a request wants: a video of a sentence (or like a clip), of a picture, between two pictures, or what
        follows or comes before a clip. ValueError names the field that cannot be served."""
        if request.options.story:
            raise ValueError("story: this model makes a video from one prompt alone")
        if request.options.transparent and self.config.channels == 3:
            raise ValueError("transparent: this model has no matte; it was trained without transparency")
        if request.options.variation is not None and request.options.prompt:
            raise ValueError("prompt: the clip to vary says what is to be seen; leave the prompt out")
        request.options.check_prompt()
        if request.options.image_end is not None:
            return "between"
        return "image" if request.options.image else "extend" if request.options.extend else "text"

    def check(self, request: Request) -> None:
        c, task = self.config, self.task(request)
        least, most = (3, c.frames) if task == "between" else (1, LONGEST)
        if request.options.frames is not None and not least <= request.options.frames <= most:
            what = "between two pictures this model makes" if task == "between" else "this model makes"
            raise ValueError(f"frames: {what} {least} to {most} frames, got {request.options.frames}")
        for stage in self.row.values():
            if isinstance(stage, (CascadeStage, PriorStage)):
                stage.check_place()

    @torch.no_grad()
    def make(
        self,
        request: Request,
        text: TextEncoder,
        on_progress: OnProgress = lambda progress: None,
        *,
        upto: str | None = None,
        shapes: Mapping[str, Shape] | None = None,
    ) -> Clip:
        """The video of a request, after all stages or up to the one named `upto`.

        shapes: of what some stages make, instead of their own. ValueError for a stage that is not there, or has no
        part in such a request.
        """
        self.check(request)
        return Making(self, request, text, on_progress, upto=upto, shapes=shapes or {}).clip()
