"""From names, folders and files to an ensemble ready to be asked; whatever does not fit is refused with one sentence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from engine.policy import building, checkpoint, devices, heads, hub, mapping, memory, smoothing, statistics
from engine.policy.checkpoint import Manifest
from engine.policy.ensemble import Ensemble
from engine.policy.errors import PolicyError
from engine.policy.experts import expert_state
from engine.policy.heads import Heads
from engine.policy.mapping import Offered
from engine.policy.members import Members
from engine.tasks import KINDS
from engine.types import PolicyInfo

__all__ = ["Options", "PolicyError", "load", "parameters"]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Options:
    """How an ensemble is put together and asked; what is None is chosen by the device."""

    members: tuple[str, ...] = ()  #: beside the first: folders, hub ids, or safetensors files of action experts
    samples: int | None = None  #: noise samples a member, for a checkpoint that brings no noise bank
    dtype: str = ""  #: "float32" or "bfloat16"; "" is that of ``devices.precision``
    perturbed: int | None = None  #: perturbed passes an inference; None is those of ``devices.precision``
    mapping: Mapping[str, Any] | None = None  #: in place of the checkpoint's own


@dataclass(frozen=True)
class _Base:
    """The first checkpoint, read but for its weights."""

    folder: Path
    manifest: Manifest | None  #: None where LeRobot alone wrote the folder
    config: Any
    table: mapping.Mapping


def load(
    name_or_path: str,
    device: str = "cpu",
    progress: Callable[[str], None] = lambda text: None,
    joint_limits: tuple[tuple[float, float], ...] | None = None,
    robot: str | None = None,
    options: Options = Options(),
    offered: Offered | None = None,
) -> Ensemble:
    """``compact`` (of the robot), a folder or a hub id -> its ensemble on ``device``. Raises PolicyError; nothing is replaced.

    A folder that LeRobot alone wrote loads as an ensemble of one. ``joint_limits`` (rad) make signal 18 computable; ``offered`` is held
    against what the policy takes.
    """
    devices.check(device)
    if device.startswith("cuda"):
        torch.cuda.set_device(torch.device(device).index or 0)  # what is recorded later is recorded on this thread's device
    base = _base(name_or_path, robot, options, progress, offered)
    folder, config = base.folder, base.config
    progress("reading processors")
    processors = building.processors(folder, config, device, base.table.statistics)
    paths = _member_paths(base, options, processors, progress)
    memory.check_reading([checkpoint.parameters(path) for path in (folder / checkpoint.MODEL, *paths)])
    progress(f"reading member 1 of {1 + len(paths)}")
    policies = [building.whole(folder / checkpoint.MODEL, building.blank(config))]
    for number, path in enumerate(paths, start=2):
        progress(f"reading member {number} of {1 + len(paths)}")
        policies.append(building.member(path, policies[0]))
    _check_different([folder / checkpoint.MODEL, *paths], policies)
    kept = _statistics(base, options, policies[0])
    dtype, perturbed = devices.precision(device, options.dtype, options.perturbed)
    sights = _heads(base, policies[0])
    manifest = base.manifest or Manifest()
    sight = smoothing.read(folder, manifest, sights)
    members = _placed(policies, DTYPES[dtype], torch.device(device), progress)
    info = PolicyInfo(
        name=manifest.name or folder.name,
        action_space=base.table.action_space,
        members=members.size,
        parameters_m=parameters(members, sights) * 1e-6,
        device=device,
        hash=_hash(folder, paths),
        placeholder=False,
        path=members.path,
        nominal=kept.nominal is not None,
        vision=0 if sight is None else sight.state,
    )
    return Ensemble(
        config,
        members,
        None if sights is None else sights.to(device),
        kept,
        processors,
        info,
        base.table,
        manifest.instruction,
        joint_limits,
        perturbed,
        lambda number: _one(folder, config, paths, number),
        sight,
    )


def parameters(members: Members, sights: Heads | None) -> int:
    """How many parameters run: every prefix once, every expert, the heads."""
    return sum(p.numel() for p in members.parameters()) + (0 if sights is None else sum(p.numel() for p in sights.parameters()))


def folder_of(name: str, robot: str | None, progress: Callable[[str], None]) -> Path:
    """The folder a policy's name stands for. Raises PolicyError."""
    if name == "compact":
        return checkpoint.shipped(robot or "cosaw")
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if hub.is_id(name) and not path.exists():
        wanted = ("config.json", checkpoint.MODEL)
        return hub.folder(name, progress, wanted, accept=lambda folder: building.check_kind(folder / "config.json"))
    raise PolicyError(f"{path} is not a folder; expected 'compact', a folder with config.json and {checkpoint.MODEL}, or a hub id")


def _base(name: str, robot: str | None, options: Options, progress: Callable[[str], None], offered: Offered | None) -> _Base:
    folder = folder_of(name, robot, progress)
    checkpoint.refuse_pickles(folder)
    manifest = None
    path = folder / checkpoint.MANIFEST
    if path.exists():
        progress("checking files")
        manifest = checkpoint.read_manifest(folder)
        checkpoint.check_files(folder, manifest)
        if robot is not None and manifest.robot not in ("", robot):
            raise PolicyError(f"{path} was trained for the robot '{manifest.robot}'; expected one for '{robot}'")
    elif (folder / checkpoint.MEMBERS).exists() or (folder / checkpoint.HEADS).exists():
        raise PolicyError(f"{path} is missing; expected the file that names the ensemble's parts and their SHA-256")
    progress("importing lerobot")
    config = building.read_config(folder, progress)
    table = _table(path, manifest or Manifest(), robot, options)
    sizes = building.picture_sizes(config)
    table.check(str(folder / "config.json"), sizes, tuple(config.robot_state_feature.shape), tuple(config.action_feature.shape))
    if offered is not None:
        table.check_robot(str(folder / "config.json"), sizes, offered)
    return _Base(folder, manifest, config, table)


