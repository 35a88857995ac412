"""The wood's laws: work alone deepens a kerf, walls hold the blade, too much press binds it."""

import math
from itertools import pairwise

import pytest

from adapters.mujoco import zones
from adapters.mujoco.cutting import (
    KERF_WIDTH,
    MATERIALS,
    NEW_KERF,
    RUBBING_FORCE,
    Bite,
    Blade,
    Wood,
    bind_press,
    bite,
    chord,
)
from adapters.mujoco.zones import Crack, Grain, Knot
from engine.types import Zone

TOP = 0.6
DT = 0.002
NO_KNOT, NO_CRACK = Knot(0.0, 0.0, 0.0, 0.0), Crack(0.0, 0.0)
SOFT = Grain(1.0, (NO_KNOT,) * zones.KNOTS, (NO_CRACK,) * zones.CRACKS)
KNOTTY = Grain(1.0, (Knot(0.0, 0.03, 0.0, 0.05),) + (NO_KNOT,) * (zones.KNOTS - 1), (NO_CRACK,) * zones.CRACKS)
CRACKED = Grain(1.0, (NO_KNOT,) * zones.KNOTS, (Crack(0.0, 0.03),) + (NO_CRACK,) * (zones.CRACKS - 1))


def blade(z: float, vx: float = 0.0, x: float = 0.62, y: float = 0.0, vz: float = 0.0, yaw: float = 0.0) -> Blade:
    return Blade(x, y, z, vx, 0.0, vz, 0.0, yaw, 0.0, 0.0)


def press_of(newtons: float) -> float:
    """m, penetration that this press makes."""
    return newtons / 20000.0


def saw(wood: Wood, grain: Grain, newtons: float, seconds: float, speed: float = 0.2, pinch: float = 0.0) -> list[Bite]:
    """A steady stroke back and forth at constant press."""
    done = []
    for i in range(round(seconds / DT)):
        t = i * DT
        vx = speed * (1.0 if math.sin(2.0 * math.pi * t) >= 0.0 else -1.0)
        depth = max(wood.kerf_depth)
        done.append(bite(wood, grain, blade(TOP - depth - press_of(newtons), vx), TOP, pinch, DT))
    return done


def chip_work(done: list[Bite], speed: float = 0.2) -> float:
    """J, what the teeth took from the blade less the share that only rubs."""
    return sum(abs(b.fx) * speed * DT * (1.0 - RUBBING_FORCE / b.press) for b in done)


@pytest.mark.parametrize("grain", [SOFT, KNOTTY, CRACKED])
def test_pressing_without_motion_never_deepens_the_kerf(grain: Grain) -> None:
    wood = Wood()
    for _ in range(1000):
        bite(wood, grain, blade(TOP - press_of(50.0)), TOP, 0.0, DT)
    assert max(wood.kerf_depth) == 0.0


def test_moving_without_load_never_deepens_the_kerf() -> None:
    wood = Wood()
    for z in (TOP + 0.01, TOP, TOP - press_of(2.9)):
        for _ in range(1000):
            bite(wood, SOFT, blade(z, 0.25), TOP, 0.0, DT)
    assert max(wood.kerf_depth) == 0.0


def test_the_kerf_only_ever_gets_deeper() -> None:
    wood = Wood()
    depths = []
    for _ in range(20):
        saw(wood, SOFT, 20.0, 0.3)
        depths.append(max(wood.kerf_depth))
    assert all(later > earlier for earlier, later in pairwise(depths))


def test_the_volume_cut_is_the_cutting_work_over_the_specific_energy() -> None:
    wood = Wood()
    saw(wood, SOFT, 20.0, 1.0)
    start = max(wood.kerf_depth)
    work = chip_work(saw(wood, SOFT, 20.0, 4.0))
    depth = max(wood.kerf_depth)
    steps = 2000
    volume = sum(chord(start + (i + 0.5) * (depth - start) / steps) * KERF_WIDTH * (depth - start) / steps for i in range(steps))
    assert volume * MATERIALS[Zone.SOFT].energy == pytest.approx(work, rel=1e-3)


