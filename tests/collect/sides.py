"""One episode played two ways: by rounds, as a collection plays it, and by an engine in lock-step with cameras and policy of its own."""

import multiprocessing
from pathlib import Path

from adapters.base import Disturbed
from engine import host
from engine.clock import SimulatedClock
from engine.collect.desk import Desk
from engine.collect.episode import Shared, settings_of
from engine.collect.hands import Hands, Reply, Turn
from engine.collect.operator import Usual
from engine.collect.plan import Outcome, Plan
from engine.engine import LOCKSTEP_LATENCY, Engine
from engine.loops.control import DT
from engine.loops.foresight import no_foresight
from engine.session.reader import Session
from engine.session.recorder import Recorder
from engine.session.schema import header
from engine.stop import StopPage


class Rounds:
    """Some plans at places of their own, in this process."""

    def __init__(self, plans: list[Plan], folder: Path) -> None:
        self.store = folder / "rounds"
        self.store.mkdir(parents=True)
        context = multiprocessing.get_context("spawn")
        self.desk = Desk(plans[0], "cpu", len(plans), len(plans), context, lambda text: None)
        shared = Shared(Usual, no_foresight, "cpu", self.store, self.desk.info, self.desk.measures)
        self.hands = Hands(shared, self.desk.board, folder)
        self.plans = dict(enumerate(plans))

    def outcomes(self) -> dict[int, Outcome]:
        """Of every plan, by its number."""
        found: dict[int, Outcome] = {}
        reply: Reply = self.hands.turn(Turn({}, self.plans))
        while True:
            found |= reply.outcomes
            if len(found) == len(self.plans):
                return found
            reply = self.hands.turn(Turn(self.desk.answered(reply.asked), {}))


def by_lockstep(plan: Plan, ticks: int, folder: Path) -> Session:
    """The session of so many ticks of a plan, the one before the first round among them."""
    store = folder / "lockstep"
    settings = settings_of(plan, "cpu", store)
    robot, rig = host.open_robot(settings)
    robot.connect()
    assert isinstance(robot, Disturbed)
    robot.disturb(plan.seed)
    clock = SimulatedClock()
    with StopPage(folder / "page", create=True) as page:
        engine = Engine(
            settings,
            run="test",
            robot=robot,
            rig=rig,
            load_policy=host.policy_loader(settings, robot, rig),
            page=page,
            recorder=Recorder(store, header(settings, robot, rig, plan.name), clock=clock, wait=True),
            console_required=False,
            clock=clock,
        )
        engine.prepare_lockstep()
        usual = Usual(engine, plan)

        def script(tick: int) -> None:
            tell()
            usual(tick)

        def tell() -> None:
            for kind, what, text in robot.happened():
                engine.note(kind, f"{what}: {text}" if what else text)

        engine.lockstep(ticks - 1, script=script, latency=lambda tick: LOCKSTEP_LATENCY + round(robot.delay() / DT))
        tell()
        engine.close("time is up")
    return Session.open(store / plan.name)


def differences(one: Session, other: Session) -> list[str]:
    """The arrays that both sessions have and that do not hold the same bits; times of the wall do not count."""
    names = [name for name in one.commit.arrays if name in other.commit.arrays and name != "events/wall"]
    return [name for name in names if one.commit.arrays[name] != other.commit.arrays[name]]
