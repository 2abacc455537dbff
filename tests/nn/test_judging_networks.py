"""Inception, C3D and CLIP have the published sizes and do the published sums; weights here are random."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.nn.c3d import C3D, FRAMES, SIDE
from storyreel.nn.clip import ClipConfig, TowerConfig, vision_network
from storyreel.nn.inception import InceptionV3

N = TypeVar("N", bound=torch.nn.Module)


def count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def shaken(net: N) -> N:
    """Other values wherever a fresh layer has zeros or ones."""
    rng = torch.Generator().manual_seed(0)
    for name, tensor in net.state_dict().items():
        if "running_var" in name:
            tensor.uniform_(0.5, 1.5, generator=rng)
        elif tensor.is_floating_point() and tensor.ndim == 1:
            tensor.add_(torch.randn(tensor.shape, generator=rng) * 0.1)
    return net.eval()


def test_inception_has_the_published_size():
    """torchvision's 27,161,264 less its auxiliary head (3,326,696), with 1008 classes for 1000."""
    with torch.device("meta"):
        assert count(InceptionV3()) == 27_161_264 - 3_326_696 + 8 * 2049


@torch.inference_mode()
def test_inception_is_wired_as_in_the_archive():
    torch.manual_seed(0)
    net = shaken(InceptionV3())
    x = torch.rand(1, 3, 299, 299) * 2 - 1
    assert torch.allclose(net(x), slow_inception(net.state_dict(), x), atol=1e-4)
    features = net(x)
    assert torch.allclose(net.logits(features), F.linear(features, net.fc.weight, net.fc.bias) - net.fc.bias, atol=1e-4)


