"""A console that attaches looks and listens as the one who attaches wants, whatever the run was started with."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from engine import runs
from engine.config import Settings


def shown(master: int, until: bytes) -> bytes:
    """What the program writes up to and with ``until``, without its SGR sequences; all of it where that does not come."""
    data = b""
    while select.select([master], [], [], 20.0)[0]:
        try:
            data += os.read(master, 65536)
        except OSError:  # the program has ended
            break
        if until in (plain := re.sub(rb"\x1b\[[\d;]*m", b"", data)):
            return plain
    return data


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runs.Run:
    """A run whose engine is alive, as far as anybody can tell, and says nothing yet."""
    for name, folder in (("XDG_RUNTIME_DIR", "r"), ("XDG_CONFIG_HOME", "c")):  # short: a socket's path must be
        (tmp_path / folder).mkdir(mode=0o700)
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.chdir(tmp_path)
    made = runs.create(Settings())
    made.claim()
    return made


def test_theme_characters_and_keys_are_those_of_the_one_who_attaches(run: runs.Run, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(
        "[console]\ntheme = 'mine'\n[console.keymap]\nwhy = '6'\n[console.themes.mine]\nbased_on = 'light'\nbackground = '#010203'\n"
    )
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-c", "from console.cli import main; main()", "attach", run.name, "--config", str(config), "--ascii"]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True)
    os.close(slave)
    try:
        drawn = shown(master, b" why")
        assert b"STARTING ENGINE" in drawn
        assert b"6 why" in drawn
        assert drawn.isascii()
    finally:
        process.kill()
        process.wait()
        os.close(master)
