"""The folder of sessions: what is in it, which one is meant, and how one goes."""

import difflib
import shutil
from collections.abc import Iterable
from pathlib import Path

from engine.session.layout import SessionError
from engine.session.lock import held
from engine.session.reader import Session
from engine.session.repair import INTERRUPTED, uncommitted_ticks
from engine.session.verify import Report, imported

FAILURES = ("failure", "fault")  #: kinds of event: what went wrong with the work, and with program, sensors and disk
BINNED = ".deleted-"  #: before the name of a session that is deleted and can still be brought back


class Summary(Report, kw_only=True):
    """One line of the list of sessions. ``ok`` here means only that its commit can be read; ``verify`` reads the rows."""

    id: str
    started: str = ""  #: UTC, ISO 8601
    robot: str = ""
    task: str = ""
    policy: str = ""  #: "" if none was ever loaded
    placeholder: bool = False
    length_s: float = 0.0
    stops: int = 0
    failures: int = 0  #: of the work, the program, a sensor or a disk, as its events tell
    bytes: int = 0
    cameras: int = 0
    events: int = 0
    recording: bool = False  #: an engine is writing it now
    exit_reason: str = ""
    fault: str = ""  #: why recording failed


def summary(path: Path) -> Summary:
    """What a session says about itself, from its commit and two of its columns; a damaged one says what is wrong."""
    found = Summary(session=str(path), id=path.name)
    try:
        session = Session.open(path)
        commit, header = session.commit, session.header
        found.started, found.robot, found.task, found.note = header.started, header.robot, header.task, imported(header)
        if header.policy is not None:
            found.policy, found.placeholder = header.policy.name, header.policy.placeholder
        found.ticks = found.committed = session.ticks
        found.inferences = session.inferences
        found.bytes, found.fault, found.cameras = commit.bytes, commit.fault, len(session.cameras)
        found.events = commit.rows("events/seq")
        found.failures = sum(kind in FAILURES for kind in session.rows("events/kind")) if found.events else 0
        found.recording = not commit.closed and held(path)
        found.exit_reason = commit.exit_reason or ("" if found.recording else INTERRUPTED)
        found.lost = commit.lost + (0 if found.recording else uncommitted_ticks(session))
        found.length_s = session.seconds
        found.stops = int(session.rows("tick/stop_count", session.ticks - 1)[0]) if session.ticks else 0
    except SessionError as error:
        found.problems.append(str(error))
    found.ok = not found.problems
    return found


def sessions(root: Path) -> list[Summary]:
    """Every session under ``root``, newest first; an empty list where there is no such folder. Raises SessionError if it is no folder."""
    if not root.exists():
        return []
    if not root.is_dir():
        raise SessionError(f"The store {root} is not a folder.")
    folders = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return [summary(path) for path in sorted(folders, key=lambda path: path.name, reverse=True)]


def find(root: Path, name: str) -> Path:
    """The session that ``name`` means: a folder, an id under ``root``, the unique beginning or end of one, or "last".

    Raises SessionError naming the nearest.
    """
    if not name:
        raise SessionError("Name a session, or say last.")
    given = Path(name)
    if given.is_dir() and (given.is_absolute() or "/" in name or not (root / name).is_dir()):
        if not (given / "commit.json").exists():
            raise SessionError(f"{given} is not a session: it has no commit.json.")
        return given
    known = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")) if root.is_dir() else []
    if name == "last" and known:
        return root / known[-1]
    matches = [one for one in known if one == name] or [one for one in known if one.startswith(name) or one.endswith(name)]
    if len(matches) == 1:
        return root / matches[0]
    if matches:
        raise SessionError(f"{name!r} means {len(matches)} sessions: {', '.join(matches[:5])}. Give more of the name.")
    if "/" in name or given.is_file():
        raise SessionError(f"{given} {'is a file, and no session' if given.exists() else 'does not exist'}: name a session's folder.")
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
    hint = f"did you mean {near[0]}?" if near else "`sawhorse sessions list` shows what there is."
    raise SessionError(f"There is no session {name!r} under {root}: {hint}")


def _check_removable(path: Path) -> None:
    if not (path / "commit.json").exists():
        raise SessionError(f"{path} is not a session: nothing was removed.")
    if held(path):
        raise SessionError(f"Session {path} is being recorded: stop its run first.")


def binned(root: Path) -> list[Path]:
    """The sessions under ``root`` that are deleted and can still be brought back."""
    return sorted(path for path in root.iterdir() if path.name.startswith(BINNED)) if root.is_dir() else []


def put_in_bin(path: Path) -> Path:
    """Delete a session so that ``take_out`` brings it back; it is no longer listed or found. Returns where it lies now.

    Raises SessionError when it is not one, is being recorded, or cannot be moved.
    """
    _check_removable(path)
    return _renamed(path, path.with_name(BINNED + path.name))


def take_out(path: Path) -> Path:
    """Bring back what ``put_in_bin`` deleted. Returns where it lies again. Raises SessionError where its place is taken or it is gone."""
    back = path.with_name(path.name.removeprefix(BINNED))
    if back.exists():
        raise SessionError(f"Session {back} cannot be brought back: there is another of that name.")
    return _renamed(path, back)


def purge(bin: Iterable[Path]) -> None:
    """Delete for good what lies in the bin; what cannot be deleted stays there."""
    for path in bin:
        shutil.rmtree(path, ignore_errors=True)


def _renamed(path: Path, to: Path) -> Path:
    try:
        return path.rename(to)
    except OSError as error:
        raise SessionError(f"Session {path} cannot be moved to {to.name} ({error.strerror}).") from error


def remove(path: Path) -> None:
    """Delete a session for good. Raises SessionError when it is not one or is being recorded."""
    _check_removable(path)
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise SessionError(f"Session {path} cannot be removed ({error.strerror}): {error.filename}.") from error
