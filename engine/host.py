"""One engine in one process, with its run folder, signals and socket: what ``sawhorse run`` starts, with a screen or without."""

import logging
import logging.handlers
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from adapters.base import AdapterError, CameraRig, Resting, Robot
from engine import runs, so101_settings, unix_signals
from engine.clock import RealClock, SimulatedClock
from engine.collect.plan import SEEN
from engine.commissioning import CommissioningError, cell_of
from engine.config import Settings
from engine.engine import Engine
from engine.exits import CLEAN, FAULT, INTERRUPTED, NOT_CONNECTED, STOPPED
from engine.faults.parts import FaultyRig
from engine.forecast.errors import ForecastError
from engine.loops.foresight import Foresight
from engine.loops.inference import Policy
from engine.loops.worker import Worker
from engine.messages import Intent, WatchPicture
from engine.motions import motions
from engine.policy import devices
from engine.policy.errors import PolicyError
from engine.policy.scripted import Scripted
from engine.safety.forecast import IN_FORCE, UNPROVEN
from engine.server import Server
from engine.session.layout import SessionError
from engine.session.recorder import Recorder
from engine.session.schema import header
from engine.stop import StopPage
from engine.tasks import KINDS
from engine.types import Inference, PolicyInfo, Writer

log = logging.getLogger(__name__)

REFUSAL = 10.0  #: s a refused engine waits for its console


@runtime_checkable
class Remote(Protocol):
    """A robot in a program of its own, whose start may take minutes, and whose work may have an end."""

    tell: Callable[[str, str], None]  #: as of ``adapters.base.Resting``
    over: Callable[[], bool]  #: whether the run shall end, which breaks a start off
    finish: Callable[[str], None]  #: takes why the work has ended, and with it the run


def log_to(path: Path) -> None:
    """Logs go to a rotating file, never to the screen the app draws on."""
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=2_000_000, backupCount=2)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)


def open_robot(settings: Settings) -> tuple[Robot, CameraRig]:
    """The robot with its cell as commissioned, and its cameras. Raises AdapterError."""
    seed, pixels, limits = settings.seed, settings.camera.pixels, settings.limits
    try:
        cell = cell_of(settings.robot, settings.body, settings.cell, limits)
    except CommissioningError as error:
        raise AdapterError(str(error)) from error
    if settings.robot == so101_settings.ROBOT:
        from adapters.so101 import entry as so101

        return so101.build(settings)
    if settings.robot == "isaaclab":
        from adapters.isaaclab import entry as isaaclab

        return isaaclab.build(settings)
    arm = KINDS[settings.robot].arm
    if arm:
        from adapters.mujoco.tabletop import entry

        return entry.build(settings.robot, arm, seed, pixels, settings.task, limits)
    from adapters.mujoco import cosaw

    return cosaw.build(seed, pixels, cell, limits)


def policy_loader(settings: Settings, robot: Robot, rig: CameraRig) -> Callable[[Callable[[str], None]], Policy]:
    """A function that loads the policy for a robot and its cameras, and tells its progress; it raises PolicyError."""

    def load(progress: Callable[[str], None]) -> Policy:
        if settings.policy == "scripted":
            return scripted(settings)
        progress("importing torch and lerobot")
        from engine.policy import loading
        from engine.policy.mapping import Offered

        given = settings.ensemble
        options = loading.Options(given.members, given.samples, given.dtype, given.perturbed, settings.mapping or None)
        offered = Offered(tuple(rig.names), settings.camera.pixels, len(robot.joint_limits))
        try:
            trained = KINDS[settings.robot].twin or settings.robot
            return loading.load(settings.policy, settings.device, progress, robot.joint_limits, trained, options, offered)
        except PolicyError as error:
            if settings.so101.fallback != "scripted":
                if settings.policy == KINDS[settings.robot].policy != "compact":  # nobody asked for it
                    raise PolicyError(f"give --policy compact, which ships with the program, or scripted: {error}") from error
                raise
            log.warning("the scripted policy stands in: %s", error)
            return scripted(settings, str(error))

    return load


def scripted(settings: Settings, fallback: str = "") -> Scripted:
    """The scripted policy, and why it stands in for another. Raises PolicyError where there is no simulation that it could read."""
    if settings.robot == so101_settings.ROBOT and not settings.so101.emulated:
        before = f"{fallback}; and " if fallback else ""
        raise PolicyError(
            f"{before}the scripted policy reads a simulated table, which a real arm has not: give --emulated, or a trained policy"
        )
    return Scripted(settings.robot, settings.task, fallback)


