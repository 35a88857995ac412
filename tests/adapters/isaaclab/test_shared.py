"""The link of two processes: whole messages or none, ages by the reader's clock, and nothing left behind by a death on either side."""

import ast
import itertools
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.isaaclab import shared
from adapters.isaaclab.shared import LinkError, Word
from tests.adapters.isaaclab import other_side
from tests.adapters.isaaclab.other_side import HANDSHAKE, MODULUS, SHAPE, WITHIN, picture

FRAMES = 100_000
TRIPS = 200
COUNT = itertools.count()


def filled(ring: str, **given: Any) -> dict[str, Any]:
    """Every field of a ring, zero where nothing else is given."""
    sizes = {"E": HANDSHAKE["environments"], "J": len(HANDSHAKE["joints"])}
    zeros = {key: np.zeros([sizes.get(str(size), size) for size in shape], dtype) for key, (dtype, shape) in shared.RINGS[ring].items()}
    return zeros | given


STATE = filled(
    "state",
    step=7,
    time=0.25,
    q=np.arange(6.0).reshape(2, 3),
    gripper=np.array([0.5, np.nan]),
    pose=np.arange(14, dtype=np.float32).reshape(2, 7),
    success=np.array([False, True]),
    episode=np.array([3, 4]),
)
COMMAND = filled("command", step=8, reset=np.array([True, False]), target=np.ones((2, 3)), force=np.full((2, 3), 8.0))


@pytest.fixture
def name() -> Iterator[str]:
    """One that nobody else has; what is left of it is removed."""
    given = f"test-{os.getpid()}-{next(COUNT)}"
    yield given
    file(given).unlink(missing_ok=True)


@pytest.fixture
def pair(name: str) -> Iterator[tuple[shared.Link, shared.Link]]:
    """The adapter's and the worker's side, both in this process."""
    adapter = shared.create(name, HANDSHAKE)
    worker = shared.attach(name, WITHIN)
    yield adapter, worker
    worker.close()
    adapter.close()


