"""Inception-v3 as FID uses it: the network of TensorFlow's archive `inception-2015-12-05`, not torchvision's.

Heusel et al. 2017, https://arxiv.org/abs/1706.08500 (FID); Szegedy et al. 2015, https://arxiv.org/abs/1512.00567.
Differs from torchvision's in what the archive does: average pools leave the padding out of the mean, the last block
pools with a maximum, there are 1008 classes and no auxiliary head. The names of the weights are those of the file that
everybody uses, `weights-inception-2015-12-05-6726825d.pth` of torch-fidelity (the same bytes as pytorch-fid's):

    Conv2d_1a_3x3.conv.weight   Conv2d_1a_3x3.bn.{weight,bias,running_mean,running_var}
    Mixed_5b.branch1x1.conv.weight ...   fc.{weight,bias}

No weights come with this package.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES, FEATURES = 1008, 2048


class InceptionV3(nn.Module):
    """Pictures (n, 3, 299, 299) in [-1, 1) -> pool3 features (n, 2048), and logits (n, 1008)."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvUnit(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = ConvUnit(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvUnit(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = ConvUnit(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvUnit(80, 192, 3)
        self.Mixed_5b = BlockA(192, 32)
        self.Mixed_5c = BlockA(256, 64)
        self.Mixed_5d = BlockA(288, 64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(128)
        self.Mixed_6c = BlockC(160)
        self.Mixed_6d = BlockC(160)
        self.Mixed_6e = BlockC(192)
        self.Mixed_7a = BlockD()
        self.Mixed_7b = BlockE(1280)
        self.Mixed_7c = BlockE(2048, maximum=True)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """The features of pool3 (n, 2048), in which FID and KID measure."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = F.max_pool2d(x, 3, stride=2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = self.get_submodule(f"Mixed_{name}")(x)
        return x.mean((2, 3))

    def logits(self, features: Tensor) -> Tensor:
        """(n, 1008) without the bias: so the Inception Score has been computed since its first code."""
        return features @ self.fc.weight.T


class ConvUnit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def row(channels: int, width: int, length: int) -> ConvUnit:
    """A 1 x length convolution that keeps the size."""
    return ConvUnit(channels, width, (1, length), padding=(0, length // 2))


def column(channels: int, width: int, length: int) -> ConvUnit:
    return ConvUnit(channels, width, (length, 1), padding=(length // 2, 0))


def average(x: Tensor) -> Tensor:
    """3x3 means of the pixels that are there: the archive does not count the padding."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class BlockA(nn.Module):
    """35x35: 1x1; 5x5; twice 3x3; pooled."""

    def __init__(self, channels: int, pooled: int):
        super().__init__()
        self.branch1x1 = ConvUnit(channels, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = ConvUnit(channels, 48, 1), ConvUnit(48, 64, 5, padding=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = ConvUnit(channels, 64, 1), ConvUnit(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvUnit(96, 96, 3, padding=1)
        self.branch_pool = ConvUnit(channels, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        five = self.branch5x5_2(self.branch5x5_1(x))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(average(x))], 1)


class BlockB(nn.Module):
    """35x35 to 17x17."""

    def __init__(self, channels: int):
        super().__init__()
        self.branch3x3 = ConvUnit(channels, 384, 3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = ConvUnit(channels, 64, 1), ConvUnit(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvUnit(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, stride=2)], 1)


class BlockC(nn.Module):
    """17x17: 1x1; 7x7 as a row and a column; that twice; pooled."""

    def __init__(self, inner: int, channels: int = 768):
        super().__init__()
        self.branch1x1 = ConvUnit(channels, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = ConvUnit(channels, inner, 1), row(inner, inner, 7)
        self.branch7x7_3 = column(inner, 192, 7)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = ConvUnit(channels, inner, 1), column(inner, inner, 7)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = row(inner, inner, 7), column(inner, inner, 7)
        self.branch7x7dbl_5 = row(inner, 192, 7)
        self.branch_pool = ConvUnit(channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(average(x))], 1)


class BlockD(nn.Module):
    """17x17 to 8x8."""

    def __init__(self, channels: int = 768):
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = ConvUnit(channels, 192, 1), ConvUnit(192, 320, 3, stride=2)
        self.branch7x7x3_1, self.branch7x7x3_2 = ConvUnit(channels, 192, 1), row(192, 192, 7)
        self.branch7x7x3_3, self.branch7x7x3_4 = column(192, 192, 7), ConvUnit(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, F.max_pool2d(x, 3, stride=2)], 1)


class BlockE(nn.Module):
    """8x8: 1x1; a row beside a column; that after a 3x3; pooled, by the maximum in the archive's last block."""

    def __init__(self, channels: int, maximum: bool = False):
        super().__init__()
        self.maximum = maximum
        self.branch1x1 = ConvUnit(channels, 320, 1)
        self.branch3x3_1 = ConvUnit(channels, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = row(384, 384, 3), column(384, 384, 3)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = ConvUnit(channels, 448, 1), ConvUnit(448, 384, 3, padding=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = row(384, 384, 3), column(384, 384, 3)
        self.branch_pool = ConvUnit(channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self.maximum else average(x)
        parts = [
            self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three), self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double), self.branch_pool(pooled),
        ]  # fmt: skip
        return torch.cat(parts, 1)
