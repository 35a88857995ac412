"""A collection on disk: its shards, going on with it, and what is refused."""

import itertools
import json
import signal
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from click.testing import CliRunner, Result

from console.cli import main
from engine.collect import collection
from engine.collect.collection import Collection, Snapshot
from engine.collect.episode import settings_of
from engine.collect.plan import CollectError, Outcome, Plan, Told
from engine.collect.play import _Table
from engine.session.verify import verify
from engine.unix_signals import interrupting

FIRST = Plan(robot="pickplace", task="reach", seed=100, policy="scripted")


def made_with(shard: tuple[int, int] = (1, 1), **changes: Any) -> Snapshot:
    plan = msgspec.structs.replace(FIRST, **changes)
    return collection.snapshot(plan, settings_of(plan, "cpu", None).model_dump(mode="json"), "", 10, shard, "cpu")


def played(found: Collection, plan: Plan, **came: Any) -> Outcome:
    outcome = Outcome(plan=plan, session=plan.name, **came)
    (found.sessions / plan.name).mkdir()
    found.add(outcome)
    return outcome


def test_shards_share_the_seeds_and_differ_in_nothing_else() -> None:
    shards = [made_with((number, 3)) for number in (1, 2, 3)]
    seeds = [plan.seed for one in shards for plan in one.plans()]
    assert sorted(seeds) == list(range(100, 110))
    assert {plan.name for one in shards for plan in one.plans()} == {f"pickplace-reach-00000{seed}" for seed in range(100, 110)}
    assert shards[0].difference(shards[1]) == "shard is [1, 3] there and [2, 3] here"
    assert shards[0].difference(made_with((1, 3))) == ""


def test_a_collection_goes_on_without_repeats_and_without_what_was_cut_off(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Collection(out, made_with(), resume=True) as found:
        done = [played(found, plan) for plan in found.missing[:4]]
    with (out / "episodes.jsonl").open("ab") as file:
        file.write(msgspec.json.encode(done[0])[:40])  # as a kill leaves it
    (out / "sessions" / "pickplace-reach-00000104").mkdir()  # one that was being played
    with Collection(out, made_with(), resume=True) as found:
        assert found.outcomes == done
        assert [plan.seed for plan in found.missing] == list(range(104, 110))
        assert len(list(found.sessions.iterdir())) == 4
        played(found, found.missing[0])
    assert [outcome.plan.seed for outcome in collection.outcomes(out)] == list(range(100, 105))


def test_another_configuration_and_a_folder_in_use_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Collection(out, made_with(), resume=False):
        pass
    with pytest.raises(CollectError, match=r"is not empty: name another folder, or say --resume\."):
        Collection(out, made_with(), resume=False)
    with pytest.raises(CollectError, match=r"cannot be gone on with: seed is 100 there and 7 here;"):
        Collection(out, made_with(seed=7), resume=True)
    with pytest.raises(CollectError, match=r"plan\.judged_by is 'none' there and 'all' here;"):
        Collection(out, made_with(judged_by="all"), resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").touch()
    with pytest.raises(CollectError, match="it is no collection"):
        Collection(tmp_path / "other", made_with(), resume=True)


def test_two_processes_never_collect_into_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Collection(out, made_with(), resume=False) as found:
        outcome = played(found, found.missing[0])
        (found.sessions / "being-played").mkdir()
        for resume in (False, True):
            with pytest.raises(CollectError, match="Another process is collecting into"):
                Collection(out, made_with(), resume=resume)
        assert (found.sessions / "being-played").exists()
        assert collection.outcomes(out) == [outcome], "a line is there as soon as its episode is"
    with Collection(out, made_with(), resume=True) as found:
        assert found.outcomes == [outcome]


def test_collections_are_found_in_a_folder_and_a_damaged_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(CollectError, match="holds no collection"):
        collection.collections(tmp_path)
    for number in (2, 1):
        with Collection(tmp_path / f"shard{number}", made_with((number, 2)), resume=False) as found:
            played(found, found.missing[0])
    shards = collection.collections(tmp_path)
    assert [path.name for path in shards] == ["shard1", "shard2"]
    assert collection.collections(shards[0]) == [shards[0]]
    assert collection.read_snapshot(shards[1]) == made_with((2, 2))
    episodes = shards[0] / "episodes.jsonl"
    episodes.write_bytes(b"{}\n" + episodes.read_bytes())
    with pytest.raises(CollectError, match="Line 1 of"):
        collection.outcomes(shards[0])


def test_the_first_of_failure_and_success_counts() -> None:
    drop, miss = Told("drop", 4.0), Told("miss", 3.0)
    assert Outcome(plan=FIRST, failures=[drop, miss]).failure == "miss"
    assert Outcome(plan=FIRST, failures=[drop], success_s=3.5).failure == ""
    found = collection.totals([Outcome(plan=FIRST, failures=[drop], success_s=5.0), Outcome(plan=FIRST, success_s=5.0, ticks=7)])
    assert (found["success"], found["failures_by_type"], found["timesteps"]) == (1, {"drop": 1}, 7)


def test_the_start_is_drawn_from_the_seed_within_its_bounds() -> None:
    drawn = [msgspec.structs.replace(FIRST, seed=seed).go_s for seed in range(200)]
    assert drawn == [msgspec.structs.replace(FIRST, seed=seed).go_s for seed in range(200)]
    assert 0.5 <= min(drawn) < 0.6
    assert 2.9 < max(drawn) <= 3.0


def run(out: Path, *more: str) -> Result:
    given = ["--robot", "pickplace", "--task", "reach", "--policy", "scripted", "--episodes", "2", "--workers", "1", "--json", *more]
    return CliRunner().invoke(main, ["collect", str(out), *given])


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_end_interrupts_unless_it_is_ignored(by: signal.Signals) -> None:
    usual = signal.default_int_handler if by == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(by, usual)
    try:
        with pytest.raises(KeyboardInterrupt), interrupting():
            signal.raise_signal(by)
        assert signal.getsignal(by) is usual
        signal.signal(by, signal.SIG_IGN)
        with interrupting():
            signal.raise_signal(by)
    finally:
        signal.signal(by, before)


def test_an_interrupt_keeps_what_is_finished_and_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, add, pages = tmp_path / "out", Collection.add, tmp_path / "pages"
    pages.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(pages))

    def interrupted(self: Collection, outcome: Outcome) -> None:
        add(self, outcome)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Collection, "add", interrupted)
        result = run(out)
    assert result.exit_code == 130
    assert "interrupted; what is finished is in" in result.stderr
    assert not list(pages.iterdir())
    kept = collection.outcomes(out)
    assert len(kept) == len(list((out / "sessions").iterdir())) == 1
    assert run(out).exit_code == 3
    result = run(out, "--resume")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["episodes"], told["success"], told["path"]) == (2, 2, str(out))
    both = collection.outcomes(out)
    assert both[0] == kept[0]
    assert {outcome.plan.seed for outcome in both} == {1_000_000, 1_000_001}
    for outcome in both:
        report = verify(out / "sessions" / outcome.session)
        assert (report.ok, report.ticks, report.inferences) == (True, outcome.ticks, outcome.inferences)