def test_what_a_worker_says_as_soon_as_there_is_a_link_is_heard(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish, workers = shared._publish, []

    def watched(descriptor: int, path: Path) -> None:
        publish(descriptor, path)
        workers.append(shared.attach(name, WITHIN))
        workers[0].say({"phase": "here"})

    monkeypatch.setattr(shared, "_publish", watched)
    adapter = shared.create(name, HANDSHAKE)
    assert adapter.said(shared.clock_ns()) == {"phase": "here"}
    workers[0].close()
    adapter.close()


def file(name: str) -> Path:
    return shared.FOLDER / f"{shared.PREFIX}{name}"


@contextmanager
def other(name: str, what: str) -> Iterator["subprocess.Popen[str]"]:
    """The other side, that ends with the context at the latest."""
    command = [sys.executable, str(Path(other_side.__file__)), shared.__file__, name, what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """What the other side says when it is ready."""
    assert process.stdout is not None
    said: dict[str, Any] = json.loads(process.stdout.readline())
    return said


def torn(link: shared.Link, count: int) -> int:
    """How many of so many new frames are not the one that they say they are."""
    found, number = 0, 0
    for _ in range(count):
        message = link.frames.after(number, WITHIN)
        number = message.number
        stamps = (int(message.values["exposed_ns"]), int(message.values["step"]))
        found += stamps != (number, number) or bool((message.values["front"] != number % MODULUS).any())
    return found


def test_no_frame_is_torn_while_the_worker_writes_as_fast_as_it_can(name: str) -> None:
    link = shared.create(name, HANDSHAKE)
    with other(name, "frames") as process:
        told(process)
        assert torn(link, FRAMES) == 0
        link.stop()
        assert process.wait(WITHIN) == 0
    link.close()


@pytest.mark.parametrize("checked", [True, False])
def test_with_one_slot_the_marks_alone_keep_frames_whole(name: str, checked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "SLOTS", 1)
    monkeypatch.setattr(shared, "LOOK_S", 0.0)  # woken by the writer it would meet whole frames too often
    if not checked:
        monkeypatch.setattr(shared, "whole", lambda *marks: True)
    link = shared.create(name, HANDSHAKE)
    with other(name, "torn") as process:
        told(process)
        begun, found = shared.clock_ns(), torn(link, 2_000)
        while not (checked or found or shared.clock_ns() - begun > WITHIN * 1e9):
            found = torn(link, 2_000)
        assert (found == 0) == checked
        link.stop()
        assert process.wait(WITHIN) == 0
    link.close()


def test_every_message_arrives_as_it_was_written(pair: tuple[shared.Link, shared.Link]) -> None:
    adapter, worker = pair
    assert worker.state.write(**STATE) == 1
    assert worker.frames.write(front=picture(3), exposed_ns=5, step=7) == 1
    assert adapter.command.write(**COMMAND) == 1
    for ring, values in ((adapter.state, STATE), (worker.command, COMMAND), (adapter.frames, {"front": picture(3), "step": 7})):
        message = ring.newest(0)
        assert message is not None
        for key, value in values.items():
            np.testing.assert_array_equal(message.values[key], value)
            assert not message.values[key].flags.writeable


def test_the_newest_counts_and_an_older_copy_stays_as_it_was(pair: tuple[shared.Link, shared.Link]) -> None:
    adapter, worker = pair
    first = None
    for number in range(1, 3 * shared.SLOTS):
        worker.frames.write(front=picture(number), exposed_ns=0, step=number)
        first = first or adapter.frames.newest(0)
    last = adapter.frames.newest(0)
    assert last is not None
    assert first is not None
    assert (last.number, int(last.values["front"].max())) == (3 * shared.SLOTS - 1,) * 2
    assert int(first.values["front"].max()) == 1


def test_age_is_counted_by_the_readers_clock_from_its_first_look(pair: tuple[shared.Link, shared.Link]) -> None:
    adapter, worker = pair
    assert adapter.frames.newest(1_000) is None
    worker.frames.write(front=picture(1), exposed_ns=10**18, step=1)
    for now in (2_000_000_000, 5_000_000_000):
        message = adapter.frames.newest(now)
        assert message is not None
        assert (message.seen_ns, message.age(now)) == (2_000_000_000, (now - 2_000_000_000) / 1e9)
    worker.frames.write(front=picture(2), exposed_ns=-(10**18), step=2)
    message = adapter.frames.newest(6_000_000_000)
    assert message is not None
    assert message.age(6_500_000_000) == 0.5


def test_a_frame_still_being_written_is_not_seen_and_the_last_one_ages(pair: tuple[shared.Link, shared.Link]) -> None:
    adapter, worker = pair
    worker.frames.write(front=picture(1), exposed_ns=1, step=1)
    before = adapter.frames.newest(1)
    worker.frames._counts[0] = 2  # says that there is a second, which is not whole
    worker.frames._counts[3] = 3
    assert adapter.frames.newest(2) is before


def test_after_a_worker_that_died_in_the_middle_of_a_frame_the_next_goes_on(name: str) -> None:
    adapter = shared.create(name, HANDSHAKE)
    died = shared.attach(name, WITHIN)
    died.frames.write(front=picture(1), exposed_ns=1, step=1)
    before = adapter.frames.newest(1)
    died.frames._counts[3] = 3  # the second is begun
    died.frames._slots[2]["front"][:4] = 2
    died.close()
    assert adapter.frames.newest(2) is before
    worker = shared.attach(name, WITHIN)
    assert worker.frames.write(front=picture(7), exposed_ns=1, step=2) == 2
    message = adapter.frames.newest(3)
    assert message is not None
    assert (message.number, int(message.values["front"].min()), int(message.values["front"].max())) == (2, 7, 7)
    worker.close()
    adapter.close()


def test_a_command_from_before_the_worker_was_there_is_not_followed(name: str) -> None:
    adapter = shared.create(name, HANDSHAKE)
    adapter.command.write(**COMMAND)
    worker = shared.attach(name, WITHIN)
    assert worker.command.newest(0) is None
    adapter.command.write(**COMMAND)
    message = worker.command.newest(0)
    assert message is not None
    assert message.number == 2
    worker.close()
    adapter.close()


def test_who_waits_is_woken_by_the_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither side looks by itself until its time is over."""
    monkeypatch.setattr(shared, "LOOK_S", WITHIN)
    link = shared.create(name, HANDSHAKE)
    begun, number = shared.clock_ns(), 0
    with other(name, "echo") as process:
        told(process)
        for step in range(TRIPS):
            link.command.write(**(COMMAND | {"step": step}))
            message = link.state.after(number, WITHIN)
            number = message.number
            assert int(message.values["step"]) == step
    assert shared.clock_ns() - begun < WITHIN * 1e9
    link.close()


def test_waiting_for_a_message_that_does_not_come_is_told(pair: tuple[shared.Link, shared.Link]) -> None:
    with pytest.raises(LinkError, match="no new frames within 0 s"):
        pair[0].frames.after(0, 0.0)


def test_a_link_may_be_closed_while_another_thread_waits_and_stops(pair: tuple[shared.Link, shared.Link]) -> None:
    adapter, _ = pair
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(adapter.frames.after, 0, 0.2)
        adapter.close()
        assert not adapter._path.exists()
        with pytest.raises(LinkError, match="no new frames"):
            waiting.result(WITHIN)
    assert adapter.frames.newest(0) is None
    assert adapter.stop() == 2


def test_it_begins_stopped_and_a_stop_is_cleared_by_its_number_alone(pair: tuple[shared.Link, shared.Link]) -> None:
    adapter, worker = pair
    assert worker.stopped
    adapter.clear(worker.stops)
    assert not worker.stopped
    second, third = adapter.stop(), adapter.stop()
    adapter.clear(second)
    assert worker.stopped
    adapter.clear(third)
    adapter.clear(second)
    assert not worker.stopped


def test_silence_is_counted_by_each_sides_own_clock(pair: tuple[shared.Link, shared.Link]) -> None:
    adapter, worker = pair
    assert adapter.peer == worker.peer == os.getpid()
    for mine, yours in ((adapter, worker), (worker, adapter)):
        assert mine.silence(0) == 0.0
        mine.beat()
        assert mine.silence(4_000_000_000) == 4.0
        yours.beat()
        assert mine.silence(5_000_000_000) == 0.0
        assert mine.silence(6_000_000_000) == 1.0


def test_what_the_worker_says_is_heard_and_too_much_is_refused(pair: tuple[shared.Link, shared.Link]) -> None:
    adapter, worker = pair
    assert adapter.said(0) is None
    worker.say({"progress": "kernels, 3 of 7 – lädt"})
    worker.say({"progress": "ready", "share": 1.0})
    assert adapter.said(0) == {"progress": "ready", "share": 1.0}
    with pytest.raises(LinkError, match="4096 have room"):
        worker.say({"progress": "x" * shared.SAID_BYTES})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"q": np.zeros(3)}, r"q of state is float64 \(3,\), and the handshake says float64 \(2, 3\)"),
        ({"step": 0.5}, r"step of state is float64 \(\), and the handshake says int64"),
        ({"more": 1}, "the fields .*'more'.* were given"),
    ],
)
def test_values_of_another_shape_or_type_are_refused(pair: tuple[shared.Link, shared.Link], changed: dict[str, Any], words: str) -> None:
    with pytest.raises(LinkError, match=words):
        pair[1].state.write(**(STATE | changed))
    assert pair[0].state.newest(0) is None


def test_a_picture_of_another_type_is_refused(pair: tuple[shared.Link, shared.Link]) -> None:
    with pytest.raises(LinkError, match="front of frames is float32"):
        pair[1].frames.write(front=picture(1).astype(np.float32), exposed_ns=0, step=0)


def test_sides_with_other_shapes_are_told_both(pair: tuple[shared.Link, shared.Link]) -> None:
    pair[1].match(HANDSHAKE)
    with pytest.raises(LinkError, match=r"joints: \['a', 'b'\] here, \['a', 'b', 'c'\] there"):
        pair[1].match(HANDSHAKE | {"joints": ["a", "b"]})


@pytest.mark.parametrize(
    "changed",
    [
        {"environments": 0},
        {"environments": True},
        {"joints": 3},
        {"cameras": {"a": [4]}},
        {"cameras": {"a": [0, 4]}},
        {"cameras": {"step": SHAPE}},
    ],
)
def test_a_handshake_that_tells_no_shapes_is_refused(name: str, changed: dict[str, Any]) -> None:
    with pytest.raises(LinkError):
        shared.create(name, HANDSHAKE | changed)
    assert not file(name).exists()


@pytest.mark.parametrize("given", ["", "a/b", "ä", "a" * 101, "-a"])
def test_a_name_that_cannot_be_a_files_is_refused(given: str) -> None:
    with pytest.raises(LinkError, match="cannot be called"):
        shared.create(given, HANDSHAKE)


def test_another_version_is_refused_before_anything_else_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(shared, "VERSION", 2)
        adapter = shared.create(name, HANDSHAKE)
    with file(name).open("r+b") as there:
        there.seek(shared.HEAD.size)
        there.write(b"not JSON")
    with pytest.raises(LinkError, match="speaks version 2, this one 1"):
        shared.attach(name, WITHIN)
    adapter.close()


def test_the_same_version_with_another_layout_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same size, with two fields in each other's place."""
    with monkeypatch.context() as patch:
        patch.setitem(shared.RINGS, "state", dict(reversed(shared.RINGS["state"].items())))
        adapter = shared.create(name, HANDSHAKE)
    with pytest.raises(LinkError, match="lay its memory out differently"):
        shared.attach(name, WITHIN)
    adapter.close()


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (1 << 60, b""),
        (-1, b""),
        (5, b""),
        (None, b"not JSON"),
        (None, b"\xff"),
        (None, b"[" * 400),
        (None, b"{}"),
        (None, b'{"handshake": 3}'),
        (None, b'{"handshake": {}}'),
        (None, b'{"handshake": {"environments": 1, "joints": [], "cameras": {}}}'),
    ],
)
def test_a_broken_segment_is_no_link(name: str, length: int | None, text: bytes) -> None:
    adapter = shared.create(name, HANDSHAKE)
    with file(name).open("r+b") as there:
        _, _, whole, _ = shared.HEAD.unpack(there.read(shared.HEAD.size))
        there.write(text.ljust(whole) if text else b"")
        there.seek(16)
        there.write(struct.pack("<q", whole if length is None else length))
    with pytest.raises(LinkError, match=f"{file(name)} is no Isaac Lab link: remove it, or use another name."):
        shared.attach(name, WITHIN)
    adapter.close()


