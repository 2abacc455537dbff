"""Captions of pictures by any vision-language model: one that transformers loads, or one behind a chat endpoint.

Both are shown a few frames of a clip, in order, and asked for one sentence. Weights are safetensors, and code that
comes with a model is never run.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from storyreel import hub_client
from storyreel.curate.chat import NoAnswer, answered, plain_sentence
from storyreel.curate.model_settings import ModelSettings
from storyreel.curate.model_work import digest_of_folder
from storyreel.hub_client import RefusedDownload
from storyreel.json_file import read_object
from storyreel.names import expanded
from storyreel.network_folder import check_network_folder

ONE = "This is the middle frame of a short video clip. "
SEVERAL = "These are {count} frames of one short video clip, in order. "
INSTRUCTION = (
    "Write one sentence in English that says what is to be seen and how it moves: who or what, what happens, where, "
    "and how the camera moves if it does. Do not mention frames, pictures or video. Answer with that sentence alone."
)
LONGEST = 80  # tokens of a caption
LONG_SIDE = 768  # pixels of the pictures that are shown, at most


def is_model(name: str) -> bool:
    """Whether this entry of `--captions` is a model: an http address, a folder, or a name OWNER/NAME of the hub."""
    return name.startswith(("http://", "https://")) or "/" in name or Path(name).is_dir()


def folder_of(name: str) -> Path:
    """The folder of a model: itself, or what the hub's cache has of OWNER/NAME, downloaded once that is agreed to."""
    folder = expanded(name)
    if folder.is_dir():
        return folder
    if hub_client.repository(name) is None:
        raise ValueError(f"captions: {name}: no such folder; expected one, a name OWNER/NAME or an http address")
    try:
        return hub_client.cached_network(name) or hub_client.network(name, f"captioner {name}")
    except (RefusedDownload, OSError) as reason:
        raise ValueError(str(reason)) from None


def places_of(pictures: int) -> tuple[float, ...]:
    """Where in a clip the pictures are taken, from 0 to 1: its middle, or evenly spread from the first to the last."""
    return (0.5,) if pictures == 1 else tuple(np.linspace(0, 1, pictures).tolist())


def question(pictures: int) -> str:
    return (ONE if pictures == 1 else SEVERAL.format(count=pictures)) + INSTRUCTION


class Endpoint:
    """Any OpenAI-style endpoint that takes pictures: JPEGs in data URLs, `chat_at_once` clips at a time."""

    def __init__(self, url: str, models: ModelSettings) -> None:
        self.url, self.models, self.places = url, models, places_of(models.pictures)
        self.name = f"endpoint {url} {models.chat_model} {len(self.places)} {INSTRUCTION}"

    def __call__(self, videos: Sequence[np.ndarray]) -> list[str | NoAnswer]:
        with ThreadPoolExecutor(max(1, self.models.chat_at_once)) as pool:
            return list(pool.map(self._caption, videos))

    def _caption(self, video: np.ndarray) -> str | NoAnswer:
        content: list[dict[str, Any]] = [{"type": "text", "text": question(len(video))}]
        content += [{"type": "image_url", "image_url": {"url": _data_url(frame)}} for frame in video]
        try:
            return answered(self.url, [{"role": "user", "content": content}], self.models, plain_sentence)
        except NoAnswer as error:
            return error


def _data_url(frame: np.ndarray) -> str:
    import cv2

    done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(_shown(frame), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert done
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _shown(frame: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3), its longer side at most LONG_SIDE pixels."""
    import cv2

    height, width = frame.shape[:2]
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return frame if scale == 1 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


class VisionLanguage:
    """A vision-language model in transformers' form, asked in the words of its own chat template; greedy decoding.

    Clips are captioned one by one, on a GPU if there is one, so that no caption depends on the batch it was in.
    """

    def __init__(self, folder: Path, pictures: int) -> None:
        self.folder, self.places = folder, places_of(pictures)
        self._net: Any = None
        self._processor: Any = None

    @property
    def name(self) -> str:
        """With the digest of the weights, which are not read before the name is asked for."""
        kind = read_object(self.folder / "config.json").get("model_type")
        return f"{kind} {len(self.places)} {digest_of_folder(self.folder)} {INSTRUCTION}"

    def __call__(self, videos: Sequence[np.ndarray]) -> list[str | NoAnswer]:
        if self._net is None:
            self._load()
        return [self._caption(video) for video in videos]

    def _load(self) -> None:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        cuda = torch.cuda.is_available()
        own: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            check_network_folder(self.folder)
            self._processor = AutoProcessor.from_pretrained(str(self.folder), **own)
            net: Any = AutoModelForImageTextToText.from_pretrained(
                str(self.folder), use_safetensors=True, dtype="auto" if cuda else torch.float32, **own
            )
        except Exception as error:  # of transformers, safetensors, tokenizers: each has its own
            why = " ".join(str(error).replace(f"{self.folder}/", "").split()) or type(error).__name__
            more = "; or serve it (vLLM, llama.cpp, LM Studio) and give its address" if _lacks_package(error) else ""
            raise ValueError(f"{self.folder}: could not be loaded: {why[:160]}{more}") from None
        self._net = net.to("cuda" if cuda else "cpu").eval()

    def _caption(self, video: np.ndarray) -> str | NoAnswer:
        import torch
        from PIL import Image

        pictures = [Image.fromarray(_shown(frame)) for frame in video]
        inputs = self._processor(images=pictures, text=self._prompt(len(pictures)), return_tensors="pt")
        inputs = inputs.to(self._net.device, self._net.dtype)
        with torch.inference_mode():
            made = self._net.generate(**inputs, max_new_tokens=LONGEST, do_sample=False, num_beams=1)
        if not self._net.config.is_encoder_decoder:
            made = made[:, inputs["input_ids"].shape[1] :]
        try:
            return plain_sentence(self._processor.batch_decode(made, skip_special_tokens=True)[0])
        except NoAnswer as error:
            return error

    def _prompt(self, pictures: int) -> str:
        """By the model's chat template; without one, its token for a picture for each, and the question."""
        if getattr(self._processor, "chat_template", None):
            content = [*({"type": "image"} for _ in range(pictures)), {"type": "text", "text": question(pictures)}]
            messages = [{"role": "user", "content": content}]
            return self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        token = getattr(self._processor, "image_token", None)
        return (str(token) * pictures if token else "") + question(pictures)


def _lacks_package(error: Exception) -> bool:
    return isinstance(error, ImportError) or "requires the" in str(error)
