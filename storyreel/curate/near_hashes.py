"""All pairs of hashes that differ in few bits, without comparing everything with everything.

Two hashes are near when they differ in at most a `share` of the bits, n of them. Cut into more than n parts, such
hashes agree in at least one part, so only those that agree in a part are compared (Norouzi, Punjani and Fleet 2012,
section 3). Where the parts would be too short to tell them apart, all are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

PART = (10, 48)  # bits of a part, at least and at most


def near_pairs(hashes: Sequence[str | None], share: float) -> list[tuple[int, int, float]]:
    """(i, j, share of bits that differ), i < j, of all pairs that are near, sorted.

    Only hashes of one length are compared; None is near to nothing.
    """
    found: list[tuple[int, int, float]] = []
    for length in sorted({len(h) for h in hashes if h}):
        rows = [i for i, h in enumerate(hashes) if h and len(h) == length]
        blob = b"".join(bytes.fromhex(str(hashes[i]).zfill(length + length % 2)) for i in rows)
        bits = np.frombuffer(blob, np.uint8).reshape(len(rows), -1)
        found += ((rows[i], rows[j], differ) for (i, j), differ in near_rows(bits, share).items())
    return sorted(found)


def near_rows(bits: np.ndarray, share: float) -> dict[tuple[int, int], float]:
    """(i, j) -> share of bits that differ, of the near rows i < j of uint8 (rows, bytes)."""
    wide = bits.shape[1] * 8
    words = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))).view(np.uint64)
    single = np.unpackbits(bits, axis=1)
    count = max(int(share * wide) + 2, -(-wide // PART[1]))  # one more than needed, for a share that is rounded
    edges = np.linspace(0, wide, count + 1).astype(int).tolist() if wide >= count * PART[0] else [0, 0]
    found: dict[tuple[int, int], float] = {}
    for first, end in pairwise(edges):
        value = single[:, first:end] @ (1 << np.arange(end - first))  # the part, as a number
        order = np.argsort(value, kind="stable")
        value = value[order]
        for step in range(1, len(order)):  # a clip meets those that follow it
            same = np.flatnonzero(value[step:] == value[:-step])
            if not len(same):
                break
            one, other = order[same], order[same + step]  # in order of rows, since the sort is stable
            differ = np.bitwise_count(words[one] ^ words[other]).sum(1, dtype=np.int64) / wide
            near = differ <= share
            found |= zip(zip(one[near].tolist(), other[near].tolist(), strict=True), differ[near].tolist(), strict=True)
    return found
