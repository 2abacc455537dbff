"""int8 weights with a scale a row come back within half a step, and what does not fit is refused."""

from __future__ import annotations

import pytest
import torch

from storyreel.cli import main
from storyreel.packed import DEFLATED, SCALE, deflated, inflated, packed, unpacked, unpacked_header
from storyreel.tensor_file import write_tensors
from storyreel.tensor_header import read_header


def weights() -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    rows = torch.randn(64, 3, 3, 8, generator=rng) * torch.logspace(-6, 3, 64)[:, None, None, None]
    return {"conv": rows, "bias": torch.randn(4096, generator=rng), "steps": torch.arange(2000).view(2, 1000)}


def test_each_row_keeps_its_own_precision():
    before = weights()
    small = packed(before)
    assert {n: t.dtype for n, t in small.items()} == {
        "conv": torch.int8, "conv" + SCALE: torch.float32, "bias": torch.float32, "steps": torch.int64,
    }  # fmt: skip
    after = unpacked(small)
    off = (after["conv"] - before["conv"]).flatten(1).abs().amax(1) / before["conv"].flatten(1).abs().amax(1)
    assert float(off.max()) <= 1 / 253
    assert float(off.max()) > 1e-4, "it is rounded"
    assert torch.equal(after["bias"], before["bias"])
    assert torch.equal(after["steps"], before["steps"])


def test_packing_twice_changes_nothing():
    once = unpacked(packed(weights()))
    assert torch.equal(unpacked(packed(once))["conv"], once["conv"])


def test_a_row_of_zeros_stays_zero():
    assert not unpacked(packed({"w": torch.zeros(64, 64)}))["w"].any()


@pytest.mark.parametrize("wrong", [{"w": torch.zeros(3, 4)}, {"w": torch.zeros(4, 4, dtype=torch.int8)}, {}])
def test_a_scale_of_another_tensor_is_refused(wrong):
    with pytest.raises(ValueError, match="does not fit the tensor"):
        unpacked(wrong | {"w" + SCALE: torch.ones(3)})


def test_deflated_values_are_the_same_and_take_their_entropy(tmp_path):
    rows = {"w": torch.randn(256, 300, generator=torch.Generator().manual_seed(0)), "b": torch.arange(5.0)}
    coarse = packed(rows, step=0.1)
    small = deflated(coarse)
    assert small["w"].shape == (256, 300, 0)
    assert len(small["w" + DEFLATED]) * 8 / rows["w"].numel() == pytest.approx(5.37, abs=0.1), "bits a value"
    again = inflated(small, "here")
    assert set(again) == set(coarse)
    assert all(torch.equal(again[name], tensor) for name, tensor in coarse.items())
    off = (unpacked(small)["w"] - rows["w"]).square().mean().sqrt()
    assert float(off) == pytest.approx(0.1 / 12**0.5, rel=0.02)
    write_tensors(tmp_path / "m.safetensors", small)
    header = unpacked_header(read_header(tmp_path / "m.safetensors"), "here")
    assert {name: (info.dtype, info.shape) for name, info in header.items()} == {
        "w": ("F32", (256, 300)), "b": ("F32", (5,)),
    }  # fmt: skip


def test_a_row_with_one_large_value_still_fits():
    rows = torch.randn(4, 2000, generator=torch.Generator().manual_seed(0))
    rows[1, 7] = 300.0
    assert float(unpacked(packed({"w": rows}, step=0.1))["w"][1, 7]) == pytest.approx(300.0, rel=1e-6)


def _wrong_streams() -> dict[str, dict[str, torch.Tensor]]:
    small = deflated(packed({"w": torch.randn(64, 64, generator=torch.Generator().manual_seed(0))}))
    other = deflated(packed({"w": torch.randn(64, 65, generator=torch.Generator().manual_seed(0))}))
    stream = "w" + DEFLATED
    return {
        "damaged": small | {stream: small[stream].flip(0)},
        "cut short": small | {stream: small[stream][:-9]},
        "too many values": small | {stream: other[stream]},
        "no shape": {name: tensor for name, tensor in small.items() if name != "w"},
        "of floats": small | {stream: small[stream].float()},
        "values of its own": small | {"w": torch.zeros(64, 64, dtype=torch.int8)},
    }


@pytest.mark.parametrize("wrong", list(_wrong_streams()))
def test_a_stream_that_does_not_fit_is_refused(wrong):
    with pytest.raises(ValueError, match=r"^here: w::deflated "):
        unpacked(_wrong_streams()[wrong], "here")


def test_a_shape_that_no_stream_can_fill_is_refused_by_the_header(tmp_path):
    small = deflated(packed({"w": torch.randn(64, 64, generator=torch.Generator().manual_seed(0))}))
    small["w"] = torch.empty(64, 10**9, 0, dtype=torch.int8)
    write_tensors(tmp_path / "m.safetensors", small)
    with pytest.raises(ValueError, match="w::deflated does not fit"):
        unpacked_header(read_header(tmp_path / "m.safetensors"), "here")


def test_infinity_is_refused():
    with pytest.raises(ValueError, match="conv is not finite"):
        packed({"conv": weights()["conv"].clone().index_fill_(0, torch.tensor(3), torch.inf)})


def test_the_command_names_what_it_made(tmp_path, capsys):
    with pytest.raises(SystemExit) as done:
        main(["models", "pack", "godiva-digits", "-o", str(tmp_path / "small")])
    assert done.value.code == 0
    assert "MB, was 7." in capsys.readouterr().out
    with pytest.raises(SystemExit) as done:
        main(["models", "pack", "nobody", "-o", str(tmp_path / "other")])
    assert done.value.code == 1
    assert "nobody" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
