"""Signals to the real console in a real pty: each stops the robot at once, whatever the terminal does, and leaves the terminal in order."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from desk import Desk, full, started, until

from console.start import speaks_unicode

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@pytest.mark.parametrize(("desk", "number"), [((), number) for number in ENDING], indirect=["desk"])
def test_a_signal_stops_the_robot_and_ends_the_program_while_nobody_reads_the_terminal(desk: Desk, number: signal.Signals) -> None:
    full(desk)
    os.kill(desk.terminal.process.pid, number)
    assert until(lambda: desk.raised == (1, 0))
    assert until(lambda: desk.terminal.process.poll() is not None)
    assert desk.terminal.process.returncode == 130
    assert desk.terminal.restored()


def state(desk: Desk) -> str:
    return Path(f"/proc/{desk.terminal.process.pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("desk", [("still",)], indirect=True)
def test_a_suspended_console_has_stopped_the_robot_first_and_comes_back_to_a_whole_screen(desk: Desk) -> None:
    os.kill(desk.terminal.process.pid, signal.SIGTSTP)
    assert desk.terminal.wait(lambda: state(desk) == "T")
    assert desk.raised == (1, 0)
    assert desk.terminal.restored()
    left = desk.terminal.output.rpartition(b"\x1b[?1004l")[2]
    assert re.fullmatch(rb"(\^\[\[[?\d;]+[cn]|\s)*", left), "nothing but what the terminal still answers, which it then shows itself"
    drawn = len(desk.terminal.output)
    os.kill(desk.terminal.process.pid, signal.SIGCONT)
    assert desk.terminal.wait(lambda: b"SPACE = STOP" in desk.terminal.output[drawn:])
    assert desk.terminal.output[drawn:].count(b"\x1b[?1049h") == 1
    desk.terminal.pump(0.3)
    before = len(desk.said())
    desk.terminal.type(b"u")
    assert desk.terminal.wait(lambda: any("AdjustForce" in line for line in desk.said()[before:]))
    os.kill(desk.terminal.process.pid, signal.SIGTERM)
    assert desk.terminal.wait(lambda: desk.terminal.process.poll() is not None)
    assert desk.raised == (2, 0)
    assert desk.terminal.process.returncode == 130
    assert desk.terminal.restored()


@pytest.mark.parametrize("desk", [("still",)], indirect=True)
def test_being_frozen_from_outside_and_let_go_on_starts_nothing_twice(desk: Desk) -> None:
    os.kill(desk.terminal.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, desk.terminal.process.pid, os.WSTOPPED | os.WNOWAIT)
    drawn = len(desk.terminal.output)
    os.kill(desk.terminal.process.pid, signal.SIGCONT)
    desk.terminal.pump(0.5)
    assert b"\x1b[?1049h" not in desk.terminal.output[drawn:]
    before = len(desk.said())
    desk.terminal.type(b"u")
    assert desk.terminal.wait(lambda: any("AdjustForce" in line for line in desk.said()[before:]))
    desk.terminal.pump(0.3)
    assert sum("AdjustForce" in line for line in desk.said()[before:]) == 1


@pytest.mark.parametrize("term", ["", "dumb"])
def test_a_terminal_that_moves_no_cursor_is_refused_in_a_sentence(tmp_path: Path, term: str) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-c", "import sys; sys.argv = ['sawhorse', 'run']; from console.cli import main; main()"]
    environment = {**os.environ, "TERM": term, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(master)
    os.close(slave)
    assert done.returncode == 2
    assert b"TERM says" in done.stderr


def test_a_terminal_without_unicode_gets_ascii_and_the_stop_key_goes_on(tmp_path: Path) -> None:
    desk = started(tmp_path, "still", PYTHONIOENCODING="latin-1")
    try:
        assert desk.terminal.wait(lambda: b"STOP" in desk.terminal.output)
        drawn = len(desk.terminal.output)
        desk.terminal.type(b"? ")
        assert desk.terminal.wait(lambda: desk.raised == (1, 0) and len(desk.terminal.output) > drawn + 1000)
    finally:
        desk.terminal.close()


def test_only_a_file_of_unicode_gets_more_than_ascii() -> None:
    assert speaks_unicode(io.TextIOWrapper(io.BytesIO(), encoding="UTF8"))
    assert not speaks_unicode(io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
