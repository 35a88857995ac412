"""The contact layer: what each region of the body may bear, the grip on the handle, and the gap a hand keeps to the cradle."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.limits import Limits
from engine.safety import capsules, contact
from engine.types import LAYERS, Mode, Reason, StopCategory, StopKind

LIMITS = Limits()
LAYER = LAYERS.index("contact")
AREA = 0.001  # m^2


def region(make, name):
    return next(one for one in make.sensing.regions if one.name == name)


def said(make, cell=None, limits=LIMITS, **changed):
    cell = cell or make.sensing
    return contact.layer(make.sensed(100, **changed), limits, cell, contact.bearable(cell))


def test_the_robots_mass_is_half_its_moving_parts_and_its_payload(make):
    assert contact.robot_mass(replace(make.sensing, moving_mass=12.0, payload=1.3)) == pytest.approx(7.3)


@pytest.mark.parametrize(
    ("name", "speed"),  # m/s: 2 F / sqrt(k / (1/m_h + 1/7.3))
    [("hand", 1.373), ("forearm", 1.277), ("upper arm", 1.188), ("chest", 0.713), ("neck", 1.322), ("skull", 0.0), ("face", 0.0)],
)
def test_the_permitted_speed_of_a_region(make, name, speed):
    assert contact.transient_speed(region(make, name), AREA, 7.3) == pytest.approx(speed, abs=1e-3)


@pytest.mark.parametrize("name", ["hand", "forearm", "upper arm", "chest", "back", "abdomen", "neck", "pelvis", "thigh", "lower leg"])
def test_at_the_permitted_speed_the_peak_force_is_the_transient_limit(make, name):
    one = region(make, name)
    speed = contact.transient_speed(one, 1.0, 7.3)
    assert math.sqrt(contact.reduced_mass(one.mass, 7.3) * one.stiffness) * speed == pytest.approx(2.0 * one.force)


def test_over_a_small_area_the_pressure_limits_before_the_force(make):
    hand = region(make, "hand")
    assert contact.quasi_static(hand, AREA) == 140.0
    assert contact.quasi_static(hand, 0.00005) == pytest.approx(95.0)  # 0.5 cm^2 at 190 N/cm^2


@settings(max_examples=200, deadline=None)
@given(mass=st.floats(0.1, 100.0), more=st.floats(0.0, 100.0))
def test_a_heavier_robot_may_never_be_faster(make, mass, more):
    for one in make.sensing.regions:
        assert contact.transient_speed(one, AREA, mass + more) <= contact.transient_speed(one, AREA, mass) + 1e-12


def test_the_weakest_region_of_the_arm_bounds_the_spring(make):
    assert contact.bearable(make.sensing).force == 140.0
    weak = tuple(replace(one, force=40.0) if one.name == "upper arm" else one for one in make.sensing.regions)
    world = make.fresh(Limits(force_max=140.0), replace(make.sensing, regions=weak))
    decision = world.run(110)
    assert decision.layer_force[LAYER] == decision.force_limit == 40.0


@pytest.mark.parametrize("missing", contact.ARM)
def test_a_table_that_lacks_a_region_of_the_arm_is_none(make, missing):
    cell = replace(make.sensing, regions=tuple(one for one in make.sensing.regions if one.name != missing))
    assert contact.bearable(cell) is None
    decision = make.fresh(Limits(force_max=140.0), cell).run(5)
    assert (decision.layer_reason[LAYER], decision.force_limit) == (Reason.NOT_CONFIGURED, 65.0)


def test_a_light_grip_in_mid_stroke_limits_nothing(make):
    layer = said(make)
    assert (layer.score, layer.scale, layer.reason) == (1.0, 1.0, Reason.OK)
    assert layer.margin == pytest.approx(140.0 - math.hypot(12.0, 3.0))
    assert layer.age == 0.0


def test_the_last_fifth_of_the_grip_slows_and_beyond_it_stops(make):
    grips = [110.0, 113.0, 120.0, 130.0, 139.0, 141.0]
    layers = [said(make, grip=(0.0, 0.6 * grip, -0.8 * grip)) for grip in grips]
    scores = [layer.score for layer in layers]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1.0
    assert 0.5 <= scores[-2] < 1.0
    assert (layers[-1].reason, scores[-1], layers[-1].scale) == (Reason.GRIP_FORCE, 0.1, 0.0)
    assert layers[-1].margin == pytest.approx(-1.0)


def test_a_grip_too_hard_stops_an_armed_robot_that_only_stands(together):
    together.ask("pause_request")
    stopped = together.step(grip=(-150.0, 0.0, 0.0))
    assert (stopped.stop_reason, stopped.stop_layer, stopped.stop_category) == (Reason.GRIP_FORCE, LAYER, StopCategory.CAT2)
    assert stopped.stop_margin == pytest.approx(-10.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", range(3))
def test_a_grip_that_is_no_number_stops(together, axis, bad):
    stopped = together.step(grip=tuple(bad if at == axis else 1.0 for at in range(3)))
    assert stopped.stop_reason == Reason.GRIP_NOT_FINITE


def test_a_handle_that_nobody_holds_needs_no_grip(make):
    assert said(make, holds=False, grip=(math.nan,) * 3).reason == Reason.OK
    assert said(make, holds=False, grip=(math.nan, 0.0, 0.0)).reason == Reason.GRIP_NOT_FINITE


def test_the_handles_speed_counts_the_turn_of_the_tool(make):
    tick = make.sensed(100, twist=(0.1, 0.0, 0.0, 0.0, 0.0, 0.5))
    assert contact.handle_speed(tick, capsules.axes(tick.pose)[0], make.sensing) == pytest.approx(math.hypot(0.1, 0.18))


def test_a_handle_faster_than_the_arm_bears_stops(make):
    weak = tuple(replace(one, force=25.0) if one.name == "upper arm" else one for one in make.sensing.regions)
    cell = replace(make.sensing, regions=weak)
    may = contact.bearable(cell).speed
    assert may == pytest.approx(0.192, abs=1e-3)
    assert said(make, cell).scale == pytest.approx(may / LIMITS.speed_max)
    slowed = said(make, cell, twist=(0.9 * may, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert (slowed.reason, slowed.score) == (Reason.CONTACT_SPEED, pytest.approx(0.75))
    assert said(make, cell, twist=(1.01 * may, 0.0, 0.0, 0.0, 0.0, 0.0)).score == 0.1


def test_where_no_contact_is_permitted_no_speed_is(make):
    never = tuple(replace(one, transient=0.0) if one.name == "hand" else one for one in make.sensing.regions)
    layer = said(make, replace(make.sensing, regions=never))
    assert (layer.reason, layer.score, layer.scale) == (Reason.CONTACT_SPEED, 0.1, 0.0)


def at_gap(gap, cell):
    return (cell.cradle_front + cell.handle_radius - cell.handle_ahead + gap, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0)


def test_the_gap_between_handle_and_cradle_slows_and_then_stops(make):
    gaps = [0.16, 0.151, 0.14, 0.13, 0.121, 0.119]
    layers = [said(make, pose=at_gap(gap, make.sensing)) for gap in gaps]
    scores = [layer.score for layer in layers]
    assert scores == sorted(scores, reverse=True)
    assert scores[1] == 1.0
    assert layers[2].reason == Reason.CRUSH
    assert layers[2].margin == pytest.approx(0.02)
    assert (layers[-1].reason, scores[-1], layers[-1].scale) == (Reason.CRUSH, 0.1, 0.0)


def test_a_hand_at_the_cradle_stops_the_sawing_and_can_be_jogged_free(make, together):
    together.now["pose"] = at_gap(0.11, make.sensing)
    stopped = together.step()
    assert (stopped.stop_reason, stopped.stop_kind) == (Reason.CRUSH, StopKind.PROTECTIVE)
    together.run(40)
    assert together.ask("arm_request").refused == Reason.CRUSH
    together.now["mode"] = Mode.JOG_XYZ
    together.run(2)
    assert together.ask("arm_request").armed
    together.now["jogging"] = True
    crawling = together.run(150)
    assert crawling.stop_number == 0
    assert 0.0 < crawling.speed_limit <= 0.10


def test_no_jog_closes_on_a_hand_at_the_cradle(make, together):
    together.now |= {"pose": at_gap(0.11, make.sensing), "mode": Mode.JOG_XYZ}
    together.run(100)
    assert together.ask("arm_request").armed
    together.now["jogging"] = True
    assert together.run(20).stop_number == 0
    closing = together.step(twist=(-0.02, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert (closing.stop_reason, closing.armed) == (Reason.CRUSH, False)


def test_the_gap_is_the_handles_not_the_tools(make):
    turned = (0.62, 0.0, 0.6, math.cos(0.3), 0.0, 0.0, math.sin(0.3))  # about z by 0.6 rad
    gap = contact.crush_gap(make.sensed(100, pose=turned), capsules.axes(turned)[0], make.sensing)
    assert gap == pytest.approx(0.62 + 0.36 * math.cos(0.6) - 0.016 - 0.71)


def test_a_saw_that_closes_the_gap_stops_a_stopping_way_before_it(make, together):
    together.now["pose"] = at_gap(0.13, make.sensing)
    assert together.run(3).stop_number == 0
    closing = together.step(twist=(-0.2, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert closing.stop_reason == Reason.CRUSH