def test_chips_never_cost_more_than_the_teeth_take_from_the_blade() -> None:
    wood = Wood()
    depth = 0.0
    for b in saw(wood, SOFT, 25.0, 2.0):
        chips = b.deepened * chord(depth) * KERF_WIDTH * MATERIALS[Zone.SOFT].energy
        assert 0.0 <= chips <= abs(b.fx) * 0.2 * DT + 1e-12
        depth = (depth or NEW_KERF) + b.deepened


def test_the_wood_opposes_the_motion_and_grows_with_press_and_speed() -> None:
    def resistance(press: float, speed: float, grain: Grain = SOFT) -> float:
        return bite(Wood(), grain, blade(TOP - press_of(press), speed), TOP, 0.0, DT).fx

    assert resistance(20.0, 0.2) < 0.0 < resistance(20.0, -0.2)
    assert resistance(30.0, 0.2) < resistance(20.0, 0.2)
    assert resistance(20.0, 0.3) < resistance(20.0, 0.2)
    assert resistance(20.0, 0.2, KNOTTY) < resistance(20.0, 0.2) < resistance(20.0, 0.2, CRACKED)


def test_the_same_work_goes_less_deep_in_a_knot_and_deeper_in_a_crack() -> None:
    depths = {}
    for zone, grain in ((Zone.SOFT, SOFT), (Zone.KNOT, KNOTTY), (Zone.CRACKED, CRACKED)):
        wood = Wood()
        spent = 0.0
        while spent < 10.0:
            spent += chip_work(saw(wood, grain, 20.0, 0.1))
        depths[zone] = max(wood.kerf_depth)
    assert depths[Zone.KNOT] < depths[Zone.SOFT] < depths[Zone.CRACKED]


def test_the_walls_push_a_strayed_blade_back_and_turn_it_straight() -> None:
    wood = Wood()
    saw(wood, SOFT, 20.0, 8.0)
    z = TOP - max(wood.kerf_depth) - press_of(20.0)
    strayed = bite(wood, SOFT, blade(z, 0.1, y=0.002, yaw=0.05), TOP, 0.0, DT)
    assert strayed.in_kerf
    assert strayed.fy < -10.0
    assert strayed.yaw_torque < 0.0


def test_a_blade_set_down_elsewhere_begins_a_kerf_of_its_own_and_leaves_the_old_one() -> None:
    wood = Wood()
    saw(wood, SOFT, 20.0, 4.0)
    old = max(wood.kerf_depth)
    bite(wood, SOFT, blade(TOP + 0.02, y=0.05), TOP, 0.0, DT)
    b = bite(wood, SOFT, blade(TOP - press_of(20.0), 0.2, y=0.05), TOP, 0.0, DT)
    assert b.deepened > 0.0
    assert sorted(wood.kerf_depth)[-1] == old
    assert NEW_KERF < sorted(wood.kerf_depth)[-2] < 0.001


def test_too_much_press_binds_the_saw_and_a_light_hand_frees_it() -> None:
    wood = Wood()
    saw(wood, KNOTTY, 20.0, 6.0)
    assert not wood.stuck
    saw(wood, KNOTTY, 70.0, 3.0)
    assert wood.stuck
    held = bite(wood, KNOTTY, blade(TOP - max(wood.kerf_depth) - press_of(70.0), 0.0, x=wood.anchor + 0.005), TOP, 0.0, DT)
    assert held.fx == pytest.approx(-45.0)
    assert held.deepened == 0.0
    saw(wood, KNOTTY, 1.0, 1.0, speed=0.0)
    assert not wood.stuck


def test_a_knot_binds_before_soft_wood_and_a_pinched_one_sooner() -> None:
    soft, knot = MATERIALS[Zone.SOFT], MATERIALS[Zone.KNOT]
    assert bind_press(knot, 0.005, 0.0) < bind_press(soft, 0.005, 0.0)
    assert bind_press(knot, 0.005, 1.0) < 0.3 * bind_press(knot, 0.005, 0.0)
    assert bind_press(soft, 0.02, 0.0) < bind_press(soft, 0.0, 0.0)


def test_a_log_has_its_knots_where_its_seed_says() -> None:
    first, again, other = zones.draw(7), zones.draw(7), zones.draw(8)
    assert first == again != other
    knot = first.knots[0]
    assert zones.zone_at(first, knot.y, 0.5 * (knot.top + knot.bottom)) == Zone.KNOT
    assert zones.zone_at(first, 0.9, 0.0) == Zone.AIR
