"""What a network's folder says for transformers, diffusers and peft, checked before they read it.

These libraries build what the settings ask for before they look at the weights: a million layers, tables of a billion
positions, a base model that lies elsewhere, a kernel from the hub.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from storyreel.json_file import read_object
from storyreel.numbers import is_whole, shown
from storyreel.screen_text import one_line
from storyreel.tensor_header import SHARDS, check_regular, read_header, shards

LARGEST = 10_000_000  # of a whole number that no row below has: numbers of tokens, positions
LIMITS = (
    (re.compile("theta"), 10**12),
    (re.compile("pixels|edge|vocab|chunk"), 10**9),
    (re.compile("sample_(size|height|width|frames)|image_size"), 4_096),
    (re.compile("seq_len|timesteps"), 100_000),
    (re.compile("dim|channel|size|heads"), 1_000_000),
)
"""Which settings may be how large at most; the first row that fits."""
LAYERS, MOST_LAYERS = re.compile("layer|block|depth"), 1_000
LONGEST = 1_000  # entries of a list
ATTENTION = re.compile("(attn|experts)_implementation")
OWN_ATTENTION = (None, "eager", "sdpa")
UNREAD = ("tokenizer_config.json",)  # its numbers mean nothing for memory, and say 10^30 for "no limit"


def check_network_folder(folder: Path) -> None:
    """ValueError, one line, before a library reads the folder: what it says leads elsewhere or is out of range.

    Pipes and devices, which have no end; weights in other files than safetensors beside it; settings of an adapter,
    which name a base model; an attention that is a kernel of the hub; whole numbers above `LIMITS`, and more layers
    than the weights have tensors.
    """
    for file in sorted(folder.glob("*")):
        if file.exists() and not file.is_dir():
            check_regular(file)
    for index in sorted(folder.glob(SHARDS)):
        shards(index)
    for adapter in folder.glob("adapter_*"):
        raise ValueError(f"{adapter}: is of an adapter, which names its model elsewhere; expected whole weights")
    tensors = sum(len(read_header(file)) for file in folder.glob("*.safetensors"))
    layers = min(MOST_LAYERS, tensors) if tensors else MOST_LAYERS
    for file in sorted(folder.glob("*config.json")):
        if file.name not in UNREAD:
            _check(read_object(file), "", layers, file)


def _check(value: Any, key: str, layers: int, file: Path) -> None:
    """One value of a JSON file and all in it. key: its name, or that of the list or object around it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check(inner, key if ATTENTION.search(key) else name, layers, file)
    elif isinstance(value, list):
        if len(value) > LONGEST:
            raise _wrong(file, key, f"a list of at most {LONGEST}", f"{len(value)} entries")
        for inner in value:
            _check(inner, key, layers, file)
    elif isinstance(value, int):
        most = _most(key, layers)
        if not is_whole(value, -most, most) and not isinstance(value, bool):
            raise _wrong(file, key, f"a whole number of at most {most}", shown(value))
    elif ATTENTION.search(key) and value not in OWN_ATTENTION:
        raise _wrong(file, key, "eager or sdpa; another one is code from the hub or elsewhere", shown(value))


def _most(key: str, layers: int) -> int:
    for pattern, most in LIMITS:
        if pattern.search(key):
            return most
    return layers if LAYERS.search(key) else LARGEST


def _wrong(file: Path, key: str, expected: str, got: str) -> ValueError:
    return ValueError(f"{file}: {one_line(key)[:80]}: expected {expected}, got {got}")
