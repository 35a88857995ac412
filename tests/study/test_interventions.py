"""A study of interventions compares like with like, and its operator only ever answers."""

import itertools
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from unittest.mock import Mock

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from console.cli import main
from engine import host
from engine.clock import SimulatedClock
from engine.collect.plan import Outcome, Plan, Told
from engine.config import Settings
from engine.engine import LOCKSTEP_LATENCY, Engine
from engine.forecast import card
from engine.limits import Limits
from engine.loops.foresight import Foresight
from engine.policy.intervals import wilson
from engine.policy.scripted import Scripted
from engine.stop import StopPage
from engine.study import crew, helping, interventions
from engine.study.helping import ANSWER, BORNE, Answer, Attending, Helper, Tally, answered
from engine.study.interventions import CONDITIONS, plans
from engine.study.paired import condition, lines, report
from engine.types import LAYERS, Decision, Inference, Intervention

sys.path.insert(0, str(Path(__file__).parents[1] / "forecast"))

import synthetic

DT = 0.01
TASK = "pickplace/pickplace"


def decision(**changes: object) -> Decision:
    """It goes, and nothing that is learned minds."""
    nothing = {field.name: 0 for field in msgspec.structs.fields(Decision) if field.required}
    return Decision(**(nothing | {"armed": True, "going": True, "layer_score": (1.0,) * len(LAYERS)} | changes))


ASKING = {"going": False, "asking": True, "intervention": Intervention.ASK}
STOPPED = {"armed": False, "going": False}


def doubting(score: float) -> Decision:
    return decision(layer_score=tuple(score if name == "uncertainty" else 1.0 for name in LAYERS))


# --- the operator ---


def follow(helper: Helper, one: Decision, start: float, seconds: float) -> tuple[Helper, list[tuple[float, Answer]]]:
    """The operator before a robot that decides the same for so long, and when they answered otherwise than by waiting."""
    acts = []
    for tick in range(round(seconds / DT)):
        helper, answer = answered(helper, one, start + tick * DT)
        if answer is not Answer.WAIT:
            acts.append((start + tick * DT, answer))
    return helper, acts


def test_a_robot_that_was_never_let_go_is_armed_as_in_any_run() -> None:
    helper, acts = follow(Helper(), decision(**STOPPED), 0.0, 1.0)
    assert {answer for _, answer in acts} == {Answer.USUAL}
    assert not helper.begun


def test_an_ask_is_answered_by_going_on_once_a_person_has_come() -> None:
    helper, _ = follow(Helper(), decision(), 0.0, 1.0)
    helper, acts = follow(helper, decision(**ASKING), 1.0, ANSWER + DT)
    assert acts == [(pytest.approx(1.0 + ANSWER), Answer.RESUME)]
    assert helper.asked == 1


def test_a_stop_takes_a_person_as_long_to_come_to_as_an_ask() -> None:
    helper, _ = follow(Helper(), decision(), 0.0, 1.0)
    _, acts = follow(helper, decision(**STOPPED), 1.0, ANSWER + 1.0)
    assert acts[0] == (pytest.approx(1.0 + ANSWER), Answer.USUAL)


def test_whoever_is_asked_too_often_gives_up_for_good() -> None:
    helper, now = Helper(), 0.0
    answers = []
    for _ in range(BORNE + 1):
        helper, _ = follow(helper, decision(), now, 1.0)
        helper, acts = follow(helper, decision(**ASKING), now + 1.0, ANSWER + DT)
        answers += [answer for _, answer in acts]
        now += 1.0 + ANSWER + DT
    assert answers == [Answer.RESUME] * BORNE + [Answer.GIVE_UP]


def always_late(inference: Inference) -> Inference:
    """A forecast that never sees anything but a stall."""
    return msgspec.structs.replace(inference, forecast=np.full((4, 4), 0.2), forecast_alarm=np.array((0.1, 0.1, 0.1, 1.5)))


