"""Training learns, its statistics are LeRobot's, and the whole pipeline runs from the cell to a loadable folder."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.policy import checkpoint, compact, courses, evaluate, fitting, practice, train
from engine.policy.building import features_shape
from engine.policy.ensemble import Ensemble
from engine.policy.experts import StackedExperts
from engine.policy.fitting import Fit, Material
from engine.policy.heads import Heads
from engine.policy.intervals import auroc, bootstrap, share, wilson
from engine.policy.loading import PolicyError, load


def silent(text: str) -> None:
    pass


def material(count: int) -> Material:
    """Observations whose brightness tells the action."""
    generator = torch.Generator().manual_seed(2)
    shade = torch.rand(count, generator=generator)
    pictures = (shade[:, None, None, None, None] * 255).to(torch.uint8).expand(count, 3, compact.IMAGE_SIZE, compact.IMAGE_SIZE, 3)
    labels = torch.zeros(count, len(courses.cosaw().sights.labels))
    labels[:, 0] = shade
    return Material(
        pictures=pictures,
        states=torch.zeros(count, compact.STATE_DIM),
        actions=(2.0 * shade - 1.0)[:, None, None].expand(count, compact.HORIZON, compact.ACTION_DIM),
        labels=labels,
        episode=torch.arange(count) // 4,
        task=torch.arange(count) % 2,
        tokens=(torch.arange(20, 30), torch.arange(20, 26)),
        weight=torch.ones(compact.ACTION_DIM),
    )


def test_the_flow_loss_is_lerobots() -> None:
    """Same noise, same times, same loss: LeRobot's ``VLAFlowMatching.forward`` against the stacked one."""
    from engine.policy.prefix import Prefix

    folder = checkpoint.shipped("cosaw") / checkpoint.VLM
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
    heads = Heads(*features_shape(policy), courses.cosaw().sights)
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


def test_every_task_has_the_same_share_of_a_step_however_many_observations_it_has() -> None:
    shown = replace(material(40), task=torch.cat((torch.zeros(36, dtype=torch.long), torch.ones(4, dtype=torch.long))))
    rows = fitting.drawn(shown.rows(), 16, torch.Generator().manual_seed(0))
    assert [len(of_task) for of_task in rows] == [8, 8]
    assert [set(shown.task[of_task].tolist()) for of_task in rows] == [{0}, {1}]
    with pytest.raises(PolicyError, match="no observation"):
        replace(shown, task=torch.zeros(40, dtype=torch.long)).rows()


def test_episodes_are_dealt_in_the_tasks_shares() -> None:
    course = courses.pickplace()
    assert [task.name for task in course.dealt(4)] == ["pickplace", "lift", "reach", "pickplace"]
    dealt = [task.name for task in course.dealt(400)]
    assert [dealt.count(task.name) for task in course.tasks] == [200, 100, 100]


def test_wilsons_interval_on_worked_cases() -> None:
    assert wilson(40, 50) == pytest.approx((0.6696, 0.8876), abs=1e-4)
    assert wilson(0, 50)[0] == pytest.approx(0.0, abs=1e-12)
    assert wilson(0, 0) == (0.0, 1.0)


def test_separation_and_its_interval_on_worked_cases() -> None:
    low, high = np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0])
    assert auroc(low, high) == pytest.approx(5.5 / 6.0)
    assert auroc(high, low) == pytest.approx(0.5 / 6.0)
    assert np.isnan(auroc(low, low[:0]))
    assert bootstrap(auroc, np.zeros(9), np.ones(9)) == (1.0, 1.0)
    near = np.arange(20).astype(np.float64)
    far = (near + 5.0).astype(np.float64)
    below, above = bootstrap(auroc, near, far)
    assert below < auroc(near, far) < above < 1.0


def test_a_share_is_bootstrapped_by_seed() -> None:
    pairs = np.array([[1.0, 2.0], [3.0, 6.0], [2.0, 4.0]])
    assert share(pairs) == 0.5
    assert bootstrap(share, pairs) == (0.5, 0.5)
    rng = np.random.default_rng(0)
    free = np.abs(rng.normal(1.0, 0.3, (400, 2)))
    below, above = bootstrap(share, free)
    assert above - below == pytest.approx(2 * 1.96 * 0.3 * np.sqrt(2.0 / 400.0), rel=0.25)
    assert np.isnan(share(np.zeros((2, 2))))


def test_the_experts_shaken_episode_is_labelled_by_the_expert_itself() -> None:
    from adapters.mujoco.expert import expert_chunk

    course = replace(courses.cosaw(), short_s=1.0, long_s=1.0)
    episode = course.begin(course.start("saw", 5))
    for now in practice.shaken(course, episode, 2, np.random.default_rng(0)):
        assert now.state.shape == (course.state_size,)
        np.testing.assert_allclose(now.chunk, expert_chunk(episode.plant()), atol=1e-5)
    samples = practice.demonstrate(course, ("saw", 5))
    assert len(samples.poses) == len(samples.states) == len(samples.chunks) == len(samples.labels)
    assert np.isfinite(samples.labels).all()


COURSE = replace(courses.cosaw(), short_s=2.0, long_s=0.5, long_share=0.0)
TINY = train.Plan(COURSE, episodes=2, steps=2, expert_steps=2, practice=2, nominal=2, batch=4, workers=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ensemble]:
    """A folder made by the whole pipeline, far too small to be good at anything."""
    out = tmp_path_factory.mktemp("training") / "tiny"
    return out, train.train(out, TINY, progress=silent)


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
        train.train(out, TINY, progress=silent)
    again = train.train(out, TINY, resume=True, progress=silent)
    for name, tensor in ensemble.member(0).state_dict().items():
        assert torch.equal(tensor, again.member(0).state_dict()[name]), name


def test_a_work_folder_of_another_robot_is_refused(trained: tuple[Path, Ensemble]) -> None:
    with pytest.raises(PolicyError, match="begun for cosaw"):
        train.train(trained[0], replace(TINY, course=courses.pickplace()), resume=True, progress=silent)


def test_an_evaluation_sets_the_policy_beside_what_it_must_beat(trained: tuple[Path, Ensemble]) -> None:
    found = evaluate.evaluate(COURSE, str(trained[0]), episodes=2, workers=1, flow_steps=(1,), progress=silent)
    report = found["tasks"]["saw"]
    names = ["ensemble", "expert", "one member", "black pictures", "wrong instruction", "far", "far expert", "1 flow steps"]
    assert list(report["success"]) == names
    for one in report["success"].values():
        assert one["episodes"] == 2
        assert one["success_ci95"][0] <= one["success"] <= one["success_ci95"][1] + 1e-9
    assert report["disagreement"]["first_chunk"]["auroc"] in (0.0, 0.25, 0.5, 0.75, 1.0)
    assert len(evaluate.lines(found)) > len(names)
    json.dumps(found)
