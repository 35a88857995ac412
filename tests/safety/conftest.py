"""A robot that works well, tick after tick, alone or with a person whom a sensor follows, and the ways in which a test may disturb it."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache

import pytest

from adapters.mujoco import layout
from engine.limits import Limits
from engine.safety import arbiter
from engine.safety.cell import UNSENSED, Cell, Region
from engine.types import PARTS, Decision, Inputs, ModelState, Reason

TICK = 10_000_000  #: ns
START = 1_000_000_000

FRANKA = arbiter.RobotLimits(
    position=((-2.90, 2.90), (-1.76, 1.76), (-2.90, 2.90), (-3.07, -0.07), (-2.90, 2.90), (-0.02, 3.75), (-2.90, 2.90)),
    velocity=(2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61),
    torque=(87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0),
)


def inputs(tick: int = 0, /, **changed: object) -> Inputs:
    """All well: fresh readings, pictures every 100 ms, inferences every 200 ms, nothing asked for."""
    t_ns = START + tick * TICK
    well: dict[str, object] = {
        "tick": tick,
        "t_ns": t_ns,
        "obs_t_ns": t_ns,
        "obs_seq": tick + 1,
        "q": (0.0, -0.3, 0.0, -2.2, 0.0, 2.0, 0.8),
        "dq": (0.0,) * 7,
        "tau": (0.0,) * 7,
        "pose": (0.5, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0),
        "twist": (0.0,) * 6,
        "wrench": (0.0,) * 6,
        "manipulability": 0.08,
        "frame_seq": tick // 10 + 1,
        "frame_t_ns": t_ns - 100_000_000,
        "frame_fault": Reason.OK,
        "model_state": ModelState.READY,
        "inference_id": tick // 20 + 1,
        "inference_exposed_ns": t_ns - 200_000_000,
        "inference_finite": True,
        "members": 5,
        "signal_ratio": (0.8,) * 18,
        "signal_valid": (True,) * 18,
        "action_magnitude": 0.5,
        "ensemble_spread": 0.2,
        "arm_request": 0,
        "disarm_request": 0,
        "go_request": 0,
        "pause_request": 0,
        "clear_request": 0,
        "clear_number": 0,
        "jogging": False,
        "console_t_ns": t_ns - 100_000_000,
        "console_required": True,
        "stop_page": (0,) * 8,
        "stop_latch": (0,) * 8,
        "watchdog": Reason.OK,
        "recorder_fault": Reason.OK,
        "engine_fault": False,
    }
    return Inputs(**(well | changed))  # type: ignore[arg-type]


#: ISO/TS 15066:2016, tables A.2 and A.3: N, N/cm^2, how many times that in a transient contact, N/mm, kg
BODY = (
    ("skull", 130, 110, 0, 150, 4.4),
    ("face", 65, 110, 0, 75, 4.4),
    ("neck", 150, 140, 2, 50, 1.2),
    ("back", 210, 160, 2, 35, 40),
    ("chest", 140, 120, 2, 25, 40),
    ("abdomen", 110, 140, 2, 10, 40),
    ("pelvis", 180, 210, 2, 25, 40),
    ("upper arm", 150, 190, 2, 30, 3),
    ("forearm", 160, 180, 2, 40, 2),
    ("hand", 140, 190, 2, 75, 0.6),
    ("thigh", 220, 220, 2, 50, 75),
    ("lower leg", 130, 210, 2, 60, 75),
)
REGIONS = tuple(
    Region(name=name, force=force, pressure=pressure * 1e4, transient=times, stiffness=k * 1e3, mass=mass)
    for name, force, pressure, times, k, mass in BODY
)
SENSING = replace(layout.cell(), regions=REGIONS)

#: m, the axes of PARTS of a person who saws: one hand on the handle, the other kept back
STANDING = (
    ((1.70, 0.0, 1.25), (1.70, 0.0, 1.40)),
    ((1.70, 0.0, 0.60), (1.70, 0.0, 1.05)),
    ((1.75, -0.25, 1.00), (1.80, -0.30, 0.75)),
    ((1.80, -0.30, 0.75), (1.70, -0.35, 0.60)),
    ((1.70, 0.20, 1.00), (1.35, 0.15, 0.80)),
    ((1.35, 0.15, 0.80), (0.98, 0.0, 0.655)),
)
NOISE = 1e-9  #: m
LINKS_AT = ((0.0, 0.0, 0.5), (0.10, 0.0, 0.80), (0.35, 0.0, 0.85), (0.36, 0.0, 0.74))


def flat(points: Iterable[Iterable[Iterable[float]]]) -> tuple[float, ...]:
    return tuple(value for one in points for point in one for value in point)


def sensed(tick: int = 0, /, **changed: object) -> Inputs:
    """The same, in mid-stroke, with a person on the handle whom a sensor saw 60 ms ago, never twice in quite the same place."""
    t_ns = START + tick * TICK
    well: dict[str, object] = {
        "pose": (0.62, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0),
        "links": flat((LINKS_AT,)),
        "grip": (12.0, 0.0, -3.0),
        "holds": True,
        "person_seq": tick // 2 + 1,
        "person_t_ns": t_ns - 10_000_000,
        "person_exposed_ns": (t_ns - 60_000_000,) * len(PARTS),
        "person_place": flat(STANDING),
        "person_speed": (0.1, 0.1, math.nan, math.nan, math.nan, math.nan),
    }
    told = well | changed
    told["person_place"] = tuple(value + NOISE * (tick % 7) for value in told["person_place"])  # type: ignore[attr-defined]
    return inputs(tick, **told)


@dataclass
class World:
    """The arbiter and the next tick's number; requests and conditions in ``now`` last until changed."""

    state: arbiter.State
    tick: int
    now: dict[str, object]
    last: Decision | None = None
    well: Callable[..., Inputs] = field(default=inputs)

    def step(self, **once: object) -> Decision:
        self.state, self.last = arbiter.step(self.state, self.well(self.tick, **(self.now | once)))
        self.tick += 1
        return self.last

    def run(self, ticks: int, **once: object) -> Decision:
        for _ in range(ticks):
            decision = self.step(**once)
        return decision

    def walk(self, place: tuple[float, ...], ticks: int = 20) -> Decision:
        """Let the person come to a place, as people do: on the way there."""
        start = self.now.get("person_place", flat(STANDING))
        for tick in range(1, ticks + 1):
            self.now["person_place"] = tuple(a + (b - a) * tick / ticks for a, b in zip(start, place, strict=True))  # type: ignore[call-overload]
            decision = self.step()
        return decision

    def ask(self, request: str) -> Decision:
        self.now[request] = int(self.now.get(request, 0)) + 1  # type: ignore[call-overload]
        return self.step()

    def press(self, writer: int, *, latch: bool = False) -> Decision:
        for page in ("stop_page", "stop_latch") if latch else ("stop_page",):
            counts = list(self.now.get(page, (0,) * 8))  # type: ignore[call-overload]
            counts[writer] += 1
            self.now[page] = tuple(counts)
        return self.step()

    def clear(self, number: int) -> Decision:
        self.now["clear_number"] = number
        return self.ask("clear_request")


