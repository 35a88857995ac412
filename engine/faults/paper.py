"""The faults of files: a session that somebody edited, and settings out of range. Nothing moves; the program must refuse them."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from engine.config import CameraSettings, ConfigError, ConsoleSettings, Settings, load
from engine.exits import USAGE
from engine.faults.fault import Fault, Trial
from engine.faults.processes import PROGRAM, EngineProcess, Line, until
from engine.faults.workshop import Workshop
from engine.isaaclab_settings import IsaacLabSettings
from engine.limits import Limits
from engine.session.verify import recompute, verify
from engine.so101_settings import So101Settings

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


Place = tuple[str | int, ...]  #: of a setting: its section, its name, its number in a row


def out_of_range() -> Iterator[tuple[Place, float]]:
    """Every bounded number of the settings just past each of its bounds, far past them, and as what no number may be."""
    for place, kind, bounds in _numbers():
        low, high = (float(bounds[a] if a in bounds else bounds[b]) for a, b in (("gt", "ge"), ("lt", "le")))
        values = [math.nan, math.inf, -math.inf, low - 1.0, 1000.0 * high]  # as mm for m
        values.append(low if "gt" in bounds else low - 1.0 if kind is int else math.nextafter(low, -math.inf))
        values.append(high if "lt" in bounds else high + 1.0 if kind is int else math.nextafter(high, math.inf))
        if "multiple_of" in bounds:
            values.append(low + 1.0)
        yield from ((place, value) for value in dict.fromkeys(values))


def _numbers() -> Iterator[tuple[Place, Any, dict[str, float]]]:
    """Where each bounded number is, its type and its bounds."""
    for name, hint in get_type_hints(Limits, include_extras=True).items():
        if get_origin(hint) is tuple:
            yield from ((("limits", name, i), float, _bounds(get_args(part))) for i, part in enumerate(get_args(hint)))
        elif bounds := _bounds(get_args(hint)):
            yield ("limits", name), float, bounds
    sections: tuple[tuple[Place, Any], ...] = (
        ((), Settings),
        (("camera",), CameraSettings),
        (("console",), ConsoleSettings),
        (("so101",), So101Settings),
        (("isaaclab",), IsaacLabSettings),
    )
    for section, model in sections:
        for name, field in model.model_fields.items():
            if field.annotation in (int, float):
                yield (*section, name), field.annotation, _bounds(field.metadata)


def _bounds(annotations: Iterable[object]) -> dict[str, float]:
    kinds = ("gt", "ge", "lt", "le", "multiple_of")
    return {kind: value for one in annotations for kind in kinds if (value := getattr(one, kind, None)) is not None}


def complaint(place: Place, value: float) -> str:
    """What is wrong with the refusal of one setting; "" if it is refused in one sentence that names it."""
    tree: Any = value
    for key in reversed(place):
        if isinstance(key, int):
            row = list(getattr(Limits(), str(place[1])))
            row[key] = value
            tree = row
        else:
            tree = {key: tree}
    name = spelt(place)
    try:
        load(tree)
    except ConfigError as error:
        text = str(error)
        return "" if name in text and "\n" not in text else f"the refusal of {name} = {value} is no sentence that names it: {text}"
    return f"{name} = {value} was accepted"


def spelt(place: Place) -> str:
    """As a refusal names it."""
    return ".".join(key for key in place if isinstance(key, str)) + "".join(f"[{key}]" for key in place if isinstance(key, int))


def _settings(workshop: Workshop) -> Trial:
    """Every one through the settings themselves, and one through the program, which must end before there is a run or a session."""
    tried = list(out_of_range())
    wrong = [text for text in (complaint(place, value) for place, value in tried) if text]
    folder = workshop.place()
    config = folder / "config.toml"
    config.write_text("[limits]\nspeed_max = 500.0\n")
    command = [sys.executable, "-c", PROGRAM, "run", "--headless", "--config", str(config), "--store", str(folder / "sessions")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != USAGE or "speed_max" not in done.stderr or len(done.stderr.strip().splitlines()) != 1:
        wrong.append(f"the program ended with code {done.returncode} and said: {done.stderr.strip()}")
    if (folder / "sessions").exists():
        wrong.append("the program began a session")
    settings = {place for place, _ in tried}
    return Trial(
        session=None, wrong=tuple(wrong), note=f"{len(tried)} values of {len(settings)} settings, each refused" if not wrong else ""
    )


PAPER = (
    Fault(name="session edited by hand", run=_edited_session),
    Fault(name="settings out of range", run=_settings),
)
