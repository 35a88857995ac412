"""From a name or a folder to an ensemble ready to be asked; whatever does not fit is refused with one sentence."""

import contextlib
import copy
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.policy import checkpoint, compact, statistics
from engine.policy.ensemble import Ensemble
from engine.policy.errors import PolicyError
from engine.policy.experts import EXPERT_PARTS, StackedExperts, expert_state
from engine.policy.heads import Heads
from engine.types import PolicyInfo

__all__ = ["PolicyError", "load"]

COMPACT = Path(__file__).parent / "checkpoints" / "compact"
DEFAULT_SAMPLES = 4  #: noise samples for a checkpoint that brings no noise bank


def load(
    name_or_path: str,
    device: str = "cpu",
    progress: Callable[[str], None] = lambda text: None,
    joint_limits: tuple[tuple[float, float], ...] | None = None,
) -> Ensemble:
    """``compact`` or the folder of a policy -> its ensemble on ``device``. Nothing is fetched and nothing is replaced.

    A folder that LeRobot alone wrote loads as an ensemble of one. ``joint_limits`` (rad) make signal 18 computable. Raises PolicyError.
    """
    folder = COMPACT if name_or_path == "compact" else Path(name_or_path).expanduser()
    if not folder.is_dir():
        raise PolicyError(f"{folder} is not a folder; expected 'compact' or a folder with config.json and {checkpoint.MODEL}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise PolicyError(f"device '{device}' was asked for, but no CUDA device is there; use 'cpu'")
    manifest: dict[str, Any] = {}
    if (folder / checkpoint.MANIFEST).exists():
        progress("checking files")
        manifest = checkpoint.read_json(folder / checkpoint.MANIFEST)
        checkpoint.check_files(folder, manifest)
        space = manifest.get("action_space", compact.ACTION_SPACE)
        if space != compact.ACTION_SPACE:
            raise PolicyError(f"{folder / checkpoint.MANIFEST} has actions of '{space}'; expected '{compact.ACTION_SPACE}'")
    elif (folder / checkpoint.MEMBERS).exists() or (folder / checkpoint.HEADS).exists():
        raise PolicyError(f"{folder / checkpoint.MANIFEST} is missing; expected the file that names the ensemble's parts and their SHA-256")
    progress("reading member 1")
    policy = _load_base(folder, device)
    members = [policy]
    for number in range(1, int(manifest.get("members", 1))):
        progress(f"reading member {number + 1}")
        members.append(_load_member(folder / checkpoint.MEMBERS / f"{number}.safetensors", policy))
    differing = first_difference([member.state_dict() for member in members])
    if differing is not None:
        number, name = differing
        path = folder / checkpoint.MEMBERS / f"{number}.safetensors"
        raise PolicyError(f"{path} holds another {name} than {checkpoint.MODEL}; members must share every tensor outside the action expert")
    progress("reading processors")
    processors = load_processors(folder, policy.config)
    experts = StackedExperts(members).to(device)
    heads = _load_heads(folder, policy, device) if (folder / checkpoint.HEADS).exists() or "heads" in manifest else None
    horizon, action = policy.config.chunk_size, policy.config.max_action_dim
    signals_file = folder / checkpoint.SIGNALS
    if signals_file.exists():
        kept = statistics.load(signals_file, horizon, action)
    else:
        kept = statistics.Statistics(statistics.noise_bank(DEFAULT_SAMPLES, horizon, action))
    info = PolicyInfo(
        name=str(manifest.get("name", folder.name)),
        action_space=compact.ACTION_SPACE,
        members=len(members),
        parameters_m=parameters(policy, experts, heads) * 1e-6,
        device=device,
        hash=checkpoint.folder_hash(folder),
        placeholder=False,
        path="shared prefix",
    )
    step_s, instruction = float(manifest.get("step_s", compact.STEP_S)), str(manifest.get("instruction", compact.INSTRUCTION))
    return Ensemble(policy, experts, heads, kept, processors, info, step_s, instruction, joint_limits)


def parameters(policy: Any, experts: StackedExperts, heads: Heads | None) -> int:
    """How many parameters run: the prefix once, every expert, the heads."""
    expert_names = set(expert_state(policy))
    prefix = int(sum(tensor.numel() for name, tensor in policy.state_dict().items() if name not in expert_names))
    return prefix + sum(p.numel() for p in experts.parameters()) + (0 if heads is None else sum(p.numel() for p in heads.parameters()))


def first_difference(states: Sequence[Mapping[str, Tensor]]) -> tuple[int, str] | None:
    """The first member and tensor outside the action expert that is not bit for bit the first member's; None if all are shared."""
    for number, state in enumerate(states[1:], start=1):
        for name, tensor in states[0].items():
            if not name.removeprefix("model.").startswith(EXPERT_PARTS) and not torch.equal(tensor, state[name]):
                return number, name
    return None


def read_config(folder: Path, device: str) -> Any:
    """LeRobot's configuration from the folder, its VLM found beside it. Raises PolicyError if the policy is not one this engine can ask."""
    from lerobot.configs import PreTrainedConfig
    from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig

    path = folder / "config.json"
    if checkpoint.read_json(path).get("type") != "smolvla":
        raise PolicyError(f"{path} describes a policy of type '{checkpoint.read_json(path).get('type')}'; expected 'smolvla'")
    try:
        config = PreTrainedConfig.from_pretrained(folder)
    except Exception as error:  # the parser raises many kinds, all of them about this file
        raise PolicyError(f"{path} is not a configuration LeRobot accepts ({error})") from error
    assert isinstance(config, SmolVLAConfig)
    if (folder / checkpoint.VLM).is_dir():
        config.vlm_model_name = str(folder / checkpoint.VLM)
    config.device = device
    wanted = [f"observation.images.{name}" for name in compact.CAMERAS]
    if sorted(config.image_features) != sorted(wanted):
        raise PolicyError(f"{path} names cameras {sorted(config.image_features)}; expected {sorted(wanted)}")
    for what, feature, size in (
        ("state", config.robot_state_feature, compact.STATE_DIM),
        ("action", config.action_feature, compact.ACTION_DIM),
    ):
        shape = None if feature is None else tuple(feature.shape)
        if shape != (size,):
            raise PolicyError(f"{path} has an {what} of shape {shape}; expected ({size},)")
    return config


def _load_base(folder: Path, device: str) -> Any:
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
    from transformers.utils import logging

    logging.set_verbosity_error()  # its remarks would land on the operator's screen
    config = read_config(folder, device)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            blank = SmolVLAPolicy(config)
        except Exception as error:  # transformers raises many kinds, all of them about these files
            raise PolicyError(f"{config.vlm_model_name} does not describe a VLM that can be built without a network ({error})") from error
        shapes = {name: tuple(tensor.shape) for name, tensor in blank.state_dict().items()}
        checkpoint.read_tensors(folder / checkpoint.MODEL, shapes)
        policy = SmolVLAPolicy.from_pretrained(folder, config=config, strict=True)
    for parameter in policy.parameters():
        parameter.requires_grad_(False)
    return policy


def _load_member(path: Path, base: Any) -> Any:
    """A copy of ``base`` with the file's tensors: an action expert, or a whole policy."""
    whole = {name: tuple(tensor.shape) for name, tensor in base.state_dict().items()}
    expert = {name: whole[name] for name in expert_state(base)}
    found = checkpoint.read_tensors(path)
    expected = whole if set(found) > set(expert) else expert
    member = copy.deepcopy(base)
    member.load_state_dict(checkpoint.read_tensors(path, expected), strict=False)
    return member


def _load_heads(folder: Path, policy: Any, device: str) -> Heads:
    heads = new_heads(policy)
    expected = {name: tuple(tensor.shape) for name, tensor in heads.state_dict().items()}
    heads.load_state_dict(checkpoint.read_tensors(folder / checkpoint.HEADS, expected))
    return heads.to(device).eval().requires_grad_(False)


def new_heads(policy: Any) -> Heads:
    """Untrained heads that fit a policy's prefix."""
    vlm = policy.model.vlm_with_expert.vlm.config
    side = vlm.vision_config.image_size // vlm.vision_config.patch_size // vlm.scale_factor
    return Heads(tokens=side**2 * len(policy.config.image_features), width=vlm.text_config.hidden_size)


def load_processors(folder: Path, config: Any) -> tuple[Any, Any]:
    """LeRobot's own pre- and post-processor pipelines from the folder. Raises PolicyError."""
    from lerobot.policies.factory import make_pre_post_processors

    for name in ("policy_preprocessor.json", "policy_postprocessor.json"):
        checkpoint.read_json(folder / name)
    overrides = {"tokenizer_processor": {"tokenizer_name": config.vlm_model_name}, "device_processor": {"device": config.device}}
    try:
        before, after = make_pre_post_processors(
            config,
            pretrained_path=str(folder),
            preprocessor_overrides=overrides,
            postprocessor_overrides={"device_processor": {"device": "cpu"}},
        )
    except Exception as error:  # the pipelines raise many kinds, all of them about these files
        raise PolicyError(f"{folder}/policy_*.json: LeRobot could not build the processors ({error})") from error
    return before, after
