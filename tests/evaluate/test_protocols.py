"""Protocols never change their meaning, cuts are as they say, and kept statistics know all that they depend on."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from storyreel.clip import Clip
from storyreel.evaluate.decode import ClipSource, Cut, DecodedClip, one_pass
from storyreel.evaluate.extractors import load_extractor
from storyreel.evaluate.gather import Network, damaged, parts_of
from storyreel.evaluate.protocols import PROTOCOLS, Protocol, codec_of, differing, protocol_named
from storyreel.evaluate.real_statistics import key_of
from storyreel.evaluate.sources import ClipFolder, find

HASHES = {  # a protocol's name means these settings for ever: give a changed one a new name
    "storyreel": "f3bdcb13", "stylegan-v-fvd16": "0a45d134", "stylegan-v-fvd128": "94b27967", "tf-original": "76f422a2",
    "ucf101-zero-shot": "1a6aecda",
    "cd-fvd": "277c14b1",
}  # fmt: skip


def test_published_protocols_are_what_they_were():
    assert {name: p.hash for name, p in PROTOCOLS.items()} == HASHES
    p = PROTOCOLS["stylegan-v-fvd16"]
    assert (p.frames, p.n, p.real_n, p.ddof, p.start, p.short) == (16, 2048, 2048, 0, "random", "drop")
    assert (p.video, p.size) == ("i3d-k400", None)


def test_every_setting_is_in_the_hash_and_json_gives_it_back(tmp_path: Path):
    p = PROTOCOLS["stylegan-v-fvd16"]
    others: dict[str, Any] = {"short": "refuse", "start": "first", "size": 32}
    for f in fields(Protocol):
        old = getattr(p, f.name)
        other = others.get(f.name, old + 1 if isinstance(old, int) else f"{old}x")
        assert (replace(p, **{f.name: other}).hash != p.hash) == (f.name != "about"), f.name
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(p.as_json()))
    assert protocol_named(str(file)) == p
    file.write_text(json.dumps(p.as_json() | {"frames": 17}))
    with pytest.raises(ValueError, match="its hash is"):
        protocol_named(str(file))
    with pytest.raises(ValueError, match="did you mean 'tf-original'"):
        protocol_named("tf-orignal")


def test_fingerprints_that_differ_say_where():
    one = {"extractor": "i3d@aa", "n": 2048, "codec": "lossless"}
    assert differing(one, dict(one)) == []
    other = one | {"n": 2047, "extractor": "i3d@bb"}
    assert differing(one, other) == ["extractor (i3d@aa and i3d@bb)", "n (2048 and 2047)"]
    assert codec_of([Path("a.mkv"), Path("b.apng"), Path("c.mp4")]) == "lossless+mp4"


def ramp(frames: int, side: int = 20) -> Clip:
    """Frame t has the value t."""
    return Clip(np.arange(frames, dtype=np.uint8)[:, None, None, None] * np.ones((1, side, side, 3), np.uint8))


def test_cuts():
    published = replace(PROTOCOLS["stylegan-v-fvd16"], frames=4, stride=2)
    made = Cut(published, 4)(ramp(12), 5)
    assert isinstance(made, torch.Tensor)
    assert made[:, 0, 0, 0].tolist() == [0, 2, 4, 6]  # what was made is cut at its start
    drawn = [torch.as_tensor(Cut(published, 4, real=True)(ramp(12), i)) for i in range(40)]
    assert {int(c[0, 0, 0, 0]) for c in drawn} == set(range(6))
    assert torch.equal(drawn[3], torch.as_tensor(Cut(published, 4, real=True)(ramp(12), 3)))
    assert Cut(published, 4)(ramp(6), 0) == "has 6 frames, stylegan-v-fvd16 needs 7"
    assert Cut(published, 4)(ramp(1), 0) == "has 1 frame, stylegan-v-fvd16 needs 7"
    with pytest.raises(ValueError, match="has 6 frames"):
        Cut(replace(published, short="refuse"), 4)(ramp(6), 0)
    ours = Cut(PROTOCOLS["storyreel"], 4)(ramp(8, 128), 0)
    assert isinstance(ours, torch.Tensor)
    assert ours.shape == (4, 64, 64, 3)
    assert ours[:, 0, 0, 0].tolist() == [1, 3, 5, 7]


def test_damage():
    frames = torch.arange(8)[:, None, None, None].expand(-1, 2, 2, 3).byte()
    assert damaged(frames, "", 0) is frames
    assert damaged(frames, "frozen", 0).unique().tolist() == [0]
    mixed = damaged(frames, "shuffled", 1)[:, 0, 0, 0].tolist()
    assert sorted(mixed) == list(range(8)) != mixed


def folder_of(path: Path, n: int) -> Path:
    path.mkdir()
    for i in range(n):
        ramp(8).save(path / f"{i}.mkv")
    return path


def test_kept_statistics_depend_on_everything(tmp_path: Path):
    """StyleSV left the arguments out of its key: another resolution or count quietly reused the old statistics."""
    folder = folder_of(tmp_path / "clips", 4)
    rules, network = PROTOCOLS["storyreel"], Network(load_extractor("tiny"))

    def key(clips: ClipFolder | None = None, rules: Protocol = rules, frames: int = 8, **depends: str) -> str:
        return key_of(clips or find(folder), Cut(rules, frames), network.depends | depends, rules.real_n)

    base = key()
    assert key() == base
    others = [
        key(find(folder, limit=3)),
        key(rules=replace(rules, size=32)),
        key(rules=replace(rules, real_n=3)),
        key(frames=4),
        key(digest="another"),
        key(preprocessing="another"),
        key(damage="frozen"),
    ]
    ramp(9).save(folder / "2.mkv")
    others.append(key())
    assert len({base, *others}) == len(others) + 1


class Holding:
    """Counts the frames that are alive at once."""

    def __init__(self) -> None:
        self.most = self.rows = 0

    def take(self, batch: list[DecodedClip]) -> None:
        self.most, self.rows = max(self.most, len(batch)), self.rows + len(batch)


def test_a_pass_reads_each_clip_once_in_order_and_stops(tmp_path: Path):
    folder = folder_of(tmp_path / "clips", 9)
    sources, told = find(folder).sources, Holding()
    advanced: list[int] = []
    network = Network(load_extractor("tiny"))
    counted = one_pass(sources, Cut(PROTOCOLS["storyreel"], 8), [told, network], batch=4, advance=advanced.append)
    assert (counted.n, told.rows, told.most, sum(advanced)) == (9, 9, 4, 9)
    assert network.compute().shape == (9, 16)
    assert one_pass(sources, Cut(PROTOCOLS["storyreel"], 8), [], most=5).n == 5
    halves = [Network(load_extractor("tiny")) for _ in range(2)]
    batch = [
        DecodedClip(i, ClipSource(Path(f"{i}")), ramp(8).to_tensor().byte().permute(1, 2, 3, 0), ramp(8))
        for i in range(4)
    ]
    halves[0].take(batch[:3])
    halves[1].take(batch[3:])
    halves[1].merge(halves[0])
    assert halves[1].compute().shape == (4, 16)
    with pytest.raises(ValueError, match="clip 0 is on both sides"):
        halves[1].merge(halves[0])


def test_the_parts_of_a_story():
    assert parts_of([["a", 1.0], ["b", 0.5]], 8, 12) == [8, 4]
    assert parts_of([["a", 1.0], ["b", 0.5]], 8, 13) == [8, 5]
    assert parts_of([["a", 1.0], ["b", 0.5]], 8, 40) == []
    assert parts_of(None, 8, 12) == parts_of("ab", 8, 12) == []
