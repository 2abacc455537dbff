"""Copies of a clip that were mirrored, turned by right angles or trimmed: they share frames, whichever way up.

A frame's hash is the signs of its 64 lowest frequencies. Mirrored, a picture has the signs of the odd ones reversed;
turned, it has rows and columns exchanged besides, so the hashes of all eight ways up follow from one. Clips whose
frames agree, all the same way up, are copies, whatever part of each other they show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from storyreel.curate.near_hashes import near_rows

EVERY = 3  # one frame of so many is hashed
FRAMES = 64  # of a clip whose hashes are kept, at most
MIN_HASHES = 3  # hashes that a clip needs to be compared
FIRST = 7 / 64, 4 / 64  # share of bits in which two frames may differ for their clips to be compared: of few, of many
FEW = 20_000  # frames; all of them are compared with each other
CROWD = 8  # clips that share a frame with more others are compared with the first ones alone
MOST = 1 << 20  # frames among which clips to be compared are looked for
SLACK = 2.5  # frames of copies lie up to 1.5 apart in time, so so many times as many bits differ as in those of twins

PLACES = [*sorted([(y, x) for y in range(8) for x in range(8) if y or x], key=lambda at: (sum(at), at)), (8, 8)]
_Y, _X = np.array(PLACES).T
_TURNED = np.array([PLACES.index((x, y)) for y, x in PLACES])


def written(hashes: Sequence[int]) -> str:
    """Hashes of frames as 16 hex digits each, without zeros; at most 64 of them, evenly spread."""
    found = [each for each in hashes if each]
    return "".join(f"{each:016x}" for each in found[:: -(-len(found) // FRAMES) or 1])


def copied_pairs(texts: Sequence[str | None], share: float) -> list[tuple[int, int, float]]:
    """(i, j, share of bits that differ, of those of twins), i < j, of clips of which one shows frames of the other."""
    clips = [np.frombuffer(bytes.fromhex(text or ""), ">u8").astype(np.uint64) for text in texts]
    apart = ((i, j, _apart(clips[i], clips[j]) / SLACK) for i, j in _candidates(clips))
    return [found for found in apart if found[2] <= share]


def _ways_up(hashes: np.ndarray) -> np.ndarray:
    """uint64 (frames,) -> (8, frames): mirrored and turned in all ways."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    odd = [np.zeros(64, np.uint8), (_X % 2).astype(np.uint8), (_Y % 2).astype(np.uint8)]
    flips = [odd[0], odd[1], odd[2], odd[1] ^ odd[2]]
    ways = np.stack([each ^ flip for each in (bits, bits[:, _TURNED]) for flip in flips])
    return np.packbits(ways, axis=2).view(">u8")[..., 0].astype(np.uint64)


def _candidates(clips: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """Pairs of clips that have a frame in common, about, sorted. Frames are compared the way up that sorts first."""
    long = [i for i, hashes in enumerate(clips) if len(hashes) >= MIN_HASHES]
    if not long:
        return []
    thin = -(-sum(len(clips[i]) for i in long) // MOST)
    every = [clips[i][::thin] for i in long]
    owner = np.repeat(long, [len(hashes) for hashes in every])
    single, place = np.unique(_ways_up(np.concatenate(every)).min(0), return_inverse=True)
    owners: dict[int, list[int]] = defaultdict(list)
    for frame, clip in zip(place.tolist(), owner.tolist(), strict=True):
        if not owners[frame] or owners[frame][-1] != clip:
            owners[frame].append(clip)
    pairs = {pair for each in owners.values() for pair in _paired(each, each)}
    for a, b in near_rows(single.astype(">u8").view(np.uint8).reshape(-1, 8), FIRST[len(single) > FEW]):
        pairs |= set(_paired(owners[a], owners[b]))
    return sorted(pairs)


def _paired(one: list[int], other: list[int]) -> Iterator[tuple[int, int]]:
    return ((min(a, b), max(a, b)) for a in one[:CROWD] for b in other if a != b)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Share of bits in which the frames of one clip differ from their nearest in the other, of the better direction."""
    differ = np.bitwise_count(_ways_up(one)[:, :, None] ^ other).astype(np.int64)  # (8, frames, frames)
    return float(min(differ.min(2).mean(1).min(), differ.min(1).mean(1).min())) / 64
