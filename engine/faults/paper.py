"""The faults of files: a session that somebody edited, and settings out of range. Nothing moves; the program must refuse them."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from annotated_types import Interval

from engine.config import ConfigError, load
from engine.exits import USAGE
from engine.faults.fault import Fault, Trial
from engine.faults.processes import PROGRAM, EngineProcess, Line, until
from engine.faults.workshop import Workshop
from engine.limits import Limits
from engine.session.verify import recompute, verify

# --- a session folder edited by hand ---


def _changed_byte(session: Path) -> None:
    """One byte of a recorded column, in the middle of its rows."""
    path = next((session / "tick" / "score").glob("c.*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _changed_commit(session: Path) -> None:
    path = session / "commit.json"
    commit = json.loads(path.read_text())
    commit["header"]["limits"]["speed_max"] = 0.9
    path.write_text(json.dumps(commit))


def _changed_attributes(session: Path) -> None:
    path = session / "zarr.json"
    root = json.loads(path.read_text())
    root["attributes"]["limits"]["speed_max"] = 0.9
    path.write_text(json.dumps(root))


def _removed_column(session: Path) -> None:
    shutil.rmtree(session / "tick" / "stop_reason")


def _swapped_columns(session: Path) -> None:
    """Both are whole files with sound checksums: only what they hold does not belong there."""
    first, second = session / "tick" / "arm_request" / "c.0", session / "tick" / "disarm_request" / "c.0"
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)


EDITS: dict[str, Callable[[Path], None]] = {
    "a changed byte": _changed_byte,
    "a changed commit.json": _changed_commit,
    "changed attributes": _changed_attributes,
    "a removed column": _removed_column,
    "two swapped columns": _swapped_columns,
}


def _edited_session(workshop: Workshop) -> Trial:
    engine = EngineProcess(workshop)
    line = Line(engine.run)
    workshop.ending.callback(line.close)
    line.arm()
    until(lambda: line.tick > 50, "half a second was recorded")
    engine.end()
    line.close()
    sound = recompute(engine.session)
    wrong = list(sound.problems)
    for what, edit in EDITS.items():
        copy = Path(shutil.copytree(engine.session, workshop.place() / engine.session.name))
        edit(copy)
        if verify(copy).ok:
            wrong.append(f"a session with {what} was accepted")
    return Trial(session=None, wrong=tuple(wrong), note=f"{len(EDITS)} edits, each refused" if not wrong else "")


# --- settings out of range ---


def out_of_range() -> Iterator[tuple[str, float]]:
    """Every number of ``Limits`` just past each of its bounds, and as what no number may be."""
    hints = get_type_hints(Limits, include_extras=True)
    for field in fields(Limits):
        bounds = [bound for bound in get_args(hints[field.name]) if isinstance(bound, Interval)]
        for bound in bounds:
            low = bound.gt if bound.gt is not None else bound.ge
            high = bound.lt if bound.lt is not None else bound.le
            values: list[Any] = [math.nan, math.inf, -math.inf, -1.0]
            if low is not None:
                values.append(low if bound.gt is not None else math.nextafter(_number(low), -math.inf))
            if high is not None:
                values.append(high if bound.lt is not None else math.nextafter(_number(high), math.inf))
                values.append(1000.0 * _number(high))  # as mm for m
            yield from ((field.name, float(value)) for value in values)


def _number(bound: object) -> float:
    assert isinstance(bound, int | float)
    return float(bound)


def _refused(name: str, value: float) -> str:
    """What is wrong with the refusal of one setting; "" if it is refused in one sentence that names it."""
    try:
        load({"limits": {name: value}})
    except ConfigError as error:
        text = str(error)
        return "" if name in text and "\n" not in text else f"the refusal of {name} = {value} is no sentence that names it: {text}"
    return f"{name} = {value} was accepted"


def _settings(workshop: Workshop) -> Trial:
    """Every one through the settings themselves, and one through the program, which must end before there is a run or a session."""
    tried = list(out_of_range())
    wrong = [text for text in (_refused(name, value) for name, value in tried) if text]
    folder = workshop.place()
    config = folder / "config.toml"
    config.write_text("[limits]\nspeed_max = 500.0\n")
    command = [sys.executable, "-c", PROGRAM, "run", "--headless", "--config", str(config), "--store", str(folder / "sessions")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != USAGE or "speed_max" not in done.stderr or len(done.stderr.strip().splitlines()) != 1:
        wrong.append(f"the program ended with code {done.returncode} and said: {done.stderr.strip()}")
    if (folder / "sessions").exists():
        wrong.append("the program began a session")
    names = {name for name, _ in tried}
    return Trial(session=None, wrong=tuple(wrong), note=f"{len(tried)} values of {len(names)} settings, each refused" if not wrong else "")


PAPER = (
    Fault(name="session edited by hand", run=_edited_session),
    Fault(name="settings out of range", run=_settings),
)
