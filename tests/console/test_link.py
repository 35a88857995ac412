"""The console's end of the socket, against a server of a few lines."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import scenes
from desk import until

from console.link import SocketLink
from engine.messages import Alive, Ended, Go, Hello, Intent, Mark, Picture, Refused, Report, Telemetry
from engine.wire import Unframer, framed, intent_decoder


class Server:
    """Listens, keeps what it hears, says what a test wants."""

    def __init__(self, path: Path) -> None:
        self.heard: list[Intent] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._connection: socket.socket | None = None
        self._ready = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            self._connection, _ = self._listener.accept()
            self._ready.set()
            unframer = Unframer()
            while data := self._connection.recv(4096):
                self.heard += [intent_decoder.decode(body) for body in unframer.feed(data)]
        except OSError:
            return

    def say(self, data: bytes) -> None:
        assert self._ready.wait(5.0)
        assert self._connection is not None
        self._connection.sendall(data)

    def tell(self, *reports: Report) -> None:
        self.say(b"".join(map(framed, reports)))

    def close(self) -> None:
        self._listener.close()
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            self._connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def server(path: Path) -> Iterator[Server]:
    server = Server(path)
    yield server
    server.close()


@pytest.fixture
def link(server: Server, path: Path) -> Iterator[SocketLink]:
    link = SocketLink(path, "console-1")
    yield link
    link.close()


def test_it_says_hello_and_keeps_the_newest_snapshot_only(server: Server, link: SocketLink) -> None:
    frames = scenes.sequence(5)
    server.tell(*(Telemetry(snapshot=frame) for frame in frames))
    assert until(lambda: link.received == 5)
    newest = link.newest()
    assert newest is not None
    assert msgspec.msgpack.encode(newest) == msgspec.msgpack.encode(frames[-1])
    assert until(lambda: server.heard)
    assert server.heard[0] == Hello(console="console-1", readonly=False)


def test_messages_split_anywhere_arrive_whole(server: Server, link: SocketLink) -> None:
    data = framed(Telemetry(snapshot=scenes.running())) + framed(Picture(camera="top", width=2, height=2, age=0.1, rgb=bytes(12)))
    for i in range(0, len(data), 97):
        server.say(data[i : i + 97])
    assert until(lambda: link.picture() is not None)
    assert link.received == 1


def test_intents_go_out_from_any_thread_and_signs_of_life_at_a_bounded_rate(server: Server, link: SocketLink) -> None:
    assert until(lambda: link.state == "connected")
    assert link.send(Go())
    for i in range(100):
        link.alive(10.0 + i / 1000, 0.0)
    assert until(lambda: Go() in server.heard and Alive() in server.heard)
    assert sum(isinstance(intent, Alive) for intent in server.heard) <= 6


def test_an_engine_that_reads_nothing_is_not_waited_for_and_gets_no_half_message(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        link = SocketLink(path, "console-1")
        connection, _ = listener.accept()
        with connection:
            assert until(lambda: link.state == "connected")
            taken = 1  # the hello
            while link.send(Mark(text="m" * (taken % 97))):
                taken += 1
            connection.setblocking(False)
            data = b""
            with contextlib.suppress(BlockingIOError):
                while True:
                    data += connection.recv(65536)
            unframer = Unframer()
            heard = [intent_decoder.decode(body) for body in unframer.feed(data)]
            assert len(heard) == taken
            assert data == b"".join(map(framed, heard))
        link.close()


def test_refusals_are_handed_over_once(server: Server, link: SocketLink) -> None:
    server.tell(Refused(text="This console only observes."))
    refusals: list[str] = []
    assert until(lambda: refusals.extend(link.refusals()) or refusals)
    assert refusals == ["This console only observes."]
    assert link.refusals() == []


def test_an_engine_that_ends_and_one_that_dies_are_told_apart(server: Server, link: SocketLink) -> None:
    server.tell(Ended(reason="left by the operator", exit_code=0))
    assert until(lambda: link.ended is not None)
    server.close()
    assert until(lambda: link.state == "ended")


def test_a_line_that_breaks_is_lost_and_takes_no_more(server: Server, link: SocketLink) -> None:
    server.say(b"\xff\xff\xff\xff nonsense")
    assert until(lambda: link.state == "lost")
    assert not link.send(Go())
    assert "broke" in link.refusals()[0]


def test_garbage_of_the_right_length_is_lost_too(server: Server, link: SocketLink) -> None:
    body = msgspec.msgpack.encode({"type": "Nothing"})
    server.say(len(body).to_bytes(4, "big") + body)
    assert until(lambda: link.state == "lost")


def test_what_must_be_said_waits_for_an_engine_that_is_still_starting(path: Path) -> None:
    link = SocketLink(path, "console-1")
    server = Server(path)
    try:
        assert link.send_within(Go(), 5.0)
        assert until(lambda: Go() in server.heard)
        server.close()
        assert until(lambda: link.state == "lost")
        assert not link.send_within(Go(), 5.0)
    finally:
        link.close()
        server.close()


def test_before_the_engine_is_there_it_is_starting_and_then_it_connects(path: Path) -> None:
    link = SocketLink(path, "console-1")
    assert link.state == "starting"
    assert link.newest() is None
    assert not link.send(Go())
    server = Server(path)
    try:
        assert until(lambda: link.state == "connected")
    finally:
        link.close()
        server.close()
