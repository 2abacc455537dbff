"""CLIP as an extractor of frames and texts: CLIPSIM, RM, R-precision, and the curation steps that ask for CLIP."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.evaluate.extractors.pixels import as_images, bicubic_short_side, check_frames
from storyreel.evaluate.extractors.weights import digest_of, filled, in_parts, read_weights
from storyreel.nn.clip import CLIP, ClipConfig, TowerConfig
from storyreel.storage import read_json
from storyreel.weights_registry import find_weights, refuse_pickle, weights_folder

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's own training data
START, END = "<|startoftext|>", "<|endoftext|>"


class ClipFeatures:
    """Frame, clip and text embeddings. `features` are the frame embeddings before they are scaled to length one."""

    kind: Literal["video", "frame"] = "frame"
    min_frames = 1

    def __init__(self, name: str, net: CLIP, tokenizer: Any, digest: str, trusted: bool = True) -> None:
        self.name, self.net, self.digest, self.trusted = name, net, digest, trusted
        self.dim = net.config.projection_dim
        self.size = net.config.vision.image_size
        self.preprocessing = (
            f"antialiased bicubic, short side to {self.size}, centre crop, rounded to uint8, /255, CLIP's mean and std"
        )
        self._tokenizer = tokenizer
        self._warned = False

    @torch.inference_mode()
    def features(self, frames: Tensor) -> Tensor:
        check_frames(self, frames)
        return in_parts(self._one, frames.flatten(0, 1), 32).unflatten(0, frames.shape[:2])

    def logits(self, frames: Tensor) -> Tensor:
        raise ValueError(f"extractor {self.name}: has no classes, so there is no Inception Score with it")

    def frame_embeddings(self, frames: Tensor) -> Tensor:
        """float32 (b, t, d) of unit length."""
        return F.normalize(self.features(frames), dim=-1)

    def video_embeddings(self, frames: Tensor) -> Tensor:
        """float32 (b, d) of unit length: the mean of the frames' embeddings."""
        return F.normalize(self.frame_embeddings(frames).mean(1), dim=-1)

    @torch.inference_mode()
    def text_embeddings(self, prompts: Sequence[str]) -> Tensor:
        """float32 (n, d) of unit length. Texts over 77 tokens are cut, and that is warned of once."""
        if isinstance(prompts, str) or not prompts:
            raise ValueError("prompts: wanted a list of sentences, got " + ("one string" if prompts else "none"))
        parts = [self._texts(prompts[first : first + 64]) for first in range(0, len(prompts), 64)]
        return F.normalize(torch.cat(parts), dim=-1)

    def _one(self, images: Tensor) -> Tensor:
        pixels = bicubic_short_side(as_images(images[None]), self.size) / 255
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        return self.net.images((pixels - mean) / std)

    def _texts(self, prompts: Sequence[str]) -> Tensor:
        most = self.net.config.text.max_position_embeddings
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(list(prompts))]
        long = [prompt for prompt, row in zip(prompts, rows, strict=True) if len(row) > most]
        if long and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.name}: {long[0][:40]!r}... is longer than {most} tokens; what follows them is not seen",
                stacklevel=3,
            )
        rows = [[*row[: most - 1], row[-1]] if len(row) > most else row for row in rows]
        ends = torch.tensor([len(row) - 1 for row in rows])
        ids = torch.tensor([row + [row[-1]] * (int(ends.max()) + 1 - len(row)) for row in rows])
        return self.net.texts(ids, ends).float()


def open_tokenizer(folder: Path) -> Any:
    """The byte-pair tokenizer of a CLIP folder: tokenizer.json, or vocab.json with merges.txt.

    ValueError names what is missing, or is no tokenizer of CLIP.
    """
    from tokenizers import Tokenizer

    whole, vocab, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    try:
        if whole.is_file():
            made = Tokenizer.from_file(str(whole))
        elif vocab.is_file() and merges.is_file():
            made = _byte_pairs(vocab, merges)
        else:
            raise ValueError(f"{folder}: wanted tokenizer.json, or vocab.json with merges.txt, in it")
    except ValueError:
        raise
    except Exception as error:  # tokenizers raises bare exceptions
        raise ValueError(f"{folder}: its tokenizer cannot be read ({str(error)[:100]})") from None
    made.no_padding()
    made.no_truncation()
    ids = made.encode("a").ids
    if len(ids) < 3 or ids[0] != made.token_to_id(START) or ids[-1] != made.token_to_id(END):
        raise ValueError(f"{folder}: its tokenizer puts no {START} and {END} around a text; wanted CLIP's")
    return made


def _byte_pairs(vocab: Path, merges: Path) -> Any:
    """What tokenizer.json says, built from the two older files."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(
        models.BPE.from_file(
            str(vocab), str(merges), unk_token=END, end_of_word_suffix="</w>", continuing_subword_prefix=""
        )
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(words), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    start, end = made.token_to_id(START), made.token_to_id(END)
    if start is None or end is None:
        raise ValueError(f"{vocab}: lacks {START} or {END}; wanted CLIP's")
    made.post_processor = processors.RobertaProcessing(
        (END, end), (START, start), trim_offsets=False, add_prefix_space=False
    )
    return made


def config_of(folder: Path) -> ClipConfig:
    """config.json of Hugging Face's CLIP. What it leaves out has the value of ViT-B/32."""
    saved = read_json(folder / "config.json")
    defaults = ClipConfig()

    def tower(key: str, default: TowerConfig) -> TowerConfig:
        given = saved.get(key) or {}
        if not isinstance(given, dict):
            raise ValueError(f"{folder / 'config.json'}: {key} wants an object, got {type(given).__name__}")
        values = {f.name: given.get(f.name, getattr(default, f.name)) for f in fields(TowerConfig)}
        return TowerConfig(**values)

    return ClipConfig(
        text=tower("text_config", defaults.text),
        vision=tower("vision_config", defaults.vision),
        projection_dim=int(saved.get("projection_dim", defaults.projection_dim)),
    )


def load_folder(folder: Path, name: str) -> ClipFeatures:
    """CLIP from a folder with config.json, model.safetensors and its tokenizer. ValueError says what is wrong."""
    file = folder / "model.safetensors"
    if not file.is_file():
        refuse_pickle(folder / "pytorch_model.bin", file)
    config = config_of(folder)
    net = filled(config.build, read_weights(file), str(file))
    return ClipFeatures(name, net, open_tokenizer(folder), digest_of(net))


def load(name: str, weights: Path | None) -> ClipFeatures:
    if weights is None:
        find_weights(name)  # says what is missing
    return load_folder(weights_folder(name) if weights is None else weights, name)
