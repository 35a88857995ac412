"""The state of an unfinished training on disk, so that an interrupted one goes on where it stood; safetensors, never pickles."""

import json
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.forecast.errors import ForecastError
from engine.forecast.network import Network

MOMENTS = ("exp_avg", "exp_avg_sq", "step")  #: that AdamW keeps of each parameter


class Work:
    """A folder with one file a fit; each names the training that it belongs to."""

    def __init__(self, folder: Path, training: dict[str, Any], resume: bool) -> None:
        self._folder, self._training = folder, training
        if not resume:
            self.remove()
        folder.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """The training is done, or begins anew."""
        rmtree(self._folder, ignore_errors=True)

    def write(self, name: str, step: int, least: float, best: dict[str, Tensor], network: Network, optimizer: torch.optim.AdamW) -> None:
        """Keep where the fit ``name`` stands after ``step`` steps."""
        tensors = {f"now.{key}": value for key, value in network.state_dict().items()} | {
            f"best.{key}": value for key, value in best.items()
        }
        for key, parameter in network.named_parameters():
            tensors |= {f"{moment}.{key}": optimizer.state[parameter][moment] for moment in MOMENTS}
        about = {"training": self._training, "step": step, "least": float(np.float64(least))}
        part = self._folder / f".{name}.part"
        kept = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        try:
            save_file(kept, part, {"about": json.dumps(about)})
        except SafetensorError as error:  # of a full disk too
            raise ForecastError(f"{part} cannot be written ({error}): make room, and go on with --resume.") from error
        part.replace(self._folder / f"{name}.safetensors")

    def read(self, name: str, network: Network, optimizer: torch.optim.AdamW) -> tuple[int, float, dict[str, Tensor]]:
        """Put network and optimizer where they stood: steps done, the least loss and the weights that had it.

        Nothing done where there is no file. Raises ForecastError for a file of another training, or a damaged one.
        """
        path = self._folder / f"{name}.safetensors"
        best = {key: value.detach().clone() for key, value in network.state_dict().items()}
        if not path.exists():
            return 0, float("inf"), best
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {})["about"])
                held = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if about["training"] != self._training:
                raise ForecastError(f"{path} is of a training with other data or settings: start it without --resume.")
            network.load_state_dict({key: held[f"now.{key}"] for key in best})
            for key, parameter in network.named_parameters():
                kept = {moment: held[f"{moment}.{key}"] for moment in MOMENTS}
                optimizer.state[parameter] = {m: value if m == "step" else value.to(parameter.device) for m, value in kept.items()}
            return int(about["step"]), float(about["least"]), {key: held[f"best.{key}"].to(best[key].device) for key in best}
        except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise ForecastError(f"{path} is damaged ({error}): start the training without --resume.") from error