def foresight_loader(settings: Settings) -> Callable[[PolicyInfo], Foresight]:
    """A function that loads the forecast for a policy; where there is none for it, it says why."""

    def load(policy: PolicyInfo) -> Foresight:
        if settings.forecast.path == "none":
            return Foresight()
        from engine.forecast import card

        task = f"{settings.robot}/{settings.task}"
        try:
            forecast = card.load(card.SHIPPED if settings.forecast.path == "shipped" else Path(settings.forecast.path))
            stream = forecast.stream(policy.hash, task)
        except ForecastError as error:
            return Foresight(note=str(error))

        def foresee(inference: Inference) -> Inference:
            found = stream.look(inference)
            told = {"forecast": found.probability, "forecast_alarm": found.alarm, "forecast_because": found.because}
            return msgspec.structs.replace(inference, **told)

        unlike = _unlike_collected(settings)
        if unlike:
            return Foresight(UNPROVEN, f"The forecast is not proven with {unlike}: nothing is done about it.", foresee)
        state = forecast.state(task)
        note = "" if state == IN_FORCE else f"On {task} the forecast is not proven to be better than the clock: nothing is done about it."
        return Foresight(state, note, foresee)

    return load


def _unlike_collected(settings: Settings) -> str:
    """The settings in which a run differs from the episodes that forecasts are learnt and judged on; "" if in none."""
    dtype, perturbed = devices.precision(settings.device, settings.ensemble.dtype, settings.ensemble.perturbed)
    here: dict[str, dict[str, Any]] = {
        "camera": {"pixels": settings.camera.pixels, "hz": settings.camera.hz},
        "ensemble": {"dtype": dtype, "perturbed": perturbed},
    }
    return ", ".join(
        f"{section}.{name} = {value}, not {SEEN[section][name]}"
        for section, values in here.items()
        for name, value in values.items()
        if value != SEEN[section][name]
    )


class Host:
    """Builds the engine and serves it until something ends it."""

    def __init__(self, settings: Settings, run: runs.Run, *, console_required: bool) -> None:
        """Raises AdapterError, SessionError, OSError."""
        if settings.limits.judged_by != "all":
            raise AdapterError(
                f"A robot that somebody works with is judged by all layers: limits.judged_by = {settings.limits.judged_by!r} is for "
                "simulated studies and collections."
            )
        self.settings = settings
        self.run = run
        run.claim()
        self.page = StopPage(run.page, create=True)
        self._ended = threading.Event()
        self._signal: signal.Signals | None = None
        self._reason = "ended by the operator"
        unix_signals.watch(self._signalled)
        self.robot, self.rig = open_robot(settings)
        if settings.demo:
            self.rig = FaultyRig(self.rig)
        clock = SimulatedClock() if settings.demo else RealClock()
        begun = header(settings, self.robot, self.rig)
        self.recorder = Recorder(settings.store, begun, clock=clock, wait=settings.demo) if settings.record else None
        self.engine = Engine(
            settings,
            run=run.name,
            robot=self.robot,
            rig=self.rig,
            load_policy=policy_loader(settings, self.robot, self.rig),
            page=self.page,
            recorder=self.recorder,
            console_required=console_required,
            clock=clock,
            foresight=foresight_loader(settings),
            motions=motions(settings),
        )
        self.engine.on_shutdown = self.shutdown
        if isinstance(self.robot, Resting | Remote):
            self.robot.tell = self.engine.note
        if isinstance(self.robot, Remote):
            self.robot.finish = self.shutdown
            self.robot.over = lambda: self.ending or (console_required and self.forgotten())
        self.server = Server(run.socket, self.engine, settings.console.picture_hz)
        self._server_worker = Worker("server", self._serve, self.worker_failed, nice=2)
        self.engine.served()
        self._server_worker.start()

    def _serve(self) -> None:
        self.server.once()
        self.engine.served()

    def _signalled(self, received: signal.Signals) -> None:
        self.page.raise_stop(Writer.SIGNAL)
        if received in unix_signals.ENDING:
            self._signal = received
            self._ended.set()

    def worker_failed(self, name: str, error: Exception) -> None:
        log.error("the %s thread failed", name, exc_info=error)
        self.engine.failure = f"the {name} thread failed: {error}"

    def shutdown(self, reason: str = "ended by the operator") -> None:
        """End the run in good order; from any thread."""
        self._reason = reason
        self._ended.set()

    @property
    def ending(self) -> bool:
        return self._ended.is_set()

    def wait(self, seconds: float) -> bool:
        """Let time pass; True when the run shall end."""
        return self._ended.wait(seconds) or bool(self.engine.failure)

    def forgotten(self) -> bool:
        """No console for longer than the settings allow."""
        return self.server.consoles == 0 and time.monotonic() - self.server.empty_since > self.settings.reattach

    def close(self, reason: str | None = None) -> tuple[str, int]:
        """Stop, commit, say goodbye. Returns why the run ended and the exit code."""
        if self._signal is not None:
            outcome = (f"interrupted by {self._signal.name}", INTERRUPTED)
        elif self.engine.failure:
            code = FAULT if self.engine.ready() else NOT_CONNECTED
            outcome = (self.engine.failure, code)
        else:
            last = self.engine.control.last
            stopped = last is not None and last.decision.stop_number > 0
            outcome = (self._reason if self.ending or reason is None else reason, STOPPED if stopped else CLEAN)
        if self.settings.so101.release and outcome[1] == CLEAN:
            self._release()
        self.engine.close(outcome[0])
        self._server_worker.end()
        self.server.close(*outcome)
        self.page.close()
        self.run.remove()
        return outcome

    def _release(self) -> None:
        """A run that went well has ended: a robot without brakes that holds itself up is let go."""
        if not isinstance(self.robot, Resting):
            return
        try:
            released = self.robot.release()
        except AdapterError as error:
            self.engine.note("fault", str(error))
            return
        why = "it does not stand at the pose rest, without power it would fall"
        self.engine.note("system", "the arm rests, without torque" if released else f"the arm holds and is not let go: {why}")


