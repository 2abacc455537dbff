"""The published weights that extractors read: where they come from, what they are called, how they are checked.

A digest stands here only where it could be taken from a public source that printed it; None says that it is not known,
and such a file is downloaded only when that is asked for (`storyreel models fetch NAME --unverified`).
Most files are published as pickles, which this package never opens; `WeightFile.opened` is what their owner converts
them to (the error that asks for it prints the command).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from storyreel.names import expanded
from storyreel.wording import suggestion

HUB = "https://huggingface.co"
CLIP_B32 = f"{HUB}/openai/clip-vit-base-patch32/resolve/3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"
CLIP_L14 = f"{HUB}/openai/clip-vit-large-patch14/resolve/32bd64288804d66eefd0ccbe215aa642df71cc41"
OPEN_SORA = f"{HUB}/spaces/LanguageBind/Open-Sora-Plan-v1.0.0/resolve/810fa8c4bdb3a4c8eec9bd57375c29bde6fb46de"
INCEPTION = "weights-inception-2015-12-05-6726825d"
VIDEOMAE = "vit_g_hybrid_pt_1200e_ssv2_ft"


@dataclass(frozen=True)
class WeightFile:
    """One file as it is published."""

    name: str
    url: str
    sha256: str | None  # of the published bytes; None: nobody is known to have printed it
    size: int | None  # bytes
    opened: str = ""  # the file that is read, where the published one is a pickle

    @property
    def read(self) -> str:
        return self.opened or self.name

    @property
    def moving(self) -> bool:
        """Whether the address names a branch, behind which there may be another file tomorrow."""
        return "/resolve/main/" in self.url


@dataclass(frozen=True)
class ExtractorWeights:
    """What one extractor needs."""

    name: str
    files: tuple[WeightFile, ...]
    licence: str
    about: str
    mirrors: tuple[str, ...] = ()  # the same weights elsewhere, to be fetched by hand

    @property
    def size(self) -> int | None:
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size)


ENTRIES = {
    entry.name: entry
    for entry in (
        ExtractorWeights(
            name="i3d-k400",
            files=(WeightFile(
                "i3d_pretrained_400.pt", f"{OPEN_SORA}/opensora/eval/fvd/videogpt/i3d_pretrained_400.pt", None, None,
                "i3d_pretrained_400.safetensors",
            ),),
            licence="Apache-2.0 (deepmind/kinetics-i3d)",
            about="I3D of TF-Hub (deepmind/i3d-kinetics-400/1), which FVD is defined on, converted by VideoGPT. "
            "rgb_imagenet.pt of piergiaj has the same names and other weights: FVD differs with it",
            mirrors=(f"{HUB}/flateon/FVD-I3D-torchscript (TorchScript, sha256 bec6519f66ea534e953026b4ae2c65553c17bf10"
                     "5611c746d904657e5860a5e2: nearly the same FVD, not readable here)",),
        ),
        ExtractorWeights(
            name="inception-2015",
            files=(WeightFile(
                f"{INCEPTION}.pth",
                f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{INCEPTION}.pth",
                "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2", 95_628_359,
                f"{INCEPTION}.safetensors",
            ),),
            licence="Apache-2.0 (TensorFlow's inception-2015-12-05, converted by torch-fidelity and pytorch-fid)",
            about="Inception-v3 as FID, KID and the Inception Score of frames use it",
            mirrors=("https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
                     "pt_inception-2015-12-05-6726825d.pth (the same bytes)",),
        ),
        ExtractorWeights(
            name="c3d-ucf101",
            files=tuple(WeightFile(name, f"https://github.com/rezoo/tgan2/releases/download/v1.0/{name}", None, None)
                        for name in ("conv3d_deepnetA_ucf.npz", "mean2.npz")),
            licence="not stated with the file (C3D of Facebook, converted by the authors of TGANv2)",
            about="C3D, Sports-1M then UCF-101, for the Inception Score of videos",
        ),
        ExtractorWeights(
            name="videomae-ssv2",
            files=(WeightFile(
                f"{VIDEOMAE}.pth", f"{HUB}/OpenGVLab/InternVideoMAE_models/resolve/main/mae-g/{VIDEOMAE}.pth",
                None, None, f"{VIDEOMAE}.safetensors",
            ),),
            licence="not stated with the file (VideoMAE V2 of OpenGVLab; its code is MIT)",
            about="VideoMAE V2 ViT-g/14, fine-tuned on Something-Something V2: the content-debiased FVD "
            "(cd-fvd). 4 GB; 1.01 B parameters, so seconds a clip on a CPU",
        ),
        ExtractorWeights(
            name="clip-vit-b-32",
            files=(
                WeightFile("pytorch_model.bin", f"{CLIP_B32}/pytorch_model.bin",
                           "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f", 605_247_071,
                           "model.safetensors"),
                WeightFile("config.json", f"{CLIP_B32}/config.json",
                           "b575ef3c36f2a057fa19e221650105052d61cc9c1a972ec15019c6261ec98770", 4_186),
                WeightFile("tokenizer.json", f"{CLIP_B32}/tokenizer.json",
                           "b556ac8c99757ffb677208af34bc8c6721572114111a6e0aaf5fa69ff0b8d842", 2_224_041),
            ),
            licence="MIT (openai/CLIP; the Hugging Face page states none)",
            about="CLIP ViT-B/32: CLIPSIM, RM and R-precision as GODIVA and NUWA measured them",
        ),
        ExtractorWeights(
            name="clip-vit-l-14",
            files=(
                WeightFile("model.safetensors", f"{CLIP_L14}/model.safetensors",
                           "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb", 1_710_540_580),
                WeightFile("config.json", f"{CLIP_L14}/config.json",
                           "8a09b467700c58138c29d53c605b34ebc69beaadd13274a8a2af8ad2c2f4032a", 4_519),
                WeightFile("tokenizer.json", f"{CLIP_L14}/tokenizer.json",
                           "a83e0809aa4c3af7208b2df632a7a69668c6d48775b3c3fe4e1b1199d1f8b8f4", 2_224_003),
            ),
            licence="MIT (openai/CLIP)",
            about="CLIP ViT-L/14, for curation and for papers that used it",
        ),
    )
}  # fmt: skip


def entry(name: str) -> ExtractorWeights:
    """The weights of this name. ValueError suggests the nearest."""
    if name not in ENTRIES:
        raise ValueError(f"weights: none are called {name!r}; {suggestion(name, ENTRIES)}")
    return ENTRIES[name]


def weights_folder(name: str) -> Path:
    """Where the files of this entry are put and looked for: $STORYREEL_WEIGHTS/NAME, or the user's cache folder."""
    if own := os.environ.get("STORYREEL_WEIGHTS"):
        return expanded(own) / name
    import platformdirs

    return Path(platformdirs.user_cache_dir("storyreel")) / "weights" / name


