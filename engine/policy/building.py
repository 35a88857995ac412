"""LeRobot's own SmolVLA out of a folder: its configuration, its weights and its processors, from JSON and safetensors alone."""

import contextlib
import copy
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from engine.policy import checkpoint, hub
from engine.policy.errors import PolicyError
from engine.policy.experts import expert_state
from engine.policy.members import MEMBERS_OWN
from engine.policy.prefix import picture_size

PROCESSORS = ("policy_preprocessor.json", "policy_postprocessor.json")
STATE_PROJECTION = "model.state_proj."  #: trained with the expert by LeRobot's usual recipe
#: what members must have in common, beside the shapes of their inputs and outputs
SHAPING = (
    *("chunk_size", "num_steps", "max_state_dim", "max_action_dim", "resize_imgs_with_padding", "tokenizer_max_length", "pad_language_to"),
    *("prefix_length", "add_image_special_tokens", "attention_mode", "num_vlm_layers", "num_expert_layers", "self_attn_every_n_layers"),
    *("expert_width_multiplier", "min_period", "max_period", "empty_cameras", "normalization_mapping"),
)
SIDE_MAX = 2048  #: pixels of the pictures a policy computes with
#: least and most of entries that memory or time grow with
RANGES = {"chunk_size": (1, 1000), "num_steps": (1, 50), "empty_cameras": (0, 16), "tokenizer_max_length": (1, 1000)}
#: statistics that each mode scales by
BOUNDS = {"MEAN_STD": ("mean", "std"), "MIN_MAX": ("min", "max"), "QUANTILES": ("q01", "q99"), "QUANTILE10": ("q10", "q90")}


class _Kind(msgspec.Struct):
    """What decides which configuration a file holds."""

    type: str = ""


class _Step(msgspec.Struct, rename={"own": "class"}):
    """One step of a pipeline: of LeRobot's registered ones, or of a class of its own."""

    registry_name: str | None = None
    own: str | None = None
    state_file: str | None = None


class _Pipeline(msgspec.Struct):
    steps: list[_Step] = []


def _silent(text: str) -> None:
    """Told to nobody."""


def read_config(folder: Path, progress: Callable[[str], None] = _silent) -> Any:
    """LeRobot's configuration from the folder, for the CPU, its VLM's files found beside it or on the hub. Raises PolicyError."""
    from lerobot.configs import PreTrainedConfig
    from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig

    path = folder / "config.json"
    check_kind(path)
    try:
        config = PreTrainedConfig.from_pretrained(folder)
    except Exception as error:  # the parser raises many kinds, all of them about this file
        raise PolicyError(f"{path} is not a configuration LeRobot accepts ({_line(error)})") from error
    assert isinstance(config, SmolVLAConfig)
    for name in ("use_peft", "rtc_config"):
        if getattr(config, name):
            raise PolicyError(f"{path} sets {name}, which this engine does not run; expected a plain SmolVLA checkpoint")
    if not config.image_features or config.robot_state_feature is None or config.action_feature is None:
        raise PolicyError(f"{path} lacks cameras, observation.state or action; expected all three with their shapes")
    _check_ranges(path, config)
    config.vlm_model_name = str(_vlm(folder, str(config.vlm_model_name), progress))
    config.load_vlm_weights = config.compile_model = False  # the checkpoint holds them; the engine compiles by itself
    config.device = "cpu"
    return config


def _check_ranges(path: Path, config: Any) -> None:
    """Raises PolicyError naming the first entry of a configuration that nothing can be computed with."""
    for name, size in picture_sizes(config).items():
        if len(size) != 3 or size[0] != 3 or min(size) < 1:
            raise PolicyError(f"{path} has pictures of camera '{name}' of shape {size}; expected 3 channels, height and width")
    for name, (least, most) in RANGES.items():
        value = getattr(config, name)
        if not least <= value <= most:
            raise PolicyError(f"{path} has {name} = {value}; expected {least} to {most}")
    size = config.resize_imgs_with_padding
    if size is not None and not (len(size) == 2 and all(1 <= side <= SIDE_MAX for side in size)):
        raise PolicyError(f"{path} has resize_imgs_with_padding = {size}; expected two sides of 1 to {SIDE_MAX}")
    if not 0.0 < config.min_period <= config.max_period < math.inf:
        periods = f"min_period = {config.min_period} and max_period = {config.max_period}"
        raise PolicyError(f"{path} has {periods}; expected the first above 0 and the second no less")


def check_kind(path: Path) -> None:
    """Raises PolicyError unless a configuration is a SmolVLA's."""
    kind = checkpoint.read_json(path, _Kind).type
    if kind != "smolvla":
        raise PolicyError(f"{path} describes a policy of type '{kind}'; expected 'smolvla'")


