"""The same commands in both simulators: what is told to Isaac Lab, how far apart two traces are, and the command that shows it."""

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest
from click.testing import CliRunner

from adapters.isaaclab import compare, known
from adapters.mujoco import layout
from adapters.mujoco.tabletop import servos, table
from adapters.mujoco.tabletop.so101 import SO101
from adapters.mujoco.tabletop.tasks import DURATION
from console.commands import isaac_compare
from engine.exits import NOT_CONNECTED, USAGE

SVG = "{http://www.w3.org/2000/svg}"


class Ours:
    """MuJoCo alone, told as Isaac Lab is."""

    def __init__(self, start: Any) -> None:
        self._model = table.plant_model(SO101)
        self._data = mujoco.MjData(self._model)
        self._data.qpos[:] = [*start["joints"], servos.jaw_at(start["gripper"]), *start["cube"]]

    @property
    def state(self) -> dict[str, Any]:
        data = self._data
        mujoco.mj_kinematics(self._model, data)
        hand = data.body("gripper")
        return {
            "q": data.qpos[None, :5].copy(),
            "gripper": np.array([servos.closedness(data.qpos[5])]),
            "pose": np.concatenate([hand.xpos, hand.xquat])[None],
            "object": data.qpos[None, 6:].copy(),
            "success": np.array([data.time > 1.0]),
        }

    def act(self, target: Any, sag: Any, gripper: Any, shown: bool) -> None:
        self._data.ctrl[:] = [*target[0], servos.jaw_at(gripper[0])]
        mujoco.mj_step(self._model, self._data, round(layout.TICK_S / layout.PHYSICS_S))


def trace(joints: Any, **more: Any) -> compare.Trace:
    still: dict[str, Any] = {"tool": np.zeros((len(joints), 3)), "cube": np.full((len(joints), 3), SO101.cube_half), "done_at": math.nan}
    return compare.Trace(joints=np.array(joints, float), **(still | more))


@pytest.mark.parametrize("task", ["reach", "lift"])
def test_the_commands_are_all_that_moves_so101_sim(task: str) -> None:
    commands, ours = compare.demonstrate(task, 2)
    again = compare.repeat(Ours(commands.start), commands)
    np.testing.assert_allclose(again.joints, ours.joints, atol=1e-6)
    np.testing.assert_allclose(again.tool, ours.tool, atol=1e-6)
    np.testing.assert_allclose(again.cube, ours.cube, atol=1e-6)
    assert again.done_at == pytest.approx(1.0, abs=1.5 * known.STEP_S)
    assert known.HELD_S < ours.done_at < DURATION[task]
    assert np.ptp(commands.target, axis=0).max() > 0.1
    assert (ours.cube[-1, 2] - SO101.cube_half > SO101.lift) == (task == "lift")


def test_the_sag_is_what_of_the_targets_carries_the_weight() -> None:
    commands, ours = compare.demonstrate("reach", 0)
    np.testing.assert_allclose(ours.joints[-1, :5], commands.target[-1] - commands.sag[-1], atol=0.01)
    assert np.abs(commands.sag[-1]).max() > 0.02


