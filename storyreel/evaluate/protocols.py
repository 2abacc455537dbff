"""Protocols: everything that was decided before a score was measured, under a name that never changes its meaning.

Two scores can be compared when everything that they depend on is the same. A protocol says how clips are cut, which
network looks at them and how the statistics divide; its hash is part of the name that stands in a report
(`stylegan-v-fvd16@7f3a...`). A fingerprint adds what only the run knows (digests, rate, codec, how many clips), and
two scores whose fingerprints differ are not compared.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from storyreel.json_file import read_object
from storyreel.wording import suggestion

FVD = ("fvd", "kvd")
FID = ("fid", "kid")
TEXT = ("clipsim", "rm", "r-precision")


@dataclass(frozen=True)
class Protocol:
    """How clips are cut and compared. Every field is part of the hash, except `about`."""

    name: str
    about: str
    frames: int | None  # of a clip that count; None: as many as most real clips have (most clips, without real ones)
    stride: int  # every so many frames of the file
    short: Literal["drop", "refuse", "resample"]  # a clip with too few frames; "resample" also squeezes longer ones
    start: Literal["first", "random"]  # where the cut of a real clip begins; of a made one always at its first frame
    size: int | None  # clips are brought to size x size (their middle square); None: left to the network
    n: int  # clips that the published figures were measured on
    minimum: int  # fewer are refused
    real_n: int | None  # real clips that are used, the first in sorted order; None: all
    ddof: int
    video: str  # extractors: of clips, of frames, for the Inception Score, of text and pictures
    frame: str
    classes: str
    text: str
    seed: int = 0

    @property
    def hash(self) -> str:
        """Eight hex digits of everything that the protocol says."""
        rules = {key: value for key, value in asdict(self).items() if key != "about"}
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def label(self) -> str:
        return f"{self.name}@{self.hash}"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "hash": self.hash}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Protocol:
        """From what `as_json` gave. ValueError when the hash is not that of the fields."""
        known = {key: value for key, value in document.items() if key != "hash"}
        try:
            made = cls(**known)
        except TypeError as error:
            raise ValueError(f"protocol: expected the fields of this version: {error}") from None
        if "hash" in document and document["hash"] != made.hash:
            raise ValueError(f"protocol {made.name}: its hash is {document['hash']}, its fields say {made.hash}")
        return made

    def extractor(self, metric: str) -> str:
        """The name of the network that a metric stands on; "" for one that needs none."""
        if metric == "is":
            return self.classes
        return self.video if metric in FVD else self.frame if metric in FID else self.text if metric in TEXT else ""


_NETS: dict[str, Any] = {
    "video": "i3d-k400",
    "frame": "inception-2015",
    "classes": "c3d-ucf101",
    "text": "clip-vit-b-32",
}
_STYLEGAN_V: dict[str, Any] = {
    **_NETS, "stride": 1, "short": "drop", "start": "random", "size": None, "n": 2048, "minimum": 256,
    "real_n": 2048, "ddof": 0,
}  # fmt: skip
PROTOCOLS = {
    p.name: p
    for p in (
        Protocol(
            name="storyreel",
            about="The worlds that ship: 64x64, whole clips, the world's own encoder. No published figures.",
            frames=None, stride=1, short="resample", start="first", size=64, n=2048, minimum=8, real_n=4096, ddof=1,
            video="world", frame="inception-2015", classes="c3d-ucf101", text="world",
        ),
        Protocol(
            name="stylegan-v-fvd16",
            about="StyleGAN-V and StyleSV, fvd2048_16f: one clip a video at a random start, videos too short dropped.",
            frames=16, **_STYLEGAN_V,
        ),
        Protocol(
            name="stylegan-v-fvd128",
            about="StyleGAN-V and StyleSV, fvd2048_128f.",
            frames=128, **_STYLEGAN_V,
        ),
        Protocol(
            name="tf-original",
            about="Unterthiner et al. 2018: whole clips squashed to 224x224, all real clips, covariance by n - 1.",
            frames=None, stride=1, short="refuse", start="first", size=None, n=2048, minimum=256, real_n=None, ddof=1,
            **_NETS,
        ),
        Protocol(
            name="ucf101-zero-shot",
            about="Make-A-Video and others on UCF-101: 10,000 clips made from class names, 16 frames, all real clips.",
            frames=16, stride=1, short="drop", start="random", size=None, n=10_000, minimum=256, real_n=None, ddof=0,
            **_NETS,
        ),
        Protocol(
            name="cd-fvd",
            about="Ge et al. 2024, content-debiased FVD: VideoMAE V2 on Something-Something V2 instead of I3D.",
            frames=16, stride=1, short="drop", start="random", size=None, n=2048, minimum=256, real_n=None, ddof=0,
            **{**_NETS, "video": "videomae-ssv2"},
        ),
    )
}  # fmt: skip


def protocol_named(name: str) -> Protocol:
    """A protocol by its name, or from a JSON file that holds one. ValueError suggests the nearest name."""
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    if name.endswith(".json") and Path(name).is_file():
        try:
            return Protocol.from_json(read_object(name))
        except ValueError as error:
            raise ValueError(f"{name}: expected a protocol as JSON: {error}") from None
    raise ValueError(f"protocol: no {name!r}; {suggestion(name, PROTOCOLS)}")


def codec_of(files: Iterable[Path]) -> str:
    """What a set of files went through: its suffixes, the commonest first; "lossless" for those that keep pixels."""
    suffixes = (file.suffix.lower() for file in files)
    kinds = Counter("lossless" if s in (".mkv", ".apng", ".png") else s[1:] for s in suffixes)
    return "+".join(kind for kind, _ in sorted(kinds.items(), key=lambda k: (-k[1], k[0])))


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The fields in which two fingerprints differ, each with both values."""
    return [
        f"{key} ({one.get(key)} and {other.get(key)})"
        for key in dict.fromkeys((*one, *other))
        if one.get(key) != other.get(key)
    ]
