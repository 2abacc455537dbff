"""The settings of a video GAN: the switches that make it StyleSV or another, and its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from storyreel.field_ranges import Count, Depth, Frames, FramesASecond, Pixels, Share, Width
from storyreel.systems.video_gan_losses import LossKind
from storyreel.systems.video_gan_motion import MotionKind

if TYPE_CHECKING:
    from storyreel.systems.video_gan import VideoGan


@dataclass(frozen=True, kw_only=True)
class VideoGanConfig:
    """The defaults are StyleSV at 64 pixels."""

    size: Pixels = 64
    channels: Width = 3
    clip_frames: Frames = 16  # of the clips that training reads
    fps: FramesASecond = 8
    # switches
    motion: MotionKind = "bspline"
    frames: Literal["stylegan3", "stylegan2", "r3", "dcgan"] = "stylegan3"
    critic: Literal["tsm_mean", "mean", "concat", "image+3d"] = "tsm_mean"
    text: Literal["none", "projection", "filter", "info"] = "none"
    negatives: Literal["none", "wrong_text"] = "none"
    loss: LossKind = "nonsat+r1"
    image_pretraining: bool = True
    # generator
    z_dim: Width = 512
    w_dim: Width = 512
    motion_dim: Width = 512
    layers: Count = 14
    critical: Depth = 2  # layers whose cut-off is that of the picture
    margin: Depth = 10  # pixels about the canvas of a layer
    channel_base: Width = 16_384
    channel_max: Width = 512
    low_rank: Depth = 0  # channels of the low-rank weights that motion moves; 0: none
    anchor_distance: Frames = 16
    anchor_kernel: Count = 11
    periods: tuple[int, int] = (256, 1024)  # frames, shortest and longest of the motion's waves
    truncation: Share = 1.0  # how far from the mean style videos are, where they are made
    # critic
    critic_base: Width = 16_384
    critic_max: Width = 512
    seen_frames: Frames = 3  # of a clip, by the critic
    max_distance: Frames = 32  # frames between the first and the last of them
    r1: float = 1.0
    r1_every: Count = 16  # steps
    augment: Share = 0.0  # target of adaptive augmentation, 0.6 in the papers; 0: none
    text_dim: Width = 32
    text_width: Width = 128
    info_weight: float = 1.0  # of the text's reconstruction (`text = info`)

    def __post_init__(self) -> None:
        if self.size < 16 or self.size & (self.size - 1):
            raise ValueError(f"size: expected a power of two from 16 on, got {self.size}")
        if self.layers <= self.critical:
            raise ValueError(f"layers: expected more than the {self.critical} critical ones, got {self.layers}")
        if self.motion_dim % 2:
            raise ValueError(f"motion_dim: expected an even number, got {self.motion_dim}")
        if not 1 <= self.periods[0] <= self.periods[1]:
            raise ValueError(f"periods: expected the shortest and the longest, from 1 frame on, got {self.periods}")
        if self.seen_frames > self.clip_frames:
            raise ValueError(f"seen_frames: {self.seen_frames} of clips of {self.clip_frames} frames")
        self._check_switches()

    def _check_switches(self) -> None:
        """ValueError for two switches that do not go together."""
        if self.motion == "lstm_maps" and self.frames != "dcgan":
            raise ValueError(f"motion: the maps of lstm_maps are those of frames = dcgan, not of {self.frames}")
        if self.motion == "lstm_maps" and self.image_pretraining:
            raise ValueError(
                "image_pretraining: lstm_maps makes frames of those before, never an image alone; set false"
            )
        if self.low_rank and self.plain:
            raise ValueError(f"low_rank: expected 0 with frames = {self.frames}, whose weights no style moves")
        if self.negatives == "wrong_text" and self.text == "none":
            raise ValueError("negatives: wrong_text needs a text; set text, or negatives = none")
        if self.critic == "image+3d" and self.seen_frames < 2:
            raise ValueError(f"seen_frames: critic = image+3d needs at least 2, got {self.seen_frames}")

    @property
    def plain(self) -> bool:
        """Whether frames come of z, text and motion as they are, without a mapping network."""
        return self.frames in ("r3", "dcgan")

    @property
    def recurrent(self) -> bool:
        """Whether a frame depends on all before it, so that videos begin at frame 0."""
        return self.motion in ("gru", "lstm_maps")

    @property
    def text_code(self) -> int:
        """Width of the text code; 0 without text."""
        return self.text_width if self.text != "none" else 0

    def build(self) -> VideoGan:
        from storyreel.systems.video_gan import VideoGan

        return VideoGan(self)
