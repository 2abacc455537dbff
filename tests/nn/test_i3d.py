"""I3D has the published layout, size and padding; weights are made up, in files with the published names."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import save_file

from storyreel.nn.i3d import ENDPOINTS, I3D, load_i3d, same

# Channels of Inception-v1 (Szegedy et al. 2015, Table 1): in, 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5 (here 3x3), pool.
TABLE = {
    "3b": (192, 64, 96, 128, 16, 32, 32),
    "3c": (256, 128, 128, 192, 32, 96, 64),
    "4b": (480, 192, 96, 208, 16, 48, 64),
    "4c": (512, 160, 112, 224, 24, 64, 64),
    "4d": (512, 128, 128, 256, 24, 64, 64),
    "4e": (512, 112, 144, 288, 32, 64, 64),
    "4f": (528, 256, 160, 320, 32, 128, 128),
    "5b": (832, 256, 160, 320, 32, 128, 128),
    "5c": (832, 384, 192, 384, 48, 128, 128),
}


def units() -> dict[str, tuple[int, int, int]]:
    """name -> (in, out, kernel) of every convolution with batch norm."""
    found = {"Conv3d_1a_7x7": (3, 64, 7), "Conv3d_2b_1x1": (64, 64, 1), "Conv3d_2c_3x3": (64, 192, 3)}
    for name, (into, a, b1, b, c1, c, d) in TABLE.items():
        branches = dict(b0=(into, a, 1), b1a=(into, b1, 1), b1b=(b1, b, 3), b2a=(into, c1, 1), b2b=(c1, c, 3))
        found |= {f"Mixed_{name}.{k}": v for k, v in {**branches, "b3b": (into, d, 1)}.items()}
    return found


def published(classes: int) -> dict[str, torch.Tensor]:
    """Random weights with the names and shapes of the published file, which has no num_batches_tracked."""
    rng = torch.Generator().manual_seed(0)
    made = {}
    for name, (into, out, k) in units().items():
        made[f"{name}.conv3d.weight"] = torch.randn(out, into, k, k, k, generator=rng) * (2 / (into * k**3)) ** 0.5
        for part in ("weight", "bias", "running_mean", "running_var"):
            made[f"{name}.bn.{part}"] = torch.full((out,), 1.0 if part in ("weight", "running_var") else 0.0)
    made["logits.conv3d.weight"] = torch.randn(classes, 1024, 1, 1, 1, generator=rng) / 32
    made["logits.conv3d.bias"] = torch.zeros(classes)
    return made


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("i3d") / "rgb.safetensors"
    save_file(published(7), path)
    return path


@pytest.fixture(scope="module")
def net(checkpoint) -> I3D:
    return load_i3d(checkpoint)


def test_published_names_shapes_and_count():
    with torch.device("meta"):
        net = I3D()
        wanted = {n: tuple(t.shape) for n, t in published_shapes(400).items()}
    found = {n: tuple(t.shape) for n, t in net.state_dict().items() if not n.endswith("num_batches_tracked")}
    assert found == wanted
    convolutions = sum(into * out * k**3 + 2 * out for into, out, k in units().values())
    logits = 1024 * 400 + 400
    assert sum(p.numel() for p in net.parameters()) == convolutions + logits == 12_697_264


def published_shapes(classes: int) -> dict[str, torch.Tensor]:
    shapes = {}
    for name, (into, out, k) in units().items():
        shapes[f"{name}.conv3d.weight"] = torch.empty(out, into, k, k, k)
        shapes |= {f"{name}.bn.{part}": torch.empty(out) for part in ("weight", "bias", "running_mean", "running_var")}
    last = {"weight": torch.empty(classes, 1024, 1, 1, 1), "bias": torch.empty(classes)}
    return shapes | {f"logits.conv3d.{n}": t for n, t in last.items()}


def test_a_published_file_is_read_whole(net, checkpoint):
    tensors = published(7)
    assert torch.equal(net.get_submodule("Mixed_4e.b2b.conv3d").weight, tensors["Mixed_4e.b2b.conv3d.weight"])
    assert torch.equal(net.logits.conv3d.weight, tensors["logits.conv3d.weight"])
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())


def test_reading_draws_no_random_numbers(checkpoint):
    before = torch.get_rng_state()
    load_i3d(checkpoint)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_that_lacks_something_is_refused(tmp_path):
    tensors = published(7)
    del tensors["Mixed_5c.b3b.bn.running_var"]
    save_file(tensors, tmp_path / "cut.safetensors")
    with pytest.raises(ValueError, match=r"cut.safetensors: lacks 'Mixed_5c.b3b.bn.running_var'"):
        load_i3d(tmp_path / "cut.safetensors")


@pytest.mark.parametrize(("frames", "size"), [(1, 32), (11, 40)])
def test_every_stride_rounds_up(net, frames, size):
    """TensorFlow's SAME: ceil(size / stride), whatever the size."""
    found = dict(net.endpoints(torch.randn(1, 3, frames, size, size), "Mixed_5c"))
    assert list(found) == list(ENDPOINTS[:-2])
    for name, strides in {
        "Conv3d_1a_7x7": (2, 2),
        "Mixed_3c": (2, 8),
        "Mixed_4f": (4, 16),
        "Mixed_5c": (8, 32),
    }.items():
        f, s = (math.ceil(n / k) for n, k in zip((frames, size), strides, strict=True))
        assert found[name].shape[2:] == (f, s, s), name


def test_logits_are_the_mean_over_time(net):
    video = torch.randn(2, 3, 17, 32, 32, generator=torch.Generator().manual_seed(1))
    scores = net.features(video, "Logits")
    assert scores.shape == (2, 7, 2, 1, 1)  # 3 frames of features, pooled by twos
    torch.testing.assert_close(net(video), scores[..., 0, 0].mean(2))


def test_features_stop_where_they_are_asked_to(net):
    video = torch.randn(1, 3, 4, 32, 32)
    assert net.features(video, "Conv3d_2c_3x3").shape == (1, 192, 2, 8, 8)
    assert net.features(video, "Mixed_4b").shape[1] == 512
    with pytest.raises(ValueError, match="upto: expected one of"):
        net.features(video, "Mixed_9z")
    with pytest.raises(ValueError, match="video: expected"):
        net.features(video[:, :1], "Mixed_3b")


def test_padding_is_more_at_the_end():
    """Kernel 7, stride 2: an even size is padded by 2 and 3, an odd one by 3 and 3 (as in TensorFlow)."""
    x = torch.ones(1, 1, 8, 7, 1)
    padded = same(x, (7, 7, 1), (2, 2, 1))[0, 0, :, :, 0]
    assert padded.shape == (13, 13)
    assert [i for i, row in enumerate(padded) if row.any()] == list(range(2, 10))
    assert [i for i, column in enumerate(padded.T) if column.any()] == list(range(3, 10))


def test_the_first_layer_sees_seven_frames(net):
    """Frame 0 of an even clip reaches the outputs whose window, 2 i - 2 ... 2 i + 4, holds it: 0 and 1."""
    video = torch.randn(1, 3, 8, 8, 8)
    other = video.clone()
    other[:, :, 0] += 1
    one, two = net.features(video, "Conv3d_1a_7x7"), net.features(other, "Conv3d_1a_7x7")
    changed = [bool((one[:, :, i] != two[:, :, i]).any()) for i in range(4)]
    assert changed == [True, True, False, False]
