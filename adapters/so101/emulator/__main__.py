"""``python -m adapters.so101.emulator``: an emulated SO-101 as a process of its own."""

import argparse
import os
import signal
import sys
import threading

from adapters.base import AdapterError
from adapters.so101.emulator.emulator import ARMS, Emulator
from adapters.so101.emulator.remote import serve


def main() -> int:
    """0 after SIGTERM or Ctrl-C; 2 for what it does not understand, 3 where no arm can be made."""
    parser = argparse.ArgumentParser(prog="python -m adapters.so101.emulator", description=__doc__)
    parser.add_argument("--arm", choices=ARMS, default="free", help="free touches nothing; cube is so101-sim's, at its table (MuJoCo)")
    parser.add_argument("--link", help="path under which the bus can be opened; one of its own if absent")
    parser.add_argument("--seed", type=int, default=0, help="what sets the table")
    parser.add_argument("--holding", action="store_true", help="begin with torque on, at the start; otherwise limp, folded back")
    parser.add_argument("--uncalibrated", action="store_true", help="begin with a new servo's registers")
    parser.add_argument("--attended", action="store_true", help="end when standard input does, as with the process that holds it")
    options = parser.parse_args()
    try:
        return _run(options)
    except (AdapterError, OSError) as error:
        print(error, file=sys.stderr)
        return 3
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    ends = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # for every thread: the main one waits for them
    if options.attended:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    with Emulator(options.arm, options.link, options.seed, not options.uncalibrated, options.holding) as emulator:
        server = serve(emulator)
        print(emulator.port, flush=True)
        signal.sigwait(ends)
        server.shutdown()
        server.server_close()
    return 0


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