def test_how_far_apart_two_traces_are() -> None:
    ours, theirs = np.zeros((4, 6)), np.zeros((4, 6))
    theirs[1, 2], theirs[3, 2], theirs[2, 5] = -0.3, 0.4, 2.0
    tool, cube = np.zeros((4, 3)), np.full((4, 3), SO101.cube_half)
    tool[2] = (0.003, 0.0, -0.004)
    cube[1, 2] += 0.05
    found = compare.Comparison("lift", 7, 0.005, trace(ours), trace(theirs, tool=tool, cube=cube, done_at=0.03))
    assert found.widest() == "elbow_flex"
    assert found.joints()["elbow_flex"] == compare.Gap(0.4, 4 * known.STEP_S, pytest.approx(0.25))
    assert found.joints()["jaw"].largest == 2.0
    assert found.joints()["wrist_roll"] == compare.Gap(0.0, known.STEP_S, 0.0)
    assert found.tool() == compare.Gap(pytest.approx(0.005), 3 * known.STEP_S, pytest.approx(0.0025))
    assert found.raised() == (0.0, pytest.approx(0.05))
    tree = isaac_compare.tree([found])
    assert tree["isaaclab"][0]["largest"] == {"joint": "elbow_flex", "rad": 0.4}
    assert tree["isaaclab"][0]["done_at_s"] == {"so101-sim": None, "isaaclab": 0.03}
    told = "\n".join(isaac_compare.lines([found]))
    for part in ("0.40000 rad (elbow_flex)", "5.000 mm of the tool", "so101-sim never, isaaclab after 0.03 s", "isaaclab 50.0 mm"):
        assert part in told


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The command as the user gives it: (what it prints, the picture)."""
    picture = tmp_path_factory.mktemp("compare") / "new" / "same.svg"
    done = CliRunner().invoke(isaac_compare.compare, ["--task", "lift", "--seed", "2", "--picture", str(picture), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), picture


def test_isaac_lab_lifts_the_cube_by_so101_sim_s_commands(compared: Any) -> None:
    tree, _ = compared
    fine, usual = tree["isaaclab"]
    assert (fine["physics_step_s"], usual["physics_step_s"]) == (layout.PHYSICS_S, known.STEP_S / known.DECIMATION)
    for one in (fine, usual):
        assert one["raised_m"]["so101-sim"] > SO101.lift
        assert one["raised_m"]["isaaclab"] > SO101.lift
        assert one["done_at_s"]["isaaclab"] == pytest.approx(one["done_at_s"]["so101-sim"], abs=0.1)
    assert fine["largest"]["rad"] < 0.005
    assert fine["tool"]["largest_m"] < 0.001
    assert usual["largest"]["rad"] < 0.05
    assert usual["tool"]["largest_m"] < 0.005


def test_the_picture_lays_the_traces_over_each_other(compared: Any) -> None:
    tree, picture = compared
    charts = ElementTree.parse(picture).getroot().findall(f"{SVG}svg")
    assert [chart.get("aria-label") for chart in charts[: len(compare.NAMES)]] == list(compare.NAMES)
    assert len(charts) == len(compare.NAMES) + 2
    assert len({(chart.get("x"), chart.get("y")) for chart in charts}) == len(charts)
    for chart in charts:
        lines = chart.findall(f"{SVG}polyline")
        assert len(lines) == (2 if "apart" in str(chart.get("aria-label")) else 3)
        assert all(len(str(line.get("points")).split()) == tree["commands"] for line in lines)


def test_what_cannot_be_compared_is_said_in_a_sentence(tmp_path: Path) -> None:
    python = tmp_path / "python"
    done = CliRunner().invoke(isaac_compare.compare, ["--isaac-python", str(python)])
    assert done.exit_code == NOT_CONNECTED
    assert f"There is no {python}" in done.stderr
    done = CliRunner().invoke(isaac_compare.compare, ["--task", "saw"])
    assert done.exit_code == USAGE


@pytest.mark.parametrize("picture", ["file/same.svg", "p" * 300, "to nowhere"])
def test_a_picture_that_could_not_be_written_is_refused_before_anything_starts(
    picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "to nowhere").symlink_to("/proc/nowhere/same.svg")
    monkeypatch.setattr(compare, "compare", lambda *_: pytest.fail("started"))
    done = CliRunner().invoke(isaac_compare.compare, ["--picture", str(tmp_path / picture)])
    assert (done.exit_code, done.stderr.count("\n")) == (NOT_CONNECTED, 1)
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize("there", [False, True])
def test_a_comparison_that_fails_leaves_the_place_of_its_picture_as_it_was(there: bool, tmp_path: Path) -> None:
    picture = tmp_path / "same.svg"
    if there:
        picture.write_text("older")
    done = CliRunner().invoke(isaac_compare.compare, ["--picture", str(picture), "--isaac-python", str(tmp_path / "none")])
    assert done.exit_code == NOT_CONNECTED
    assert picture.exists() == there
    assert not there or picture.read_text() == "older"
