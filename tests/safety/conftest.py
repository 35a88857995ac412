"""A robot that works well, tick after tick, and the ways in which a test may disturb it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache

import pytest

from engine.limits import Limits
from engine.safety import arbiter
from engine.types import Decision, Inputs, ModelState, Reason

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


@dataclass
class World:
    """The arbiter and the next tick's number; requests and conditions in ``now`` last until changed."""

    state: arbiter.State
    tick: int
    now: dict[str, object]
    last: Decision | None = None

    def step(self, **once: object) -> Decision:
        self.state, self.last = arbiter.step(self.state, inputs(self.tick, **(self.now | once)))
        self.tick += 1
        return self.last

    def run(self, ticks: int, **once: object) -> Decision:
        for _ in range(ticks):
            decision = self.step(**once)
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


def fresh_world(limits: Limits | None = None) -> World:
    return World(arbiter.initial(limits or Limits(), FRANKA), 0, {})


@cache
def _sawing() -> World:
    world = fresh_world()
    world.run(110)
    world.ask("arm_request")
    world.ask("go_request")
    world.run(110)
    return world


def sawing_world() -> World:
    """Armed, ramped up and going."""
    return replace(_sawing(), now=dict(_sawing().now))


def fold(state: arbiter.State, recorded: Iterable[Inputs]) -> list[Decision]:
    decisions = []
    for tick in recorded:
        state, decision = arbiter.step(state, tick)
        decisions.append(decision)
    return decisions


@dataclass(frozen=True)
class Material:
    inputs: Callable[..., Inputs]
    fresh: Callable[..., World]
    sawing: Callable[[], World]
    fold: Callable[..., list[Decision]]
    robot: arbiter.RobotLimits
    tick_ns: int


@pytest.fixture(scope="session")
def make() -> Material:
    return Material(inputs, fresh_world, sawing_world, fold, FRANKA, TICK)


@pytest.fixture
def world() -> World:
    return fresh_world()


@pytest.fixture
def sawing() -> World:
    return sawing_world()