def _vlm(folder: Path, name: str, progress: Callable[[str], None]) -> Path:
    """The folder with the VLM's configuration and tokenizer."""
    beside = folder / checkpoint.VLM
    if beside.is_dir():
        found = beside
    elif Path(name).is_dir():
        found = Path(name)
    elif hub.is_id(name):
        found = hub.folder(name, progress, ("config.json", "tokenizer_config.json"), hub.TEXTS)
    else:
        raise PolicyError(f"{folder / 'config.json'} takes its VLM from '{name}'; expected the folder {beside}, another or a hub id")
    for path in found.glob("*config.json"):
        if "auto_map" in checkpoint.read_json(path, dict[str, Any]):
            raise PolicyError(f"{path} asks for code of its own (auto_map), which is never run; expected a model that transformers knows")
    return found


def picture_sizes(config: Any) -> dict[str, tuple[int, int, int]]:
    """Channels, height and width of each picture a policy takes, by its own name for the camera, in its order."""
    return {name.removeprefix("observation.images."): tuple(one.shape) for name, one in config.image_features.items()}


def blank(config: Any) -> Any:
    """An untrained ``SmolVLAPolicy``, frozen. Raises PolicyError."""
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
    from transformers.utils import logging

    logging.set_verbosity_error()  # its remarks would land on the operator's screen
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            policy = SmolVLAPolicy(config)
        except Exception as error:  # transformers raises many kinds, all of them about these files
            why = _line(error)
            raise PolicyError(f"{config.vlm_model_name} does not describe a VLM that can be built without a network ({why})") from error
    return policy.eval().requires_grad_(False)


def whole(path: Path, policy: Any) -> Any:
    """``policy`` with every tensor from the file, as LeRobot's ``from_pretrained`` reads it. Raises PolicyError."""
    tensors, found = policy.state_dict(), checkpoint.shapes(path)
    first: dict[int, str] = {}
    for name, tensor in tensors.items():  # of tensors that share their memory, a file holds one
        kept = first.setdefault(tensor.data_ptr(), name)
        if kept != name and kept not in found and name in found:
            first[tensor.data_ptr()] = name
    expected = {name: tuple(tensors[name].shape) for name in tensors if name in found or first[tensors[name].data_ptr()] == name}
    checkpoint.check_shapes(path, found, expected)
    _fill(policy, path)
    return policy


def _fill(policy: Any, path: Path) -> None:
    read = checkpoint.read_tensors(path)
    checkpoint.check_numbers(path, read)
    policy.load_state_dict(read, strict=False)


def check_expert(path: Path) -> None:
    """Raises PolicyError where a file has more than an action expert and a state projection, from its header alone."""
    for name in checkpoint.shapes(path):
        if not name.removeprefix("model.").startswith(MEMBERS_OWN):
            raise PolicyError(f"{path} holds {name}, which is of no action expert; expected the folder where a file is of a whole policy")


def member(path: Path, first: Any) -> Any:
    """A further member from a file: a whole policy, or an action expert with or without a state projection on ``first``'s very VLM."""
    found, tensors = checkpoint.shapes(path), first.state_dict()
    names = set(expert_state(first))
    projection = {name for name in tensors if name.startswith(STATE_PROJECTION)}
    if set(found) - names - projection:
        return whole(path, copy.deepcopy(first))
    names |= projection if projection & set(found) else set()
    checkpoint.check_shapes(path, found, {name: tuple(tensors[name].shape) for name in names})
    shared = first.model.vlm_with_expert.vlm
    policy = copy.deepcopy(first, {id(shared): shared})
    _fill(policy, path)
    return policy


