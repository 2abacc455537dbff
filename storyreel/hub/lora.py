"""LoRA files in a loaded pipeline, by diffusers and peft: several at once, each with its weight, and out again."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from storyreel.options.lora import Lora
from storyreel.screen_text import one_line
from storyreel.tensor_header import damaged, read_header, sha256_once

DOWN = re.compile(r"(.*)[._]lora[._](?:A|down)\b")
"""The name of the first of the two factors of a layer, as trainers write it."""


def apply(pipe: Any, files: Sequence[Lora]) -> None:
    """Change the networks of a pipeline by these files alone; those of before are taken out.

    ValueError, one line: a file that was changed meanwhile, or of which nothing fits; the pipeline is then without any.
    """
    pipe.unload_lora_weights()
    names = [f"lora{number}" for number in range(len(files))]
    try:
        for name, file in zip(names, files, strict=True):
            _load(pipe, name, file)
        if files:
            pipe.set_adapters(names, [file.weight for file in files])
    except BaseException:
        pipe.unload_lora_weights()
        raise


def _load(pipe: Any, name: str, file: Lora) -> None:
    path, kind = Path(file.path), type(pipe).__name__
    if sha256_once(path) != file.sha256:
        raise damaged(path)
    own: dict[str, Any] = {"use_safetensors": True, "local_files_only": True}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # several at once are meant
            pipe.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=name, **own)
    except ImportError:
        raise ValueError("lora: needs peft; run: pip install 'storyreel[diffusers]'") from None
    except Exception as error:  # of diffusers, peft, PyTorch: each has its own
        lines = str(error).splitlines() or [type(error).__name__]
        raise ValueError(f"lora: {path}: does not fit {kind} ({one_line(lines[0])[:160]})") from None
    if not any(name in names for names in pipe.get_list_adapters().values()):
        raise ValueError(f"lora: {path}: does not fit {kind}: none of its tensors belongs to one of its networks")
    layers = {found[1] for tensor in read_header(path) if (found := DOWN.match(tensor))}
    networks = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    changed = sum(name in getattr(layer, "lora_A", {}) for part in networks for layer in part.modules())
    if changed < len(layers):
        warnings.warn(f"lora: {path.name}: {kind} has {changed} of its {len(layers)} layers; the others are left out",
                      stacklevel=2)  # fmt: skip
