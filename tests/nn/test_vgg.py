"""VGG16's trunk has torchvision's layout; the distance is LPIPS with equal weights."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from storyreel.nn.vgg import VGG16, feature_distance, load_vgg

# torchvision's vgg16().features: index of each convolution -> (in, out)
LAYOUT = {
    0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
    17: (256, 512), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512),
}  # fmt: skip


def published() -> dict[str, torch.Tensor]:
    rng, made = torch.Generator().manual_seed(0), {}
    for index, (into, out) in LAYOUT.items():
        made[f"features.{index}.weight"] = torch.randn(out, into, 3, 3, generator=rng) * (2 / (9 * into)) ** 0.5
        made[f"features.{index}.bias"] = torch.zeros(out)
    return made


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> VGG16:
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    save_file({**published(), "classifier.6.bias": torch.zeros(1000)}, path)  # the classifier is passed over
    return load_vgg(path)


def test_a_published_file_is_read_whole(net):
    assert torch.equal(net.get_submodule("features.28").weight, published()["features.28.weight"])
    assert sum(p.numel() for p in net.parameters()) == 14_714_688
    assert not any(p.requires_grad for p in net.parameters())


def test_other_layouts_are_refused(tmp_path):
    save_file({f"net.{n}": t for n, t in published().items()}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other.safetensors: lacks 'features.0.weight'"):
        load_vgg(tmp_path / "other.safetensors")


def test_taps_are_after_the_last_relu_of_each_scale(net):
    found = net(torch.zeros(1, 3, 32, 32))
    assert [tuple(x.shape[1:]) for x in found] == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2)]
    assert all(bool((x >= 0).all()) for x in found)


def test_the_input_is_normalised(net):
    """The mean colour of ImageNet is zero to the network; with no biases so is everything after it."""
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None] * 2 - 1
    assert net(mean.expand(1, 3, 16, 16))[0].abs().max() < 1e-5
    assert net(torch.ones(1, 3, 16, 16))[0].abs().max() > 0.1


def test_distance_is_of_directions():
    a, b = torch.tensor([3.0, 4.0])[None, :, None, None], torch.tensor([4.0, -3.0])[None, :, None, None]
    assert feature_distance([a], [5 * a]) < 1e-12
    torch.testing.assert_close(feature_distance([a, a], [b, -b]), torch.tensor(4.0))  # at right angles: 2 each
    torch.testing.assert_close(feature_distance([a], [-a]), torch.tensor(4.0))
