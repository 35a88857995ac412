"""Every topic measures the real thing, at sizes far too small for its figures to mean anything; no time is asserted."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.isaaclab.shared import FOLDER, PREFIX
from engine import bench
from engine.bench import console, control, ensemble, isaaclab, material, recorder, seek, sim, so101, so101_sides, startup, stop
from engine.bench.figure import BenchError, Figure
from engine.config import Settings
from engine.faults.workshop import PATIENT
from engine.policy.errors import PolicyError
from engine.session.verify import verify


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=tmp_path / "store", policy="scripted")


def quiet(text: str) -> None: ...


def by_name(figures: Sequence[Figure]) -> dict[str, Figure]:
    """The figures by name, each one's ratio held against the two values that it is made of."""
    for one in figures:
        if one.compared_with:
            found = re.search(r": ([-+.\de]+)", one.compared_with[one.compared_with.rindex(": ") :])
            assert found, one
            other = float(found[1])
            above, below = (other, one.value) if one.better == "lower" else (one.value, other)
            assert one.ratio == (pytest.approx(above / below, rel=2e-3) if below else None), one
        else:
            assert one.ratio is None
        if one.bar is not None:
            assert one.ok == (one.value <= one.bar if one.better == "lower" else one.value >= one.bar)
    names = [one.name for one in figures]
    assert len(set(names)) == len(names)
    return {one.name: one for one in figures}


def test_sim_times_physics_and_pictures(settings: Settings) -> None:
    told: list[str] = []
    found = by_name(sim.measure(settings, 0.1, told.append))
    assert told
    assert found["physics steps under the impedance law"].bar == 500
    assert "three pictures of 128×128 with shadows" in found


def test_recorder_leaves_nothing_in_the_store_and_counts_real_bytes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "gather", lambda given, count, folder, tell: material.gather(given, 200, folder, tell, pixels=64))
    monkeypatch.setattr(recorder, "BLOCKS", 1)
    monkeypatch.setattr(seek, "PLAIN_SEEKS", 1)
    found = by_name(recorder.measure(settings, 2.0, quiet, minutes=0.1))
    assert not list(settings.store.iterdir())
    pictures = [one for name, one in found.items() if name.startswith("an exposure")]
    assert [one.compared_with for one in pictures] == ["raw: 36860 bytes"] * 2
    assert pictures[0].value < pictures[1].value, "noise cannot make pictures smaller"
    assert found["recording a tick, on the control thread, p99"].bar == 50
    assert found[f"seek, worst of {seek.SEEKS}, in a session of 0.1 min"].bar == 100


def test_the_session_that_is_sought_is_a_whole_one(settings: Settings, tmp_path: Path) -> None:
    rows = material.gather(settings, 150, tmp_path, quiet, pixels=64)
    assert len(rows.ticks) == 150
    assert any(row.decision.armed for row in rows.ticks)
    path = seek.long_session(rows, tmp_path, minutes=0.05, tell=quiet)
    report = verify(path)
    assert report.ok, report.problems
    assert report.ticks == 300
    assert report.inferences > len(rows.inferences)


def test_startup_draws_a_frame_and_leaves_no_engine(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(startup, "REPEATS_MIN", 1)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(startup.tempfile, "tempdir", None)
    found = by_name(startup.measure(settings, 0.0, quiet))
    assert {name: one.bar for name, one in found.items()} == {"sawhorse --help": 0.4, "the live screen's first frame": 1.5}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("saw-")]


