"""The Franka saws in the real Isaac Lab, started once: the arm loads and stands, a pull moves it, the kerf deepens, the block is felt."""

import json
import os
import subprocess
from typing import Any

import numpy as np
import pytest

from adapters.isaaclab import cutting, launch
from adapters.mujoco import layout, reach, world
from tests.adapters.isaaclab import cosaw_side
from tests.adapters.isaaclab.cosaw_side import FEED, SECONDS, SWING

XS = np.linspace(layout.STROKE_X - 0.1, layout.STROKE_X + 0.1, 6)
ZS = np.linspace(0.44, 0.56, 5)
ALLOWED_S = 500.0
PLACE, SPEED, TORQUE, FORCE, DEPTH = slice(0, 3), slice(3, 10), slice(10, 17), slice(17, 20), 20

pytestmark = pytest.mark.usefixtures("isaac_python")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the sawing in Isaac Lab's Python tells, and the postures as numbers."""
    folder = tmp_path_factory.mktemp("cosaw")
    python = launch.install(folder / "install.log", lambda text: None)
    table = {"x": XS.tolist(), "z": ZS.tolist(), "q": [[reach.place_saw((x, 0.0, z)).tolist() for z in ZS] for x in XS]}
    done = subprocess.run(
        [python, cosaw_side.__file__, launch.SCRIPT],
        input=json.dumps(table),
        env=launch.environment({**os.environ, "OMP_NUM_THREADS": "1"}),
        capture_output=True,
        text=True,
        timeout=ALLOWED_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {name: np.array(found[name]) for name in ("sawn", "free", "still", "pulled", "back")}


def test_the_packaged_franka_stands_where_the_mujoco_cell_has_it(told: dict[str, Any]) -> None:
    assert told["joints"] == [f"joint{number}" for number in range(1, 8)]
    assert told["bodies"][-2:] == ["saw", "handle"]
    home, _ = reach.tool(np.array(told["home"]), np.zeros(7))
    assert told["still"] == pytest.approx(home[:3], abs=1e-4)


def test_the_persons_pull_moves_the_saw_and_it_comes_back(told: dict[str, Any]) -> None:
    moved = told["pulled"][0] - told["still"][0]
    assert 0.5e-3 < moved < 10e-3
    assert told["back"] == pytest.approx(told["still"], abs=0.1 * moved)


def test_five_seconds_to_and_fro_deepen_the_kerf_and_nothing_blows_up(told: dict[str, Any]) -> None:
    sawn = told["sawn"]
    assert len(sawn) == round(SECONDS / 0.01)
    assert np.isfinite(sawn).all()
    assert (np.abs(sawn[:, SPEED]) < layout.JOINT_VELOCITY_LIMITS).all()
    assert (np.abs(sawn[:, TORQUE]) <= np.array(layout.JOINT_TORQUE_LIMITS) + 1e-3).all()
    assert np.ptp(sawn[:, 0]) > SWING
    depth = sawn[:, DEPTH]
    assert (np.diff(depth) >= 0.0).all()
    assert 0.003 < depth[-1] < cutting.HEIGHT
    assert told["kerf"][:2] == [pytest.approx(depth[-1]), pytest.approx(round(2.0 * SECONDS * cosaw_side.RATE), abs=1.0)]
    assert told["bottom"] == pytest.approx([layout.STROKE_X, 0.0, 0.53 - depth[-1]], abs=0.001)


def test_the_kerf_is_the_work_that_the_block_took(told: dict[str, Any]) -> None:
    """By the forces and the tool's way, which are seen every second physics step."""
    sawn = told["sawn"]
    way = np.gradient(sawn[:, 0])
    press = np.maximum(sawn[:, 19], cutting.RUBBING_FORCE)
    work = float(np.sum(np.maximum(0.0, -sawn[:, 17] * way) * (1.0 - cutting.RUBBING_FORCE / press)))
    assert sawn[-1, DEPTH] * cutting.ENERGY * cutting.KERF_WIDTH * cutting.BREADTH == pytest.approx(work, rel=0.1)


def test_the_arm_feels_the_block_as_its_jacobian_says(told: dict[str, Any]) -> None:
    """The same commands with the block and with the block cut through: the torques differ by what the block's force asks of them."""
    sawn, free = told["sawn"], told["free"]
    assert not free[:, FORCE].any()
    rows = range(100, len(sawn), 10)
    felt = np.array([sawn[row, TORQUE] - free[row, TORQUE] for row in rows])
    asked = np.array([-jacobian(sawn[row, PLACE]).T @ sawn[row, FORCE] for row in rows])
    for joint in (1, 3, 5):  # those that turn in the plane of the saw
        assert np.corrcoef(felt[:, joint], asked[:, joint])[0, 1] > 0.9
        assert np.linalg.norm(felt[:, joint]) == pytest.approx(np.linalg.norm(asked[:, joint]), rel=0.2)
    assert np.abs(sawn[100:, 2] - free[100:, 2]).max() > 0.3 * FEED  # and without it the blade goes down


def test_an_episode_begins_with_a_whole_block_and_ends_with_one_cut_through(told: dict[str, Any]) -> None:
    assert told["fresh"] == [0.0, 0.0, 0.0]
    assert told["through"]
    assert told["done"]


def jacobian(tool: Any) -> Any:
    """(3, 7) of the place on the saw that is over the block's middle, with the level saw's tool there."""
    import mujoco

    model, data = reach._bench()
    data.qpos[:] = reach.place_saw(tuple(tool))
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    found = np.zeros((3, 7))
    mujoco.mj_jac(model, data, found, None, np.array([layout.STROKE_X, tool[1], tool[2]]), model.body(world.SAW_BODY).id)
    return found
