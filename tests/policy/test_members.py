"""Members answer as LeRobot does, whatever the SmolVLA's architecture, and what cannot be computed is refused."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from engine.policy import memory, roofline, smolvla
from engine.policy.errors import PolicyError
from engine.policy.members import Members
from engine.policy.ready import ReadyExperts
from engine.policy.smolvla import Shape, in_half, new_members
from engine.policy.streams import runs_of

CPU = torch.device("cpu")
TINY = Shape(  # three heads a key head, 3 x 3 patches a token, twelve patches a side, pictures of another shape than is looked at
    pixels=96,
    patch=8,
    scale_factor=3,
    vision_width=24,
    vision_layers=2,
    vision_heads=2,
    vision_mlp=32,
    text_width=48,
    text_layers=4,
    text_heads=6,
    key_heads=2,
    text_mlp=64,
    words=300,
    cameras=2,
    picture=(40, 80),
    state=5,
    action=6,
    more={"chunk_size": 6, "n_action_steps": 6, "num_steps": 2, "expert_width_multiplier": 0.5, "max_state_dim": 8, "max_action_dim": 7},
)
KINDS: dict[str, dict[str, Any]] = {
    "as they usually are": {},
    "special tokens, padding, empty cameras": {"add_image_special_tokens": True, "prefix_length": 60, "empty_cameras": 2},
    "attention to all in every layer": {"attention_mode": "self_attn"},
    "own attention in every third layer": {"self_attn_every_n_layers": 3},
    "half as many expert layers": {"num_expert_layers": 2, "self_attn_every_n_layers": -1},
}
WHICH = (0, 0, 1)
WORDS = torch.arange(20, 31)

type Given = tuple[Tensor, Tensor, Tensor, Tensor]


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("members") / "vlm"


@pytest.fixture(scope="module")
def usual(vlm: Path) -> list[Any]:
    """Two policies that no test changes."""
    return new_members(vlm, TINY, 2)


def given(seed: int = 1) -> Given:
    """Two moments and three streams."""
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.rand(2, TINY.cameras, 3, *TINY.picture, generator=generator)
    return pictures, WORDS, torch.randn(2, TINY.state, generator=generator), torch.randn(3, 6, 7, generator=generator)


def lerobot_actions(policies: Sequence[Any], images: Tensor, tokens: Tensor, states: Tensor, noise: Tensor) -> Tensor:
    """(E, M, H, A) by LeRobot, its words padded by two that the mask leaves out."""
    rows = []
    for policy in policies:
        for stream, moment in enumerate(WHICH):
            batch = {f"observation.images.camera{n}": images[moment : moment + 1, n] for n in range(images.shape[1])}
            batch["observation.state"] = states[moment : moment + 1]
            batch["observation.language.tokens"] = torch.cat((tokens, tokens[:2]))[None]
            batch["observation.language.attention_mask"] = (torch.arange(len(tokens) + 2) < len(tokens))[None]
            rows.append(policy.predict_action_chunk(batch, noise=noise[stream : stream + 1].clone()))
    return torch.cat(rows).unflatten(0, (len(policies), len(WHICH)))


def halved(policies: Sequence[Any]) -> list[Any]:
    return [in_half(policy) for policy in deepcopy(policies)]


@pytest.mark.parametrize("kind", KINDS)
def test_members_of_one_prefix_equal_lerobot_in_both_precisions(kind: str, vlm: Path, usual: list[Any]) -> None:
    policies = new_members(vlm, replace(TINY, more=TINY.more | KINDS[kind]), 2) if KINDS[kind] else usual
    members = Members(policies)
    assert members.path == "shared prefix"
    answer = members(*given(), WHICH)
    assert answer.actions.shape == answer.velocity.shape == (2, 3, 6, 6)
    torch.testing.assert_close(answer.actions, lerobot_actions(policies, *given()), atol=1e-5, rtol=0)
    assert (answer.actions[0] - answer.actions[1]).abs().max() > 1e-3
    halves = Members(policies, torch.bfloat16)(*given(), WHICH)
    torch.testing.assert_close(halves.actions, lerobot_actions(halved(policies), *given()), atol=2e-2, rtol=0)


def test_members_of_several_prefixes_equal_lerobot_each_on_its_own(vlm: Path, usual: list[Any]) -> None:
    policies = [usual[0], *new_members(vlm, TINY, 1, seed=1), usual[1]]
    members = Members(policies)
    assert members.path == "member by member"
    assert members.groups == ((0, 2), (1,))
    torch.testing.assert_close(members(*given(), WHICH).actions, lerobot_actions(policies, *given()), atol=1e-5, rtol=0)
    halves = Members(policies, torch.bfloat16)(*given(), WHICH)
    torch.testing.assert_close(halves.actions, lerobot_actions(halved(policies), *given()), atol=2e-2, rtol=0)


def test_one_number_of_difference_in_the_prefix_parts_the_members(usual: list[Any]) -> None:
    policies = [usual[0], deepcopy(usual[1])]
    assert Members(policies).groups == ((0, 1),)
    policies[1].model.vlm_with_expert.vlm.model.text_model.layers[0].mlp.up_proj.weight[3, 5] += 1e-6
    assert Members(policies).groups == ((0,), (1,))


def test_the_policies_that_members_are_made_of_stay_as_they_were(usual: list[Any]) -> None:
    before = [{name: tensor.clone() for name, tensor in policy.state_dict().items()} for policy in usual]
    Members(usual, torch.bfloat16)
    for policy, kept in zip(usual, before, strict=True):
        found = policy.state_dict()
        assert found.keys() == kept.keys()
        assert all(torch.equal(found[name], tensor) for name, tensor in kept.items())


def test_a_recorded_pass_answers_new_inputs_as_the_unrecorded_one(usual: list[Any]) -> None:
    members = Members(usual)
    told: list[str] = []
    step = members.recorded(*given(), WHICH, lambda features: (features.mean(dim=1),), told.append)
    for seed in (2, 3):
        answer = step(*given(seed))
        expected = members(*given(seed), WHICH)
        torch.testing.assert_close(answer.actions, expected.actions, atol=1e-6, rtol=0)
        torch.testing.assert_close(answer.velocity, expected.velocity, atol=1e-6, rtol=0)
        torch.testing.assert_close(answer.also[0], expected.features.mean(dim=1), atol=1e-6, rtol=0)
    assert not told


def test_a_pass_that_cannot_be_recorded_runs_unrecorded_and_says_so(usual: list[Any]) -> None:
    members = Members(usual[:1])
    told: list[str] = []

    def unrecordable(features: Tensor) -> tuple[Tensor, ...]:
        if torch.jit.is_tracing():  # type: ignore[no-untyped-call]
            raise RuntimeError("no graph of this")
        return (features,)

    step = members.recorded(*given(), WHICH, unrecordable, told.append)
    assert told == ["the pass could not be recorded and runs unrecorded (no graph of this)"]
    torch.testing.assert_close(step(*given(2)).actions, members(*given(2), WHICH).actions)


def test_memory_that_the_cpu_lacks_is_told_with_what_would_fit(usual: list[Any]) -> None:
    members = Members(usual)
    told: list[str] = []

    def greedy(features: Tensor) -> tuple[Tensor, ...]:
        return (torch.empty(2**50),)

    with pytest.raises(PolicyError, match=r"out of memory: 2 members hold .*; 1 member would fit"), memory.kept_within(members, CPU):
        members.recorded(*given(), WHICH, greedy, told.append)
    assert not told, "no room is no pass that cannot be recorded"
    with pytest.raises(RuntimeError, match="of another kind"), memory.kept_within(members, CPU):
        raise RuntimeError("of another kind")


def test_the_floor_counts_the_products_of_a_pass_and_no_other(usual: list[Any]) -> None:
    """Where it is lower: projections of the state, what tokens of the state are masked from, the flow's times."""
    members = Members(usual)
    prefix, experts = members._pairs()[0]
    floors = roofline.parts(members, TINY.cameras, len(WORDS), observations=2, streams=len(WHICH))
    with sdpa_kernel(SDPBackend.MATH):  # whose products are counted
        with FlopCounterMode(display=False) as seen:
            keys, values, _ = prefix(*given()[:3])
        with FlopCounterMode(display=False) as denoised:
            experts.integrated(keys, values, given()[3], runs_of(WHICH))
    for floor, counted in zip(floors, (seen, denoised), strict=True):
        assert 0.99 * counted.get_total_flops() < floor.flops <= counted.get_total_flops()


