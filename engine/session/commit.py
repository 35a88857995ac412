"""The commit marker: which rows of a session count. It moves only after everything before it is on disk."""

import ctypes
import hashlib
import os
from pathlib import Path

import msgspec

from engine.session.layout import DAMAGE, SessionError
from engine.session.schema import SCHEMA_VERSION, Header

COMMIT = "commit.json"

_libc = ctypes.CDLL(None, use_errno=True)


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one array counts, and what it contained."""

    rows: int
    sha256: str  #: chained over the rows, each commit continuing where the last one ended


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of ``commit.json``. Readers take no row beyond it."""

    schema: int
    number: int  #: counts the commits
    wall: float  #: s since the epoch, of this commit
    header: Header
    arrays: dict[str, Written]  #: by path inside the session
    bytes: int  #: on disk
    lost: int  #: rows that were given to the recorder and are known not to be here
    fault: str  #: why recording failed; "" while it has not
    closed: bool
    exit_reason: str  #: "" until closed
    digest: str = ""  #: SHA-256 of all the above

    def rows(self, array: str) -> int:
        """Committed rows of an array; 0 for one that is not there."""
        return self.arrays[array].rows if array in self.arrays else 0


def sealed(commit: Commit) -> Commit:
    """The commit with the digest of its own contents."""
    bare = msgspec.structs.replace(commit, digest="")
    return msgspec.structs.replace(bare, digest=hashlib.sha256(msgspec.json.encode(bare)).hexdigest())


def sync_disk(folder: Path) -> None:
    """Return once everything written so far to the folder's file system is on the disk: one wait, however many files. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Return once the file's contents, or the folder's names, are on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def stage_files(session: Path, files: dict[str, bytes]) -> list[tuple[Path, Path]]:
    """Write new files, by path inside the session, beside those they shall replace. Raises OSError."""
    staged = [((session / path).with_name(f".{Path(path).name}.new"), session / path) for path in files]
    for (beside, _), data in zip(staged, files.values(), strict=True):
        beside.write_bytes(data)
    return staged


def put_files(session: Path, files: dict[str, bytes]) -> None:
    """Put whole new files in the place of old ones: at any moment there is the one or the other. Raises OSError."""
    staged = stage_files(session, files)
    sync_disk(session)
    for beside, path in staged:
        beside.replace(path)


def replace_file(path: Path, data: bytes) -> None:
    """The same for one file, and return once its name is on disk too. Raises OSError."""
    staged = path.with_name(f".{path.name}.new")
    with staged.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
    sync(path.parent)


def write_commit(session: Path, commit: Commit) -> None:
    """Move the commit marker. Raises OSError."""
    replace_file(session / COMMIT, msgspec.json.encode(sealed(commit)))


def read_commit(session: Path) -> Commit:
    """The newest commit. Raises SessionError when there is none, when it was changed, or when another version wrote it."""
    if not session.is_dir():
        raise SessionError(f"There is no session at {session}: `sawhorse sessions list` shows what there is.")
    try:
        data = (session / COMMIT).read_bytes()
    except OSError as error:
        raise SessionError(f"{session} is not a session: it has no {COMMIT} that can be read ({error.strerror}).") from error
    try:
        tree = msgspec.json.decode(data, type=dict)
        version = tree["schema"]
        if version != SCHEMA_VERSION:
            raise SessionError(
                f"Session {session} was written with schema {version}, and this program reads schema {SCHEMA_VERSION}: "
                "open it with the version of sawhorse that wrote it."
            )
        commit = msgspec.json.decode(data, type=Commit)
    except DAMAGE as error:
        raise SessionError(f"{COMMIT} of session {session} is damaged ({error}): restore it from a copy.") from error
    bare = msgspec.json.encode(tree | {"digest": ""})  # as it was written, whatever fields its structs have got since
    if hashlib.sha256(bare).hexdigest() != commit.digest:
        raise SessionError(f"{COMMIT} of session {session} has been changed since it was written: restore it from a copy.")
    return commit
