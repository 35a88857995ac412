"""The honest evaluation: what it prints, what passes it, and the leak that it exposes."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from console.cli import main
from console.forecast_pictures import svg
from engine.forecast import baselines, card, evaluate, metrics, pictured, telling, train
from engine.forecast.card import Forecast
from engine.forecast.dataset import CALIBRATE, TEST, Dataset, save, split
from engine.forecast.errors import ForecastError
from engine.forecast.evaluate import Evaluation
from engine.forecast.judged import Held
from engine.types import FAILURES, HORIZONS

from .synthetic import TASKS, begun_so_that_they_fail_at, card_with, episodes

FIGURES = {"auroc", "auroc_ci", "ap", "recall_at_5pct", "lead_s", "ece", "brier_skill", "coverage_error"}
NAMED = {"clock", "phase", "length", "best_signal", "shuffled_labels", "shuffled_time", "oracle"}
PUSH, REST = "table/push", "table/rest"
SVG = "{http://www.w3.org/2000/svg}"


def quiet(text: str) -> None: ...


@pytest.fixture(scope="module")
def data() -> Dataset:
    return episodes(120, failing=0.8)


@pytest.fixture(scope="module")
def three(data: Dataset) -> Dataset:
    """The same, a third of them of a task that the forecast is not trained on, and a few of one that has no test episode."""
    task = data.seed % 3
    task[np.flatnonzero(split(data) != TEST)[:5]] = 3
    policies, like = data.policies[:1] * 4, [0] * 4
    return replace(data, tasks=(*TASKS, PUSH, REST), policies=policies, table=data.table[like], p95=data.p95[like], task=task)


@pytest.fixture(scope="module")
def folder(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forecast whose weights were drawn at random, so that it knows nothing, and one like it trained without a task."""
    made = card_with(tasks=dict.fromkeys(TASKS, data.policies[0]), thresholds={"": (0.5, 0.5, 0.5, None)}, data=data.hash)
    where = tmp_path_factory.mktemp("forecast") / "made"
    card.write(where, made, [drawn(0)], data)
    part = msgspec.structs.replace(made, tasks={TASKS[0]: data.policies[0]}, without=TASKS[1])
    card.write(where / "unseen" / "reach", part, [drawn(1)], data)
    return where


def drawn(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: 0.3 * rng.standard_normal(shape, np.float32) for name, shape in card.SHAPES.items()}


@pytest.fixture(scope="module")
def forecast(folder: Path) -> Forecast:
    return card.load(folder)


@pytest.fixture(scope="module")
def found(three: Dataset, folder: Path, forecast: Forecast) -> Evaluation:
    unseen = evaluate.trained_without(folder)
    return evaluate.evaluate(three, forecast, quiet, unseen=unseen, draws=100, left_out={"Without a valid signal": 3})


def judged_by_the_oracle(data: Dataset) -> dict:
    """The figures of a forecast that sees as much as can be seen."""
    part = split(data)
    told = baselines.baselines(data, part)
    parts = []
    for at in (TEST, CALIBRATE):
        mine, rows = data.take(part == at), (part == at)[data.episode]
        scores = {name: score.chance[rows] for name, score in told.items()}
        scores |= {"forecast": scores["oracle"], "shuffled_time": scores["oracle"]}
        nothing = np.zeros((mine.rows, len(FAILURES), len(HORIZONS)))
        parts.append(Held(mine, baselines.outlook(mine), scores, nothing, nothing[..., 0]))
    return evaluate.scope(parts[0], parts[1], 0.05, 200)


def test_what_foresees_failures_at_random_times_passes(data: Dataset) -> None:
    found = judged_by_the_oracle(data)
    assert found["gate"]["passed"]
    assert all(one["auroc"] > 0.9 for one in found["horizons"].values())
    assert all(one["oracle_share"] == 1.0 for one in found["horizons"].values())


def test_a_clock_only_leak_is_exposed(data: Dataset) -> None:
    """Every failure at one time of the clock: the forecast looks as good as before, the clock beside it too, and the gate fails."""
    found = judged_by_the_oracle(begun_so_that_they_fail_at(data, 12.0))
    for one in found["horizons"].values():
        assert one["auroc"] > 0.9
        assert one["baselines"]["clock"]["auroc"] > 0.9
        assert not one["gate"]["passed"]
    assert not found["gate"]["passed"]


