"""From recorded episodes to the table: what is in it, what is left out and counted, and what is refused."""

import itertools
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from console.cli import main
from engine.collect.collection import EPISODES, SESSIONS, SNAPSHOT, Collection, outcomes, snapshot
from engine.collect.plan import Outcome, Plan, Told
from engine.forecast import dataset, gather
from engine.forecast.errors import ForecastError
from engine.policy import checkpoint
from engine.session.commit import COMMIT, Commit, sealed
from engine.session.reader import Session
from engine.session.recorder import Recorder
from engine.types import FAILURES, Event, Tick

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))

import session_material as material

from .synthetic import episodes

START = 1_000_000_000  #: ns, of the first tick
TICKS = 130
EVERY = 10  #: ticks between two inferences
SUCCEEDED = 1.2  #: s


@dataclass(frozen=True)
class Way:
    """How an episode goes."""

    failed_at: float | None = None  #: s
    what: str = "drop"
    cut: bool = False
    like: int | None = None  #: the seed whose signals it has
    blind: bool = False


@pytest.fixture(scope="module")
def ticks() -> list[Tick]:
    return list(itertools.islice(material.ticks(5, odd_values=False), TICKS))


@pytest.fixture(scope="module")
def policy_hash() -> str:
    return checkpoint.folder_hash(checkpoint.shipped("so101-sim"))


def recorded(store: Path, seed: int, way: Way, ticks: list[Tick], policy_hash: str) -> Outcome:
    """A session as a collection has them, and its line."""
    plan = Plan(robot="so101-sim", task="lift", seed=seed)
    recorder = Recorder(store, material.header(plan.name, robot=plan.robot, task=plan.task, seed=seed), at_close=True)
    rng = np.random.default_rng(seed if way.like is None else way.like)
    for tick, row in enumerate(ticks):
        recorder.tick(row)
        if tick and tick % EVERY == 0:
            signals = np.full(18, np.nan) if way.blind else 0.01 * rng.random(18)
            exposed = row.inputs.t_ns - 60_000_000
            one = msgspec.structs.replace(
                material.inference(tick, row.inputs.t_ns),
                exposed_ns=exposed,
                start_ns=exposed,
                signals=signals,
                valid=np.isfinite(signals),
                signal_ns=np.where(np.arange(18) == 14, exposed - 120_000_000, exposed),
            )
            recorder.inference(one)
            recorder.truth(one.end_ns, np.full(12, tick / TICKS, np.float32))
    recorder.policy(msgspec.structs.replace(material.POLICY, hash=policy_hash))
    failures = [] if way.failed_at is None else [Told(way.what, way.failed_at, "it is so")]
    succeeded = None if failures or way.cut else SUCCEEDED
    said = [("failure", f"{one.what}: {one.text}", one.t_s) for one in failures]
    said += [] if succeeded is None else [("success", "lift: done", succeeded)]
    for number, (kind, text, t_s) in enumerate(said):
        recorder.event(Event(seq=number, tick=round(100 * t_s), t_ns=START + round(1e9 * t_s), wall=0.0, kind=kind, text=text))
    assert recorder.close("over")
    return Outcome(
        plan=plan,
        session=plan.name,
        policy_hash=policy_hash,
        go_s=0.2,
        success_s=succeeded,
        failures=failures,
        disturbances=[],
        end_s=(TICKS - 1) / 100,
        ticks=TICKS,
        inferences=(TICKS - 1) // EVERY,
    )


WAYS = {0: Way(0.7), 1: Way(), 2: Way(0.85), 3: Way(cut=True), 4: Way(0.95), 5: Way(0.6), 6: Way(0.5, "miss"), 7: Way()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, ticks: list[Tick], policy_hash: str) -> Path:
    """A collection of the episodes above."""
    return collected(tmp_path_factory.mktemp("made") / "all", WAYS, ticks, policy_hash)