def find_weights(name: str, weights: Path | None = None) -> dict[str, Path]:
    """What is to be read: published name -> path of each file of the entry, all of them there.

    weights: a folder that holds them, or the file itself where there is only one.
    ValueError in one line: which file is missing, its address, its digest, and where to put it.
    """
    registered = entry(name)
    if weights is not None and not weights.is_dir():
        first, *others = registered.files
        if others:
            names = ", ".join(file.read for file in registered.files)
            raise ValueError(f"{weights}: expected a folder with {names}, the weights of {name}")
        if not weights.is_file():
            raise ValueError(f"{weights}: is missing")
        refuse_pickle(weights)
        return {first.name: weights}
    folder = weights_folder(name) if weights is None else weights
    for file in registered.files:
        if (folder / file.read).is_file():
            continue
        refuse_pickle(folder / file.name, folder / file.read)
        digest = file.sha256 or "not published"
        how = "" if file.sha256 else " --unverified"
        then = f", then convert it to {file.opened}" if file.opened else ""
        raise ValueError(
            f"extractor {name}: its weights are not here; `storyreel models fetch {name}{how}` gets them, "
            f"or put {file.url} (sha256 {digest}) at {folder / file.name}{then}"
        )
    return {file.name: folder / file.read for file in registered.files}


def refuse_pickle(path: Path, target: Path | None = None) -> None:
    """ValueError with the command that converts it, where `path` is a pickle that is there."""
    from storyreel.tensor_header import PICKLES

    if path.suffix in PICKLES and path.is_file():
        raise ValueError(
            f"{path}: is a pickle, which can run code when it is opened; convert it once: {conversion(path, target)}"
        )


def conversion(path: Path, target: Path | None = None) -> str:
    """The command that turns a pickled state dict into safetensors; `weights_only` keeps torch from running code."""
    target = target or path.with_suffix(".safetensors")
    script = (
        "import sys, torch; from safetensors.torch import save_file; "
        "tensors = torch.load(sys.argv[1], map_location='cpu', weights_only=True); "
        "tensors = tensors.get('module', tensors.get('model', tensors)); "
        "save_file({name: t.contiguous().clone() for name, t in tensors.items()}, sys.argv[2])"
    )
    return f'python -c "{script}" {path} {target}'