def test_what_was_made_for_no_episode_goes_with_an_interrupt_or_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    for error, code in ((KeyboardInterrupt(), 130), (CollectError("no such device"), 3)):
        monkeypatch.setattr(Collection, "missing", property(Mock(side_effect=error)))
        for name in ("there", "new"):
            result = run(tmp_path / name)
            assert result.exit_code == code
            assert "what is finished is in" not in result.stderr
        assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_folder_that_cannot_be_gone_on_with_is_refused_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    with Collection(out, made_with(seed=1_000_000), resume=False):
        pass
    monkeypatch.setattr("console.commands.collect._collect", Mock(side_effect=AssertionError))
    assert "is not empty: name another folder, or say --resume." in run(out).stderr
    result = run(out, "--resume", "--seed", "7")
    assert (result.exit_code, result.stderr) == (
        3,
        f"sawhorse: {out} cannot be gone on with: seed is 1000000 there and 7 here; give it the same, or name another folder.\n",
    )


def test_a_place_that_is_no_collection_is_told_what_it_is(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Collection(out, made_with(), resume=False):
        pass
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").touch()
    for path, words in (
        (out / "sessions", f"name the collection, {out}"),
        (tmp_path / "other", "holds no collection: name a folder that"),
        (tmp_path / "other" / "mine", "is a file"),
        (tmp_path / "none", "make one with `sawhorse collect"),
    ):
        with pytest.raises(CollectError, match=words):
            collection.collections(path)


def test_the_first_episodes_end_is_foretold_at_the_pace_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    table = object.__new__(_Table)
    table._progress, table._playing = told.append, {0: FIRST, 1: FIRST}
    monkeypatch.setattr(time, "monotonic", itertools.count().__next__)  # a second each turn
    for turn in range(12):
        table._tell(turn)
    left = (FIRST.go_s + FIRST.limit_s) / 0.16 * 2 - 9
    assert told == ["episodes under way: 2", f"episodes under way: 2; the first is over within about {left:.0f} s"]


@pytest.mark.parametrize("command", ["verify", "pack"])
def test_a_collection_that_cannot_be_read_is_told_in_one_sentence(command: str, tmp_path: Path) -> None:
    with Collection(tmp_path / "out", made_with(), resume=False):
        pass
    (tmp_path / "out" / "episodes.jsonl").unlink()
    (tmp_path / "out" / "episodes.jsonl").mkdir()
    result = CliRunner().invoke(
        main, ["sessions", command, str(tmp_path / "out"), *([str(tmp_path / "x.npz")] if command == "pack" else [])]
    )
    assert result.exit_code == 3
    assert result.output == f"sawhorse: {tmp_path / 'out' / 'episodes.jsonl'} cannot be used: Is a directory.\n"
