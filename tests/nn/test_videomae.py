"""VideoMAE V2: the maths of transformers' VideoMAE, the published names, the published size."""

from __future__ import annotations

import pytest
import torch

from storyreel.nn.videomae import VideoMAE, VideoMAEConfig, sinusoids

NAMES = ("query", "key", "value")
SMALL = VideoMAEConfig(size=28, frames=4, patch=14, dim=32, depth=2, heads=4, mlp=64, classes=5)


def small() -> VideoMAE:
    torch.manual_seed(0)
    net = SMALL.build()
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return net.eval()


@torch.no_grad()
def test_the_same_weights_give_what_transformers_gives():
    transformers = pytest.importorskip("transformers")
    c = SMALL
    theirs = transformers.VideoMAEForVideoClassification(
        transformers.VideoMAEConfig(
            image_size=c.size, patch_size=c.patch, num_frames=c.frames, hidden_size=c.dim, num_hidden_layers=c.depth,
            num_attention_heads=c.heads, intermediate_size=c.mlp, num_labels=c.classes, use_mean_pooling=True,
            layer_norm_eps=1e-6,
        )
    ).eval()  # fmt: skip
    net = small()
    copied = {
        "videomae.embeddings.patch_embeddings.projection.weight": net.patch_embed.proj.weight,
        "videomae.embeddings.patch_embeddings.projection.bias": net.patch_embed.proj.bias,
        "fc_norm.weight": net.fc_norm.weight, "fc_norm.bias": net.fc_norm.bias,
        "classifier.weight": net.head.weight, "classifier.bias": net.head.bias,
    }  # fmt: skip
    ours = net.state_dict()
    for i in range(c.depth):
        layer, mine = f"videomae.encoder.layer.{i}.", f"blocks.{i}."
        q, k, v = ours[f"{mine}attn.qkv.weight"].chunk(3)
        copied |= {f"{layer}attention.attention.{n}.weight": w for n, w in zip(NAMES, (q, k, v), strict=True)}
        copied |= {
            f"{layer}attention.attention.query.bias": ours[f"{mine}attn.q_bias"],
            f"{layer}attention.attention.value.bias": ours[f"{mine}attn.v_bias"],
        }
        for there, here in (
            ("attention.output.dense", "attn.proj"), ("intermediate.dense", "mlp.fc1"), ("output.dense", "mlp.fc2"),
            ("layernorm_before", "norm1"), ("layernorm_after", "norm2"),
        ):  # fmt: skip
            copied |= {f"{layer}{there}.{x}": ours[f"{mine}{here}.{x}"] for x in ("weight", "bias")}
    wanted = {name for name, _ in theirs.named_parameters()}
    assert set(copied) == wanted
    theirs.load_state_dict(copied, strict=False)
    clips = torch.rand(2, 3, c.frames, c.size, c.size)
    torch.testing.assert_close(net(clips), theirs(clips.transpose(1, 2)).logits, atol=1e-5, rtol=1e-4)


def test_the_default_is_the_published_network():
    with torch.device("meta"):
        net = VideoMAEConfig().build()
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(1.01e9, rel=0.01)
    assert shapes["patch_embed.proj.weight"] == (1408, 3, 2, 14, 14)
    assert shapes["blocks.39.mlp.fc1.weight"] == (6144, 1408)
    assert shapes["blocks.0.attn.qkv.weight"] == (4224, 1408)
    assert shapes["head.weight"] == (174, 1408)
    assert "blocks.0.attn.qkv.bias" not in shapes


def test_places_are_sinusoids():
    table = sinusoids(7, 6)
    assert table[3, 2] == pytest.approx(torch.tensor(3 / 10000 ** (2 / 6)).sin().item(), abs=1e-6)
    assert table[3, 3] == pytest.approx(torch.tensor(3 / 10000 ** (2 / 6)).cos().item(), abs=1e-6)


def test_clips_of_another_shape():
    with pytest.raises(ValueError, match=r"expected \(b, 3, 4, 28, 28\), got \(1, 3, 5, 28, 28\)"):
        small()(torch.rand(1, 3, 5, 28, 28))