def test_a_program_that_does_not_start_is_an_error() -> None:
    with pytest.raises(BenchError, match="no such thing"):
        startup.wall([startup.sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_control_drives_the_real_engine_and_leaves_nothing_in_the_store(settings: Settings) -> None:
    summary = control.run(settings, 0.5, control.OWN)
    assert summary["ticks"] > 0
    assert summary["policy"] == "scripted"
    assert summary["placeholder"]
    assert not list(settings.store.iterdir())
    found = by_name(control.figures(summary, summary | {"jitter_p99_ms": 2 * summary["jitter_p99_ms"]}))
    assert found["tick p99, lateness + work"].ratio == pytest.approx(2.0, rel=1e-3)
    assert {one.bar for one in found.values()} == {None, 1.0, 4.0, 5.0, 300.0}


def test_an_engine_that_cannot_run_is_an_error_with_its_own_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sawhorse").write_text("in the way of the runs")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(BenchError, match=str(tmp_path / "sawhorse")):
        control.run(settings, 0.5, control.OWN)


def test_the_bus_is_measured_beside_lerobot_s_own_calls(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both sides in this process, which has no core to itself, so what is late stops nothing."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(so101_sides, "TRIPS", 10)
    monkeypatch.setattr(so101_sides, "FAULTS", 1)
    chosen = so101.chosen(settings)
    chosen = chosen.model_copy(update={"limits": replace(chosen.limits, **PATIENT)})
    own, other = so101_sides.ours(chosen, 0.5), so101_sides.lerobot(chosen, 0.2)
    assert len(own["trips_ms"]) == len(other["trips_ms"]) == 10
    assert own["key_ms"]
    found = by_name(so101.figures(own, other, 0.04))
    assert {name: one.bar for name, one in found.items() if one.bar is not None} == {
        "goals at 100 Hz": round(other["rate"]),
        "a period's begin off its time p99": 2.0,
        "a goal's arrival off its time p99": 2.0,
        "key to goal write p99": 25.0,
        "a servo falls silent, to the stop, worst of 1": 60.0,
        "the cable is pulled out, to the stop, worst of 1": 60.0,
    }
    assert min(own["silent"] + own["unplug"] + own["key_ms"]) > 0.0


def test_a_side_that_ends_by_itself_is_an_error(settings: Settings) -> None:
    with pytest.raises(BenchError, match="ended with code 1: KeyError: 'nobody'"):
        so101.run(settings, "nobody", 1.0)
    assert not list(settings.store.iterdir())


def test_the_ensemble_is_raced_on_the_shipped_weights(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.policy.contest.ROUNDS_MIN", 1)
    monkeypatch.setattr("engine.policy.contest.OURS", 1)
    monkeypatch.setattr(ensemble, "WHOLE", 1)
    monkeypatch.setattr(ensemble, "EXPOSURES", 1)
    chosen = {"model": "compact", "device": "cpu", "members": 2, "perturbations": 1}
    found = by_name(ensemble.measure(settings, 0.0, quiet, **chosen))  # type: ignore[arg-type]
    assert found["speed of that, 1 runs of 2 × (1 + 1)"].bar == 3
    difference = found["largest difference from LeRobot's actions"]
    assert difference.value > 0
    assert difference.ok
    weights = found["weights held, shared prefix"]
    assert weights.ratio is not None
    assert weights.ratio > 1.5
    share = next(one for name, one in found.items() if name.startswith("share of the roofline"))
    assert 0 < share.value < 130
    assert {"arithmetic of 2 × (1 + 1), at least", "weights read for 2 × (1 + 1), at least", "a large copy, measured"} <= found.keys()


def test_the_ensemble_that_is_raced_is_the_robots_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, device: str, tell: object, robot: str | None = None) -> None:
        raise PolicyError(f"{name} of {robot}")

    monkeypatch.setattr("engine.policy.loading.load", load)
    monkeypatch.setattr(ensemble, "exposures", lambda settings: [])
    with pytest.raises(PolicyError, match="compact of pickplace"):
        ensemble.measure(settings.model_copy(update={"robot": "pickplace"}), 0.0, quiet, model="compact")


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"model": "compact", "members": 6}, "has 5 members; 6 were asked for"),
        ({"model": "compact", "perturbations": 4}, "4 perturbations were asked for; there are 3"),
        ({"model": "smolvla", "members": 0}, "at least one"),
        ({"model": "smolvla", "device": "cuda"}, "no CUDA device is there"),
        ({"model": "smolvla", "device": "gpu"}, "use cpu, cuda or cuda:N"),
        ({"model": "pi0"}, "no model 'pi0'"),
    ],
)
def test_a_race_that_cannot_be_run_is_refused_in_one_sentence(settings: Settings, chosen: dict[str, object], words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        ensemble.measure(settings, 0.0, quiet, **chosen)  # type: ignore[arg-type]


def test_a_policy_without_members_is_not_raced(settings: Settings) -> None:
    with pytest.raises(BenchError, match="no members"):
        bench.measure("ensemble", settings, 0.1, quiet)


def test_the_isaac_lab_link_is_raced_against_a_pipe_and_nothing_is_left(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Isaac Lab, which takes its time to start."""
    monkeypatch.setattr(isaaclab, "COUNT", 200)
    monkeypatch.setattr(isaaclab, "TRIPS", 20)
    monkeypatch.setattr(isaaclab.launch, "prepared", lambda: False)
    told: list[str] = []
    found = by_name(isaaclab.measure(settings, 0.5, told.append))
    assert "sawhorse isaac install" in told[-1]
    assert found["hand-over of 640×480×3 p99"].bar == 1
    assert found["command to another process and its state back p50"].value > 0
    torn = [one for name, one in found.items() if name.startswith("torn")]
    assert [(one.value, one.ok) for one in torn] == [(0, True)] * 2
    assert not list(FOLDER.glob(f"{PREFIX}bench-{os.getpid()}"))


def test_what_the_link_adds_to_a_step_is_the_difference_of_the_medians() -> None:
    found = by_name(isaaclab.step_figures([2.0, 3.0, 9.0], [4.0, 5.5, 6.0]))
    added = found["what the link adds to a step p50"]
    assert (added.value, added.bar, added.ok) == (2.5, 2.0, False)


def test_every_topic_has_a_module_with_its_own_time() -> None:
    for topic, module in zip(bench.TOPICS, (console, control, ensemble, isaaclab, recorder, sim, so101, startup, stop), strict=True):
        assert module.__name__.endswith(topic)
        assert module.SECONDS > 0
