"""The decoder that reads the text: its pixels have colors of the palette, and it says what codes cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from storyreel.systems.base import Batch, Tick
from storyreel.systems.phenaki_decoder import PaletteDecoder, PaletteDecoderConfig
from storyreel.systems.phenaki_tokenizer import CViViTConfig
from storyreel.systems.pixels import BACKGROUND

PALETTE = "ff0000 00ff00 0000ff 101010"
TOKENIZER = CViViTConfig(
    size=8, channels=4, patch=4, tube=2, dim=16, space_depth=1, time_depth=1, heads=2, mlp=32, levels=(4, 3),
    widths=(16, 16), adversarial=0.0, image_perceptual=0.0, video_perceptual=0.0,
)  # fmt: skip
CONFIG = PaletteDecoderConfig(palette=PALETTE, text_dim=8, features=8, frames=2, wrong_digits=0.0, drop_text=0.0)


def make(config: PaletteDecoderConfig = CONFIG, seed: int = 0) -> PaletteDecoder:
    torch.manual_seed(seed)
    return PaletteDecoder(config, TOKENIZER.build())


def batch(count: int = 6, seed: int = 1) -> Batch:
    """Squares in one of three colors; the text alone says in which, since all clips have the same brightness."""
    rng = torch.Generator().manual_seed(seed)
    which = torch.arange(count) % 3
    video = torch.full((count, 4, 3, 8, 8), BACKGROUND)
    video[:, 3] = -1
    video[:, :, :, 2:6, 2:6] = -1
    for number, color in enumerate(which.tolist()):
        video[number, color, :, 2:6, 2:6] = 1
        video[number, 3, :, 2:6, 2:6] = 1
    text = torch.randn(count, 4, 8, generator=rng) * 0.1
    text[torch.arange(count), 0, which] += 3
    return {"video": video, "text": text, "text_mask": torch.ones(count, 4, dtype=torch.bool)}


def tick(step: int = 0) -> Tick:
    return Tick(step=step, turn="main", rng=torch.Generator().manual_seed(step))


def codes(decoder: PaletteDecoder, count: int) -> Tensor:
    rng = torch.Generator().manual_seed(2)
    return torch.stack([torch.randint(n, (count, 2, 4), generator=rng) for n in decoder.tokenizer.sizes], -1)


def test_pixels_have_colors_of_the_palette_or_the_background() -> None:
    decoder, given = make(), batch()
    with torch.no_grad():
        for weight in decoder.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
        made = decoder.decode(codes(decoder, 6), given["text"], given["text_mask"])
    assert made.shape == (6, 4, 3, 8, 8)
    pixels, alpha = made[:, :3].movedim(1, -1), made[:, 3]
    assert 0 < (alpha > 0).float().mean() < 1
    assert (pixels[alpha <= 0] == BACKGROUND).all()
    allowed = {tuple(color) for color in CONFIG.colors().tolist()}
    found = {tuple(((each + 1) * 127.5).round().int().tolist()) for each in pixels[alpha > 0]}
    assert len(found) > 1
    assert found <= allowed


def test_it_begins_with_the_decoder_of_the_tokenizer_and_later_keeps_its_own() -> None:
    decoder = make()
    decoder.begin()
    assert torch.equal(decoder.to_tube.weight, decoder.tokenizer.to_tube.weight)
    assert torch.equal(decoder.position, decoder.tokenizer.decode_position)
    with torch.no_grad():
        decoder.to_tube.weight.zero_()
    decoder.begin()
    assert not decoder.to_tube.weight.any()


def test_before_it_learns_the_text_changes_nothing() -> None:
    decoder, given = make(), batch()
    decoder.begin()
    first, second = (
        decoder.features(codes(decoder, 6), decoder.read_text(text, given["text_mask"]))
        for text in (given["text"], given["text"] * 5)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize("drop", [0.0, 1.0])
def test_it_learns_from_the_text_which_color_where_codes_do_not_tell(drop: float) -> None:
    """All codes are drawn anew, so that only the text is left."""
    decoder, given = make(replace(CONFIG, wrong_digits=1.0, drop_text=drop)), batch()
    decoder.begin()
    optimizer = torch.optim.AdamW(decoder.parameters_for("main"), lr=3e-3, weight_decay=0.0)
    for step in range(150):
        optimizer.zero_grad()
        decoder.loss(given, tick(step)).total.backward()
        optimizer.step()
    with torch.no_grad():
        made = decoder.decode(codes(decoder, 6), given["text"], given["text_mask"])
    real, alpha = given["video"], given["video"][:, 3:] > 0
    right = (made[:, :3] == real[:, :3]).all(1, keepdim=True)[alpha].float().mean()
    assert (right > 0.9) if drop == 0 else (right < 0.7)


def test_the_text_alone_makes_colors_likelier() -> None:
    decoder, given = make(replace(CONFIG, text_layers=1, text_colors=True)), batch()
    decoder.loss(given, tick()).total.backward()
    last = decoder.named[-1].weight
    assert last.grad is not None
    assert last.grad.any()
    with torch.no_grad():
        decoder.to_alpha.bias.fill_(9.0)  # all is visible
        decoder.named[-1].weight.zero_()
        decoder.to_color.weight.zero_()
        decoder.to_color.bias.zero_()
        decoder.to_color.bias[1] = 1.0
        before = decoder.decode(codes(decoder, 6), given["text"], given["text_mask"])
        last.copy_(torch.randn_like(last) * 9)
        made = decoder.decode(codes(decoder, 6), given["text"], given["text_mask"])
        wanted = decoder.read_text(given["text"], given["text_mask"]).colors
        assert wanted is not None
        wanted = (wanted + decoder.to_color.bias).argmax(-1)
    assert (before[:, :3] == decoder.colors[1][:, None, None, None]).all()
    assert (made[:, :3] == decoder.colors[wanted][:, :, None, None, None]).all()


class Stubborn:
    """A prior that always says the last value of each digit."""

    mask_id = torch.tensor([4, 3])

    def logits(self, codes: Tensor, text: Tensor, text_mask: Tensor) -> tuple[Tensor, ...]:
        assert bool(
            (codes == self.mask_id).any(-1).eq((codes == self.mask_id).all(-1)).all()
        )  # whole tokens are hidden
        return tuple(torch.nn.functional.one_hot(torch.full(codes.shape[:3], n - 1), n) * 1e4 for n in (4, 3))


def test_a_part_of_the_codes_is_what_the_prior_says_and_the_rest_stays() -> None:
    config = replace(CONFIG, refilled=1.0)
    decoder, given = PaletteDecoder(config, TOKENIZER.build(), Stubborn()), batch()
    every = codes(decoder, 6)
    made = decoder._refilled(every, given["text"], given["text_mask"], torch.Generator().manual_seed(3))
    changed = (made != every).any(-1)
    assert 0.2 < changed.float().mean() < 0.8
    assert (made[changed] == torch.tensor([3, 2])).all()
    assert decoder.loss(given, tick()).total.isfinite()
    assert not any("prior" in name for name in decoder.state_dict())
    with pytest.raises(ValueError, match="refilled: this decoder has no prior"):
        make(config).loss(given, tick())


def test_the_tokenizer_is_left_alone_and_what_a_prompt_gives_does_not_depend_on_its_batch() -> None:
    decoder, given = make(), batch()
    before = {name: value.clone() for name, value in decoder.tokenizer.state_dict().items()}
    decoder.loss(given, tick()).total.backward()
    assert all(parameter.grad is None for parameter in decoder.tokenizer.parameters())
    assert all(torch.equal(value, before[name]) for name, value in decoder.tokenizer.state_dict().items())
    assert not any(name.startswith("_frozen") for name in decoder.state_dict())
    every = codes(decoder, 6)
    with torch.no_grad():
        whole = decoder.decode(every, given["text"], given["text_mask"])
        alone = decoder.decode(every[3:4], given["text"][3:4], given["text_mask"][3:4])
    torch.testing.assert_close(alone, whole[3:4], atol=1e-4, rtol=0)


@pytest.mark.parametrize("palette", ["", "ff00", "gg0000", "ff0000 1"])
def test_a_palette_that_is_none_is_refused(palette: str) -> None:
    with pytest.raises(ValueError, match="palette: expected colors of six hex digits"):
        make(replace(CONFIG, palette=palette))


def test_a_tokenizer_without_matte_or_trunk_is_refused() -> None:
    for tokenizer in (replace(TOKENIZER, channels=3), replace(TOKENIZER, widths=())):
        with pytest.raises(ValueError, match="decoder: expected a tokenizer of four channels"):
            PaletteDecoder(CONFIG, tokenizer.build())
