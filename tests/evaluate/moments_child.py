"""One rank of test_moments.py: its share of the features, then the sum over all ranks."""

import sys

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

from storyreel.evaluate.moments import Moments

dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
found = Moments.of(load_file(sys.argv[1])["x"][rank::world])
found.all_reduce()
save_file({"n": torch.tensor(found.n), "total": found.total, "outer": found.outer}, f"{sys.argv[2]}-{rank}")
dist.destroy_process_group()
