"""The fault of a full disk: a real one, small enough to be filled, in a process that may mount it; it goes with the process.

Run as ``python -m engine.faults.small_disk SETTINGS DISK OUT``: saws with its store on DISK, fills that up, and copies the
session to OUT once it is closed. Without leave to mount, the disk is the machine's own and only says that it is full.
"""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from engine.config import Settings
from engine.faults.bench import PAST, Bench, tried
from engine.faults.fault import Fault, FaultError, Trial
from engine.faults.inside import COMMIT
from engine.faults.workshop import Workshop
from engine.host import open_robot, policy_loader
from engine.loops.control import DT
from engine.session import commit, recorder, writer
from engine.types import Reason

NAME = "disk full"
MEGABYTES = 64
WITHIN = 150.0  #: s for the whole run in its own process
NO_MOUNT = 77  #: exit code of the shell where it may not mount


def _full(workshop: Workshop) -> Trial:
    """Raises FaultError."""
    folder = workshop.place()
    disk, out = folder / "disk", folder / "sessions"
    disk.mkdir()
    out.mkdir()
    (folder / "settings.json").write_text(workshop.settings.model_dump_json())
    inside = [sys.executable, "-m", "engine.faults.small_disk", str(folder / "settings.json"), str(disk), str(out)]
    mount = f'mount -t tmpfs -o size={MEGABYTES}m tmpfs "$1" || exit {NO_MOUNT}; shift; exec "$@"'
    code, said = _run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(disk), *inside], workshop)
    note = f"a file system of {MEGABYTES} MB, filled"
    if code == NO_MOUNT or (code != 0 and "unshare" in said):
        code, said = _run([*inside, "feigned"], workshop)
        note = "feigned: this machine lets no user mount a small file system, so writing was made to fail"
    found = list(out.iterdir())
    if code != 0 or len(found) != 1:
        raise FaultError(f"The engine on a small disk failed: {(said.strip().splitlines() or ['it said nothing'])[-1]}")
    return Trial(session=found[0], note=note)


def _run(command: list[str], workshop: Workshop) -> tuple[int, str]:
    """Exit code and what was said on standard error."""
    if shutil.which(command[0]) is None:
        return NO_MOUNT, ""
    environment = {**os.environ, "TMPDIR": str(workshop.folder)}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _, said = process.communicate(timeout=WITHIN)
    except subprocess.TimeoutExpired as error:
        raise FaultError("The engine on a small disk did not end.") from error
    finally:
        process.kill()
        process.wait()
    return process.returncode, said


def _fill(disk: Path) -> Callable[[Bench], None]:
    def inject(bench: Bench) -> None:
        with (disk / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(disk).free)

    return inject


def _feign(bench: Bench) -> None:
    """Writing fails until the reserve has been given up, as on a disk that is full but for it."""
    real = commit.stage_files

    def full(session: Path, files: dict[str, bytes]) -> list[tuple[Path, Path]]:
        if (session / writer.RESERVED).exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(session, files)

    vars(writer)["stage_files"] = full  # the name by which the writer calls it


def main(settings: Path, disk: Path, out: Path, feigned: bool) -> None:
    """Raises FaultError, AdapterError, SessionError."""
    recorder.FREE_AT_START = 0  # the disk is small on purpose
    given = Settings.model_validate_json(settings.read_text()).model_copy(update={"policy": "scripted"})
    with Workshop(given, lambda text: None) as workshop:
        workshop.settings = workshop.settings.model_copy(update={"store": disk})
        robot, rig = open_robot(given)
        rig.open()
        policy = policy_loader(given, robot, rig)(workshop.tell)
        trial = tried(_feign if feigned else _fill(disk), round(COMMIT / DT) + PAST, NAME, rig, policy, workshop)
        assert trial.session is not None
        shutil.copytree(trial.session, out / trial.session.name)


FULL = Fault(name=NAME, run=_full, reasons=(Reason.RECORDER_FAILED,), limit=lambda limits: COMMIT, known="the first write that fails")

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), "feigned" in sys.argv[4:])
    sys.stdout.flush()
    os._exit(0)
