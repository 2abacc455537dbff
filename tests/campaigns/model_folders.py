"""Broken model folders, 2,400, through everything that opens one.

    python tests/campaigns/model_folders.py [--count 2400] [--first 0] [--list FILE]

The whole ones are tiny models of every system with random weights, and their packed copies. Prints one line of counts
and each fault; exits 1 if there is one. A folder depends on its number alone: `--first N --count 1` makes N again.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mutations import NUMBERS, VALUES, broken_bytes, broken_json, broken_text
from watched import Mutation, main

SYSTEMS = ("phenaki", "godiva", "imagen_video", "make_a_video", "encoder", "svd", "video_gan")
FIRST, FEWER = 2_000, 10  # folders up to this number are of the first five systems, plain and packed
BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, MemoryError)
MAX_SIZE = 1 << 28  # bytes of a file that a mutation reads
EXTREMES = (0, -1, 1, 2, 1_000, 10**6, 10**9, 10**18, 10**40, 1e-300, 1e308, 0.5, *NUMBERS)
ENCODERS = (
    "t5:someone/evil",
    "clip:../../x",
    "hash:65536",
    "hash:1",
    "words:2",
    "words:65536",
    "",
    "minilm",
    "\x1b[2J",
)


def wholes(folder: Path) -> list[Path]:
    """A tiny model of each system, and its packed copy."""
    import torch

    from storyreel import recipes
    from storyreel.model import pack_model, save_model

    made = []
    for name in SYSTEMS:
        recipe = recipes.get(f"{name}_tiny")
        torch.manual_seed(0)
        system = recipe.system.build()
        made.append(save_model(folder / name, system, recipe=recipe, card="# Tiny\n\nNothing.\n", training={}))
        made.append(pack_model(made[-1], folder / f"{name}-packed"))
    return made


def mutation(number: int, found: list[Path], folder: Path) -> tuple[Path, str]:
    """(the broken folder, what was done to it); one to three things at once."""
    rng = random.Random(number)
    found = found[:FEWER] if number < FIRST else found[FEWER:]
    path = folder / found[number % len(found)].name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(found[number % len(found)], path)
    ways = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        way = rng.choice(WAYS)
        try:
            way(rng, path, found)
        except BROKEN:  # what an earlier one broke
            continue
        ways.append(way.__name__)
    if rng.random() < 0.8:
        sealed(path)
    return path, " ".join(ways)


def sealed(path: Path) -> None:
    """Digests that fit what is there now, so that the mutation is met and not the check against damage."""
    try:
        document = document_of(path)
        parts = document["components"]
        for name, part in parts.items():
            part["sha256"] = hashlib.sha256(content(path / name / "model.safetensors")).hexdigest()
        line = "".join(f"{name}:{parts[name]['sha256']};" for name in sorted(parts))
        document["digest"] = hashlib.sha256(line.encode()).hexdigest()
        (path / "model.json").write_text(json.dumps(document))
    except BROKEN:
        return


def content(file: Path) -> bytes:
    """OSError for a link, a pipe or a file of a terabyte, which an earlier mutation may have put there."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size > MAX_SIZE:
        raise OSError(f"{file}: no file to read")
    return file.read_bytes()


def document_of(path: Path) -> Any:
    return json.loads(content(path / "model.json"))


def a_value(rng: random.Random, path: Path, found: list[Path]) -> None:
    document = document_of(path)
    (path / "model.json").write_text(broken_json(rng, document))


def a_size(rng: random.Random, path: Path, found: list[Path]) -> None:
    """A number of the recipe's system becomes an extreme one."""
    document = document_of(path)
    places = [(at, key) for at, key, value in leaves(document["recipe"]) if isinstance(value, (int, float))]
    at, key = rng.choice(places)
    at[key] = rng.choice(EXTREMES)
    (path / "model.json").write_text(json.dumps(document))


