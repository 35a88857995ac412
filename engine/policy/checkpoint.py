"""A policy's folder on disk: which files it has, how tensors are written, and how a bad file is told from a good one.

config.json model.safetensors policy_*.json policy_*.safetensors   what LeRobot's ``from_pretrained`` reads: prefix and member 0
vlm/                                                              configuration, tokenizer and processor of the VLM
members/1.safetensors ...                                         the other members' action experts, by LeRobot's names
heads.safetensors signals.safetensors                             prefix heads; noise bank, nominal quantiles, training features
sight.safetensors                                                 what smooths the heads' outputs over time
ensemble.json                                                     what the folder is, and the SHA-256 of every other file
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.policy.errors import PolicyError
from engine.tasks import KINDS

MODEL = "model.safetensors"
MANIFEST = "ensemble.json"
HEADS = "heads.safetensors"
SIGHT = "sight.safetensors"
SIGNALS = "signals.safetensors"
VLM = "vlm"
MEMBERS = "members"
WEIGHTS = "weights"  #: name, in a file's metadata, of the SHA-256 it belongs to
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")  #: what may hold code; never opened
SHIPPED = Path(__file__).parent / "checkpoints"


class Calibrated(msgspec.Struct, frozen=True):
    """How well a policy was found to see, by ``engine.policy.judging.bounded``, and with how much it was taught."""

    calibration: dict[str, float]
    trained_on: dict[str, int] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a policy's folder says of itself, as ``ensemble.json`` holds it; other entries are left unread."""

    members: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    name: str = ""
    robot: str = ""  #: that it was trained for; "" is any
    instruction: str = ""  #: that it was trained on
    mapping: dict[str, Any] | None = None  #: as ``engine.policy.mapping.from_json`` reads it; None is the robot's usual one
    heads: dict[str, Any] | None = None  #: as ``engine.policy.readings.Sights`` describes them
    sight: Calibrated | None = None  #: None where its heads were never calibrated
    training: dict[str, Any] = {}  #: what training reported
    files: dict[str, str] = {}  #: SHA-256 of every other file, by its name relative to the folder


def shipped(robot: str) -> Path:
    """The folder of the checkpoint that ships for a robot."""
    return SHIPPED / KINDS[robot].checkpoint


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_files(folder: Path) -> list[str]:
    """Every file of a policy but its manifest, relative, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)


def folder_hash(folder: Path) -> str:
    """One SHA-256 over the names and contents of a policy's files, its manifest among them."""
    whole = hashlib.sha256()
    for name in (*folder_files(folder), *(path.name for path in folder.glob(MANIFEST))):
        whole.update(f"{name} {digest(folder / name)}\n".encode())
    return whole.hexdigest()


def bound(folder: Path, *others: str) -> dict[str, str]:
    """Metadata of tensors that hold for these weights alone: one SHA-256 over the base's, its members' and the files ``others``."""
    whole = hashlib.sha256()
    for path in (folder / MODEL, *sorted((folder / MEMBERS).glob("*.safetensors")), *(folder / name for name in others)):
        whole.update(f"{path.relative_to(folder)} {digest(path)}\n".encode())
    return {WEIGHTS: whole.hexdigest()}


def check_bound(path: Path, *others: str) -> None:
    """Raises PolicyError where a file was written, with ``bound``, for other weights than lie beside it."""
    with _opened(path) as file:
        written = (file.metadata() or {}).get(WEIGHTS, "none")
    own = bound(path.parent, *others)[WEIGHTS]
    if written != own:
        made_for = " and ".join(("weights", *others))
        raise PolicyError(f"{path} was made for {made_for} with SHA-256 {written[:12]}; those in its folder have {own[:12]}")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], half: bool, metadata: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, floating ones in half precision if asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: (t.half() if half and t.is_floating_point() else t).detach().cpu().contiguous().clone() for name, t in tensors.items()}
    save_file(kept, path, metadata)
    path.chmod(0o644)


def read_tensors(path: Path, expected: Mapping[str, tuple[int, ...]] | None = None) -> dict[str, Tensor]:
    """Read a safetensors file as float32 on the CPU; with ``expected``, names and shapes must be exactly those. Raises PolicyError."""
    with _opened(path) as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if expected is not None:
        check_shapes(path, {name: tuple(tensor.shape) for name, tensor in found.items()}, expected)
    return {name: tensor.to(torch.float32) if tensor.is_floating_point() else tensor for name, tensor in found.items()}


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a safetensors file, from its header alone. Raises PolicyError."""
    with _opened(path) as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def parameters(path: Path) -> int:
    """How many numbers a safetensors file holds, from its header alone. Raises PolicyError."""
    return sum(math.prod(shape) for shape in shapes(path).values())


def check_shapes(path: Path, found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raises PolicyError naming the first tensor of a file that is missing, of another shape or not expected."""
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing:
        raise PolicyError(f"{path} lacks tensor {missing[0]} of shape {expected[missing[0]]} ({len(missing)} missing in all)")
    if extra:
        raise PolicyError(f"{path} holds tensor {extra[0]}, which this policy has no place for ({len(extra)} such in all)")
    for name, shape in expected.items():
        if found[name] != shape:
            raise PolicyError(f"{path} holds {name} of shape {found[name]}; expected {shape}")


def check_numbers(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raises PolicyError naming the first tensor of weights that no training writes: of integers, or with a number that is not finite."""
    for name, tensor in tensors.items():
        if not (tensor.is_floating_point() and tensor.isfinite().all()):
            raise PolicyError(f"{path} holds {name} that is not floating and finite throughout; expected what training wrote")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise PolicyError(f"{path} is missing; expected a safetensors file of the policy's weights")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise PolicyError(f"{path} is not a readable safetensors file ({error}); expected the file that training wrote, whole") from error


def refuse_pickles(folder: Path) -> None:
    """Raises PolicyError naming the first file of a policy that may hold code."""
    for name in folder_files(folder):
        if name.lower().endswith(PICKLES):
            raise PolicyError(f"{folder / name} is a pickle, which may hold code and is never opened; expected {MODEL} and no such file")


def read_json[T](path: Path, form: type[T]) -> T:
    """What a JSON file holds, in that form. Raises PolicyError naming the first entry of another type."""
    if not path.is_file():
        raise PolicyError(f"{path} is missing; expected a JSON file of the policy")
    try:
        return msgspec.json.decode(path.read_bytes(), type=form)
    except msgspec.ValidationError as error:
        raise PolicyError(f"{path} has an entry of a wrong type ({error})") from error
    except (msgspec.MsgspecError, ValueError, OSError, RecursionError) as error:
        raise PolicyError(f"{path} is not readable JSON ({error})") from error


def read_manifest(folder: Path) -> Manifest:
    """What ``write_manifest`` wrote. Raises PolicyError."""
    return read_json(folder / MANIFEST, Manifest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest last: it names every other file with its SHA-256."""
    named = msgspec.structs.replace(manifest, files={name: digest(folder / name) for name in folder_files(folder)})
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(named, order="sorted"), indent=1) + b"\n")


def check_files(folder: Path, manifest: Manifest) -> None:
    """Hold every file against the manifest. Raises PolicyError naming the first that is missing, changed or not named there."""
    for name in folder_files(folder):
        if name not in manifest.files:
            raise PolicyError(f"{folder / name} is not named in {MANIFEST}; expected only files with their SHA-256 there")
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise PolicyError(f"{path} is missing; expected the file with SHA-256 {expected[:12]}…")
        found = digest(path)
        if found != expected:
            raise PolicyError(f"{path} has SHA-256 {found[:12]}…; expected {expected[:12]}…: the file is damaged or was edited")
