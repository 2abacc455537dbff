"""World `digits`: what the caption and the attributes claim is what the pixels do."""

import gzip
import re
import struct
from collections import Counter

import numpy as np
import pytest

from storyreel.worlds import digits_source
from storyreel.worlds.digits import BOUNCING, HELD_OUT, MOTIONS, ONE_WAY, Digits
from storyreel.worlds.digits_language import DOUBLE, NAMES, PHRASES, SINGLE, SPEEDS, caption
from storyreel.worlds.digits_source import glyphs

WORLD = Digits(held_out_share=0.3)


def rows(world, count=200, **options):
    return [world.make(5, i, **options) for i in range(count)]


def test_depends_on_seed_and_index_alone():
    first, row = WORLD.make(3, 40)
    WORLD.make(3, 41)
    again, same = Digits(held_out_share=0.3).make(3, 40)
    assert np.array_equal(first.frames, again.frames)
    assert row == same
    assert not np.array_equal(first.frames, WORLD.make(4, 40)[0].frames)


@pytest.mark.parametrize(("size", "frames"), [(64, 10), (32, 20), (64, 11)])
def test_shape(size, frames):
    clip, row = Digits(size=size, frames=frames).make(0, 0)
    assert clip.frames.shape == (frames, size, size, 3)
    assert clip.frames.max() == 255
    assert np.array(row["attributes"]["centres"]).shape == (len(row["attributes"]["digits"]), frames, 2)


@pytest.mark.parametrize("size", [32, 64])
def test_centres_match_the_frames(size):
    """The centre of the ink and the centre of the box keep their distance while the digit moves."""
    for clip, row in rows(Digits(digits="1", size=size), 60):
        ink = clip.frames[..., 0].astype(float)
        y, x = np.mgrid[:size, :size]
        seen = np.stack([(ink * x).sum((1, 2)), (ink * y).sum((1, 2))], axis=1) / ink.sum((1, 2))[:, None]
        offset = seen - np.array(row["attributes"]["centres"][0])
        assert np.ptp(offset, axis=0).max() < 1e-6
        assert np.abs(offset).max() < 0.15 * size


def turns(path):
    """Signs of a path without repetition: [1, -1] is there and back."""
    signs = [s for s in np.sign(np.diff(path)).astype(int).tolist() if s]
    return [s for s, before in zip(signs, [0, *signs], strict=False) if s != before]


def test_motions_are_what_they_say():
    free = 64 - 28
    for _, row in rows(Digits(frames=12), 300):
        told = row["attributes"]
        for motion, speed, centres in zip(told["motions"], told["speeds"], told["centres"], strict=True):
            x, y = np.array(centres).T
            words = motion.split()
            along, still = (x, y) if words[0] in ("left", "right") else (y, x)
            assert np.ptp(still) == 0
            assert min(along) >= 13.5
            assert max(along) <= 13.5 + free
            sign = -1 if words[0] in ("left", "up") else 1
            if "and" in words:
                assert len(turns(along)) >= 3
                assert np.ptp(along) >= free - BOUNCING[speed] * free / 11
            elif "then" in words:
                assert turns(along) == [sign, -sign]
                assert along[0] == along[-1]
                assert np.ptp(along) <= ONE_WAY[speed] * free + 1
            else:
                assert turns(along) == [sign]
                assert abs(np.ptp(along) - ONE_WAY[speed] * free) <= 1


def test_two_digits_differ_and_are_seen_apart():
    apart = []
    for _, row in rows(Digits(digits="2"), 200):
        told = row["attributes"]
        assert len(set(told["digits"])) == 2
        first, second = np.array(told["centres"])
        apart.append((np.abs(first - second).max(axis=1) >= 0.6 * 28).mean() >= 0.5)
    assert np.mean(apart) > 0.95


def test_overlap_is_the_brighter_pixel():
    """Each digit is cut out of a frame where they stand apart; laid over each other they give every frame."""
    checked = 0
    for clip, row in rows(Digits(digits="2"), 40):
        corners = (np.array(row["attributes"]["centres"]) - 13.5).astype(int)
        gap = np.abs(corners[0] - corners[1]).max(axis=1)
        if gap.max() < 28 or gap.min() > 20:
            continue
        checked += 1
        apart = clip.frames[gap.argmax(), ..., 0]
        cut = [apart[y : y + 28, x : x + 28] for x, y in corners[:, gap.argmax()]]
        for frame, places in zip(clip.frames[..., 0], corners.swapaxes(0, 1), strict=True):
            layers = np.zeros((2, 64, 64), np.uint8)
            for layer, glyph, (x, y) in zip(layers, cut, places, strict=True):
                layer[y : y + 28, x : x + 28] = glyph
            assert np.array_equal(layers.max(0), frame)
    assert checked >= 5


def test_every_combination_occurs_on_its_side_only():
    seen = {"train": set(), "held_out": set()}
    for _, row in rows(WORLD, 1500):
        seen[row["split"]] |= set(zip(row["attributes"]["digits"], row["attributes"]["motions"], strict=True))
    assert seen["train"].isdisjoint(HELD_OUT)
    assert seen["held_out"] == HELD_OUT
    assert len(seen["train"]) == 100 - len(HELD_OUT)


def test_hold_out_is_balanced_and_holds_the_papers_pair():
    assert (9, "down then up") in HELD_OUT
    assert Counter(d for d, _ in HELD_OUT) == dict.fromkeys(range(10), 2)
    assert Counter(m for _, m in HELD_OUT) == dict.fromkeys(MOTIONS, 2)
    assert not {(9, "left and right"), (3, "down then up"), (7, "right then left")} & HELD_OUT


