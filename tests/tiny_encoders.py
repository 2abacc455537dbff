"""Tiny encoders of texts and pictures with random weights, in the layout of their published folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

WORDS = ["<pad>", "</s>", "<unk>", "a", "dog", "cat", "walks", "sleeps"]
SMALL: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
PICTURES = SMALL | {"image_size": 16, "patch_size": 8}


def save_tokenizer(folder: Path) -> None:
    """Of a few words; a pad is 0, and 1 ends a sentence."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()  # pyright: ignore
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])  # pyright: ignore
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)


def write_encoder(kind: str, folder: Path) -> Path:
    """t5 (encoder and decoder, as published), clip, siglip or siglip2: both towers, the same weights each time."""
    import transformers as t

    ends = {"eos_token_id": 1, "bos_token_id": None, "pad_token_id": 0, "vocab_size": len(WORDS)}
    text = SMALL | ends
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        if kind == "t5":
            sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
            network: Any = t.T5ForConditionalGeneration(t.T5Config(vocab_size=len(WORDS), **sizes))
        elif kind == "clip":
            network = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=PICTURES, projection_dim=12))
        elif kind == "siglip":
            text |= {"projection_size": 16, "max_position_embeddings": 64}
            network = t.SiglipModel(t.SiglipConfig(text_config=text, vision_config=PICTURES))
        else:
            text |= {"projection_size": 16, "max_position_embeddings": 64}
            pictures = SMALL | {"num_patches": 16, "patch_size": 8}
            network = t.Siglip2Model(t.Siglip2Config(text_config=text, vision_config=pictures))
        network.save_pretrained(folder)
    save_tokenizer(folder)
    said = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3, "size": {"height": 16, "width": 16}}
    if kind == "siglip":
        (folder / "preprocessor_config.json").write_text(json.dumps(said))
    return folder