def features_shape(policy: Any) -> tuple[int, int]:
    """Tokens of all cameras' pictures, and the width of each: what heads on the prefix read."""
    vlm = policy.model.vlm_with_expert.vlm.config
    height, width = (side // vlm.vision_config.patch_size // vlm.scale_factor for side in picture_size(policy.config))
    return height * width * len(policy.config.image_features), int(vlm.text_config.hidden_size)


def check_alike(path: Path, config: Any, first_path: Path, first: Any) -> None:
    """Raises PolicyError naming what of two members' configurations differs, with both values."""

    def described(one: Any) -> dict[str, Any]:
        sizes = {f"camera '{name}'": size for name, size in picture_sizes(one).items()}
        return {"state": tuple(one.robot_state_feature.shape), "action": tuple(one.action_feature.shape), **sizes} | {
            name: getattr(one, name) for name in SHAPING
        }

    here, there = described(config), described(first)
    for name in (*there, *here):
        if here.get(name) != there.get(name):
            raise PolicyError(f"{path} has {name} = {here.get(name)}; expected {there.get(name)} as in {first_path}: members must agree")


def processors(folder: Path, config: Any, device: str = "cpu", statistics: str = "") -> tuple[Any, Any]:
    """LeRobot's own pre- and post-processor pipelines from the folder. ``statistics`` names one of several sets. Raises PolicyError."""
    from lerobot.policies.factory import make_pre_post_processors

    before: dict[str, Any] = {"tokenizer_processor": {"tokenizer_name": config.vlm_model_name}, "device_processor": {"device": device}}
    after: dict[str, Any] = {"device_processor": {"device": "cpu"}}
    for name, overrides in zip(PROCESSORS, (before, after), strict=True):
        path = folder / name
        if not path.exists():
            update = f"python -m lerobot.processor.migrate_policy_normalization --pretrained-path {folder}"
            raise PolicyError(f"{path} is missing; a checkpoint from before LeRobot 0.4 gets it by `{update}`")
        for step in checkpoint.read_json(path, _Pipeline).steps:
            if step.registry_name is None:
                raise PolicyError(f"{path} has a step of a class of its own, {step.own}; expected LeRobot's registered steps only")
            if statistics and step.state_file is not None:
                overrides[step.registry_name] = {"stats": _set(folder / step.state_file, statistics)}
    try:
        pipelines = make_pre_post_processors(
            config, pretrained_path=str(folder), preprocessor_overrides=before, postprocessor_overrides=after
        )
    except Exception as error:  # the pipelines raise many kinds, all of them about these files
        raise PolicyError(f"{folder}/policy_*.json: LeRobot could not build the processors ({_line(error)})") from error
    state, action = config.robot_state_feature, config.action_feature
    _check_statistics(folder / PROCESSORS[0], pipelines[0], config, {"observation.state": state, **config.image_features})
    _check_statistics(folder / PROCESSORS[1], pipelines[1], config, {"action": action})
    return pipelines[0], pipelines[1]


def _set(path: Path, name: str) -> dict[str, dict[str, Any]]:
    """One of several sets of statistics that a file holds as ``<name>.buffer.<feature>.<statistic>``."""
    chosen: dict[str, dict[str, Any]] = {}
    tensors = checkpoint.read_tensors(path)
    for key, tensor in tensors.items():
        if key.startswith(f"{name}."):
            feature, statistic = key.removeprefix(f"{name}.").removeprefix("buffer.").rsplit(".", 1)
            chosen.setdefault(feature, {})[statistic] = tensor.numpy()
    if not chosen:
        raise PolicyError(f"{path} holds no statistics of '{name}'; expected one of {', '.join(_sets(tensors)) or 'none'}")
    return chosen


def _sets(tensors: Mapping[str, Any]) -> list[str]:
    return sorted({key.split(".buffer.")[0] for key in tensors if ".buffer." in key})


def _check_statistics(path: Path, pipeline: Any, config: Any, features: Mapping[str, Any]) -> None:
    """LeRobot passes on, as it is, whatever it has no statistics for; here that is an error."""
    found: dict[str, Tensor] = {}
    for step in pipeline.steps:
        found |= step.state_dict()
    for name, feature in features.items():
        mode = config.normalization_mapping.get(feature.type.value, "IDENTITY")
        if getattr(mode, "value", mode) == "IDENTITY":
            continue
        own = {key: tensor for key, tensor in found.items() if key.rsplit(".", 1)[0] == name}
        if not own:
            sets = _sets(found)
            hint = f"; it holds those of {', '.join(sets)}: choose one as mapping.statistics" if sets else ""
            raise PolicyError(f"{path} has no statistics of {name}; expected mean and spread for {tuple(feature.shape)}{hint}")
        for key, tensor in own.items():
            if feature.type.value != "VISUAL" and key.rsplit(".", 1)[1] != "count" and tuple(tensor.shape) != tuple(feature.shape):
                raise PolicyError(f"{path} has {key} of shape {tuple(tensor.shape)}; expected {tuple(feature.shape)}")
            if not torch.isfinite(tensor).all():
                raise PolicyError(f"{path} has {key} that is not a number; expected the statistics of the training data")
        low, high = (f"{name}.{key}" for key in BOUNDS[getattr(mode, "value", mode)])
        for key in (low, high):
            if key not in own:
                raise PolicyError(f"{path} lacks {key}; expected it of shape {tuple(feature.shape)}")
        spread = own[high] if high.endswith(".std") else own[high] - own[low]
        if not (spread > 0.0).all():
            raise PolicyError(f"{path} has {high} that is not above {'0' if high.endswith('.std') else low} throughout")


def check_same_statistics(folders: Sequence[Path], pipelines: Sequence[tuple[Any, Any]]) -> None:
    """Members are asked together, so they must have learned in the same units. Raises PolicyError."""

    def flat(pair: tuple[Any, Any]) -> dict[str, Tensor]:
        return {f"{end}.{key}": value for end, line in enumerate(pair) for step in line.steps for key, value in step.state_dict().items()}

    first = flat(pipelines[0])
    for folder, pair in zip(folders[1:], pipelines[1:], strict=True):
        other = flat(pair)
        for key in (*first, *other):
            if key not in first or key not in other or not torch.equal(first[key], other[key]):
                raise PolicyError(f"{folder} has other statistics than {folders[0]} ({key[2:]}); members must share them")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
