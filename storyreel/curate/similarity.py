"""How well a caption fits its clip, and how pleasing the clip is: cosine and a linear head over embeddings.

similarity: the cosine of the caption and of the first, middle and last frame, mean over the three, by any encoder that
`storyreel.encoder.load_encoder` knows. aesthetics: LAION's linear head over CLIP's image embeddings (Schuhmann 2022),
mean over the same frames; a folder with clip/ (transformers' CLIP, safetensors) and head.safetensors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.curate.model_work import FIRST_MIDDLE_LAST, Work, digest_of_folder, key_of, looked_at
from storyreel.network_folder import check_network_folder
from storyreel.nn import clip as openai_clip


def similarity(work: Work) -> None:
    """Fill the column `similarity`, in [-1, 1], of rows with a caption. ValueError: the encoder is not here."""
    import torch

    from storyreel.encoder import load_encoder

    encoder = load_encoder(str(work.models.encoder))
    stored = work.store.answers(f"similarity-{key_of(encoder.digest)}")
    candidates = [row for row in work.candidates() if row.get("caption")]
    todo = [row for row in candidates if (stored.values.get(row["clip"]) or {}).get("of") != row["caption"]]
    work.screen.begin("similarity", len(todo))
    for rows, videos in looked_at(work, todo, FIRST_MIDDLE_LAST):
        for row, video in zip(rows, videos, strict=True):
            frames = encoder.frame_embeddings(torch.from_numpy(np.ascontiguousarray(video))[None])[0]  # (t, e)
            try:
                text = encoder.text_embeddings([row["caption"]])[0]
                score = round(float((frames @ text).mean()), 6)
            except ValueError:  # a caption that is too long for this encoder
                score = None
            stored.put(row["clip"], {"of": row["caption"], "score": score})
            work.screen.advance()
    stored.settle()
    for row in candidates:
        stored_answer = stored.values.get(row["clip"]) or {}
        row["similarity"] = stored_answer.get("score") if stored_answer.get("of") == row["caption"] else None


def aesthetics(work: Work) -> None:
    """Fill the column `aesthetics`, about 1 to 10. ValueError: the weights are not here or do not fit."""
    folder = Path(str(work.models.aesthetics))
    score, name = load_aesthetics(folder)
    stored = work.store.answers(f"aesthetics-{key_of(name)}")
    candidates = work.candidates()
    todo = [row for row in candidates if row["clip"] not in stored.values]
    work.screen.begin("aesthetics", len(todo))
    for rows, videos in looked_at(work, todo, FIRST_MIDDLE_LAST):
        for row, video in zip(rows, videos, strict=True):
            stored.put(row["clip"], round(score(video), 6))
            work.screen.advance()
    stored.settle()
    for row in candidates:
        row["aesthetics"] = stored.values.get(row["clip"])


def load_aesthetics(folder: Path) -> tuple[Callable[[np.ndarray], float], str]:
    """(uint8 (t, h, w, 3) -> mean score, name of the weights)."""
    import torch
    import torch.nn.functional as F
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import CLIPVisionModelWithProjection

    head_file = folder / "head.safetensors"
    if not head_file.is_file() or not (folder / "clip" / "config.json").is_file():
        raise ValueError(f"{folder}: expected clip/ (transformers' CLIP, safetensors) and head.safetensors in it")
    check_network_folder(folder / "clip")
    try:
        head = load_file(str(head_file))
        vision: Any = CLIPVisionModelWithProjection.from_pretrained(
            str(folder / "clip"), local_files_only=True, use_safetensors=True, trust_remote_code=False
        ).eval()
        weight, bias = head["weight"].float().reshape(1, -1), head["bias"].float().reshape(1)
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{folder}: could not be loaded: {(str(error).splitlines() or [''])[0][:160]}") from None
    dim, side = vision.config.projection_dim, vision.config.image_size
    if weight.shape[1] != dim:
        raise ValueError(f"{head_file}: takes {weight.shape[1]} numbers, this CLIP gives {dim}")
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (openai_clip.MEAN, openai_clip.STD))

    @torch.inference_mode()
    def score(video: np.ndarray) -> float:
        x = torch.from_numpy(np.ascontiguousarray(video)).permute(0, 3, 1, 2).float()  # (t, 3, h, w)
        h, w = x.shape[2:]
        scale = side / min(h, w)  # CLIP: the shorter side to `side`, then the middle square
        x = F.interpolate(x, (round(h * scale), round(w * scale)), mode="bicubic", antialias=True).clamp(0, 255)
        top, left = (x.shape[2] - side) // 2, (x.shape[3] - side) // 2
        x = x[:, :, top : top + side, left : left + side] / 255
        features = F.normalize(vision(pixel_values=(x - mean) / std).image_embeds, dim=-1)
        return float((features @ weight.T + bias).mean())

    return score, f"{digest_of_folder(folder)} {digest_of_folder(folder / 'clip')}"
