"""The same batches, whether they are read from the cache, by worker processes, or gathered where all data lie.

`as_it_was` draws them one item after the other, as the loader did when every run that exists was begun.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from fake_cuda import OnCard, fake_cuda
from test_loader import Words, make

from storyreel import recipes
from storyreel.data import resident
from storyreel.data.loader import DRAW, MIX, PATTERN, Loader
from storyreel.data.source import ORDER
from storyreel.recipe import Data
from storyreel.run import Run
from storyreel.text import load_text_encoder
from storyreel.train import train_system

DATA = Data(frames=4, size=16, batch=6, image_share=0.34)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Long clips, some with given frames; short ones with several captions; single frames."""
    root = tmp_path_factory.mktemp("folders")
    captions = lambda i: ["a cat", f"the big dog number {i} runs"]  # noqa: E731
    return [
        (make(root / "long", count=7, frames=9, context=lambda i: i % 3), 1.0),
        (make(root / "short", count=5, frames=3, base=2, captions=captions, context=lambda i: i % 2), 2.5),
        (make(root / "still", count=3, frames=1, base=5), 0.5),
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def codes(batch):
    return {"codes": batch["video"][:, 0, :, 0, 0].mul(100).to(torch.int16), "mean": batch["video"].mean((2, 3, 4))}


def loader(folders, cache, *, prepared: bool = False, **more) -> Loader:
    made = {"prepare": codes, "prepare_key": "k"} if prepared else {}
    return Loader(folders, DATA, seed=5, text=Words(), cache=cache, **made, **more)


def same(a, b) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype
        assert torch.equal(a[name], b[name]), name


def as_it_was(it: Loader, step: int) -> list[tuple]:
    """(source, row, frames, length, context, caption) of each item, in plain Python."""
    rng = np.random.default_rng([it.seed, DRAW, step])
    numbers, found = rng.random((it.data.batch, 2)), []
    images = round(it.data.image_share * it.data.batch)
    for i in range(it.rank, it.data.batch, it.world):
        period, place = divmod(step * it.data.batch + i, PATTERN)
        order = np.random.default_rng([it.seed, MIX, period]).permutation(it._pattern)
        which = int(order[place])
        seen = int((order[:place] == which).sum())
        source = it.sources[which]
        epoch, position = divmod(period * int((it._pattern == which).sum()) + seen, len(source.rows))
        row = int(np.random.default_rng([it.seed, ORDER, which, epoch]).permutation(source.rows)[position])
        (where, chance), count, wanted = numbers[i], int(source.pack.counts[row]), it.data.frames
        context, captions = source.folder.contexts[row], source.folder.all_captions[row]
        if i < images or count == 1:
            window = [int(where * count)] * wanted, 1, 0
        elif count >= wanted:
            first = 0 if context else int(where * (count - wanted + 1))
            window = list(range(first, first + wanted)), wanted, min(context, wanted - 1)
        else:
            index = [((2 * i + 1) * count) // (2 * wanted) for i in range(wanted)]
            window = index, wanted, min(sum(i < context for i in index), wanted - 1)
        found.append((which, row, *window, source.text.index[captions[int(chance * len(captions))]]))
    return found


@pytest.mark.parametrize(("rank", "world"), [(0, 1), (1, 2)])
def test_what_is_drawn_is_what_was_drawn_one_by_one(folders, cache, rank, world):
    it = loader(folders, cache, rank=rank, world=world)
    for step in (0, 1, 7, 681, 682, 683, 5000):  # 682 x 6 items is where a period of PATTERN ends
        draw = it.draw(step)
        columns = draw.source, draw.row, draw.frames.tolist(), draw.length, draw.context, draw.caption
        assert [tuple(item) for item in zip(*columns, strict=True)] == as_it_was(it, step)


@pytest.mark.parametrize("prepared", [False, True])
def test_three_ways_to_the_same_batches(folders, cache, prepared):
    plain = loader(folders, cache, prepared=prepared)
    there = loader(folders, cache, prepared=prepared, resident=True)
    apart = loader(folders, cache, prepared=prepared, workers=2)
    assert plain.resident is None
    assert there.resident is not None
    wanted = [plain.batch(step) for step in range(3, 9)]
    for ways in (plain, there, apart):
        for batch, expected in zip(islice(ways.prefetch(3), 6), wanted, strict=True):
            same(batch, expected)


def test_nothing_is_made_float_before_it_is_on_the_device(folders, cache):
    kinds = {name: tensor.dtype for name, tensor in loader(folders, cache).raw(0).items()}
    assert kinds == {
        "length": torch.int64, "context": torch.int64, "video": torch.uint8, "text": torch.float16,
        "text_mask": torch.bool,
    }  # fmt: skip
    there = loader(folders, cache, resident=True).resident
    assert there.frames.dtype == torch.uint8
    assert there.text.dtype == torch.float16


@pytest.mark.parametrize("prepared", [False, True])
def test_on_a_gpu(folders, cache, prepared):
    """They are gathered there, in one transfer, without a wait; and are what the CPU has."""
    wanted = loader(folders, cache, prepared=prepared).batch(4)
    with fake_cuda() as seen:
        it = loader(folders, cache, prepared=prepared, device="cuda")
        assert it.resident is not None
        it.batch(0)
        seen.clear()
        batch = it.batch(4)
        assert not batch["length"].is_cuda
        assert all(isinstance(tensor, OnCard) for name, tensor in batch.items() if name != "length")
        assert not seen.waits
        assert seen.copies.total() == 1
        found = {name: tensor.to("cpu") for name, tensor in batch.items()}
    same(found, wanted)


def test_what_does_not_fit_is_read_by_workers(folders, cache, monkeypatch):
    size = resident.size_of(loader(folders, cache).sources)
    assert size == (7 * 9 + 5 * 3 + 3) * 16 * 16 * 3 + sum(
        source.text.states.nbytes for source in loader(folders, cache).sources
    )
    with fake_cuda():
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (int(size / resident.SHARE) - 1, 2**40))
        few = loader(folders, cache, device="cuda")
        assert few.resident is None
        assert few.workers >= 1
        assert all(t.is_cuda for name, t in few.batch(0).items() if name != "length")
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (int(size / resident.SHARE) + 1, 2**40))
        assert loader(folders, cache, device="cuda").resident is not None
        assert loader(folders, cache, device="cuda", resident=False).resident is None


