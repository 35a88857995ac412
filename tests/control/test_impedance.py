"""The impedance law: statics, passivity, damping design."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.control import impedance

stiffnesses = st.tuples(*[st.floats(10.0, 1000.0)] * 3)
stretches = st.tuples(*[st.floats(-0.5, 0.5)] * 3)


def random_arm(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(7, 7))
    return rng.normal(size=(6, 7)), root @ root.T + np.eye(7), rng


@given(seed=st.integers(0, 1000))
def test_the_self_motion_is_the_last_column_of_the_complete_factors_bit_for_bit(seed):
    jacobian = random_arm(seed)[0]
    jacobian[seed % 6] *= seed % 3  # at times a singularity
    before = jacobian.copy()
    found = impedance.self_motion(jacobian)
    assert np.array_equal(found, np.linalg.qr(jacobian.T, mode="complete")[0][:, 6])
    assert np.array_equal(jacobian, before)
    assert np.abs(jacobian @ found).max() < 1e-9


@given(k=stiffnesses, e=stretches)
def test_below_its_limit_the_spring_is_linear(k, e):
    assert impedance.saturated(k, e, 1e9) == pytest.approx(tuple(a * b for a, b in zip(k, e, strict=True)))


@given(k=stiffnesses, e=stretches, limit=st.floats(0.1, 100.0))
def test_the_spring_never_exceeds_its_limit_and_never_pushes_away(k, e, limit):
    force = np.array(impedance.saturated(k, e, limit))
    assert np.linalg.norm(force) <= limit * (1 + 1e-9)
    assert np.all(force * np.array(e) >= 0.0)


def test_one_axis_saturates_at_the_limit():
    assert impedance.saturated((500.0, 500.0, 500.0), (0.3, 0.0, 0.0), 60.0) == pytest.approx((60.0, 0.0, 0.0))
    assert impedance.saturated((0.0, 0.0, 500.0), (0.3, 0.0, 0.3), 60.0) == pytest.approx((0.0, 0.0, 60.0))
    assert impedance.saturated((500.0,) * 3, (0.3, 0.0, 0.0), 0.0) == (0.0, 0.0, 0.0)
    assert not math.isfinite(impedance.saturated((500.0,) * 3, (math.nan, 0.0, 0.0), 60.0)[0])


@settings(deadline=None, max_examples=50)
@given(k=stiffnesses, limit=st.floats(1.0, 60.0), seed=st.integers(0, 1000))
def test_a_closed_path_gains_no_energy_from_the_saturated_spring(k, limit, seed):
    corners = np.random.default_rng(seed).uniform(-0.3, 0.3, (3, 3))
    steps = 400
    work, length = 0.0, 0.0
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        move = (end - start) / steps
        length += np.linalg.norm(end - start)
        for i in range(steps):
            work += np.dot(impedance.saturated(k, start + (i + 0.5) * move, limit), move)
    assert abs(work) < 2e-4 * limit * length


def test_scaling_the_force_instead_would_gain_energy():
    k, limit, steps = np.array([800.0, 50.0, 50.0]), 20.0, 400
    corners = np.array([[0.3, 0.0, 0.0], [0.3, 0.3, 0.0], [0.02, 0.3, 0.0]])

    def around(spring):
        work = 0.0
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            move = (end - start) / steps
            work += sum(np.dot(spring(start + (i + 0.5) * move), move) for i in range(steps))
        return work

    def scaled(e):
        force = k * e
        return force * min(1.0, limit / np.linalg.norm(force))

    assert abs(around(scaled)) > 0.1
    assert abs(around(lambda e: np.array(impedance.saturated(k, e, limit)))) < 1e-3


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), ratio=st.floats(0.1, 1.5))
def test_damping_is_symmetric_positive_definite_and_gives_each_mode_its_ratio(seed, ratio):
    jacobian, joint_mass, rng = random_arm(seed)
    mass = impedance.task_inertia(jacobian, joint_mass)
    stiffness = rng.uniform(20.0, 800.0, 6)
    damping = impedance.damping(mass, stiffness, ratio)
    assert np.array_equal(damping, damping.T)
    assert np.linalg.eigvalsh(damping).min() > 0.0
    root = np.linalg.cholesky(mass)
    inverse = np.linalg.inv(root)
    modes, turn = np.linalg.eigh(inverse @ np.diag(stiffness) @ inverse.T)
    in_modes = turn.T @ inverse @ damping @ inverse.T @ turn
    assert in_modes == pytest.approx(np.diag(2 * ratio * np.sqrt(modes)), rel=1e-6, abs=1e-6 * np.abs(in_modes).max())


def test_damping_of_one_mass_is_the_textbook_one():
    damping = impedance.damping(np.diag([4.0] * 3 + [0.1] * 3), np.array([400.0] * 3 + [40.0] * 3), 0.7)
    assert np.diag(damping) == pytest.approx([2 * 0.7 * math.sqrt(4 * 400)] * 3 + [2 * 0.7 * math.sqrt(0.1 * 40)] * 3)


def test_yielding_only_adds_damping_along_the_stroke():
    designed = impedance.damping(np.diag([4.0] * 3 + [0.1] * 3), np.array([400.0] * 3 + [40.0] * 3), 0.7)
    added = impedance.yielding(designed) - designed
    assert added[0, 0] == impedance.HELD_STROKE
    assert np.count_nonzero(added) == 1


def test_task_inertia_stays_finite_at_a_singularity():
    jacobian, joint_mass, _ = random_arm(3)
    jacobian[5] = jacobian[4]
    inertia = impedance.task_inertia(jacobian, joint_mass)
    assert np.isfinite(inertia).all()
    assert np.linalg.eigvalsh(inertia).min() > 0.0


POSE = np.array([0.5, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0])


def torque(jacobian, **changed):
    call = {
        "jacobian": jacobian,
        "dq": np.zeros(7),
        "bias": np.zeros(7),
        "pose": POSE,
        "twist": np.zeros(6),
        "pose_d": POSE,
        "twist_d": np.zeros(6),
        "stiffness": np.array([500.0] * 3 + [50.0] * 3),
        "damping": np.eye(6) * 40.0,
        "force_max": 60.0,
        "torque_max": 8.0,
        "q": np.zeros(7),
        "q_rest": np.zeros(7),
    }
    call |= changed
    law = ("pose", "twist", "pose_d", "twist_d", "stiffness", "damping", "force_max", "torque_max")
    tool = impedance.wrench(**{name: call.pop(name) for name in law})
    return impedance.torque(direction=impedance.self_motion(jacobian), tool=tool, **call)


def test_at_rest_without_error_only_the_bias_is_carried():
    jacobian, _, rng = random_arm(0)
    bias = rng.normal(size=7)
    assert torque(jacobian, bias=bias) == pytest.approx(bias)


def test_a_stretched_spring_pulls_through_the_jacobian():
    jacobian, _, _ = random_arm(1)
    assert torque(jacobian, pose_d=POSE + np.array([0.01, 0, 0, 0, 0, 0, 0])) == pytest.approx(jacobian.T @ [5.0, 0, 0, 0, 0, 0])


def test_moving_as_the_reference_does_is_not_damped(make):
    moving = np.array([0.2, 0.0, 0.1, 0.0, 0.3, 0.0])
    tool = impedance.wrench(make.home, moving, make.home, moving, (500.0,) * 6, np.eye(6) * 40.0, 60.0, 8.0)
    assert tool == pytest.approx(np.zeros(6))
    braked = impedance.wrench(make.home, moving, make.home, np.zeros(6), (500.0,) * 6, np.eye(6) * 40.0, 60.0, 8.0)
    assert braked == pytest.approx(-40.0 * moving)


@given(seed=st.integers(0, 1000))
@settings(deadline=None)
def test_the_posture_exerts_no_force_on_the_tool(seed):
    jacobian, _, rng = random_arm(seed)
    posture = torque(jacobian, q=rng.normal(size=7), q_rest=rng.normal(size=7))
    assert np.linalg.lstsq(jacobian.T, posture, rcond=None)[0] == pytest.approx(np.zeros(6), abs=1e-6)


@given(seed=st.integers(0, 1000))
@settings(deadline=None)
def test_moving_joints_are_only_braked(seed):
    jacobian, _, rng = random_arm(seed)
    dq = rng.normal(size=7)
    assert torque(jacobian, dq=dq, twist=jacobian @ dq) @ dq <= 0.0


@pytest.mark.parametrize("field", ["pose", "twist", "pose_d", "dq"])
def test_nan_never_becomes_a_plausible_torque(field):
    jacobian, _, _ = random_arm(2)
    bad = np.full(6 if field == "twist" else 7, math.nan)
    assert not np.isfinite(torque(jacobian, **{field: bad})).all()


def test_pulled_on_one_axis_the_tool_gives_way_by_force_over_stiffness(make):
    rig = make.rig()
    rig.plant.push[0] = 15.0
    rig.run(400, make.decision(stiffness=(500.0,) * 3 + (50.0,) * 3), make.home)
    assert rig.plant.pose[0] - rig.commands[-1].pose_d[0] == pytest.approx(15.0 / rig.commands[-1].stiffness_d[0], rel=0.01)


def test_a_released_spring_only_loses_energy(make):
    plant = make.plant()
    plant.pose[:3] += (0.1, -0.05, 0.08)
    k = np.array([500.0, 300.0, 600.0, 50.0, 50.0, 50.0])
    rig = make.rig(plant=plant)
    command = make.rig().step(make.decision(), make.home)
    command = type(command)(**({n: getattr(command, n) for n in command.__struct_fields__} | {"stiffness_d": tuple(k.tolist())}))

    def energy():
        e = np.array(command.pose_d[:3]) - plant.pose[:3]
        f = np.array(impedance.saturated(k[:3], e, command.force_max))
        return f @ e - 0.5 * np.sum(f * f / k[:3]) + 0.5 * plant.mass * np.sum(plant.twist[:3] ** 2)

    last = energy()
    for _ in range(200):
        rig.plant.obey(command)
        assert energy() <= last + 1e-4
        last = energy()
    assert last < 1e-3
