"""Shared memory between the console's adapter and the worker that runs Isaac Lab: pictures, state, commands, a stop, heartbeats.

Two Pythons load this file from its path, the worker's (3.11 or later) without this package installed, so it stands on the standard
library and numpy alone. The adapter creates a segment under a name, the worker waits for that name; a segment appears whole or not
at all. Its owner holds a lock (flock) on it, which the kernel lets go when the process dies: a segment without an owner was left by a
crash, and whoever finds it may remove it.

Layout: a header (magic, version, size of the JSON, where the words begin), JSON (the handshake and every offset), eight-byte words, four
rings. A ring holds the number of its newest message, a mark for each of its slots, then the slots. Message n goes into slot n % SLOTS,
whose mark is 2n - 1 while it is written and 2n when it is whole; a reader takes a copy only if the mark was 2n before and after.
Python has no memory fences, so this holds for processors that keep the order of loads and of stores, which is x86. A reader that waits
sleeps on the newest number (futex), so a writer wakes it with nothing that could be left behind. Files in memory are mapped directly:
``multiprocessing.shared_memory`` removes a segment when its reader ends (before 3.13), and cannot be locked.
"""

import ctypes
import fcntl
import json
import mmap
import os
import platform
import re
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FOLDER: Final = Path("/dev/shm")
PREFIX: Final = "sawhorse-isaaclab-"
MAGIC: Final = b"SAWISAAC"
VERSION: Final = 1  #: of everything below that both sides must agree on
HEAD: Final = struct.Struct("<8sqqq")
SLOTS: Final = 10  #: of each ring; a reader would have to sleep through nine messages to find its copy torn
TRIES: Final = 5  #: copies a look may take, should the writer overtake each
LOOK_S: Final = 0.05  #: at the longest between two looks of a reader that waits, should the writer die before it wakes it
NAME_AGAIN_S: Final = 0.02  #: between two looks for a name
CLAIMS: Final = 10  #: looks at a name that is taken, lest somebody's short look at a left segment pass for its owner
SAID_BYTES: Final = 4096
ALIGN: Final = 64
FUTEX: Final = 202  #: Linux on x86-64's number of the system call
FUTEX_WAIT: Final = 0
FUTEX_WAKE: Final = 1

#: What the handshake must have; it may have more, such as the task. ``environments`` E, ``joints`` the J names in their order, without
#: the gripper, ``cameras`` {name: [height, width]}.
Handshake = Mapping[str, Any]

LOCKSTEP: Final = "lockstep"  #: the handshake's pace of a worker that steps when it is told to

#: Each ring's fields: type and shape. A frame also has a field for each camera, uint8 RGB: (H, W, 3) of the first environment, and in
#: lock-step (E, H, W, 3) of all.
RINGS: Final[dict[str, dict[str, tuple[str, tuple[str | int, ...]]]]] = {
    "frames": {
        "exposed_ns": ("i8", ()),  #: by the worker's clock: not to be compared with the adapter's
        "step": ("i8", ()),  #: of the state that the pictures show
    },
    "state": {
        "step": ("i8", ()),  #: environment steps since the start
        "time": ("f8", ()),  #: s, simulated
        "q": ("f8", ("E", "J")),  #: rad
        "dq": ("f8", ("E", "J")),  #: rad/s
        "tau": ("f8", ("E", "J")),  #: N m, applied
        "gripper": ("f8", ("E",)),  #: 0 open .. 1 closed; NaN where there is none
        "pose": ("f8", ("E", 7)),  #: m and a quaternion w, x, y, z, of the end effector's link in its environment
        "delta": ("f8", ("E", 7)),  #: pose, how the tool has moved in this step: m, and the turn as a quaternion
        "object": ("f8", ("E", 7)),  #: pose of what is worked on; NaN where there is nothing
        "object_twist": ("f8", ("E", 6)),
        "reward": ("f8", ("E",)),
        "success": ("?", ("E",)),  #: the task has been done in this episode
        "episode": ("i8", ("E",)),  #: counted from 0; a new one begins in the step after the last one's end
    },
    "command": {
        "step": ("i8", ()),  #: in lock-step: what the state that answers is numbered
        "reset": ("?", ("E",)),  #: begin a new episode there, in the place of a step
        "seed": ("i8", ("E",)),  #: of a reset; -1 = go on drawing
        "target": ("f8", ("E", "J")),  #: rad
        "sag": ("f8", ("E", "J")),  #: rad, what of the targets carries the arm's weight
        "gripper": ("f8", ("E",)),  #: 0 open .. 1 closed; NaN = leave it
        "body": ("i8", ("E",)),  #: index of the body that the force acts on
        "force": ("f8", ("E", 3)),  #: N, world axes
    },
    "said": {
        "length": ("i8", ()),
        "text": ("u1", (SAID_BYTES,)),  #: UTF-8 JSON
    },
}