def test_a_forecast_that_knows_nothing_fails_and_says_so(found: Evaluation) -> None:
    assert not found.tree["passed"]
    assert not found.tree["ok"]
    told = telling.lines(found.tree)
    assert told[-1].startswith("FAILED")
    assert not any("PASSED" in line for line in told)
    assert {task: one.proven for task, one in evaluate.gates(found.tree).items()} == dict.fromkeys(TASKS, False)


def test_the_tree_has_every_figure_of_every_baseline_by_task_and_horizon(found: Evaluation) -> None:
    tree = json.loads(json.dumps(found.tree, allow_nan=False))
    assert set(tree["tasks"]) == {"pooled", *TASKS}
    for scope in tree["tasks"].values():
        assert list(scope["horizons"]) == [str(horizon) for horizon in HORIZONS]
        for one in scope["horizons"].values():
            assert set(one) >= FIGURES
            assert set(one["baselines"]) >= NAMED
            assert all(set(figures) >= FIGURES for figures in one["baselines"].values())
            assert len(one["signals"]) == 18


def test_figures_stand_beside_their_intervals(found: Evaluation) -> None:
    one = found.tree["tasks"]["pooled"]["horizons"]["16"]
    for name in ("auroc", "ap", "brier_skill"):
        low, high = one[f"{name}_ci"]
        assert low < one[name] < high
    assert one["positives"] == int((found.test.ahead.failed & found.test.ahead.known)[:, -1].sum())


def test_the_table_fits_a_hundred_columns_and_counts_what_was_left_out(found: Evaluation) -> None:
    told = "\n".join(telling.lines(found.tree)).split("\n")
    assert [line for line in told if len(line) > 100] == []
    assert "Left out: without a valid signal: 3." in told
    for name in ("forecast", "clock", "phase", "shuffled labels", "shuffled time", "episode length (a leak)", "oracle", "jerk"):
        assert any(line.startswith(name) for line in told), name


def test_only_test_episodes_of_the_tasks_it_was_trained_on_are_judged_together(found: Evaluation, three: Dataset) -> None:
    part = split(three)
    assert found.tree["tasks"]["pooled"]["episodes"] == int(((part == TEST) & ~three.of(PUSH)).sum())
    assert found.tree["unseen"][PUSH]["episodes"] == int(((part == TEST) & three.of(PUSH)).sum())
    assert sum(found.tree["data"]["episodes"].values()) == three.episodes


def test_a_task_without_a_test_episode_is_not_judged(found: Evaluation, three: Dataset) -> None:
    assert three.of(REST).any()
    assert REST not in found.tree["tasks"] | found.tree["unseen"]


def test_a_task_left_out_of_training_is_judged_by_the_forecast_trained_without_it(found: Evaluation, folder: Path) -> None:
    assert set(found.tree["unseen"]) == {PUSH, TASKS[1]}
    (other,) = evaluate.trained_without(folder)
    mine = found.test.take(found.test.data.of(TASKS[1]))
    came, known = mine.ahead.failed[:, -1], mine.ahead.known[:, -1]
    chance = other.probabilities(mine.data).sum(axis=1)[:, -1]
    assert found.tree["unseen"][TASKS[1]]["horizons"]["16"]["auroc"] == pytest.approx(metrics.auroc(chance[known], came[known]))
    assert found.tree["unseen"][TASKS[1]]["horizons"]["16"]["auroc"] != found.tree["tasks"][TASKS[1]]["horizons"]["16"]["auroc"]
    assert any(line.startswith(f"{TASKS[1]}, never trained on") for line in telling.lines(found.tree))


def test_a_forecast_of_another_policy_is_refused(data: Dataset, forecast: Forecast) -> None:
    other = replace(data, policies=("1" * 64, data.policies[1]))
    with pytest.raises(ForecastError, match="table/lift was played with the policy 111111111111"):
        evaluate.evaluate(other, forecast, quiet)


def test_a_forecast_of_other_tasks_is_refused(data: Dataset, forecast: Forecast) -> None:
    with pytest.raises(ForecastError, match="the data hold cell/saw, cell/cut"):
        evaluate.evaluate(replace(data, tasks=("cell/saw", "cell/cut")), forecast, quiet)


def test_without_a_failing_test_episode_there_is_nothing_to_judge(data: Dataset, forecast: Forecast) -> None:
    with pytest.raises(ForecastError, match="nothing to tell apart"):
        evaluate.evaluate(data.take((split(data) != TEST) | (data.failure < 0)), forecast, quiet)


