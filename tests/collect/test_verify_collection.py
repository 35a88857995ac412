"""A data set is told sound or not: each bad input is made by hand from a small collection that is."""

import hashlib
import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from console.cli import main
from engine.collect import verify
from engine.collect.collection import EPISODES, SESSIONS, SNAPSHOT, Collection, snapshot
from engine.collect.plan import Outcome, Plan, Told
from engine.collect.together import seeds
from engine.collect.verify import DataReport
from engine.forecast.dataset import part_of
from engine.session.commit import COMMIT
from engine.session.lock import hold
from engine.session.recorder import Recorder
from engine.session.store import summary
from engine.types import Event

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))

import session_material as material

START = 1_000_000_000  #: ns, of the first tick
TICKS = 120
EVERY = 10  #: ticks between two inferences
GO, DISTURBED, FAILED, SUCCEEDED = 0.2, 0.3, 0.7, 0.9  #: s
ROBOT, TASK = "so101-sim", "lift"


def _event(number: int, kind: str, t_s: float, text: str) -> Event:
    return Event(seq=number, tick=round(100 * t_s), t_ns=START + round(1e9 * t_s), wall=0.0, kind=kind, text=text)


def recorded(store: Path, seed: int, *, policy: str = "ab12", force: float = 60.0) -> Outcome:
    """A session as a collection has them, and its line; every second seed drops what it held."""
    plan = Plan(robot=ROBOT, task=TASK, seed=seed)
    settings = {"robot": ROBOT, "task": TASK, "seed": seed, "store": str(store), "limits": {"force_max": force}}
    recorder = Recorder(store, material.header(plan.name, robot=ROBOT, task=TASK, seed=seed, settings=settings), at_close=True)
    for tick, row in enumerate(itertools.islice(material.ticks(seed, odd_values=False), TICKS)):
        recorder.tick(row)
        if tick % EVERY == 0 and tick:
            number = tick // EVERY
            signals = material.inference(1000 * seed + number, row.inputs.t_ns)  # other numbers in every episode
            recorder.inference(msgspec.structs.replace(signals, id=number))
            recorder.truth(row.inputs.t_ns, np.zeros(12, np.float32))
    recorder.policy(msgspec.structs.replace(material.POLICY, hash=policy))
    dropped = Told("drop", FAILED, "the cube is lost")
    disturbance = Told("slick", DISTURBED, "the cube slides")
    fails = seed % 2 == 1
    recorder.event(_event(1, "disturbance", DISTURBED, "slick: the cube slides"))
    recorder.event(_event(2, "failure", FAILED, "drop: the cube is lost") if fails else _event(2, "success", SUCCEEDED, "lift: done"))
    assert recorder.close("success")
    return Outcome(
        plan=plan,
        session=plan.name,
        policy_hash=policy,
        go_s=GO,
        success_s=None if fails else SUCCEEDED,
        failures=[dropped] if fails else [],
        disturbances=[disturbance],
        end_s=(TICKS - 1) / 100,
        ticks=TICKS,
        inferences=TICKS // EVERY - 1,
    )


def collected(path: Path, *outcomes: Callable[[Path], Outcome]) -> Path:
    """A collection of episodes, each made by a function of the folder of sessions."""
    made_with = snapshot(Plan(robot=ROBOT, task=TASK, seed=0), {}, "ab12", len(outcomes), (1, 1), "cpu")
    with Collection(path, made_with, resume=False) as collection:
        for outcome in outcomes:
            collection.add(outcome(collection.sessions))
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sound episodes, one of which fails."""
    return collected(tmp_path_factory.mktemp("data") / "lift", *(lambda store, seed=seed: recorded(store, seed) for seed in range(3)))


@pytest.fixture
def data(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, to damage: its sessions are links. Only the first is read whole."""
    monkeypatch.setattr(verify, "WHOLE", 1)
    return linked(whole, tmp_path / "lift")


def linked(whole: Path, to: Path) -> Path:
    (to / SESSIONS).mkdir(parents=True)
    for name in (SNAPSHOT, EPISODES):
        shutil.copy(whole / name, to / name)
    for one in (whole / SESSIONS).iterdir():
        (to / SESSIONS / one.name).symlink_to(one)
    return to


