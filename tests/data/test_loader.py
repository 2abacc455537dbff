"""Batches: pure in the step, exact over ranks, mixed by weight, cached, and honest about what was skipped."""

import json
from itertools import islice

import numpy as np
import pytest
import torch

from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder, write_folder
from storyreel.data.loader import Loader
from storyreel.recipe import Data

torch.set_num_threads(1)
DATA = Data(frames=4, size=16, batch=6)


class Words:
    """Two numbers a word: its length and its first letter."""

    name, dim = "words", 2
    calls = 0

    def __call__(self, captions):
        Words.calls += 1
        words = [c.split() for c in captions]
        states = torch.zeros(len(words), max(map(len, words)), 2)
        mask = torch.zeros(len(words), max(map(len, words)), dtype=torch.bool)
        for i, row in enumerate(words):
            for j, word in enumerate(row):
                states[i, j] = torch.tensor([len(word), ord(word[0])])
                mask[i, j] = True
        return states, mask


def make(path, count=10, frames=4, base=0, size=16, **row):
    """Clip i is all of grey base + 10 * i, one shade more each frame."""

    def items():
        for i in range(count):
            shades = np.arange(frames) + base + 10 * i
            pixels = np.broadcast_to(shades[:, None, None, None], (frames, size, size, 3)).astype(np.uint8)
            yield Clip(pixels, 8), {"caption": f"clip number {i}", **{k: v(i) for k, v in row.items()}}

    return write_folder(path, items(), workers=1)


