"""The encoders of the worlds: clips and sentences as vectors, to score, re-rank and filter with, offline.

    encoder = load_encoder("sprites")
    encoder.rank("an orc walks to the left", clips)   # one number a clip, higher fits better

An encoder is an ordinary model folder, made by `storyreel train encoder_sprites`; this file reads it without the
trainer or any system. It is an `Extractor` and a `TextVideo` (see `storyreel.evaluate.extractors`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.clip import Clip
from storyreel.field_ranges import checked
from storyreel.model_folder import own_folders, read_settings, weights_file
from storyreel.names import expanded
from storyreel.nn.dual_encoder import DualEncoder, DualEncoderConfig
from storyreel.outline import build_to_fit
from storyreel.packed import read_weights, unpacked_header
from storyreel.tensor_file import copy_into
from storyreel.tensor_header import read_header
from storyreel.wording import nearest
from storyreel.worlds import names

PREFIX, VERSION, STAGE = "encoder-", "v1", "dual"
BATCH = 32  # windows at once


class TextVideoEncoder:
    """A trained dual encoder, on the CPU. Frames are uint8 (b, t, h, w, 3), of any size and length."""

    kind: Literal["video", "frame"] = "video"
    min_frames = 2

    def __init__(self, net: DualEncoder, *, name: str, digest: str, text: str, trusted: bool = True) -> None:
        self.net = net.requires_grad_(False).eval()
        self.config = net.config
        self.name, self.digest, self.trusted, self.text_encoder = name, digest, trusted, text
        self.dim = net.config.feature
        c = net.config
        self.preprocessing = (
            f"middle square, antialiased bilinear to {c.size}x{c.size}, rounded to uint8, range [-1, 1]; "
            f"mean over windows of {c.frames} frames"
        )
        self._text: Any = None

    def __repr__(self) -> str:
        return f"Encoder({self.name!r}, {self.digest[:12]})"

    @torch.inference_mode()
    def features(self, frames: Tensor) -> Tensor:
        """float32 (b, dim): content, motion and damage of each clip, the mean over its windows."""
        features = self._frame_features(frames, self.min_frames)
        return self._over_windows(features, self.net.feature)

    def logits(self, frames: Tensor) -> Tensor:
        raise ValueError(f"extractor {self.name}: has no classes, so there is no Inception Score with it")

    @torch.inference_mode()
    def frame_embeddings(self, frames: Tensor) -> Tensor:
        """float32 (b, t, e) of unit length; each frame is looked at by itself, so one frame will do."""
        return self.net.frames(self._frame_features(frames, 1))

    @torch.inference_mode()
    def video_embeddings(self, frames: Tensor) -> Tensor:
        """float32 (b, e) of unit length."""
        features = self._frame_features(frames, self.min_frames)
        return F.normalize(self._over_windows(features, lambda x: self.net.video(self.net.feature(x))), dim=-1)

    @torch.inference_mode()
    def text_embeddings(self, prompts: Sequence[str]) -> Tensor:
        """float32 (n, e) of unit length. ValueError for a string in place of a list, and for a sentence too long."""
        if isinstance(prompts, str) or not prompts:
            raise ValueError("prompts: expected a list of sentences, got " + ("one string" if prompts else "none"))
        if self._text is None:
            from storyreel.text import load_text_encoder

            self._text = load_text_encoder(self.text_encoder)
        once = list(dict.fromkeys(prompts))
        parts = []
        for first in range(0, len(once), 16):  # up to 16 sentences are encoded one by one, whatever stands beside them
            states, mask = self._text(once[first : first + 16])
            parts.append(self.net.text(states, mask))
        found = dict(zip(once, torch.cat(parts), strict=True))
        return torch.stack([found[prompt] for prompt in prompts])

    def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
        """How well each clip shows the prompt: the cosine of their embeddings, in [-1, 1]. Clips may differ in size."""
        text = self.text_embeddings([prompt])[0]
        return [float(self.video_embeddings(as_frames(clip)[None])[0] @ text) for clip in clips]

    def _frame_features(self, frames: Tensor, least: int) -> Tensor:
        """(b, t, d). ValueError for frames of another type or shape, and for too few."""
        if frames.ndim != 5 or frames.shape[-1] != 3 or frames.dtype != torch.uint8 or not frames.numel():
            kind = str(frames.dtype).removeprefix("torch.")
            raise ValueError(
                f"frames: extractor {self.name} expects uint8 (b, t, h, w, 3), got {kind} {tuple(frames.shape)}"
            )
        if frames.shape[1] < least:
            raise ValueError(
                f"frames: extractor {self.name} expects clips of at least {least} frames, got {frames.shape[1]}"
            )
        return torch.cat([self.net.frame_features(as_seen(part, self.config.size)) for part in frames.split(BATCH)])

    def _over_windows(self, features: Tensor, function: Any) -> Tensor:
        parts = [function(features[:, index]) for index in windows(features.shape[1], self.config.frames)]
        return torch.stack(parts).mean(0).float()


def as_frames(clip: Clip) -> Tensor:
    """uint8 (t, h, w, 3): a clip as it is seen, over mid grey where it is transparent."""
    return torch.from_numpy(clip.over().frames[..., :3].copy())


def as_seen(frames: Tensor, size: int) -> Tensor:
    """uint8 (b, t, h, w, 3) -> float32 (b, 3, t, size, size) in [-1, 1]: the middle square, resized."""
    h, w = frames.shape[2:4]
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    x = frames[:, :, top : top + side, left : left + side].permute(0, 1, 4, 2, 3).float()  # (b, t, 3, side, side)
    if side != size:
        flat = F.interpolate(x.flatten(0, 1), (size, size), mode="bilinear", antialias=True)
        x = flat.round().clamp(0, 255).unflatten(0, x.shape[:2])
    return (x / 127.5 - 1).transpose(1, 2)


def windows(count: int, length: int) -> Iterator[list[int]]:
    """Which frames are looked at together: windows side by side, the last moved back so that it ends with the clip.

    A clip that is shorter than a window is stretched over it, as in training.
    """
    if count < length:
        yield [((2 * i + 1) * count) // (2 * length) for i in range(length)]
        return
    for first in [*range(0, count - length, length), count - length]:
        yield list(range(first, first + length))


def load_encoder(name: str | Path) -> TextVideoEncoder:
    """An encoder by the name of its world ("sprites", "sprites-v1") or by its model folder (or run folder).

    ValueError suggests the nearest name, says how to train one that is not here, or what is wrong with the folder.
    """
    folder = find_encoder(name)
    info = read_settings(folder / "model.json")
    where = f"{folder / 'model.json'}"
    try:
        recipe, digest = info["recipe"], str(info["components"][STAGE]["sha256"])
        known = {f.name for f in fields(DualEncoderConfig)}
        values = {k: v for k, v in recipe["system"][STAGE].items() if k in known}
        name, text = recipe["name"], recipe["text"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{where}: expected the model of an encoder; it lacks {error}") from None
    config = checked(DualEncoderConfig, values, f"{where}: {STAGE}")
    text = checked(str, text, f"{where}: text")
    file = weights_file(folder, STAGE)
    header = {n.removeprefix("net."): t for n, t in unpacked_header(read_header(file, digest), str(file)).items()}
    net = build_to_fit(config.build, header, str(file))
    tensors = {n.removeprefix("net."): t for n, t in read_weights(file, digest).items()}
    copy_into(net.state_dict(), tensors, str(file))
    world = str(name).partition("_")[2]
    return TextVideoEncoder(net, name=f"{world}-{VERSION}", digest=digest, text=text, trusted=world != "tiny")


def find_encoder(name: str | Path) -> Path:
    """The model folder of an encoder. ValueError as `load_encoder`."""
    path = expanded(name)
    for folder in (path, path / "model"):
        if (folder / "model.json").is_file():
            return folder
    there = encoders_here()
    short = str(name).removeprefix(PREFIX).removesuffix(f"-{VERSION}")
    if short in there:
        return there[short]
    worlds = names()
    if short in worlds:
        raise ValueError(
            f"encoder {str(name)!r}: is not trained yet; `storyreel train encoder_{short} --data DIR -o RUN` makes "
            f"it, and RUN/model is its folder"
        )
    near = nearest(short, sorted({*there, *worlds}))
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(there) or 'none'}, or give a model folder"
    raise ValueError(f"encoder: no {str(name)!r}; {hint}")


def encoders_here() -> dict[str, Path]:
    """World -> folder of the encoders that are here: those that ship, and those in $STORYREEL_MODELS."""
    found: dict[str, Path] = {}
    for folder in (Path(__file__).parent / "pretrained", *own_folders()):
        for card in sorted(folder.glob(f"{PREFIX}*/model.json")):
            found.setdefault(card.parent.name.removeprefix(PREFIX), card.parent)
    return found
