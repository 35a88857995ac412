"""Runs a command and ends its whole process group as soon as standard input ends: ``guard.py GRACE COMMAND...``, as a group's leader.

Whoever holds the other end of standard input may die in any way, and the command may hang in any way: nothing of the group outlives
both. The group is asked with SIGTERM, and killed GRACE seconds later. Stands on the standard library, for a Python without its site.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence

NOT_RUN = 126  #: the exit code where the command cannot be run, as a shell's


def main(grace: float, command: Sequence[str]) -> int:
    """The command's exit code, 128 and the signal where one ended it; nothing is returned where standard input ends first."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # meant for the others of the group
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_RUN
    poll = select.poll()
    ended = os.pidfd_open(child.pid)
    for descriptor in (ended, sys.stdin.fileno()):
        poll.register(descriptor, select.POLLIN)
    if ended not in dict(poll.poll()):
        poll.unregister(sys.stdin.fileno())
        os.killpg(0, signal.SIGTERM)
        poll.poll(grace * 1000.0)
        os.killpg(0, signal.SIGKILL)
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