def own(session: Path, *arrays: str) -> Path:
    """The session a link leads to, as a folder whose commit and ``arrays`` may be changed; all else stays a link."""
    there = session.resolve()
    session.unlink()
    session.mkdir()
    for one in there.iterdir():
        inside = [name.partition("/")[2] for name in arrays if name.startswith(f"{one.name}/")]
        if one.name == COMMIT:
            shutil.copy(one, session / COMMIT)
        elif inside:
            (session / one.name).mkdir()
            for array in one.iterdir():
                place = session / one.name / array.name
                shutil.copytree(array, place) if array.name in inside else place.symlink_to(array)
        else:
            (session / one.name).symlink_to(one)
    return session


def edit(session: Path, array: str, row: int, value: object, *, reseal: bool = False) -> None:
    material.edit(own(session, array), array, row, value, reseal=reseal)


def report(path: Path, everything: bool = False) -> DataReport:
    return verify.verify(path, everything, lambda text: None)


def only(path: Path) -> str:
    """The one thing that is wrong."""
    found = report(path)
    assert not found.ok
    assert len(found.problems) == 1, found.problems
    return found.problems[0]


def session(data: Path, seed: int) -> Path:
    return data / SESSIONS / Plan(robot=ROBOT, task=TASK, seed=seed).name


def noted(data: Path, seed: int, **changes: object) -> None:
    """Change what the line of an episode says."""
    lines = [msgspec.json.decode(line, type=Outcome) for line in (data / EPISODES).read_bytes().splitlines()]
    changed = [msgspec.structs.replace(one, **changes) if one.plan.seed == seed else one for one in lines]
    (data / EPISODES).write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in changed))


def reseal(path: Path, **changes: object) -> None:
    """Change what a commit says, and mend its digest."""
    bare = msgspec.json.decode((path / COMMIT).read_bytes()) | changes | {"digest": ""}
    digest = hashlib.sha256(msgspec.json.encode(bare)).hexdigest()
    (path / COMMIT).write_bytes(msgspec.json.encode(bare | {"digest": digest}))


# --- what is sound ---


def test_a_sound_collection_is_told_with_its_counts(whole: Path) -> None:
    found = report(whole)
    assert found.problems == []
    assert found.ok
    assert (found.collections, found.episodes, found.sessions, found.sound, found.read_whole) == (1, 3, 3, 3, 3)
    task = found.tasks[f"{ROBOT}/{TASK}"]
    assert (task.episodes, task.failing, task.succeeded, task.unfinished, task.undisturbed) == (3, 1, 2, 0, 0)
    assert task.failures == {"collision": 0, "drop": 1, "miss": 0, "timeout": 0}
    assert sum(task.parts.values()) == 3
    assert task.inferences == 33
    assert all(0.0 < signal.missing < 0.2 for signal in found.signals)  # each inference lacks one of the 18


def test_a_folder_of_collections_is_one_data_set(whole: Path, data: Path) -> None:
    linked(whole, data.parent / "again")
    found = report(data.parent)
    assert found.collections == 2
    where = f"{data.parent / 'again'}, {data}"
    assert any(
        problem.startswith(f"The same episode several times: 3 seeds: so101-sim/lift 0, 2 times: {where}; ") for problem in found.problems
    )
    copies = f"{session(data.parent / 'again', 0)} and {session(data, 0)}"
    assert any(problem.startswith(f"The same signals under several names: 3 groups: {copies}") for problem in found.problems)


# --- sessions ---


def test_rows_that_were_changed_are_found_though_only_some_sessions_are_read_whole(data: Path) -> None:
    edit(session(data, 2), "inference/signals", 3, np.zeros(18))
    assert only(data).startswith("Changed since it was written: 1 session: so101-sim-lift-00000002 (inference/signals has been changed")


def test_what_a_forecast_is_not_learnt_from_is_read_on_request(data: Path) -> None:
    edit(session(data, 2), "tick/score", 3, 0.5)
    assert report(data).ok
    found = report(data, everything=True)
    assert "tick/score has been changed" in found.problems[0]
    assert found.sound == 2


