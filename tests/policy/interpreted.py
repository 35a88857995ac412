"""Prints how far the fused kernels, run by Triton's interpreter, are from the general step; ``test_members`` runs it."""

import os
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch

from engine.policy.ready import ReadyExperts
from engine.policy.smolvla import Shape, new_members
from engine.policy.streams import runs_of

SHAPE = Shape(
    pixels=16,
    patch=8,
    scale_factor=1,
    vision_width=16,
    vision_layers=1,
    vision_heads=1,
    vision_mlp=16,
    text_width=64,
    text_layers=2,
    text_heads=4,
    key_heads=2,
    text_mlp=64,
    words=300,
    more={"chunk_size": 5, "n_action_steps": 5, "num_steps": 2, "expert_width_multiplier": 0.75},
)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        policies = new_members(Path(folder) / "vlm", SHAPE, 2)
    experts = ReadyExperts(policies, torch.float32)
    generator = torch.Generator().manual_seed(0)
    keys, values = (torch.randn(2, 2, 9, 2, 16, generator=generator) for _ in range(2))
    noise, runs = torch.randn(3, 5, 32, generator=generator), runs_of((0, 0, 1))
    fused = experts._launched(experts._projected(keys, values), noise, runs, keys.shape[2] - 1)
    general = experts.integrated(keys, values, noise, runs)
    print(max(float((one - other).abs().max()) for one, other in zip(fused, general, strict=True)))


if __name__ == "__main__":
    main()