def alone(settings: Settings) -> Host:
    """A run in this process, which needs no console. Raises AdapterError, SessionError, OSError; nothing of the run is left then."""
    place = runs.create(settings)
    log_to(place.log)
    try:
        return Host(settings, place, console_required=False)
    except BaseException:
        place.remove()
        raise


def main(folder: str) -> int:
    """Serve the run in ``folder`` until it ends; returns the exit code."""
    run = runs.Run(Path(folder))
    log_to(run.log)
    settings = Settings.model_validate_json(run.settings.read_text())
    try:
        host = Host(settings, run, console_required=not settings.demo)
    except (AdapterError, SessionError, OSError, ValueError) as error:
        return refuse(run, str(error))
    try:
        if settings.demo:
            threading.Thread(target=_play, args=(host,), name="demo", daemon=True).start()
        else:
            host.engine.start()
    except (AdapterError, OSError) as error:
        if not host.ending:
            host.engine.failure = str(error)
    while not host.wait(0.5):
        if host.forgotten():
            break
    _, code = host.close("no console came back" if host.forgotten() else None)
    return code


def _play(host: Host) -> None:
    from engine import demo

    try:
        demo.play(host, pace=True)
    except Exception as error:  # whatever ends the demonstration ends the run, and is told
        host.worker_failed("demo", error)
    host.shutdown("the demonstration is over")


class _Unbuilt:
    """What is served when there is no engine: nothing."""

    def post(self, intent: Intent) -> None: ...
    def attached(self, console: str) -> None: ...
    def detached(self, console: str) -> None: ...
    def offered(self, offered: bool) -> None: ...
    def armed(self) -> bool:
        return False

    def heard(self, age: float) -> None: ...
    def snapshot(self) -> None: ...
    def starting(self) -> str:
        return ""

    def picture(self, wish: WatchPicture) -> None: ...
    def stop(self, latched: bool) -> None: ...


def refuse(run: runs.Run, why: str) -> int:
    """The engine could not be built: tell the console that waits for it, and end."""
    log.error("%s", why)
    server = Server(run.socket, _Unbuilt(), picture_hz=0)
    deadline = time.monotonic() + REFUSAL
    while not server.consoles and time.monotonic() < deadline:
        server.once()
    server.close(why, NOT_CONNECTED)
    run.remove()
    return NOT_CONNECTED