def fresh_world(limits: Limits | None = None, cell: Cell = UNSENSED) -> World:
    return World(arbiter.initial(limits or Limits(), FRANKA, cell), 0, {}, well=sensed if cell.person_sensor else inputs)


@cache
def _sawing(cell: Cell) -> World:
    world = fresh_world(cell=cell)
    world.run(110)
    world.ask("arm_request")
    world.ask("go_request")
    world.run(110)
    return world


def sawing_world(cell: Cell = UNSENSED) -> World:
    """Armed, ramped up and going."""
    return replace(_sawing(cell), now=dict(_sawing(cell).now))


def fold(state: arbiter.State, recorded: Iterable[Inputs]) -> list[Decision]:
    decisions = []
    for tick in recorded:
        state, decision = arbiter.step(state, tick)
        decisions.append(decision)
    return decisions


@dataclass(frozen=True)
class Material:
    inputs: Callable[..., Inputs]
    sensed: Callable[..., Inputs]
    fresh: Callable[..., World]
    sawing: Callable[[], World]
    fold: Callable[..., list[Decision]]
    robot: arbiter.RobotLimits
    tick_ns: int
    sensing: Cell
    standing: tuple[tuple[tuple[float, ...], ...], ...]


@pytest.fixture(scope="session")
def make() -> Material:
    return Material(inputs, sensed, fresh_world, sawing_world, fold, FRANKA, TICK, SENSING, STANDING)


@pytest.fixture
def world() -> World:
    return fresh_world()


@pytest.fixture
def sawing() -> World:
    return sawing_world()


@pytest.fixture
def together() -> World:
    """Sawing with a person whom a sensor follows."""
    return sawing_world(SENSING)
