"""Words that learn with a network: places, cuts, and names that files had before."""

from __future__ import annotations

import warnings

import pytest
import torch

from storyreel.nn.text_adapter import LearnedText
from storyreel.tensor_header import current_name
from storyreel.text import load_text_encoder

ENCODER = load_text_encoder("words:512")


def make(**settings: int) -> LearnedText:
    torch.manual_seed(0)
    return LearnedText(2, 64, **({"words": 512, "tokens": 12, "layers": 2} | settings)).eval()


def test_without_words_and_layers_the_states_are_as_they_were():
    plain = LearnedText(8, 64)
    text, mask = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    assert plain.dim == 8
    assert not list(plain.parameters())
    assert plain(text, mask)[0] is text


@torch.no_grad()
def test_who_does_what_changes_what_is_read():
    """The same words in another order: each word's state knows its neighbours and its place."""
    model = make()
    text, mask = model(*ENCODER(["a 3 moves up while a 5 moves left", "a 5 moves up while a 3 moves left"]))
    assert text.shape == (2, 10, 64)
    assert not torch.allclose(text[0].mean(0), text[1].mean(0), atol=1e-4), "not a bag of words"
    assert mask.all()


@torch.no_grad()
def test_padding_changes_nothing():
    model = make()
    alone, _ = model(*ENCODER(["a 3 moves up"]))
    beside, mask = model(*ENCODER(["a 3 moves up", "a 5 moves up and then down"]))
    assert mask[0].sum() == alone.shape[1]
    torch.testing.assert_close(beside[0, : alone.shape[1]], alone[0])


@torch.no_grad()
def test_more_words_than_places_are_cut_and_said_once():
    model = make(tokens=4)
    caption = ["a 3 moves up while a 5 moves left"]
    with pytest.warns(UserWarning, match="prompt: captions longer than 4 tokens are cut to 4"):
        text, mask = model(*ENCODER(caption))
    assert text.shape[1] == mask.shape[1] == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model(*ENCODER(caption))[0].equal(text)


def test_an_encoder_of_another_width_is_refused():
    with pytest.raises(ValueError, match="text_dim: the encoder words:512 is 2 wide, got 384"):
        LearnedText(384, 64, words=512, tokens=4)


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("words.weight", "learned_text.words.weight"),
        ("word_places", "learned_text.places"),
        ("learned_text.words.weight", "learned_text.words.weight"),
        ("learned_text.places", "learned_text.places"),
    ],
)
def test_names_of_files_that_were_written_before(former: str, now: str):
    assert current_name(former) == now
