"""Where policies run: ``cpu``, ``cuda`` or ``cuda:N``."""

from re import fullmatch

from engine.policy.errors import PolicyError

EXPECTED = "use cpu, cuda or cuda:N with N from 0 to 99"


def is_name(device: str) -> bool:
    """Whether there may be such a device on some machine."""
    return fullmatch("cpu|cuda(:(0|[1-9][0-9]?))?", device) is not None


def precision(device: str, dtype: str = "", perturbed: int | None = None) -> tuple[str, int]:
    """The number format and the perturbed passes an inference that an ensemble has there; "" and None are the device's usual ones."""
    usual = ("bfloat16", 3) if device.startswith("cuda") else ("float32", 1)
    return dtype or usual[0], usual[1] if perturbed is None else perturbed


def check(device: str) -> None:
    """Raises PolicyError unless this machine has the device."""
    import torch

    if not is_name(device):
        raise PolicyError(f"there is no device '{device}'; {EXPECTED}")
    if device == "cpu":
        return
    if not torch.cuda.is_available():
        raise PolicyError(f"device '{device}' was asked for, but no CUDA device is there; use 'cpu'")
    count = torch.cuda.device_count()
    if (torch.device(device).index or 0) >= count:
        raise PolicyError(f"device '{device}' was asked for, but there are {count} CUDA devices, counted from 0")
