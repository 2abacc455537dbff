"""One contender at one task, for `benchmarks/phenaki.py`: python FILE TASK ours|peer fp32|bf16 THREADS WARM-UPS.

Says {} when warm; then does one repetition a line "go" on stdin, and tells its memory at "end".
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from stand_ins import StandIns
from torch import Tensor, nn

SIZE, FRAMES, PATCH, TUBE, CODES = 64, 9, 8, 2, 1024
DIM, HEADS, TOKENIZER_DEPTH, PRIOR_DEPTH, TEXT_DIM, WORDS = 256, 8, 4, 6, 512, 16
BATCH, STEPS, GUIDANCE = 4, 18, 3.0
GRID, LATENTS = SIZE // PATCH, 1 + (FRAMES - 1) // TUBE

ABSENT = ("torchvision", "transformers", "accelerate", "cv2")  # the peer imports them; nothing of them runs here

IMPORTS = {
    "ours": ("storyreel.systems.phenaki", "storyreel.train.optim"),
    "peer": ("phenaki_pytorch", "phenaki_pytorch.optimizer"),
}

Work = Callable[[], object]


def text(b: int) -> Tensor:
    return torch.randn(b, WORDS, TEXT_DIM, generator=torch.Generator().manual_seed(2))


def video() -> Tensor:
    return torch.rand(BATCH, 3, FRAMES, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def codes() -> Tensor:
    return torch.randint(CODES, (BATCH, LATENTS, GRID, GRID), generator=torch.Generator().manual_seed(1))


# -- ours --------------------------------------------------------------------------------------------------------


def ours(task: str, autocast: Callable[[], Any]) -> tuple[nn.Module, Work]:
    from storyreel.recipe import Data, Optim, StageRecipe
    from storyreel.systems.base import Tick
    from storyreel.systems.phenaki import MaskGit, MaskGitConfig
    from storyreel.systems.phenaki_tokenizer import CViViTConfig
    from storyreel.train.optim import make_optimizers

    tokenizer = CViViTConfig(
        size=SIZE, patch=PATCH, tube=TUBE, dim=DIM, space_depth=TOKENIZER_DEPTH, time_depth=TOKENIZER_DEPTH,
        heads=HEADS, mlp=4 * DIM, num_codes=CODES, adversarial=0.0, image_perceptual=0.0, video_perceptual=0.0,
    ).build()  # fmt: skip
    if task == "tokenizer":
        prior = None
    else:
        prior = MaskGit(
            MaskGitConfig(
                latent_frames=LATENTS, dim=DIM, depth=PRIOR_DEPTH, heads=HEADS, mlp=4 * DIM, text_dim=TEXT_DIM,
                steps=STEPS, guidance=GUIDANCE, temperature=4.0,
            ),
            tokenizer,
        )  # fmt: skip
    tick = Tick(step=0, turn="main", rng=torch.Generator().manual_seed(0))
    mask = torch.ones(BATCH, WORDS, dtype=torch.bool)
    if task == "sample":
        assert prior is not None
        prior.eval().requires_grad_(False)
        rng, cond = torch.Generator().manual_seed(0), {"text": text(1), "text_mask": mask[:1]}

        def sample() -> Tensor:
            with torch.inference_mode(), autocast():
                return tokenizer.decode(prior.sample(cond, rng=[rng]))

        return nn.ModuleList([tokenizer, prior]), sample
    batches = {
        "tokenizer": {"video": video()},
        "prior": {"codes": codes().flatten(2)[..., None], "text": text(BATCH), "text_mask": mask},
    }
    stages: dict[str, Any] = {"tokenizer": tokenizer, "prior": prior}
    named = {n: (stages[n], batches[n]) for n in ("tokenizer", "prior") if task in (n, "both")}
    recipe = StageRecipe(data=Data(frames=FRAMES, size=SIZE), optim=Optim(), steps=1)
    works = []
    for stage, batch in named.values():
        (optimizer,) = make_optimizers(stage, dict(stage.named_parameters()), recipe, fused=True)
        works.append(_step(lambda s=stage, b=batch: s.loss(b, tick).total, optimizer, autocast))
    return nn.ModuleList([stage for stage, _ in named.values()]), lambda: [work() for work in works]


# -- the peer ----------------------------------------------------------------------------------------------------


def peer(task: str, autocast: Callable[[], Any]) -> tuple[nn.Module, Work]:
    from phenaki_pytorch import CViViT, MaskGit, Phenaki  # type: ignore[import-not-found]
    from phenaki_pytorch.optimizer import get_optimizer  # type: ignore[import-not-found]

    cvivit = CViViT(
        dim=DIM, codebook_size=CODES, image_size=SIZE, patch_size=PATCH, temporal_patch_size=TUBE,
        spatial_depth=TOKENIZER_DEPTH, temporal_depth=TOKENIZER_DEPTH, dim_head=DIM // HEADS, heads=HEADS,
        use_vgg_and_gan=False,
    )  # fmt: skip
    if task == "tokenizer":
        optimizer = get_optimizer(cvivit.parameters(), lr=1e-4)
        clips = video()
        return cvivit, _step(lambda: cvivit(clips), optimizer, autocast)
    maskgit = MaskGit(
        dim=DIM, num_tokens=CODES, max_seq_len=1024, dim_head=DIM // HEADS, heads=HEADS, depth=PRIOR_DEPTH,
        dim_context=TEXT_DIM,
    )  # fmt: skip
    phenaki = Phenaki(cvivit=cvivit, maskgit=maskgit, steps=STEPS, text_embed_dim=TEXT_DIM)
    if task == "sample":
        states = text(1)
        phenaki.encode_texts = lambda texts, output_device=None: states
        phenaki.eval().requires_grad_(False)

        def sample() -> Tensor:
            with torch.inference_mode(), autocast():
                return phenaki.sample(texts=["-"], num_frames=FRAMES, cond_scale=GUIDANCE)

        return nn.ModuleList([cvivit, maskgit]), sample
    ids, states = codes(), text(BATCH)
    optimizer = get_optimizer(maskgit.parameters(), lr=1e-4)
    work = _step(lambda: phenaki(video_codebook_ids=ids, text_embeds=states), optimizer, autocast)
    if task == "prior":
        return maskgit, work
    clips = video()
    first = _step(lambda: cvivit(clips), get_optimizer(cvivit.parameters(), lr=1e-4), autocast)
    return nn.ModuleList([cvivit, maskgit]), lambda: (first(), work())


# -- the process -------------------------------------------------------------------------------------------------


def _step(loss: Callable[[], Tensor], optimizer: torch.optim.Optimizer, autocast: Callable[[], Any]) -> Work:
    def step() -> None:
        with autocast():
            total = loss()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        if not bool(total.isfinite()):
            raise ValueError(f"the loss is {total}")

    return step


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    task, who, precision, threads, warm = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)

    def autocast() -> Any:
        return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")

    if who == "peer":
        sys.path.insert(0, str(Path(__file__).parents[1] / ".peers"))
        sys.meta_path.insert(0, StandIns(ABSENT))  # type: ignore[arg-type]
    try:
        for module in IMPORTS[who]:
            importlib.import_module(module)
        before = memory("VmRSS")
        model, work = {"ours": ours, "peer": peer}[who](task, autocast)
        for _ in range(int(warm)):
            work()
    except Exception as error:
        tell(failed=f"{type(error).__name__}: {error}".splitlines()[0])
        return
    tell()
    for line in sys.stdin:
        if line.strip() != "go":
            break
        began = time.perf_counter()
        work()
        tell(seconds=time.perf_counter() - began)
    tell(peak=memory("VmHWM") - before, parameters=sum(p.numel() for p in model.parameters()))


def memory(name: str) -> float:
    """MB resident now (VmRSS) or at most so far (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status: no {name}; this benchmark needs Linux")


if __name__ == "__main__":
    main()
