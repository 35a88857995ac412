"""A terminal in a real pty is asked what it can do, and is as it was afterwards, whatever it answers and whatever ends the asking."""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console import probe
from console.hold import ArmGesture, Keyboard

EVERYTHING = {
    b"\x1b[5n": b"\x1b[0n",
    b"\x1b[>0q": b"\x1bP>|Test 1.2\x1b\\",
    b"\x1b[?u": b"\x1b[?31u",
    b"\x1bP$qm\x1b\\": b"\x1bP1$r48:2::1:2:3m\x1b\\",
    b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\": b"\x1b_Gi=31;OK\x1b\\",
    b"\x1b[16t": b"\x1b[6;16;8t",
    b"\x1b[c": b"\x1b[?62;4;22c",
}


class Emulator:
    """The other end of a pty: answers the questions it knows, in the order they come."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self.master, self.slave = pty.openpty()
        self.path = os.ttyname(self.slave)
        self.before = termios.tcgetattr(self.slave)
        self._drawn = b""
        self._answers = answers
        self._end, self._ended = os.pipe()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        pending = b""
        while True:
            ready = select.select([self.master, self._end], [], [])[0]
            if self.master not in ready:
                return
            data = os.read(self.master, 65536)
            self._drawn += data
            pending += data
            while found := [(pending.find(question), question) for question in self._answers if question in pending]:
                at, question = min(found)
                pending = pending[at + len(question) :]
                os.write(self.master, self._answers[question])
            pending = pending[-64:]

    @property
    def drawn(self) -> bytes:
        """All that was written to it; it answers nothing any more."""
        if self._thread.is_alive():
            os.write(self._ended, b".")
            self._thread.join()
        return self._drawn

    def restored(self) -> bool:
        return termios.tcgetattr(self.slave) == self.before and len(re.findall(rb"\x1b\[>\d+u", self.drawn)) == self.drawn.count(b"\x1b[<u")

    def close(self) -> None:
        assert self.drawn
        for fd in (self.master, self.slave, self._end, self._ended):
            os.close(fd)


@pytest.fixture
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    found = Emulator(request.param)
    yield found
    found.close()


@pytest.mark.parametrize("emulator", [EVERYTHING], indirect=True)
def test_a_terminal_that_answers_is_known_and_left_as_it_was(emulator: Emulator) -> None:
    found = probe.ask(emulator.path)
    assert isinstance(found, probe.Answers)
    assert len(found.rtts) == probe.ROUND_TRIPS
    assert found.drain > 0.0
    assert (found.name, found.attributes, found.key_flags) == ("Test 1.2", (62, 4, 22), 31)
    assert found.true_colour
    assert found.kitty_graphics
    assert found.sixel
    assert found.cell == (8, 16)
    assert emulator.restored()


@pytest.mark.parametrize("emulator", [{b"\x1b[5n": b"\x1b[0n", b"\x1b[c": b"\x1b[?6c"}], indirect=True)
def test_a_plain_terminal_is_claimed_nothing_of(emulator: Emulator) -> None:
    found = probe.ask(emulator.path, strings=False)
    assert isinstance(found, probe.Answers)
    assert (found.name, found.key_flags, found.true_colour, found.kitty_graphics, found.sixel) == ("", None, None, False, False)
    assert b"\x1bP" not in emulator.drawn
    assert b"\x1b_" not in emulator.drawn
    assert emulator.restored()


@pytest.mark.parametrize("emulator", [{}], indirect=True)
def test_a_terminal_that_answers_nothing_is_asked_nothing_more(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "ANSWER_WITHIN", 0.05)
    assert probe.ask(emulator.path) == probe.Answers()
    assert emulator.drawn == b"\x1b[5n"
    assert emulator.restored()


@pytest.mark.parametrize("emulator", [{b"\x1b[5n": b"\x03"}, {b"\x1b[5n": b"\x1b[99;5u"}], indirect=True)
def test_ctrl_c_ends_the_asking_and_gives_the_terminal_back(emulator: Emulator) -> None:
    with pytest.raises(KeyboardInterrupt):
        probe.ask(emulator.path)
    assert emulator.restored()


def test_what_cannot_be_asked_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert probe.ask(str(tmp_path / "nowhere")) == "there is no terminal"
    assert "no terminal" in str(probe.ask(str(tmp_path / "file")))
    master, slave = pty.openpty()
    path = os.ttyname(slave)
    with probe.Line(path) as line:
        os.close(master)
        with pytest.raises(probe.Unasked, match="hung up"):
            line.ask(probe.STATUS, probe.STATUS_ANSWER, 5.0)
    os.close(slave)


def test_sigterm_gives_the_terminal_back() -> None:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    program = "from console.cli import main; main(['doctor'])"
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=slave, stdout=slave, stderr=slave, preexec_fn=lambda: os.login_tty(slave)
    )
    drawn = b""
    while probe.STATUS not in drawn:
        assert select.select([master], [], [], 60.0)[0], drawn
        drawn += os.read(master, 65536)
    taken = termios.tcgetattr(slave)
    child.send_signal(signal.SIGTERM)
    assert child.wait(60.0) == 130
    assert taken != before
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_a_program_in_the_background_leaves_the_terminal_alone() -> None:
    master, slave = pty.openpty()
    program = "import os; from console import probe; os.setpgid(0, 0); print(probe.ask(), flush=True)"
    shell = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {program!r}]).returncode)"
    command = [sys.executable, "-c", shell]
    child = subprocess.Popen(command, stdin=slave, stdout=subprocess.PIPE, preexec_fn=lambda: _control(slave))
    said, _ = child.communicate(timeout=60.0)
    assert (child.returncode, said) == (0, b"another program has the terminal\n")
    os.close(master)
    os.close(slave)


def _control(slave: int) -> None:
    """Make a pty the terminal that controls this new session."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


