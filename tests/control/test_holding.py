"""Whatever the motion a stop comes into: what holds, what yields, and nothing jumps."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.control import holding, pose, spring
from engine.safety import score
from engine.types import LAYERS, Reason, StopCategory, Zone

STEP = 1e-9
CONTACT = LAYERS.index("contact")


def gripped(make, now, *, reason=Reason.GRIP_FORCE):
    """The decision with the contact layer saying ``reason``."""
    reasons = list(now.layer_reason)
    reasons[CONTACT] = int(reason)
    return replace_reasons(now, tuple(reasons))


def replace_reasons(now, reasons):
    return type(now)(**{name: getattr(now, name) for name in now.__struct_fields__} | {"layer_reason": reasons})


class Sawing:
    """A rig in the middle of a stroke, pressed and pulled at, ready to be stopped."""

    def __init__(self, make, phase, press, push, speed_limit):
        self.rig = make.rig(plant=make.plant(floor=0.55))
        self.rig.run(2, make.decision())
        self.rig.plant.push[:] = (0.0, 0.0, -press)
        self.rig.run(60, make.decision(), (0.5, 0.0, 0.55, *make.home[3:]))
        self.rig.plant.push[0] = push
        for tick in range(120 + phase):
            x = 0.5 + 0.1 * math.sin(2.4 * tick * make.dt)
            self.rig.step(make.decision(speed_limit=speed_limit), (x, 0.0, 0.53, *make.home[3:]), saw=make.saw(Zone.SOFT))


stops = {
    "phase": st.integers(0, 260),
    "press": st.floats(0.0, 15.0),
    "push": st.floats(-40.0, 40.0),
    "speed_limit": st.floats(0.05, 0.25),
    "category": st.sampled_from((StopCategory.CAT2, StopCategory.CAT1)),
}


@settings(max_examples=25, deadline=None)
@given(**stops)
def test_any_stop_holds_what_holds_and_yields_what_yields(make, phase, press, push, speed_limit, category):
    rig = Sawing(make, phase, press, push, speed_limit).rig
    before, start, top = rig.reference, rig.reference.stiffness, rig.plant.pose[2]
    for tick in range(60):
        stretch = pose.error(rig.plant.effect.pose_d, rig.plant.pose)
        velocity = float(rig.plant.twist[0])
        command = rig.step(make.stopped(category), saw=make.saw(Zone.SOFT))
        now = rig.reference
        assert command.hold
        assert command.task_power == 0.0
        assert all(k <= was for k, was in zip(now.stiffness, before.stiffness, strict=True))
        assert now.stiffness[1:] == start[1:]
        softened = before.stiffness[0] - now.stiffness[0]
        assert (abs(stretch[0]) - 0.25 * make.dt) * softened <= spring.FORCE_RATE * make.dt + STEP
        assert now.force <= before.force
        assert now.torque <= before.torque
        assert command.twist_d[2] <= 0.0
        assert command.twist_d[0] * velocity >= 0.0, "the damper drove the saw"
        assert abs(command.twist_d[0]) <= abs(velocity) + STEP
        if tick * make.dt >= 0.25 / make.limits.acceleration_max:
            assert np.linalg.norm(command.twist_d[1:3]) == 0.0
            assert abs(command.twist_d[0]) <= make.limits.stroke_yield + STEP
        if tick * make.dt > holding.PRESS_OUT:
            assert pose.error(command.pose_d, rig.plant.pose)[2] * now.stiffness[2] > -2.0
        before = now
    assert rig.plant.pose[2] <= top + 2e-3, "the blade was lifted"
    assert before.stiffness[0] == score.SOFTEST[0]
    assert abs(pose.error(command.pose_d, rig.plant.pose)[0]) * before.stiffness[0] <= holding.STROKE_HOLD + 2.0
    assert command.brakes == (category == StopCategory.CAT1)


decisions = st.lists(
    st.tuples(
        st.sampled_from(("go", "pause", "stop", "disarm", "none")),
        st.tuples(st.floats(0.3, 0.7), st.floats(-0.2, 0.2), st.floats(0.5, 0.7)),
        st.floats(200.0, 800.0),
        st.floats(20.0, 60.0),
        st.sampled_from(list(Zone)),
        st.integers(1, 30),
        st.floats(0.3, 1.0),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=40, deadline=None)
@given(story=decisions)
def test_nothing_jumps_from_tick_to_tick_whatever_is_decided(make, story):
    rig = make.rig()
    rig.run(2, make.decision())
    a, dt = make.limits.acceleration_max, make.dt
    for what, place, stiffness, force, zone, ticks, lets in story:
        rig.plant.lets = lets
        permitted = {"stiffness": (stiffness,) * 3 + (60.0,) * 3, "force_limit": force}
        now = {
            "go": make.decision(**permitted),
            "none": make.decision(**permitted),
            "pause": make.decision(going=False, speed_limit=0.0, **permitted),
            "stop": make.stopped(**permitted),
            "disarm": make.decision(armed=False, going=False, speed_limit=0.0, **permitted),
        }[what]
        target = None if what == "none" else (*place, *make.home[3:])
        for _ in range(ticks):
            rearmed = now.armed and not rig.reference.armed
            was, effect = rig.reference, rig.plant.effect
            stretch = pose.error(effect.pose_d, rig.plant.pose)
            command = rig.step(now, target, saw=make.saw(zone))
            if rearmed:
                assert pose.error(command.pose_d, rig.commands[-2].pose_d)[2] <= abs(stretch[2]) + 0.25 * dt + STEP
                continue
            move = np.array(pose.error(command.pose_d, effect.pose_d)[:3])
            slide = spring.FORCE_RATE * dt / np.array(effect.stiffness[:3])
            slide[2] = max(slide[2], max(0.0, -stretch[2]))
            assert (np.abs(move) <= 0.25 * dt + a * dt * dt + slide + 1e-6).all()
            for k, before, e, rise in zip(command.stiffness_d, effect.stiffness, stretch, spring.STIFFEN, strict=True):
                assert k - before <= rise * dt + STEP
                assert (before - k) * (abs(e) - 0.25 * dt) <= spring.FORCE_RATE * dt + STEP
            assert abs(command.force_max - effect.force_max) <= spring.FORCE_RATE * dt + STEP
            rise = 4.0 * make.limits.task_power * dt
            assert command.task_power == 0.0 if command.hold else abs(command.task_power - was.power) <= rise + STEP


def test_a_reference_that_the_tank_holds_back_does_not_run_ahead(make):
    rig = make.rig()
    rig.run(2, make.decision())
    rig.plant.lets = 0.0
    for _ in range(100):
        command = rig.step(make.decision(), (0.7, *make.home[1:]))
        ahead = pose.error(command.pose_d, rig.plant.effect.pose_d)
        assert np.linalg.norm(ahead[:3]) <= 0.25 * make.dt
    rig.plant.lets = 1.0
    first = rig.step(make.decision(), (0.7, *make.home[1:]))
    assert abs(first.twist_d[0]) <= 2.0 * make.limits.acceleration_max * make.dt


def test_a_spring_reading_that_is_none_is_not_taken_over(make):
    rig = make.rig()
    rig.run(20, make.decision(), (0.6, *make.home[1:]))
    kept = rig.reference
    for broken in ({"pose_d": (math.nan,) * 7}, {"stiffness": (0.0,) * 6}, {"force_max": math.inf}):
        fields = {name: getattr(rig.plant.effect, name) for name in rig.plant.effect.__struct_fields__}
        assert spring.in_effect(kept, type(rig.plant.effect)(**fields | broken), make.dt) == kept


def test_a_hand_in_too_much_force_is_let_go_of_at_once(make):
    rig = make.rig()
    rig.run(2, make.decision())
    rig.plant.push[0] = 40.0
    rig.run(200, make.decision(), make.home)
    pulled = rig.springs[-1][0]
    assert abs(pulled) > 25.0
    rig.step(gripped(make, make.stopped()))
    assert rig.reference.stiffness[0] == score.SOFTEST[0]
    assert abs(rig.springs[-1][0]) < 0.6 * abs(pulled)


def test_other_words_of_the_contact_layer_let_go_gently(make):
    assert spring.rates(gripped(make, make.stopped(), reason=Reason.CONTACT_SPEED)) == spring.GENTLE
    assert spring.rates(gripped(make, make.stopped())) == spring.AT_ONCE


@pytest.mark.parametrize(
    ("changed", "zone", "share"),
    [({}, Zone.SOFT, 1.0), ({}, Zone.AIR, 0.2), ({"going": False}, Zone.SOFT, 0.2)],
    ids=["sawing", "in the air", "jogging"],
)
def test_the_whole_grant_is_for_sawing_and_rises_smoothly(make, changed, zone, share):
    rig = make.rig()
    rig.run(2, make.decision())
    goal = (0.6, *make.home[1:])
    powers = [rig.step(make.decision(**changed), goal, saw=make.saw(zone)).task_power for _ in range(60)]
    assert powers[-1] == pytest.approx(share * make.limits.task_power)
    assert max(np.diff([0.0, *powers])) <= 4.0 * make.limits.task_power * make.dt + STEP


def test_the_reference_brakes_from_the_saws_own_speed_not_from_its_lead(make):
    rig = make.rig()
    rig.run(2, make.decision())
    rig.reference = replace(rig.reference, twist=(0.25, 0.0, 0.0, 0.0, 0.0, 0.0))
    rig.plant.twist[0] = 0.1
    assert 0.0 < rig.step(make.stopped()).twist_d[0] <= 0.1


@pytest.mark.parametrize(("since", "follows"), [(0.5 * holding.PRESS_OUT, True), (1.5 * holding.PRESS_OUT, False)])
def test_a_blade_that_rises_is_followed_until_the_press_is_out_and_then_held(make, since, follows):
    rig = make.rig()
    rig.run(2, make.decision())
    reference = replace(rig.reference, held=since, rest=None, twist=(0.0,) * 6)
    x, y, z, *turned = reference.pose
    rising = make.inputs(twist=(0.0, 0.0, 0.03, 0.0, 0.0, 0.0))
    now = holding.held(reference, (x, y, z + 0.003, *turned), rising, make.stopped(), 100.0, make.dt, make.limits)
    assert now.rest is None
    assert (now.pose[2] > z) == follows