def test_at_a_real_engine_each_ask_is_answered_late_and_too_many_end_the_episode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helping, "BORNE", 1)
    settings = Settings(robot="so101-sim", task="reach", policy="scripted", camera={"pixels": 64}, limits={"forecast_cooldown": 0.1})
    robot, rig = host.open_robot(settings)
    with StopPage(tmp_path / "stop", create=True) as page, ThreadPoolExecutor(1) as pool:
        engine = Engine(
            settings,
            run="test",
            robot=robot,
            rig=rig,
            load_policy=lambda progress: Scripted("so101-sim", "reach"),
            page=page,
            recorder=None,
            console_required=False,
            clock=SimulatedClock(),
            foresight=lambda policy: Foresight(1, "", always_late),
        )
        engine.prepare_lockstep()
        operator = Attending(engine, Plan(robot="so101-sim", task="reach", seed=0, delay=0.5))
        asking = [False]
        for _ in itertools.islice(engine.ticking(pool.submit, operator, lambda tick: LOCKSTEP_LATENCY), 1000):
            assert engine.control.last is not None
            asking.append(engine.control.last.decision.asking)
            if operator.over:
                break
        rig.close()
    assert operator.over
    assert sum(now and not before for before, now in pairwise(asking)) == 2
    told = operator.told()
    assert told["gave_up"]
    assert told["halted_s"] == pytest.approx(2 * ANSWER, abs=0.2)
    assert told["alarms"] >= 1


# --- the tally ---


def tallied(*spans: tuple[Decision, float]) -> Tally:
    tally = Tally(Limits(), DT)
    for one, seconds in spans:
        for _ in range(round(seconds / DT)):
            tally.look(one)
    return tally


def test_an_alarm_that_flickers_is_one_and_one_that_comes_back_is_another() -> None:
    flicker = [(doubting(0.6), 0.1), (decision(), 0.1)] * 5
    assert tallied((decision(), 1.0), *flicker).alarms == 1
    assert tallied((decision(), 1.0), *flicker, (decision(), 1.0), (doubting(0.6), 0.1)).alarms == 2


def test_a_score_that_still_earns_continue_is_no_alarm() -> None:
    assert tallied((decision(), 1.0), (doubting(0.9), 1.0)).alarms == 0


def test_nothing_counts_before_the_robot_is_let_go() -> None:
    tally = tallied((decision(**STOPPED, layer_score=(0.1,) * len(LAYERS)), 2.0), (decision(), 1.0))
    assert (tally.alarms, tally.halted) == (0, 0.0)


def test_what_is_done_about_a_forecast_is_an_alarm_and_waiting_for_an_answer_takes_time() -> None:
    slow = decision(intervention=Intervention.SLOW)
    tally = tallied((decision(), 1.0), (slow, 0.5), (decision(**ASKING), 3.0), (decision(), 1.0), (slow, 0.5))
    assert tally.alarms == 2
    assert tally.halted == pytest.approx(3.0)


# --- the report ---


def outcome(seed: int, condition: str, **changes: object) -> Outcome:
    """Of an hour's hundredth, let go at 2 s."""
    plan = Plan(robot="pickplace", task="pickplace", seed=seed, tag=condition)
    return Outcome(**({"plan": plan, "go_s": 2.0, "end_s": 38.0} | changes))


def everywhere(seed: int, **changes: object) -> list[Outcome]:
    return [outcome(seed, condition, **changes) for condition in CONDITIONS]


def named(found: list[Outcome], condition: str, **changes: object) -> list[Outcome]:
    """The same, with one condition's changed."""
    return [msgspec.structs.replace(one, **changes) if one.plan.tag == condition else one for one in found]


def test_every_condition_is_played_on_the_same_seeds() -> None:
    drawn = plans(("pickplace/pickplace", "so101-sim/lift"), 3, 100, "compact", Limits(), "ab12")
    assert len({msgspec.json.encode(plan) for plan in drawn}) == len(drawn) == 2 * 3 * len(CONDITIONS)
    for name, judge in CONDITIONS.items():
        of = [plan for plan in drawn if plan.tag.startswith(name)]
        assert [plan.seed for plan in of] == [100, 101, 102] * 2
        assert {plan.judged_by for plan in of} == {judge}


