"""Captioners from model folders in transformers' form: BLIP and GIT here, vision-language models in `picture_captions`.

SVD captions the middle frame with CoCa and the clip with VideoBLIP. CoCa's own weights need open_clip, which cannot be
installed beside this stack; BLIP (Li et al. 2022) and GIT (Wang et al. 2022) are of its kind, and GIT was trained on
videos too. Only safetensors are read. Pictures are prepared here: transformers' own processors need torchvision.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.curate.model_work import Captioner, digest_of_folder
from storyreel.json_file import read_object
from storyreel.network_folder import check_network_folder
from storyreel.nn import clip as openai_clip
from storyreel.numbers import whole

MIDDLE, THREE = (0.5,), (0.0, 0.5, 1.0)
LONGEST = 40  # tokens of a caption


def load_captioner(folder: str | Path, kind: str = "image", *, pictures: int = 3) -> Captioner:
    """The captioner in a folder with config.json, model.safetensors and a tokenizer. kind: "image" or "video".

    pictures: of a clip that a vision-language model is shown as a video. ValueError: not such a folder, no
    safetensors, or an architecture that transformers does not have.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder}: expected a folder with config.json, model.safetensors and a tokenizer")
    if not list(folder.glob("*.safetensors")):
        raise ValueError(f"{folder}: holds no .safetensors; pickled weights are never loaded")
    try:
        found = read_object(folder / "config.json").get("model_type")
    except ValueError:
        raise ValueError(f"{folder}/config.json: expected a JSON object") from None
    if found in ("blip", "git"):
        return Transformers(folder, found, kind)
    from storyreel.curate.picture_captions import VisionLanguage

    if found not in _vision_language():
        raise ValueError(f"{folder}: is a {found!r} model; expected blip, git or a vision-language model")
    return VisionLanguage(folder, 1 if kind == "image" else pictures)


def _vision_language() -> Collection[Any]:
    """The `model_type`s of transformers' vision-language models."""
    try:
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    except ImportError:
        raise ValueError("captions by a model need transformers; pip install 'storyreel[hub]'") from None
    return MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES


class Transformers:
    """BLIP or GIT, greedy decoding. A video is three frames: GIT sees them together, BLIP each, and the three differing
    sentences become one caption."""

    def __init__(self, folder: Path, model: str, kind: str) -> None:
        self.folder, self.model = folder, model
        self.places = MIDDLE if kind == "image" else THREE
        self.name = f"{model} {kind} {digest_of_folder(folder)}"
        self._net: Any = None
        self._tokenizer: Any = None
        self._size, self._mean, self._std = _preparation(folder)

    def __call__(self, videos: Sequence[np.ndarray]) -> list[str]:
        import torch

        if self._net is None:
            self._load()
        with torch.inference_mode():
            if self.model == "git" and len(self.places) > 1:
                return self._say(torch.stack([self._pixels(video) for video in videos]))
            flat = torch.cat([self._pixels(video) for video in videos])  # (b * t, 3, s, s)
            captions = self._say(flat)
        per = len(self.places)
        return [_together(captions[start : start + per]) for start in range(0, len(captions), per)]

    def _load(self) -> None:
        from safetensors import SafetensorError
        from transformers import AutoTokenizer, BlipForConditionalGeneration, GitForCausalLM

        kind: Any = BlipForConditionalGeneration if self.model == "blip" else GitForCausalLM
        try:
            here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            check_network_folder(self.folder)
            self._tokenizer = AutoTokenizer.from_pretrained(str(self.folder), **here)
            self._net = kind.from_pretrained(str(self.folder), use_safetensors=True, **here).eval()
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            why = (str(error).splitlines() or [""])[0].replace(f"{self.folder}/", "")
            raise ValueError(f"{self.folder}: could not be loaded: {why[:160]}") from None

    def _pixels(self, video: np.ndarray) -> Any:
        """uint8 (t, h, w, 3) -> float32 (t, 3, s, s): bicubic to a square, normalised."""
        import torch
        import torch.nn.functional as F

        x = torch.from_numpy(np.ascontiguousarray(video)).permute(0, 3, 1, 2).float()
        x = F.interpolate(x, (self._size, self._size), mode="bicubic", antialias=True).clamp(0, 255) / 255
        return (x - torch.tensor(self._mean).view(3, 1, 1)) / torch.tensor(self._std).view(3, 1, 1)

    def _say(self, pixels: Any) -> list[str]:
        """pixels (n, 3, s, s), for GIT also (n, t, 3, s, s)."""
        tokens = self._net.generate(pixel_values=pixels, max_new_tokens=LONGEST, do_sample=False, num_beams=1)
        return [" ".join(text.split()) for text in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]


def _preparation(folder: Path) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """(side, mean, std) of the pictures, as preprocessor_config.json says, else as config.json and CLIP do."""
    config = read_object(folder / "config.json")
    file = folder / "preprocessor_config.json"
    preprocessor = read_object(file) if file.is_file() else {}
    size = preprocessor.get("crop_size") or preprocessor.get("size") or {}
    side = size if isinstance(size, int) else size.get("height") or size.get("shortest_edge")
    side = side or config.get("vision_config", {}).get("image_size", 224)
    side = whole(side, f"{folder}: size of its pictures", 1, 4096)
    return (
        side,
        tuple(preprocessor.get("image_mean", openai_clip.MEAN)),
        tuple(preprocessor.get("image_std", openai_clip.STD)),
    )


def _together(captions: Sequence[str]) -> str:
    """Sentences of several frames as one caption, each once."""
    once = list(dict.fromkeys(text.rstrip(" .") for text in captions if text.strip()))
    return ", then ".join(once)
