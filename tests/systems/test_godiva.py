"""GODIVA's generator: exactly the tokens of Eq. 10 and 11 are seen, and cached decoding is the full forward pass."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel import recipes
from storyreel.nn.null_text import without_text
from storyreel.systems.base import Batch, Tick
from storyreel.systems.godiva import Generator, GeneratorConfig
from storyreel.systems.godiva_decoding import TokenDecoder, TokenSampling
from storyreel.systems.godiva_tokenizer import FrameVQVAEConfig
from storyreel.systems.godiva_waves import WaveDecoder
from storyreel.systems.sentences import guided

FRAMES, GRID = 3, 4
TOKENS = FRAMES * GRID * GRID
PLACES = torch.cartesian_prod(torch.arange(FRAMES), torch.arange(GRID), torch.arange(GRID))  # (n, 3)
KINDS = [("sparse", "vq"), ("sparse", "fsq"), ("causal", "vq"), ("causal", "fsq")]


def make(context: str = "sparse", kind: str = "vq", **more: Any) -> Generator:
    """48 tokens, with weights large enough that everything matters."""
    torch.manual_seed(0)
    levels = (4, 3, 3, 2, 3) if kind == "fsq" else ()
    tokenizer = FrameVQVAEConfig(size=16, patch=4, dim=16, num_codes=40, levels=levels).build()
    settings = {
        "frames": FRAMES,
        "dim": 32,
        "heads": 4,
        "mlp": 64,
        "layers": "TRCTRC",
        "text_dim": 8,
        "context": context,
    }
    made = Generator(GeneratorConfig(**(settings | more)), tokenizer.eval())
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return made.eval()


@pytest.fixture(params=KINDS, ids="-".join)
def model(request: pytest.FixtureRequest) -> Generator:
    return make(*request.param)


def batch(model: Generator, b: int = 2, frames: int = FRAMES, **more: Tensor) -> Batch:
    rng = torch.Generator().manual_seed(1)
    places = (b, frames, GRID * GRID)
    return {
        "codes": torch.stack([torch.randint(n, places, generator=rng) for n in model.tokenizer.sizes], -1),
        "text": torch.randn(b, 5, model.config.text_dim, generator=rng),
        "text_mask": torch.arange(5) < torch.randint(1, 6, (b, 1), generator=rng),
        **more,
    }


def cond(model: Generator, b: int = 2) -> Batch:
    data = batch(model, b)
    return {"text": data["text"], "text_mask": data["text_mask"]}


def tick(seed: int = 0) -> Tick:
    return Tick(step=0, turn="main", rng=torch.Generator().manual_seed(seed))


def rngs(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(s) for s in seeds]


def moved(model: Generator) -> Tensor:
    """Bool (n, n): whether changing token i moves the logits of token j."""
    data = batch(model, 1)
    found = torch.zeros(TOKENS, TOKENS, dtype=torch.bool)
    with torch.no_grad():
        before = model.logits(data["codes"], data["text"], data["text_mask"])[0]
        for token in range(TOKENS):
            codes = data["codes"].clone()
            changed = codes.view(TOKENS, -1)[token]
            changed.copy_((changed + 1) % torch.tensor(model.tokenizer.sizes))
            after = model.logits(codes, data["text"], data["text_mask"])[0]
            found[token] = (after - before).abs().amax((0, 2)) > 0
    return found


@pytest.mark.parametrize("kind", ["vq", "fsq"])
@pytest.mark.parametrize("layers", ["TRC", "TRCTRC", "CRT"])
def test_a_token_sees_exactly_what_is_behind_it_on_every_axis(kind: str, layers: str):
    """Eq. 10 and 11: h(<=i, <=j, <=l), the token itself excepted."""
    behind = (PLACES[:, None] <= PLACES[None]).all(-1) & ~torch.eye(TOKENS, dtype=torch.bool)
    assert moved(make("sparse", kind, layers=layers)).equal(behind)


@pytest.mark.parametrize("kind", ["vq", "fsq"])
def test_the_wide_reach_sees_every_earlier_token(kind: str):
    assert moved(make("causal", kind)).equal(torch.ones(TOKENS, TOKENS).triu(1).bool())


@pytest.mark.parametrize(("layers", "axis"), [("RCRC", 0), ("TCTC", 1), ("TRTR", 2)])
def test_without_an_axis_only_the_neighbour_on_it_is_left(layers: str, axis: int):
    """What the ablations of Table 1 take away."""
    found = moved(make("sparse", layers=layers))
    back = PLACES[None, :, axis] - PLACES[:, None, axis]
    assert not found[back > 1].any()
    assert found[back == 1].any()


def test_a_part_of_a_code_is_told_all_the_parts_before_it():
    model = make("causal", "fsq")
    data = batch(model, 1)
    with torch.no_grad():
        before = model.logits(data["codes"], data["text"], data["text_mask"])
        for changed in range(3):
            codes = data["codes"].clone()
            codes[:, -1, -1, changed] = (codes[:, -1, -1, changed] + 1) % model.tokenizer.sizes[changed]
            after = model.logits(codes, data["text"], data["text_mask"])
            moved = [bool((a - b)[:, -1].abs().max() > 0) for a, b in zip(after, before, strict=True)]
            assert moved == [part > changed for part in range(3)]


def test_cached_logits_are_those_of_the_full_forward_pass(model: Generator):
    data = batch(model)
    with torch.no_grad():
        full = model.logits(data["codes"], data["text"], data["text_mask"])
        decoders = [TokenDecoder, WaveDecoder] if model.config.context == "sparse" else [TokenDecoder]
        for kind in decoders:
            cached = kind(model, data["text"], data["text_mask"], FRAMES, TokenSampling()).replay(data["codes"])
            for a, b in zip(full, cached, strict=True):
                torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_both_branches_of_guidance_are_exact(model: Generator):
    data = batch(model)
    everywhere = torch.tensor([True, True])
    with torch.no_grad():
        decoder = TokenDecoder(model, data["text"], data["text_mask"], FRAMES, TokenSampling(guidance=3.0))
        untold = decoder.replay(data["codes"])[0][2:]
        text, mask = without_text(data["text"], data["text_mask"], model.null_text, everywhere)
        torch.testing.assert_close(model.logits(data["codes"], text, mask)[0], untold, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("guidance", [1.0, 2.5])
@pytest.mark.parametrize("kind", ["vq", "fsq"])
def test_waves_draw_what_is_drawn_one_by_one(kind: str, guidance: float):
    model, asked = make("sparse", kind), cond(make("sparse", kind))
    prefix = batch(model)["codes"][:, :1]
    with torch.no_grad():
        for given in (None, prefix):
            made = [
                decoder(model, asked["text"], asked["text_mask"], FRAMES, TokenSampling(guidance=guidance)).run(
                    rngs(1, 2), given, None
                )
                for decoder in (TokenDecoder, WaveDecoder)
            ]
            assert made[0].equal(made[1])


def test_a_wave_has_no_two_tokens_that_see_each_other():
    model, asked = make(), cond(make(), 1)
    waves = WaveDecoder(model, asked["text"], asked["text_mask"], FRAMES, TokenSampling()).waves()
    assert len(waves) == FRAMES + GRID + GRID - 2
    assert torch.cat(waves).sort().values.equal(torch.arange(TOKENS))
    seen = moved(model)
    for wave in waves:
        assert not seen[wave][:, wave].any()


def test_a_video_depends_on_its_own_seed_alone(model: Generator):
    asked = cond(model, 3)
    together = model.sample(asked, rng=rngs(1, 2, 3), guidance=2.0)
    backwards = model.sample({k: v.flip(0) for k, v in asked.items()}, rng=rngs(3, 2, 1), guidance=2.0)
    assert backwards.flip(0).equal(together)
    for i in range(3):
        alone = model.sample({k: v[i : i + 1] for k, v in asked.items()}, rng=rngs(i + 1), guidance=2.0)
        assert alone.equal(together[i : i + 1])
    assert not model.sample(asked, rng=rngs(4, 5, 6), guidance=2.0).equal(together)


def test_a_shorter_video_is_the_beginning_of_a_longer_one(model: Generator):
    asked = cond(model)
    short, whole = model.sample(asked, rng=rngs(1, 2), frames=1), model.sample(asked, rng=rngs(1, 2))
    assert short.shape[1] == 1
    assert whole[:, :1].equal(short)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_prefix_stays_and_counts(model: Generator, frames: int):
    asked, prefix = cond(model), batch(model)["codes"][:, :frames]
    codes = model.sample({**asked, "prefix": prefix}, rng=rngs(1, 2))
    assert codes[:, :frames].equal(prefix)
    other = model.sample({**asked, "prefix": (prefix + 1) % model.tokenizer.sizes[-1]}, rng=rngs(1, 2))
    assert not other[:, frames:].equal(codes[:, frames:])


def test_guidance_one_is_conditional_and_zero_unconditional(model: Generator):
    asked = cond(model)
    text, mask = without_text(asked["text"], asked["text_mask"], model.null_text, torch.tensor([True, True]))
    told, untold = (model.sample(asked, rng=rngs(1, 2), guidance=g) for g in (1.0, 0.0))
    assert untold.equal(model.sample({"text": text, "text_mask": mask}, rng=rngs(1, 2), guidance=1.0))
    assert not told.equal(untold)
    assert told.equal(model.sample(asked, rng=rngs(1, 2), guidance=1 + 1e-7))


@pytest.mark.numerics
@torch.no_grad()
def test_what_each_of_two_sentences_adds_is_added_up(model: Generator):
    given, guidance = cond(model), 1.5
    text, mask = given["text"], given["text_mask"]
    two = text[:, None].repeat(1, 2, 1, 1)
    two[:, 1] = two[:, 1].flip(0)  # each video has the other's sentence for its second
    two_masks = torch.stack([mask, mask.flip(0)], 1)
    kind = WaveDecoder if model.config.context == "sparse" else TokenDecoder
    decoder = kind(model, two, two_masks, FRAMES, TokenSampling(guidance=guidance))
    codes = batch(model)["codes"]
    null, null_mask = without_text(text, mask, model.null_text, torch.ones(2, dtype=torch.bool))
    wanted = [model.logits(codes, *each) for each in ((text, mask), (text.flip(0), mask.flip(0)), (null, null_mask))]
    for part, got in enumerate(decoder.replay(codes)):
        torch.testing.assert_close(got, torch.cat([each[part] for each in wanted]), atol=1e-4, rtol=1e-4)
    one, other, none = (each[0] for each in wanted)
    rows = torch.cat([one, other, none])
    torch.testing.assert_close(guided(rows, 3, guidance), none + guidance * (one - none) + guidance * (other - none))
    both = model.sample({"text": two, "text_mask": two_masks}, rng=rngs(1, 2), guidance=guidance)
    alone = model.sample({"text": two[1:], "text_mask": two_masks[1:]}, rng=rngs(2), guidance=guidance)
    assert alone[0].equal(both[1]), "on the other video of the batch"


def test_what_is_drawn_is_distributed_as_it_should_be():
    logits = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0]).expand(20_000, 5)
    chance = torch.rand(20_000, generator=torch.Generator().manual_seed(0))

    def shares(**how: Any) -> Tensor:
        return torch.bincount(TokenSampling(**how).draw(logits.clone(), chance), minlength=5) / 20_000

    p = logits[0].softmax(0)
    torch.testing.assert_close(shares(top_k=0), p, atol=0.012, rtol=0)
    torch.testing.assert_close(shares(top_k=2)[:2], p[:2] / p[:2].sum(), atol=0.012, rtol=0)
    assert shares(top_k=2)[2:].sum() == 0
    nucleus = p[:2] if p[0] < 0.6 <= p[:2].sum() else p[:3]
    torch.testing.assert_close(shares(top_p=0.6)[: len(nucleus)], nucleus / nucleus.sum(), atol=0.012, rtol=0)
    assert shares(top_p=0.01)[0] == shares(top_k=1)[0] == shares(temperature=0.0)[0] == 1
    torch.testing.assert_close(shares(temperature=2.0), (logits[0] / 2).softmax(0), atol=0.012, rtol=0)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"top_k": -1}, "top_k: expected at least 0, got -1"),
        ({"top_p": 0.0}, "top_p: expected more than 0 and at most 1, got 0.0"),
        ({"temperature": -1.0}, "temperature: expected at least 0, got -1.0"),
        ({"layers": "TRX"}, "layers: expected letters T, R and C, as in TRCTRC, got 'TRX'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(how: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        GeneratorConfig(**how)


def test_the_loss_is_the_cross_entropy_of_every_token(model: Generator):
    data = batch(model)
    model.config.__dict__["drop_text"] = 0.0
    guesses = model.logits(data["codes"], data["text"], data["text_mask"])
    wanted = sum(F.cross_entropy(g.flatten(0, 1), data["codes"][..., i].flatten()) for i, g in enumerate(guesses))
    torch.testing.assert_close(model.loss(data, tick()).total, wanted)


def test_given_frames_are_not_scored_and_an_image_is_its_first_frame():
    model = make()
    data = batch(model, context=torch.tensor([1, 1]))
    other = {**data, "codes": data["codes"].clone()}
    other["codes"][:, 0] = 0
    asked = model._scored(data, data["codes"])
    assert asked.view(2, FRAMES, -1).all(-1).tolist() == [[False, True, True]] * 2
    image = batch(model, length=torch.tensor([1, FRAMES]))
    assert model._scored(image, image["codes"]).view(2, FRAMES, -1).all(-1).tolist() == [
        [True, False, False],
        [True, True, True],
    ]


def test_a_long_caption_is_cut_and_that_is_said_once():
    model = make(text_tokens=4)
    data = batch(model)
    data["text_mask"] = torch.ones(2, 5, dtype=torch.bool)
    with pytest.warns(UserWarning, match="captions longer than 4 tokens are cut to 4"):
        cut = model.logits(data["codes"], data["text"], data["text_mask"])[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = model.logits(data["codes"], data["text"][:, :4], data["text_mask"][:, :4])[0]
        assert model.logits(data["codes"], data["text"], data["text_mask"])[0].equal(again)
    assert cut.equal(again)


def test_words_can_be_learnt():
    from storyreel.text import load_text_encoder

    words = load_text_encoder("words:512")
    model = make(words=512, text_dim=2)
    codes = batch(model)["codes"]
    text, mask = words(["digit 3 is moving up", "digit 5 is moving up then down"])
    numbers = (text[..., 0] * 256 + text[..., 1]).long()
    assert numbers[mask].max() < 512
    assert numbers[0, 1] == numbers[1, 1], "the same word has the same number"
    assert numbers[0, 2] != numbers[1, 2]
    assert text.half().float().equal(text), "exact in the cache of texts"
    model.train().loss({"codes": codes, "text": text, "text_mask": mask}, tick()).total.backward()
    assert model.learned_text.words is not None
    used = numbers[mask].unique()
    grads = model.learned_text.words.weight.grad
    assert grads is not None
    assert grads[used].abs().sum(1).gt(0).all()
    made = model.eval().sample({"text": text, "text_mask": mask}, rng=rngs(1, 2))
    model.tokenizer.check(made)


def test_what_cannot_be_sampled_is_refused():
    model = make()
    with pytest.raises(ValueError, match="frames: this model has positions for 1 to 3 frames, got 4"):
        model.sample(cond(model), rng=rngs(1, 2), frames=4)
    with pytest.raises(ValueError, match=r"token ids must be in \[0, 40\), got 40"):
        model.sample({**cond(model), "prefix": torch.full((2, 1, 16, 1), 40)}, rng=rngs(1, 2))
    data = batch(model, frames=4)
    with pytest.raises(ValueError, match="codes: this model has positions for 3 frames of 16 tokens, got 4 of 16"):
        model.loss(data, tick())
    with pytest.raises(ValueError, match="prefix: expected at most 1 frames, got 2"):
        model.sample({**cond(model), "prefix": batch(model)["codes"][:, :2]}, rng=rngs(1, 2), frames=1)
    for context in ("sparse", "causal"):
        model = make(context)
        model.blocks[0].mlp[0].bias.data[0] = torch.nan  # type: ignore[index, union-attr]
        with pytest.raises(ValueError, match="NaN"):
            model.sample(cond(model), rng=rngs(1, 2))


def test_bfloat16_gives_a_finite_loss_and_codes(model: Generator):
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.loss(batch(model), tick()).total
        made = [model.sample(cond(model, b), rng=rngs(*range(b)), guidance=2.0) for b in (2, 9)]
    loss.backward()
    assert loss.isfinite()
    for codes in made:
        model.tokenizer.check(codes)


def test_gradient_checkpointing_changes_no_gradient(model: Generator):
    found = []
    for saving in (False, True):
        model.train().gradient_checkpointing = saving
        model.zero_grad()
        model.loss(batch(model), tick()).total.backward()
        found.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
    for name, grad in found[0].items():
        torch.testing.assert_close(found[1][name], grad, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize(("context", "kind"), [("sparse", "vq"), ("causal", "fsq")])
def test_it_learns_a_batch_by_heart(context: str, kind: str):
    model = make(context, kind, layers="TRC")
    data, model = batch(model, 4), model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(160):
        loss = model.loss(data, tick(step)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    asked = {k: data[k] for k in ("text", "text_mask")}
    made = model.eval().sample(asked, rng=rngs(1, 2, 3, 4), guidance=1.0)
    assert (made == data["codes"]).float().mean() > 0.9, "each text gives the video that it was learnt with"


def test_godiva_paper_has_the_papers_size():
    """Wu et al. 2021, Section 4.1: 12 layers of width 1024, 16 heads, 10,000 codes, 2,560 tokens, 35 words."""
    with torch.device("meta"):
        system: Any = recipes.get("godiva_paper").system.build()
    generator, d = system.generator, 1024
    c = generator.config
    assert (len(generator.blocks), c.heads, c.text_tokens) == (12, 16, 35)
    assert "".join(block.attention.axis for block in generator.blocks) == "TRC" * 4
    assert c.frames * system.tokenizer.config.grid**2 == 2560
    assert generator.heads[0].to_logits.out_features == 10_000
    blocks = sum(p.numel() for p in generator.blocks.parameters())
    # Self-attention 4 d^2, attention to the text 4 d^2, MLP 8 d^2; biases of the MLP 5 d, three norms 6 d.
    assert blocks == 12 * (16 * d * d + 11 * d)
    whole = sum(p.numel() for p in generator.parameters()) - generator.learned_text.words.weight.numel()
    rest = 10_000 * (d + 1) + (3 * 128 + 1) * d + (10 + 16 + 16 + 35) * d + 128 + d + 2 * d
    assert whole == blocks + rest
