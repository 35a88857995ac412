"""Training learns, its statistics are LeRobot's, and the whole pipeline runs from the cell to a loadable folder."""

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import workers as processes
from engine.policy import checkpoint, compact, courses, demonstrations, evaluate, fitting, practice, rollout, train
from engine.policy.building import features_shape
from engine.policy.ensemble import Ensemble
from engine.policy.experts import StackedExperts
from engine.policy.fitting import Fit, Material
from engine.policy.heads import Heads
from engine.policy.intervals import auroc, bootstrap, share, wilson
from engine.policy.loading import PolicyError, load
from engine.policy.practice import Samples
from engine.policy.prefix import Prefix
from engine.policy.rollout import Played


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
    curve = fitting.fit_prefix(policy, heads, shown, Fit(12, batch=4, warm_up=2), seed=1, progress=silent)
    assert curve[-1][0] < curve[0][0]
    assert curve[-1][1] < curve[0][1]
    frozen = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    experts = StackedExperts([compact.new_policy(tmp_path / "vlm", compact.Size(), seed=10 + i) for i in range(2)])
    losses = fitting.fit_experts(policy, experts, shown, Fit(12, batch=4, warm_up=2), seed=1, progress=silent)
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


def played(success: bool, signals: float, inferences: int = 60) -> Played:
    """An episode all of whose signals have one value."""
    from adapters.mujoco.episode import Outcome

    outcome = Outcome(seed=1, success=success, depth_m=0.0, lateral_m=0.0, stuck=False, strokes=0)
    return Played(outcome, 1.0, [], np.full((inferences, 18), signals), np.zeros((inferences, 0), np.float32))


def test_far_starts_are_set_beside_the_near_ones_of_the_same_seeds() -> None:
    near = [played(True, value) for value in (1.0, 2.0, 3.0)]
    apart = evaluate.disagreement(near, [played(True, value) for value in (4.0, 5.0, 6.0)])["episode_mean"]
    assert (apart["auroc"], apart["auroc_ci95"], apart["near_median"], apart["far_median"]) == (1.0, [1.0, 1.0], 2.0, 5.0)
    # both of a seed are drawn together: where every seed tells the same, drawing seeds anew changes nothing
    same = evaluate.disagreement(near, near)["first_chunk"]
    assert same["auroc"] == 0.5
    assert same["auroc_ci95"] == [0.5, 0.5]
    unknown = evaluate.disagreement([*near, played(True, 9.0)], [*near, played(True, np.nan)])["first_chunk"]
    assert unknown["near_median"] == 2.0
    assert evaluate.disagreement(near[:1], [played(True, 1.0, inferences=0)])["first_chunk"]["near_median"] is None


def test_what_is_nominal_is_told_by_the_episodes_that_succeeded() -> None:
    usual, report = train._usual([played(True, 1.0), played(False, 50.0)])
    assert usual is not None
    assert usual.p95.tolist() == [1.0] * 18
    assert report["nominal"]["successes"] == 1
    assert report["nominal"]["interval_s"] == 0.25
    assert train._usual([played(False, 50.0)])[0] is None


@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_dies_is_told_in_a_sentence_and_leaves_no_other() -> None:
    with pytest.raises(PolicyError, match=r"a worker process has ended.*use fewer workers"):
        list(demonstrations.mapped(os._exit, [1, 1, 1], workers=2))
    assert not multiprocessing.active_children()
    broken = replace(courses.cosaw(), begin=os._exit)  # type: ignore[arg-type]
    with closing(rollout.Crew(broken, [broken.start("saw", seed) for seed in (1, 2)], workers=2)) as crew:
        with pytest.raises(PolicyError, match="a worker process failed with TypeError"):
            crew.observe()
        for process in multiprocessing.active_children():
            process.kill()
            process.join()
        with pytest.raises(PolicyError, match=r"a worker process has ended.*use fewer workers"):
            crew.observe()
    assert not multiprocessing.active_children()


def test_an_interrupt_never_reaches_a_worker_not_even_while_it_starts() -> None:
    with processes.pool(1) as pool:
        coming = pool.submit(abs, -3)
        (worker,) = multiprocessing.active_children()
        assert worker.pid is not None
        for _ in range(3):
            os.kill(worker.pid, signal.SIGINT)
        assert coming.result() == 3