def test_every_picture_is_drawn_and_a_failure_that_never_came_has_none(found: Evaluation) -> None:
    test = found.test.take(found.test.data.failure != 2)
    drawn = {picture.name: ElementTree.fromstring(svg(picture)) for picture in pictured.pictures(test)}
    came = [name for k, name in enumerate(FAILURES) if (test.data.failure == k).any()]
    assert "miss" not in came
    assert set(drawn) - {"leads"} == {"reliability"} | {
        f"{kind}-{name}" for kind in ("roc", "precision") for name in ("any-failure", *came)
    }
    assert len(list(drawn["roc-any-failure"].iter(f"{SVG}polyline"))) == len(HORIZONS) + 1
    assert list(drawn["reliability"].iter(f"{SVG}circle"))


def test_leads_are_counted_in_bars(found: Evaluation) -> None:
    test = replace(found.test, alarms=np.ones_like(found.test.alarms))
    (leads,) = [picture for picture in pictured.pictures(test) if picture.name == "leads"]
    assert sum(leads.curves[0].ys) == int(test.failing.sum()), "whoever always alarms catches them all"
    bars = [one for one in ElementTree.fromstring(svg(leads)).iter(f"{SVG}rect") if "rx" not in one.attrib]
    assert len(bars) == len(leads.curves[0].ys)


def test_the_command_tells_programs_and_ends_with_the_verdict(data: Dataset, folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "data.npz", data)
    given = ["evaluate", "forecast", str(folder), "--data", str(tmp_path / "data.npz"), "--bootstrap", "100"]
    result = CliRunner().invoke(main, [*given, "--json", "--pictures", str(tmp_path / "drawn")])
    assert result.exit_code == 1, result.output
    assert json.loads(result.stdout.splitlines()[-1])["passed"] is False
    assert (tmp_path / "drawn" / "reliability.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["evaluate", "forecast", "{nowhere}"], 3, "There is no forecast at"),
        (["evaluate", "forecast", "{made}", "--data", "{nowhere}.npz"], 3, "cannot be read"),
        (["evaluate", "forecast", "{made}", "--data", "{data}", "--unseen", "table/lft"], 2, "did you mean 'table/lift'?"),
        (["train", "forecast", "{nowhere}", "--data", "{data}", "--without", "saw"], 2, "The data have no task 'saw'"),
        (["train", "forecast", "{nowhere}", "--device", "gpu"], 2, "use cpu, cuda or cuda:N"),
        (["train", "forecast", "{here}"], 3, "is not empty and holds no forecast: name another folder."),
        (["sessions", "pack", "{nowhere}", "{nowhere}.txt"], 2, "ends in .npz"),
        (["sessions", "pack", "{nowhere}", "{nowhere}.npz"], 3, "collect"),
    ],
)
def test_bad_input_gets_one_sentence(arguments: list[str], code: int, words: str, data: Dataset, folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "data.npz", data)
    places = {"here": tmp_path, "nowhere": tmp_path / "nowhere", "made": folder, "data": tmp_path / "data.npz"}
    result = CliRunner().invoke(main, [one.format(**places) for one in arguments])
    assert result.exit_code == code, result.output
    assert words in result.output
    assert len([line for line in result.output.splitlines() if not line.startswith("  ")]) == 1


@pytest.mark.parametrize("kept", [False, True])
def test_an_interrupted_training_says_what_is_kept(kept: bool, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "data.npz", data)
    out, work = tmp_path / "made", tmp_path / "made.work"

    def interrupted(*arguments: object, **more: object) -> None:
        work.mkdir()
        if kept:
            (work / "likelihood 0.safetensors").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", interrupted)
    result = CliRunner().invoke(main, ["train", "forecast", str(out), "--data", str(tmp_path / "data.npz")])
    assert result.exit_code == 130
    assert result.stderr.splitlines()[0] == "  loading the data"
    told = f"what is learned so far is in {work}," if kept else "nothing is learned yet, and nothing is kept."
    assert f"sawhorse: interrupted; {told}" in result.stderr
    assert work.exists() == kept


def test_training_in_the_folder_one_is_in_enters_the_verdict_into_the_card(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "BATCH", 4)
    save(tmp_path / "data.npz", data)
    (tmp_path / "made").mkdir()
    monkeypatch.chdir(tmp_path / "made")
    given = ["train", "forecast", ".", "--data", str(tmp_path / "data.npz"), "--steps", "2", "--json"]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["proven"] == dict.fromkeys(TASKS, False), "two steps teach nothing"
    assert set(card.load(tmp_path / "made").card.gate) == set(TASKS)
