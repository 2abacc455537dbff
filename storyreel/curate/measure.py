"""Measure a film in one pass: windows of small frames for its cuts, samples for everything else. Memory stays flat.

Nothing is decided here. A score is what it is whatever the thresholds are, so that a set can be filtered anew in
seconds, without decoding a frame.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.curate.copies import EVERY, written
from storyreel.curate.cuts import MARGIN, find_all
from storyreel.curate.decode import FilmReader, Picture
from storyreel.curate.fingerprints import hash_of_frame
from storyreel.curate.measures import FilmMeasures, MeasuredSpan, MeasureSettings
from storyreel.curate.motion import difference, shake
from storyreel.curate.quality import agreed_bars, quality_of
from storyreel.curate.reduce import Thumb, small_chroma, small_luma, stretched, thumb, upright
from storyreel.curate.samples import Sample, thin
from storyreel.curate.span_scores import scores_of
from storyreel.curate.spans import Transition, spans_between
from storyreel.curate.transnet import TransNet, merged

__all__ = ["FilmMeasures", "MeasureSettings", "MeasuredSpan", "measure"]

WINDOW = 1024
"""Frames whose transitions are found at a time, besides MARGIN frames on both sides."""
_EVERY = 64
_LOOK = 320  # pixels of the longer side of the pictures in which marks are looked for, and text by default
_MOVES = 1.0  # levels from one frame to the next: lines can only be told to comb where things move


def measure(
    path: str | Path, settings: MeasureSettings | None = None, *, on_frames: Callable[[int], None] | None = None
) -> FilmMeasures:
    """Decode a film once; its transitions, spans and raw scores: a pure function of the bytes and the settings.

    on_frames: called now and then with the number of frames that are done.
    Memory does not grow with the length of the film (a few numbers a sample excepted).
    ValueError, one line: what cannot be read. OSError: not there.
    """
    settings = settings or MeasureSettings()
    film = FilmReader(Path(path), max_pixels=settings.max_pixels, damaged=settings.max_damaged)
    film_pass = _FilmPass(film, settings)
    for picture in film:
        film_pass.see(picture)
        if on_frames is not None and picture.index % _EVERY == _EVERY - 1:
            on_frames(picture.index + 1)
    spans = film_pass.finish()
    info = film.info
    if on_frames is not None:
        on_frames(info.frames)
    return FilmMeasures(info, tuple(film_pass.transitions), tuple(spans), tuple(film_pass.doubts))


class _FilmPass:
    def __init__(self, film: FilmReader, settings: MeasureSettings):
        self.film, self.settings = film, settings
        self.thumbs: list[Thumb] = []  # from frame `first` on
        self.first = self.searched = 0  # transitions are known of frames before `searched`
        self.count = 0
        self.change = array("f")  # mean difference of each frame from the one before
        self.hashes = array("Q")  # of one frame in EVERY
        self.transitions: list[Transition] = []
        self.doubts: list[Transition] = []
        self.known = -1  # last frame of the last of both
        self.spans: list[MeasuredSpan] = []
        self.samples: list[Sample] = []
        self.used = 0  # samples of spans that are closed
        self.rate: float | None = None  # frames a second, once the film is open
        self.waiting: Sample | None = None
        self.flow_luma: np.ndarray | None = None  # of the sample that waits
        self.network: TransNet | None = TransNet(settings.transnet) if settings.transnet else None

    def see(self, picture: Picture) -> None:
        small = thumb(picture)
        self.change.append(difference(self.thumbs[-1].luma, small.luma) if self.thumbs else 0.0)
        self.thumbs.append(small)
        if self.count % EVERY == 0:
            self.hashes.append(hash_of_frame(small.luma))
        self._sample(picture)
        if self.network is not None:
            self.network.see(picture)
        self.count += 1
        if len(self.thumbs) >= WINDOW + 2 * MARGIN:
            self._search(last=False)

    def finish(self) -> list[MeasuredSpan]:
        if self.network is not None:
            self.network.finish()
        self._search(last=True)
        seen = [span for span in self.spans if span.scores["bars"] is not None]
        agreed = agreed_bars([_of_bars(span) for span in seen])
        for span, bars in zip(seen, agreed, strict=True):
            span.scores["bars"] = bars
        for span in self.spans:
            del span.scores["dark_edges"]
        return self.spans

    def _sample(self, picture: Picture) -> None:
        if self.rate is None:
            self.rate = min(max(float(self.film.rate), 1.0), 120.0)
        rate = self.rate
        every = max(1, round(rate / self.settings.samples_per_second))
        gap = min(every, max(1, round(rate * self.settings.flow_step)))
        phase = picture.index % every
        if self.waiting is not None and picture.index == self.waiting.index + gap:
            self._pair(self.waiting, picture, gap / rate)
        if phase == min(2, every - 1) and len(self.thumbs) >= 3 and self.samples:
            self.samples[-1].shake = shake([each.luma for each in self.thumbs[-3:]])
        if phase:
            return
        self.samples.append(self._look(picture))
        self.waiting = self.samples[-1]

    def _look(self, picture: Picture) -> Sample:
        moving = self.change[-1] > _MOVES
        quality = quality_of(stretched(upright(picture.luma, picture.turns), picture.full), moving=moving)
        luma = small_luma(picture, max(_LOOK, self.settings.text_long_side))
        before = self.samples[-1].thumb if self.samples else None
        self.flow_luma = small_luma(picture, self.settings.flow_long_side)
        return Sample(
            index=picture.index,
            time=picture.time,
            thumb=self.thumbs[-1].luma,
            luma=luma,
            chroma=small_chroma(picture, luma),
            quality=quality,
            difference=None if before is None else difference(before, self.thumbs[-1].luma),
            combed=picture.fields or quality.combs > 0.06,
        )

    def _pair(self, sample: Sample, picture: Picture, seconds: float) -> None:
        if sample.time is not None and picture.time is not None and 0 < picture.time - sample.time < 10 * seconds:
            seconds = picture.time - sample.time
        assert self.flow_luma is not None
        sample.pair = self.flow_luma, small_luma(picture, self.settings.flow_long_side), seconds
        sample.until = picture.index
        self.waiting = self.flow_luma = None

    def _search(self, last: bool) -> None:
        """Transitions of the frames at hand; those near the end wait for the next window unless it is the last."""
        detail = np.stack([each.luma for each in self.thumbs]) if self.thumbs else np.zeros((0, 36, 64), np.uint8)
        chroma = np.stack([each.chroma for each in self.thumbs]) if self.thumbs else np.zeros((0, 2, 9, 16), np.uint8)
        until = self.count if last else self.count - MARGIN
        believed, doubted = find_all(detail, chroma)
        if self.network is not None:
            moved_back = [_moved(one, -self.first) for one in self.network.transitions(self.first)]
            believed, doubted = merged(believed, doubted, [one for one in moved_back if one.end < len(self.thumbs)])
        sure = set(believed)
        for one in sorted([*believed, *doubted], key=lambda one: one.start):
            moved = replace(_moved(one, self.first), strength=round(one.strength, 4))
            if not self.searched <= (moved.start + moved.end) // 2 < until or moved.end <= self.known:
                continue
            if one in sure:
                if moved.start > self.known:
                    self.transitions.append(moved)
                    self.known = moved.end
            else:  # of two doubts over one another the later one counts from where the first ends
                self.doubts.append(replace(moved, start=max(moved.start, self.known + 1)))
                self.known = moved.end
        self.searched = until
        if not last:
            keep = 2 * MARGIN
            self.thumbs = self.thumbs[-keep:]
            self.first = self.count - keep
        self._close(last)

    def _close(self, last: bool) -> None:
        """Scores of the spans whose both ends are known, after which their pictures are let go."""
        spans = spans_between(self.transitions, self.count, self.settings.trim, self.doubts)
        closed = spans if last else [span for span in spans if span[1] <= self.known]
        for start, end in closed[len(self.spans) :]:
            while self.used < len(self.samples) and self.samples[self.used].index < start:
                self.samples[self.used].forget()
                self.used += 1
            inside = [sample for sample in self.samples[self.used :] if sample.index < end]
            change = np.frombuffer(self.change, np.float32)[start + 1 : end]
            scores = scores_of(inside, start, end, change, self.settings)
            scores["frame_hashes"] = written(self.hashes[-(-start // EVERY) : -(-end // EVERY)])
            self.spans.append(MeasuredSpan(start, end, scores))
        if not last:
            thin(self.samples[self.used :])


def _of_bars(span: MeasuredSpan) -> Any:
    """What `agreed_bars` wants of a span."""
    scores = span.scores
    return span.end - span.start, scores["bars"], scores["dark_edges"], scores["exposure"] or 0.0


def _moved(one: Transition, frames: int) -> Transition:
    return replace(one, start=one.start + frames, end=one.end + frames)
