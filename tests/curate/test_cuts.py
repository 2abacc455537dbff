"""Transitions of test movies are found as intervals; what only looks like one is not."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra storyreel[curation]")

from storyreel.curate.cuts import find_all
from storyreel.curate.spans import Kind, Transition, spans_between


def textured(seed: int, count: int, speed: float = 0.5) -> np.ndarray:
    """A picture that drifts: uint8 (count, 36, 64)."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.normal(size=(36, 256)))
    falls = np.hypot(np.fft.fftfreq(36)[:, None], np.fft.rfftfreq(256)[None])
    falls[0, 0] = 1
    wide = np.fft.irfft2(spectrum / falls**1.2, (36, 256))
    wide = (wide - wide.mean()) / wide.std() * 40 + rng.uniform(90, 160)
    at = [int(index * speed) for index in range(count)]
    return np.stack([np.clip(wide[:, left : left + 64], 0, 255) for left in at])


def found(frames: np.ndarray) -> list[Transition]:
    chroma = np.full((len(frames), 2, 9, 16), 128, np.uint8)
    return find_all(np.clip(frames, 0, 255).astype(np.uint8), chroma)[0]


def blend(first: np.ndarray, second: np.ndarray, length: int) -> np.ndarray:
    """first, then `length` blended frames, then second."""
    weight = ((np.arange(length) + 1) / (length + 1))[:, None, None]
    mixed = first[len(first) - length :] * (1 - weight) + second[:length] * weight
    return np.concatenate([first[: len(first) - length], mixed, second[length:]])


def test_hard_cuts_are_found_to_the_frame():
    frames = np.concatenate([textured(1, 50), textured(2, 40), textured(3, 60)])
    assert [(one.start, one.end, one.kind) for one in found(frames)] == [(50, 50, "hard"), (90, 90, "hard")]


@pytest.mark.parametrize("length", [6, 12, 30, 60])
def test_dissolves_are_found_as_intervals(length: int):
    (one,) = found(blend(textured(1, 60 + length, 0.08), textured(2, 60 + length, 0.08), length))
    assert one.kind == "dissolve"
    overlap = min(one.end, 59 + length) - max(one.start, 60) + 1
    assert overlap / (max(one.end, 59 + length) - min(one.start, 60) + 1) >= 0.6


@pytest.mark.parametrize(("colour", "kind"), [(0.0, "fade-black"), (255.0, "fade-white")])
def test_fades_are_one_interval(colour: float, kind: str):
    first, second = textured(1, 60), textured(2, 60)
    seen = np.clip(np.abs(np.arange(-60, 60) + 0.5) / 12, 0, 1)[:, None, None]
    frames = np.concatenate([first, second]) * seen + colour * (1 - seen)
    (one,) = found(frames)
    assert one.kind == kind
    assert abs(one.start - 49) <= 3
    assert abs(one.end - 70) <= 3


@pytest.mark.parametrize("turned", [False, True])
def test_wipes_are_found(turned: bool):
    first, second = textured(1, 120, 0.1), textured(2, 120, 0.1)
    frames = first.copy()
    for index in range(120):
        edge = np.clip((index - 45) / 30, 0, 1)
        if turned:
            frames[index, : int(36 * edge)] = second[index, : int(36 * edge)]
        else:
            frames[index, :, : int(64 * edge)] = second[index, :, : int(64 * edge)]
    (one,) = found(frames)
    assert one.kind == "wipe"
    assert abs(one.start - 46) <= 6
    assert abs(one.end - 74) <= 6


def test_a_flash_is_no_cut():
    frames = textured(1, 80)
    frames[40:42] = frames[40:42] * 0.2 + 204
    assert found(frames) == []


def test_a_cut_out_of_what_flickers_is_found():
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 25, (90, 9, 16)).repeat(4, 1).repeat(4, 2)
    frames = np.concatenate([textured(1, 45, 0.0), textured(2, 45, 0.0)]) + noise
    assert [(one.start, one.kind) for one in found(frames)] == [(45, "hard")]


def test_a_line_of_words_that_comes_is_no_cut():
    frames = textured(1, 80, 0.0)
    frames[40:, 20:24, 5:50] = 250
    assert found(frames) == []


def test_shake_is_no_cut():
    frames = textured(1, 100, 0.0)
    rng = np.random.default_rng(0)
    frames = np.stack([np.roll(frame, tuple(rng.integers(-2, 3, 2)), (0, 1)) for frame in frames])
    assert found(frames) == []


@pytest.mark.parametrize("speed", [0.25, 0.5])
def test_a_pan_is_no_dissolve(speed: float):
    assert found(textured(4, 120, speed)) == []


def test_noise_and_black_hold_nothing():
    rng = np.random.default_rng(0)
    assert found(np.zeros((200, 36, 64))) == []
    assert found(rng.normal(12, 2, (200, 36, 64))) == []
    assert found(np.zeros((1, 36, 64))) == []


def test_spans_lose_the_blended_frames():
    cuts = [Transition(30, 30, "hard", 1.0), Transition(60, 79, "dissolve", 1.0)]
    assert spans_between(cuts, 120) == [(0, 30), (30, 54), (86, 120)]
    assert spans_between(cuts[:1], 120, doubts=[Transition(70, 79, "wipe", 0.3)]) == [(0, 30), (30, 41), (109, 120)]
    assert spans_between([], 10) == [(0, 10)]
    assert spans_between([Transition(0, 5, "fade-black", 1.0)], 7) == []


@pytest.mark.parametrize("length", [10, 30, 60])
@pytest.mark.parametrize(("kind", "most"), [("dissolve", 6), ("wipe", 6), ("fade-black", 2), ("fade-white", 2)])
def test_a_plain_transition_costs_a_few_frames_however_long_it_is(length: int, kind: Kind, most: int):
    """What is blended is located; beside it no share of its length is lost."""
    plain = Transition(100, 99 + length, kind, 1.0)
    assert spans_between([plain], 300) == [(0, 100 - most), (100 + length + most, 300)]
    unsure = Transition(100, 99 + length, kind, 0.5)
    (_, end), (start, _) = spans_between([unsure], 300)
    assert end < 100 - most
    assert start > 100 + length + most