def test_other_machines_are_refused_in_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    for side in (lambda: shared.create(name, HANDSHAKE), lambda: shared.attach(name, 0.0)):
        with pytest.raises(LinkError, match="needs Linux on x86-64, and this is Linux on aarch64"):
            side()


def test_nobody_else_may_read_it_whatever_the_umask(name: str) -> None:
    umask = os.umask(0)
    try:
        adapter = shared.create(name, HANDSHAKE)
    finally:
        os.umask(umask)
    assert file(name).stat().st_mode & 0o777 == 0o600
    file(name).chmod(0o640)
    with pytest.raises(LinkError, match="not this user's alone"):
        shared.attach(name, WITHIN)
    adapter.close()


def test_a_link_in_place_of_the_segment_is_not_followed(name: str, tmp_path: Path) -> None:
    file(name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkError, match="cannot be opened"):
        shared.attach(name, WITHIN)
    with pytest.raises(LinkError, match="cannot be opened"):
        shared.create(name, HANDSHAKE)


@pytest.mark.parametrize("changed", [{"cameras": {"front": (10**6, 10**6)}}, {"environments": 10**30}])
def test_what_has_no_room_is_refused_and_leaves_nothing(name: str, changed: dict[str, Any]) -> None:
    with pytest.raises(LinkError, match="has no room"):
        shared.create(name, HANDSHAKE | changed)
    assert not file(name).exists()


