"""A diffusion stage of a cascade: a Video U-Net, what it reads, its error in training, how it is sampled.

    noisy video, log-SNR, conditioning, and, after the first stage, the video to refine --U-Net--> v

The video to refine is noised a little, so that a stage corrects the faults of the stage before (noise-conditioning
augmentation), and a network without attention runs in tiles and runs of frames, on videos of any size.

Axes: b batch, c channels, t frames, h rows, w columns. Videos are float (b, c, t, h, w) in [-1, 1].
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from storyreel.diffusion.augment import augmentation_of, augmented, draw_augmentation
from storyreel.diffusion.denoiser import Denoiser, is_guided
from storyreel.diffusion.noise_laws import check_law, preserving_law
from storyreel.diffusion.parameterisation import Kind, Weight, convert, diffuse, diffusion_loss
from storyreel.diffusion.samplers import OnStep, starting_noise
from storyreel.diffusion.sampling import Sampling
from storyreel.diffusion.schedules import Cosine, NoiseLevel, Schedule, draw_times, preserving
from storyreel.diffusion.streaming import Run, streamed
from storyreel.field_ranges import Frames, FramesASecond, Pixels, Share
from storyreel.nn.chroma import colour_difference
from storyreel.nn.video_resample import resized
from storyreel.nn.video_unet import VideoUNet, VideoUNetConfig
from storyreel.nn.video_unet_tiles import TiledNet, Tiles, spans
from storyreel.systems.base import Batch, Stage

LARGE = 2**26  # values of a video from which on networks without attention make it piece by piece
TILE, CHUNK = 256, 32  # pixels a side and frames of a piece, where settings say nothing
BATCHED = 2**16  # values of a video up to which both halves of guidance are one batch on a CPU
BESIDE = ("extra", "known")  # entries of the conditioning that are videos of the same frames


@dataclass(frozen=True, kw_only=True)
class VideoShape:
    """A video: frames x height x width at `fps` frames a second."""

    frames: Frames
    height: Pixels
    width: Pixels
    fps: FramesASecond

    def __post_init__(self) -> None:
        for name in ("frames", "height", "width", "fps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")

    def __str__(self) -> str:
        return f"{self.frames}x{self.height}x{self.width} at {self.fps} fps"


@dataclass(frozen=True, kw_only=True)
class CascadeStageConfig:
    """Settings of any stage.

    unet: widths and depths; its channels and inputs follow from the stage. crop: trained on random squares of so many
    pixels; 0: on whole frames. noise: the law of the levels that it is trained at (`diffusion/noise_laws.py`). shift:
    of their log-SNRs, below zero for larger frames.
    augmentation_snr: signal to noise in the video to refine, in sampling; max_augmentation_time: the largest time of
    that noise in training. predict, weight: what the network predicts and how its error is weighed. chroma: how much
    more the error of colour alone counts, which small objects hardly show in others.
    """

    shape: VideoShape
    unet: VideoUNetConfig
    sampling: Sampling = field(default_factory=Sampling)
    crop: int = 0
    noise: str = "cosine"
    shift: float = 0.0
    augmentation_snr: float = 5.0
    max_augmentation_time: Share = 1.0
    predict: Kind = "v"
    weight: Weight = "v"
    chroma: float = 0.0

    def __post_init__(self) -> None:
        check_law(self.noise)
        multiple = self.unet.patch * 2 ** (len(self.unet.widths) - 1)
        for name, side in (("height", self.shape.height), ("width", self.shape.width), ("crop", self.crop)):
            if side % multiple:
                raise ValueError(f"shape.{name}: expected a multiple of {multiple}, got {side}")
        if not self.augmentation_snr > 0:
            raise ValueError(f"augmentation_snr: expected more than 0, got {self.augmentation_snr}")
        if (self.sampling.tile or self.sampling.chunk) and not self.convolutional:
            raise ValueError("sampling.tile: expected a network without attention, which sees the whole")

    @property
    def convolutional(self) -> bool:
        """Whether the network sees surroundings alone, and so can be run in tiles."""
        return not any(self.unet.attention) and set(self.unet.temporal) <= {"conv", "none"}

    @classmethod
    def current(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a file under the names that fields have now."""
        now = {"max_augmentation_time" if name == "most_noise" else name: value for name, value in saved.items()}
        sampling = saved.get("sampling")
        if isinstance(sampling, Mapping) and "snr" in sampling:
            now["augmentation_snr"] = sampling["snr"]
        return now


