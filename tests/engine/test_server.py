"""The engine's socket, with real sockets: who controls, who observes, who is dropped."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.messages import Alive, Arm, Ended, Go, Hello, Intent, Offer, Picture, Refused, Report, Starting, Stop, Take, WatchPicture
from engine.server import CONSOLES, Server
from engine.types import Snapshot
from engine.wire import Unframer, framed, report_decoder


class Engine:
    """Keeps what the server asks of an engine."""

    def __init__(self) -> None:
        self.posted: list[Intent] = []
        self.log: list[str] = []
        self.is_armed = False
        self.doing = ""

    def post(self, intent: Intent) -> None:
        self.posted.append(intent)

    def attached(self, console: str) -> None:
        self.log.append(f"attached {console}")

    def detached(self, console: str) -> None:
        self.log.append(f"detached {console}")

    def offered(self, offered: bool) -> None:
        self.offer = offered

    def armed(self) -> bool:
        return self.is_armed

    def heard(self, age: float) -> None:
        self.log.append(f"heard {age}")

    def snapshot(self) -> Snapshot | None:
        return None

    def starting(self) -> str:
        return self.doing

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
    assert engine.log == ["attached a", "detached a", "attached b"]
    assert engine.posted == [Go()]


def test_before_there_is_anything_to_show_a_console_hears_once_what_is_done(tmp_path: Path, server: Server, engine: Engine) -> None:
    console = Console(tmp_path / "engine.sock")
    console.say(Hello(console="a"))
    found: list[Report] = []
    for doing in ("", "winding up the springs", "", "opening the cameras"):
        engine.doing = doing
        turn(server)
        if doing:
            found += console.reports()
    assert found == [Starting(text="winding up the springs"), Starting(text=""), Starting(text="opening the cameras")]


@pytest.fixture
def two(tmp_path: Path, server: Server) -> tuple[Console, Console]:
    """One in control, then one that observes."""
    first, second = Console(tmp_path / "engine.sock"), Console(tmp_path / "engine.sock")
    first.say(Hello(console="a"))
    turn(server)
    second.say(Hello(console="b"))
    turn(server)
    second.reports()
    return first, second


def refusal(console: Console) -> str:
    (report,) = console.reports()
    assert isinstance(report, Refused)
    return report.text


def test_control_that_is_offered_passes_to_the_console_that_takes_it(two: tuple[Console, Console], server: Server, engine: Engine) -> None:
    first, second = two
    first.say(Offer())
    turn(server)
    assert engine.offer
    second.say(Take())
    turn(server)
    assert engine.log == ["attached a", "detached a", "attached b"]
    assert not engine.offer
    second.say(Go())
    turn(server)
    first.say(Arm(robot="cosaw"))
    turn(server)
    assert engine.posted == [Go()]
    assert "only observes" in refusal(first)


def test_control_that_is_not_offered_is_not_taken(two: tuple[Console, Console], server: Server, engine: Engine) -> None:
    _, second = two
    second.say(Take())
    turn(server)
    assert "a holds control and has not offered it" in refusal(second)
    assert engine.log == ["attached a"]


@pytest.mark.parametrize("withdrawn", [Offer(), Arm(robot="cosaw")])
def test_an_offer_is_withdrawn_by_a_second_one_and_by_arming(
    two: tuple[Console, Console], server: Server, engine: Engine, withdrawn: Intent
) -> None:
    first, second = two
    first.say(Offer())
    first.say(withdrawn)
    turn(server)
    second.say(Take())
    turn(server)
    assert "has not offered" in refusal(second)
    assert not engine.offer


def test_while_armed_control_is_neither_offered_nor_taken(two: tuple[Console, Console], server: Server, engine: Engine) -> None:
    first, second = two
    first.say(Offer())
    turn(server)
    engine.is_armed = True
    second.say(Take())
    turn(server)
    assert "disarmed" in refusal(second)
    first.say(Offer())
    turn(server)
    assert "D disarms" in refusal(first)
    assert engine.log == ["attached a"]


def test_an_observer_takes_over_a_run_that_nobody_controls_any_more(two: tuple[Console, Console], server: Server, engine: Engine) -> None:
    first, second = two
    first.socket.close()
    turn(server)
    engine.is_armed = True
    second.say(Take())
    turn(server)
    assert "disarmed" in refusal(second), "what is still armed has lost its console: it stops first"
    engine.is_armed = False
    second.say(Take())
    second.say(Go())
    turn(server)
    assert engine.log == ["attached a", "detached a", "attached b"]
    assert engine.posted == [Go()]


def test_a_console_that_asked_to_observe_only_never_takes_control(tmp_path: Path, server: Server, engine: Engine) -> None:
    reader, stranger = Console(tmp_path / "engine.sock"), Console(tmp_path / "engine.sock")
    reader.say(Hello(console="r", readonly=True))
    for console in (reader, stranger):
        console.say(Take())
        turn(server)
        assert "observe only" in refusal(console)
    assert engine.log == []


def test_an_offer_ends_with_the_console_that_made_it(two: tuple[Console, Console], server: Server, engine: Engine) -> None:
    first, second = two
    first.say(Offer())
    turn(server)
    first.socket.close()
    turn(server)
    assert not engine.offer
    second.say(Offer())
    turn(server)
    assert "only observes" in refusal(second)


def test_only_the_console_in_control_tells_when_its_operator_was_last_there(tmp_path: Path, server: Server, engine: Engine) -> None:
    first, second = Console(tmp_path / "engine.sock"), Console(tmp_path / "engine.sock")
    first.say(Hello(console="a"))
    turn(server)
    second.say(Hello(console="b"))
    second.say(Alive(age=0.0))
    first.say(Alive(age=0.25))
    turn(server)
    assert [entry for entry in engine.log if entry.startswith("heard")] == ["heard 0.25"]
    assert engine.posted == []


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


def test_words_within_words_without_end_close_their_own_line(tmp_path: Path, server: Server) -> None:
    bad = Console(tmp_path / "engine.sock")
    body = b"\x82\xa4type\xa5Alive\xa3zzz" + b"\x91" * 100_000 + b"\xc0"
    bad.socket.sendall(len(body).to_bytes(4, "big") + body)
    for _ in range(8):
        turn(server)
    assert server.consoles == 0


def test_a_console_that_closes_its_line_in_the_middle_of_its_words_holds_no_control(tmp_path: Path, server: Server, engine: Engine) -> None:
    ghost = Console(tmp_path / "engine.sock")
    turn(server)
    ghost.socket.sendall(framed(Go()) * 200 + framed(Hello(console="ghost")) + framed(Arm(robot="cosaw")))
    ghost.socket.close()
    for _ in range(8):
        turn(server)
    assert server.consoles == 0
    assert engine.posted == []
    assert engine.log in ([], ["attached ghost", "detached ghost"])


def test_more_lines_than_anybody_needs_are_turned_away_and_the_others_go_on(tmp_path: Path, server: Server, engine: Engine) -> None:
    good = Console(tmp_path / "engine.sock")
    good.say(Hello(console="a"))
    turn(server)
    crowd = []
    for _ in range(CONSOLES + 4):
        crowd.append(Console(tmp_path / "engine.sock"))
        turn(server)
    assert server.consoles == CONSOLES
    good.say(Go())
    turn(server)
    assert engine.posted == [Go()]


def test_consoles_are_told_how_it_ended(tmp_path: Path, engine: Engine) -> None:
    server = Server(tmp_path / "engine.sock", engine, picture_hz=1.0)
    console = Console(tmp_path / "engine.sock")
    console.say(Hello(console="a"))
    turn(server)
    server.close("the weights are corrupt", 3)
    assert console.reports() == [Ended(reason="the weights are corrupt", exit_code=3)]


def test_a_console_that_asks_and_never_reads_is_not_answered_without_end(two: tuple[Console, Console], server: Server) -> None:
    _, second = two
    asked = 50 * 400
    for _ in range(50):
        second.socket.sendall(framed(Go()) * 400)
        turn(server, 1)
    turn(server)
    second.socket.settimeout(0.0)
    answered = 0
    while True:
        turn(server, 1)
        try:
            answered += len(second.reports())
        except BlockingIOError:
            break
    assert 0 < answered < asked / 2


def test_nor_does_it_miss_how_the_run_ended(tmp_path: Path, engine: Engine) -> None:
    server = Server(tmp_path / "engine.sock", engine, picture_hz=1.0)
    console = Console(tmp_path / "engine.sock")
    console.say(Hello(console="a", readonly=True))
    for _ in range(50):
        console.socket.sendall(framed(Go()) * 400)
        turn(server, 1)
    reports: list[Report] = []
    reader = threading.Thread(target=lambda: reports.extend(told(console)))
    reader.start()
    server.close("over", 0)
    reader.join()
    assert reports[-1] == Ended(reason="over", exit_code=0)


def told(console: Console) -> Iterator[Report]:
    """All that it is sent, to the end of the line."""
    while reports := console.reports():
        yield from reports


def test_the_socket_is_for_its_owner_only(tmp_path: Path, server: Server) -> None:
    assert (tmp_path / "engine.sock").stat().st_mode & 0o077 == 0