def test_a_machine_without_shared_memory_is_told(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shared, "FOLDER", tmp_path / "none")
    with pytest.raises(LinkError, match="none takes no shared memory: No such file or directory"):
        shared.create(name, HANDSHAKE)


def test_either_side_may_start_first(name: str) -> None:
    with other(name, "hold") as process:
        adapter = shared.create(name, HANDSHAKE)
        said = told(process)
        assert said["stopped"]
        assert adapter.peer == process.pid
        adapter.close()
    with other(name, "create") as process:
        worker = shared.attach(name, WITHIN)
        told(process)
        assert worker.peer == process.pid
        worker.close()


def test_a_worker_does_not_wait_for_ever(name: str) -> None:
    with pytest.raises(LinkError, match="No console has opened"):
        shared.attach(name, 0.0)


def test_the_worker_needs_nothing_but_numpy_and_a_python_of_3_11(name: str) -> None:
    ast.parse(Path(shared.__file__).read_text(), feature_version=(3, 11))
    adapter = shared.create(name, HANDSHAKE)
    with other(name, "hold") as process:
        modules = {module.split(".")[0] for module in told(process)["modules"]}
    assert not modules & {"adapters", "engine", "console"}
    assert modules <= {*sys.stdlib_module_names, "__main__", "numpy", "sawhorse_shared"} | modules & set(at_start())
    adapter.close()