class LinkError(Exception):
    """The other side cannot be linked with, or was given what does not fit. The text is one sentence for the operator."""


class Word(IntEnum):
    """The eight-byte words, each with one writer. Aligned stores of that size are single on x86-64."""

    STOPS = 0  #: the number of the newest stop, by the adapter
    CLEARED = 1  #: the number up to which stops are cleared, by the adapter
    ADAPTER_BEATS = 2
    WORKER_BEATS = 3
    ADAPTER_PID = 4
    WORKER_PID = 5  #: 0 before one was there


@dataclass(frozen=True)
class Field:
    dtype: str
    shape: tuple[int, ...]
    at: int  #: bytes from the begin of its slot


@dataclass(frozen=True)
class Block:
    """Where a ring lies."""

    at: int  #: bytes from the first word to its counts
    slots_at: int  #: bytes from the first word to its first slot
    stride: int  #: bytes of a slot
    fields: dict[str, Field]


@dataclass(frozen=True)
class Layout:
    rings: dict[str, Block]
    size: int  #: bytes from the first word on


@dataclass(frozen=True)
class Message:
    """A whole copy of what the other side wrote; its arrays are never written again."""

    number: int  #: counted from 1 by the writer
    seen_ns: int  #: the reader's own clock when it first found it
    values: dict[str, NDArray[Any]]  #: as in ``RINGS``

    def age(self, now_ns: int) -> float:
        """s since the reader first found it; a reader that seldom looks finds late."""
        return (now_ns - self.seen_ns) / 1e9


class _Time(ctypes.Structure):
    _fields_ = (("s", ctypes.c_int64), ("ns", ctypes.c_int64))


_system_call = ctypes.CDLL(None).syscall
_system_call.argtypes = (ctypes.c_long, ctypes.c_void_p, ctypes.c_long, ctypes.c_long, ctypes.c_void_p)


def clock_ns() -> int:
    """ns by a clock that also counts while the machine is suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def layout(handshake: Handshake) -> Layout:
    """Where everything lies for these shapes. Raises LinkError where the handshake does not tell them."""
    sizes, cameras = _sizes(handshake), handshake["cameras"]
    at = _up(8 * len(Word))
    rings = {}
    for ring, table in RINGS.items():
        shapes = {name: (dtype, tuple(sizes.get(str(size), size) for size in shape)) for name, (dtype, shape) in table.items()}
        if ring == "frames":
            shown = (sizes["E"],) if handshake.get("pace") == LOCKSTEP else ()
            shapes |= {name: ("u1", (*shown, height, width, 3)) for name, (height, width) in cameras.items()}
        fields, stride = {}, 0
        for name, (dtype, shape) in shapes.items():
            numbers = tuple(int(size) for size in shape)
            fields[name] = Field(dtype, numbers, stride)
            stride = _up(stride + np.dtype(dtype).itemsize * prod(numbers))
        slots_at = at + _up(8 * (1 + SLOTS))
        rings[ring] = Block(at, slots_at, stride, fields)
        at = slots_at + SLOTS * stride
    return Layout(rings, at)


def _sizes(handshake: Handshake) -> dict[str, int]:
    environments, joints, cameras = (handshake.get(key) for key in ("environments", "joints", "cameras"))
    if not (type(environments) is int and environments >= 1):
        raise LinkError(f"The handshake's environments are {environments!r}: a whole number from 1 is needed.")
    if not (isinstance(joints, list | tuple) and all(isinstance(name, str) for name in joints)):
        raise LinkError(f"The handshake's joints are {joints!r}: a list of their names is needed.")
    if not (isinstance(cameras, Mapping) and all(_is_size(size) for size in cameras.values())):
        raise LinkError(f"The handshake's cameras are {cameras!r}: for each name a height and a width in pixels are needed.")
    if taken := sorted(cameras.keys() & RINGS["frames"].keys()):
        raise LinkError(f"A camera cannot be called {taken[0]!r}: give it another name.")
    return {"E": environments, "J": len(joints)}


def _is_size(size: object) -> bool:
    return isinstance(size, list | tuple) and len(size) == 2 and all(type(pixels) is int and pixels >= 1 for pixels in size)


def _up(size: int) -> int:
    return -(-size // ALIGN) * ALIGN


def whole(number: int, before: int, after: int) -> bool:
    """Whether a copy of message ``number`` is whole, by its slot's mark before and after it was taken."""
    return before == after == 2 * number


