"""Attention: both ways of computing it agree, masks hide, and ALiBi looks back only."""

from __future__ import annotations

import pytest
import torch

from storyreel.nn import attention
from storyreel.nn.attention import CrossAttention, PreNormBlock, SelfAttention, attend, causal_alibi


@pytest.mark.parametrize("kind", ["none", "scores", "mask"])
def test_the_short_way_equals_the_fused_kernel(kind: str, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, n, 8) for n in (5, 7, 7))
    masks = {"none": None, "scores": torch.randn(3, 5, 7), "mask": torch.rand(2, 1, 1, 7) > 0.4}
    masks["mask"][..., 0] = True  # type: ignore[index]
    short = attend(q, k, v, masks[kind])
    monkeypatch.setattr(attention, "SHORT", 0)
    torch.testing.assert_close(attend(q, k, v, masks[kind]), short)


@pytest.mark.parametrize("short", [0, 64], ids=["fused", "short"])
def test_under_autocast_a_bias_in_float32_is_no_trouble(short: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attention, "SHORT", short)
    torch.manual_seed(0)
    block, x = PreNormBlock(16, 2, 32), torch.randn(1, 9, 16)
    whole = block(x, causal_alibi(9, 2))
    with torch.autocast("cpu", torch.bfloat16):
        half = block(x, causal_alibi(9, 2))
    torch.testing.assert_close(half.float(), whole, atol=0.05, rtol=0.05)


def test_alibi_looks_back_only_and_less_the_further():
    bias = causal_alibi(4, 2)  # (heads, t, t)
    assert bias.shape == (2, 4, 4)
    assert bias.isneginf().equal(torch.ones(4, 4, dtype=torch.bool).triu(1).expand(2, 4, 4))
    torch.testing.assert_close(bias[0, 3], torch.tensor([-3.0, -2.0, -1.0, 0.0]) * 2**-4)
    torch.testing.assert_close(bias[1, 3], torch.tensor([-3.0, -2.0, -1.0, 0.0]) * 2**-8)
    torch.testing.assert_close(causal_alibi(6, 2)[:, :4, :4], bias)


def test_masked_words_do_not_count():
    torch.manual_seed(0)
    cross, x, text = CrossAttention(16, 2, 8), torch.randn(2, 5, 16), torch.randn(2, 4, 8)
    mask = torch.tensor([[True, True, False, False]] * 2)
    out = cross(x, cross.keys_values(text), mask)
    padded = torch.cat([text[:, :2], 100 * torch.randn(2, 7, 8)], 1)
    wide = torch.cat([mask[:, :2], torch.zeros(2, 7, dtype=torch.bool)], 1)
    torch.testing.assert_close(cross(x, cross.keys_values(padded), wide), out)
    torch.testing.assert_close(cross(x, cross.keys_values(text[:, :2]), mask[:, :2]), out)


def test_self_attention_ignores_the_order_of_tokens():
    torch.manual_seed(0)
    layer, x, order = SelfAttention(16, 4), torch.randn(2, 6, 16), torch.randperm(6)
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order])


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="heads: 3 does not divide dim 16"):
        SelfAttention(16, 3)


def test_a_block_without_text_has_no_cross_attention():
    names = {n.split(".")[0] for n, _ in PreNormBlock(16, 2, 32).named_parameters()}
    assert names == {"norm_self", "attention", "norm_mlp", "mlp"}