class Slow(probe.Line):
    """A line by its own clock: so many bytes a second, so long for a round trip."""

    def __init__(self, rate: float, rtt: float) -> None:
        self.rate, self.rtt, self.t = rate, rtt, 0.0

    def ask(self, question: bytes, answer: object, seconds: float) -> bool:
        took = len(question) / self.rate + self.rtt
        self.t += min(took, seconds)
        return took <= seconds

    def now(self) -> float:
        return self.t


@settings(deadline=None)
@given(st.floats(1e3, 2e6), st.floats(0.0, 1.0))
def test_the_rate_of_a_line_is_found_whatever_its_delay(rate: float, rtt: float) -> None:
    line = Slow(rate, rtt)
    assert probe.drain(line, rtt, line.now) * 1e3 == pytest.approx(rate, rel=0.02)


@given(st.floats(1.0, 500.0))
def test_a_line_that_carries_next_to_nothing_is_never_said_to_carry_more_than_was_seen(rate: float) -> None:
    line = Slow(rate, 0.1)
    assert probe.drain(line, 0.1, line.now) <= 1.2 * probe.DRAIN_FIRST / 1e3 / probe.DRAIN_WITHIN
    assert line.t <= probe.DRAIN_WITHIN + 0.1


@pytest.mark.parametrize("size", [4096, 65536])
def test_the_bytes_that_measure_the_line_draw_nothing(size: int) -> None:
    assert re.fullmatch(rb"(\x1b\[38;2;\d+;\d+;\d+m)+\x1b\[0m", probe.colours(size))
    assert 0.8 * size < len(probe.colours(size)) < 1.2 * size


class Hand:
    """Bytes of a keyboard by their times, on a clock of their own."""

    def __init__(self, typed: list[tuple[float, bytes]]) -> None:
        self.typed, self.t = typed, 0.0

    def read(self, seconds: float) -> bytes:
        self.t += seconds if not self.typed or self.typed[0][0] > self.t + seconds else 0.0
        if self.typed and self.typed[0][0] <= self.t + seconds:
            at, data = self.typed.pop(0)
            self.t = max(self.t, at)
            return data
        return b""

    def now(self) -> float:
        return self.t


def held(first: bytes, repeat: bytes, last: bytes, every: float = 0.03) -> list[tuple[float, bytes]]:
    """Enter held for two seconds from 0.5 s on."""
    repeats = [(1.0 + number * every, repeat) for number in range(int(1.5 / every))]
    return [(0.5, first), *repeats, (2.5, last)]


@pytest.mark.parametrize(
    ("releases", "typed", "mode"),
    [
        (True, held(b"\x1b[13u", b"\x1b[13;1:2u", b"\x1b[13;1:3u"), "HOLD"),
        (True, held(b"\x1b[13u", b"\x1b[13;1:2u", b"q"), "REPEAT"),
        (False, held(b"\r", b"\r", b"q"), "REPEAT"),
        (False, [(0.5, b"\r"), (1.2, b"\r"), (1.9, b"\r")], "STEP"),
    ],
)
def test_a_held_key_says_what_the_keyboard_can(releases: bool, typed: list[tuple[float, bytes]], mode: str) -> None:
    hand = Hand(typed)
    found = probe.measured(hand.read, ArmGesture(releases), hand.now)
    assert found is not None
    assert found.mode == mode
    if mode != "STEP":
        assert found.repeat_interval == pytest.approx(0.03, abs=0.001)


@pytest.mark.parametrize("emulator", [EVERYTHING], indirect=True)
def test_a_key_is_measured_with_the_flags_the_screen_uses_and_they_are_taken_back(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.hold.HELD_FOR", 1e-9)
    told: list[str] = []

    def press(text: str) -> None:
        told.append(text)
        os.write(emulator.master, b"\x1b[13u\x1b[13;1:3u")

    found = probe.ask(emulator.path, hold=press)
    assert isinstance(found, probe.Answers)
    assert found.keyboard == Keyboard("HOLD", 0.0)
    assert len(told) == 1
    assert b"\x1b[>27u" in emulator.drawn
    assert emulator.restored()


@pytest.mark.parametrize("typed", [[], [(0.5, b"\r")], [(0.5, b"abc")]])
def test_no_held_key_is_no_keyboard(typed: list[tuple[float, bytes]]) -> None:
    hand = Hand(typed)
    found: Keyboard | None = probe.measured(hand.read, ArmGesture(False), hand.now)
    assert found is None
    assert hand.t <= probe.HELD_WITHIN + 1.0