class Ring:
    """Messages of one kind: one thread writes on one side, one thread reads on the other."""

    def __init__(self, name: str, memory: mmap.mmap, begin: int, block: Block) -> None:
        self._name, self._fields = name, block.fields
        self._counts = memoryview(memory)[begin + block.at : begin + block.slots_at].cast("q")
        self._slots: list[dict[str, NDArray[Any]]] = [
            {
                key: np.ndarray(field.shape, field.dtype, memory, begin + block.slots_at + slot * block.stride + field.at)
                for key, field in block.fields.items()
            }
            for slot in range(SLOTS)
        ]
        self._address = np.frombuffer(self._counts, np.int64).ctypes.data
        self._found = self._counts[0]  # nobody knows how old that is, so it is not read
        self._newest: Message | None = None

    def write(self, **values: ArrayLike) -> int:
        """Show the next message, with every field of ``RINGS``, and return its number. Raises LinkError where one does not fit."""
        if values.keys() != self._fields.keys():
            raise LinkError(f"Of {self._name} the fields {sorted(values)} were given, and {sorted(self._fields)} are needed.")
        arrays = {name: self._fitting(name, value) for name, value in values.items()}
        number = self._counts[0] + 1
        slot = number % SLOTS
        self._counts[1 + slot] = 2 * number - 1
        for name, array in arrays.items():
            self._slots[slot][name][...] = array
        self._counts[1 + slot] = 2 * number
        self._counts[0] = number
        _system_call(FUTEX, self._address, FUTEX_WAKE, 1, None)
        return number

    def newest(self, now_ns: int) -> Message | None:
        """The newest message, the same object until there is a newer; None before the first that came after this side was there.

        The last one found before if each of ``TRIES`` copies was overtaken by the writer. ``now_ns`` is the caller's clock.
        """
        for _ in range(TRIES):
            number = self._counts[0]
            if number == self._found:
                break
            slot = number % SLOTS
            before = self._counts[1 + slot]
            values = {name: array.copy() for name, array in self._slots[slot].items()}
            if whole(number, before, self._counts[1 + slot]):
                for array in values.values():
                    array.flags.writeable = False
                self._found, self._newest = number, Message(number, now_ns, values)
                break
        return self._newest

    def after(self, number: int, within: float) -> Message:
        """The newest message as soon as its number is above ``number``. Raises LinkError where none is there after ``within`` s."""
        end = clock_ns() + round(within * 1e9)
        while True:
            count, now = self._counts[0], clock_ns()
            found = self.newest(now)
            if found is not None and found.number > number:
                return found
            if now > end:
                raise LinkError(f"The Isaac Lab link brought no new {self._name} within {within:g} s: see whether its other side runs.")
            left = _Time(*divmod(min(end - now, round(LOOK_S * 1e9)), 10**9))
            _system_call(FUTEX, self._address, FUTEX_WAIT, count & 0xFFFFFFFF, ctypes.byref(left))  # at once if it is no more so

    def _fitting(self, name: str, value: ArrayLike) -> NDArray[Any]:
        array, field = np.asarray(value), self._fields[name]
        if array.shape != field.shape or not np.can_cast(array.dtype, field.dtype, "safe"):
            wanted = f"{np.dtype(field.dtype)} {field.shape}"
            raise LinkError(f"{name} of {self._name} is {array.dtype} {array.shape}, and the handshake says {wanted}: give that.")
        return array