def test_another_forecast_is_played_anew_and_what_it_does_not_concern_is_not() -> None:
    one, other = (plans(("so101-sim/lift",), 1, 0, "compact", Limits(), version) for version in ("ab12", "cd34"))
    assert {plan.judged_by for plan, again in zip(one, other, strict=True) if plan != again} == {"forecast", "all"}


def test_of_the_conditions_some_may_be_tried_but_what_they_are_held_against_always_is() -> None:
    some = plans((TASK,), 2, 0, "compact", Limits(), "ab12", ("forecast",))
    assert [plan.judged_by for plan in some] == ["none", "forecast"] * 2
    found = [one for one in everywhere(1, success_s=5.0) if condition(one) in ("nothing", "forecast")]
    of_task = report(found)["tasks"][TASK]
    assert (of_task["seeds"], list(of_task["conditions"])) == (1, ["nothing", "forecast"])


def test_differences_are_taken_seed_by_seed() -> None:
    found = []
    for seed in range(40):
        hard = seed % 4 == 0  # fails untouched, and by dropping it; the forecast saves every second of them, and takes 2 s longer
        bare = {"failures": [Told("drop", 4.0)]} if hard else {"success_s": 7.0 + seed}
        found += [outcome(seed, condition, **bare) for condition in CONDITIONS if condition != "forecast"]
        saved = {"success_s": 13.0} if seed % 8 == 0 else bare if hard else {"success_s": 9.0 + seed}
        found.append(outcome(seed, "forecast@ab12", **saved))
    tree = report(found)["tasks"][TASK]["conditions"]
    assert tree["nothing"]["success"] == [0.75, *(round(bound, 4) for bound in wilson(30, 40))]
    assert tree["forecast"]["success"][0] == 0.875
    difference, low, high = tree["forecast"]["difference"]["success"]
    assert 0.0 < low < difference == 0.125 < high
    assert tree["forecast"]["difference"]["drop"][0] == -0.125
    assert tree["forecast"]["difference"]["time_to_success_s"] == [2.0, 2.0, 2.0]  # over the 30 that succeeded both times
    assert "difference" not in tree["nothing"]
    assert tree["published"]["difference"]["success"][0] == 0.0


def test_what_goes_wrong_after_a_success_is_not_counted() -> None:
    after = [Told("collision", 4.0), Told("drop", 6.0)]
    row = report(everywhere(1, success_s=5.0, failures=after))["tasks"][TASK]["conditions"]["nothing"]
    assert (row["collision"][0], row["drop"][0]) == (1.0, 0.0)
    assert (row["success"][0], row["clean_success"][0]) == (1.0, 0.0)
    assert row["time_to_success_s"][0] == 3.0


def test_a_judgement_that_never_lets_the_robot_go_has_no_success_and_is_told() -> None:
    found = named(everywhere(1, success_s=5.0), "published", success_s=None, go_s=None, end_s=8.0)
    row = report(found)["tasks"][TASK]["conditions"]["published"]
    assert (row["success"][0], row["never_went"][0]) == (0.0, 1.0)
    assert row["time_to_success_s"] is None
    assert row["difference"]["success"][0] == -1.0


def test_an_alarm_is_false_where_nothing_would_have_failed() -> None:
    found = everywhere(1) + everywhere(2, failures=[Told("collision", 3.0)])
    row = report(named(found, "uncertainty", told={"alarms": 2}, asks=1))["tasks"][TASK]["conditions"]["uncertainty"]
    assert row["alarms_per_hour"][0] == 200.0
    assert row["asks_per_hour"][0] == 100.0
    assert row["false_alarms_per_hour"][0] == 200.0
    assert row["false_alarms_episodes"] == 1


