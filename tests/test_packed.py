"""int8 weights with a scale a row come back within half a step, and what does not fit is refused."""

from __future__ import annotations

import pytest
import torch

from storyreel.cli import main
from storyreel.packed import SCALE, packed, unpacked


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


def test_infinity_is_refused():
    with pytest.raises(ValueError, match="conv is not finite"):
        packed({"conv": weights()["conv"].clone().index_fill_(0, torch.tensor(3), torch.inf)})


def test_the_command_names_what_it_made(tmp_path, capsys):
    with pytest.raises(SystemExit) as done:
        main(["models", "pack", "encoder-digits", "-o", str(tmp_path / "small")])
    assert done.value.code == 0
    assert "MB, was 5." in capsys.readouterr().out
    with pytest.raises(SystemExit) as done:
        main(["models", "pack", "nobody", "-o", str(tmp_path / "other")])
    assert done.value.code == 1
    assert "nobody" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