def collected(path: Path, ways: dict[int, Way], ticks: list[Tick], policy_hash: str) -> Path:
    made_with = snapshot(Plan(robot="so101-sim", task="lift", seed=0), {}, policy_hash, len(ways), (1, 1), "cpu")
    with Collection(path, made_with, resume=False) as collection:
        for seed, way in ways.items():
            collection.add(recorded(collection.sessions, seed, way, ticks, policy_hash))
    return path


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """The collection again, of which sessions 3 and 7 may be spoilt."""
    found = tmp_path / "copied"
    (found / SESSIONS).mkdir(parents=True)
    for name in (SNAPSHOT, EPISODES):
        shutil.copy(made / name, found)
    for session in (made / SESSIONS).iterdir():
        if session.name[-1] in "37":
            shutil.copytree(session, found / SESSIONS / session.name)
        else:
            (found / SESSIONS / session.name).symlink_to(session)
    return found


def quiet(text: str) -> None: ...


def test_the_table_holds_what_the_sessions_recorded(made: Path, policy_hash: str):
    data, report = gather.gather([made], quiet)
    assert data.tasks == ("so101-sim/lift",)
    assert data.policies == (policy_hash,)
    assert data.seed.tolist() == [0, 1, 2, 3, 4, 5, 7]
    drop = FAILURES.index("drop")
    assert data.failure.tolist() == [drop, -1, drop, -1, drop, drop, -1]
    assert np.allclose(data.failure_s[[0, 2, 4, 5]], [0.7, 0.85, 0.95, 0.6])
    assert data.cut.tolist() == [False, False, False, True, False, False, False]
    session = Session.open(made / SESSIONS / "so101-sim-lift-00000001")
    rows = slice(data.first[1], data.first[2])
    assert np.allclose(data.t[rows], np.arange(1, 12) * 0.1)  # up to the success at 1.2 s, which is not after itself
    assert np.allclose(data.exposed[rows], data.t[rows] - 0.06)
    assert np.allclose(data.signals[rows], session.rows("inference/signals")[:11], rtol=5e-3, atol=1e-5)
    assert np.allclose(data.age[rows][:, 14], 0.12)
    assert (data.age[rows][:, :14] == 0.0).all()
    assert np.allclose(data.oracle[rows][:, 0], np.arange(1, 12) * 10 / TICKS, atol=1 / 127)
    assert (data.t[data.first[0] : data.first[1]] < 0.7).all()
    assert report.left_out == {gather.RARE.format(4): 1}  # the one miss
    assert report.failures == {"so101-sim/lift": {"collision": 0, "drop": 4, "miss": 0, "timeout": 0, "none": 3}}
    assert (report.episodes, report.inferences) == (7, data.rows)


def test_a_packed_file_says_the_same_as_the_folder(made: Path, tmp_path: Path):
    data, _ = gather.gather([made], quiet)
    dataset.save(tmp_path / "packed.npz", data)
    again, report = gather.gather([tmp_path / "packed.npz"], quiet)
    assert again.hash == data.hash
    assert report.left_out == {}
    other = episodes(20, tasks=("other/lift",), failing=1.0)
    dataset.save(tmp_path / "other.npz", other)
    both, _ = gather.gather([tmp_path / "packed.npz", tmp_path / "other.npz"], quiet)
    assert both.tasks == ("other/lift", "so101-sim/lift")


def _unfinished(path: Path) -> None:
    commit = msgspec.json.decode((path / COMMIT).read_bytes(), type=Commit)
    (path / COMMIT).write_bytes(msgspec.json.encode(sealed(msgspec.structs.replace(commit, closed=False))))


def _relabelled(folder: Path, seed: int, **changed: object) -> None:
    lines = [msgspec.structs.replace(one, **changed) if one.plan.seed == seed else one for one in outcomes(folder)]
    (folder / EPISODES).write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in lines))


def _left_out(folder: Path) -> dict[str, int]:
    data, report = gather.gather([folder], quiet)
    assert 7 not in data.seed
    return {reason: count for reason, count in report.left_out.items() if not reason.startswith("Of a failure")}


