"""Asks the terminal itself: how far away it is, how much its line carries, what it can show and what its keyboard tells.

Every question is one that a terminal answers in the stream the keys come by. The terminal is taken raw for as long and
given back as it was, whatever happens; one that does not answer is asked nothing more.
"""

import contextlib
import math
import os
import random
import re
import select
import termios
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType

from textual import events

from console.hold import ArmGesture, Keyboard
from console.parser import RELEASES, ConsoleParser, KeyReleased, KeyRepeated
from console.pixels import QUERY, Offer
from console.proof import ASK_NAME, ASK_STATUS
from console.sixel import ASK_CELL, SIXEL

ALL_KEY_FLAGS = 0b11111  #: of the kitty keyboard protocol
_KEY_FLAGS_USED = 0b11011  #: as the screen sets them
ROUND_TRIPS = 20
ANSWER_WITHIN = 2.0  #: s
TRIPS_WITHIN = 3.0  #: s for all round trips together
DRAIN_WITHIN = 5.0  #: s
DRAIN_FIRST, DRAIN_LAST = 4096, 262_144  #: bytes sent at once
DRAIN_LONG = 0.2  #: s beyond a round trip from which the time is the line's and not chance's
HELD_WITHIN = 12.0  #: s to hold a key in
HELD_QUIET = 1.0  #: s without a key after which it counts as let go

