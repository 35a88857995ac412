"""The way a key takes through Textual as it comes: a small app with its own driver and a key handler, in a terminal that nobody reads."""

import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine.bench.figure import BenchError
from engine.bench.startup import terminal

STALLED_FOR = 4.0  #: s nobody reads before the key is pressed, and again after it
WITHIN = 20.0  #: s
PROGRAM = """
import sys, time
from textual.app import App
from textual.widgets import Static

class Stock(App):
    def compose(self):
        yield Static("")

    def on_mount(self):
        self.count = 0
        self.set_interval(0.05, self.draw)

    def draw(self):
        self.count += 1
        self.query_one(Static).update("\\n".join(f"{self.count * i:060d}" for i in range(30)))

    def on_key(self, event):
        with open(sys.argv[1], "w") as out:
            out.write(str(time.clock_gettime_ns(time.CLOCK_BOOTTIME)))

Stock().run()
"""


def key_to_handler() -> float:
    """s from a key's press to the app's handler; the terminal takes nothing for ``STALLED_FOR`` s before and after. Raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="saw-") as folder, terminal() as (master, slave):
        stamp = Path(folder) / "handled"
        app = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(stamp)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        try:
            taken = 0
            end = time.monotonic() + WITHIN
            while taken < 50_000 and time.monotonic() < end:
                taken += _drained(master)
            time.sleep(STALLED_FOR)
            pressed = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            os.write(master, b"k")
            time.sleep(STALLED_FOR)
            while not (stamp.exists() and stamp.read_text()) and time.monotonic() < end + 2 * STALLED_FOR:
                _drained(master)
            if not stamp.exists():
                raise BenchError("The key did not come to the handler of a plain Textual app.")
            return (int(stamp.read_text()) - pressed) / 1e9
        finally:
            app.kill()
            app.wait()


def _drained(master: int) -> int:
    """Bytes read in one look."""
    return len(os.read(master, 65536)) if select.select([master], [], [], 0.02)[0] else 0