def test_a_session_that_is_being_written_is_left_out_and_told(data: Path) -> None:
    writing = Recorder(data / SESSIONS, material.header("so101-sim-lift-00000009"), at_close=True)
    try:
        assert only(data) == "Still being written: 1 session: so101-sim-lift-00000009 (0 ticks so far)."
    finally:
        writing.close("")


def test_a_session_that_was_killed_is_told_apart_from_one_that_is_being_written(data: Path) -> None:
    reseal(own(session(data, 1)), closed=False)
    assert only(data).startswith("Cut off before the end: 1 session: so101-sim-lift-00000001 (120 ticks so far)")
    descriptor = hold(session(data, 1))
    assert descriptor is not None
    try:
        assert only(data).startswith("Still being written")
    finally:
        os.close(descriptor)


def test_another_schema_version_is_named(data: Path) -> None:
    reseal(own(session(data, 1)), schema=1)
    assert only(data) == "Written with another schema version: 1 session: so101-sim-lift-00000001 (1, not 2)."


def test_a_session_cut_short_on_disk_is_unreadable(data: Path) -> None:
    (own(session(data, 1)) / COMMIT).write_bytes(b'{"schema": 2')
    assert only(data).startswith("Unreadable: 1 session: so101-sim-lift-00000001 (")


@pytest.mark.parametrize(
    ("array", "row", "value", "told"),
    [
        ("inference/quantile", 4, np.full(18, 1.5), "Out of range: 1 session: so101-sim-lift-00000002 (inference/quantile holds 1.5"),
        ("inference/signals", 4, np.full(18, np.inf), "Out of range: 1 session: so101-sim-lift-00000002 ("),
        ("truth/oracle", 4, np.full(12, 9.0, np.float32), "Out of range: 1 session: so101-sim-lift-00000002 (truth/oracle holds 9"),
        ("inference/end_ns", 4, START, "Out of order in time: 1 session: so101-sim-lift-00000002 (an inference ended before it began"),
        ("inference/signal_ns", 4, np.full(18, 10 * START), "Out of order in time: 1 session: so101-sim-lift-00000002 (a signal is newer"),
        ("tick/t_ns", 4, START, "Out of order in time: 1 session: so101-sim-lift-00000002 (tick 4 comes -30 ms after"),
        ("truth/t_ns", 4, START, "Out of order in time: 1 session: so101-sim-lift-00000002 (what the simulator knew"),
    ],
)
def test_numbers_that_cannot_be_are_found_behind_valid_hashes(data: Path, array: str, row: int, value: object, told: str) -> None:
    edit(session(data, 2), array, row, value, reseal=True)
    assert any(problem.startswith(told) for problem in report(data).problems)


# --- lines and labels ---


@pytest.mark.parametrize(
    ("seed", "changes", "told"),
    [
        (1, {"failures": []}, "its events tell the failures drop at 0.70 s, its line none"),
        (1, {"failures": [Told("miss", FAILED)]}, "its events tell the failures drop at 0.70 s, its line miss at 0.70 s"),
        (1, {"failures": [Told("drop", 0.5)]}, "its events tell the failures drop at 0.70 s, its line drop at 0.50 s"),
        (2, {"success_s": None}, "its events tell success at [0.9], its line at no time"),
        (2, {"disturbances": []}, "its events tell the disturbances slick at 0.30 s, its line none"),
    ],
)
def test_a_line_that_tells_otherwise_than_physics_is_found(data: Path, seed: int, changes: dict[str, object], told: str) -> None:
    noted(data, seed, **changes)
    assert any(problem.startswith("Label and events disagree: 1 session") and told in problem for problem in report(data).problems)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"go_s": 0.8}, "it was let go at 0.80 s and ended at 1.19 s, with a label at 0.70 s"),
        ({"go_s": None}, "it succeeded or failed and was never let go"),
        ({"end_s": 0.6}, "it was let go at 0.20 s and ended at 0.60 s, with a label at 0.70 s"),
        ({"end_s": 2.5}, "its line ends at 2.50 s, its last tick is at 1.19 s"),
    ],
)
def test_a_label_outside_its_episode_is_found(data: Path, changes: dict[str, object], told: str) -> None:
    noted(data, 1, **changes)
    assert any(problem.startswith("Label outside the episode: 1 session") and told in problem for problem in report(data).problems)