def test_a_seed_that_is_not_there_under_every_condition_counts_under_none() -> None:
    failed = named(everywhere(2, success_s=5.0), "all", error="no cell")
    tree = report(everywhere(1) + failed)
    assert not tree["ok"]
    assert tree["tasks"][TASK]["seeds"] == 1
    assert tree["tasks"][TASK]["conditions"]["nothing"]["success"][0] == 0.0
    assert tree["problems"] == [f"{TASK} seed 2 all: no cell"]
    assert lines(report(everywhere(1, error="no cell")))[-1] == f"PROBLEM  {TASK} seed 1 all: no cell"


def test_episodes_of_two_policies_are_not_compared_without_a_word() -> None:
    tree = report(named(everywhere(1, policy_hash="ab12"), "all", policy_hash="cd34"))
    assert not tree["ok"]
    assert "2 policies" in tree["problems"][0]


def test_the_table_has_a_column_a_condition_and_fits_a_screen() -> None:
    told = lines(report([one for seed in range(10) for one in everywhere(seed, success_s=5.0 + seed)]))
    assert list(CONDITIONS) in [line.split() for line in told]
    success = next(line for line in told if line.startswith("success"))
    assert success.count("100 [72, 100]") == len(CONDITIONS)
    assert max(map(len, told)) <= 130
    assert len(told) <= 40


# --- the command ---


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that was trained on the policy "ab12", and proven on TASK."""
    rng = np.random.default_rng(0)
    data = replace(synthetic.episodes(2, tasks=(TASK,)), policies=("ab12",))
    made = synthetic.card_with(tasks={TASK: "ab12"}, gate={TASK: card.Gate(proven=True)})
    folder = tmp_path_factory.mktemp("forecast") / "made"
    card.write(folder, made, [{name: rng.standard_normal(shape, np.float32) for name, shape in card.SHAPES.items()}], data)
    return folder


def played(out: Path, forecast: Path, **changes: object) -> list[str]:
    """A file in which every episode of two seeds is there, and the arguments that ask for them."""
    version = interventions.version(card.load(forecast).card)
    for plan in plans((TASK,), 2, 5, "compact", Limits(), version):
        crew.append(out, Outcome(**({"plan": plan, "policy_hash": "ab12", "go_s": 1.0, "success_s": 6.0, "end_s": 7.0} | changes)))
    asked = ["--task", TASK, "--seeds", "2", "--seed", "5", "--forecast", str(forecast), "--out", str(out)]
    return ["evaluate", "interventions", *asked]


def test_episodes_that_are_all_there_are_told_without_playing(forecast: Path, tmp_path: Path) -> None:
    asked = played(tmp_path / "out.jsonl", forecast)
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 0, result.output
    assert f"{TASK}: 2 seeds" in result.stdout
    tree = json.loads(CliRunner().invoke(main, [*asked, "--json"]).stdout)
    assert tree["problems"] == []
    assert tree["tasks"][TASK]["conditions"]["forecast"]["success"][0] == 1.0


def test_a_policy_that_the_forecast_does_not_know_is_told(forecast: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, played(tmp_path / "out.jsonl", forecast, policy_hash="cd34"))
    assert f"PROBLEM  {TASK} was played without a forecast: the forecast was trained on policies with the hashes ab12" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--task", "so101-sim/lif"], 2, "did you mean 'so101-sim/lift'?"),
        (["--forecast", "/nowhere"], 3, "/nowhere"),
        (["--policy", "compat"], 2, "did you mean 'compact'?"),
    ],
)
def test_what_there_is_not_gets_one_sentence(arguments: list[str], code: int, words: str) -> None:
    result = CliRunner().invoke(main, ["evaluate", "interventions", *arguments])
    assert result.exit_code == code, result.output
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_an_interrupt_says_where_the_rest_is(forecast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = played(tmp_path / "out.jsonl", forecast)
    monkeypatch.setattr(interventions, "outcomes", Mock(side_effect=KeyboardInterrupt))
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 130
    assert result.output == f"sawhorse: interrupted; what was played is in {tmp_path / 'out.jsonl'}, go on with the same command.\n"