def test_splits_share_no_handwriting():
    made = glyphs(None, 28)
    train = {g.tobytes() for samples in made["train"] for g in samples}
    held = {g.tobytes() for samples in made["held_out"] for g in samples}
    assert len(held) > 250
    assert train.isdisjoint(held)


def test_bundled_samples_are_scikit_learns():
    from sklearn.datasets import load_digits

    samples, labels = digits_source._samples()
    assert (samples.dtype, labels.dtype) == (np.uint8, np.int64)
    assert np.array_equal(samples, load_digits().images)
    assert np.array_equal(labels, load_digits().target)


def test_split_can_be_asked_for():
    assert all(row["split"] == "held_out" for _, row in rows(Digits(), 10, split="held_out"))
    with pytest.raises(ValueError, match="split"):
        Digits().make(0, 0, split="test")


def test_captions_mention_what_they_claim():
    """Each sentence names its digits and motions, as a word or a figure, and no digit or speed that is not there."""
    for _, row in rows(Digits(captions=4), 300):
        told = row["attributes"]
        assert row["caption"] == row["captions"][0]
        for text, mentions in zip(row["captions"], row["mentions"], strict=True):
            words = re.findall(r"\w+", text.lower().replace("two digits", ""))
            named = [NAMES.index(w) if w in NAMES else int(w) for w in words if w in NAMES or w.isdigit()]
            assert sorted(named) == sorted(told["digits"]), text
            for digit, motion in zip(told["digits"], told["motions"], strict=True):
                after = re.split(
                    rf"\b(?:{digit}|{NAMES[digit]})\b", text.lower().replace("two digits", ""), maxsplit=1
                )[1]
                assert any(phrase in after for phrase in PHRASES[motion]), text
            for speed, phrases in SPEEDS.items():
                said = any(f" {p}" in text for p in phrases)
                assert said == ("speeds" in mentions and speed in told["speeds"]), text


def test_language_is_rich():
    rng = np.random.default_rng(0)
    assert len(SINGLE) >= 12
    assert len(DOUBLE) >= 12
    assert len({caption([7], ["left"], ["slow"], rng)[0] for _ in range(2000)}) > 150
    assert caption([8], ["up"], ["slow"], rng)[0].count("a 8") == 0
    papers = {caption([9], ["down then up"], ["slow"], rng, full=True)[0] for _ in range(50)}
    assert "Digit 9 is moving down then up." in papers


def test_carried_clips_stay_on_the_canvas():
    for clip, row in rows(Digits(carried=1.0), 100):
        assert row["context"] == 1
        centres = np.array(row["attributes"]["centres"])
        assert centres.min() >= 13.5
        assert centres.max() <= 63 - 13.5
        assert len(clip) == 10


@pytest.mark.parametrize(
    "change", [{"size": 8}, {"frames": 2}, {"digits": "3"}, {"held_out_share": 2.0}, {"captions": 0}]
)
def test_bad_settings(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        Digits(**change)


def idx(array):
    head = struct.pack(">I", 0x800 + array.ndim) + b"".join(struct.pack(">I", n) for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist(tmp_path):
    """Forty pictures, each all of one shade; four of each digit."""
    labels = np.arange(40) % 10
    images = np.zeros((40, 28, 28)) + np.arange(40)[:, None, None] + 100
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    (tmp_path / "t10k-images.idx3-ubyte").write_bytes(idx(images + 100))
    (tmp_path / "t10k-labels.idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def test_mnist_files(mnist):
    for split, base in (("train", 100), ("held_out", 200)):
        clip, row = Digits(mnist=mnist, digits="1").make(0, 0, split=split)
        assert (clip.frames.max() - base) % 10 == row["attributes"]["digits"][0]
    assert Digits(mnist=mnist, size=32).make(0, 0)[0].size == (32, 32)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("train-images-idx3-ubyte", b"\x00\x00\x08\x03\x00\x00", "not an IDX file"),
        ("train-images-idx3-ubyte", idx(np.zeros((40, 28, 28)))[:-5], "cut short"),
        ("train-images-idx3-ubyte", idx(np.zeros((40, 9, 9))), "expected 28x28"),
        ("train-labels-idx1-ubyte.gz", gzip.compress(idx(np.arange(40) % 10), mtime=0)[:-12], "damaged gzip"),
        ("train-labels-idx1-ubyte.gz", idx(np.arange(30) % 10), "30 labels for 40 pictures"),
        ("train-labels-idx1-ubyte.gz", idx(np.arange(40)), "expected 0 to 9"),
        ("train-labels-idx1-ubyte.gz", None, "no train-labels"),
    ],
    ids=["not_idx", "cut_short", "wrong_size", "damaged", "too_few", "not_a_digit", "missing"],
)
def test_bad_mnist_is_told_at_once(mnist, name, content, words):
    (mnist / name).unlink() if content is None else (mnist / name).write_bytes(content)
    glyphs.cache_clear()
    with pytest.raises((ValueError, OSError), match=words):
        Digits(mnist=mnist)


def test_the_share_of_doubles_is_an_option():
    counts = [len(Digits(size=32, captions=1, doubles=0.8).make(3, i)[1]["attributes"]["digits"]) for i in range(300)]
    assert 0.7 < counts.count(2) / 300 < 0.9
    assert {len(Digits(size=32, captions=1, doubles=1.0).make(3, i)[1]["attributes"]["digits"]) for i in range(20)} == {
        2
    }
    with pytest.raises(ValueError, match="doubles: expected digits both"):
        Digits(digits="1", doubles=0.8)
    with pytest.raises(ValueError, match="doubles: expected 0 to 1"):
        Digits(doubles=1.5)
