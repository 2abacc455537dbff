"""One contender at one task, for `benchmarks/phenaki.py`: python FILE TASK ours|peer fp32|bf16 THREADS WARM-UPS.

Says {} when warm; then does one repetition a line "go" on stdin, and tells its memory at "end".
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from process import Inside, Work, serve, timed, training
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


def text(b: int) -> Tensor:
    return torch.randn(b, WORDS, TEXT_DIM, generator=torch.Generator().manual_seed(2))


def video() -> Tensor:
    return torch.rand(BATCH, 3, FRAMES, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def codes() -> Tensor:
    return torch.randint(CODES, (BATCH, LATENTS, GRID, GRID), generator=torch.Generator().manual_seed(1))


# -- ours --------------------------------------------------------------------------------------------------------


def ours(task: str, autocast: Inside) -> tuple[nn.Module, Callable[[], object]]:
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
        works.append(training(lambda s=stage, b=batch: s.loss(b, tick).total, optimizer, autocast))
    return nn.ModuleList([stage for stage, _ in named.values()]), lambda: [work() for work in works]


# -- the peer ----------------------------------------------------------------------------------------------------


def peer(task: str, autocast: Inside) -> tuple[nn.Module, Callable[[], object]]:
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
        return cvivit, training(lambda: cvivit(clips), optimizer, autocast)
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
    work = training(lambda: phenaki(video_codebook_ids=ids, text_embeds=states), optimizer, autocast)
    if task == "prior":
        return maskgit, work
    clips = video()
    first = training(lambda: cvivit(clips), get_optimizer(cvivit.parameters(), lr=1e-4), autocast)
    return nn.ModuleList([cvivit, maskgit]), lambda: (first(), work())


# -- the process -------------------------------------------------------------------------------------------------


def main() -> None:
    task, who, precision, threads, warm = sys.argv[1:]

    def build(autocast: Inside) -> tuple[nn.Module, Work]:
        model, work = {"ours": ours, "peer": peer}[who](task, autocast)

        def whole() -> None:
            work()

        return model, timed(whole)

    absent = ABSENT if who == "peer" else None
    serve(build, imports=IMPORTS[who], absent=absent, precision=precision, threads=int(threads), warm=int(warm))


if __name__ == "__main__":
    main()
