"""Stable Video Diffusion: a latent video diffusion model, from a text or from a picture.

Blattmann et al., "Stable Video Diffusion: Scaling Latent Video Diffusion Models to Large Datasets", 2023,
https://arxiv.org/abs/2311.15127.

    text               --text_to_video-->   latents --decoder--> video
    picture (and text) --image_to_video-->  latents --decoder--> video

The autoencoder learns from frames and its decoder then in time (`svd_reconstruction.py`); the diffusion network is
trained on pictures, then on videos, then on the best of them, then from a picture (`svd_diffusion.py`). All networks
read the frame rate, how much the video moves (`svd_motion.py`) and how noisy the picture is.

Axes: b batch, c channels, t frames, h rows, w columns. Videos are float (b, c, t, h, w) in [-1, 1].

Differs from the paper: all is trained from scratch, on captions read by the recipe's text encoder; a picture adds its
latents as tokens to the text, where the paper has CLIP's embedding in place of the text; latents have the deviation one
of each channel, also those of the picture; a matte may be a fourth channel; the network may read squares of latents as
one place (`patch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import lcm

import torch
from torch import nn

from storyreel.abilities import Abilities
from storyreel.clip import Clip
from storyreel.systems.base import OnProgress, Request, Stage, System, TextEncoder
from storyreel.systems.cascade_stage import VideoShape
from storyreel.systems.palette_refiner import PaletteRefinerConfig, refiner_of
from storyreel.systems.svd_autoencoder import AutoencoderConfig
from storyreel.systems.svd_diffusion import IMAGE_PATCH, DiffusionConfig, DiffusionStage
from storyreel.systems.svd_factors import FactoredSvd, FactorsConfig
from storyreel.systems.svd_image import ImageSvd
from storyreel.systems.svd_interpolation import WINDOW, InterpolatingSvd
from storyreel.systems.svd_picture import PictureConfig
from storyreel.systems.svd_reconstruction import AutoencoderStage, DecoderStage, ReconstructionLoss
from storyreel.systems.svd_request import BEYOND, clips_of_text_or_picture, makes_of
from storyreel.systems.svd_turnaround import TurningSvd
from storyreel.systems.svd_unet import SvdUNetConfig

DIFFUSION = ("images", "videos", "text_to_video", "image_to_video")
LATER = ("turnaround", "interpolation", "factors")


@dataclass(frozen=True, kw_only=True)
class SvdConfig:
    """All networks, and the four stages of the diffusion network's training. The defaults are the paper's.

    text_to_video: None: `image_to_video` makes the videos of texts, too; some of its clips have no picture then
    (`pictureless`). unet: its channels follow from the latents. chunk: frames that are decoded at once; 0: all.
    picture: of a model that reads a picture alone, by CLIP, as the published weights do (`svd_image.py`); of the stages
    it has the last. turnaround, interpolation: the only stage of a model that goes on from a trained one, to turn a
    figure around, or to make frames between those of a clip. factors: of a model that goes on from a trained one, whose
    networks stay as they are; of the stages it has the last. refiner: paints what a text tells of anew, which is not in
    the paper.
    """

    shape: VideoShape = field(default_factory=lambda: VideoShape(frames=14, height=576, width=1024, fps=7))
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    reconstruction: ReconstructionLoss = field(default_factory=ReconstructionLoss)
    unet: SvdUNetConfig = field(default_factory=SvdUNetConfig)
    images: DiffusionConfig = field(default_factory=lambda: DiffusionConfig(noise="svd-images"))
    videos: DiffusionConfig = field(default_factory=lambda: DiffusionConfig(noise="svd-videos"))
    text_to_video: DiffusionConfig | None = field(default_factory=lambda: DiffusionConfig(noise="svd-text-to-video"))
    image_to_video: DiffusionConfig = field(default_factory=lambda: DiffusionConfig(noise="svd-image-to-video-large"))
    chunk: int = 0
    picture: PictureConfig | None = None
    turnaround: DiffusionConfig | None = None
    interpolation: DiffusionConfig | None = None
    factors: FactorsConfig | None = None
    refiner: PaletteRefinerConfig | None = None

    def __post_init__(self) -> None:
        multiple = self.autoencoder.patch * lcm(self.unet.multiple, IMAGE_PATCH)
        for name in ("height", "width"):
            if getattr(self.shape, name) % multiple:
                raise ValueError(f"shape.{name}: expected a multiple of {multiple}, got {getattr(self.shape, name)}")
        if self.text_to_video is None and not self.image_to_video.pictureless and not self.picture:
            raise ValueError("image_to_video.pictureless: expected more than 0 where no other network is for text")
        if self.chunk < 0:
            raise ValueError(f"chunk: expected 0 or more, got {self.chunk}")
        if sum(each is not None for each in (self.picture, self.turnaround, self.interpolation)) > 1:
            raise ValueError("turnaround: expected one of picture, turnaround and interpolation")
        if self.refiner and (self.picture or self.interpolation):
            raise ValueError("refiner: expected none beside picture or interpolation, which read no text")
        if self.factors and (self.picture or self.interpolation):
            raise ValueError("factors: expected none beside picture (which has a rank) or interpolation")
        if self.interpolation and self.shape.frames < WINDOW:
            raise ValueError(f"shape.frames: expected at least the {WINDOW} of an interpolation, got {self.frames}")
        if self.picture and self.picture.embedding != self.unet.context:
            raise ValueError(
                f"picture.embedding: expected the network's {self.unet.context}, got {self.picture.embedding}"
            )

    @property
    def channels(self) -> int:
        return self.autoencoder.channels

    @property
    def clips(self) -> dict[str, tuple[int, int]]:
        """Height and width of the clips that each stage is trained on."""
        stages = ("unet", "lora") if self.picture else ("autoencoder", "decoder", *self.diffusion, *LATER)
        clips: dict[str, tuple[int, int]] = {name: (self.shape.height, self.shape.width) for name in stages}
        return clips if self.refiner is None else {**clips, "refiner": (self.refiner.size, self.refiner.size)}

    @property
    def diffusion(self) -> tuple[str, ...]:
        """The stages of the diffusion network, in their order."""
        return tuple(name for name in DIFFUSION if getattr(self, name) is not None)

    @property
    def frames(self) -> int:
        return self.shape.frames

    @property
    def fps(self) -> int:
        return self.shape.fps

    @property
    def steps(self) -> int:
        return self._main.sampling.steps

    @property
    def guidance(self) -> float:
        return self._main.sampling.guidance

    @property
    def _main(self) -> DiffusionConfig:
        of_text = None if self.picture or self.factors else self.text_to_video
        return self.turnaround or self.interpolation or of_text or self.image_to_video

    def build(self) -> Svd | ImageSvd | TurningSvd | InterpolatingSvd | FactoredSvd:
        if self.turnaround:
            return TurningSvd(self)
        if self.factors:
            return FactoredSvd(self)
        if self.interpolation:
            return InterpolatingSvd(self)
        return Svd(self) if self.picture is None else ImageSvd(self)


class Svd(System):
    """A text, or a picture with or without a text, to a video."""

    name = "svd"
    serves = frozenset({"no prompt", "motion", "reuse"})
    together = 4

    def __init__(self, config: SvdConfig):
        super().__init__()
        self.config = c = config
        self.text_dim = c.unet.context
        self.autoencoder = AutoencoderStage(c.autoencoder, c.reconstruction, (c.shape.height, c.shape.width))
        self.decoder = DecoderStage(c.autoencoder, c.reconstruction, self.autoencoder)
        latents, before, made = c.autoencoder.latent_channels, None, {}
        for name in c.diffusion:
            image = name == "image_to_video"
            unet = replace(c.unet, in_channels=latents * (1 + image), out_channels=latents)
            made[name] = before = DiffusionStage(
                name, getattr(c, name), unet, c.shape, self.decoder, before, pictures=name == "images", image=image
            )
        for name in ("images", "videos"):  # a model is those that come after them
            made[name].training_only = ("unet",)
        self.diffusion = nn.ModuleDict(made)
        self.refiner = refiner_of(c.refiner, c.channels, self.text_dim)
        self.paints = self.refiner is not None

    @property
    def makes(self) -> Abilities:
        return makes_of(self, BEYOND * self.config.frames)

    @property
    def stages(self) -> dict[str, Stage]:
        stages = {"autoencoder": self.autoencoder, "decoder": self.decoder, **self._diffusion}
        return stages if self.refiner is None else {**stages, "refiner": self.refiner}

    @property
    def _diffusion(self) -> dict[str, DiffusionStage]:
        return {name: stage for name, stage in self.diffusion.items() if isinstance(stage, DiffusionStage)}

    @property
    def image_stage(self) -> DiffusionStage:
        """That for pictures."""
        return self._diffusion["image_to_video"]

    @property
    def text_stage(self) -> DiffusionStage:
        """That for texts."""
        return self._diffusion.get("text_to_video", self.image_stage)

    @torch.no_grad()
    def generate_batch(self, attempts: Sequence[Request], text: TextEncoder, on_progress: OnProgress) -> list[Clip]:
        stage = self.image_stage if attempts[0].options.image else self.text_stage
        return clips_of_text_or_picture(self, stage, attempts, text, on_progress)