def test_an_error_of_a_worker_arrives(folders, cache, monkeypatch):
    it = loader(folders, cache, workers=1)

    def broken(step):
        raise OSError("disk gone")

    monkeypatch.setattr(it, "raw", broken)
    with pytest.raises(OSError, match="disk gone"):
        next(iter(it.prefetch(0)))


def test_a_run_goes_the_same_way_from_the_cache_and_from_the_device(folders, cache, tmp_path):
    """The same losses to the last bit, also when a run that was begun with one goes on with the other."""
    recipe = recipes.get("phenaki_tiny")
    few = {n: replace(s, steps=4, sample_every=0, data=replace(s.data, batch=4)) for n, s in recipe.stages.items()}
    recipe = replace(recipe, stages=few)
    logs = []
    for ways in ((False, False), (True, True), (True, False)):
        path = tmp_path / "".join(map(str, map(int, ways)))
        for there, stop in zip(ways, (2, None), strict=True):
            train(path, recipe, folders, cache, there=there, stop=stop)
        logs.append([(path / name / "log.jsonl").read_text() for name in recipe.stages])
    assert logs[0] == logs[1] == logs[2]
    assert all(log.count("\n") == 4 for log in logs[0])


def train(path, recipe, folders, cache, *, there: bool, stop: int | None) -> None:
    def build():
        torch.manual_seed(0)
        return recipe.system.build()

    def make(name, settings, stage, prepare, key):
        return Loader(
            folders, settings.data, text=load_text_encoder("hash:32") if stage.needs_text else None,
            prepare=prepare, prepare_key=key, cache=cache, resident=there,
        )  # fmt: skip

    def on_step(record, extra):
        if record["step"] == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) if stop else nullcontext():
        train_system(build, Run.open(path, recipe), make, on_step=on_step)
