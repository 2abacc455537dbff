"""Graphs give what the networks give, and int8 loses nothing of weights that were int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import storyreel
from storyreel.packed import packed, unpacked
from storyreel.web.graphs import difference, to_onnx
from storyreel.web.int8 import quantized, restored, store_int8


def with_holes(system, text: torch.Tensor) -> dict[str, torch.Tensor]:
    """Codes of which half are holes, as in the middle of sampling, with a sentence of another length."""
    rng = torch.Generator().manual_seed(3)
    mask = torch.ones_like(text[..., 0]) > 0
    codes = system.prior.sample({"text": text, "text_mask": mask}, rng=[rng], steps=2)[0]
    hidden = torch.where(torch.rand(codes.shape, generator=rng) < 0.5, system.prior.mask_id.expand_as(codes), codes)
    return {"hidden": hidden, "codes": codes}


@pytest.mark.parametrize("name", ["phenaki-sprites", "tiny"])
def test_a_graph_gives_what_the_network_gives(name: str, tiny_reader: Path):
    model = storyreel.load(tiny_reader if name == "tiny" else name)
    text, _ = model.text(["an elf with blue hair who walks away from us, slowly"])
    given = with_holes(model.system, text)
    graphs = model.system.graphs()
    assert graphs is not None
    for kind, codes in (("prior", given["hidden"]), ("frames", given["codes"])):
        network, arguments = graphs["networks"][kind]
        graph = to_onnx(network, arguments)
        again = {**arguments, "codes": codes, "text": text}
        assert difference(graph, network, again) < 1e-3
        if name == "phenaki-sprites":  # which is shipped packed
            store_int8(graph)
            assert len(graph.SerializeToString()) < 5.5e6
            assert difference(graph, network, again) < 1e-3


def test_guidance_is_that_of_the_sampler(tiny_reader: Path):
    model = storyreel.load(tiny_reader)
    text, mask = model.text(["an orc"])
    codes = with_holes(model.system, text)["hidden"]
    network, _ = model.system.graphs()["networks"]["prior"]
    with torch.no_grad():
        cond = torch.cat(model.system.prior.logits(codes[None], text, mask), -1).flatten(0, -2)
        assert torch.allclose(network(codes, text, torch.tensor(1.0)), cond, atol=1e-4)
        assert not torch.allclose(network(codes, text, torch.tensor(3.0)), cond, atol=1e-2)


@pytest.mark.parametrize("step", [0.0, 0.1])
@pytest.mark.parametrize("turned", [False, True])
def test_packed_weights_lose_nothing(step: float, turned: bool):
    weight = torch.randn(48, 96, generator=torch.Generator().manual_seed(0))
    exact = unpacked(packed({"w": weight}, step))["w"].numpy()
    exact = exact.T if turned else exact
    values, scale, axis = quantized(exact)
    assert values.dtype == np.int8
    assert axis == int(turned)
    np.testing.assert_allclose(restored(values, scale, axis), exact, rtol=1e-5, atol=1e-7)


def test_other_weights_are_off_by_half_a_step_at_most():
    weight = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32) * np.geomspace(1, 100, 64)[:, None]
    values, scale, axis = quantized(weight.astype(np.float32))
    assert axis == 0
    assert (np.abs(restored(values, scale, axis) - weight) <= scale[:, None] * 0.501).all()
    assert (scale <= np.abs(weight).max(1) / 127 * 1.001).all()
