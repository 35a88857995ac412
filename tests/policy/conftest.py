"""What the policy tests share: no network, and an untrained ensemble on disk."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.policy import checkpoint, compact, courses, statistics
from engine.policy.building import features_shape
from engine.policy.ensemble import Ensemble
from engine.policy.experts import StackedExperts
from engine.policy.heads import Heads
from engine.policy.loading import load
from engine.policy.writing import write_policy
from engine.signals import familiarity, nominal
from engine.types import F64, Energy, Frames, Observation, SawState, Spring


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach out fails the test."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("something reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


CONNECT, LOOK_UP = socket.socket.connect, socket.getaddrinfo


@pytest.fixture
def real_connect(no_network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine itself may be reached."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)
    monkeypatch.setattr(socket, "getaddrinfo", LOOK_UP)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


PRIVATE = (checkpoint.MANIFEST, checkpoint.HEADS, checkpoint.SIGNALS)  #: files that LeRobot does not write
SETS = (("so100.buffer", 5.0), ("so100-red.buffer", 7.0))  #: data sets and the mean of everything in them
FEATURES = ("observation.state", "action")


def spreads() -> dict[str, dict[str, torch.Tensor]]:
    """Statistics with a mean and a spread of their own in every component."""
    generator = torch.Generator().manual_seed(5)
    return {
        name: {"mean": torch.randn(size, generator=generator), "std": 0.5 + torch.rand(size, generator=generator)}
        for name, size in (("observation.state", compact.STATE_DIM), ("action", compact.ACTION_DIM))
    }


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an ensemble with random weights: three members, heads, and statistics of random numbers."""
    folder = tmp_path_factory.mktemp("policies") / "untrained"
    size = compact.Size()
    policies = [compact.new_policy(folder / "vlm", size, seed=i) for i in range(3)]
    rng = np.random.default_rng(3)
    kept = statistics.Statistics(
        statistics.noise_bank(2, compact.HORIZON, compact.ACTION_DIM),
        nominal.fit(rng.normal(1.0, 0.1, (200, 18)), np.ones((200, 18), dtype=np.bool_)),
        familiarity.fit(rng.normal(size=(300, 3 * size.text_width)), 8),
    )
    course = courses.cosaw()
    heads = Heads(*features_shape(policies[0]), course.sights)
    write_policy(folder, course, policies[0], StackedExperts(policies), heads, kept, spreads(), size, {})
    return folder


@pytest.fixture(scope="session")
def foreign(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one policy as LeRobot alone writes it: an SO-101 in degrees, wide paddings, two cameras of other names and sizes.

    Its statistics are those of two data sets, as in the checkpoints that were trained on several.
    """
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot.policies.factory import make_pre_post_processors
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    folder = tmp_path_factory.mktemp("policies") / "foreign"
    config = compact.build_config(untrained / "vlm", compact.Size(flow_steps=2))
    config.input_features = {
        "observation.state": PolicyFeature(FeatureType.STATE, (6,)),
        "observation.images.camera1": PolicyFeature(FeatureType.VISUAL, (3, 64, 64)),
        "observation.images.camera2": PolicyFeature(FeatureType.VISUAL, (3, 128, 128)),
    }
    config.output_features = {"action": PolicyFeature(FeatureType.ACTION, (6,))}
    config.chunk_size = config.n_action_steps = 4
    config.max_state_dim, config.max_action_dim, config.pad_language_to = 32, 32, "max_length"
    config.num_expert_layers = config.prefix_length = 0
    torch.manual_seed(9)
    SmolVLAPolicy(config).save_pretrained(folder)
    stats = {f"{name}.{key}": {"mean": torch.full((6,), mean), "std": torch.full((6,), 10.0)} for name, mean in SETS for key in FEATURES}
    for pipeline in make_pre_post_processors(config, dataset_stats=stats):
        pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def ensemble(untrained: Path) -> Ensemble:
    return load(str(untrained), joint_limits=((-2.0, 2.0),) * 7)


def saw_state() -> SawState:
    zero = dict.fromkeys(SawState.__struct_fields__, 0.0)
    return SawState(**{**zero, "zone": 0, "in_kerf": False, "stuck": False, "partner_holding": True, "stroke_count": 0})  # type: ignore[arg-type]


def frames(seed: int, t_ns: int = 1_000_000_000, size: int = compact.IMAGE_SIZE) -> Frames:
    """One exposure of random pictures and a random reading."""
    rng = np.random.default_rng(seed)

    def some(n: int) -> F64:
        return rng.normal(size=n)

    observation = Observation(
        t_ns=t_ns,
        seq=seed,
        q=some(7) * 0.1,
        dq=some(7),
        tau=some(7),
        pose=np.concatenate((some(3), (1.0, 0.0, 0.0, 0.0))),
        twist=some(6),
        wrench=some(6),
        manipulability=0.1,
        saw=saw_state(),
        plant=np.zeros(0),
        links=some(12).reshape(4, 3),
        grip=some(3),
        holds=True,
        person=None,
        spring=Spring(pose_d=(0.0,) * 7, stiffness=(0.0,) * 6, damping=(0.0,) * 6, force_max=0.0, torque_max=0.0),
        energy=Energy(tank=0.0, share=1.0, partner=0.0, grant=0.0, wood=0.0, damping=0.0, stored=0.0, paid=0.0, refill=0.0),
    )
    images = {name: rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for name in compact.CAMERAS}
    return Frames(seq=seed, t_ns=t_ns, exposed_ns=t_ns, observation=observation, images=images)


@pytest.fixture
def folder(untrained: Path, tmp_path: Path) -> Path:
    """A copy of the untrained ensemble to spoil."""
    return Path(shutil.copytree(untrained, tmp_path / "policy"))


@pytest.fixture
def plain(folder: Path) -> Path:
    """A copy of its first member to spoil, as LeRobot alone would have written it."""
    for name in PRIVATE:
        (folder / name).unlink()
    shutil.rmtree(folder / checkpoint.MEMBERS)
    return folder


def resign(folder: Path) -> None:
    """Write the manifest again, as if training had made the spoiled files."""
    checkpoint.write_manifest(folder, checkpoint.read_manifest(folder))


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def retouch(path: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