def test_an_episode_that_could_not_be_played_is_counted_and_is_no_problem(data: Path) -> None:
    noted(data, 2, error="the robot was never let go: robot limits")
    found = report(data)
    assert found.ok, found.problems
    assert (found.unplayed, found.tasks[f"{ROBOT}/{TASK}"].episodes) == (1, 2)


def test_a_line_of_another_episode_is_found(data: Path) -> None:
    noted(data, 2, plan=Plan(robot=ROBOT, task=TASK, seed=7))
    assert "its seed is 2, the line says 7" in only(data)


def test_sessions_without_a_line_and_lines_without_a_session_are_found(data: Path) -> None:
    session(data, 2).rename(session(data, 8))
    assert report(data).problems == [
        "A line without its session: 1 line: so101-sim-lift-00000002.",
        "A session that no line names: 1 session: so101-sim-lift-00000008.",
    ]


# --- beside each other ---


def test_the_same_draw_in_two_parts_of_the_split_is_a_leak() -> None:
    robots = ("pickplace", "so101-sim")
    leaking = next(seed for seed in range(100) if len({part_of(f"{robot}/lift", seed) for robot in robots}) == 2)

    def drawn(*times: float) -> list[str]:
        plans = [Plan(robot=robot, task="lift", seed=leaking) for robot in robots]
        lines = [Outcome(plan=plan, disturbances=[Told("slick", t_s)]) for plan, t_s in zip(plans, times, strict=True)]
        return list(seeds(lines))

    (leak,) = drawn(0.3, 0.3)
    assert leak.startswith(f"One draw of disturbances in two parts of the split: 1 seed: seed {leaking} of pickplace/lift (")
    assert drawn(0.3, 0.5) == []


def test_a_copy_under_another_seed_is_found_by_its_contents(data: Path) -> None:
    session(data, 4).symlink_to(session(data, 2).resolve())
    line = next(line for line in (data / EPISODES).read_bytes().splitlines() if b'"seed":2' in line)
    with (data / EPISODES).open("ab") as file:
        file.write(line.replace(b'"seed":2', b'"seed":4').replace(b"00000002", b"00000004") + b"\n")
    problems = report(data).problems
    assert any("its seed is 2, the line says 4" in problem for problem in problems)
    assert any(
        problem.startswith(f"The same signals under several names: 1 group: {session(data, 2)} and {session(data, 4)}")
        for problem in problems
    )


def test_policies_and_settings_that_are_mixed_are_named(data: Path) -> None:
    line = recorded(data / SESSIONS, 4, policy="cd34", force=30.0)
    with (data / EPISODES).open("ab") as file:
        file.write(msgspec.json.encode(line) + b"\n")
    assert report(data).problems == [
        "so101-sim/lift was played with 2 policies: ab12 (3), cd34 (1).",
        "so101-sim/lift was played under different settings: 1 setting: limits.force_max 60.0 (3), 30.0 (1).",
    ]


def test_collections_in_which_other_things_go_wrong_are_told_apart(whole: Path, data: Path) -> None:
    other = linked(whole, data.parent / "other")
    made_with = msgspec.json.decode((other / SNAPSHOT).read_bytes())
    (other / SNAPSHOT).write_bytes(msgspec.json.encode(made_with | {"disturbances": "cd34"}))
    assert any(problem.startswith("Collections of so101-sim/lift differ in what goes wrong") for problem in report(data.parent).problems)