def _table(path: Path, manifest: Manifest, robot: str | None, options: Options) -> mapping.Mapping:
    """The configuration's mapping, else the checkpoint's own, else the robot's usual one."""
    if options.mapping is not None:
        return mapping.from_json(options.mapping, "the setting mapping")
    if manifest.mapping is not None:
        return mapping.from_json(manifest.mapping, str(path))
    known = manifest.robot or robot or "cosaw"
    if known not in KINDS:
        raise PolicyError(f"{path} is for the robot '{known}' and brings no mapping; expected one, or the robot {' or '.join(KINDS)}")
    return KINDS[known].mapping


def _member_paths(base: _Base, options: Options, processors: tuple[Any, Any], progress: Callable[[str], None]) -> list[Path]:
    """The weights of every member but the first, each held against it as far as its other files tell."""
    own = 1 if base.manifest is None else base.manifest.members
    if own > 1 and options.members:
        raise PolicyError(f"{base.folder} is an ensemble of {own} already; expected ensemble.members only beside a single checkpoint")
    paths = [base.folder / checkpoint.MEMBERS / f"{number}.safetensors" for number in range(1, own)]
    for name in options.members:
        path = Path(name).expanduser()
        if path.is_file() or path.suffix == ".safetensors":
            if path.suffix != ".safetensors":
                raise PolicyError(f"{path} is no safetensors file; expected an action expert's weights in one, or a folder")
            building.check_expert(path)
            paths.append(path)
            continue
        folder = folder_of(name, None, progress)
        checkpoint.refuse_pickles(folder)
        config = building.read_config(folder, progress)
        building.check_alike(folder / "config.json", config, base.folder / "config.json", base.config)
        pair = building.processors(folder, config, statistics=base.table.statistics)
        building.check_same_statistics([base.folder, folder], [processors, pair])
        paths.append(folder / checkpoint.MODEL)
    return paths


def _statistics(base: _Base, options: Options, policy: Any) -> statistics.Statistics:
    horizon, action = base.config.chunk_size, base.config.max_action_dim
    features = len(base.config.image_features) * building.features_shape(policy)[1]
    kept = statistics.load(base.folder, horizon, action, features, ensemble=base.manifest is not None)
    if options.members:  # what was nominal for one member says nothing of several
        kept = statistics.Statistics(kept.noise, None, kept.familiarity)
    if options.samples is None or options.samples == len(kept.noise):
        return kept
    if (base.folder / checkpoint.SIGNALS).exists():
        brings = f"{base.folder} brings {len(kept.noise)} noise samples, which its statistics hold for"
        raise PolicyError(f"{brings}; expected ensemble.samples only for a checkpoint without {checkpoint.SIGNALS}")
    return statistics.Statistics(statistics.noise_bank(options.samples, horizon, action))


def _check_different(paths: list[Path], policies: list[Any]) -> None:
    """Two members of the same weights would agree for no reason."""
    states = [expert_state(policy) for policy in policies]
    for number, state in enumerate(states):
        for earlier in range(number):
            if all(torch.equal(tensor, states[earlier][name]) for name, tensor in state.items()):
                same = f"{paths[number]} holds the same action expert as {paths[earlier]}"
                raise PolicyError(f"{same}; expected members that differ: for noise alone use ensemble.samples")


def _heads(base: _Base, policy: Any) -> Heads | None:
    if base.manifest is None or base.manifest.heads is None:
        return None
    built = heads.from_manifest(base.manifest.heads, *building.features_shape(policy), str(base.folder / checkpoint.MANIFEST))
    expected = {name: tuple(tensor.shape) for name, tensor in built.state_dict().items()}
    tensors = checkpoint.read_tensors(base.folder / checkpoint.HEADS, expected)
    checkpoint.check_numbers(base.folder / checkpoint.HEADS, tensors)
    built.load_state_dict(tensors)
    return built.eval().requires_grad_(False)


def _placed(policies: list[Any], dtype: torch.dtype, device: torch.device, progress: Callable[[str], None]) -> Members:
    """The members on their device, in their precision."""
    progress(f"comparing {len(policies)} members, tensor by tensor")
    members = Members(policies, dtype)
    if device.type == "cuda":
        memory.check(members, device)
        with memory.kept_within(members, device):
            members = members.to(device)
    progress(memory.in_use(members, device))
    return members


def _one(folder: Path, config: Any, paths: list[Path], number: int) -> Any:
    """One member as LeRobot's policy, from its files."""
    policy = building.whole(folder / checkpoint.MODEL, building.blank(config))
    return policy if number == 0 else building.member(paths[number - 1], policy)


def _hash(folder: Path, paths: list[Path]) -> str:
    """One SHA-256 over the checkpoint's files, and over the weights of members from elsewhere."""
    own = checkpoint.folder_hash(folder)
    others = [checkpoint.digest(path) for path in paths if folder not in path.parents]
    return sha256("\n".join([own, *others]).encode()).hexdigest() if others else own