def test_the_fused_kernels_compute_what_the_general_step_does(tmp_path: Path) -> None:
    """In Triton's interpreter, which has to be chosen before Triton is imported."""
    wide = {"chunk_size": 5, "n_action_steps": 5, "expert_width_multiplier": 0.75, "max_action_dim": 32}
    policies = new_members(tmp_path / "vlm", replace(TINY, text_width=64, text_layers=2, text_heads=4, more=TINY.more | wide), 2)
    experts = ReadyExperts(policies, torch.float32)
    generator = torch.Generator().manual_seed(0)
    keys, values = (torch.randn(2, 2, 9, 2, 16, generator=generator) for _ in range(2))
    torch.save((experts, keys, values, torch.randn(3, 5, 32, generator=generator), runs_of(WHICH)), tmp_path / "pass.pt")
    script = Path(__file__).parent / "interpreted.py"
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, script, tmp_path / "pass.pt"], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) < 1e-5


def with_(**fields: object) -> Callable[[Any], None]:
    def change(policy: Any) -> None:
        for name, value in fields.items():
            setattr(policy.config, name, value)

    return change


REFUSED: dict[str, tuple[dict[str, Any], Callable[[Any], None], str]] = {
    "an Aloha's conversions": ({}, with_(adapt_to_pi_aloha=True), "Aloha"),
    "no cache": ({}, with_(use_cache=False), "use_cache"),
    "keys of the wrong width": ({"num_expert_layers": 2}, with_(), "LeRobot cannot run either"),
    "own attention without an expert layer": ({"num_expert_layers": 2, "attention_mode": "self_attn"}, with_(), "no expert layer"),
    "pictures that are not square": ({}, with_(resize_imgs_with_padding=(96, 48)), "6 x 12 patches"),
    "pictures of no patch": ({}, with_(resize_imgs_with_padding=(1, 1)), "0 x 0 patches"),
    "another activation": ({}, lambda policy: setattr(policy.model.vlm_with_expert.lm_expert.config, "hidden_act", "gelu"), "'gelu'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_computed_is_refused_in_one_sentence(case: str, vlm: Path, usual: list[Any]) -> None:
    more, change, words = REFUSED[case]
    policy = new_members(vlm, replace(TINY, more=TINY.more | more), 1)[0] if more else deepcopy(usual[0])
    change(policy)
    with pytest.raises(PolicyError, match=words):
        Members([policy])


def test_members_of_different_shapes_are_refused_naming_both(vlm: Path, usual: list[Any]) -> None:
    wider = replace(TINY, more=TINY.more | {"max_action_dim": 9})
    with pytest.raises(PolicyError, match=r"member 1 has .*\(9,|\(24, 9\)"):
        Members([usual[0], *new_members(vlm, wider, 1)])
    with pytest.raises(PolicyError, match="at least one"):
        Members([])


def test_the_full_size_shape_is_smolvla_450m(tmp_path: Path) -> None:
    """Its parameters, counted without making them."""
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    smolvla.build_vlm_folder(tmp_path, Shape())
    with torch.device("meta"):
        policy = SmolVLAPolicy(smolvla.build_config(tmp_path, Shape(), "cpu"))
    assert sum(parameter.numel() for parameter in policy.parameters()) / 1e6 == pytest.approx(450.05, abs=0.01)