def at_start() -> list[str]:
    """The modules that this Python always has."""
    done = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True)
    return [module.split(".")[0] for module in done.stdout.split()]


def test_a_second_worker_and_a_second_console_are_refused(name: str) -> None:
    adapter = shared.create(name, HANDSHAKE)
    with other(name, "hold") as process:
        told(process)
        with pytest.raises(LinkError, match="Another worker serves"):
            shared.attach(name, WITHIN)
        with pytest.raises(LinkError, match="Another console uses"):
            shared.create(name, HANDSHAKE)
    adapter.close()


def test_a_worker_that_ends_or_is_killed_leaves_the_segment_to_the_next(name: str) -> None:
    adapter = shared.create(name, HANDSHAKE)
    for killed in (False, True):
        with other(name, "close") as process:
            told(process)
            if killed:
                process.kill()
            else:
                process.communicate("", WITHIN)
        assert file(name).exists()
    with other(name, "hold") as process:
        told(process)
        assert adapter.peer == process.pid
    adapter.close()
    assert not file(name).exists()


def test_what_a_killed_console_left_is_reclaimed_and_what_lives_is_not(name: str) -> None:
    living = shared.create(f"{name}-living", HANDSHAKE)
    with other(name, "create") as process:
        told(process)
        assert name not in shared.reclaim()
        process.kill()
    assert file(name).exists()
    with pytest.raises(LinkError, match="No console has opened"):
        shared.attach(name, 0.0)
    found = shared.reclaim()
    assert name in found
    assert f"{name}-living" not in found
    assert not file(name).exists()
    living.close()
    assert not file(f"{name}-living").exists()


def test_a_new_console_takes_the_name_that_a_killed_one_left(name: str) -> None:
    with other(name, "create") as process:
        told(process)
        process.kill()
    adapter = shared.create(name, HANDSHAKE)
    assert adapter._words[Word.ADAPTER_PID] == os.getpid()
    adapter.close()
    assert not file(name).exists()


def test_a_worker_whose_console_was_killed_removes_the_segment_when_it_closes(name: str) -> None:
    with other(name, "create") as process:
        worker = shared.attach(name, WITHIN)
        told(process)
        process.kill()
    assert file(name).exists()
    worker.close()
    worker.close()
    assert not file(name).exists()
