"""Training learns, its statistics are LeRobot's, and the whole pipeline runs from the cell to a loadable folder."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.policy import compact, fitting, practice, rollout, train
from engine.policy.ensemble import Ensemble
from engine.policy.experts import StackedExperts
from engine.policy.fitting import Fit, Material
from engine.policy.loading import PolicyError, load, new_heads


def silent(text: str) -> None:
    pass


def material(count: int) -> Material:
    """Observations whose brightness tells the action."""
    generator = torch.Generator().manual_seed(2)
    shade = torch.rand(count, generator=generator)
    pictures = (shade[:, None, None, None, None] * 255).to(torch.uint8).expand(count, 3, compact.IMAGE_SIZE, compact.IMAGE_SIZE, 3)
    labels = torch.zeros(count, 8)
    labels[:, 0] = shade
    return Material(
        pictures=pictures,
        states=torch.zeros(count, compact.STATE_DIM),
        actions=(2.0 * shade - 1.0)[:, None, None].expand(count, compact.HORIZON, compact.ACTION_DIM),
        labels=labels,
        episode=torch.arange(count) // 4,
        tokens=torch.arange(20, 30),
        weight=torch.ones(compact.ACTION_DIM),
    )


def test_the_flow_loss_is_lerobots() -> None:
    """Same noise, same times, same loss: LeRobot's ``VLAFlowMatching.forward`` against the stacked one."""
    from engine.policy.prefix import Prefix

    folder = Path(load("compact")._policy.config.vlm_model_name)
    policy = compact.new_policy(folder, compact.Size(), seed=4)
    rng = torch.Generator().manual_seed(1)
    images = [torch.rand(2, 3, 128, 128, generator=rng) * 2 - 1 for _ in compact.CAMERAS]
    tokens, state = torch.arange(20, 30), torch.randn(2, 9, generator=rng)
    actions, noise = torch.randn(2, 16, 7, generator=rng), torch.randn(2, 16, 7, generator=rng)
    time = torch.tensor([0.3, 0.8])
    mask = [torch.ones(2, dtype=torch.bool)] * 3
    words = tokens.expand(2, -1)
    with torch.no_grad():
        expected = policy.model.forward(images, mask, words, torch.ones(2, 10, dtype=torch.bool), state, actions, noise, time)
        experts = StackedExperts([policy])
        keys, values, _ = Prefix(policy)((torch.stack(images, dim=1) + 1) / 2, tokens, state)
        mixed = time[:, None, None] * noise + (1 - time[:, None, None]) * actions
        context = experts.context(keys, values)
        velocity = experts.velocity(mixed[None, :, None], experts.embed_time(time)[None, :, None], context)[0, :, 0]
    torch.testing.assert_close((velocity - (noise - actions)) ** 2, expected, atol=1e-4, rtol=1e-4)


def test_the_prefix_and_the_experts_learn_and_only_what_shall_move_moves(tmp_path: Path) -> None:
    policy = compact.new_policy(tmp_path / "vlm", compact.Size(), seed=0)
    heads = new_heads(policy)
    shown = material(32)
    curve = fitting.fit_prefix(policy, heads, shown, Fit(20, batch=8, warm_up=2), seed=1, progress=silent)
    assert curve[-1][0] < curve[0][0]
    assert curve[-1][1] < curve[0][1]
    frozen = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    experts = StackedExperts([compact.new_policy(tmp_path / "vlm", compact.Size(), seed=10 + i) for i in range(2)])
    losses = fitting.fit_experts(policy, experts, shown, Fit(20, batch=8, warm_up=2), seed=1, progress=silent)
    assert all(last < first for first, last in zip(losses[0], losses[-1], strict=True))
    assert all(torch.equal(tensor, frozen[name]) for name, tensor in policy.state_dict().items())
    assert any(not torch.equal(w[0], w[1]) for w in experts.parameters())


def test_each_member_resamples_the_episodes() -> None:
    episode = torch.arange(400) // 4
    weights = fitting.bootstrap_weights(episode, 5, seed=1)
    assert weights.shape == (5, 400)
    assert torch.equal(weights.sum(dim=1), torch.full((5,), 400.0))
    assert ((weights == 0).float().mean(dim=1) - np.exp(-1)).abs().max() < 0.15
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[:, ::4], weights[:, 3::4])


def test_wilsons_interval_on_worked_cases() -> None:
    low, high = rollout.wilson(40, 50)
    assert (low, high) == pytest.approx((0.6696, 0.8876), abs=1e-4)
    assert rollout.wilson(0, 50)[0] == pytest.approx(0.0, abs=1e-12)
    assert rollout.wilson(0, 0) == (0.0, 1.0)


def test_the_experts_shaken_episode_is_labelled_by_the_expert_itself() -> None:
    from adapters.mujoco.expert import expert_chunk

    samples = practice.demonstrate(5, short=1.0, long=1.0)
    assert samples.states.shape == (len(samples.plants), compact.STATE_DIM)
    for plant, chunk in zip(samples.plants, samples.chunks, strict=True):
        np.testing.assert_allclose(chunk, expert_chunk(plant), atol=1e-5)


TINY = train.Plan(
    episodes=2, steps=2, device="cpu", workers=1, batch=4, practice_episodes=1, nominal_episodes=1, short=2.0, duration=2.0, worlds=2
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ensemble]:
    """A folder made by the whole pipeline, far too small to be good at anything."""
    out = tmp_path_factory.mktemp("training") / "tiny"
    return out, train.train(out, plan=TINY, progress=silent)


def test_the_pipeline_leaves_a_policy_that_loads_and_says_what_it_was_trained_on(trained: tuple[Path, Ensemble]) -> None:
    out, ensemble = trained
    again = load(str(out))
    assert again.info.members == train.MEMBERS
    assert again.info.hash == ensemble.info.hash
    assert again.statistics.familiarity is not None
    assert json.loads((out / "ensemble.json").read_text())["training"]["demonstrations"] == 2


def test_training_does_not_write_over_a_folder_and_resumes_one(trained: tuple[Path, Ensemble]) -> None:
    out, ensemble = trained
    with pytest.raises(PolicyError, match="not empty"):
        train.train(out, progress=silent)
    again = train.train(out, plan=TINY, resume=True, progress=silent)
    for name, tensor in ensemble.member(0).state_dict().items():
        assert torch.equal(tensor, again.member(0).state_dict()[name]), name


def test_an_evaluation_counts_policy_black_pictures_and_expert(trained: tuple[Path, Ensemble]) -> None:
    found = train.evaluate(str(trained[0]), episodes=1, duration=1.0, workers=1, progress=silent)
    for name in ("policy", "black", "expert"):
        assert found[name]["episodes"] == 1
        assert found[name]["success_ci95"][0] <= found[name]["success"] <= found[name]["success_ci95"][1] + 1e-9