def test_a_session_that_is_not_finished_is_left_out(copied: Path):
    _unfinished(copied / SESSIONS / "so101-sim-lift-00000007")
    (count,) = _left_out(copied).values()
    assert count == 1


def test_a_label_after_the_end_is_left_out(copied: Path):
    _relabelled(copied, 7, success_s=1.9)
    assert sum(_left_out(copied).values()) == 1


def test_an_episode_that_was_not_played_to_its_end_is_left_out(copied: Path):
    _relabelled(copied, 7, error="the robot was never let go")
    assert _left_out(copied) == {gather.FAILED: 1}


def test_copies_and_seeds_that_come_again_count_once(made: Path, ticks: list[Tick], policy_hash: str, tmp_path: Path):
    more = collected(tmp_path / "more", {1: Way(), 20: Way(like=7), 21: Way(blind=True)}, ticks, policy_hash)
    data, report = gather.gather([made, more], quiet)
    assert report.left_out == {gather.AGAIN: 1, gather.COPY: 1, gather.BLIND: 1, gather.RARE.format(4): 1}
    assert 20 not in data.seed
    assert (data.seed == 1).sum() == 1


def test_another_schema_version_is_refused(copied: Path):
    path = copied / SESSIONS / "so101-sim-lift-00000003" / COMMIT
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | {"schema": 1}))
    with pytest.raises(ForecastError, match="another schema version"):
        gather.gather([copied], quiet)


def test_sessions_of_a_policy_that_is_no_longer_there_are_refused(ticks: list[Tick], tmp_path: Path):
    old = collected(tmp_path / "old", {0: Way(0.7)}, ticks, "ab" * 32)
    with pytest.raises(ForecastError, match="were played with the policy abab"):
        gather.gather([old], quiet)


def test_too_few_failures_failures_alone_and_dead_signals_are_refused(made: Path, tmp_path: Path):
    data, _ = gather.gather([made], quiet)
    dataset.save(tmp_path / "few.npz", data.take(np.arange(2)))
    with pytest.raises(ForecastError, match=r"Of 2 episodes too few fail \(1 × drop\)"):
        gather.gather([tmp_path / "few.npz"], quiet)
    dataset.save(tmp_path / "failing.npz", data.take(data.failure >= 0))
    with pytest.raises(ForecastError, match="All 4 episodes fail"):
        gather.gather([tmp_path / "failing.npz"], quiet)
    dead = replace(data, valid=np.zeros_like(data.valid), signals=np.full_like(data.signals, np.nan))
    dataset.save(tmp_path / "dead.npz", dead)
    with pytest.raises(ForecastError, match="No signal of any inference is valid"):
        gather.gather([tmp_path / "dead.npz"], quiet)


def test_too_few_failures_are_packed_for_others_to_be_added(made: Path, ticks: list[Tick], policy_hash: str, tmp_path: Path):
    few = collected(tmp_path / "few", {30: Way(), 31: Way(0.7)}, ticks, policy_hash)
    with (few / EPISODES).open("ab") as file:
        file.write(b'{"plan":')  # as a kill leaves it
    result = CliRunner().invoke(main, ["sessions", "pack", str(few), str(tmp_path / "few.npz")])
    assert result.exit_code == 0, result.output
    assert "Packed 2 episodes" in result.output
    assert "Left out: its line was cut off: 1." in result.output
    data, _ = gather.gather([made, tmp_path / "few.npz"], quiet)
    assert set(data.seed.tolist()) > {30, 31}


def test_whoever_waits_is_told_of_sessions_that_are_left_out_too(made: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gather, "TELL_EVERY", 0.0)
    told: list[str] = []
    gather.gather([made, made], told.append)
    assert "16 of 16 sessions" in told


def test_an_empty_folder_is_refused(tmp_path: Path):
    with pytest.raises(ForecastError, match="no collection"):
        gather.gather([tmp_path], quiet)