def slow_inception(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """The graph written down a second time, as TensorFlow's archive lists it: batch norm by its formula."""

    def conv(name: str, x: Tensor, stride: int = 1, same: bool = True) -> Tensor:
        kernel, bn = w[f"{name}.conv.weight"], f"{name}.bn."
        pad = [(k - 1) // 2 if same else 0 for k in kernel.shape[2:]]
        x = F.conv2d(x, kernel, stride=stride, padding=pad)
        scale = w[bn + "weight"] / (w[bn + "running_var"] + 1e-3).sqrt()
        shift = w[bn + "bias"] - w[bn + "running_mean"] * scale
        return (x * scale[:, None, None] + shift[:, None, None]).clamp(min=0)

    def chain(prefix: str, names: str, x: Tensor) -> Tensor:
        for name in names.split():
            x = conv(f"{prefix}.{name}", x)
        return x

    def mean(x: Tensor) -> Tensor:
        ones = F.avg_pool2d(torch.ones_like(x), 3, 1, 1)  # what share of each window is inside
        return F.avg_pool2d(x, 3, 1, 1) / ones

    x = conv("Conv2d_1a_3x3", x, 2, same=False)
    x = conv("Conv2d_2b_3x3", conv("Conv2d_2a_3x3", x, same=False))
    x = conv("Conv2d_4a_3x3", conv("Conv2d_3b_1x1", F.max_pool2d(x, 3, 2)), same=False)
    x = F.max_pool2d(x, 3, 2)
    for m in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
        double = chain(m, "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3", x)
        five = chain(m, "branch5x5_1 branch5x5_2", x)
        x = torch.cat([chain(m, "branch1x1", x), five, double, chain(m, "branch_pool", mean(x))], 1)
    m = "Mixed_6a"
    double = conv(f"{m}.branch3x3dbl_3", chain(m, "branch3x3dbl_1 branch3x3dbl_2", x), 2, same=False)
    x = torch.cat([conv(f"{m}.branch3x3", x, 2, same=False), double, F.max_pool2d(x, 3, 2)], 1)
    for m in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        seven = chain(m, "branch7x7_1 branch7x7_2 branch7x7_3", x)
        double = chain(m, " ".join(f"branch7x7dbl_{i}" for i in range(1, 6)), x)
        x = torch.cat([chain(m, "branch1x1", x), seven, double, chain(m, "branch_pool", mean(x))], 1)
    m = "Mixed_7a"
    three = conv(f"{m}.branch3x3_2", chain(m, "branch3x3_1", x), 2, same=False)
    seven = conv(f"{m}.branch7x7x3_4", chain(m, "branch7x7x3_1 branch7x7x3_2 branch7x7x3_3", x), 2, same=False)
    x = torch.cat([three, seven, F.max_pool2d(x, 3, 2)], 1)
    for m in ("Mixed_7b", "Mixed_7c"):
        three, double = chain(m, "branch3x3_1", x), chain(m, "branch3x3dbl_1 branch3x3dbl_2", x)
        pooled = F.max_pool2d(x, 3, 1, 1) if m == "Mixed_7c" else mean(x)
        parts = [chain(m, "branch1x1", x), chain(m, "branch3x3_2a", three), chain(m, "branch3x3_2b", three)]
        parts += [chain(m, "branch3x3dbl_3a", double), chain(m, "branch3x3dbl_3b", double)]
        x = torch.cat([*parts, chain(m, "branch_pool", pooled)], 1)
    return x.mean((2, 3))


def test_c3d_has_the_published_size():
    """27.66 M in the convolutions (Tran et al. 2015, Section 3.2), 78.41 M with the head for 101 classes."""
    with torch.device("meta"):
        net = C3D()
    assert count(net) == 78_409_573
    assert sum(p.numel() for n, p in net.named_parameters() if n.startswith("conv")) == 27_655_936


@torch.inference_mode()
def test_c3d_is_wired_as_in_caffe():
    """Narrow, so that it is quick: the same layers by F.conv3d, and pools that round up, by NumPy."""
    torch.manual_seed(0)
    net = C3D(classes=5, widths=(2, 3, 4, 5), features=7).eval()
    net.mean.uniform_(80, 110)
    video = torch.randint(0, 256, (1, 3, FRAMES, SIDE, SIDE)).float()
    w = net.state_dict()
    x = video[:, [2, 1, 0]] - w["mean"]
    plan = "conv1a:1 conv2a:2 conv3a conv3b:2 conv4a conv4b:2 conv5a conv5b:2"
    for name, _, depth in (item.partition(":") for item in plan.split()):
        x = F.conv3d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1).clamp(min=0)
        if depth:
            x = torch.from_numpy(pooled_up(x.numpy(), (int(depth), 2, 2)))
    assert x.shape == (1, 5, 1, 4, 4)
    x = x.flatten(1)
    for name in ("fc6", "fc7"):
        x = (x @ w[f"{name}.weight"].T + w[f"{name}.bias"]).clamp(min=0)
    assert torch.allclose(net.features(video), x, rtol=1e-4, atol=1e-5)
    assert torch.allclose(net(video), x @ w["fc8.weight"].T + w["fc8.bias"], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"C3D expects \(b, 3, 16, 112, 112\), got \(1, 3, 8, 112, 112\)"):
        net(video[:, :, :8])


def pooled_up(x: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
    for axis, s in enumerate(size, 2):
        starts = np.arange(0, x.shape[axis], s)
        x = np.maximum.reduceat(x, starts, axis=axis)
    return x


def test_clip_has_the_published_size():
    """The pictures' side of ViT-B/32: of 151,277,313 parameters, 87,849,216 of the tower and its projection."""
    with torch.device("meta"):
        assert count(vision_network(ClipConfig().vision, 512)) == 87_849_216


def test_clip_says_what_is_wrong():
    with pytest.raises(ValueError, match="hidden_act: expected quick_gelu or gelu, got 'relu'"):
        TowerConfig(hidden_act="relu")
    small = TowerConfig(
        hidden_size=24, intermediate_size=32, num_hidden_layers=1, num_attention_heads=3, image_size=16, patch_size=4
    )
    with pytest.raises(ValueError, match=r"Input image size \(8\*8\) doesn't match model \(16\*16\)"):
        vision_network(small, 8).vision_model(torch.zeros(1, 3, 8, 8))
