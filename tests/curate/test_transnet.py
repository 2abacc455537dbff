"""TransNetV2's adapter, on a network of the same shape that says how far each frame is from the one before."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra storyreel[curation]")
pytest.importorskip("onnxruntime", reason="needs the package onnxruntime")

from reproductions.encode import write_pictures
from storyreel.curate.measure import MeasureSettings, measure
from storyreel.curate.spans import Transition
from storyreel.curate.transnet import TransNet, merged

# ONNX is protobuf: a message is fields of (number << 3 | kind), then a number or a length and bytes.


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def part(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def attribute(name: str, kind: int, value: bytes) -> bytes:
    """kind: 2 a number, 4 a tensor, 7 numbers."""
    return part(5, part(1, name) + value + number(20, kind))


def node(kind: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    names = b"".join(part(1, one) for one in inputs)
    return part(1, names + part(2, output) + part(3, output) + part(4, kind) + attributes)


def tensor(name: str, values: np.ndarray) -> bytes:
    kind = {"float32": 1, "int64": 7}[str(values.dtype)]
    sides = b"".join(number(1, side) for side in values.shape)
    return part(5, sides + number(2, kind) + part(8, name) + part(9, values.tobytes()))


def value(field: int, name: str, kind: int, shape: tuple[int, ...]) -> bytes:
    sides = b"".join(part(1, number(1, side)) for side in shape)
    return part(field, part(1, name) + part(2, part(1, number(1, kind) + part(2, sides))))


def network(path: Path, *, kind: str = "uint8", frames: int = 100, logits: bool = True) -> Path:
    """Logits (1, 100, 1): a tenth of the levels between a frame and the next, less 2; many is the same, plus 1."""
    scale, less, one = np.array([0.1], np.float32), np.array([-2], np.float32), np.array([1], np.float32)
    middle = node("Cast", ["frames"], "cast", attribute("to", 2, number(3, 1)))
    middle += node("Reshape", ["cast", "flat"], "rows")
    middle += node("Slice", ["rows", "from1", "end", "axis"], "behind")
    middle += node("Slice", ["rows", "last", "end", "axis"], "tail")
    middle += node("Concat", ["behind", "tail"], "next", attribute("axis", 2, number(3, 1)))
    middle += node("Sub", ["next", "rows"], "change") + node("Abs", ["change"], "size")
    middle += node("ReduceMean", ["size"], "mean", attribute("axes", 7, number(8, 2)))
    middle += node("Mul", ["mean", "scale"], "scaled") + node("Add", ["scaled", "less"], "logit")
    middle += node("Add", ["logit", "one"], "other")
    middle += node("Sigmoid" if not logits else "Identity", ["logit"], "single")
    middle += node("Sigmoid" if not logits else "Identity", ["other"], "many")
    given = [
        ("flat", np.array([1, frames, 27 * 48 * 3], np.int64)),
        ("from1", np.array([1], np.int64)),
        ("end", np.array([frames], np.int64)),
    ]
    given += [
        ("axis", np.array([1], np.int64)),
        ("last", np.array([frames - 1], np.int64)),
        ("scale", scale),
        ("less", less),
        ("one", one),
    ]
    graph = middle + part(2, "net") + b"".join(tensor(*each) for each in given)
    graph += value(11, "frames", {"uint8": 2, "float": 1}[kind], (1, frames, 27, 48, 3))
    graph += value(12, "single", 1, (1, frames, 1)) + value(12, "many", 1, (1, frames, 1))
    path.write_bytes(number(1, 7) + part(7, graph) + part(8, part(1, "") + number(2, 11)))
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three flat shots, cut hard at 40 and 130: 163 frames, so that windows meet and the last is short."""
    levels = np.r_[np.full(40, 60), np.full(90, 200), np.full(33, 90)]
    pictures = np.broadcast_to(levels[:, None, None, None], (163, 54, 96, 3)).astype(np.uint8)
    pictures = pictures + np.random.default_rng(0).integers(0, 30, (1, 54, 96, 3), np.uint8)
    return write_pictures(tmp_path_factory.mktemp("film") / "a.mp4", pictures, Fraction(24), crf=8)


@pytest.mark.parametrize(("kind", "logits"), [("uint8", True), ("float", True), ("float", False)])
def test_every_frame_is_told_once_whatever_the_file_takes_and_gives(
    tmp_path: Path, film: Path, kind: str, logits: bool
):
    from storyreel.curate.decode import FilmReader

    net = TransNet(str(network(tmp_path / "net.onnx", kind=kind, logits=logits)))
    for picture in FilmReader(film, max_pixels=10**6):
        net.see(picture)
    net.finish()
    assert len(net.single) == len(net.many) == 163
    assert [k for k in range(163) if net.single[k] > 0.5] == [39, 129]
    assert [(one.start, one.end, one.kind) for one in net.transitions(0)] == [(40, 40, "hard"), (130, 130, "hard")]
    assert [one.start for one in net.transitions(100)] == [130]


def test_measure_takes_its_word(tmp_path: Path, film: Path):
    path = str(network(tmp_path / "net.onnx"))
    settings = MeasureSettings(text_long_side=0, transnet=path)
    assert [one.start for one in measure(film, settings).transitions] == [40, 130]
    assert settings.as_json()["transnet"] != path, "bytes count, not places"
    assert "transnet" not in MeasureSettings().as_json()


def test_what_only_one_of_both_finds():
    own = [Transition(30, 30, "hard", 0.9), Transition(60, 80, "wipe", 0.8), Transition(140, 140, "hard", 0.7)]
    doubts = [Transition(100, 110, "dissolve", 0.2), Transition(170, 180, "dissolve", 0.1)]
    told = [Transition(31, 31, "hard", 0.8), Transition(64, 78, "dissolve", 0.9), Transition(102, 109, "dissolve", 0.7)]
    believed, doubted = merged(own, doubts, told)
    assert believed == [own[0], own[1], told[2]]
    assert [(one.start, one.end) for one in doubted] == [(140, 140), (170, 180)]


def test_wrong_files_are_refused_in_one_line(tmp_path: Path):
    (tmp_path / "text.onnx").write_text("no network")
    network(tmp_path / "short.onnx", frames=50)
    for name, why in (("missing.onnx", "huggingface.co"), ("text.onnx", "no network in ONNX"), ("short.onnx", "100")):
        with pytest.raises((ValueError, OSError), match=why) as refused:
            TransNet(str(tmp_path / name))
        assert "\n" not in str(refused.value)
        assert name in str(refused.value)


def test_curate_refuses_a_missing_file_before_it_begins(tmp_path: Path, film: Path):
    from typer.testing import CliRunner

    from storyreel.cli.curate import app

    given = [str(film), "-o", str(tmp_path / "out"), "--set", f"measure.transnet={tmp_path / 'no.onnx'}"]
    said = CliRunner().invoke(app, given)
    assert isinstance(said.exception, OSError)
    assert "soCzech/TransNetV2" in str(said.exception)
    assert not (tmp_path / "out").exists()