C = TypeVar("C", bound=CascadeStageConfig)


class FingerprintedStage(Stage):
    """A stage whose weights fit one cascade alone, and are saved with a digest of it."""

    fingerprint: Tensor
    """sha256 of what the stage was trained for, saved with its weights."""

    def set_fingerprint(self, identity: str, described: str) -> None:
        """identity: all that the weights depend on; described: the same in short, for people."""
        self._expected, self._described = hashlib.sha256(identity.encode()).digest(), described
        self.register_buffer("fingerprint", torch.tensor(list(self._expected), dtype=torch.uint8))

    def check_fingerprint(self) -> None:
        """ValueError where the weights are those of another stage, or of a stage of another cascade or encoder."""
        if self.fingerprint.is_meta or (found := bytes(self.fingerprint.tolist())) == self._expected:
            return
        raise ValueError(
            f"stage {self.name!r}: its weights are of another stage or of another cascade: their digest is "
            f"{found.hex()[:12]}, expected {self._expected.hex()[:12]} {self._described}"
        )

    def notes(self) -> list[str]:
        self.check_fingerprint()
        return []


class CascadeStage(FingerprintedStage, Generic[C]):
    """One network of a cascade. Its conditioning, and its examples in training, are its system's.

    shape, input_shape: of the video that it makes, and of the one that it refines (None: the first stage). identity:
    what else the cascade is known by, such as the digest of an encoder.
    """

    config: C
    unet: VideoUNet
    two_passes = False  # of guidance, one after the other, even where one batch of both would be faster
    same_noise = False  # every frame begins with the same noise: for networks that see frames one by one

    def __init__(
        self,
        name: str,
        config: C,
        shape: VideoShape,
        input_shape: VideoShape | None,
        channels: int,
        *,
        identity: str = "",
    ):
        super().__init__()
        self.name, self.config, self.sampling = name, config, config.sampling
        self.shape, self.input_shape, self.channels = shape, input_shape, channels
        whole = f"{name}: {input_shape} -> {shape}, {channels} channels{identity}"
        self.set_fingerprint(whole, f"({input_shape or 'text'} -> {shape})")

    def parameters_for(self, turn: str) -> list[nn.Parameter]:
        return [p for p in self.unet.parameters() if p.requires_grad]

    @property
    def gradient_checkpointing(self) -> bool:
        return self.unet.gradient_checkpointing

    @gradient_checkpointing.setter
    def gradient_checkpointing(self, on: bool) -> None:
        self.unet.gradient_checkpointing = on

    @property
    def schedule(self) -> Schedule:
        return preserving_law(self.config.noise, self.config.shift)

    # -- for a system to fill in -------------------------------------------------------------------------------

    @abstractmethod
    def conditioning(
        self, cond: Batch, shape: VideoShape, rng: Sequence[torch.Generator], *, guided: bool
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """What the network reads for a condition (`text`, `text_mask`, `low`, ...), and, where `guided`, what it reads
        without conditioning; computed once a sample."""

    # -- sampling ----------------------------------------------------------------------------------------------

    def resolve(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        """The steps and the guidance of a sample. ValueError for what this stage cannot do."""
        return self.sampling.resolve(steps, guidance)

    @torch.no_grad()
    def sample(
        self,
        cond: Batch,
        *,
        rng: Sequence[torch.Generator],
        steps: int | None = None,
        guidance: float | None = None,
        shape: VideoShape | None = None,
        on_step: OnStep | None = None,
    ) -> Tensor:
        """Videos (b, c, t, h, w) in [-1, 1], one a generator. cond["low"]: the videos of the stage before.

        shape: instead of the stage's own; its networks take any size that they can halve.
        ValueError for steps or guidance out of range, a size that does not divide, NaN (stage and step are named), or
        too little memory (what would help is named).
        """
        shape, s = shape or self.shape, self.sampling
        steps, guidance = self.resolve(steps, guidance)
        self._check_low(cond.get("low"), len(rng))
        with self._explained(shape):
            levels, runs = s.levels(self.schedule, steps), self.runs(shape)
            denoiser = self.denoiser(cond, shape, rng, guidance, levels)
            size = (len(rng), self.channels, shape.frames, shape.height, shape.width)
            z = starting_noise(size, levels, rng, same_noise=self.same_noise).to(self.fingerprint.device, torch.float32)
            if runs:
                video = streamed(partial(_of_run, denoiser), z, levels, runs, sampler=s.method, on_step=on_step)
            else:
                gamma = s.gamma or None
                video = s.method(denoiser, z, levels, rng=rng, on_step=on_step, same_noise=self.same_noise, gamma=gamma)
            return video.clamp_(-1, 1)

    def denoiser(
        self, cond: Batch, shape: VideoShape, rng: Sequence[torch.Generator], guidance: float, levels: NoiseLevel
    ) -> Denoiser:
        """The network under its conditioning, as a sampler evaluates it on this grid."""
        guidances = self.sampling.guidance_of(guidance, levels, shape.frames)
        cond, uncond = self.conditioning(cond, shape, rng, guided=is_guided(guidances))
        values = len(rng) * self.channels * shape.frames * shape.height * shape.width
        batched = not self.two_passes and (self.fingerprint.is_cuda or values <= BATCHED)
        network = partial(self.v, self._in_tiles(shape))
        return Denoiser(network, cond, uncond, guidances, "v", batched, self.sampling.threshold)

    def v(self, net: Callable[..., Tensor], z: Tensor, logsnr: Tensor, cond: dict[str, Any]) -> Tensor:
        """v of a noisy video (b, c, t, h, w), whatever `net` predicts: the network of this stage, or one like it.

        Where frames are known (`known`: those frames, and 1 in the last channel), v is theirs.
        """
        known, predict = cond.get("known"), self.config.predict
        output = net(z, logsnr, **{name: value for name, value in cond.items() if name != "known"})
        v = output if predict == "v" else convert(output.float(), z, preserving(logsnr), predict, "v")
        if known is None:
            return v
        exact = convert(known[:, :-1], z.float(), preserving(logsnr), "x", "v")
        return torch.where(known[:, -1:] > 0, exact, v.float())

    def runs(self, shape: VideoShape) -> list[Run]:
        """Runs of frames in which a video is sampled: `sampling.chunk` at a time, or what is usual for large videos,
        where the network sees surroundings alone and nothing needs the whole video; else none."""
        s, size = self.sampling, self.channels * shape.frames * shape.height * shape.width
        chunk = s.chunk or (CHUNK if size > LARGE and self.config.convolutional else 0)
        if not chunk or shape.frames <= chunk or s.threshold or not s.method.local:
            return []
        return list(spans(shape.frames, chunk, self.unet.reach[1]))

    def _in_tiles(self, shape: VideoShape) -> Callable[..., Tensor]:
        """The network, or the network in the pieces that `sampling` says or that are usual for large videos."""
        pixels, neighbours = self.unet.reach
        s, frames = self.sampling, shape.frames
        if runs := self.runs(shape):
            frames = max(seen.stop - seen.start for seen, _ in runs)
        chunk = 0 if runs else s.chunk
        large = self.config.convolutional and self.channels * frames * shape.height * shape.width > LARGE
        tile = s.tile or (TILE if large else 0)
        tiles = Tiles(size=tile, frames=chunk, halo=pixels, halo_frames=neighbours)
        return TiledNet(self.unet, tiles) if tiles.needed(frames, shape.height, shape.width) else self.unet

    def _check_low(self, low: Tensor | None, count: int) -> None:
        if (low is None) != (self.input_shape is None):
            raise ValueError(
                f"stage {self.name!r}: {'takes no video' if low is not None else 'expected a video to refine'}"
            )
        if low is not None and (low.ndim != 5 or low.shape[:2] != (count, self.channels)):
            raise ValueError(
                f"stage {self.name!r}: expected a video ({count}, {self.channels}, t, h, w), got {tuple(low.shape)}"
            )

    @contextmanager
    def _explained(self, shape: VideoShape) -> Iterator[None]:
        """Errors that say in which stage, and what would help."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            short = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error)
            if not short:
                raise
            raise ValueError(
                f"stage {self.name!r}: out of memory at {shape}; a smaller {self.name}.sampling.tile (pixels) or "
                f"{self.name}.sampling.chunk (frames) would help where the stage has no attention, else fewer frames"
            ) from None
        except ValueError as error:
            raise ValueError(f"stage {self.name!r}: {error}") from None

    # -- the video to refine -----------------------------------------------------------------------------------

    def low_to_sample(self, low: Tensor, rng: Sequence[torch.Generator]) -> dict[str, Any]:
        """Inputs for the video to refine, at this stage's size: noised with `augmentation_snr`."""
        level = augmentation_of(Cosine(), self.config.augmentation_snr)
        noised, logsnr = augmented(low, level, rng, same_noise=self.same_noise)
        return {"extra": noised, "augmentation": logsnr}

    def low_to_learn(self, low: Tensor, rng: torch.Generator) -> dict[str, Any]:
        """The same in training, with a random amount of noise, up to `max_augmentation_time`."""
        level = draw_augmentation(Cosine(), len(low), rng, max_time=self.config.max_augmentation_time)
        return {"extra": diffuse(low, noise_like(low, rng), level), "augmentation": level.each(low).logsnr}

    def coarse(self, x: Tensor) -> Tensor:
        """Real videos of this stage's size, or squares of them, with the detail of the stage before alone."""
        assert self.input_shape is not None
        h, w = x.shape[3:]
        before = self.input_shape
        small = max(1, h * before.height // self.shape.height), max(1, w * before.width // self.shape.width)
        return resized(resized(x, *small), h, w)

    # -- training ----------------------------------------------------------------------------------------------

    def error(self, x: Tensor, cond: dict[str, Any], rng: torch.Generator, where: Tensor | None = None) -> Tensor:
        """The weighted squared error of the network's prediction for each sample (b,).

        where: where the error counts, 0 or 1, broadcasting with x; None is everywhere.
        """
        c, level = self.config, self.schedule.level(draw_times(len(x), rng, spread=True))
        noise = noise_like(x, rng)
        z = diffuse(x, noise, level)
        output = self.unet(z, level.each(z).logsnr, **cond)
        share: Tensor | float = 1.0
        if where is not None:
            exact = convert(x, z, level, "x", c.predict)
            share = where.expand_as(x).flatten(1).mean(1).clamp(min=1e-6)
            output = torch.where(where.expand_as(x) > 0, output.float(), exact.float())
        squares = diffusion_loss(output, x, noise, level, kind=c.predict, weight=c.weight)
        if c.chroma:  # every form of output is linear in the video and the noise, and so is the difference of colours
            output, x, noise = (colour_difference(part) for part in (output, x, noise))
            squares = squares + c.chroma * diffusion_loss(output, x, noise, level, kind=c.predict, weight=c.weight)
        return squares / share


def _of_run(denoiser: Denoiser, z: Tensor, level: NoiseLevel, frames: slice) -> Tensor:
    """The clean video of some of the frames, `z`, of the video that `denoiser` is for."""

    def cut(cond: dict[str, Any]) -> dict[str, Any]:
        return cond | {name: cond[name][:, :, frames] for name in BESIDE if name in cond}

    return denoiser.of_frames(frames, cut)(z, level)


def noise_like(x: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=rng, device=rng.device, dtype=torch.float32).to(x.device)
