"""GODIVA's frame VQ-VAE: frames stand alone, commitment always counts, dead codes come back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import storyreel
from storyreel.recipe import from_json
from storyreel.systems.base import Tick
from storyreel.systems.godiva_tokenizer import FrameVQVAE, FrameVQVAEConfig

PRETRAINED = Path(storyreel.__file__).parent / "pretrained"
KINDS: dict[str, dict[str, Any]] = {
    "paper": {"num_codes": 32},
    "average": {"num_codes": 32, "average": 0.9, "widths": (8, 16)},
    "fsq": {"levels": (4, 3, 5), "widths": (8, 16)},
}


def make(kind: str = "paper", **more: Any) -> FrameVQVAE:
    torch.manual_seed(0)
    return FrameVQVAEConfig(**({"size": 16, "patch": 4, "dim": 16, "window": 5} | KINDS[kind] | more)).build()


@pytest.fixture(params=list(KINDS))
def tokenizer(request: pytest.FixtureRequest) -> FrameVQVAE:
    return make(request.param)


def clips(b: int = 2, t: int = 3, size: int = 16) -> torch.Tensor:
    return torch.rand(b, 3, t, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def tick(step: int = 0) -> Tick:
    return Tick(step=step, turn="main", rng=torch.Generator().manual_seed(step))


def learn(tokenizer: FrameVQVAE, steps: int, lr: float = 3e-3) -> list[float]:
    optimizer = torch.optim.AdamW(tokenizer.parameters(), lr=lr)
    found = []
    for step in range(steps):
        loss = tokenizer.loss({"video": clips()}, tick(step))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        found.append(float(loss.parts["l2"]))
    return found


def test_a_frame_is_coded_alone(tokenizer: FrameVQVAE):
    tokenizer.eval()
    video = clips()
    codes = tokenizer.encode(video)
    assert codes.shape == (2, 3, 16, len(tokenizer.sizes))
    assert codes[:, 1:2].equal(tokenizer.encode(video[:, :, 1:2]))
    assert tokenizer.decode(codes).shape == video.shape
    torch.testing.assert_close(tokenizer.decode(codes)[:, :, 2:], tokenizer.decode(codes[:, 2:]))


def test_the_paper_has_two_convolutions_each_way():
    c = FrameVQVAEConfig()
    net = c.build()
    assert (c.num_codes, c.dim, c.grid) == (10_000, 128, 16)
    for trunk, kind in ((net.down, torch.nn.Conv2d), (net.up, torch.nn.ConvTranspose2d)):
        layers = [m for m in trunk.modules() if isinstance(m, kind)]
        assert [(m.kernel_size, m.stride) for m in layers] == [((4, 4), (2, 2))] * 2
    assert FrameVQVAEConfig(size=128).grid == 32
    assert FrameVQVAEConfig(size=128, patch=8).build().decode(torch.zeros(1, 1, 256, 1).long()).shape[-1] == 128


def test_codes_and_digits_are_one_to_one():
    tokenizer = make("fsq")
    assert tokenizer.sizes == (12, 5)
    digits = torch.cartesian_prod(*[torch.arange(n) for n in (4, 3, 5)])
    codes = tokenizer._join(digits)
    assert len(codes.unique(dim=0)) == 60
    assert tokenizer._split(codes).equal(digits)
    pair, single = tokenizer.tables()
    assert (pair.shape, single.shape) == ((12, 7), (5, 5))
    assert len(pair.unique(dim=0)) == 12


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("kind", ["paper", "average"])
def test_commitment_counts_in_every_mode(kind: str, mode: bool):
    tokenizer = make(kind).train(mode)
    weak, strong = make(kind, beta=0.0).train(mode), make(kind, beta=4.0).train(mode)
    losses = [each.loss({"video": clips()}, tick()) for each in (weak, tokenizer, strong)]
    assert losses[0].total < losses[1].total < losses[2].total
    for loss in losses:
        torch.testing.assert_close(loss.total, loss.parts["l2"] + loss.parts["vq"])


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_counts_where_it_is_asked_for(channels: int):
    rng = torch.Generator().manual_seed(1)
    data = {"video": torch.rand(2, channels, 3, 16, 16, generator=rng) * 2 - 1}
    plain, coloured = (make(channels=channels, chroma=weight) for weight in (0.0, 30.0))
    without, with_it = (each.loss(data, tick()) for each in (plain, coloured))
    assert "chroma" not in without.parts
    assert with_it.parts["chroma"] > 0
    torch.testing.assert_close(with_it.total, without.total + 30 * with_it.parts["chroma"])
    for each, loss in ((plain, without), (coloured, with_it)):
        loss.total.backward()
        assert all(weight.grad is not None for weight in each.parameters())
    assert not plain.up[-1].weight.grad.equal(coloured.up[-1].weight.grad)


def test_settings_from_before_the_colour_term_load(tmp_path: Path):
    """A model folder whose settings know no `chroma`: the shipped digits, with that line taken out."""
    from storyreel.model import load_model

    folder = Path(shutil.copytree(PRETRAINED / "godiva-digits", tmp_path / "old"))
    whole = json.loads((folder / "model.json").read_text())
    told = whole["recipe"]["system"]["tokenizer"]
    assert told.pop("chroma") == 0
    assert from_json(FrameVQVAEConfig, told).chroma == 0
    (folder / "model.json").write_text(json.dumps(whole))
    system, recipe, _ = load_model(folder)
    assert recipe.system.tokenizer.chroma == 0
    assert "chroma" not in system.stages["tokenizer"].loss({"video": clips(size=32)}, tick()).parts


def test_codes_are_learnt_by_gradient_or_follow_their_vectors():
    by_gradient, by_average = make("paper"), make("average")
    assert "quantize.vectors" in dict(by_gradient.named_parameters())
    assert "quantize.vectors" not in dict(by_average.named_parameters())
    for tokenizer in (by_gradient, by_average):
        tokenizer.loss({"video": clips()}, tick())
        before = tokenizer.quantize.vectors.detach().clone()
        learn(tokenizer, 2)
        assert not tokenizer.quantize.vectors.equal(before)


def test_a_moving_average_is_what_it_says():
    from storyreel.nn.codebook import Codebook

    book = Codebook(2, 1, average=0.5)
    book.vectors[:] = book.sums[:] = torch.tensor([[0.0], [10.0]])
    x = torch.tensor([[1.0], [3.0], [9.0]])
    codes = book.nearest(x)
    assert codes.tolist() == [0, 0, 1]
    book.follow(x, codes, torch.tensor([2.0, 1.0]))
    # mass (1 + 2) / 2 and (1 + 1) / 2, sums (0 + 4) / 2 and (10 + 9) / 2
    torch.testing.assert_close(book.vectors, torch.tensor([[2 / 1.5], [9.5]]))


@pytest.mark.parametrize("kind", ["paper", "average"])
def test_dead_codes_come_back(kind: str):
    tokenizer = make(kind)
    learn(tokenizer, 3)
    far = tokenizer.quantize.vectors
    with torch.no_grad():
        far[5:] = 1e3  # nobody chooses them any more
    if kind == "average":
        tokenizer.quantize.sums[5:] = 1e3
        tokenizer.quantize.mass[5:] = 1.0
    for step in range(tokenizer.config.window):
        tokenizer.loss({"video": clips()}, tick(step))
        assert not (tokenizer.usage.idle[:5] >= 5).all()
    assert (tokenizer.quantize.vectors[5:].abs().amax(1) > 100).any(), "not before a whole window has passed"
    tokenizer.loss({"video": clips()}, tick(9))
    tokenizer.loss({"video": clips()}, tick(10))
    assert tokenizer.quantize.vectors.abs().max() < 100, "each lies where a vector of the batch was"


def test_evaluation_changes_no_code():
    tokenizer = make().eval()
    before = {n: t.clone() for n, t in tokenizer.state_dict().items()}
    tokenizer.loss({"video": clips()}, tick())
    for name, value in tokenizer.state_dict().items():
        assert value.equal(before[name]), name


def test_usage_is_told(tokenizer: FrameVQVAE):
    parts = tokenizer.loss({"video": clips()}, tick()).parts
    seen = tokenizer.usage.counts > 0
    torch.testing.assert_close(parts["used"], seen.float().mean())
    p = tokenizer.usage.counts[seen] / tokenizer.usage.counts.sum()
    torch.testing.assert_close(parts["perplexity"], torch.exp(-(p * p.log()).sum()))


def test_it_learns_a_batch_by_heart(tokenizer: FrameVQVAE):
    found = learn(tokenizer, 60)
    assert found[-1] < 0.85 * found[0]


def test_a_step_may_see_a_few_frames_of_each_clip():
    tokenizer = make(frames=2)
    tokenizer.loss({"video": clips(b=3, t=5)}, tick())
    assert tokenizer.usage.counts.sum() == 3 * 2 * 16


def test_bad_input_is_refused(tokenizer: FrameVQVAE):
    with pytest.raises(ValueError, match="video: expected 3 channels of 16x16, got"):
        tokenizer.encode(clips(size=32))
    good = tokenizer.encode(clips())
    for value in (-1, tokenizer.sizes[0]):
        bad = good.clone()
        bad[0, 1, 2, 0] = value
        with pytest.raises(ValueError, match=rf"codes: token ids must be in \[0, {tokenizer.sizes[0]}\), got {value}"):
            tokenizer.decode(bad)
    with pytest.raises(ValueError, match=r"codes: expected \(b, t, 16, "):
        tokenizer.decode(good[:, :, :9])
    with pytest.raises(ValueError, match="patch: expected a power of two that divides size 64, got 3"):
        FrameVQVAEConfig(patch=3)


def test_gradients_reach_every_weight(tokenizer: FrameVQVAE):
    tokenizer.loss({"video": clips()}, tick()).total.backward()
    for name, weight in tokenizer.named_parameters():
        assert weight.grad is not None, name
