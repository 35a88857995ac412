"""Draws the pictures in ``screenshots/``: moments of the recorded demonstration and of an episode that is foreseen to fail, and pages."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from adapters.base import AdapterError
from console.chart import Line, line_chart
from console.doctor import Check, checks
from console.portrait import doctor_svg, live_svg, replay_svg, sessions_svg
from engine import demo
from engine.bench.pump import pump
from engine.collect.plan import Plan
from engine.config import Settings
from engine.faults.processes import PROGRAM
from engine.loops.control import DT
from engine.session.reader import Session

STORE = Path("sessions")  #: in a folder of its own, so that no path of this machine is in a picture
COLLECTED = Path("collected")
SHORT = (4, 7, 5)  #: s, runs that keep the demonstration company in the table of sessions
SIZES = ((80, 24), (120, 34), (160, 48))
ARM = Path("arm")
ARM_SECONDS, ARM_SEED = 12, "6"
FORESEEN = Plan(robot="pickplace", task="pickplace", seed=2_000_226, judged_by="all", images="lossless")  #: never trained on


def moments(session: Session) -> dict[str, int]:
    """Name and tick of what is worth a picture: sawing undisturbed, the stops that the hand, the cameras and the knot lead to."""
    stops = [event.tick for event in session.events if event.kind == "stop"]
    hazards = {event.text: event.tick for event in session.events if event.kind == "hazard"}
    begun = {word: next(tick for text, tick in hazards.items() if word in text.split()) for word in ("hand", "knot")}
    return {
        "running": round(8.0 / DT),
        "hand": _after(stops, begun["hand"]),
        "stopped": _after(stops, round(demo.FREEZE[0] / DT)),
        "knot": _after(stops, begun["knot"]),
    }


def _after(stops: list[int], tick: int) -> int:
    """Half a second after the first stop that follows ``tick``; a second after ``tick`` itself where none does."""
    return next((stop for stop in stops if stop > tick), tick + 50) + 50


def tank_svg() -> str:
    """A spring stiffened and softened in step with its motion, with and without the tank that has to pay for it, and the bound."""
    without, held = pump()
    top = 3.0 * float(held.bound.max())
    lines = (
        Line(name=without.name, xs=without.time.tolist(), ys=without.energy.tolist(), role="bad"),
        Line(name=held.name, xs=held.time.tolist(), ys=held.energy.tolist(), role="good"),
        Line(name="bound: all there was", xs=held.time.tolist(), ys=held.bound.tolist(), role="warn"),
        Line(name="tank", xs=held.time.tolist(), ys=held.tank.tolist(), role="info"),
    )
    return line_chart("A controller that pumps: stiffness switched in step with the motion", "time, s", "energy, J", lines, y_max=top)


def record_short_runs() -> None:
    """Runs of the placeholder policy, each in a process of its own. Raises OSError."""
    for seed, seconds in enumerate(SHORT):
        _record("--policy", "scripted", "--store", str(STORE), "--duration", str(seconds), "--seed", str(seed))


def record_foreseen() -> Session:
    """An episode at a table, in lock-step, with the shipped forecast as it is shipped. Raises CollectError, PolicyError, OSError."""
    from engine.collect.play import play
    from engine.study.helping import Attending
    from engine.study.interventions import foresight

    foresee = partial(foresight, FORESEEN.robot, FORESEEN.task, "shipped")
    (outcome,) = play([FORESEEN], workers=1, side_by_side=1, store=COLLECTED, operator=Attending, foresight=foresee)
    return Session.open(COLLECTED / outcome.session)


def record_arm() -> Session:
    """A run of the SO-101 through its real driver, its servos played by a program. Raises AdapterError, SessionError."""
    _record("--robot", "so101", "--emulated", "--seed", ARM_SEED, "--store", str(ARM), "--duration", str(ARM_SECONDS))
    session = next(ARM.glob("*"), None)
    if session is None:
        raise AdapterError("The emulated arm was not recorded: `sawhorse run --headless --robot so101 --emulated` says why.")
    return Session.open(session)


def _record(*flags: str) -> None:
    """A run without a screen, in a process of its own."""
    run = ("run", "--headless", *flags)
    subprocess.run([sys.executable, "-c", PROGRAM, *run], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def gravest(session: Session) -> int:
    """Half a second after the most that was done about a forecast has begun; the greatest alarm where nothing was done."""
    done = session.rows("tick/intervention")
    if done.any():
        return int(np.argmax(done == done.max())) + 50
    return int(np.argmax(np.nan_to_num(session.rows("tick/forecast_alarm").max(axis=1))))


def found_here(settings: Settings, tell: Callable[[str], None]) -> list[Check]:
    """What the doctor finds on this machine, without the name of who draws the pictures."""
    home = str(Path.home())
    found = checks(settings, tell, with_terminal=False)
    return [Check(check=one.check, status=one.status, found=one.found.replace(home, "~"), advice=one.advice) for one in found]


def draw(settings: Settings, out: Path, tell: Callable[[str], None]) -> list[Path]:
    """Play the demonstration with ``settings``, and FORESEEN, and write one SVG a moment and size into ``out``.

    Raises what the demonstration raises, CollectError and PolicyError.
    """
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    written = []
    found = found_here(settings, tell)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        tell("recording short runs")
        record_short_runs()
        tell("playing the demonstration")
        summary, _ = demo.run(settings.model_copy(update={"demo": True, "record": True, "store": STORE}))
        session = Session.open(Path(summary["session"]))
        for name, tick in moments(session).items():
            for width, height in SIZES:
                path = out / f"{name}-{width}x{height}.svg"
                path.write_text(live_svg(session, tick, width, height))
                written.append(path)
                tell(str(path))
        before = next(event.tick for event in session.events if event.kind == "arm") - 20  # nothing is armed yet
        tell("playing an episode that is foreseen to fail")
        foreseen = record_foreseen()
        at = gravest(foreseen)
        tell("recording an arm with emulated servos")
        arm = record_arm()
        goes = np.flatnonzero(arm.rows("tick/going"))
        pages = {
            **{f"forecast-{width}x{height}.svg": live_svg(foreseen, at, width, height) for width, height in SIZES},
            "outlook-120x34.svg": live_svg(foreseen, at, 120, 34, "z"),
            "so101-120x34.svg": live_svg(arm, int(goes[len(goes) // 2]) if len(goes) else -1, 120, 34),
            "replay-120x34.svg": replay_svg(session, moments(session)["stopped"], 120, 34),
            "sessions-120x34.svg": sessions_svg(session, before, STORE, 120, 34),
            "doctor-120x34.svg": doctor_svg(session, before, found, 120, 34),
        }
        for file, svg in pages.items():
            path = out / file
            path.write_text(svg)
            written.append(path)
            tell(str(path))
    path = out / "energy-tank.svg"
    path.write_text(tank_svg())
    tell(str(path))
    return [*written, path]
