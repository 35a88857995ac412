"""Prints how far the fused kernels, run by Triton's interpreter, are from the general step on a saved pass; ``test_members`` runs it."""

import sys

import torch

from engine.policy.ready import ReadyExperts


def main(path: str) -> None:
    torch.set_num_threads(1)
    experts, keys, values, noise, runs = torch.load(path, weights_only=False)
    assert isinstance(experts, ReadyExperts)
    fused = experts._launched(experts._projected(keys, values), noise, runs, keys.shape[2] - 1)
    general = experts.integrated(keys, values, noise, runs)
    print(max(float((one - other).abs().max()) for one, other in zip(fused, general, strict=True)))


if __name__ == "__main__":
    main(sys.argv[1])
