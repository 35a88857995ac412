"""A saw stuck in a pinched knot, in the real cell under a policy that presses on: freed when the operator asks, not before."""

from collections.abc import Callable
from pathlib import Path

from adapters.mujoco import cosaw, plant
from adapters.mujoco.expert import expert_chunk
from adapters.mujoco.robot import Cosaw
from engine.clock import SimulatedClock
from engine.config import Settings
from engine.engine import Engine
from engine.limits import Limits
from engine.messages import Arm, Go, Recover
from engine.policy.scripted import Scripted
from engine.stop import StopPage
from engine.types import Frames, Inference, Tick

HAZARD_AT = 710  #: ticks
AFTER = 200  #: ticks from the saw's sticking on that are looked at


class Pressing(Scripted):
    """The scripted expert, but it does not feel the kerf closing; where the saw is stuck it stays and goes on pressing."""

    def infer(self, frames: Frames, instruction: str, id: int, previous: Inference | None, now_ns: Callable[[], int]) -> Inference:
        inference = super().infer(frames, instruction, id, previous, now_ns)
        held = plant.unpack(frames.observation.plant)
        stuck, held.cell.wood.stuck, held.cell.wood.bind = held.cell.wood.stuck, False, 0.0
        inference.chunks[0, 0] = expert_chunk(plant.pack(held))
        if stuck:
            inference.chunks[..., :3] = (0.0, 0.0, -0.03)
        return inference


class Stuck:
    """An engine in lock-step whose saw sticks; keeps every tick from then on."""

    def __init__(self, folder: Path, act: Callable[[Engine, int], None]) -> None:
        """``act`` is called before every tick with its number since the saw stuck."""
        robot, rig = cosaw.build(3, 64)
        assert isinstance(robot, Cosaw)
        self.robot, self.act = robot, act
        self.ticks: list[Tick] = []
        self.told_while_free = ""
        self.engine = Engine(
            Settings(policy="scripted", seed=3, limits=Limits(joint_torque_share=1.0)),
            run="test",
            robot=robot,
            rig=rig,
            load_policy=lambda progress: Pressing(),
            page=StopPage(folder / "stop", create=True),
            recorder=None,
            console_required=False,
            clock=SimulatedClock(),
        )
        self.engine.prepare_lockstep()
        self.engine.lockstep(HAZARD_AT + 450, script=self._script)
        assert len(self.ticks) > AFTER

    def _script(self, tick: int) -> None:
        last = self.engine.control.last
        assert last is not None
        if self.ticks or (tick > HAZARD_AT and last.saw.stuck):
            self.ticks.append(last)
            self.act(self.engine, len(self.ticks) - 1)
        elif tick in (60, 210, HAZARD_AT - 1):
            self.engine.post({60: Arm(robot="cosaw"), 210: Go()}.get(tick, Recover()))
        elif tick == HAZARD_AT:
            self.told_while_free = last.operator.refused
            self.robot.hazard("knot_binds", 0.0)


def ask(engine: Engine, tick: int) -> None:
    if tick == 0:
        engine.post(Recover())


def ask_then_stop(engine: Engine, tick: int) -> None:
    ask(engine, tick)
    if tick == 10:
        engine.stop(latched=False)


def test_asked_for_it_frees_the_saw_in_three_steps_and_says_which(tmp_path: Path) -> None:
    run = Stuck(tmp_path, ask)
    assert "not stuck" in run.told_while_free
    ticks = run.ticks[: AFTER + 1]
    steps = [tick.operator.recovering for tick in ticks]
    assert steps[1] == "lighten"
    assert "resume" in steps
    assert steps[-1] == ""
    during = [tick for tick in ticks if tick.operator.recovering]
    assert not during[-1].saw.stuck
    assert min(tick.saw.press_force for tick in during) < 0.3 * ticks[0].saw.press_force
    assert all(tick.decision.going for tick in during)


def test_not_asked_for_it_stays_stuck(tmp_path: Path) -> None:
    ticks = Stuck(tmp_path, lambda engine, tick: None).ticks[: AFTER + 1]
    assert all(tick.saw.stuck and tick.decision.going for tick in ticks)
    assert not any(tick.operator.recovering for tick in ticks)


def test_a_stop_ends_it_in_the_same_tick(tmp_path: Path) -> None:
    ticks = Stuck(tmp_path, ask_then_stop).ticks
    assert ticks[10].operator.recovering == "lighten"
    assert ticks[11].operator.recovering == ""
    assert ticks[11].command.hold
