"""Noise laws by name: the distribution of the log-SNRs that a network is trained at. A recipe names one.

    cosine                 Nichol & Dhariwal 2021; Imagen Video
    edm                    ln sigma ~ N(-1.2, 1.2^2), Karras et al. 2022, Table 1
    svd-*                  Stable Video Diffusion's stages, 2311.15127, Appendix D (those of its second part follow on
                           one another: the larger the frames, the more noise)
    svd-augmentation       of the picture that an image-to-video network is given, which is noised too (Appendix D.4)

A network reads noisy videos at deviation one and their log-SNR, so that the family of levels makes no difference to it:
a law of sigmas trains a variance preserving network just as well, at the log-SNRs of those sigmas.
"""

from __future__ import annotations

from dataclasses import replace

from storyreel.diffusion.schedules import Cosine, LogNormal

LAWS: dict[str, Cosine | LogNormal] = {
    "cosine": Cosine(),
    "edm": LogNormal(-1.2, 1.2),
    "svd-images": LogNormal(-1.2, 1.0),
    "svd-videos": LogNormal(0.0, 1.0),
    "svd-text-to-video": LogNormal(0.5, 1.4),
    "svd-image-to-video": LogNormal(0.7, 1.6),
    "svd-image-to-video-large": LogNormal(1.0, 1.6),
    "svd-interpolation": LogNormal(1.0, 1.2),
    "svd-augmentation": LogNormal(-3.0, 0.5),
}


def check_law(name: str) -> None:
    """ValueError for a name that is not there."""
    if name not in LAWS:
        raise ValueError(f"noise: expected one of {', '.join(LAWS)}, got {name!r}")


def preserving_law(name: str, shift: float = 0.0) -> Cosine | LogNormal:
    """The law of this name with variance preserving levels, all log-SNRs moved by `shift` (below zero: noisier).

    ValueError for a name that is not there.
    """
    check_law(name)
    law = LAWS[name]
    if isinstance(law, Cosine):
        return replace(law, shift=law.shift + shift)
    return replace(law, mean=law.mean - shift / 2, exploding=False)