STATUS, STATUS_ANSWER = ASK_STATUS.encode(), re.compile(rb"\x1b\[0n")
NAME, NAME_ANSWER = b"\x1b[>0q", re.compile(rb"\x1bP>\|([^\x1b]*)\x1b\\")
ATTRIBUTES, ATTRIBUTES_ANSWER = ASK_NAME.encode(), re.compile(rb"\x1b\[\?([\d;]*)c")
# Pushed, asked and popped in one write: whatever happens then, the keyboard is left as it was.
KEY_FLAGS, KEY_FLAGS_ANSWER = b"\x1b[>%du\x1b[?u\x1b[<u" % ALL_KEY_FLAGS, re.compile(rb"\x1b\[\?(\d+)u")
COLOUR, COLOUR_ANSWER = b"\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[0m", re.compile(rb"\x1bP[01]\$r([^\x1b]*)\x1b\\")
_TRUE_COLOUR = re.compile(rb"48[:;]2[:;]+1[:;]2[:;]3")
_CTRL_C = re.compile(rb"\x03|\x1b\[99;5[u:]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the terminal said of itself and of the way to it."""

    rtts: tuple[float, ...] = ()  #: s, of each question; empty where it answers none
    drain: float = math.nan  #: kB/s that line and terminal take
    name: str = ""
    attributes: tuple[int, ...] = ()  #: DA1
    key_flags: int | None = None  #: of ``ALL_KEY_FLAGS``, those it can set; None where it knows nothing of them
    true_colour: bool | None = None  #: None where it does not say
    kitty_graphics: bool = False
    cell: tuple[int, int] | None = None  #: width, height, pixels; None where it does not say
    keyboard: Keyboard | None = None  #: as a held key measured it

    @property
    def sixel(self) -> bool:
        return SIXEL in self.attributes


class Unasked(Exception):
    """Why a terminal was not asked, in words."""


class Line:
    """A terminal taken raw, and given back at the end of ``with``. Whatever takes longer than it may raises nothing and says no.

    Raises Unasked where there is none, another program has it, or it hangs up; KeyboardInterrupt at Ctrl-C.
    """

    def __init__(self, path: str) -> None:
        self.heard = b""
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise Unasked("there is no terminal") from error
        try:
            if _in_background(self._fd):
                raise Unasked("another program has the terminal")
            self._before = termios.tcgetattr(self._fd)
        except termios.error as error:
            raise Unasked(f"{path} is no terminal") from error
        finally:
            if not hasattr(self, "_before"):
                os.close(self._fd)

    def __enter__(self) -> "Line":
        tty.setraw(self._fd, termios.TCSANOW)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(termios.error):  # it has hung up
            termios.tcflush(self._fd, termios.TCIFLUSH)  # an answer that came late is nothing that was typed
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
        os.close(self._fd)

    def send(self, data: bytes, seconds: float) -> bool:
        """Whether the terminal took all of it within ``seconds``."""
        end = time.monotonic() + seconds
        while data:
            if not select.select([], [self._fd], [], max(0.0, end - time.monotonic()))[1]:
                return False
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise Unasked("the terminal hung up") from error
        return True

    def read(self, seconds: float) -> bytes:
        """What comes within ``seconds``; b"" if nothing does."""
        if not select.select([self._fd], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self._fd, 4096)
        except OSError:
            data = b""
        if not data:
            raise Unasked("the terminal hung up")
        if _CTRL_C.search(data):
            raise KeyboardInterrupt
        return data

    def ask(self, question: bytes, answer: re.Pattern[bytes], seconds: float) -> bool:
        """Whether the answer came; everything that came is in ``heard``."""
        self.heard = b""
        end = time.monotonic() + seconds
        if not self.send(question, seconds):
            return False
        while not answer.search(self.heard):
            if (left := end - time.monotonic()) <= 0:
                return False
            self.heard += self.read(left)
        return True


def ask(path: str = "/dev/tty", *, strings: bool = True, hold: Callable[[str], None] | None = None) -> Answers | str:
    """What the terminal answers, or in words why it was not asked.

    ``strings``: it may be sent the string sequences that a text console of the kernel would print. ``hold`` is told when to
    hold a key; without it the keyboard is not measured.
    """
    try:
        with Line(path) as line:
            return _answers(line, strings, hold)
    except Unasked as why:
        return str(why)


def _in_background(fd: int) -> bool:
    """Whether another program has the terminal: touching it would suspend this one."""
    try:
        return os.tcgetpgrp(fd) != os.getpgrp()
    except OSError:
        return False  # not the terminal that controls this process, so nobody is suspended over it


def _answers(line: Line, strings: bool, hold: Callable[[str], None] | None) -> Answers:
    rtts = tuple(round_trips(line))
    if not rtts:
        return Answers()
    found = abilities(line, strings)
    found = replace(found, rtts=rtts, drain=drain(line, min(rtts)))
    if hold is None:
        return found
    return replace(found, keyboard=held_key(line, found.key_flags or 0, hold))


def round_trips(line: Line) -> Iterator[float]:
    """s that each status request took to be answered; ends early where they take long, at once where none is."""
    end = time.monotonic() + TRIPS_WITHIN
    for _ in range(ROUND_TRIPS):
        begun = time.monotonic()
        if begun > end or not line.ask(STATUS, STATUS_ANSWER, ANSWER_WITHIN):
            return
        yield time.monotonic() - begun


def abilities(line: Line, strings: bool) -> Answers:
    """What it says it can do. Every terminal answers the last question, so the others need no time-out of their own."""
    strung = COLOUR + (QUERY + ASK_CELL).encode() if strings else b""
    line.ask(NAME + KEY_FLAGS + strung + ATTRIBUTES, ATTRIBUTES_ANSWER, ANSWER_WITHIN)
    offer = Offer()
    offer.feed(line.heard)
    name, flags, colour, attributes = (
        pattern.search(line.heard) for pattern in (NAME_ANSWER, KEY_FLAGS_ANSWER, COLOUR_ANSWER, ATTRIBUTES_ANSWER)
    )
    return Answers(
        name=name[1].decode(errors="replace") if name else "",
        attributes=tuple(int(part) for part in attributes[1].split(b";") if part) if attributes else (),
        key_flags=int(flags[1]) if flags else None,
        true_colour=bool(_TRUE_COLOUR.search(colour[1])) if colour else None,
        kitty_graphics=offer.kitty,
        cell=offer.cell,
    )


def colours(size: int) -> bytes:
    """About ``size`` bytes that change nothing on the screen, of the kind that a screen is made of, and hard to compress."""
    drawn = random.Random(0).randbytes(size // 16 * 3)
    return b"".join(b"\x1b[38;2;%d;%d;%dm" % tuple(drawn[i : i + 3]) for i in range(0, len(drawn), 3)) + b"\x1b[0m"


def drain(line: Line, rtt: float, now: Callable[[], float] = time.monotonic) -> float:
    """kB/s that the way to the terminal carries, from how much later the answer to a question behind many bytes comes."""
    size = DRAIN_FIRST
    while True:
        data = colours(size)
        begun = now()
        answered = line.ask(data + STATUS, STATUS_ANSWER, DRAIN_WITHIN + rtt)
        spent = now() - begun - rtt
        if not answered:
            return len(data) / 1e3 / DRAIN_WITHIN
        if spent >= DRAIN_LONG or size >= DRAIN_LAST:
            return len(data) / 1e3 / max(spent, 1e-3)
        size *= 2


def held_key(line: Line, offered: int, hold: Callable[[str], None]) -> Keyboard | None:
    """What Enter, held for a second and let go, says of the keyboard; None where it was not held."""
    releases = bool(offered & RELEASES)
    if releases:
        line.send(b"\x1b[>%du" % (offered & _KEY_FLAGS_USED), ANSWER_WITHIN)
    try:
        hold("hold Enter for two seconds, then let it go")
        return measured(line.read, ArmGesture(releases))
    finally:
        if releases:
            line.send(b"\x1b[<u", ANSWER_WITHIN)


def measured(read: Callable[[float], bytes], gesture: ArmGesture, now: Callable[[], float] = time.monotonic) -> Keyboard | None:
    """The keyboard by what ``read`` gives of Enter until it is let go, or goes quiet; None where it is not held in time."""
    parser = ConsoleParser()
    begun = last = now()
    while now() - begun < HELD_WITHIN:
        if gesture.progress(last) >= 1.0 and now() - last > HELD_QUIET:
            gesture.releases = False  # where one was promised, the key went quiet without it
            return gesture.keyboard()
        data = read(0.05)
        for message in [*(parser.feed(data.decode("utf-8", "replace")) if data else ()), *parser.tick()]:
            if isinstance(message, events.Key) and message.key == "enter":
                last = now()
                gesture.press(last, repeated=isinstance(message, KeyRepeated))
            elif isinstance(message, KeyReleased) and message.key == "enter":
                if gesture.progress(now()) >= 1.0:
                    return gesture.keyboard()
                gesture.release()
    return None
