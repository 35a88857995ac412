"""The engine's socket, with real sockets: who controls, who observes, who is dropped."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.messages import Arm, Ended, Go, Hello, Intent, Picture, Refused, Report, Stop, WatchPicture
from engine.server import Server
from engine.types import Snapshot
from engine.wire import Unframer, framed, report_decoder


class Engine:
    """Keeps what the server asks of an engine."""

    def __init__(self) -> None:
        self.posted: list[Intent] = []
        self.log: list[str] = []

    def post(self, intent: Intent) -> None:
        self.posted.append(intent)

    def attached(self, console: str) -> None:
        self.log.append(f"attached {console}")

    def detached(self, console: str) -> None:
        self.log.append(f"detached {console}")

    def heard(self) -> None:
        self.log.append("heard")

    def snapshot(self) -> Snapshot | None:
        return None

    def picture(self, wish: WatchPicture) -> Picture | None:
        return None

    def stop(self, latched: bool) -> None:
        self.log.append(f"stop {latched}")


class Console:
    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(2)
        self.socket.connect(str(path))
        self.unframer = Unframer()

    def say(self, intent: Intent) -> None:
        self.socket.sendall(framed(intent))

    def reports(self) -> list[Report]:
        return [report_decoder.decode(body) for body in self.unframer.feed(self.socket.recv(65536))]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def server(tmp_path: Path, engine: Engine) -> Iterator[Server]:
    made = Server(tmp_path / "engine.sock", engine, picture_hz=1.0)
    yield made
    made.close("over", 0)


def turn(server: Server, times: int = 4) -> None:
    for _ in range(times):
        server.once()


def test_the_first_console_controls_and_the_second_may_only_stop(tmp_path: Path, server: Server, engine: Engine) -> None:
    first, second = Console(tmp_path / "engine.sock"), Console(tmp_path / "engine.sock")
    first.say(Hello(console="a"))
    turn(server)
    second.say(Hello(console="b"))
    second.say(Go())
    second.say(Stop())
    first.say(Arm(robot="cosaw"))
    turn(server)
    assert engine.posted == [Arm(robot="cosaw")]
    assert "stop False" in engine.log
    assert [type(report) for report in second.reports()] == [Refused, Refused]


def test_control_passes_on_only_after_its_holder_has_gone(tmp_path: Path, server: Server, engine: Engine) -> None:
    first = Console(tmp_path / "engine.sock")
    first.say(Hello(console="a"))
    turn(server)
    first.socket.close()
    turn(server)
    second = Console(tmp_path / "engine.sock")
    second.say(Hello(console="b"))
    turn(server)
    second.say(Go())
    turn(server)
    assert [entry for entry in engine.log if entry != "heard"] == ["attached a", "detached a", "attached b"]
    assert engine.posted == [Go()]


def test_rubbish_closes_its_own_line_and_no_other(tmp_path: Path, server: Server, engine: Engine) -> None:
    good, bad = Console(tmp_path / "engine.sock"), Console(tmp_path / "engine.sock")
    good.say(Hello(console="a"))
    turn(server)
    bad.socket.sendall(b"\x00\x00\x00\x03\xc1\xc1\xc1")
    turn(server)
    good.say(Go())
    turn(server)
    assert engine.posted == [Go()]
    assert isinstance(bad.reports()[0], Refused)
    assert server.consoles == 1


def test_consoles_are_told_how_it_ended(tmp_path: Path, engine: Engine) -> None:
    server = Server(tmp_path / "engine.sock", engine, picture_hz=1.0)
    console = Console(tmp_path / "engine.sock")
    console.say(Hello(console="a"))
    turn(server)
    server.close("the weights are corrupt", 3)
    assert console.reports() == [Ended(reason="the weights are corrupt", exit_code=3)]


def test_the_socket_is_for_its_owner_only(tmp_path: Path, server: Server) -> None:
    assert (tmp_path / "engine.sock").stat().st_mode & 0o077 == 0
