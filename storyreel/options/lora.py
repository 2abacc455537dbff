"""LoRA files that change a model of the hub while it generates: each with its weight, its digest in metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storyreel.json_file import parse_json
from storyreel.names import expanded, is_bare
from storyreel.numbers import number, shown
from storyreel.tensor_header import check_no_pickle, read_header, read_metadata, sha256_once

STRONGEST = 100.0  # weights go from its negative to it
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Lora:
    """A safetensors file, the sha256 of its content, and how strongly it changes the model: 1 as it was trained."""

    path: str
    sha256: str
    weight: float = 1.0

    @classmethod
    def read(cls, value: Any, name: str) -> Lora:
        """From FILE or FILE:WEIGHT, or what `note` gave. ValueError for another format, OSError for no such file."""
        if isinstance(value, cls):
            return value
        if isinstance(value, dict):
            return cls._from_note(value, name)
        if not isinstance(value, (str, Path)):
            raise ValueError(f"{name}: expected FILE{SUFFIX} or FILE{SUFFIX}:WEIGHT, got {shown(value)}")
        path, weight = expanded(value), 1.0
        before, colon, after = str(value).rpartition(":")
        if colon and before.endswith(SUFFIX):
            path, weight = expanded(before), number(after, f"{name}: {after!r}", -STRONGEST, STRONGEST)
        check_no_pickle(path)
        if path.suffix != SUFFIX:
            raise ValueError(f"{name}: {path}: expected a file that ends with {SUFFIX}, and a weight after a colon")
        check_factors(path)
        return cls(str(path.absolute()), sha256_once(path), weight)

    def note(self) -> dict[str, Any]:
        """What a file's metadata says of it: no path, which would tell more than its owner means to."""
        return {"name": Path(self.path).name, "sha256": self.sha256, "weight": self.weight}

    @classmethod
    def _from_note(cls, note: dict[str, Any], name: str) -> Lora:
        """The file of that name in the current folder, if its content is the same.

        ValueError says how to give it otherwise: the note may be a stranger's, and names no path that is opened.
        """
        file, digest = note.get("name"), note.get("sha256")
        if not is_bare(file) or not isinstance(file, str) or not isinstance(digest, str):
            raise ValueError(f"{name}: the metadata does not say which file it was; give it with --{name}")
        weight = number(note.get("weight", 1.0), f"{name}: weight", -STRONGEST, STRONGEST)
        path = Path(file)
        if path.suffix != SUFFIX or not path.is_file() or sha256_once(path) != digest:
            raise ValueError(
                f"{name}: {file} (sha256 {digest[:12]}...) is not in this folder; give it with --{name} FILE:{weight:g}"
            )
        return replace(cls.read(path, name), weight=weight)


_NAME = re.compile(r"\^?[\w.:/-]{1,500}", re.ASCII)
_STRONGEST_ALPHA = 1e6
_UNREAD = ("base_model_name_or_path", "revision", "task_type", "auto_mapping", "peft_version", "runtime_config")
"""What peft writes into its settings and does not read when factors are loaded."""
_LISTS = ("target_modules", "exclude_modules", "target_parameters")
_WORDS = {
    "peft_type": ("LORA", "LOKR"), "bias": ("none",), "init_lora_weights": ("gaussian",),
    "megatron_core": ("megatron.core",), "decompose_factor": (-1,), "qalora_group_size": (16,),
}  # fmt: skip


def check_factors(path: Path) -> None:
    """ValueError, one line: no safetensors file, or names and settings that peft would take for more than they are.

    peft reads the names of layers as regular expressions, which can run for years, and some of its settings ask for
    memory, other networks or modules of Python by their name. A rank is one that the file's tensors have.
    """
    tensors = read_header(path)
    for name in tensors:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{path}: expected tensors with names of letters, digits and . _ - : /, got {shown(name)}")
    text = read_metadata(path).get("lora_adapter_metadata")
    settings = parse_json(text, f"{path}: lora_adapter_metadata") if text else {}
    if not isinstance(settings, dict):
        raise ValueError(f"{path}: lora_adapter_metadata: expected a JSON object, got {shown(settings)}")
    rank = max((min(info.shape) for info in tensors.values() if len(info.shape) > 1), default=1)
    for key, value in settings.items():
        if not _is_plain(key.rpartition(".")[2], value, rank):
            raise ValueError(f"{path}: {shown(key)}: expected a setting of plain factors, got {shown(value)}")


def _is_plain(name: str, value: Any, rank: int) -> bool:
    """Whether a setting of peft asks for no more than the tensors of a file hold, and names layers as they are."""
    most = {"r": rank, "rank_pattern": rank, "alpha": _STRONGEST_ALPHA, "lora_alpha": _STRONGEST_ALPHA,
            "alpha_pattern": _STRONGEST_ALPHA, "lora_dropout": 1, "rank_dropout": 1, "module_dropout": 1}  # fmt: skip
    if not value or value is True or name in _UNREAD or value in _WORDS.get(name, ()):
        return True
    if name in most and isinstance(value, dict):
        return all(_NAME.fullmatch(layer) and _is_number(size, most[name]) for layer, size in value.items())
    if name in _LISTS and isinstance(value, list):
        return all(isinstance(layer, str) and _NAME.fullmatch(layer) for layer in value)
    return name in most and _is_number(value, most[name])


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= most