class Link:
    """One side of a segment. Made by ``create`` and ``attach``.

    The worker writes ``frames`` and ``state`` and says; the adapter writes ``command``, stops and clears. It begins stopped, by stop 1.
    """

    def __init__(self, path: Path, descriptor: int, *, worker: bool) -> None:
        """Takes the open segment over. Raises LinkError where it is not one that this side understands."""
        self._path, self._descriptor, self._closed = path, descriptor, False
        self._own, self._other = (Word.WORKER_BEATS, Word.ADAPTER_BEATS) if worker else (Word.ADAPTER_BEATS, Word.WORKER_BEATS)
        self._peer = Word.ADAPTER_PID if worker else Word.WORKER_PID
        self._lock = threading.Lock()
        self._heard: tuple[int, int] | None = None
        begin, self.handshake = _header(path.name, descriptor)
        plan = layout(self.handshake)
        memory = mmap.mmap(descriptor, 0, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)  # lest the first frames wait for pages
        self._words = memoryview(memory)[begin : begin + 8 * len(Word)].cast("q")
        self.frames, self.state, self.command, self._said = (Ring(name, memory, begin, plan.rings[name]) for name in RINGS)
        self._words[Word.WORKER_PID if worker else Word.ADAPTER_PID] = os.getpid()  # from now on it follows what is written

    def match(self, own: Handshake) -> None:
        """Raises LinkError where this side's own handshake has another value under any of its keys, and shows both."""
        given = json.loads(json.dumps(dict(own)))
        wrong = [
            f"{key}: {value!r} here, {self.handshake.get(key)!r} there" for key, value in given.items() if value != self.handshake.get(key)
        ]
        if wrong:
            raise LinkError(f"The two sides of the Isaac Lab link differ in {'; '.join(wrong)}.")

    def say(self, tree: Mapping[str, Any]) -> None:
        """Tell the other side something that is not numbers, such as progress; the newest counts. Raises LinkError where it is too long."""
        text = json.dumps(dict(tree)).encode()
        if len(text) > SAID_BYTES:
            raise LinkError(f"What the worker says has {len(text)} bytes, and {SAID_BYTES} have room: say less.")
        self._said.write(length=len(text), text=np.frombuffer(text.ljust(SAID_BYTES), np.uint8))

    def said(self, now_ns: int) -> dict[str, Any] | None:
        """The newest that was said; None before the first."""
        found = self._said.newest(now_ns)
        if found is None:
            return None
        tree: dict[str, Any] = json.loads(found.values["text"].tobytes()[: int(found.values["length"])])
        return tree

    def stop(self) -> int:
        """Ask for a stop and return its number: bounded work, from any thread of the adapter."""
        with self._lock:
            self._words[Word.STOPS] += 1
            return self._words[Word.STOPS]

    def clear(self, number: int) -> None:
        """Clear the stops up to ``number``, and none that came after it."""
        with self._lock:
            self._words[Word.CLEARED] = max(self._words[Word.CLEARED], number)

    @property
    def stops(self) -> int:
        """The number of the newest stop."""
        return self._words[Word.STOPS]

    @property
    def stopped(self) -> bool:
        """Whether a stop is not cleared: the worker reads this in every physics step."""
        return self._words[Word.STOPS] > self._words[Word.CLEARED]

    def beat(self) -> None:
        """Show the other side that this one lives; from one thread."""
        self._words[self._own] += 1

    def silence(self, now_ns: int) -> float:
        """s since this side, by its own clock, first saw the other's newest heartbeat; since its first look where there was none."""
        count = self._words[self._other]
        if self._heard is None or self._heard[0] != count:
            self._heard = count, now_ns
        return (now_ns - self._heard[1]) / 1e9

    @property
    def peer(self) -> int:
        """The other side's process; 0 before there was one."""
        return self._words[self._peer]

    def close(self) -> None:
        """Let go of the segment; the adapter removes it, and so does a worker whose adapter has died. Idempotent.

        The memory goes with the last reference to this link: another thread may still read, write and stop, and reaches nobody.
        """
        if self._closed:
            return
        self._closed = True
        _remove(self._path, self._descriptor)
        os.close(self._descriptor)