def shades(batch):
    """The grey of frame 0 of each item."""
    return ((batch["video"][:, 0, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_batch_is_a_pure_function_of_the_step(tmp_path):
    folder = make(tmp_path / "d", frames=9)
    one = Loader([(folder, 1)], DATA, seed=3, text=Words(), cache=tmp_path / "c")
    later = one.batch(1234)
    for step in (0, 5, 1):
        one.batch(step)
    other = Loader([(folder, 1)], DATA, seed=3, text=Words(), cache=tmp_path / "c")
    for again in (one.batch(1234), other.batch(1234)):
        assert again.keys() == later.keys()
        assert all(torch.equal(again[k], later[k]) for k in later)
    assert not torch.equal(
        Loader([(folder, 1)], DATA, seed=4, cache=tmp_path / "c").batch(0)["video"], one.batch(0)["video"]
    )


def test_batch_shapes_and_values(tmp_path):
    loader = Loader([(make(tmp_path / "d"), 1)], DATA, text=Words(), cache=tmp_path / "c")
    batch = loader.batch(0)
    assert batch["video"].shape == (6, 3, 4, 16, 16)
    assert batch["video"].dtype == torch.float32
    assert batch["length"].tolist() == [4] * 6
    assert batch["context"].dtype == torch.int64
    number = [round(s / 10) for s in shades(batch)]
    said = batch["text"][:, 2]  # the third word of "clip number 7"
    assert said.tolist() == [[1, ord(str(n))] for n in number]
    assert batch["text_mask"].all()
    assert torch.equal((batch["video"][0, 0, :, 0, 0] * 127.5).round().diff(), torch.ones(3))


def test_an_epoch_sees_every_clip_once(tmp_path):
    loader = Loader([(make(tmp_path / "d", count=12), 1)], DATA, cache=tmp_path / "c")
    epochs = [sorted(shades(loader.batch(2 * e)) + shades(loader.batch(2 * e + 1))) for e in range(3)]
    assert epochs == [[10 * i for i in range(12)]] * 3
    assert shades(loader.batch(0)) != shades(loader.batch(2))


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_global_batch(tmp_path, world):
    folder = make(tmp_path / "d", frames=9)
    data = Data(frames=4, size=16, batch=6, image_share=0.34)
    whole = Loader([(folder, 1)], data, cache=tmp_path / "c").batch(7)
    for rank in range(world):
        part = Loader([(folder, 1)], data, rank=rank, world=world, cache=tmp_path / "c").batch(7)
        assert all(torch.equal(part[k], whole[k][rank::world]) for k in whole)


def test_folders_are_mixed_by_weight(tmp_path):
    few, many = make(tmp_path / "a", count=3), make(tmp_path / "b", count=10, base=105)
    loader = Loader([(few, 1), (many, 3)], Data(frames=4, size=16, batch=64), cache=tmp_path / "c")
    seen = [s for step in range(64) for s in shades(loader.batch(step))]
    share = sum(s < 100 for s in seen) / len(seen)
    assert share == pytest.approx(0.25, abs=1e-3)
    counts = [seen.count(10 * i) for i in range(3)]
    assert max(counts) - min(counts) <= 1


def test_image_share_is_exact(tmp_path):
    loader = Loader(
        [(make(tmp_path / "d"), 1)], Data(frames=4, size=16, batch=10, image_share=0.3), cache=tmp_path / "c"
    )
    batch = loader.batch(5)
    assert sorted(batch["length"].tolist()) == [1] * 3 + [4] * 7
    still = batch["video"][batch["length"] == 1]
    assert torch.equal(still, still[:, :, :1].expand_as(still))


def test_one_frame_clips_are_images(tmp_path):
    loader = Loader([(make(tmp_path / "d", frames=1), 1)], DATA, cache=tmp_path / "c")
    assert loader.batch(0)["length"].tolist() == [1] * 6


def test_long_clips_give_windows_and_short_ones_are_stretched(tmp_path):
    long = Loader([(make(tmp_path / "a", count=1, frames=30), 1)], DATA, cache=tmp_path / "c")
    starts = {s for step in range(12) for s in shades(long.batch(step))}
    assert len(starts) > 10
    assert starts <= set(range(27))
    short = Loader([(make(tmp_path / "b", count=1, frames=2), 1)], DATA, cache=tmp_path / "c").batch(0)
    assert short["video"].shape[2] == 4
    assert ((short["video"][0, 0, :, 0, 0] + 1) * 127.5).round().tolist() == [0, 0, 1, 1]


def test_given_frames_stay_in_front(tmp_path):
    folder = make(tmp_path / "d", count=1, frames=9, context=lambda i: 2)
    batch = Loader([(folder, 1)], DATA, cache=tmp_path / "c").batch(0)
    assert batch["context"].tolist() == [2] * 6
    assert shades(batch) == [0] * 6


def test_size_and_alpha(tmp_path):
    frames = np.zeros((4, 32, 32, 4), np.uint8)
    frames[:, :, 16:] = (255, 0, 0, 255)
    folder = write_folder(tmp_path / "d", [(Clip(frames), {"caption": "red"})], workers=1)
    three = Loader([(folder, 1)], Data(frames=4, size=16, batch=1), cache=tmp_path / "c").batch(0)["video"]
    four = Loader([(folder, 1)], Data(frames=4, size=16, batch=1, channels=4), cache=tmp_path / "c").batch(0)["video"]
    assert torch.equal(four[:, :3], three)
    assert ((four[0, :, 0, 0, 0] + 1) * 127.5).round().tolist() == [128, 128, 128, 0]
    assert ((four[0, :, 0, 0, 15] + 1) * 127.5).round().tolist() == [255, 0, 0, 255]


def test_cache_hit_gives_the_same_without_decoding(tmp_path, monkeypatch):
    folder = make(tmp_path / "d")
    first = Loader([(folder, 1)], DATA, text=Words(), cache=tmp_path / "c").batch(2)
    calls = Words.calls
    monkeypatch.setattr("storyreel.data.folder.read_clip", lambda path: pytest.fail("decoded again"))
    again = Loader([(DatasetFolder.open(tmp_path / "d"), 1)], DATA, text=Words(), cache=tmp_path / "c").batch(2)
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert Words.calls == calls


def test_prepared_entries_replace_the_video(tmp_path):
    folder = make(tmp_path / "d", count=9)
    calls = []

    def prepare(batch):
        calls.append(len(batch["video"]))
        shade = (batch["video"].mean((1, 2, 3, 4)) + 1) * 127.5
        return {"codes": shade.round().long()[:, None].expand(-1, 3), "half": shade.bfloat16()}

    loader = Loader([(folder, 1)], DATA, prepare=prepare, prepare_key="k", cache=tmp_path / "c")
    plain = Loader([(folder, 1)], DATA, cache=tmp_path / "c").batch(3)
    batch = loader.batch(3)
    assert "video" not in batch
    assert batch["codes"].dtype == torch.int64
    assert batch["half"].dtype == torch.bfloat16
    assert (batch["codes"][:, 0] - 2).tolist() == pytest.approx(shades(plain), abs=1)
    done = sum(calls)
    again = Loader([(folder, 1)], DATA, prepare=prepare, prepare_key="k", cache=tmp_path / "c").batch(3)
    assert all(torch.equal(again[k], batch[k]) for k in batch)
    assert sum(calls) == done
    Loader([(folder, 1)], DATA, prepare=prepare, prepare_key="other", cache=tmp_path / "c")
    assert sum(calls) > done


def test_prepared_entries_need_a_key(tmp_path):
    folder = make(tmp_path / "d", count=1)
    with pytest.raises(ValueError, match="prepare_key: expected a digest"):
        Loader([(folder, 1)], DATA, prepare=lambda batch: {"codes": batch["length"]}, cache=tmp_path / "c")


def test_prepared_entries_and_image_share(tmp_path):
    """Items that are images say so, and carry the entries of their clip."""
    data = Data(frames=4, size=16, batch=6, image_share=0.5)
    folders = [(make(tmp_path / "d"), 1), (make(tmp_path / "e", base=3), 2)]
    loader = Loader(
        folders, data, prepare=lambda b: {"codes": b["video"][:, 0, :, 0, 0]}, prepare_key="k", cache=tmp_path / "c"
    )
    batch = loader.batch(0)
    assert batch["length"].tolist() == [1, 1, 1, 4, 4, 4]
    assert batch["codes"].shape == (6, 4)
    assert torch.equal((batch["codes"].diff() * 127.5).round(), torch.ones(6, 3))


def test_nothing_prepared_leaves_the_video(tmp_path):
    loader = Loader([(make(tmp_path / "d"), 1)], DATA, prepare=lambda batch: {}, cache=tmp_path / "c")
    assert "video" in loader.batch(0)


def test_prefetch_yields_the_same_batches_and_passes_errors_on(tmp_path, monkeypatch):
    loader = Loader([(make(tmp_path / "d"), 1)], DATA, cache=tmp_path / "c")
    for step, batch in zip(range(3, 6), islice(loader.prefetch(3), 3), strict=True):
        assert torch.equal(batch["video"], loader.batch(step)["video"])

    def broken(step):
        raise OSError("disk gone")

    monkeypatch.setattr(loader, "raw", broken)
    with pytest.raises(OSError, match="disk gone"):
        next(iter(loader.prefetch(0)))


def test_corrupt_clips_are_skipped_counted_and_listed(tmp_path, capsys):
    folder = make(tmp_path / "d")
    (folder.path / "clips/000002.mkv").write_bytes(b"")
    (folder.path / "clips/000004.mkv").write_bytes(b"no video at all" * 20)
    (folder.path / "clips/000006.mkv").unlink()
    loader = Loader([(DatasetFolder.open(folder.path), 1)], DATA, cache=tmp_path / "c")
    assert [name for _, name, _ in loader.refused] == [f"clips/00000{i}.mkv" for i in (2, 4, 6)]
    assert loader.clips == 7
    said = capsys.readouterr().err
    assert "3 of 10 clips skipped" in said
    assert "000002.mkv: the file is empty" in said.replace("\n", "")
    seen = {s for step in range(7) for s in shades(loader.batch(step))}
    assert seen == {10 * i for i in range(10) if i not in (2, 4, 6)}


def test_nothing_usable_is_an_error(tmp_path):
    folder = make(tmp_path / "d", count=2)
    for file in (folder.path / "clips").iterdir():
        file.write_bytes(b"")
    with pytest.raises(ValueError, match=r"no clips to train on: 2 rows, 2 in split 'train', 2 of them skipped"):
        Loader([(DatasetFolder.open(folder.path), 1)], DATA, cache=tmp_path / "c")


def test_held_out_clips_are_not_trained_on(tmp_path):
    folder = make(tmp_path / "d", split=lambda i: "held_out" if i % 2 else "train")
    train = Loader([(folder, 1)], DATA, cache=tmp_path / "c")
    held = Loader([(folder, 1)], DATA, split="held_out", cache=tmp_path / "c")
    seen = [{s // 10 for step in range(6) for s in shades(loader.batch(step))} for loader in (train, held)]
    assert seen == [{0, 2, 4, 6, 8}, {1, 3, 5, 7, 9}]


def test_text_needs_captions(tmp_path):
    folder = make(tmp_path / "d", caption=lambda i: "")
    with pytest.raises(ValueError, match="has no captions"):
        Loader([(folder, 1)], DATA, text=Words(), cache=tmp_path / "c")
    some = make(tmp_path / "e", caption=lambda i: "a cat" if i else "")
    loader = Loader([(some, 1)], DATA, text=Words(), cache=tmp_path / "c")
    assert [(name, why) for _, name, why in loader.refused] == [("clips/000000.mkv", "no caption")]


def test_several_captions_take_turns(tmp_path):
    folder = make(tmp_path / "d", count=1, captions=lambda i: ["a cat", "the big dog runs"])
    loader = Loader([(folder, 1)], DATA, text=Words(), cache=tmp_path / "c")
    lengths = {n for step in range(5) for n in loader.batch(step)["text_mask"].sum(1).tolist()}
    assert lengths == {2, 3, 4}  # with `caption` itself, "clip number 0"


def test_interrupted_caches_go_on(tmp_path, monkeypatch):
    folder = make(tmp_path / "d", count=8)
    monkeypatch.setattr("storyreel.data.prepared.PREPARE_BATCH", 2)
    monkeypatch.setattr("storyreel.data.prepared.TEXT_BATCH", 2)
    monkeypatch.setattr("storyreel.data.prepared.SAVE_EVERY", 1)
    seen = []

    def prepare(batch):
        seen.append(len(batch["video"]))
        if len(seen) == 4:
            raise KeyboardInterrupt
        return {"mean": batch["video"].mean((1, 2, 3, 4))}

    class Stopped(Words):
        name = "stopped"

        def __call__(self, captions):
            if not seen and Words.calls >= start + 2:
                raise KeyboardInterrupt
            return super().__call__(captions)

    start = Words.calls
    options = {"text": Stopped(), "prepare": prepare, "prepare_key": "k", "cache": tmp_path / "c"}
    with pytest.raises(KeyboardInterrupt):
        Loader([(folder, 1)], DATA, **options)
    seen.append(0)
    with pytest.raises(KeyboardInterrupt):
        Loader([(folder, 1)], DATA, **options)
    assert Words.calls == start + 4  # two before the first interruption, two after
    loader = Loader([(folder, 1)], DATA, **options)
    assert sum(seen) < 3 + 2 * 4 + 2 * 4
    clean = Loader([(folder, 1)], DATA, text=Words(), cache=tmp_path / "c").batch(0)
    batch = loader.batch(0)
    assert torch.equal(batch["mean"], clean["video"].mean((1, 2, 3, 4)))
    assert torch.equal(batch["text"], clean["text"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch": 0}, "data.batch: expected at least 1"),
        ({"frames": 0}, "data.frames"),
        ({"channels": 2}, "data.channels: expected 3 or 4, got 2"),
        ({"image_share": 2.0}, "data.image_share"),
    ],
)
def test_bad_settings(tmp_path, change, words):
    folder = make(tmp_path / "d", count=1)
    with pytest.raises(ValueError, match=words):
        Loader([(folder, 1)], Data(**{"frames": 4, "size": 16, **change}), cache=tmp_path / "c")


def test_weights_and_ranks_are_checked(tmp_path):
    folder = make(tmp_path / "d", count=1)
    with pytest.raises(ValueError, match="weight must be more than 0"):
        Loader([(folder, 0)], DATA, cache=tmp_path / "c")
    with pytest.raises(ValueError, match="multiple of the 4 processes"):
        Loader([(folder, 1)], DATA, world=4, cache=tmp_path / "c")
    with pytest.raises(ValueError, match="at least one dataset folder"):
        Loader([], DATA)


def test_attributes_are_json(tmp_path):
    folder = make(tmp_path / "d", count=1, attributes=lambda i: {"digits": [3]})
    assert folder.row(0)["attributes"] == {"digits": [3]}
    assert json.loads(folder.table.column("attributes")[0].as_py()) == {"digits": [3]}
