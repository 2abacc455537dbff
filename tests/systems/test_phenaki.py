"""Phenaki's masked transformer: what is hidden and scored, and a sampler that keeps its promises."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.nn.null_text import drawn, without_text
from storyreel.systems.base import Batch, Tick
from storyreel.systems.phenaki import MaskGit, MaskGitConfig
from storyreel.systems.phenaki_sampling import Guesses
from storyreel.systems.phenaki_tokenizer import CViViTConfig

LEVELS: dict[str, tuple[int, ...]] = {"vq": (), "fsq": (4, 3)}


@pytest.fixture(params=["vq", "fsq"])
def prior(request: pytest.FixtureRequest) -> MaskGit:
    return make(request.param)


def make(kind: str = "vq", **more: Any) -> MaskGit:
    """Three latent frames of four tokens, with weights large enough that everything matters."""
    tokenizer = CViViTConfig(
        size=8, patch=4, tube=2, dim=16, space_depth=1, time_depth=1, heads=2, mlp=32, num_codes=32, code_dim=4,
        levels=LEVELS[kind], adversarial=0.0, image_perceptual=0.0, video_perceptual=0.0,
    )  # fmt: skip
    settings = {
        "latent_frames": 3,
        "dim": 32,
        "depth": 2,
        "heads": 2,
        "mlp": 64,
        "text_dim": 8,
        "steps": 6,
        "guidance": 3.0,
    }
    torch.manual_seed(0)
    made = MaskGit(MaskGitConfig(**(settings | more)), tokenizer.build())
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return made.eval()


def batch(prior: MaskGit, b: int = 4, **more: Tensor) -> Batch:
    rng = torch.Generator().manual_seed(1)
    codes = torch.stack([torch.randint(n, (b, 3, 4), generator=rng) for n in prior.tokenizer.sizes], -1)
    text = torch.randn(b, 5, 8, generator=rng)
    return {
        "codes": codes,
        "text": text,
        "text_mask": torch.arange(5) < torch.randint(1, 6, (b, 1), generator=rng),
        **more,
    }


def tick(seed: int = 0) -> Tick:
    return Tick(step=0, turn="main", rng=torch.Generator().manual_seed(seed))


def rngs(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(s) for s in seeds]


def watch(prior: MaskGit, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """What goes into the transformer, (codes with holes, states that come out)."""
    seen: list[tuple[Tensor, Tensor]] = []
    inside = prior.hidden

    def hidden(codes: Tensor, *rest: Any) -> Tensor:
        seen.append((codes, inside(codes, *rest)))
        return seen[-1][1]

    monkeypatch.setattr(prior, "hidden", hidden)
    return seen


def scored(prior: MaskGit, codes: Tensor, holes: Tensor, states: Tensor) -> tuple[Tensor, int]:
    """Cross-entropy summed over the hidden units, written the long way."""
    total, count = torch.zeros(()), 0
    logits = prior.to_logits(states).unflatten(1, codes.shape[1:3]).split(prior.tokenizer.sizes, -1)
    for digit, x in enumerate(logits):
        hidden = holes[..., digit] == prior.mask_id[digit]
        total = total + F.cross_entropy(x[hidden], codes[..., digit][hidden], reduction="sum")
        count += int(hidden.sum())
    return total, count


def test_only_hidden_units_are_scored(prior: MaskGit, monkeypatch: pytest.MonkeyPatch):
    seen, data = watch(prior, monkeypatch), batch(prior)
    loss = prior.loss(data, tick())
    [(holes, states)] = seen
    hidden = holes == prior.mask_id
    assert holes[~hidden].equal(data["codes"][~hidden]), "what is not hidden is told"
    assert 0 < hidden.sum() < hidden.numel()
    total, count = scored(prior, data["codes"], holes, states)
    torch.testing.assert_close(loss.total, total / count)


@pytest.mark.parametrize(("context", "latents"), [(1, 1), (2, 1), (3, 2), (4, 2)])
def test_given_frames_are_never_hidden(prior: MaskGit, monkeypatch: pytest.MonkeyPatch, context: int, latents: int):
    seen, data = watch(prior, monkeypatch), batch(prior, context=torch.tensor([context] * 4))
    for seed in range(8):
        loss = prior.loss(data, tick(seed))
        holes, states = seen[-1]
        assert holes[:, :latents].equal(data["codes"][:, :latents])
        assert (holes == prior.mask_id)[:, latents:].flatten(1).any(1).all()
        total, count = scored(prior, data["codes"], holes, states)
        torch.testing.assert_close(loss.total, total / count)


def test_a_batch_in_which_all_is_given_has_no_loss(prior: MaskGit):
    loss = prior.loss(batch(prior, context=torch.tensor([5] * 4)), tick())
    assert loss.total == 0
    loss.total.backward()


def test_an_image_is_its_first_frame_alone(prior: MaskGit):
    data = batch(prior, length=torch.tensor([1] * 4))
    alone = {**data, "codes": data["codes"][:, :1]}
    other = {**data, "codes": data["codes"].clone()}
    other["codes"][:, 1:] = 0
    for seed in range(4):
        loss = prior.loss(data, tick(seed)).total
        assert loss.equal(prior.loss(alone, tick(seed)).total)
        assert loss.equal(prior.loss(other, tick(seed)).total)


def test_images_and_videos_share_a_batch(prior: MaskGit, monkeypatch: pytest.MonkeyPatch):
    data = batch(prior, length=torch.tensor([5, 1, 1, 5]))
    seen = watch(prior, monkeypatch)
    loss = prior.loss(data, tick())
    assert [tuple(codes.shape[:2]) for codes, _ in seen] == [(2, 3), (2, 1)]
    videos, images = data["codes"][[0, 3]], data["codes"][[1, 2], :1]
    (a, n), (b, m) = scored(prior, videos, *seen[0]), scored(prior, images, *seen[1])
    torch.testing.assert_close(loss.total, (a + b) / (n + m))


def test_a_tenth_of_the_texts_is_dropped():
    prior = make()
    text, mask = torch.ones(5000, 2, 8), torch.ones(5000, 2, dtype=torch.bool)
    dropped = drawn(len(text), prior.config.drop_text, tick().rng, text.device)
    found, seen = without_text(text, mask, prior.null_text, dropped)
    dropped = (found != text).any(-1).any(-1)
    assert 0.085 < dropped.float().mean() < 0.115
    assert found[dropped].equal(prior.null_text.expand_as(found[dropped]))
    assert seen[dropped].equal(torch.tensor([[True, False]]).expand(int(dropped.sum()), 2))
    assert seen[~dropped].all()


def test_the_mask_ratio_is_a_cosine(prior: MaskGit, monkeypatch: pytest.MonkeyPatch):
    seen: list[Tensor] = []
    monkeypatch.setattr(prior, "hidden", lambda codes, *_: seen.append(codes) or torch.zeros(len(codes), 12, 32))
    prior.loss(batch(prior, 4000), tick())
    units = seen[0].shape[1:].numel()
    counts = (seen[0] == prior.mask_id).flatten(1).sum(1)
    wanted = (units * torch.cos(torch.linspace(0, 1, 4001)[:-1] * math.pi / 2)).ceil()
    assert abs(counts.float().mean() - wanted.mean()) < 0.02 * units
    for share in (0.1, 0.5, 0.9):
        assert abs(counts.float().quantile(share) - wanted.quantile(share)) <= 1


def test_codes_of_a_large_codebook_are_kept_whole():
    for size, kind in ((1024, torch.int16), (40_000, torch.int32)):
        tokenizer = CViViTConfig(
            size=8, patch=4, dim=16, space_depth=0, time_depth=0, heads=2, num_codes=size, code_dim=2,
            adversarial=0.0, image_perceptual=0.0, video_perceptual=0.0,
        ).build()  # fmt: skip
        prior = MaskGit(MaskGitConfig(latent_frames=2, dim=8, depth=0, heads=1, mlp=8, text_dim=8), tokenizer)
        video = torch.rand(16, 3, 3, 8, 8)
        codes = prior.prepare({"video": video})["codes"]
        assert codes.dtype == kind
        assert codes.long().equal(tokenizer.encode(video))


def cond(prior: MaskGit, b: int = 2) -> Batch:
    data = batch(prior, b)
    return {"text": data["text"], "text_mask": data["text_mask"]}


def test_guidance_one_is_conditional_and_zero_unconditional(prior: MaskGit):
    asked = cond(prior)
    text, mask = without_text(asked["text"], asked["text_mask"], prior.null_text, torch.tensor([True, True]))
    told, untold = prior.sample(asked, rng=rngs(1, 2), guidance=1), prior.sample(asked, rng=rngs(1, 2), guidance=0)
    assert untold.equal(prior.sample({"text": text, "text_mask": mask}, rng=rngs(1, 2), guidance=1))
    assert not told.equal(untold)
    # The same by way of both branches.
    assert told.equal(prior.sample(asked, rng=rngs(1, 2), guidance=1 + 1e-6))
    assert untold.equal(prior.sample(asked, rng=rngs(1, 2), guidance=1e-6))
    assert not told.equal(prior.sample(asked, rng=rngs(1, 2), guidance=8))


def test_no_text_forgets_the_text(prior: MaskGit):
    asked = cond(prior)
    other = {"text": asked["text"].roll(1, 1), "text_mask": ~asked["text_mask"] | True}
    assert prior.sample(asked, rng=rngs(1, 2), guidance=0).equal(prior.sample(other, rng=rngs(1, 2), guidance=0))


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_holes_become_fewer_at_each_step(prior: MaskGit, monkeypatch: pytest.MonkeyPatch, steps: int):
    holes: list[list[int]] = []
    inside = Guesses.__call__

    def guess(self: Guesses, codes: Tensor, *rest: Any):
        holes.append((codes == prior.mask_id).flatten(1).sum(1).tolist())
        return inside(self, codes, *rest)

    monkeypatch.setattr(Guesses, "__call__", guess)
    told: list[tuple[int, int]] = []

    def on_step(step: int, of: int, codes: Tensor) -> None:
        told.append((step, of))
        prior.tokenizer.check(codes)  # no holes in what is shown

    codes = prior.sample(cond(prior), rng=rngs(1, 2), steps=steps, on_step=on_step)
    assert told == [(i + 1, steps) for i in range(steps)], "each step is told, also where nothing was left to do"
    first = [row[0] for row in holes]
    assert all(row[0] == row[1] for row in holes)
    assert first[0] == 12 * len(prior.tokenizer.sizes)
    assert all(a > b for a, b in pairwise(first))
    assert len(first) <= steps
    prior.tokenizer.check(codes)


@pytest.mark.parametrize("latents", [1, 2])
def test_a_prefix_stays(prior: MaskGit, latents: int):
    prefix = batch(prior, 2)["codes"][:, :latents]
    shown: list[Tensor] = []
    codes = prior.sample({**cond(prior), "prefix": prefix}, rng=rngs(1, 2), on_step=lambda *a: shown.append(a[2]))
    for each in [*shown, codes]:
        assert each[:, :latents].equal(prefix)


def test_given_frames_weigh_as_much_as_is_asked(prior: MaskGit):
    asked = cond(prior)
    made = prior.sample(asked, rng=rngs(1, 2))
    first, other = made[:, :1], (made[:, :1] + 1) % torch.tensor(prior.tokenizer.sizes)

    def after(given: Tensor, weight: float | None) -> Tensor:
        found = prior.sample(asked | {"prefix": given}, rng=rngs(1, 2), known_weight=weight)
        assert found[:, :1].equal(given)
        return found[:, 1:]

    assert after(first, 0.0).equal(after(other, 0.0)), "what does not weigh is not seen"
    assert not after(first, 1.0).equal(after(other, 1.0))
    as_learned, apart = (Guesses(prior, asked["text"], asked["text_mask"], 1.0, 1, weight) for weight in (None, 1.0))
    codes = prior._begin(asked | {"prefix": first})
    holes = (codes == prior.mask_id).any(-1)
    torch.testing.assert_close(apart._logits(codes, holes), as_learned._logits(codes, holes))  # guidance aside
    one = prior.sample(
        {name: value[1:] for name, value in asked.items()} | {"prefix": first[1:]}, rng=rngs(2), known_weight=0.5
    )
    assert one.equal(prior.sample(asked | {"prefix": first}, rng=rngs(1, 2), known_weight=0.5)[1:])


def test_a_sample_depends_on_its_own_seed_alone(prior: MaskGit):
    asked = cond(prior, 3)
    together = prior.sample(asked, rng=rngs(1, 2, 3))
    backwards = prior.sample({k: v.flip(0) for k, v in asked.items()}, rng=rngs(3, 2, 1))
    assert backwards.flip(0).equal(together)
    for i in range(3):
        assert prior.sample({k: v[i : i + 1] for k, v in asked.items()}, rng=rngs(i + 1)).equal(together[i : i + 1])
    assert not prior.sample(asked, rng=rngs(4, 5, 6)).equal(together)


def test_what_cannot_be_sampled_is_refused():
    prior = make()
    with pytest.raises(ValueError, match="steps: expected at least 1, got 0"):
        prior.sample(cond(prior), rng=rngs(1, 2), steps=0)
    prefix = torch.full((2, 1, 4, 1), 32)
    with pytest.raises(ValueError, match=r"codes: digit 0 must be in \[0, 32\), got 32"):
        prior.sample({**cond(prior), "prefix": prefix}, rng=rngs(1, 2))
    prior.blocks[0].mlp[0].bias.data[0] = torch.nan  # type: ignore[index, union-attr]
    with pytest.raises(ValueError, match="NaN"):
        prior.sample(cond(prior), rng=rngs(1, 2))


def test_bfloat16_gives_a_finite_loss(prior: MaskGit):
    with torch.autocast("cpu", torch.bfloat16):
        loss = prior.loss(batch(prior), tick()).total
        codes = prior.sample(cond(prior), rng=rngs(1, 2))
    loss.backward()
    assert loss.isfinite()
    assert loss.dtype == torch.float32
    prior.tokenizer.check(codes)


def test_gradient_checkpointing_changes_no_gradient(prior: MaskGit):
    found = []
    for saving in (False, True):
        prior.train().gradient_checkpointing = saving
        prior.zero_grad()
        prior.loss(batch(prior), tick()).total.backward()
        found.append({n: p.grad.clone() for n, p in prior.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, grad in found[0].items():
        torch.testing.assert_close(found[1][name], grad, msg=lambda m, name=name: f"{name}: {m}")


def test_it_learns_a_batch_by_heart(prior: MaskGit):
    data, prior = batch(prior), prior.train()
    optimizer = torch.optim.AdamW(prior.parameters(), lr=2e-3)
    for step in range(200):
        loss = prior.loss(data, tick(step)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    asked = {k: data[k] for k in ("text", "text_mask")}
    made = prior.eval().sample(asked, rng=rngs(1, 2, 3, 4), guidance=3.0, temperature=1.0)
    assert (made == data["codes"]).float().mean() > 0.8, "each text gives the video that it was learnt with"


def test_words_and_layers_on_them_are_learnt():
    """What reads the text learns from the first step, and a sample is the same alone and among others."""
    from storyreel.text import load_text_encoder

    words = load_text_encoder("words:512")
    model = make(words=512, text_dim=2, text_layers=2)
    text, mask = words(["digit 3 is moving up", "digit 5 is moving up then down"])
    codes = batch(model, 2)["codes"]
    model.train().loss({"codes": codes, "text": text, "text_mask": mask}, tick()).total.backward()
    grads = {n: p.grad for n, p in model.learned_text.named_parameters()}
    assert all(g is not None and bool(g.abs().sum() > 0) for g in grads.values()), grads.keys()
    model.eval()
    cond = {"text": text, "text_mask": mask}
    both = model.sample(cond, rng=rngs(1, 2))
    alone = model.sample({k: v[1:] for k, v in cond.items()}, rng=rngs(2))
    assert alone[0].equal(both[1])
    other = words(["digit 5 is moving up then left"])
    logits = [model.logits(codes[1:], *each)[0] for each in ((text[1:], mask[1:]), other)]
    assert not torch.allclose(*logits, atol=1e-3), "the text is read"


def test_sentences_that_hold_at_once_are_added_up():
    model = make(text_layers=2)
    given = batch(model, 2)
    states, mask = given["text"], given["text_mask"]
    both = {"text": torch.stack([states[:1], states[1:]], 1), "text_mask": torch.stack([mask[:1], mask[1:]], 1)}
    made = model.sample(both, rng=rngs(1), guidance=2.0)
    first = {"text": states[:1], "text_mask": mask[:1]}
    assert not made.equal(model.sample(first, rng=rngs(1), guidance=2.0)), "the second sentence is heard"


def test_sentences_depend_on_no_other_video_of_the_batch():
    model = make(text_layers=2)
    given = batch(model, 4)
    text, mask = given["text"].view(2, 2, 5, 8), given["text_mask"].view(2, 2, 5)
    together = model.sample({"text": text, "text_mask": mask}, rng=rngs(1, 2))
    assert model.sample({"text": text[1:], "text_mask": mask[1:]}, rng=rngs(2))[0].equal(together[1])