def create(name: str, handshake: Handshake) -> Link:
    """The adapter's side of a new segment. Raises LinkError where the name is in use, memory is short or the handshake is wrong."""
    path = _path(name)
    plan = layout(handshake)
    text = json.dumps({"handshake": dict(handshake), "layout": asdict(plan)}).encode()
    begin = _up(HEAD.size + len(text))
    try:
        descriptor = os.open(FOLDER, os.O_TMPFILE | os.O_RDWR, 0o600)  # without a name until it is whole and owned
    except OSError as error:
        raise LinkError(f"{FOLDER} takes no shared memory: {error.strerror}.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _reserve(descriptor, begin + plan.size)
        os.pwrite(descriptor, HEAD.pack(MAGIC, VERSION, len(text), begin) + text, 0)
        os.pwrite(descriptor, struct.pack("<q", 1), begin + 8 * Word.STOPS)
        link = Link(path, descriptor, worker=False)
    except BaseException:
        os.close(descriptor)
        raise
    try:
        _publish(descriptor, path)  # only now: what a worker says at once would be taken for old otherwise
    except BaseException:
        link.close()
        raise
    return link


def attach(name: str, within: float) -> Link:
    """The worker's side, as soon as an adapter that lives has made it.

    Raises LinkError where none has after ``within`` s, where another worker is linked already, and where the segment is another
    user's, of another version or of another layout.
    """
    path = _path(name)
    end = clock_ns() + round(within * 1e9)
    while (descriptor := _owned(path)) is None:
        if clock_ns() > end:
            raise LinkError(f"No console has opened the Isaac Lab link {name!r} within {within:g} s: start it, or check the name.")
        time.sleep(NAME_AGAIN_S)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # of another kind than the owner's lock, and beside it
        return Link(path, descriptor, worker=True)
    except BlockingIOError:
        os.close(descriptor)
        raise LinkError(f"Another worker serves the Isaac Lab link {name!r} already: end it, or use another name.") from None
    except BaseException:
        os.close(descriptor)
        raise


def reclaim() -> tuple[str, ...]:
    """Remove this user's segments whose adapters have died, and return their names."""
    found = []
    for path in sorted(FOLDER.glob(f"{PREFIX}*")):
        try:
            descriptor = _open(path)
        except (LinkError, OSError):
            continue
        if _remove(path, descriptor):
            found.append(path.name.removeprefix(PREFIX))
        os.close(descriptor)
    return tuple(found)


def _path(name: str) -> Path:
    """Raises LinkError where there can be no such segment."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise LinkError(f"The Isaac Lab link needs Linux on x86-64, and this is {platform.system()} on {platform.machine()}.")
    if not re.fullmatch(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,99}", name):  # one that begins with a dash would be an option of the worker
        raise LinkError(f"An Isaac Lab link cannot be called {name!r}: use up to 100 letters, digits, dots and dashes, no dash first.")
    return FOLDER / f"{PREFIX}{name}"


def _reserve(descriptor: int, size: int) -> None:
    """Have the memory now: without it, a later write would end the process with a signal. Raises LinkError."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (OSError, OverflowError):
        raise LinkError(
            f"{FOLDER} has no room for {size / 1e6:.1f} MB of shared memory: free some, give the container more, or use smaller pictures."
        ) from None


def _publish(descriptor: int, path: Path) -> None:
    """Give a segment its name, which one left by a crash may have had. Raises LinkError where a living one has it."""
    for _ in range(CLAIMS):
        try:
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)  # with a folder given, Python follows the link
            return
        except FileExistsError:
            if not _free(path):
                time.sleep(NAME_AGAIN_S)
    raise LinkError(f"Another console uses the Isaac Lab link {path.name.removeprefix(PREFIX)!r}: close it, or use another name.")


def _free(path: Path) -> bool:
    try:
        descriptor = _open(path)
    except FileNotFoundError:
        return True
    try:
        return _remove(path, descriptor)
    finally:
        os.close(descriptor)


def _owned(path: Path) -> int | None:
    """The open segment; None where there is none, or one whose owner has died. Raises LinkError where it is not this user's alone."""
    try:
        descriptor = _open(path)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return descriptor
    os.close(descriptor)
    return None


def _open(path: Path) -> int:
    """Raises LinkError where it is not this user's alone, FileNotFoundError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LinkError(f"{path} cannot be opened: {error.strerror}.") from None
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        os.close(descriptor)
        raise LinkError(f"{path} is not this user's alone: remove it, or use another name.")
    return descriptor


def _remove(path: Path, descriptor: int) -> bool:
    """Remove an open segment that nobody else owns; only who holds its lock may. Whether it is gone by that."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    if not os.fstat(descriptor).st_nlink:
        return False
    path.unlink()
    return True


def _header(name: str, descriptor: int) -> tuple[int, dict[str, Any]]:
    """(where the words begin, the handshake). Raises LinkError where this side does not understand the segment."""
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, HEAD.size, 0)
    none = LinkError(f"{FOLDER / name} is no Isaac Lab link: remove it, or use another name.")
    if len(head) < HEAD.size or not head.startswith(MAGIC):
        raise none
    _, version, length, begin = HEAD.unpack(head)
    if version != VERSION:
        raise LinkError(f"The other side of the Isaac Lab link speaks version {version}, this one {VERSION}: update the older one.")
    if not 0 <= length <= size - HEAD.size or begin != _up(HEAD.size + length):
        raise none
    try:
        tree = json.loads(os.pread(descriptor, length, HEAD.size))
        handshake: dict[str, Any] = tree["handshake"]
        plan, theirs = layout(handshake), tree["layout"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, LinkError):
        raise none from None
    if theirs != json.loads(json.dumps(asdict(plan))) or begin + plan.size != size:
        raise LinkError("The two sides of the Isaac Lab link lay its memory out differently: update the older one.")
    return begin, handshake
