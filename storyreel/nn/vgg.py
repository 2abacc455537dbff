"""VGG16 as a judge of pictures: the perceptual distance of LPIPS (Zhang et al. 2018), arXiv 1801.03924.

The names of the weights are those of torchvision's published VGG16, `features.0.weight` to `features.28.bias`; its
`classifier.*` may be in the file and is not read. No weights come with this package.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.tensor_file import copy_into, read_tensors

WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)  # 0 halves
TAPS = (3, 8, 15, 22, 29)  # relu1_2, relu2_2, relu3_3, relu4_3, relu5_3
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures in [0, 1]


class VGG16(nn.Module):
    """The convolutional trunk. Pictures (n, 3, h, w) in [-1, 1], at least 16 pixels a side."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in WIDTHS:
            if width:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """The features at the five taps, finest first."""
        if picture.ndim != 4 or picture.shape[1] != 3 or min(picture.shape[2:]) < 16:
            raise ValueError(f"picture: expected (n, 3, h, w) of at least 16x16, got {tuple(picture.shape)}")
        mean, std = (torch.tensor(v, device=picture.device)[:, None, None] for v in (MEAN, STD))
        x, found = ((picture.float() + 1) / 2 - mean) / std, []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in TAPS:
                found.append(x)
        return found


def feature_distance(one: list[Tensor], other: list[Tensor]) -> Tensor:
    """How far apart two lists of features are: a scalar, zero for equal ones, at most 4 a list entry.

    Each feature vector (along axis 1) is scaled to length 1; squared differences are summed over the channels, meaned
    over places and items, and summed over the list. This is LPIPS with every channel weighing one, which its authors
    call the baseline; their learned weights are not used.
    """
    total = one[0].new_zeros((), dtype=torch.float32)
    for a, b in zip(one, other, strict=True):
        a, b = F.normalize(a.float(), dim=1, eps=1e-8), F.normalize(b.float(), dim=1, eps=1e-8)
        total = total + (a - b).square().sum(1).mean()
    return total


def load_vgg(path: str | Path) -> VGG16:
    """The frozen trunk from a safetensors file with torchvision's names. ValueError says what the file lacks."""
    tensors = {n: t for n, t in read_tensors(Path(path)).items() if not n.startswith("classifier.")}
    with torch.device("meta"):  # draws no random numbers, so that a training run stays what it is
        net = VGG16()
    net = net.to_empty(device="cpu")
    copy_into(net.state_dict(), tensors, str(path))
    return net.requires_grad_(False).eval()
