"""Pieces of a picture that hang together across edges and corners."""

from __future__ import annotations

import numpy as np


def small_pieces(frame: np.ndarray, smallest: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of bool (h, w): (rows, columns) of each piece of fewer than `smallest` pixels."""
    padded = np.pad(frame, 1).astype(np.int16)
    h, w = frame.shape
    around = sum(padded[y : y + h, x : x + w] for y in range(3) for x in range(3))
    pieces, seen = [], np.zeros_like(frame)
    for start in zip(*np.nonzero(frame & (around <= min(smallest - 1, 5))), strict=True):  # its first pixel has few
        if seen[start]:
            continue
        piece, rest = {start}, [start]
        while rest and len(piece) < smallest:
            y, x = rest.pop()
            for near in ((y + j, x + i) for j in (-1, 0, 1) for i in (-1, 0, 1)):
                if near not in piece and 0 <= near[0] < h and 0 <= near[1] < w and frame[near]:
                    piece.add(near)
                    rest.append(near)
        if len(piece) < smallest:
            rows, columns = np.array(sorted(piece)).T
            pieces.append((rows, columns))
            seen[rows, columns] = True
    return pieces
