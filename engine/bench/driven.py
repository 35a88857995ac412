"""One run of the real engine without a screen, in a process of its own: ``python -m engine.bench.driven SETTINGS SECONDS INTERVAL``.

Prints one JSON object: the run's summary, and under ``refused`` why the run was not driven or not armed, "" if it was.
``INTERVAL`` is the interpreter's switch interval in seconds, how long a thread may keep its lock; 0 = the engine's own.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import unix_signals
from engine.bench.figure import BenchError

if TYPE_CHECKING:
    from engine.config import Settings
    from engine.host import Host

READY_WITHIN = 300.0  #: s for kernels to compile and the policy to load
ARMED_WITHIN = 15.0  #: s the scripted operator goes on asking


def drive(settings: "Settings", seconds: float, interval: float) -> dict[str, Any]:
    """Arm, go and measure for ``seconds``; what is printed. An engine that refuses to arm is measured all the same.

    Raises BenchError, AdapterError, SessionError, OSError.
    """
    from engine.bench.deciding import medians
    from engine.headless import Measured, summary
    from engine.host import alone
    from engine.messages import Arm, Go

    host = alone(settings)
    engine = host.engine
    measured = Measured(engine)
    try:
        if interval:
            engine.control.intervals = (interval, interval)
        engine.start()
        _wait(host, engine.ready, READY_WITHIN, "become ready")
        deadline = time.monotonic() + ARMED_WITHIN
        while not engine.armed() and time.monotonic() < deadline:
            engine.post(Arm(robot=settings.robot))
            host.wait(0.3)
        refused = "" if engine.armed() else engine.binding_sentence()
        engine.post(Go())
        measured.begin()
        _wait(host, lambda: time.monotonic() - measured.began >= seconds, 2 * seconds, "run to the end")
        measured.end()
    finally:
        reason, _ = host.close("measured")
    found = summary(host, measured, reason)
    own, unsensed = medians(Path(found["session"]))
    return {**found, "refused": refused, "decision_us": own, "decision_unsensed_us": unsensed}


def _wait(host: "Host", condition: Callable[[], bool], limit: float, what: str) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        if host.wait(0.02) or time.monotonic() > deadline:
            raise BenchError(f"The engine did not {what}: {host.engine.failure or host.engine.inference.note or 'it took too long'}.")


def main(settings: Path, seconds: float, interval: float) -> dict[str, Any]:
    """What is printed."""
    from adapters.base import AdapterError
    from engine.config import Settings
    from engine.session.layout import SessionError

    try:
        return drive(Settings.model_validate_json(settings.read_text()), seconds, interval)
    except (BenchError, AdapterError, SessionError, OSError) as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    unix_signals.block()
    print(json.dumps(main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))), flush=True)
    os._exit(0)  # a thread that is left behind in torch would abort an interpreter that winds itself up
