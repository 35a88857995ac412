"""A worker that does what its handshake's ``act`` asks for, without Isaac Lab: ``acting.py --link NAME``."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from other_side import WITHIN, load

SHARED = Path(__file__).resolve().parents[3] / "adapters/isaaclab/shared.py"
LONG = 3600.0  #: s


def live(link: Any) -> None:
    while True:
        link.beat()
        time.sleep(0.01)


def ready(link: Any) -> None:
    """Say a phase, then that it is ready once the console has cleared the stop; a process that it started lives on beside it."""
    link.say({"phase": "warming up", "share": 0.5})
    while link.stopped:
        time.sleep(0.01)
    helper = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LONG})"])
    variables = {name: os.environ[name] for name in link.handshake["asked"] if name in os.environ}
    link.say({"ready": True, "helper": helper.pid, "group": os.getpgrp(), "variables": variables, "input": os.readlink("/proc/self/fd/0")})


def main(name: str) -> None:
    link: Any = load(str(SHARED)).attach(name, WITHIN)
    threading.Thread(target=live, args=(link,), daemon=True).start()
    act = link.handshake["act"]
    if act == "says":
        link.say({"error": "The table is gone."})
        sys.exit(3)
    if act == "prints":
        print("loading\nno such device", flush=True)
        sys.exit(3)
    if act == "raises":
        os.write(2, b"Traceback (most recent call last):\nValueError: no legs\nException ignored in: nothing\n")
        sys.exit(1)
    if act == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if act == "lost":
        link.say({"phase": "compiling"})
    else:
        ready(link)
    time.sleep(LONG)


if __name__ == "__main__":
    main(sys.argv[sys.argv.index("--link") + 1])