def leaves(value: Any) -> list[tuple[Any, Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, item in items:
        found.append((value, key, item))
        found += leaves(item)
    return found


def any_leaf(rng: random.Random, path: Path, found: list[Path]) -> None:
    document = document_of(path)
    at, key, _ = rng.choice(leaves(document))
    at[key] = rng.choice(VALUES)
    (path / "model.json").write_text(json.dumps(document))


def an_encoder(rng: random.Random, path: Path, found: list[Path]) -> None:
    document = document_of(path)
    document["recipe"]["text"] = rng.choice(ENCODERS)
    (path / "model.json").write_text(json.dumps(document))


def a_text(rng: random.Random, path: Path, found: list[Path]) -> None:
    file = rng.choice([path / "model.json", path / "README.md", *path.glob("*/config.json")])
    file.write_bytes(broken_text(rng, content(file).decode()))


def bytes_of_weights(rng: random.Random, path: Path, found: list[Path]) -> None:
    file = rng.choice(sorted(path.glob("*/model.safetensors")))
    file.write_bytes(broken_bytes(rng, content(file), [found[0].joinpath("model.json").read_bytes()])[1])


def a_header(rng: random.Random, path: Path, found: list[Path]) -> None:
    """Another type, shape, place or name of a tensor, or other texts in the place of its JSON."""
    file = rng.choice(sorted(path.glob("*/model.safetensors")))
    data = content(file)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    name = rng.choice(sorted(set(header) - {"__metadata__"}))
    way = rng.randrange(6)
    if way == 0:
        header[name]["shape"] = rng.choice(
            [[], [2**40], [2**62, 4], [0], [-1], [1] * 40, [1e9], header[name]["shape"][::-1]]
        )
    elif way == 1:
        header[name]["dtype"] = rng.choice(["F64", "I8", "BOOL", "C64", "F8_E4M3", "F4", "", 5, None])
    elif way == 2:
        header[name]["data_offsets"] = rng.choice([[0, 2**63], [-5, 5], [5, 1], [], "0", [0, 0]])
    elif way == 3:
        header[rng.choice(["", "x" * 10_000, "\x1b[2J", f"{name}::scale"])] = header.pop(name)
    elif way == 4:
        header[name] = rng.choice(VALUES)
    text = broken_json(rng, header).encode("utf-8", "replace") if way == 5 else json.dumps(header).encode()
    size = len(text) if rng.random() < 0.8 else rng.choice((0, 2**62, len(text) + 7))
    file.write_bytes(size.to_bytes(8, "little") + text + data[8 + length :])


def numbers_of_weights(rng: random.Random, path: Path, found: list[Path]) -> None:
    """NaN, infinity or noise in the place of the values."""
    file = rng.choice(sorted(path.glob("*/model.safetensors")))
    data = bytearray(content(file))
    begins = 8 + int.from_bytes(data[:8], "little")
    filling = rng.choice((b"\xff\x7e", b"\x00\x7c", b"\xff\xff", b"\x80\x80", b"\x00\x00", rng.randbytes(64)))
    data[begins:] = (filling * len(data))[: len(data) - begins]
    file.write_bytes(data)


def a_swap(rng: random.Random, path: Path, found: list[Path]) -> None:
    """A component takes the place of another, of this model or of another system."""
    others = sorted(rng.choice(found).glob("*/model.safetensors"))
    file = rng.choice(sorted(path.glob("*/model.safetensors")))
    content(file)  # nothing is written into a pipe or through a link
    shutil.copyfile(rng.choice(others), file)


def another_system(rng: random.Random, path: Path, found: list[Path]) -> None:
    document = document_of(path)
    document["system"] = rng.choice(SYSTEMS)
    (path / "model.json").write_text(json.dumps(document))


def no_file(rng: random.Random, path: Path, found: list[Path]) -> None:
    """A file is gone, empty, a folder, a pipe, a pickle, or a link to what never ends."""
    file = rng.choice(sorted(item for item in path.rglob("*") if item.is_file()))
    file.unlink()
    way = rng.randrange(7)
    if way == 0:
        file.write_bytes(b"")
    elif way == 1:
        file.mkdir()
    elif way == 2:
        os.mkfifo(file)
    elif way == 3:
        file.symlink_to("/dev/zero")
    elif way == 4:
        file.write_bytes(b"PK\x03\x04" + rng.randbytes(100))
    elif way == 5:
        with file.open("wb") as out:
            out.truncate(2**40)


def a_card(rng: random.Random, path: Path, found: list[Path]) -> None:
    texts = (b"\xff\xfe\x80", b"\x1b[2J\x1b]0;x\x07", "\u202eabc".encode(), b"---\n" * 10_000, b"[/red]", b"#" * 10**6)
    content(path / "README.md")
    (path / "README.md").write_bytes(rng.choice(texts))


WAYS: list[Callable[[random.Random, Path, list[Path]], None]] = [
    a_value, a_size, a_size, a_size, any_leaf, any_leaf, an_encoder, a_text, bytes_of_weights, a_header, a_header,
    numbers_of_weights, a_swap, another_system, no_file, a_card,
]  # fmt: skip


def begin(folder: Path) -> Mutation:
    """The mutation of each number, of models that are made in `folder`."""
    (folder / "whole").mkdir()
    found = wholes(folder / "whole")
    return lambda number: mutation(number, found, folder / "broken")


if __name__ == "__main__":
    sys.exit(main(__doc__, "model_doors", begin, 2_400))