def test_damaged_demonstrations_are_told_in_a_sentence(tmp_path: Path) -> None:
    samples = Samples(*(np.zeros((2, 3), np.float32) for _ in range(4)), succeeded=True)
    path = tmp_path / "demonstrations.npz"
    demonstrations.save(path, demonstrations.joined(courses.cosaw(), ["saw"], [samples], silent))
    whole = path.read_bytes()
    assert len(demonstrations.load(path).states) == 2
    for damaged in (
        b"",
        b"no archive",
        whole[: len(whole) // 2],
        whole.replace(b"states.npy", b"stated.npy"),
        whole.replace(b"descr", b"dxscr"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(PolicyError, match="is damaged"):
            demonstrations.load(path)


def test_a_folder_that_this_training_did_not_write_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes").write_text("mine")
    with pytest.raises(PolicyError, match="is not what the training in"):
        train.train(tmp_path / "other", TINY, resume=True, progress=silent)
    assert not (tmp_path / "other.work").exists()


def test_a_device_that_is_not_there_is_told_before_anything_is_played(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="there is no device 'tpu'"):
        train.train(tmp_path / "policy", replace(TINY, device="tpu"), progress=silent)
    assert not list(tmp_path.iterdir())


def test_work_that_is_left_half_done_leaves_no_process() -> None:
    found = demonstrations.mapped(abs, range(-1000, 0), workers=2)
    assert next(found) == 1000
    found.close()
    assert not multiprocessing.active_children()


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


COURSE = replace(courses.cosaw(), short_s=1.0, long_s=0.5, long_share=0.0)
TINY = train.Plan(COURSE, episodes=2, steps=1, expert_steps=1, practice=1, nominal=1, batch=2, workers=1)


Lesson = tuple[Any, StackedExperts, Material]  #: what ``fit_experts`` was given


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Fewer members, fewer dimensions, and no picture drawn twice."""
    drawn: dict[int, Material] = {}

    def once(*given: Any) -> Material:
        number = given[-2]
        if number not in drawn:
            drawn[number] = material_of(*given)
        return drawn[number]

    material_of = train._material
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(train, "_material", once)
        patched.setattr(train, "MEMBERS", 2)
        patched.setattr(train, "FAMILIAR_DIMENSIONS", 8)
        yield


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    return []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, lessons: list[Lesson]) -> tuple[Path, Ensemble]:
    """A folder made by the whole pipeline, far too small to be good at anything."""
    out = tmp_path_factory.mktemp("training") / "tiny"

    def kept(policy: Any, experts: StackedExperts, shown: Material, *more: Any, **named: Any) -> list[list[float]]:
        losses = fitting.fit_experts(policy, experts, shown, *more, **named)
        lessons.append((policy, experts, shown))
        return losses

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(train, "fit_experts", kept)
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
    found = again.member(0).state_dict()
    for name, tensor in ensemble.member(0).state_dict().items():
        assert torch.equal(tensor, found[name]), name


def test_a_work_folder_of_another_robot_is_refused(trained: tuple[Path, Ensemble]) -> None:
    with pytest.raises(PolicyError, match="begun for cosaw"):
        train.train(trained[0], replace(TINY, course=courses.pickplace()), resume=True, progress=silent)


def test_a_training_that_fails_leaves_no_policy(trained: tuple[Path, Ensemble], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "failed"
    shutil.copytree(trained[0].with_name("tiny.work"), tmp_path / "failed.work")
    monkeypatch.setattr(train, "_led", lambda *given, **named: [played(True, 0.0)])
    with pytest.raises(PolicyError, match="training has failed"):
        train.train(out, TINY, resume=True, progress=silent)
    assert not out.exists()
    assert not list(tmp_path.rglob(checkpoint.MANIFEST))


def test_an_expert_in_training_sees_what_lerobot_shows_it_at_inference(
    trained: tuple[Path, Ensemble], lessons: list[Lesson], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each member's loss in a step is LeRobot's ``VLAFlowMatching.forward`` on the same batch, with state and words in its context."""
    policy, experts, shown = lessons[0]
    shown = replace(shown, states=torch.randn(shown.states.shape, generator=torch.Generator().manual_seed(3)))
    before = deepcopy(experts)
    inputs: list[tuple[torch.Tensor, ...]] = []
    told: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    forward, flow_loss = Prefix.forward, fitting.flow_loss

    def looked(self: Prefix, *given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        inputs.append(given)
        return forward(self, *given)

    def lost(*given: Any) -> torch.Tensor:
        drawn = given[-1].get_state()
        losses = flow_loss(*given)
        told.append((given[3], drawn, losses.detach()))
        return losses

    monkeypatch.setattr(Prefix, "forward", looked)
    monkeypatch.setattr(fitting, "flow_loss", lost)
    fitting.fit_experts(policy, deepcopy(experts), shown, Fit(1, batch=3, noises=1), seed=4, progress=silent)
    (images, tokens, states), (actions, drawn, losses) = inputs[0], told[0]
    generator = torch.Generator()
    generator.set_state(drawn)
    shape = (train.MEMBERS, len(actions), 1)
    noise = torch.randn(*shape, *actions.shape[1:], generator=generator)[:, :, 0]
    time = (torch.rand(shape, generator=generator) ** (2.0 / 3.0) * 0.999 + 0.001)[:, :, 0]
    mask, words = torch.ones(len(actions), dtype=torch.bool), tokens.expand(len(actions), -1)
    pictures = list((images * 2.0 - 1.0).unbind(dim=1))
    member = deepcopy(policy)
    for number in range(train.MEMBERS):
        member.load_state_dict(before.member_state(number), strict=False)

        def expected(state: torch.Tensor, known: torch.Tensor, number: int = number) -> torch.Tensor:
            given = (pictures, [mask] * len(pictures), words, known, state, actions, noise[number], time[number])
            with torch.no_grad():
                loss: torch.Tensor = member.model.forward(*given)
            return (loss * shown.weight).mean(dim=(1, 2))

        every = torch.ones_like(words, dtype=torch.bool)
        torch.testing.assert_close(losses[number], expected(states, every), atol=1e-5, rtol=1e-5)
        blind, deaf = expected(torch.zeros_like(states), every), expected(states, every & (torch.arange(len(tokens)) < len(tokens) - 4))
        assert (losses[number] - blind).abs().max() > 1e-4, "the state would not be missed"
        assert (losses[number] - deaf).abs().max() > 1e-4, "the last words would not be missed"


def test_an_evaluation_sets_the_policy_beside_what_it_must_beat(trained: tuple[Path, Ensemble]) -> None:
    found = evaluate.evaluate(COURSE, str(trained[0]), episodes=2, workers=1, flow_steps=(1,), progress=silent)
    report = found["tasks"]["saw"]
    names = ["ensemble", "expert", "one member", "black pictures", "wrong instruction", "far", "far expert", "1 flow steps"]
    assert list(report["success"]) == names
    for spread, name in ((1.0, "expert"), (evaluate.SPREAD, "far expert")):
        outcomes = []
        for seed in (evaluate.SEED, evaluate.SEED + 1):
            episode = COURSE.begin(replace(COURSE.start("saw", seed), spread=spread))
            while not episode.done:
                episode.follow(episode.expert())
            outcomes.append(episode.outcome())
        assert report["success"][name] == evaluate.summary(outcomes)
    blades = {name: report["success"][name]["median"]["lateral_m"] for name in names}
    assert len(set(blades.values())) == len(names), f"two variants are one: {blades}"
    shown = evaluate.lines(found)
    assert [name for name in names for line in shown if line.startswith(f"{name:20} ")] == names
    assert sum(line.startswith("cut rate") for line in shown) == 1
    json.dumps(found)


def test_nominal_signals_are_fitted_anew_and_all_else_stays(
    trained: tuple[Path, Ensemble], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(trained[0], tmp_path / "policy"))
    before, hashes = load(str(out)).statistics, checkpoint.read_manifest(out).files
    monkeypatch.setattr(train, "_led", lambda *given, **named: [played(False, 50.0)])
    with pytest.raises(PolicyError, match="none of 1 undisturbed episodes succeeded"):
        train.signals(out, TINY, silent)
    assert checkpoint.read_manifest(out).files == hashes
    monkeypatch.setattr(train, "_led", lambda *given, **named: [played(True, 3.0)])
    train.signals(out, TINY, silent)
    after, manifest = load(str(out)).statistics, checkpoint.read_manifest(out)
    assert after.nominal is not None
    assert after.nominal.p95.tolist() == [3.0] * 18
    assert torch.equal(after.noise, before.noise)
    assert before.familiarity is not None
    assert after.familiarity is not None
    assert np.array_equal(after.familiarity.precision, before.familiarity.precision)
    assert {name for name, digest in manifest.files.items() if digest != hashes[name]} == {checkpoint.SIGNALS}
    assert manifest.training["nominal"]["successes"] == 1
    assert manifest.training["demonstrations"] == 2