def test_signals_that_say_nothing_are_named(data: Path) -> None:
    for seed in range(3):
        path = own(session(data, seed), "inference/valid", "inference/signals")
        for row in range(TICKS // EVERY - 1):
            values = np.random.default_rng([seed, row]).normal(size=18)
            values[7] = 3.0
            material.edit(path, "inference/signals", row, values)
            material.edit(path, "inference/valid", row, np.arange(18) > 0)
        material.edit(path, "inference/signals", row, values, reseal=True)
        material.edit(path, "inference/valid", row, np.arange(18) > 0, reseal=True)
    found = report(data)
    assert found.problems == [
        "Signals without any value in so101-sim/lift: epistemic.",
        "Signals that never change in so101-sim/lift: jerk.",
    ]
    assert found.signals[0].missing == 1.0


def test_a_data_set_in_which_nothing_fails_is_told(data: Path) -> None:
    session(data, 1).unlink()
    (data / EPISODES).write_bytes(b"".join(line for line in (data / EPISODES).read_bytes().splitlines(True) if b'"seed":1' not in line))
    assert only(data) == "No episode failed: a forecast needs both."


# --- the command ---


def invoked(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["sessions", "verify", *arguments])
    return result.exit_code, result.output


def test_the_command_tells_people_and_programs_and_ends_with_the_verdict(whole: Path, data: Path) -> None:
    code, told = invoked(str(whole))
    assert code == 0, told
    assert f"{ROBOT}/{TASK}" in told
    assert len(told.splitlines()) <= 24
    code, told = invoked(str(whole), "--json")
    assert json.loads(told.splitlines()[-1])["tasks"][f"{ROBOT}/{TASK}"]["failing"] == 1
    session(data, 1).unlink()
    code, told = invoked(str(data))
    assert code == 1
    assert told.splitlines()[-1] == "PROBLEM  A line without its session: 1 line: so101-sim-lift-00000001."


def test_lines_whose_sessions_are_all_gone_are_told(data: Path) -> None:
    for seed in range(3):
        session(data, seed).unlink()
    assert report(data).problems[0].startswith("A line without its session: 3 lines:")


def test_a_single_session_is_verified_as_ever(whole: Path) -> None:
    code, told = invoked(str(session(whole, 1)), "--json")
    assert code == 0
    assert json.loads(told)["ticks"] == TICKS


def test_what_cannot_be_read_ends_in_one_sentence(data: Path) -> None:
    empty = data.parent / "empty"
    empty.mkdir()
    code, told = invoked(str(empty))
    assert (code, len(told.splitlines())) == (3, 1)
    assert "holds no collection" in told
    (data / EPISODES).write_bytes(b"a shopping list\n" + (data / EPISODES).read_bytes())
    code, told = invoked(str(data))
    assert (code, len(told.splitlines())) == (3, 1)
    assert "Line 1 of" in told


def test_a_last_line_that_was_cut_off_is_told_and_leaves_a_session_without_a_line(data: Path) -> None:
    content = (data / EPISODES).read_bytes()
    (data / EPISODES).write_bytes(content[:-30])
    stray, cut = report(data).problems
    assert stray.startswith("A session that no line names: 1 session")
    assert cut == f"The last line of {data / EPISODES} is cut off: --resume plays its episode anew."


def test_a_killed_collection_without_a_finished_episode_names_no_signal(tmp_path: Path) -> None:
    out = collected(tmp_path / "out")
    Recorder(out / SESSIONS, material.header("so101-sim-lift-00000009"), at_close=True).close("")
    reseal(out / SESSIONS / "so101-sim-lift-00000009", closed=False)
    code, told = invoked(str(out))
    assert code == 1
    assert f"{out}: 1 collection, 0 episodes (0 could not be played), 1 session, 0 of them sound" in told
    assert "missing values" not in told
    assert json.loads(invoked(str(out), "--json")[1])["signals"] == []


def test_a_collection_without_an_episode_is_told_to_go_on(tmp_path: Path) -> None:
    out = collected(tmp_path / "out")
    assert invoked(str(out)) == (
        3,
        f"sawhorse: No episode in {out} is finished: go on with the same `sawhorse collect` command and --resume.\n",
    )


def test_the_list_counts_what_failed_in_the_work(whole: Path) -> None:
    assert [summary(session(whole, seed)).failures for seed in range(3)] == [0, 1, 0]
