"""TransNetV2, a network that finds cuts, where its weights are given: it says which transitions there are.

Soucek and Lokoc 2020, arXiv:2008.04838. Frames of 48x27 go in windows of 100, whose middle 50 count; out come,
for each frame, how likely it is the middle of a transition, and how likely it is within one.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from storyreel.curate.decode import Picture
from storyreel.curate.reduce import stretched, upright
from storyreel.curate.spans import Transition

SIZE = (27, 48)
WINDOW, SIDE = 100, 25
"""Frames that the network sees at a time, and how many of them on each side are only looked at."""
LIKELY = 0.5
_NEAR = 2  # frames by which the network and we may differ
_HARD = 2  # frames: what is not longer is a hard cut
WHERE = (
    "an ONNX file is at https://huggingface.co/elya5/transnetv2, and the original weights at "
    "https://github.com/soCzech/TransNetV2"
)


def check_network(path: str) -> None:
    """OSError or ValueError, one line, for what is not there or no such network."""
    _session(path)


@cache
def _session(path: str) -> Any:
    if not Path(path).is_file():
        raise FileNotFoundError(f"measure.transnet: {path} is not there; {WHERE}")
    try:
        import onnxruntime
    except ImportError:
        raise ValueError(
            "measure.transnet: expected the package onnxruntime; pip install 'storyreel[curation]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has kinds of its own, none of them documented
        raise ValueError(f"{path}: is no network in ONNX form ({str(error).splitlines()[0]}); {WHERE}") from None
    inputs = session.get_inputs()
    expected = [1, WINDOW, *SIZE, 3]  # a side that the file leaves open has a name or None instead
    fits = len(inputs) == 1 and len(inputs[0].shape) == len(expected)
    if not fits or any(isinstance(a, int) and a != b for a, b in zip(inputs[0].shape, expected, strict=True)):
        raise ValueError(f"{path}: takes {inputs[0].shape}, expected TransNetV2's (1, {WINDOW}, 27, 48, 3); {WHERE}")
    return session


class TransNet:
    """One film: `see` every picture, then `finish`; `single` and `many` grow, a number from 0 to 1 for each frame."""

    def __init__(self, path: str) -> None:
        self.path, self.session = path, _session(path)
        self.kind = np.uint8 if "uint8" in self.session.get_inputs()[0].type else np.float32
        self.frames: list[np.ndarray] = []
        self.seen = 0
        self.single, self.many = array("f"), array("f")

    def see(self, picture: Picture) -> None:
        frame = _small(picture)
        if not self.seen:
            self.frames = [frame] * SIDE
        self.frames.append(frame)
        self.seen += 1
        if len(self.frames) == WINDOW:
            self._run()

    def finish(self) -> None:
        """The film is over: its last frame is repeated until all frames are told."""
        while self.frames and len(self.single) < self.seen:
            self.frames += [self.frames[-1]] * (WINDOW - len(self.frames))
            self._run()
        del self.single[self.seen :], self.many[self.seen :]

    def _run(self) -> None:
        inputs = np.stack(self.frames)[None].astype(self.kind)
        outputs = [np.asarray(out) for out in self.session.run(None, {self.session.get_inputs()[0].name: inputs})]
        rows = [_likely(out.astype(np.float32).ravel()) for out in outputs if out.size == WINDOW]
        if not rows:
            shapes = [list(out.shape) for out in outputs]
            raise ValueError(f"{self.path}: gives {shapes}, expected TransNetV2's numbers of {WINDOW} frames; {WHERE}")
        for out, row in ((self.single, rows[0]), (self.many, rows[1 if len(rows) > 1 else 0])):
            out.extend(row[SIDE : WINDOW - SIDE].tolist())
        self.frames = self.frames[WINDOW - 2 * SIDE :]

    def transitions(self, start: int) -> list[Transition]:
        """All transitions that begin at frame `start` or later, as far as told."""
        single = np.frombuffer(self.single, np.float32)[start:]
        many = np.frombuffer(self.many, np.float32)[start:]
        found = []
        for first, last in _runs(np.maximum(single, many) > LIKELY):
            strength = float(single[first : last + 1].max())
            if strength <= LIKELY:
                continue  # perhaps within one, but no frame is its middle
            # The network marks the last frame before a hard cut.
            hard = last - first < _HARD
            begin, end = (last + 1, last + 1) if hard else (first, last)
            found.append(Transition(begin + start, end + start, "hard" if hard else "dissolve", round(strength, 4)))
        return found


def merged(
    own: Sequence[Transition], doubts: Sequence[Transition], found: Sequence[Transition]
) -> tuple[list[Transition], list[Transition]]:
    """(believed, doubted) when the network finds `found`; `own` and `doubts` are what `cuts` found without it.

    What both find is ours: its ends and its kind are known better. What only the network finds is believed; what only
    we find is a doubt, so that spans still end there.
    """
    shared = [one for one in own if any(_near(one, other) for other in found)]
    ours = [*own, *doubts]
    alone = [one for one in found if not any(_near(one, other) for other in own)]
    rest = [one for one in ours if one not in shared and not any(_over(one, other) for other in alone)]
    return sorted([*shared, *alone], key=lambda one: one.start), [replace(one, strength=0.0) for one in rest]


def _near(one: Transition, other: Transition) -> bool:
    return one.start <= other.end + _NEAR and other.start <= one.end + _NEAR


def _over(one: Transition, other: Transition) -> bool:
    return one.start <= other.end and other.start <= one.end


def _likely(values: np.ndarray) -> np.ndarray:
    """Some files give logits, others probabilities: logits of a hundred frames never all lie between 0 and 1."""
    if values.min() < 0 or values.max() > 1:
        return 1 / (1 + np.exp(-np.clip(values, -30, 30)))
    return values


def _runs(on: np.ndarray) -> list[tuple[int, int]]:
    """(first, last) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    return [(int(first), int(stop) - 1) for first, stop in edges.reshape(-1, 2)]


def _small(picture: Picture) -> np.ndarray:
    """uint8 (27, 48, 3), red first, upright."""
    size = SIZE[::-1] if picture.turns % 2 == 0 else SIZE
    planes = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (picture.luma, *picture.chroma)]
    luma, *chroma = (upright(plane, picture.turns) for plane in planes)
    luma = stretched(luma, picture.full)
    if not chroma:
        return np.repeat(luma[..., None], 3, -1)
    return cv2.cvtColor(cv2.merge([luma, chroma[1], chroma[0]]), cv2.COLOR_YCrCb2RGB)
