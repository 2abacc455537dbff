"""C3D (Tran et al. 2015), https://arxiv.org/abs/1412.0767, as the Inception Score of videos uses it.

Pre-trained on Sports-1M, fine-tuned on UCF-101 (101 classes). The layers are those of the published Caffe model, whose
pools round up: 7x7 becomes 4x4 before fc6. Many PyTorch ports pad there instead, and so look at other pixels.
The names of the weights are those of the layers: conv1a, conv2a, conv3a, conv3b, conv4a, conv4b, conv5a, conv5b, fc6,
fc7, fc8, each with `.weight` and `.bias`, and `mean`, the mean clip (3, 16, 112, 112) in the order blue, green, red.

No weights come with this package.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FRAMES, SIDE, FEATURES = 16, 112, 4096
LAYERS = {  # name: (which width, pooled afterwards: (time, height, width), or nothing)
    "conv1a": (0, (1, 2, 2)),
    "conv2a": (1, (2, 2, 2)),
    "conv3a": (2, None),
    "conv3b": (2, (2, 2, 2)),
    "conv4a": (3, None),
    "conv4b": (3, (2, 2, 2)),
    "conv5a": (3, None),
    "conv5b": (3, (2, 2, 2)),
}


class C3D(nn.Module):
    """Video (b, 3, 16, 112, 112), red, green, blue in 0 to 255 -> logits (b, classes) before the softmax."""

    def __init__(self, classes: int = 101, widths: tuple[int, ...] = (64, 128, 256, 512), features: int = FEATURES):
        super().__init__()
        channels = 3
        for name, (which, _) in LAYERS.items():
            self.add_module(name, nn.Conv3d(channels, widths[which], 3, padding=1))
            channels = widths[which]
        self.fc6 = nn.Linear(channels * 4 * 4, features)
        self.fc7 = nn.Linear(features, features)
        self.fc8 = nn.Linear(features, classes)
        self.register_buffer("mean", torch.zeros(3, FRAMES, SIDE, SIDE))

    mean: Tensor

    def forward(self, video: Tensor) -> Tensor:
        return self.fc8(self.features(video))

    def features(self, video: Tensor) -> Tensor:
        """The features of fc7 (b, 4096), after their ReLU. ValueError for a video of another shape."""
        expected = (3, FRAMES, SIDE, SIDE)
        if video.ndim != 5 or tuple(video.shape[1:]) != expected:
            raise ValueError(f"video: C3D expects (b, {', '.join(map(str, expected))}), got {tuple(video.shape)}")
        x = video.flip(1) - self.mean  # blue, green, red, as Caffe saw them
        for name, (_, pool) in LAYERS.items():
            x = F.relu(self.get_submodule(name)(x))
            if pool is not None:
                x = F.max_pool3d(x, pool, pool, ceil_mode=True)
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(1)))))
