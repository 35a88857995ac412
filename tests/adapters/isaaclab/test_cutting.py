"""The block's answer to a saw: forces against the motion, a depth that only work brings, and its end at the block's height."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adapters.isaaclab import cutting
from adapters.mujoco import cutting as wood
from engine.types import Zone

DT = 0.005
PRESS = 30.0  #: N
INTO = PRESS / cutting.STIFFNESS


def blade(**more: float | list[float]) -> cutting.Blade:
    """At rest on the block's top, but for what is said; arrays of one, or as long as what is said."""
    length = max((len(value) for value in more.values() if isinstance(value, list)), default=1)
    values = {"along": 0.0, "y": 0.0, "z": 0.0, "vx": 0.0, "vy": 0.0, "vz": 0.0} | more
    return cutting.Blade(**{name: np.broadcast_to(np.asarray(value, float), (length,)) for name, value in values.items()})


def block(count: int = 1) -> cutting.Cut:
    return cutting.uncut(np.zeros(count))


def deep(depth: float, line: float = 0.0) -> cutting.Cut:
    return cutting.Cut(*(np.array([value]) for value in (depth, line, 1.0, 0.0, 0.0)))


def saw(cut: cutting.Cut, seconds: float, speed: Callable[[float], float]) -> cutting.Cut:
    """Pressed with PRESS all the time, whatever the depth."""
    for step in range(round(seconds / DT)):
        bottom = float(-cut.depth[0])
        cut, _ = cutting.meet(cut, blade(z=bottom - INTO, vx=speed(step * DT)), DT)
    return cut


def test_over_the_block_there_is_nothing() -> None:
    cut, bite = cutting.meet(block(), blade(z=0.001, vx=0.5, vy=0.1, vz=-0.1), DT)
    assert (bite.fx, bite.fy, bite.fz, cut.depth, cut.strokes) == (0.0, 0.0, 0.0, 0.0, 0.0)


def test_the_press_is_a_spring_and_the_resistance_goes_against_the_motion() -> None:
    _, bite = cutting.meet(block(3), blade(z=-INTO, vx=[0.5, -0.5, 0.0]), DT)
    assert bite.fz == pytest.approx([PRESS] * 3)
    assert bite.fx == pytest.approx([-cutting.FRICTION * PRESS * 1.5, cutting.FRICTION * PRESS * 1.5, 0.0], rel=0.01)


def test_pressing_alone_and_rubbing_lightly_deepen_nothing() -> None:
    light = 0.9 * cutting.RUBBING_FORCE / cutting.STIFFNESS
    cut, _ = cutting.meet(block(2), blade(z=[-INTO, -light], vx=[0.0, 0.5]), DT)
    assert cut.depth.tolist() == [0.0, 0.0]


def test_the_depth_is_the_work_over_what_the_chips_take() -> None:
    cut = saw(block(), 1.0, lambda t: 0.3)
    work = cutting.FRICTION * PRESS * (1.0 + 0.3 / cutting.SPEED_SCALE) * 0.3 * 1.0 * (1.0 - cutting.RUBBING_FORCE / PRESS)
    assert cut.depth[0] * cutting.ENERGY * cutting.KERF_WIDTH * cutting.BREADTH == pytest.approx(work, rel=0.03)


def test_ways_to_and_fro_are_counted() -> None:
    assert saw(block(), 4.0, lambda t: 0.4 * float(np.cos(np.pi * t))).strokes[0] == 5.0  # half a way, three, half a way


def test_cut_through_it_gives_way() -> None:
    cut = saw(deep(cutting.HEIGHT - 1e-6), 1.0, lambda t: 0.5)
    assert cutting.through(cut)[0]
    assert cut.depth[0] == cutting.HEIGHT
    _, bite = cutting.meet(cut, blade(z=-cutting.HEIGHT - INTO, y=0.002, vx=0.5), DT)
    assert (bite.fx, bite.fy, bite.fz) == (0.0, 0.0, 0.0)


def test_walls_guide_the_blade_only_in_the_kerf() -> None:
    _, inside = cutting.meet(deep(0.02), blade(z=-0.01, y=0.002), DT)
    assert inside.fy == pytest.approx(-cutting.WALL_STIFFNESS * (0.002 - cutting.CLEARANCE))
    _, loose = cutting.meet(deep(0.02), blade(z=-0.01, y=0.0003, vy=0.2), DT)
    assert loose.fy == 0.0
    _, far = cutting.meet(deep(0.02), blade(z=-0.01, y=0.1), DT)
    assert far.fy == -cutting.WALL_FORCE


def test_beside_its_kerf_the_blade_stands_on_the_top() -> None:
    cut, bite = cutting.meet(deep(0.02), blade(z=0.0, y=0.01), DT)
    cut, bite = cutting.meet(cut, blade(z=-INTO, y=0.01, vx=0.4), DT)
    assert bite.fz == pytest.approx(PRESS)
    assert (cut.depth[0], cut.line[0]) == (0.02, 0.0)
    over, _ = cutting.meet(cut, blade(z=0.001, y=0.001), DT)
    _, bite = cutting.meet(over, blade(z=-INTO, y=0.001), DT)
    assert bite.fz == 0.0  # it hangs in its kerf again


@pytest.mark.parametrize("along", [-cutting.BLADE_BACK - 0.01, cutting.BLADE_AHEAD + 0.01])
def test_beyond_its_ends_the_blade_has_no_teeth(along: float) -> None:
    assert cutting.meet(block(), blade(along=along, z=-INTO, vx=0.4), DT)[1].fz == 0.0


def test_it_is_the_law_of_the_mujoco_cell() -> None:
    """The same material, the same formula, where neither knots nor binding come in."""
    assert (cutting.STIFFNESS, cutting.DAMPING) == (wood.CONTACT_STIFFNESS, wood.CONTACT_DAMPING)
    own = {"STIFFNESS", "DAMPING", "CREEP_SPEED"}
    shared = {name for name in vars(cutting) if name.isupper() and hasattr(wood, name)} - own
    assert {"KERF_WIDTH", "RUBBING_FORCE", "SPEED_SCALE", "CLEARANCE", "WALL_FORCE", "SAME_KERF"} <= shared
    assert {name: getattr(cutting, name) for name in shared} == {name: getattr(wood, name) for name in shared}
    soft = wood.MATERIALS[Zone.SOFT]
    assert (soft.friction, soft.energy) == (cutting.FRICTION, cutting.ENERGY)


def test_torch_says_the_same() -> None:
    torch: Any = pytest.importorskip("torch")
    way = {"z": [-0.002, -0.001, 0.01], "y": [0.0, 0.001, 0.0], "vx": [0.4, -0.4, 0.1], "vy": [0.1, -0.1, 0.0], "vz": [0.0, 0.01, 0.0]}
    plain = blade(**way)
    fields = cutting.Blade.__slots__
    cut, bite = cutting.meet(block(3), plain, DT)
    tensors = cutting.Blade(*(torch.tensor(np.array(getattr(plain, name))) for name in fields))
    also, answer = cutting.meet(cutting.uncut(torch.zeros(3, dtype=torch.float64)), tensors, DT)
    for name in cutting.Cut.__slots__:
        assert getattr(also, name).numpy() == pytest.approx(getattr(cut, name))
    for name in cutting.Bite.__slots__:
        assert getattr(answer, name).numpy() == pytest.approx(getattr(bite, name))
