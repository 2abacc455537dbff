"""One contender that learns the same clips and then makes videos of texts, for `benchmarks/whole.py`.

    python FILE peer|ours FOLDER TRAINING-STEPS BATCH GUIDANCE THREADS SAMPLING-STEPS...

Reads FOLDER/task.safetensors: `video` uint8 (n, 3, t, h, w) and `text` (n, l, d), `mask` (n, l) to learn from,
`asked` and `asked_mask` to make videos of. Both see the same batches, with AdamW, an average of their weights and bf16.
Says {} when it has learnt; makes all videos once a line "go", each time with the next number of sampling steps, into
FOLDER/WHO-STEPS.safetensors. Networks: `imagen.py` says what is equal; here the width is 32.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from diffusion import ABSENT
from imagen import DROPPED, our_loss
from process import Inside, Work, serve
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

WIDTH, LEARNING_RATE, KEPT = 32, 5e-4, 0.99
Tensors = dict[str, Tensor]
Sampler = Callable[[int], Callable[[], Tensor]]  # a number of steps -> what makes videos in [0, 1] in so many


def peer(task: Tensors, guidance: float) -> tuple[nn.Module, Callable[..., Tensor], Sampler]:
    """imagen-pytorch's Unet3D, its loss and its own sampler (ancestral, two passes, dynamic thresholding)."""
    from imagen_pytorch import Imagen, Unet3D  # type: ignore[import-not-found]

    dim, size, frames = task["text"].shape[-1], task["video"].shape[-1], task["video"].shape[2]

    def imagen(steps: int) -> Any:
        net = Unet3D(
            dim=WIDTH, text_embed_dim=dim, dim_mults=(1, 2, 4), num_resnet_blocks=1, attn_heads=4, attn_dim_head=32
        )
        return Imagen(
            net, image_sizes=size, text_embed_dim=dim, pred_objectives="v", timesteps=steps, text_encoder_name="-",
            cond_drop_prob=DROPPED,
        )  # fmt: skip

    learner = imagen(1000)

    def loss(video: Tensor, text: Tensor, mask: Tensor, rng: torch.Generator) -> Tensor:
        return learner(video.float() / 255, text_embeds=text, text_masks=mask, unet_number=1)

    def sampler(steps: int) -> Callable[[], Tensor]:
        other = imagen(steps)
        other.unets[0].load_state_dict(learner.unets[0].state_dict())
        return lambda: other.eval().sample(
            text_embeds=task["asked"], text_masks=task["asked_mask"], batch_size=len(task["asked"]),
            video_frames=frames, cond_scale=guidance, use_tqdm=False,
        )  # fmt: skip

    return learner.unets[0], loss, sampler


def ours(task: Tensors, guidance: float) -> tuple[nn.Module, Callable[..., Tensor], Sampler]:
    """Our Video U-Net of as many blocks, v-prediction, DPM-Solver++ on a grid of log-SNR."""
    from storyreel.diffusion.denoiser import Denoiser
    from storyreel.diffusion.samplers import dpm_solver, starting_noise
    from storyreel.diffusion.schedules import Cosine, uniform_logsnr
    from storyreel.nn.null_text import everywhere, without_text
    from storyreel.nn.video_unet import VideoUNetConfig

    net = VideoUNetConfig(
        widths=(WIDTH, 2 * WIDTH, 4 * WIDTH), blocks=(1,), attention=(False, False, True), text=(True,),
        temporal=("both",), text_dim=task["text"].shape[-1], head_dim=32,
    ).build()  # fmt: skip

    def loss(video: Tensor, text: Tensor, mask: Tensor, rng: torch.Generator) -> Tensor:
        return our_loss(net, video.float() / 127.5 - 1, text, mask, rng)

    def sample(steps: int) -> Tensor:
        text, mask = task["asked"], task["asked_mask"]
        cond = net.text_memory(text, mask)
        uncond = net.text_memory(*without_text(text, mask, net.null_text, everywhere(text)))
        denoiser = Denoiser(net, cond, uncond, guidance, batched=False, threshold=0.95)
        levels = uniform_logsnr(Cosine(), steps)
        rng = [torch.Generator().manual_seed(i) for i in range(len(text))]
        noise = starting_noise((len(text), *task["video"].shape[1:]), levels, rng)
        return (dpm_solver(denoiser, noise, levels) + 1) / 2

    return net, loss, lambda steps: lambda: sample(steps)


def learn(net: nn.Module, loss: Callable[..., Tensor], task: Tensors, steps: int, batch: int, inside: Inside) -> float:
    """Seconds that it took; the network ends with the average of its weights. ValueError for a loss that is NaN."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, fused=True)
    average, rng = deepcopy(net.state_dict()), torch.Generator().manual_seed(0)
    began = time.perf_counter()
    for step, some in zip(range(steps), _batches(len(task["video"]), batch), strict=False):
        with inside():
            total = loss(*(task[name][some] for name in ("video", "text", "mask")), rng)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        if not bool(total.isfinite()):
            raise ValueError(f"the loss of step {step + 1} is {float(total)}")
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, 1 - min(KEPT, (1 + step) / (10 + step)))
        if step % 20 == 0 or step == steps - 1:
            print(f"step {step + 1} of {steps}: loss {float(total.detach()):.4f}", file=sys.stderr)
    net.load_state_dict(average)
    return time.perf_counter() - began


def _batches(count: int, batch: int) -> Iterator[Tensor]:
    rng = torch.Generator().manual_seed(1)
    while True:
        yield from torch.randperm(count, generator=rng).split(batch)[: count // batch]


def main() -> None:
    who, place, steps, batch, guidance, threads, *counts = sys.argv[1:]
    folder = Path(place)
    left = [int(count) for count in counts]

    def build(inside: Inside) -> tuple[nn.Module, Work]:
        task = load_file(folder / "task.safetensors")
        net, loss, sampler = (peer if who == "peer" else ours)(task, float(guidance))
        trained = learn(net.train(), loss, task, int(steps), int(batch), inside)
        net.eval().requires_grad_(False)
        with torch.inference_mode(), inside():
            sampler(1)()

        def work() -> dict[str, float]:
            count = left.pop(0)
            sample = sampler(count)
            began = time.perf_counter()
            with torch.inference_mode(), inside():
                made = sample()
            seconds = time.perf_counter() - began
            if not bool(made.isfinite().all()):
                raise ValueError("the sample is not finite")
            pixels = made.float().clamp(0, 1).mul(255).round().to(torch.uint8).contiguous()
            save_file({"video": pixels}, folder / f"{who}-{count}.safetensors")
            return {"seconds": seconds, "count": count, "trained": trained}

        return net, work

    imports = ("imagen_pytorch",) if who == "peer" else ("storyreel.nn.video_unet",)
    absent = ABSENT["imagen"] if who == "peer" else None
    serve(build, imports=imports, absent=absent, precision="bf16", threads=int(threads), warm=0)


if __name__ == "__main__":
    main()
